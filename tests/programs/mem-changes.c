/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that changes in all the ways there are, a little at a time, while most of it stays as
 * it is: each snapshot takes over from the one before what hasn't changed.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGE = 4096, N = 64, STEPS = 160 };

#ifndef __WALL
#define __WALL 0x40000000
#endif

static uint8_t data[N * PAGE] = { 1 };	/* of the program's file, privately */
static uint32_t seed = 1;

static uint32_t pick(uint32_t n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static char *map(void *at, size_t pages, int flags, int fd)
{
	char *memory = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | flags, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

/* Other bytes in one page; different ones in each page and at each time. */
static void touch(char *page)
{
	for (unsigned i = 0; i < PAGE; i += 64)
		*(uint32_t *)(page + i) = ++seed;
}

static void fill(char *memory, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		touch(memory + i * PAGE);
}

static uint64_t sum_of(const char *memory, size_t pages)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < pages * PAGE; i += 8)
		sum = sum * 31 + *(const uint64_t *)(memory + i);
	return sum;
}

static void swap_places(char *a, char *b)
{
	char *aside = map(NULL, 1, MAP_ANONYMOUS, -1);

	CHECK(mremap(a, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, aside) == aside);
	CHECK(mremap(b, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, a) == a);
	CHECK(mremap(aside, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, b) == b);
}

/* The child changes its copy and looks at the rest; the parent's stays. */
static void fork_and_write(char *memory)
{
	uint64_t before = sum_of(memory, N);
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		touch(memory + (size_t)pick(N) * PAGE);
		sleep_ms(5);
		_exit(sum_of(memory, N) != before ? 7 : 1);
	}
	touch(memory);
	sleep_ms(3);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void change(unsigned step, char *memory, char **other, char *shared, int fd)
{
	char *page = memory + (size_t)pick(N) * PAGE, *old;

	switch (step % 16) {
	case 0:		/* given back, and written to again, or not */
		CHECK(madvise(page, PAGE, MADV_DONTNEED) == 0);
		CHECK(*page == 0);
		break;
	case 1:
		CHECK(munmap(page, PAGE) == 0);
		CHECK(map(page, 1, MAP_ANONYMOUS | MAP_FIXED, -1) == page);
		break;
	case 2:		/* the same bytes in another page */
		memcpy(page, memory, PAGE);
		break;
	case 3:
		CHECK(mprotect(page, PAGE, PROT_NONE) == 0);
		sleep_ms(3);
		CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
		break;
	case 4:
		swap_places(memory + PAGE, memory + 5 * PAGE);
		break;
	case 5:		/* all of it at another address, and another in its place */
		old = *other;
		*other = mremap(old, N * PAGE, 2 * N * PAGE, MREMAP_MAYMOVE);
		CHECK(*other != MAP_FAILED);
		CHECK(mremap(*other, 2 * N * PAGE, N * PAGE, 0) == *other);
		break;
	case 6:
		fork_and_write(memory);
		break;
	case 7:		/* a file's page, of one's own */
		touch((char *)data + (size_t)pick(N) * PAGE);
		break;
	case 8:		/* a file in its place, and back */
		CHECK(map(page, 1, MAP_FIXED, fd) == page);
		sleep_ms(3);
		CHECK(strncmp(page, "a file", 6) == 0);
		if (step & 16)
			touch(page);
		sleep_ms(3);
		CHECK(map(page, 1, MAP_ANONYMOUS | MAP_FIXED, -1) == page);
		break;
	case 9:
		touch(shared + (size_t)pick(N) * PAGE);
		break;
	case 10:	/* zeroes that were something, and a page that is only read */
		memset(page, 0, PAGE);
		CHECK(((volatile char *)*other)[pick(N) * PAGE] != 99 || step);
		break;
	case 11:	/* there and back: as it was */
		old = map(NULL, 1, MAP_ANONYMOUS, -1);
		CHECK(mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, old) == old);
		sleep_ms(3);
		CHECK(mremap(old, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page) == page);
		break;
	case 12:	/* there is no child, whatever we keep */
		FAILS(waitpid(-1, NULL, __WALL), ECHILD);
		break;
	case 13:
		free(memset(malloc(40 * PAGE), (int)step, 20 * PAGE));
		break;
	default:
		touch(page);
	}
}

int main(void)
{
	char name[] = "/tmp/mem-changes-XXXXXX";
	char *memory = map(NULL, N, MAP_ANONYMOUS, -1), *other = map(NULL, N, MAP_ANONYMOUS, -1);
	char *shared = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = mkstemp(name);

	CHECK(shared != MAP_FAILED && fd >= 0 && unlink(name) == 0);
	CHECK(write(fd, "a file", 6) == 6 && ftruncate(fd, PAGE) == 0);
	fill(memory, N);
	fill(other, N);
	fill(shared, N / 2);
	for (unsigned step = 0; step < STEPS; step++) {
		change(step, memory, &other, shared, fd);
		sleep_ms(2);
		if (step % 16 == 15)
			printf("%016lx %016lx %016lx %016lx\n", sum_of(memory, N), sum_of(other, N),
			       sum_of(shared, N), sum_of((char *)data, N));
	}
	return 0;
}
