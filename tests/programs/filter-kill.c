/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter that kills: by SIGSYS, whatever the program wants of that. expect: 159 */
#include <sys/resource.h>

#include "filter.h"

static void never(int signal)
{
	_exit(signal);
}

int main(void)
{
	struct rlimit none = { 0, 0 };

	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	handle(SIGSYS, never, 0);
	block(SIG_BLOCK, SIGSYS);
	INSTALL(ROW(SYS_getpgid, SECCOMP_RET_KILL_PROCESS), ROW(SYS_getsid, SECCOMP_RET_KILL_THREAD));
	puts("alive");
	(void) fflush(stdout);
	(void) syscall(SYS_getsid, 0);
	return 0;
}
