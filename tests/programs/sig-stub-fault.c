/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An instruction just before a call faults, where the call is made often; a handler mends it. */
#include <sys/syscall.h>
#include <ucontext.h>

#include "check.h"

__asm__(".text\n.balign 16\n.type by_pointer, @function\n"
	"by_pointer:\n.cfi_startproc\n"
	"	xor %eax, %eax\n"
	".globl first_load\nfirst_load:\n"
	"	mov (%rdi), %esi\n"
	".globl second_load\nsecond_load:\n"
	"	mov 256(%rdx), %eax\n"
	"	syscall\n	ret\n"
	".cfi_endproc\n.size by_pointer, . - by_pointer\n");
long by_pointer(const int *ignored, long unused, const void *number);
extern const char first_load[], second_load[];

static struct {
	char gap[256];
	int number;
} pid_by_number = { "", SYS_getpid };
static volatile unsigned n_first, n_second;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void) signal;
	if (regs[REG_RIP] == (greg_t)(uintptr_t)first_load) {
		CHECK(info->si_addr == NULL);
		n_first++;
		regs[REG_RDI] = (greg_t)(uintptr_t)&pid_by_number;
	} else {
		CHECK(regs[REG_RIP] == (greg_t)(uintptr_t)second_load && info->si_addr == (void *)256);
		n_second++;
		regs[REG_RDX] = (greg_t)(uintptr_t)&pid_by_number;
	}
}

int main(void)
{
	enum { ROUNDS = 300 };

	handle_info(SIGSEGV, on_fault, 0);
	for (int i = 0; i < ROUNDS; i++)
		CHECK(by_pointer(i % 3 ? &pid_by_number.number : NULL, 0, i % 5 ? &pid_by_number : NULL) == getpid());
	CHECK(n_first == ROUNDS / 3 && n_second == ROUNDS / 5);
	return 0;
}
