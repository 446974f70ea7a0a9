/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Several threads wait for children with memory of their own (CLONE_VFORK alone), at the same time,
 * while another forks. All of them, and their children, write to the same shared memory.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 8 };

static volatile int *shared;

static pid_t make(int number)
{
	return number == 0 ? fork() : (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
}

static void *makes_children(void *argument)
{
	int number = (int)(intptr_t)argument, status;

	for (int i = 0; i < ROUNDS; i++) {
		pid_t pid = make(number);

		CHECK(pid >= 0);
		if (pid == 0) {
			(void) __atomic_add_fetch(&shared[THREADS], 1, __ATOMIC_SEQ_CST);
			if (i % 4 == 3)
				(void) syscall(SYS_execve, "/bin/true", (char *[]){ "true", NULL }, environ);
			sleep_ms(1);
			shared[number]++;
			_exit(i);
		}
		CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == (i % 4 == 3 ? 0 : i));
		(void) __atomic_add_fetch(&shared[THREADS], 100, __ATOMIC_SEQ_CST);
		CHECK(shared[number] == i + 1 - (i + 1) / 4);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, makes_children, (void *)(intptr_t)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	(void) printf("%d\n", shared[THREADS]);
	return 0;
}
