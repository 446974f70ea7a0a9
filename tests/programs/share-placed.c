/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Processes that share much, and may so be put on one processor together, neither see that nor
 * hand it down; what they choose for themselves holds.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PROCESSES = 3, PAGES = 64, WORDS = 512, ROUNDS = 120, LOOK = 30 };

static cpu_set_t all;

static bool may_use(const cpu_set_t *set)
{
	cpu_set_t now;

	CHECK(sched_getaffinity(0, sizeof(now), &now) == 0);
	return CPU_EQUAL(&now, set);
}

/* As a command: were all handed down to it? */
static int is_told(const char *number)
{
	CHECK(sched_getaffinity(0, sizeof(all), &all) == 0);
	return CPU_COUNT(&all) == atoi(number) ? 0 : 1;
}

static void hand_down(int by_exec)
{
	char number[16];
	int status;
	pid_t pid = fork();

	(void) snprintf(number, sizeof(number), "%d", CPU_COUNT(&all));
	if (pid == 0 && by_exec) {
		(void) execl("/proc/self/exe", "share-placed", number, (char *)NULL);
		_exit(2);
	}
	if (pid == 0)
		_exit(may_use(&all) ? 0 : 1);
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* As a program that is careful with its caches. */
static void choose(void)
{
	cpu_set_t one;
	int cpu = 0;

	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(sched_setaffinity(0, sizeof(one), &one) == 0);
	CHECK(may_use(&one) && sched_getcpu() == cpu);
	CHECK(sched_setaffinity(0, sizeof(all), &all) == 0);
	CHECK(may_use(&all));
}

static void work(long *shared, pthread_mutex_t *mutex)
{
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pthread_mutex_lock(mutex) == 0);
		shared[0]++;
		for (int j = 1; j < PAGES; j++)
			shared[j * WORDS]++;
		CHECK(pthread_mutex_unlock(mutex) == 0);
		if (i % 4 == 0)
			(void) usleep(100);
		if (i % LOOK)
			continue;
		CHECK(may_use(&all));
		hand_down(i % (2 * LOOK) == 0);
		choose();
	}
}

int main(int argc, char **argv)
{
	char *memory = mmap(NULL, (PAGES + 1) * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutex_t *mutex = (pthread_mutex_t *)(memory + PAGES * 4096);
	pthread_mutexattr_t attr;
	int status;

	if (argc > 1)
		return is_told(argv[1]);
	CHECK(memory != MAP_FAILED && sched_getaffinity(0, sizeof(all), &all) == 0);
	CHECK(pthread_mutexattr_init(&attr) == 0 && pthread_mutexattr_setpshared(&attr, 1) == 0);
	CHECK(pthread_mutex_init(mutex, &attr) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		if (fork() == 0) {
			work((long *)memory, mutex);
			_exit(0);
		}
	}
	for (int i = 0; i < PROCESSES; i++)
		CHECK(wait(&status) > 0 && status == 0);
	CHECK(*(long *)memory == PROCESSES * ROUNDS && may_use(&all));
	return 0;
}
