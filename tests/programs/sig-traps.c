/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* int3 and ud2 whose handlers step over them, many times; single steps by the trap flag. */
#include <ucontext.h>

#include "check.h"

static volatile sig_atomic_t n_traps, n_illegal, n_steps;

static void on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void) signal;
	if (info->si_code == TRAP_TRACE || (uc->uc_mcontext.gregs[REG_EFL] & 0x100))
		n_steps++;
	else
		n_traps++;
}

static void on_illegal(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void) signal;
	CHECK((uintptr_t)info->si_addr == (uintptr_t)uc->uc_mcontext.gregs[REG_RIP]);
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	n_illegal++;
}

int main(void)
{
	handle_info(SIGTRAP, on_trap, 0);
	handle_info(SIGILL, on_illegal, 0);
	for (int i = 0; i < 50; i++)
		__asm__ volatile("int3; ud2; int3");
	(void) printf("%d %d\n", (int)n_traps, (int)n_illegal);
	return n_traps != 100 || n_illegal != 50;
}
