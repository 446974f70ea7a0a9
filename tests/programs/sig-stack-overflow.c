/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler on the alternate stack catches a stack overflow and jumps out of it, twice. */
#include <setjmp.h>

#include "check.h"

static char stack_bytes[65536];
static sigjmp_buf back;

static void overflown(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) info;
	(void) context;
	siglongjmp(back, 1);
}

#pragma GCC diagnostic ignored "-Winfinite-recursion"
static int dig(volatile char *above)
{
	volatile char room[4096];

	room[0] = above[0];
	return dig(room) + room[0];
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };
	volatile char first = 0;
	volatile int n = 0;

	CHECK(sigaltstack(&stack, NULL) == 0);
	handle_info(SIGSEGV, overflown, SA_ONSTACK);
	while (n < 2) {
		if (sigsetjmp(back, 1) == 0)
			return dig(&first);
		n++;
		CHECK(!is_blocked(SIGSEGV));
	}
	(void) printf("%d overflows\n", n);
	return 0;
}
