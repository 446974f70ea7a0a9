/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filters that a process has when it begins, fetched by ptrace. */
#include <errno.h>
#include <sys/ptrace.h>

#include "common/autoclean.h"
#include "recorder/filter.h"
#include "recorder/proc.h"

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

/* How many filters @pid has; 0 is us. -errno. */
static int count_filters(pid_t pid)
{
	autoclean(proc_closep) struct proc_file file;
	char *line;
	uint64_t n = 0;
	int r = proc_open(&file, pid, "/status");

	while (r == 0 && (line = proc_line(&file)))
		if (proc_skip(&line, "Seccomp_filters:") && proc_number(&line, 10, &n))
			break;
	return r < 0 ? r : (int)n;
}

int filter_check(pid_t pid, uint64_t gate, struct filter_extras *ret_extras)
{
	struct sock_filter program[BPF_MAXINSNS];
	int n, r;

	*ret_extras = (struct filter_extras){ true, true, true, true };
	n = count_filters(pid);
	if (n <= 0)
		return n;
	for (int i = 0; i < n; i++) {
		long len = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, i, NULL);

		/* Without the right to look: as many as our own, inherited like them, are ours. */
		if (len < 0 && (errno == EACCES || errno == EPERM || errno == EMEDIUMTYPE))
			return count_filters(0) == n ? 0 : -EACCES;
		if (len < 0)
			return -errno;
		if (len > BPF_MAXINSNS)
			return -E2BIG;
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, i, program) < 0)
			return -errno;
		r = filter_check_one(program, (size_t)len, gate, ret_extras);
		if (r)
			return r;
	}
	return 0;
}
