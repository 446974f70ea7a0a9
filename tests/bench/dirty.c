/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dirty MEGABYTES SHARE SECONDS FILE [fork]: holds so much memory and writes to SHARE per cent of
 * its pages each two seconds, evenly. Each second FILE gets: pages written to since the line
 * before, the longest time between two looks at the clock, in us, the mean time of a write, in ns,
 * and how long the fork took, in us, that it makes by itself each two seconds if it is to. Its
 * child lives until the next one is there, as a snapshot's does.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

/* Returns how long it took. Nobody waits for the child before. */
static uint64_t fork_child(pid_t *child)
{
	pid_t before = *child;
	uint64_t begin = now_ns(), end;

	*child = fork();
	if (*child == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void) pause();
	}
	end = now_ns();
	if (before > 0)
		(void) kill(before, SIGKILL);
	return end - begin;
}

int main(int argc, char **argv)
{
	const bool forks = argc == 6 && strcmp(argv[5], "fork") == 0;
	size_t n = argc == 5 || forks ? strtoul(argv[1], NULL, 10) << 8 : 0, written = 0;
	double per_second = n * atof(argv[2]) / 100 / 2, due = 0;
	uint64_t begin, last, second, end, forked, longest = 0, spent = 0, forking = 0, seed = 1;
	pid_t child = 0;
	FILE *out = n ? fopen(argv[4], "w") : NULL;
	uint8_t *memory = mmap(NULL, n << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!out || memory == MAP_FAILED)
		return 2;
	for (size_t i = 0; i < n; i++)
		write_page(memory + (i << 12), &seed);
	(void) signal(SIGCHLD, SIG_IGN);
	begin = last = second = forked = now_ns();
	end = begin + strtoul(argv[3], NULL, 10) * 1000000000;
	while (last < end) {
		const struct timespec pause = { 0, 1000000 };
		uint64_t now, before;

		(void) nanosleep(&pause, NULL);
		if (forks && last - forked >= 2000000000) {
			forking = fork_child(&child);
			forked = last;
		}
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
		fprintf(out, "%zu %lu %lu %lu\n", written, longest / 1000, written ? spent / written : 0,
			forking / 1000);
		fflush(out);
		second = now;
		written = longest = spent = forking = 0;
	}
	if (child > 0)
		(void) kill(child, SIGKILL);
	return 0;
}
