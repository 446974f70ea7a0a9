/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loops that chase pointers and sort in memory are interrupted anywhere. */
#include "check.h"

enum { N = 2048 };

static volatile sig_atomic_t n_alarms;
static uint32_t next[N], values[N];

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

/* One ring through all of the array. */
static uint64_t chase(void)
{
	uint64_t sum = 0;
	uint32_t at = 0;

	for (uint32_t i = 0; i < N; i++)
		next[i] = (i + 1021) % N;
	for (unsigned i = 0; i < 8 * N; i++) {
		at = next[at];
		sum += at;
	}
	return sum;
}

static void sort(void)
{
	uint64_t random = 88172645463325252u;

	for (unsigned i = 0; i < N; i++)
		values[i] = (uint32_t)next_random(&random);
	for (unsigned gap = N / 2; gap; gap /= 2)
		for (unsigned i = gap; i < N; i++)
			for (unsigned j = i; j >= gap && values[j] < values[j - gap]; j -= gap) {
				uint32_t value = values[j];

				values[j] = values[j - gap];
				values[j - gap] = value;
			}
	for (unsigned i = 1; i < N; i++)
		CHECK(values[i - 1] <= values[i]);
}

int main(void)
{
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 30) {
		CHECK(chase() == UINT64_C(8) * N * (N - 1) / 2);
		sort();
	}
	alarm_in(0, 0);
	return 0;
}
