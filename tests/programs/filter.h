/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * filter - what the programs that install seccomp filters share
 *
 * A filter is a list of rows of a number and a verdict; the rest is allowed.
 */
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

#define LOAD(field)                                                                        \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)
/* With the call's number loaded. */
#define ROW(nr, verdict) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RETURN(verdict)
#define ERROR(number) (SECCOMP_RET_ERRNO | (number))

#define INSTALL(...)                                                                       \
	install_filter((struct sock_filter[]){ LOAD(nr), __VA_ARGS__, RETURN(SECCOMP_RET_ALLOW) }, \
		       sizeof((struct sock_filter[]){ LOAD(nr), __VA_ARGS__,               \
						      RETURN(SECCOMP_RET_ALLOW) }) /       \
			       sizeof(struct sock_filter), 0)

/* Ends the program, successfully, where there are no filters. */
static inline void install_filter(struct sock_filter *rows, size_t n, unsigned flags)
{
	struct sock_fprog program = { (unsigned short)n, rows };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0)
		return;
	CHECK(errno == ENOSYS || errno == EPERM);
	puts("no filters here");
	exit(0);
}
