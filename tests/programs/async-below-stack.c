/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A loop over words that happen to point below the stack is interrupted anywhere. Who looks there
 * would let the stack grow, as far as its limit goes: it doesn't.
 */
#include "check.h"

enum { N = 64 };

static volatile sig_atomic_t n_alarms;
static uintptr_t volatile words[N];

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

static uint64_t stack_len(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t start, end, len = 0;
	char line[512];

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]") && sscanf(line, "%lx-%lx", &start, &end) == 2)
			len = end - start;
	(void) fclose(maps);
	return len;
}

int main(void)
{
	uint64_t before, sum = 0;

	before = stack_len();
	CHECK(before);
	for (unsigned i = 0; i < N; i++)
		words[i] = (uintptr_t)&sum - (2u << 20) - i * 65536;
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	for (unsigned i = 0; n_alarms < 30; i++)
		sum += words[i % N] ^ words[(i + 1) % N];
	alarm_in(0, 0);
	CHECK(sum && stack_len() == before);
	return 0;
}
