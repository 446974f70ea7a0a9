/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ids of threads, signals to one of them, ids changed in all of them at once, /proc/self/task. */
#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>

#include "check.h"

static sem_t ready, end;
static pid_t tid;
static volatile pid_t seen_in;

static void seen(int signal)
{
	(void) signal;
	seen_in = (pid_t)syscall(SYS_gettid);
}

static void *stay(void *argument)
{
	tid = (pid_t)syscall(SYS_gettid);
	CHECK(sem_post(&ready) == 0);
	while (sem_wait(&end) < 0)
		CHECK(errno == EINTR);
	CHECK(pthread_setname_np(pthread_self(), "renamed") == 0);
	return argument;
}

static int n_tasks(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	CHECK(closedir(dir) == 0);
	return n - 2;
}

int main(void)
{
	pthread_t thread;

	CHECK(sem_init(&ready, 0, 0) == 0 && sem_init(&end, 0, 0) == 0);
	handle(SIGUSR1, seen, 0);
	CHECK(pthread_create(&thread, NULL, stay, NULL) == 0 && sem_wait(&ready) == 0);
	CHECK(n_tasks() == 2 && tid != getpid());
	CHECK(syscall(SYS_tgkill, getpid(), tid, SIGUSR1) == 0);
	while (!seen_in)
		sleep_ms(1);
	CHECK(seen_in == tid);
	seen_in = 0;
	CHECK(syscall(SYS_tkill, getpid(), SIGUSR1) == 0 && seen_in == getpid());
	FAILS(syscall(SYS_tgkill, getpid(), 999999999, SIGUSR1), ESRCH);
	/* The C library has each thread make the call, by a signal of its own. */
	CHECK(setresuid(getuid(), geteuid(), (uid_t)-1) == 0 && setresgid(getgid(), getegid(), (gid_t)-1) == 0);
	CHECK(sem_post(&end) == 0 && pthread_join(thread, NULL) == 0);
	return 0;
}
