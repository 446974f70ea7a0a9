/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits: SIGXFSZ at a file's greatest size, no more queued signals than allowed, SIGXCPU. */
#include <sys/resource.h>

#include "check.h"

static volatile sig_atomic_t n_seen[65];

static void seen(int signal)
{
	n_seen[signal]++;
}

static void limit(int what, rlim_t soft)
{
	struct rlimit now;

	CHECK(getrlimit(what, &now) == 0);
	now.rlim_cur = soft;
	CHECK(setrlimit(what, &now) == 0);
}

int main(void)
{
	char bytes[100] = "";
	int fd = temporary_file(0), n = 0;

	handle(SIGXFSZ, seen, 0);
	limit(RLIMIT_FSIZE, 1000);
	for (int i = 0; i < 10; i++)
		CHECK(write(fd, bytes, sizeof(bytes)) == sizeof(bytes));
	FAILS(write(fd, bytes, sizeof(bytes)), EFBIG);
	CHECK(n_seen[SIGXFSZ] == 1);
	FAILS(ftruncate(fd, 2000), EFBIG);
	CHECK(n_seen[SIGXFSZ] == 2);
	handle(SIGXFSZ, SIG_IGN, 0);
	FAILS(write(fd, bytes, sizeof(bytes)), EFBIG);
	CHECK(n_seen[SIGXFSZ] == 2);
	limit(RLIMIT_FSIZE, RLIM_INFINITY);

	/* Others may count for the same user: fewer than we ask for, more than none in the end. */
	handle(SIGRTMIN, seen, 0);
	block(SIG_BLOCK, SIGRTMIN);
	limit(RLIMIT_SIGPENDING, 20);
	while (sigqueue(getpid(), SIGRTMIN, (union sigval){ 0 }) == 0)
		n++;
	CHECK(errno == EAGAIN && n <= 20);
	/* Those that don't queue come all the same. */
	handle(SIGUSR1, seen, 0);
	CHECK(raise(SIGUSR1) == 0 && n_seen[SIGUSR1] == 1);
	block(SIG_UNBLOCK, SIGRTMIN);
	CHECK(n_seen[SIGRTMIN] == n);
	return 0;
}
