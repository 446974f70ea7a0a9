/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter that traps: the handler sees the call, and gives it a result. */
#include <ucontext.h>

#include "filter.h"

static volatile sig_atomic_t traps;
static siginfo_t seen;

static void trapped(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	CHECK(signal == SIGSYS && info->si_code == 1 && info->si_errno == 77);
	CHECK(regs[REG_RAX] == info->si_syscall && regs[REG_RIP] == (greg_t)(uintptr_t)info->si_call_addr);
	seen = *info;
	traps++;
	regs[REG_RAX] = regs[REG_RDI] + 1000;
}

int main(void)
{
	handle_info(SIGSYS, trapped, SA_NODEFER);
	INSTALL(ROW(SYS_getpgid, SECCOMP_RET_TRAP | 77), ROW(SYS_arch_prctl, SECCOMP_RET_TRAP | 77),
		ROW(SYS_sync, SECCOMP_RET_TRACE | 1));
	CHECK(syscall(SYS_getpgid, 5) == 1005 && traps == 1);
	CHECK(seen.si_syscall == SYS_getpgid && seen.si_arch == AUDIT_ARCH_X86_64);
	/* One that the agent answers itself. */
	CHECK(syscall(SYS_arch_prctl, 0x1003, 0) == 0x1003 + 1000 && traps == 2);
	FAILS(syscall(SYS_sync), ENOSYS);
	for (int i = 0; i < 1000; i++)
		CHECK(syscall(SYS_getpgid, i) == i + 1000);
	CHECK(traps == 1002);
	return 0;
}
