/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers that other signals interrupt, and that send signals themselves. */
#include "check.h"

static char order[64];
static volatile sig_atomic_t n;

static void note(char c)
{
	order[n++] = c;
}

static void third(int signal)
{
	(void) signal;
	note('c');
}

static void second(int signal)
{
	(void) signal;
	note('b');
	CHECK(raise(SIGTERM) == 0);
	note('B');
}

static void first(int signal)
{
	(void) signal;
	note('a');
	CHECK(raise(SIGUSR2) == 0);
	note('A');
}

int main(void)
{
	sigset_t set;

	handle(SIGUSR1, first, 0);
	handle(SIGUSR2, second, 0);
	handle(SIGTERM, third, 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(strcmp(order, "abcBA") == 0);

	/* Several at once: the kernel takes the lowest number first and the last one's handler begins. */
	n = 0;
	(void) sigfillset(&set);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(raise(SIGTERM) == 0 && raise(SIGHUP) == 0 && n == 0);
	handle(SIGHUP, third, 0);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(n == 2);
	(void) printf("%s\n", order);
	return 0;
}
