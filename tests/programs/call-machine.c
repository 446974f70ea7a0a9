/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the machine says: uname, sysinfo, getcpu, membarrier, cpuid, segment bases, auxv. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "check.h"

int main(void)
{
	struct utsname names;
	struct sysinfo info;
	unsigned a, b, c, d, cpu = 99, node = 99;
	unsigned long base;
	uintptr_t self;
	char host[65];

	CHECK(uname(&names) == 0 && strcmp(names.sysname, "Linux") == 0);
	CHECK(gethostname(host, sizeof(host)) == 0 && strcmp(host, names.nodename) == 0);
	CHECK(sysinfo(&info) == 0 && info.totalram > 0 && info.procs > 0);
	CHECK(getcpu(&cpu, &node) == 0 && cpu < 4096 && syscall(SYS_getcpu, &cpu, NULL, NULL) == 0);
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0);
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
	CHECK(__get_cpuid(0, &a, &b, &c, &d) && a >= 1);
	__asm__("mov %%fs:0, %0" : "=r"(self));
	CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base) == 0 && base == self);
	CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == 0);
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_FS, self) == 0);
	FAILS(syscall(SYS_arch_prctl, ARCH_SET_FS, -1L), EPERM);
	FAILS(syscall(SYS_arch_prctl, 0x7777, 0), EINVAL);
	CHECK(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_RANDOM) && getauxval(AT_EXECFN));
	(void) dprintf(2, "on %u of %s, %lu\n", cpu, host, info.freeram);
	return 0;
}
