/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uc_stack is the alternate stack at the time of the signal, and what a handler leaves there counts. */
#include <ucontext.h>

#include "check.h"

static char first[65536], second[65536];
static volatile sig_atomic_t n_seen;

static void seen(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void) info;
	if (n_seen++ == 0)
		CHECK(uc->uc_stack.ss_sp == first && uc->uc_stack.ss_size == sizeof(first) &&
		      uc->uc_stack.ss_flags == 0);
	if (signal == SIGUSR1) {
		uc->uc_stack.ss_sp = second;
		uc->uc_stack.ss_size = sizeof(second) - 4096;
	} else {
		uc->uc_stack.ss_size = 16;	/* too small: nothing changes */
	}
}

int main(void)
{
	stack_t stack = { .ss_sp = first, .ss_size = sizeof(first) }, now;

	/* Not on the stack that is to change: kernels differ about that. */
	handle_info(SIGUSR1, seen, 0);
	handle_info(SIGUSR2, seen, 0);
	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 1);
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == second && now.ss_size == 61440);
	CHECK(raise(SIGUSR2) == 0 && n_seen == 2);
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == second && now.ss_size == 61440);

	stack.ss_flags = SS_DISABLE | SS_ONSTACK;
	FAILS(sigaltstack(&stack, NULL), EINVAL);
	stack.ss_flags = 4;
	FAILS(sigaltstack(&stack, NULL), EINVAL);
	FAILS(sigaltstack((stack_t *)8, NULL), EFAULT);
	FAILS(sigaltstack(NULL, (stack_t *)8), EFAULT);
	return 0;
}
