/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter goes along over exec and fork, and libraries are loaded under it. */
#include <dlfcn.h>
#include <sys/wait.h>

#include "filter.h"

static void load_library(void)
{
	void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);

	CHECK(library && dlsym(library, "cbrt") && dlclose(library) == 0);
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	if (argc > 1) {
		FAILS(syscall(SYS_getpgid, 0), EDOM);
		CHECK(prctl(PR_GET_SECCOMP) == 2);
		load_library();
		return 7;
	}
	/* The last two the agent would use to change code. */
	INSTALL(ROW(SYS_getpgid, ERROR(EDOM)), ROW(SYS_pwrite64, SECCOMP_RET_KILL_PROCESS),
		ROW(SYS_pwritev, SECCOMP_RET_KILL_PROCESS));
	load_library();
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		(void) execl("/proc/self/exe", argv[0], "again", NULL);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
	return 0;
}
