/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shm_open: one object by two descriptors, one of which may only read. */
#include <fcntl.h>
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	char name[64], *at, *seen, *own;
	int fd, reads;

	(void) snprintf(name, sizeof(name), "/blackbox-test-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	reads = shm_open(name, O_RDONLY, 0);
	CHECK(fd >= 0 && reads >= 0 && shm_unlink(name) == 0 && ftruncate(fd, 8192) == 0);
	at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	seen = mmap(NULL, 8192, PROT_READ, MAP_SHARED, reads, 0);
	own = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, reads, 0);
	CHECK(at != MAP_FAILED && seen != MAP_FAILED && own != MAP_FAILED);
	memcpy(at + 4094, "across", 6);
	CHECK(memcmp(seen + 4094, "across", 6) == 0 && memcmp(own + 4094, "across", 6) == 0);
	FAILS(mprotect(seen, 8192, PROT_READ | PROT_WRITE), EACCES);
	sleep_ms(25);
	FAILS(mprotect(seen + 4096, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK(mprotect(own, 8192, PROT_READ | PROT_WRITE) == 0);
	own[4094] = 'A';
	at[4095] = 'C';
	CHECK(memcmp(seen + 4094, "aCross", 6) == 0 && memcmp(own + 4094, "Across", 6) == 0);
	CHECK(mprotect(seen, 8192, PROT_NONE) == 0 && mprotect(seen, 8192, PROT_READ) == 0);
	CHECK(seen[4095] == 'C');
	return 0;
}
