/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Locks of files: fcntl's, of open files, flock, and who holds them. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "check.h"

static struct flock lock(short type, off_t start, off_t len)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
}

static void child(int fd, int ready, int end)
{
	struct flock mine = lock(F_WRLCK, 10, 10);
	char byte;

	CHECK(fcntl(fd, F_SETLK, &mine) == 0);
	CHECK(write(ready, "r", 1) == 1 && read(end, &byte, 1) == 1);
	sleep_ms(20);
	_exit(0);
}

int main(void)
{
	char path[] = "/tmp/blackbox-test-XXXXXX", byte;
	int fd = mkstemp(path), again = open(path, O_RDWR | O_CLOEXEC), ready[2], end[2];
	struct flock l = lock(F_WRLCK, 0, 100);
	pid_t pid;

	CHECK(fd >= 0 && again >= 0 && unlink(path) == 0 && pipe(ready) == 0 && pipe(end) == 0);
	pid = fork();
	if (pid == 0)
		child(fd, ready[1], end[0]);
	CHECK(read(ready[0], &byte, 1) == 1);
	CHECK(fcntl(fd, F_GETLK, &l) == 0);
	CHECK(l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 10 && l.l_pid == pid);
	l = lock(F_RDLCK, 0, 20);
	FAILS(fcntl(fd, F_SETLK, &l), EAGAIN);
	l = lock(F_RDLCK, 0, 10);
	CHECK(fcntl(fd, F_SETLK, &l) == 0 && fcntl(fd, F_GETLK, &l) == 0 && l.l_type == F_UNLCK);
	CHECK(write(end[1], "e", 1) == 1);
	l = lock(F_WRLCK, 0, 0);
	CHECK(fcntl(fd, F_SETLKW, &l) == 0);
	CHECK(waitpid(pid, NULL, 0) == pid);
	l = lock(F_UNLCK, 0, 0);
	CHECK(fcntl(fd, F_SETLK, &l) == 0);
	l = lock(F_WRLCK, 5, 1);
	CHECK(fcntl(fd, F_OFD_SETLK, &l) == 0);
	l = lock(F_WRLCK, 0, 0);
	CHECK(fcntl(again, F_OFD_GETLK, &l) == 0 && l.l_pid == -1 && l.l_start == 5);
	CHECK(flock(fd, LOCK_EX) == 0);
	FAILS(flock(again, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(fd, LOCK_UN) == 0 && flock(again, LOCK_SH | LOCK_NB) == 0);
	return 0;
}
