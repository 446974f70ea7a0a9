/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that keeps an eye on its own code: what a search puts there must not be seen. */
#include <sys/mman.h>

#include "check.h"

extern const char __ehdr_start[], etext[];

enum { ROUNDS = 400 };

__attribute__((noinline)) static unsigned work(unsigned n)
{
	for (unsigned i = 0; i < 1000; i++)
		n = n * 1103515245 + 12345;
	return n;
}

int main(void)
{
	size_t size = (size_t)(etext - __ehdr_start);
	char *copy = malloc(size);
	unsigned n = 1, changes = 0;

	CHECK(copy);
	memcpy(copy, __ehdr_start, size);
	for (int i = 0; i < ROUNDS; i++) {
		n = work(n);
		changes += memcmp(copy, __ehdr_start, size) != 0;
	}
	CHECK(changes == 0);
	(void) printf("%u\n", n);
	return 0;
}
