/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SA_ONSTACK handlers run on the alternate stack, and it can't be changed under them. */
#include "check.h"

static char stack_bytes[65536];
static volatile sig_atomic_t n_seen;

static bool here(const void *address)
{
	return (const char *)address >= stack_bytes &&
	       (const char *)address < stack_bytes + sizeof(stack_bytes);
}

static void nested(int signal)
{
	char local;

	(void) signal;
	CHECK(here(&local));	/* on it already: it goes on there */
	n_seen++;
}

static void on_stack(int signal)
{
	stack_t now, other = { .ss_sp = stack_bytes, .ss_size = 32768 };

	(void) signal;
	CHECK(here(&now));
	CHECK(sigaltstack(NULL, &now) == 0 && now.ss_flags == SS_ONSTACK && now.ss_sp == stack_bytes);
	FAILS(sigaltstack(&other, NULL), EPERM);
	CHECK(raise(SIGUSR2) == 0);
	n_seen++;
}

static void not_on_stack(int signal)
{
	char local;

	(void) signal;
	CHECK(!here(&local));
	n_seen++;
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) }, old;

	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == stack_bytes && old.ss_flags == 0);
	handle(SIGUSR1, on_stack, SA_ONSTACK);
	handle(SIGUSR2, nested, 0);
	handle(SIGHUP, not_on_stack, 0);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 2);
	CHECK(raise(SIGHUP) == 0 && n_seen == 3);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == 0);
	stack.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&stack, NULL) == 0);
	handle(SIGUSR1, not_on_stack, SA_ONSTACK);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 4);
	stack = (stack_t){ .ss_sp = stack_bytes, .ss_size = 100 };
	FAILS(sigaltstack(&stack, NULL), ENOMEM);
	return 0;
}
