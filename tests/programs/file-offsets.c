/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pread and friends leave the offset alone, vectors are filled in order, holes are found. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "check.h"

static void vectors(int fd)
{
	char a[3], b[1], c[16];
	struct iovec in[] = { { a, sizeof(a) }, { NULL, 0 }, { b, sizeof(b) }, { c, sizeof(c) } };
	struct iovec out[] = { { "abc", 3 }, { "d", 1 }, { "efgh", 4 } };

	memset(c, '-', sizeof(c));
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(writev(fd, out, 3) == 8);
	CHECK(pwritev(fd, out, 3, 100) == 8 && lseek(fd, 0, SEEK_CUR) == 8);
	CHECK(ftruncate(fd, 8) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(readv(fd, in, 4) == 8);
	CHECK(memcmp(a, "abc", 3) == 0 && b[0] == 'd' && memcmp(c, "efgh----", 8) == 0);
	CHECK(preadv(fd, in, 4, 2) == 6 && memcmp(a, "cde", 3) == 0 && b[0] == 'f');
	CHECK(preadv2(fd, in, 1, 5, RWF_HIPRI) == 3 && memcmp(a, "fgh", 3) == 0);
	CHECK(lseek(fd, 1, SEEK_SET) == 1 && preadv2(fd, in, 1, -1, 0) == 3);
	CHECK(memcmp(a, "bcd", 3) == 0 && lseek(fd, 0, SEEK_CUR) == 4);
	CHECK(pwritev2(fd, out, 1, 0, RWF_APPEND) == 3 && lseek(fd, 0, SEEK_END) == 11);
	FAILS(syscall(SYS_preadv, fd, in, 1025, 0, 0), EINVAL);
	CHECK(readv(fd, in, 0) == 0);
}

static void holes(int fd)
{
	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, 1 << 20) == 0);
	CHECK(pwrite(fd, "x", 1, 512 << 10) == 1);
	CHECK(lseek(fd, 0, SEEK_HOLE) == 0);
	CHECK(lseek(fd, 0, SEEK_DATA) == 512 << 10);
	FAILS(lseek(fd, 768 << 10, SEEK_DATA), ENXIO);
	FAILS(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 512 << 10, 4096) == 0);
	FAILS(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK(fallocate(fd, 0, 0, 2 << 20) == 0 && lseek(fd, 0, SEEK_END) == 2 << 20);
}

int main(void)
{
	int fd = memfd_create("offsets", MFD_CLOEXEC);
	char buffer[8] = "";

	CHECK(fd >= 0 && write(fd, "0123456789", 10) == 10);
	CHECK(pread(fd, buffer, 4, 3) == 4 && memcmp(buffer, "3456", 5) == 0);
	CHECK(pwrite(fd, "xy", 2, 4) == 2 && lseek(fd, 0, SEEK_CUR) == 10);
	CHECK(pread(fd, buffer, 8, 8) == 2 && pread(fd, buffer, 8, 10) == 0);
	FAILS(pread(fd, buffer, 8, -1), EINVAL);
	vectors(fd);
	holes(fd);
	CHECK(close(fd) == 0);
	FAILS(close(fd), EBADF);
	return 0;
}
