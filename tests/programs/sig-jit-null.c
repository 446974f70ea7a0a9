/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code made at run time leaves null checks to SIGSEGV, divisions to SIGFPE, and traps with ud2. */
#include <sys/mman.h>
#include <ucontext.h>

#include "check.h"

static uint8_t *code;
static volatile sig_atomic_t n_seen[65];

/* Each kind goes on at the slow path, which is 64 bytes behind the beginning. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t ip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	CHECK(ip - (uintptr_t)code < 4096);
	if (signal == SIGSEGV)
		CHECK(info->si_addr == (void *)16 && info->si_code == SEGV_MAPERR &&
		      uc->uc_mcontext.gregs[REG_TRAPNO] == 14 && uc->uc_mcontext.gregs[REG_CR2] == 16);
	if (signal == SIGFPE)
		CHECK(info->si_code == FPE_INTDIV && uc->uc_mcontext.gregs[REG_TRAPNO] == 0);
	if (signal == SIGILL)
		CHECK(uc->uc_mcontext.gregs[REG_TRAPNO] == 6);
	n_seen[signal]++;
	uc->uc_mcontext.gregs[REG_RAX] = -signal;
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)((ip & ~UINT64_C(127)) + 64);
}

static void *compile(int which, const uint8_t *bytes, size_t len)
{
	uint8_t *to = code + which * 128;

	memset(to, 0x90, 128);
	memcpy(to, bytes, len);
	to[64] = 0xc3;
	return to;
}

int main(void)
{
	static const uint8_t load[] = { 0x48, 0x8b, 0x47, 0x10, 0xc3 };	/* mov 16(%rdi),%rax */
	static const uint8_t divide[] = { 0x89, 0xf8, 0x99, 0xf7, 0xfe, 0xc3 };	/* edi / esi */
	static const uint8_t trap[] = { 0x0f, 0x0b };
	long (*load_it)(long *);
	long (*divide_it)(int, int);
	long (*trap_it)(void);
	long cell[3] = { 0, 0, 42 };

	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(code != MAP_FAILED);
	*(void **)&load_it = compile(0, load, sizeof(load));
	*(void **)&divide_it = compile(1, divide, sizeof(divide));
	*(void **)&trap_it = compile(2, trap, sizeof(trap));
	CHECK(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
	handle_info(SIGSEGV, on_fault, 0);
	handle_info(SIGFPE, on_fault, SA_NODEFER);
	handle_info(SIGILL, on_fault, SA_RESTART);
	for (int i = 0; i < 500; i++) {
		CHECK(load_it(cell) == 42 && (int)divide_it(84, 2) == 42);
		CHECK(load_it(NULL) == -SIGSEGV);
		CHECK(divide_it(1, 0) == -SIGFPE);
		CHECK(trap_it() == -SIGILL);
	}
	CHECK(n_seen[SIGSEGV] == 500 && n_seen[SIGFPE] == 500 && n_seen[SIGILL] == 500);
	return 0;
}
