/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A loop whose rounds leave all registers as they were, and count far away in memory. */
#include "check.h"

enum { ROUNDS = 12000 };

struct counter {
	long reserved[6];
	volatile long n;
};

struct task {
	long reserved[7];
	struct counter *counter;
	volatile uint8_t byte;
};

/* The byte wraps around: it ends as it began. */
__attribute__((noinline)) static void work(struct task *task)
{
	volatile uint8_t *byte = &task->byte;

	for (unsigned i = 1024; i; i--) {
		(*byte)++;
		for (unsigned j = 0; j < 4; j++)
			(void)*byte;
	}
}

/* Nothing of what tells the rounds apart is in a register while work() runs. */
__attribute__((noinline)) static bool next(struct task **task)
{
	work(*task);
	return ++(*task)->counter->n < ROUNDS;
}

int main(void)
{
	struct counter *counter = calloc(1, sizeof(*counter));
	struct task *task = calloc(1, sizeof(*task));

	CHECK(counter && task);
	task->counter = counter;
	while (next(&task))
		;
	CHECK(task->byte == 0);
	(void) printf("%ld\n", counter->n);
	return 0;
}
