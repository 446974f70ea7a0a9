/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SS_AUTODISARM: no alternate stack while a handler runs on it, so it may be left and used again. */
#include <ucontext.h>

#include "check.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char stack_bytes[65536], other_bytes[65536];
static volatile sig_atomic_t n_seen;

static bool in(const char *stack, const void *address)
{
	return (const char *)address >= stack && (const char *)address < stack + 65536;
}

static void nested(int signal)
{
	char local;

	(void) signal;
	CHECK(in(other_bytes, &local));
	n_seen++;
}

static void seen(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	stack_t now, other = { .ss_sp = other_bytes, .ss_size = sizeof(other_bytes) };

	(void) signal;
	(void) info;
	CHECK(in(stack_bytes, &now));
	CHECK(uc->uc_stack.ss_sp == stack_bytes && uc->uc_stack.ss_size == sizeof(stack_bytes));
	CHECK((unsigned)uc->uc_stack.ss_flags == SS_AUTODISARM);
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_DISABLE && now.ss_size == 0);
	/* Another one meanwhile. */
	CHECK(sigaltstack(&other, NULL) == 0 && raise(SIGUSR2) == 0);
	n_seen++;
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes),
			  .ss_flags = (int)SS_AUTODISARM }, now;

	handle_info(SIGUSR1, seen, SA_ONSTACK);
	handle(SIGUSR2, nested, SA_ONSTACK);
	CHECK(sigaltstack(&stack, NULL) == 0);
	for (int i = 0; i < 20; i++) {
		CHECK(raise(SIGUSR1) == 0 && n_seen == 2 * i + 2);
		/* The frame brings it back. */
		CHECK(sigaltstack(NULL, &now) == 0 && now.ss_sp == stack_bytes);
		CHECK((unsigned)now.ss_flags == SS_AUTODISARM);
	}
	return 0;
}
