/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors: dup, flags, ranges, O_APPEND, O_TMPFILE, openat2, pipes of packets. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

static void packets(void)
{
	char buffer[64] = "";
	int fds[2];

	CHECK(pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC) == 0);
	CHECK(write(fds[1], "one", 3) == 3 && write(fds[1], "three", 5) == 5);
	CHECK(read(fds[0], buffer, sizeof(buffer)) == 3 && memcmp(buffer, "one", 4) == 0);
	CHECK(read(fds[0], buffer, 2) == 2 && memcmp(buffer, "the", 3) == 0);
	FAILS(read(fds[0], buffer, sizeof(buffer)), EAGAIN);
	CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(fds[1], F_SETPIPE_SZ, 8192) == 8192 && fcntl(fds[0], F_GETPIPE_SZ) == 8192);
	CHECK(close(fds[1]) == 0 && read(fds[0], buffer, sizeof(buffer)) == 0);
	CHECK(close(fds[0]) == 0);
}

static void duplicates(int fd)
{
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_SETFD, 0) == 0);
	CHECK(fcntl(fd, F_DUPFD, 100) == 100 && fcntl(fd, F_DUPFD_CLOEXEC, 100) == 101);
	CHECK(fcntl(101, F_GETFD) == FD_CLOEXEC);
	CHECK(dup2(fd, 110) == 110 && dup2(fd, fd) == fd && dup3(fd, 111, O_CLOEXEC) == 111);
	FAILS(dup3(fd, fd, 0), EINVAL);
	FAILS(dup2(999, 5), EBADF);
	CHECK(lseek(110, 3, SEEK_SET) == 3 && lseek(fd, 0, SEEK_CUR) == 3);
	CHECK(syscall(SYS_close_range, 100, 110, 0) == 0);
	FAILS(lseek(110, 0, SEEK_CUR), EBADF);
	CHECK(lseek(111, 0, SEEK_CUR) == 3);
	CHECK(syscall(SYS_close_range, 111, ~0u, 4 /* CLOEXEC */) == 0 && close(111) == 0);
}

int main(void)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char text[8] = "";

	if (fd < 0)
		fd = memfd_create("file", MFD_CLOEXEC);
	CHECK(fd >= 0 && write(fd, "abc", 3) == 3);
	duplicates(fd);
	CHECK(fcntl(fd, F_SETFL, O_APPEND) == 0 && lseek(fd, 0, SEEK_SET) == 0);
	CHECK(write(fd, "de", 2) == 2 && pread(fd, text, sizeof(text), 0) == 5);
	CHECK(strcmp(text, "abcde") == 0);
	CHECK(close((int)syscall(SYS_openat2, AT_FDCWD, "/tmp", &how, sizeof(how))) == 0);
	FAILS(syscall(SYS_openat2, AT_FDCWD, "/proc/self", &how, sizeof(how)), ELOOP);
	FAILS(syscall(SYS_openat2, AT_FDCWD, "/tmp", &how, 3), EINVAL);
	packets();
	return 0;
}
