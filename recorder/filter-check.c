/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filters that a process has when it begins, fetched by ptrace. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>

#include "common/autoclean.h"
#include "recorder/filter.h"

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

/* From a /proc status file: how many filters, 0 without any. -errno. */
static int count_filters(const char *path)
{
	autoclean(fclosep) FILE *file = fopen(path, "re");
	char line[256];
	int n = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp_filters: %d", &n) == 1)
			break;
	return n;
}

int filter_check(pid_t pid, uint64_t gate, struct filter_extras *ret_extras)
{
	char path[64];
	int n, r;

	*ret_extras = (struct filter_extras){ true, true, true };
	(void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
	n = count_filters(path);
	if (n <= 0)
		return n;
	for (int i = 0; i < n; i++) {
		long len = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, i, NULL);
		autoclean(freep) struct sock_filter *program = NULL;

		/* Without the right to look: as many as our own, inherited like them, are ours. */
		if (len < 0 && (errno == EACCES || errno == EPERM || errno == EMEDIUMTYPE))
			return count_filters("/proc/self/status") == n ? 0 : -EACCES;
		if (len < 0)
			return -errno;
		program = calloc((size_t)len, sizeof(*program));
		if (!program)
			return -ENOMEM;
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, i, program) < 0)
			return -errno;
		r = filter_check_one(program, (size_t)len, gate, ret_extras);
		if (r)
			return r;
	}
	return 0;
}
