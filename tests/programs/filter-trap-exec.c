/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter that traps, from before an exec: the new image handles it. */
#include <ucontext.h>

#include "filter.h"

static volatile sig_atomic_t traps;

static void trapped(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	CHECK(signal == SIGSYS && info->si_code == 1 && info->si_errno == 77);
	CHECK(info->si_syscall == SYS_getpgid && regs[REG_RAX] == SYS_getpgid);
	CHECK(regs[REG_RIP] == (greg_t)(uintptr_t)info->si_call_addr);
	traps++;
	regs[REG_RAX] = regs[REG_RDI] + 1000;
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		handle_info(SIGSYS, trapped, 0);
		for (int i = 0; i < 100; i++)
			CHECK(syscall(SYS_getpgid, i) == i + 1000 && traps == i + 1);
		return 0;
	}
	INSTALL(ROW(SYS_getpgid, SECCOMP_RET_TRAP | 77));
	(void) execl("/proc/self/exe", argv[0], "again", NULL);
	return 1;
}
