/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dirty MEGABYTES SHARE SECONDS FILE: holds so much memory and writes to SHARE per cent of its
 * pages each two seconds, evenly. Each second FILE gets: pages written to since the line before,
 * the longest time between two looks at the clock, in us, and the mean time of a write, in ns.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Half of each page is noise: it shrinks as much as a server's data. */
static void write_page(uint8_t *page, uint64_t *seed)
{
	for (size_t i = 0; i < 2048; i += 8) {
		*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		memcpy(page + i, seed, 8);
	}
}

int main(int argc, char **argv)
{
	size_t n = argc == 5 ? strtoul(argv[1], NULL, 10) << 8 : 0, written = 0;
	double per_second = n * atof(argv[2]) / 100 / 2, due = 0;
	uint64_t begin, last, second, end, longest = 0, spent = 0, seed = 1;
	FILE *out = n ? fopen(argv[4], "w") : NULL;
	uint8_t *memory = mmap(NULL, n << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!out || memory == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < n; i++)
		write_page(memory + (i << 12), &seed);
	begin = last = second = now_ns();
	end = begin + strtoul(argv[3], NULL, 10) * 1000000000;
	while (last < end) {
		const struct timespec pause = { 0, 1000000 };
		uint64_t now, before;

		(void) nanosleep(&pause, NULL);
		before = now_ns();
		for (; due >= 1; due--, written++) {
			size_t page = (size_t)random() % n;

			memory[page << 12]++;
		}
		now = now_ns();
		spent += now - before;
		due += per_second * (double)(now - last) / 1e9;
		if (now - last > longest)
			longest = now - last;
		last = now;
		if (now - second < 1000000000)
			continue;
		fprintf(out, "%zu %lu %lu\n", written, longest / 1000, written ? spent / written : 0);
		fflush(out);
		second = now;
		written = longest = spent = 0;
	}
	return 0;
}
