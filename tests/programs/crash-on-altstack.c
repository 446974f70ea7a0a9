/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler of SIGSEGV, on its alternate stack, aborts. expect: 134 */
#include "check.h"

static char stack_bytes[65536];
static int *volatile nowhere;

static void report(int signal)
{
	(void) signal;
	(void) !write(1, "handler\n", 8);
	abort();
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };

	CHECK(sigaltstack(&stack, NULL) == 0);
	handle(SIGSEGV, report, SA_ONSTACK);
	*nowhere = 1;
	return 1;
}
