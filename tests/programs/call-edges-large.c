/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A datagram of many pages is read to where memory ends, and lost. */
#include <sys/mman.h>
#include <sys/socket.h>

#include "check.h"

enum { PAGE = 4096, LEN = 150000, PAGES = 40, HOLE = 30 };

int main(void)
{
	char *to = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static char bytes[LEN];
	int ends[2];

	CHECK(to != MAP_FAILED && socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
	CHECK(munmap(to + HOLE * PAGE, (PAGES - HOLE) * PAGE) == 0);
	for (int round = 0; round < 200; round++) {
		long sum = 0;

		for (int i = 0; i < LEN; i++)
			bytes[i] = (char)(round + i / 256 + 1);
		CHECK(send(ends[1], bytes, LEN, 0) == LEN);
		FAILS(recv(ends[0], to, LEN, MSG_DONTWAIT), EFAULT);
		for (int i = 0; i < HOLE * PAGE; i++)
			sum += to[i];
		(void) printf("%ld\n", sum);
	}
	return 0;
}
