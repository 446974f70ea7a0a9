/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sigreturn from where there is no frame raises SIGSEGV, which can be handled. */
#include <setjmp.h>
#include <sys/syscall.h>

#include "check.h"

static sigjmp_buf back;
static char stack_bytes[65536];
static volatile sig_atomic_t n_faults;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void) context;
	CHECK(signal == SIGSEGV && info->si_code == SI_KERNEL);
	n_faults++;
	siglongjmp(back, 1);
}

static void return_from(uintptr_t stack)
{
	__asm__ volatile("mov %0, %%rsp\n"
			 "syscall\n"
			 "ud2"
			 :
			 : "r"(stack), "a"(SYS_rt_sigreturn)
			 : "memory");
}

int main(void)
{
	stack_t stack = { .ss_sp = stack_bytes, .ss_size = sizeof(stack_bytes) };

	CHECK(sigaltstack(&stack, NULL) == 0);
	handle_info(SIGSEGV, on_fault, SA_ONSTACK);
	for (int i = 0; i < 5; i++) {
		if (!sigsetjmp(back, 1))
			return_from(4096);
		if (!sigsetjmp(back, 1))
			return_from((uintptr_t)1 << 63);
	}
	CHECK(n_faults == 10);
	return 0;
}
