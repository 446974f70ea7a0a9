/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What calls read and write ends where memory ends: strings and buffers of every length and alignment. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "check.h"

enum { PAGE = 4096, LENGTHS = 700 };

static char *edge;	/* nothing is there, and a page before it */
static char bytes[LENGTHS];
static int file, ends[2], pair[2];

/* Its zero byte is the last that is there; then that isn't, either. */
static void string(int len)
{
	char *path = edge - len - 1;

	memset(path, 'n', (size_t)len);
	edge[-1] = '\0';
	FAILS(access(path, F_OK), len < 256 ? ENOENT : ENAMETOOLONG);
	edge[-1] = 'n';
	FAILS(access(path, F_OK), EFAULT);
	FAILS(open(path, O_RDONLY), EFAULT);
}

static void buffers(int len)
{
	char *end = edge - len, back[LENGTHS];
	struct iovec iov[2] = { { bytes, 5 }, { end, (size_t)len } };

	memcpy(end, bytes, (size_t)len);
	CHECK(write(ends[1], end, (size_t)len) == len && read(ends[0], back, (size_t)len) == len);
	CHECK(memcmp(back, bytes, (size_t)len) == 0);
	CHECK(writev(ends[1], iov, 2) == len + 5 && read(ends[0], back, 5) == 5);
	memset(end, 0, (size_t)len);
	CHECK(read(ends[0], end, (size_t)len) == len && memcmp(end, bytes, (size_t)len) == 0);
}

/* More is wanted than there is room for. */
static void too_much(int len)
{
	char *end = edge - len;

	memset(end, 0, (size_t)len);
	CHECK(pread(file, end, LENGTHS, 0) == len && memcmp(end, bytes, (size_t)len) == 0);
	CHECK(pwrite(file, end, LENGTHS, 0) == len);
	FAILS(fstat(file, (struct stat *)(edge - len % 144)), EFAULT);
	FAILS(readlink("/proc/self/exe", edge - 4, 100), EFAULT);
	FAILS(recv(pair[0], end, LENGTHS, MSG_PEEK), EFAULT);
}

int main(void)
{
	edge = (char *)mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + PAGE;
	CHECK(munmap(edge, PAGE) == 0 && pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	for (int i = 0; i < LENGTHS; i++)
		bytes[i] = (char)(i * 7 + i / 256 + 1);
	file = temporary_file(0);
	CHECK(write(file, bytes, LENGTHS) == LENGTHS && write(pair[1], bytes, LENGTHS) == LENGTHS);
	for (int len = 1; len < LENGTHS - 5; len += len < 80 ? 1 : 13) {
		string(len);
		buffers(len);
		too_much(len);
	}
	return 0;
}
