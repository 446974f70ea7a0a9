/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heap: brk up and down, large blocks, many small ones, a stack that grows. */
#include "check.h"

static void program_break(void)
{
	char *start = sbrk(0), *at;

	CHECK(sbrk(1 << 20) == start);
	memset(start, 7, 1 << 20);
	CHECK(brk(start + 100) == 0 && start[99] == 7);
	CHECK(sbrk(1 << 20) == start + 100);
	at = start + 8192;
	CHECK(*at == 0);
	CHECK(brk(start) == 0 && sbrk(0) == start);
	FAILS(brk((void *)0x7fffffff0000), ENOMEM);
}

static void blocks(void)
{
	char *list[200] = { NULL }, *large;
	uint64_t random = 3;

	for (int i = 0; i < 5000; i++) {
		size_t n = next_random(&random) % N_OF(list), len = 1 + next_random(&random) % 3000;

		list[n] = realloc(list[n], len);
		CHECK(list[n]);
		memset(list[n], (int)n, len);
	}
	for (size_t n = 0; n < N_OF(list); n++) {
		CHECK(!list[n] || list[n][0] == (char)n);
		free(list[n]);
	}
	large = calloc(64, 1 << 20);
	CHECK(large);
	for (size_t i = 0; i < 64u << 20; i += 1 << 20)
		CHECK(large[i] == 0 && (large[i] = 1));
	large = realloc(large, 100u << 20);
	CHECK(large && large[63 << 20] == 1);
	free(large);
}

static int deep(int n)
{
	volatile char frame[8000];

	frame[0] = frame[7999] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + (frame[0] == (char)n) + (frame[7999] == (char)n) - 1;
}

int main(void)
{
	program_break();
	blocks();
	CHECK(deep(500) == 500);
	return 0;
}
