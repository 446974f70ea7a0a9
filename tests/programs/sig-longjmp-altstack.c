/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jumps out of handlers on the alternate stack, with the mask and without; nested ones, too. */
#include <setjmp.h>

#include "check.h"

static char stack_bytes[65536];
static sigjmp_buf outer, inner;
static volatile sig_atomic_t n_seen;

static bool here(const void *address)
{
	return (const char *)address >= stack_bytes &&
	       (const char *)address < stack_bytes + sizeof(stack_bytes);
}

static void jump_out(int signal)
{
	char local;

	CHECK(here(&local));
	n_seen++;
	siglongjmp(signal == SIGUSR2 ? inner : outer, 1);
}

static void jump_within(int signal)
{
	char local;

	(void) signal;
	CHECK(here(&local));
	n_seen++;
	if (!sigsetjmp(inner, 1))
		(void) raise(SIGUSR2);
	CHECK(!is_blocked(SIGUSR2) && is_blocked(SIGHUP));
	siglongjmp(outer, 1);
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };

	CHECK(sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, jump_out, SA_ONSTACK);
	handle(SIGUSR2, jump_out, SA_ONSTACK);
	handle(SIGSEGV, jump_out, SA_ONSTACK);
	handle(SIGHUP, jump_within, SA_ONSTACK);
	for (volatile int i = 0; i < 100; i++) {
		if (!sigsetjmp(outer, 1))
			(void) raise(SIGUSR1);
		CHECK(!is_blocked(SIGUSR1));
		if (!sigsetjmp(outer, 1))
			*(volatile int *volatile)(uintptr_t)(i + 1) = 1;
		CHECK(!is_blocked(SIGSEGV));
		if (!sigsetjmp(outer, 1))
			(void) raise(SIGHUP);
		CHECK(!is_blocked(SIGHUP) && !is_blocked(SIGUSR2));
		/* Without the mask the signal stays blocked. */
		if (!sigsetjmp(outer, 0))
			(void) raise(SIGUSR1);
		CHECK(is_blocked(SIGUSR1));
		block(SIG_UNBLOCK, SIGUSR1);
	}
	CHECK(n_seen == 500);
	return 0;
}
