/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers that interrupt each other run over the end of the alternate stack, and that kills. */
/* expect: 139 */
#include "check.h"

static char stack_bytes[65536];
static volatile sig_atomic_t depth;

static void deeper(int signal)
{
	depth++;
	CHECK(depth < 100);
	(void) raise(signal);
}

static void not_here(int signal)
{
	(void) signal;
	_exit(3);
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };

	CHECK(sigaltstack(&stack, NULL) == 0);
	handle(SIGSEGV, not_here, SA_ONSTACK);	/* no room for it either */
	handle(SIGUSR1, deeper, SA_ONSTACK | SA_NODEFER);
	(void) raise(SIGUSR1);
	return 2;
}
