/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A filter's errors: of calls that are made, emulated, repeated and refused. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "filter.h"

static void *in_thread(void *arg)
{
	FAILS(syscall(SYS_getppid), EDOM);
	return arg;
}

int main(void)
{
	struct sock_filter executable[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		RETURN(ERROR(EXDEV)),
		RETURN(SECCOMP_RET_ALLOW),
	};
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t action = SECCOMP_RET_ERRNO;
	uint64_t now;
	pthread_t thread;
	pid_t child;
	int status;

	INSTALL(ROW(SYS_getppid, ERROR(EDOM)), ROW(SYS_arch_prctl, ERROR(ENOANO)),
		ROW(SYS_ptrace, ERROR(EXFULL)), ROW(SYS_munlockall, ERROR(0)),
		ROW(SYS_madvise, ERROR(EBADSLT)), ROW(SYS_sethostname, ERROR(5000)));
	CHECK(prctl(PR_GET_SECCOMP) == 2);
	FAILS(syscall(SYS_getppid), EDOM);
	FAILS(syscall(SYS_arch_prctl, 0x1003, &now), ENOANO);
	FAILS(ptrace(PTRACE_TRACEME, 0, NULL, NULL), EXFULL);
	CHECK(syscall(SYS_munlockall) == 0);
	memory[0] = 1;
	FAILS(madvise(memory, 4096, MADV_DONTNEED), EBADSLT);
	CHECK(memory[0] == 1);
	FAILS(syscall(SYS_sethostname, "", -1), 4095);

	/* A second one, by the older call. The first holds as well. */
	CHECK(memory != MAP_FAILED && mprotect(memory, 4096, PROT_READ) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
		    &(struct sock_fprog){ N_OF(executable), executable }) == 0);
	FAILS(mprotect(memory, 4096, PROT_READ | PROT_EXEC), EXDEV);
	CHECK(mprotect(memory, 4096, PROT_READ | PROT_WRITE) == 0);
	memory[0] = 2;
	FAILS(syscall(SYS_getppid), EDOM);
	CHECK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0);
	FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
	FAILS(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);

	CHECK(pthread_create(&thread, NULL, in_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		FAILS(syscall(SYS_getppid), EDOM);
		FAILS(syscall(SYS_arch_prctl, 0x1003, &now), ENOANO);
		_exit(7);
	}
	CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
	return 0;
}
