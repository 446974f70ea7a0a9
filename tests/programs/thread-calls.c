/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads are preempted at calls by way of registers, tables and the stack. */
#include <pthread.h>

#include "check.h"

void count(void);
extern void (*count_pointer)(void);
__asm__(".text\n"
	".globl count\n"
	"count:\n"
	"	lea	1(%rbx), %rbx\n"
	"	ret\n"
	".data\n"
	".globl count_pointer\n"
	"count_pointer:\n"
	"	.quad	count\n"
	".text\n");

/* Eight calls a round, with little else between them: count() is as long as a jump. */
static uint64_t make_calls(uint64_t rounds)
{
	static void (*const table[2])(void) = { NULL, count };
	uint64_t n = 0, one = 1;

	__asm__ volatile("sub	$256, %%rsp\n"
			 "mov	%[count], %%r12\n"
			 "mov	%[count], (%%rsp)\n"
			 "1:\n"
			 "call	*%[count]\n"
			 "call	*%%r12\n"
			 "call	*count_pointer(%%rip)\n"
			 "call	*8(%[table])\n"
			 "call	*(%[table],%[one],8)\n"
			 "call	*(%%rsp)\n"
			 "notrack call *%[count]\n"
			 "call	count\n"
			 "dec	%[rounds]\n"
			 "jnz	1b\n"
			 "add	$256, %%rsp\n"
			 : "+b"(n), [rounds] "+r"(rounds)
			 : [count] "a"(count), [table] "r"(table), [one] "r"(one)
			 : "memory", "cc", "r12" );
	return n;
}

static void *work(void *argument)
{
	uint64_t *sum = argument;

	for (int i = 0; i < 20; i++)
		*sum += make_calls(30000);
	return NULL;
}

int main(void)
{
	uint64_t sums[3] = { 0 };
	pthread_t threads[3];

	for (size_t i = 0; i < N_OF(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, work, &sums[i]) == 0);
	for (size_t i = 0; i < N_OF(threads); i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
		CHECK(sums[i] == UINT64_C(8) * 20 * 30000);
	}
	return 0;
}
