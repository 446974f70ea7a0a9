/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A victim for debuggers. Its argument says where it crashes: "main", "thread",
 * "handler" (in a library, called from a signal handler), "compute" (while two
 * threads compute without system calls), "late" (after some seconds of work).
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#pragma GCC optimize("O0")	/* as the tests in gdb expect it, line by line */

int counter, rounds;
volatile int *nowhere;
double values[16];
static volatile int spinning;
static volatile unsigned long spins[2];

__attribute__((noinline)) static int crash(int depth)
{
	counter++;
	if (depth == 0)
		return *nowhere;
	return crash(depth - 1) + 1;
}

__attribute__((noinline)) static int add(int a, int b)
{
	int sum = a + b;

	return sum;
}

static void *work(void *argument)
{
	const struct timespec pause = { 0, 1000000 };

	for (int i = 0; i < 20; i++) {
		(void) nanosleep(&pause, NULL);
		counter = add(counter, 1);
		values[i % 16] = counter / 3.0;
	}
	return (void *)(long)(argument ? crash(3) : 0);
}

static void *spin(void *argument)
{
	volatile unsigned long *mine = argument;

	while (spinning)
		(*mine)++;
	return NULL;
}

static void compute(void)
{
	pthread_t threads[2];
	struct timespec now;
	time_t end;

	spinning = 1;
	for (int i = 0; i < 2; i++)
		(void) pthread_create(&threads[i], NULL, spin, (void *)&spins[i]);
	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	for (end = now.tv_sec + 1; now.tv_sec <= end; rounds++) {
		for (int i = 0; i < 100000; i++)
			values[i % 16] += i / 3.0;
		(void) clock_gettime(CLOCK_MONOTONIC, &now);
	}
	spinning = 0;
	for (int i = 0; i < 2; i++)
		(void) pthread_join(threads[i], NULL);
}

static int compare(const void *a, const void *b)
{
	(void) b;
	return crash(*(const int *)a);
}

/* qsort() is the library's. */
static void on_signal(int signal)
{
	int numbers[4] = { 2, 1, 4, 3 };

	(void) signal;
	qsort(numbers, 4, sizeof(numbers[0]), compare);
}

static void late(void)
{
	const struct timespec pause = { 0, 2000000 };

	for (int i = 0; i < 3000; i++) {
		(void) nanosleep(&pause, NULL);
		counter = add(counter, 1);
	}
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "main";
	pthread_t thread;

	printf("crashes in %s\n", how);
	(void) fflush(stdout);
	if (strcmp(how, "thread") == 0) {
		(void) pthread_create(&thread, NULL, work, (void *)how);
		(void) pthread_join(thread, NULL);
	} else if (strcmp(how, "handler") == 0) {
		(void) signal(SIGUSR1, on_signal);
		(void) raise(SIGUSR1);
	} else if (strcmp(how, "compute") == 0) {
		compute();
	} else if (strcmp(how, "late") == 0) {
		late();
	} else {
		(void) work(NULL);
	}
	return crash(3);
}
