/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a signal finds no room for its frame, SIGSEGV strikes, on the alternate stack. */
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

static sigjmp_buf back;
static char stack_bytes[65536];
static volatile sig_atomic_t n_faults, n_seen;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void) context;
	CHECK(signal == SIGSEGV && info->si_code == SI_KERNEL && info->si_addr == NULL);
	n_faults++;
	siglongjmp(back, 1);
}

static void seen(int signal)
{
	(void) signal;
	n_seen++;
}

/* kill(2) on a stack that can't be written. */
static void kill_on(char *stack, pid_t pid)
{
	__asm__ volatile("mov %%rsp, %%rbx\n"
			 "mov %0, %%rsp\n"
			 "syscall\n"
			 "mov %%rbx, %%rsp\n"
			 :
			 : "r"(stack), "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)
			 : "rbx", "rcx", "r11", "memory");
}

/* A division on it. */
static void divide_on(char *stack)
{
	__asm__ volatile("mov %%rsp, %%rbx\n"
			 "mov %0, %%rsp\n"
			 "xor %%edx, %%edx\n"
			 "xor %%ecx, %%ecx\n"
			 "div %%ecx\n"
			 "mov %%rbx, %%rsp\n"
			 :
			 : "r"(stack), "a"(1)
			 : "rbx", "rcx", "rdx", "memory");
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };
	char *bad = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(bad != MAP_FAILED && sigaltstack(&stack, NULL) == 0);
	handle_info(SIGSEGV, on_fault, SA_ONSTACK);
	handle(SIGUSR1, seen, 0);
	handle(SIGFPE, seen, 0);
	for (int i = 0; i < 10; i++) {
		if (!sigsetjmp(back, 1))
			kill_on(bad + 65536, getpid());
		if (!sigsetjmp(back, 1))
			divide_on(bad + 65536);
		if (!sigsetjmp(back, 1))
			kill_on((char *)16, getpid());
	}
	CHECK(n_faults == 30 && n_seen == 0);
	CHECK(raise(SIGUSR1) == 0 && n_seen == 1);
	return 0;
}
