/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is refused, or may be by any kernel, is asked for, and done without. */
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

static void is_lacking_or_works(long r)
{
	CHECK(r >= 0 || errno == ENOSYS || errno == EPERM || errno == EACCES || errno == ENOENT ||
	      errno == EINVAL || errno == EOPNOTSUPP || errno == ENODEV || errno == ENOSPC);
	if (r > 2)
		(void) close((int)r);
}

int main(void)
{
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(perf),
					.config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1 };
	union bpf_attr bpf = { .map_type = BPF_MAP_TYPE_ARRAY };
	uint64_t context = 0;
	uint8_t params[120] = { 0 };
	char name[32] = "";
	pid_t child;
	int status;

	bpf.key_size = bpf.value_size = bpf.max_entries = 4;
	is_lacking_or_works(syscall(SYS_io_uring_setup, 8, params));
	is_lacking_or_works(syscall(SYS_userfaultfd, 0));
	is_lacking_or_works(syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0));
	is_lacking_or_works(syscall(SYS_bpf, BPF_MAP_CREATE, &bpf, sizeof(bpf)));
	is_lacking_or_works(syscall(SYS_modify_ldt, 0, params, sizeof(params)));
	is_lacking_or_works(syscall(SYS_sysfs, 2, 0, name));
	is_lacking_or_works(syscall(447 /* memfd_secret */, 0));
	if (syscall(SYS_io_setup, 1, &context) == 0)
		CHECK(syscall(SYS_io_destroy, context) == 0);
	else
		is_lacking_or_works(-1);
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 || errno == ENOSYS || errno == EPERM ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	FAILS(syscall(SYS_restart_syscall), EINTR);
	return 0;
}
