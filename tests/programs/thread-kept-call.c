/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A socket that never blocked does so once another process, which has it too, says so: the
 * program's other threads go on meanwhile.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

static int ends[2];
static int ready;

static void *writes_later(void *arg)
{
	do
		sleep_ms(100);
	while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE));
	CHECK(write(ends[1], "now", 3) == 3);
	return arg;
}

int main(void)
{
	char bytes[8];
	int go[2], done[2], status;
	pthread_t thread;
	pid_t child;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(go) == 0 && pipe(done) == 0);
	CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
	child = fork();
	if (child == 0) {
		CHECK(read(go[0], bytes, 1) == 1 && fcntl(ends[0], F_SETFL, 0) == 0);
		CHECK(write(done[1], "d", 1) == 1);
		_exit(0);
	}
	CHECK(child > 0);
	/* So often that it is taken for a program of one thread, nearly; the other one sleeps. */
	CHECK(pthread_create(&thread, NULL, writes_later, NULL) == 0);
	for (int i = 0; i < 1000; i++)
		FAILS(read(ends[0], bytes, sizeof(bytes)), EAGAIN);
	CHECK(write(go[1], "g", 1) == 1 && read(done[0], bytes, 1) == 1);
	__atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
	CHECK(read(ends[0], bytes, sizeof(bytes)) == 3);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	return 0;
}
