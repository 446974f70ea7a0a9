/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory that two processes share by turns, and what calls do to it: they write more than is
 * kept track of, write the file behind it, make holes, and change the mapping. The other one
 * sees each.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGES = 300, LEN = PAGES * 4096, WARM = 12 };

static int to_child[2], to_parent[2];

static unsigned sum_of(const unsigned char *bytes)
{
	unsigned sum = 1;

	for (int i = 0; i < LEN; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

/* The other one has seen, and changed, a page here and there. */
static void other_sees(unsigned char *shared)
{
	unsigned expected = sum_of(shared), sum;

	CHECK(write(to_child[1], "", 1) == 1);
	CHECK(read(to_parent[0], &sum, sizeof(sum)) == sizeof(sum) && sum == expected);
}

static void other(unsigned char *shared)
{
	unsigned sum;
	char byte;

	for (unsigned i = 0; read(to_child[0], &byte, 1) == 1; i++) {
		sum = sum_of(shared);
		shared[i * 37 % PAGES * 4096 + i]++;
		shared[(i + 150) % PAGES * 4096 + 4095]++;
		CHECK(write(to_parent[1], &sum, sizeof(sum)) == sizeof(sum));
	}
}

static void fill(int fd, unsigned char *bytes, unsigned from)
{
	for (int i = 0; i < LEN; i++)
		bytes[i] = (unsigned char)((unsigned)i * from >> 5);
	CHECK(pwrite(fd, bytes, LEN, 0) == LEN);
}

int main(void)
{
	int fd = memfd_create("shared", 0), source = memfd_create("source", 0);
	unsigned char *shared = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *moved;
	static unsigned char bytes[LEN];
	struct iovec iov[3];
	int status;
	pid_t child;

	CHECK(ftruncate(fd, LEN) == 0 && shared != MAP_FAILED && pipe(to_child) == 0 && pipe(to_parent) == 0);
	iov[0] = (struct iovec){ shared + 100, 5000 };
	iov[1] = (struct iovec){ shared + 50 * 4096 + 4000, 300 };
	iov[2] = (struct iovec){ shared + 70 * 4096, 40 * 4096 };
	fill(source, bytes, 77);
	child = fork();
	if (child == 0) {
		(void) close(to_child[1]);
		other(shared);
		_exit(0);
	}
	for (int i = 0; i < WARM; i++) {
		memset(shared + i * 20000, i, 40000);
		other_sees(shared);
	}
	CHECK(pread(source, shared + 4096, 8192, 0) == 8192);
	other_sees(shared);
	CHECK(pread(source, shared, LEN, 0) == LEN);
	other_sees(shared);
	CHECK(preadv(source, iov, 3, 1000) == 5000 + 300 + 40 * 4096);
	other_sees(shared);
	CHECK(pwrite(fd, bytes + 3, 9000, 20 * 4096 + 77) == 9000);
	other_sees(shared);
	CHECK(pwrite(fd, bytes, LEN / 2, 5000) == LEN / 2);
	other_sees(shared);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 40960) == 0);
	other_sees(shared);
	shared[5] = 9;
	CHECK(madvise(shared + 30 * 4096, 4 * 4096, MADV_REMOVE) == 0);
	other_sees(shared);
	CHECK(mprotect(shared + 4096, 100 * 4096, PROT_READ) == 0);
	other_sees(shared);
	CHECK(mprotect(shared + 4096, 100 * 4096, PROT_READ | PROT_WRITE) == 0);
	memset(shared, 1, 30 * 4096);
	other_sees(shared);
	memset(shared + 100, 2, 30 * 4096);
	CHECK(munmap(shared + 8192, 20 * 4096) == 0);
	CHECK(mmap(shared + 8192, 20 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 8192) == shared + 8192);
	other_sees(shared);
	memset(shared + 300, 3, 40 * 4096);
	moved = mremap(shared, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, mmap(NULL, LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(moved != MAP_FAILED && moved != shared);
	other_sees(moved);
	moved[77] = 1;
	other_sees(moved);
	(void) close(to_child[1]);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	(void) printf("%u\n", sum_of(moved));
	return 0;
}
