/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poll writes what happened, and leaves what another thread changes meanwhile. */
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "check.h"

static int fds[2];
static struct pollfd p[3];

static void *changes(void *arg)
{
	sleep_ms(30);
	__atomic_store_n(&p[1].fd, 4711, __ATOMIC_SEQ_CST);
	__atomic_store_n(&p[2].events, POLLPRI, __ATOMIC_SEQ_CST);
	CHECK(write(fds[1], "x", 1) == 1);
	return arg;
}

int main(void)
{
	pthread_t thread;

	CHECK(pipe(fds) == 0);
	for (int i = 0; i < 3; i++)
		p[i] = (struct pollfd){ i ? -1 : fds[0], POLLIN, -1 };
	CHECK(pthread_create(&thread, NULL, changes, NULL) == 0);
	CHECK(poll(p, 3, 10000) == 1);
	CHECK(p[0].revents == POLLIN && p[1].revents == 0 && p[2].revents == 0);
	CHECK(p[1].fd == 4711 && p[2].events == POLLPRI);
	CHECK(pthread_join(thread, NULL) == 0);
	FAILS(syscall(SYS_poll, p, 1u << 30, 0), EINVAL);
	return 0;
}
