/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler edits the saved registers: where the program goes on, and with what. */
#include <ucontext.h>

#include "check.h"

static void skip(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void) signal;
	(void) info;
	uc->uc_mcontext.gregs[REG_RIP] += 2;	/* ud2 */
	uc->uc_mcontext.gregs[REG_RAX] = 42;
	uc->uc_mcontext.gregs[REG_R15] ^= 0xff;
	uc->uc_mcontext.gregs[REG_EFL] |= 1;	/* carry */
}

static void edit_mask(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void) signal;
	(void) info;
	CHECK(sigismember(&uc->uc_sigmask, SIGHUP) == 0);
	(void) sigaddset(&uc->uc_sigmask, SIGHUP);
}

int main(void)
{
	uint64_t rax = 1, r15 = 0x1200;
	uint8_t carry = 0;

	handle_info(SIGILL, skip, 0);
	__asm__ volatile("mov %1, %%r15; clc; ud2; setc %2; mov %%r15, %1"
			 : "+a"(rax), "+r"(r15), "=r"(carry)::"r15", "cc");
	CHECK(rax == 42 && r15 == 0x12ff && carry == 1);

	handle_info(SIGUSR1, edit_mask, 0);
	CHECK(raise(SIGUSR1) == 0 && is_blocked(SIGHUP));
	return 0;
}
