/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User threads: a timer's handler switches between contexts, on stacks of their own. */
#include <ucontext.h>

#include "check.h"

#define N 3

static ucontext_t home, contexts[N];
static char stacks[N][65536];
static volatile int present = -1, switches;
static volatile uint64_t rounds[N];
static volatile bool done[N];

static void on_alarm(int signal)
{
	int from = present, to;

	(void) signal;
	if (from < 0)
		return;
	for (to = (from + 1) % N; to != from && done[to]; to = (to + 1) % N)
		;
	if (to == from)
		return;
	switches++;
	present = to;
	CHECK(swapcontext(&contexts[from], &contexts[to]) == 0);
}

static void body(int which)
{
	uint64_t state = (uint64_t)which + 1;

	block(SIG_UNBLOCK, SIGALRM);
	while (switches < 12 || rounds[which] < 1000) {
		(void) next_random(&state);
		rounds[which]++;
		if (rounds[which] % 4096 == 0)
			(void) getppid();
	}
	block(SIG_BLOCK, SIGALRM);
	done[which] = true;
	for (int to = 0; to < N; to++)
		if (!done[to]) {
			present = to;
			CHECK(setcontext(&contexts[to]) == 0);
		}
	present = -1;
	CHECK(setcontext(&home) == 0);
}

int main(void)
{
	volatile bool back = false;

	handle(SIGALRM, on_alarm, SA_RESTART);
	/* Here it would take main for the first context. */
	block(SIG_BLOCK, SIGALRM);
	for (int i = 0; i < N; i++) {
		CHECK(getcontext(&contexts[i]) == 0);
		/* swapcontext changes the mask first: no signal may strike before the rest. */
		(void) sigaddset(&contexts[i].uc_sigmask, SIGALRM);
		contexts[i].uc_stack.ss_sp = stacks[i];
		contexts[i].uc_stack.ss_size = sizeof(stacks[i]);
		makecontext(&contexts[i], (void (*)(void))body, 1, i);
	}
	CHECK(getcontext(&home) == 0);
	if (!back) {
		back = true;
		present = 0;
		alarm_in(1, 2000);
		CHECK(setcontext(&contexts[0]) == 0);
	}
	alarm_in(0, 0);
	for (int i = 0; i < N; i++)
		CHECK(done[i] && rounds[i] >= 1000);
	return 0;
}
