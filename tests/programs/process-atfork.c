/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers of pthread_atfork run in their order, in both processes. */
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

static char order[16];

static void note(char c)
{
	order[strlen(order)] = c;
}

static void prepare_1(void) { note('1'); }
static void prepare_2(void) { note('2'); }
static void parent_1(void) { note('a'); }
static void parent_2(void) { note('b'); }
static void child_1(void) { note('x'); }
static void child_2(void) { note('y'); }

int main(void)
{
	int status;
	pid_t pid;

	CHECK(pthread_atfork(prepare_1, parent_1, child_1) == 0);
	CHECK(pthread_atfork(prepare_2, parent_2, child_2) == 0);
	pid = fork();
	if (pid == 0)
		_exit(strcmp(order, "21xy") == 0 ? 0 : 1);
	CHECK(strcmp(order, "21ab") == 0 && waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}
