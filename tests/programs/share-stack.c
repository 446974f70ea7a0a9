/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An instruction faults, and the stack for its handler is shared memory that another process has. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "check.h"

enum { SIZE = 64 << 10, UD2_LEN = 2 };

static volatile sig_atomic_t struck;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) info;
	struck++;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += UD2_LEN;
}

static void fault(void)
{
	struck = 0;
	__asm__ volatile("ud2" : : : "memory");
	CHECK(struck == 1);
}

int main(void)
{
	stack_t stack = { .ss_size = SIZE };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_ONSTACK | SA_SIGINFO };

	stack.ss_sp = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(stack.ss_sp != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
	CHECK(sigaction(SIGILL, &action, NULL) == 0);
	for (int i = 0; i < 5; i++) {
		int status;
		pid_t child = fork();

		if (child == 0) {
			fault();
			memset(stack.ss_sp, i, SIZE);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && status == 0);
		fault();
	}
	return 0;
}
