/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers use vector registers, and edit those that they have interrupted. */
#include <ucontext.h>

#include "check.h"

static volatile double sink;

static void uses(int signal)
{
	double x = signal;

	for (int i = 0; i < 10; i++)
		x = x * 1.5 + i;
	sink = x;
	__asm__ volatile("pxor %%xmm3, %%xmm3; pxor %%xmm7, %%xmm7; fninit" ::: "xmm3", "xmm7");
}

static void edits(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void) signal;
	(void) info;
	uc->uc_mcontext.fpregs->_xmm[3].element[0] += 5;
	uc->uc_mcontext.fpregs->mxcsr |= 0x8000;	/* flush to zero */
}

static void clean_start(int signal)
{
	uint32_t mxcsr;
	uint16_t fcw;

	(void) signal;
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(fcw));
	CHECK(mxcsr == 0x1f80 && fcw == 0x37f);
}

static uint32_t xmm3_across(int signal)
{
	uint32_t in[4] = { 11, 22, 33, 44 }, out[4];
	long nr = 62 /* kill */, pid = getpid();

	__asm__ volatile("movups %1, %%xmm3; syscall; movups %%xmm3, %0"
			 : "=m"(out), "+m"(in), "+a"(nr)
			 : "D"(pid), "S"((long)signal)
			 : "rcx", "r11", "xmm3", "memory");
	CHECK(out[1] == 22 && out[2] == 33 && out[3] == 44);
	return out[0];
}

int main(void)
{
	uint32_t mxcsr, down = 0x1f80 | 0x2000;

	handle(SIGUSR1, uses, 0);
	handle_info(SIGUSR2, edits, 0);
	handle(SIGHUP, clean_start, 0);
	CHECK(xmm3_across(SIGUSR1) == 11);
	CHECK(xmm3_across(SIGUSR2) == 16);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	CHECK((mxcsr & 0xffc0) == (0x1f80 | 0x8000));

	/* A handler begins with a clean state, and the program's own comes back. */
	__asm__ volatile("ldmxcsr %0" ::"m"(down));
	CHECK(raise(SIGHUP) == 0);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	CHECK((mxcsr & 0xffc0) == down);
	return 0;
}
