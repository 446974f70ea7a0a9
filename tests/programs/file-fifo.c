/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A FIFO is opened, which waits for the other side: nothing but the program's own signals
 * interrupts that, however often a snapshot is taken meanwhile.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

enum { ROUNDS = 4, WAIT_US = 120000 };

static volatile sig_atomic_t handled;

static void count(int signal)
{
	(void) signal;
	handled++;
}

static void reader(const char *path)
{
	struct sigaction action = { .sa_handler = count };
	char text[64];
	int fd;

	for (int i = 0; i < ROUNDS; i++) {
		fd = open(path, O_RDONLY);
		CHECK(fd >= 0);
		CHECK(read(fd, text, sizeof(text)) == 5 && read(fd, text, sizeof(text)) == 0);
		CHECK(close(fd) == 0);
	}
	action.sa_flags = SA_RESTART;
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	CHECK(sigaction(SIGUSR2, &(struct sigaction){ .sa_handler = count }, NULL) == 0);
	/* One goes on, one is interrupted. */
	FAILS(open(path, O_RDONLY), EINTR);
	CHECK(handled == 2);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0 && close(fd) == 0);
}

int main(void)
{
	char dir[] = "/tmp/fifo-XXXXXX", path[64];
	int status, fd;
	pid_t child;

	CHECK(mkdtemp(dir) != NULL);
	(void) snprintf(path, sizeof(path), "%s/fifo", dir);
	CHECK(mkfifo(path, 0600) == 0);
	child = fork();
	if (child == 0) {
		reader(path);
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		(void) usleep(WAIT_US);
		fd = open(path, O_WRONLY);
		CHECK(fd >= 0 && write(fd, "hello", 5) == 5 && close(fd) == 0);
	}
	(void) usleep(WAIT_US);
	CHECK(kill(child, SIGUSR1) == 0);
	(void) usleep(WAIT_US);
	CHECK(kill(child, SIGUSR2) == 0);
	(void) usleep(WAIT_US);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0 && close(fd) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK(unlink(path) == 0 && rmdir(dir) == 0);
	(void) printf("done\n");
	return 0;
}
