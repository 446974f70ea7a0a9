/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes make instructions that need two pages of shared memory at once. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { ROUNDS = 60, PAGE = 4096 };

/* Its lower half lies in one page, its upper half in the other. */
static void add_across(uint8_t *memory, long n)
{
	__asm__ volatile("lock addq %1, %0" : "+m"(*(long *)(memory + PAGE - 4)) : "r"(n) : "memory");
}

/* From one page to the other, and a count of how often. */
static void copy_across(uint8_t *memory, size_t len, int me)
{
	void *to = memory + PAGE + 64 + me * 512, *from = memory + 64 + me * 512;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
}

static void work(uint8_t *memory, int me)
{
	for (int i = 0; i < ROUNDS; i++) {
		add_across(memory, (long)UINT32_MAX * (me + 1));
		memset(memory + 64 + me * 512, me + i, 256);
		copy_across(memory, 256, me);
		for (int j = 0; j < 256; j++)
			CHECK(memory[PAGE + 64 + me * 512 + j] == (uint8_t)(me + i));
	}
}

int main(void)
{
	uint8_t *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long sum;

	CHECK(memory != MAP_FAILED);
	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			work(memory, i);
			_exit(0);
		}
	}
	work(memory, 2);
	for (int i = 0; i < 2; i++) {
		int status;

		CHECK(wait(&status) > 0 && status == 0);
	}
	memcpy(&sum, memory + PAGE - 4, sizeof(sum));
	CHECK(sum == (long)UINT32_MAX * 6 * ROUNDS);
	return 0;
}
