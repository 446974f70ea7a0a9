/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* String instructions with rep prefixes are interrupted in their middle. */
#include "check.h"

enum { LEN = 1 << 18 };

static volatile sig_atomic_t n_alarms;
static uint8_t from[LEN], to[LEN];

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

static void fill(uint8_t byte)
{
	uint8_t *at = from;
	size_t n = LEN;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
	CHECK(at == from + LEN && n == 0);
}

/* Backward, a slow way on all processors. */
static void copy(void)
{
	const uint8_t *source = from + LEN - 1;
	uint8_t *at = to + LEN - 1;
	size_t n = LEN;

	__asm__ volatile("std; rep movsb; cld" : "+S"(source), "+D"(at), "+c"(n) : : "memory");
	CHECK(at + 1 == to && n == 0);
}

static void compare(uint8_t byte)
{
	const uint8_t *a = from, *b = to;
	size_t n = LEN;
	bool same;

	__asm__ volatile("repe cmpsb; sete %3" : "+S"(a), "+D"(b), "+c"(n), "=r"(same) : : "memory", "cc");
	CHECK(same && n == 0);
	b = to;
	n = LEN;
	to[LEN - 1] = (uint8_t)~byte;
	__asm__ volatile("repe scasb" : "+D"(b), "+c"(n) : "a"(byte) : "memory", "cc");
	CHECK(b == to + LEN && n == 0);
}

int main(void)
{
	uint8_t byte = 0;

	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 30) {
		fill(++byte);
		copy();
		compare(byte);
	}
	alarm_in(0, 0);
	return 0;
}
