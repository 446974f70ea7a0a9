/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clone - what a program may ask of clone(2), for sys-process.c and fork.c */
#pragma once

#include <stdint.h>

enum {
	CSIGNAL_ = 0xff,
	CLONE_VM_ = 0x100, CLONE_FS_ = 0x200, CLONE_FILES_ = 0x400, CLONE_SIGHAND_ = 0x800,
	CLONE_PIDFD_ = 0x1000, CLONE_VFORK_ = 0x4000, CLONE_PARENT_ = 0x8000, CLONE_THREAD_ = 0x10000,
	CLONE_SYSVSEM_ = 0x40000, CLONE_SETTLS_ = 0x80000, CLONE_PARENT_SETTID_ = 0x100000,
	CLONE_CHILD_CLEARTID_ = 0x200000, CLONE_CHILD_SETTID_ = 0x1000000,
	SIGCHLD_SIGNAL = 17,
};

struct clone_request {
	uint64_t flags, stack, parent_tid, child_tid, tls;
};
