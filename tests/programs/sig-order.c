/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Of signals that a call lets in at once, the last one's handler runs first, on top of the others. */
#include <poll.h>

#include "check.h"

static char order[256];
static volatile sig_atomic_t n;

static void seen(int signal)
{
	order[n++] = (char)('a' + signal - SIGRTMIN);
	(void) getppid();
	order[n++] = (char)('A' + signal - SIGRTMIN);
}

static void send_all(void)
{
	n = 0;
	memset(order, 0, sizeof(order));
	for (int i = 4; i >= 0; i--)
		CHECK(raise(SIGRTMIN + i) == 0);
	CHECK(n == 0);
}

int main(void)
{
	static const char stacked[] = "eEdDcCbBaA";
	struct timespec ten = { 10, 0 };
	sigset_t set, none;

	(void) sigemptyset(&set);
	(void) sigemptyset(&none);
	for (int i = 0; i < 5; i++) {
		handle(SIGRTMIN + i, seen, 0);
		(void) sigaddset(&set, SIGRTMIN + i);
	}
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (int round = 0; round < 5; round++) {
		send_all();
		FAILS(sigsuspend(&none), EINTR);
		CHECK(strcmp(order, stacked) == 0);
		send_all();
		FAILS(ppoll(NULL, 0, &ten, &none), EINTR);
		CHECK(strcmp(order, stacked) == 0);
		send_all();
		CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
		CHECK(strcmp(order, stacked) == 0);
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	}
	return 0;
}
