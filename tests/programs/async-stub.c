/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals strike around a call that is made often: their handlers see the program's own addresses. */
#include <sys/syscall.h>
#include <ucontext.h>

#include "check.h"

__asm__(".text\n.balign 16\n.type often, @function\n"
	"often:\n.cfi_startproc\n"
	"1:	mov %rdi, %rdx\n	mov $110, %eax\n	add $0, %rsi\n	mov %rdx, %r8\n	syscall\n"
	"	dec %rdi\n	jnz 1b\n	ret\n"
	".globl often_end\noften_end:\n.cfi_endproc\n.size often, . - often\n");
long often(long n);
extern const char often_end[];

static volatile int n_within, n_all;

static void on_alarm(int signal, siginfo_t *info, void *context)
{
	const char *ip = (const char *)(uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

	(void) signal;
	(void) info;
	n_all++;
	n_within += ip >= (const char *)(uintptr_t)often && ip < often_end;
}

int main(void)
{
	uint64_t until = now_ns() + 300 * UINT64_C(1000000);

	handle_info(SIGALRM, on_alarm, 0);
	alarm_in(1, 300);
	while (now_ns() < until)
		CHECK(often(500) == getppid());
	(void) dprintf(2, "%d of %d\n", n_within, n_all);
	CHECK(n_all > 10 && n_within > n_all / 2);
	return 0;
}
