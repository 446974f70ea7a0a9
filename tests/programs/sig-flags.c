/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SA_RESETHAND, SA_NODEFER, sa_mask, and what sigaction gives back. */
#include "check.h"

static volatile sig_atomic_t depth, deepest, n_seen, to_raise;

static void once(int signal)
{
	struct sigaction now;

	CHECK(sigaction(signal, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	n_seen++;
}

static void recurse(int signal)
{
	depth++;
	deepest = depth > deepest ? depth : deepest;
	if (to_raise-- > 0)
		CHECK(raise(signal) == 0);
	depth--;
}

static void masked(int signal)
{
	(void) signal;
	n_seen++;
	CHECK(is_blocked(SIGUSR1) && is_blocked(SIGUSR2) && !is_blocked(SIGHUP));
	deepest = n_seen;
	CHECK(raise(SIGUSR2) == 0);	/* waits until we have returned */
	CHECK(deepest == n_seen);
}

static void other(int signal)
{
	(void) signal;
	n_seen++;
}

int main(void)
{
	struct sigaction action = { .sa_handler = masked }, old;

	handle(SIGUSR1, once, SA_RESETHAND);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 1);

	to_raise = 4;
	handle(SIGUSR1, recurse, SA_NODEFER);
	CHECK(raise(SIGUSR1) == 0 && deepest == 5 && depth == 0);
	handle(SIGUSR1, recurse, 0);
	deepest = 0;
	to_raise = 4;
	CHECK(raise(SIGUSR1) == 0 && deepest == 1);	/* the raised one comes after the first */

	handle(SIGUSR2, other, 0);
	n_seen = 0;
	(void) sigemptyset(&action.sa_mask);
	(void) sigaddset(&action.sa_mask, SIGUSR2);
	CHECK(sigaction(SIGUSR1, &action, &old) == 0 && old.sa_handler == recurse);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 2);
	CHECK(!is_blocked(SIGUSR1) && !is_blocked(SIGUSR2));

	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_handler == masked && sigismember(&old.sa_mask, SIGUSR2) == 1);
	CHECK(signal(SIGUSR1, SIG_IGN) == masked && signal(SIGUSR1, SIG_DFL) == SIG_IGN);
	FAILS(sigaction(SIGKILL, &action, NULL), EINVAL);
	FAILS(sigaction(SIGSTOP, &action, NULL), EINVAL);
	return 0;
}
