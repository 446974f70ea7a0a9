/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A parent that waits for a child with memory of its own (CLONE_VFORK alone) goes on when the child
 * has executed something, not before, nor when that is over. What fails isn't waited for.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static volatile int *shared;

static void execute(const char *command)
{
	shared[0]++;
	(void) execl("/nowhere/to/be/found", "nothing", (char *)NULL);
	shared[1] += errno == ENOENT;
	sleep_ms(5);
	shared[2]++;
	(void) execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(1);
}

int main(void)
{
	int go_on[2], status;
	char word[2];
	pid_t pid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED && pipe(go_on) == 0);
	(void) snprintf(word, sizeof(word), "%d", go_on[0]);
	CHECK(setenv("FD", word, 1) == 0);
	for (int i = 1; i <= 5; i++) {
		pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL);
		CHECK(pid >= 0);
		if (pid == 0)
			execute("read number <&$FD; exit $number");
		CHECK(shared[0] == i && shared[1] == i && shared[2] == i);
		CHECK(waitpid(pid, &status, WNOHANG) == 0);
		CHECK(dprintf(go_on[1], "%d\n", i) == 2);
		CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == i);
		(void) printf("%d %d %d\n", shared[0], shared[1], shared[2]);
	}
	return 0;
}
