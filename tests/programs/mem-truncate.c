/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A mapped file gets shorter and longer: SIGBUS where it ends, zeroes where it has grown. */
#include <setjmp.h>
#include <sys/mman.h>

#include "check.h"

enum { PAGE_LEN = 4096 };

static sigjmp_buf back;

static void seen(int signal)
{
	(void) signal;
	siglongjmp(back, 1);
}

static bool is_there(volatile char *at)
{
	if (sigsetjmp(back, 1))
		return false;
	(void) *at;
	return true;
}

static void look(int flags)
{
	int fd = temporary_file(4 * PAGE_LEN);
	char *at = mmap(NULL, 6 * PAGE_LEN, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(at != MAP_FAILED);
	CHECK(is_there(at + 3 * PAGE_LEN) && !is_there(at + 4 * PAGE_LEN));
	memset(at, 'x', 4 * PAGE_LEN);
	sleep_ms(12);
	CHECK(ftruncate(fd, PAGE_LEN + 100) == 0);
	CHECK(at[PAGE_LEN] == 'x' && at[PAGE_LEN + 99] == 'x' && !is_there(at + 2 * PAGE_LEN));
	if (flags == MAP_SHARED)
		CHECK(at[PAGE_LEN + 100] == 0);
	sleep_ms(12);
	CHECK(!is_there(at + 3 * PAGE_LEN));
	CHECK(ftruncate(fd, 5 * PAGE_LEN) == 0);
	CHECK(at[2 * PAGE_LEN] == 0 && at[4 * PAGE_LEN + 5] == 0 && !is_there(at + 5 * PAGE_LEN));
	at[4 * PAGE_LEN] = 'y';
	sleep_ms(12);
	CHECK(pwrite(fd, "end", 3, 6 * PAGE_LEN - 3) == 3);
	CHECK(memcmp(at + 6 * PAGE_LEN - 3, "end", 3) == 0 && at[4 * PAGE_LEN] == 'y');
	CHECK(ftruncate(fd, 0) == 0 && !is_there(at) && close(fd) == 0);
	CHECK(munmap(at, 6 * PAGE_LEN) == 0);
}

int main(void)
{
	handle(SIGBUS, seen, 0);
	look(MAP_SHARED);
	look(MAP_PRIVATE);
	return 0;
}
