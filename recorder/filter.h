/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter - would a process's seccomp filters let the agent work?
 *
 * A filter that kills one of the agent's calls would kill the service, so before the
 * agent goes in, each filter is fetched and interpreted for each call of the agent's
 * closed list (hazard 20).
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Runs a classic BPF program on @data, as seccomp(2) does. Returns its verdict, or
 * SECCOMP_RET_KILL_PROCESS for a program that isn't one.
 */
uint32_t filter_run(const struct sock_filter *program, size_t len, const struct seccomp_data *data);

/*
 * Would one filter let the agent work? Returns 0, or the number of the first system call that
 * it forbids (none that the agent needs has number 0). Clears what of @extras wouldn't pass.
 * This and filter_run() are the agent's, too: nothing of libc is in there.
 */
struct filter_extras;
int filter_check_one(const struct sock_filter *program, size_t len, uint64_t gate,
		     struct filter_extras *extras);

/*
 * Checks the filters of @pid, which is stopped under ptrace. Returns 0 if the agent can
 * work there; > 0, the number of a system call, if a filter would not let it through;
 * -EACCES if the filters can't be read (that takes CAP_SYS_ADMIN); another negative errno.
 * @ret_extras says what of the rest would pass.
 */
struct filter_extras {
	bool trap_tsc;		/* prctl(PR_SET_TSC) */
	bool change_code;	/* writing to /proc/thread-self/mem, or mprotect(2) */
	bool pin_cpu;		/* sched_setaffinity(2) and what goes with it */
	bool see_pages;		/* mincore(2), which systemd has in none of its sets */
};
int filter_check(pid_t pid, uint64_t gate, struct filter_extras *ret_extras);
