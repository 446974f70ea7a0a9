/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clone - what a program may ask of clone(2) and clone3(2), for sys-process.c and fork.c */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	CSIGNAL_ = 0xff,
	CLONE_VM_ = 0x100, CLONE_FS_ = 0x200, CLONE_FILES_ = 0x400, CLONE_SIGHAND_ = 0x800,
	CLONE_PIDFD_ = 0x1000, CLONE_VFORK_ = 0x4000, CLONE_PARENT_ = 0x8000, CLONE_THREAD_ = 0x10000,
	CLONE_SYSVSEM_ = 0x40000, CLONE_SETTLS_ = 0x80000, CLONE_PARENT_SETTID_ = 0x100000,
	CLONE_CHILD_CLEARTID_ = 0x200000, CLONE_CHILD_SETTID_ = 0x1000000, CLONE_NEWPID_ = 0x20000000,
	SIGCHLD_SIGNAL = 17,
};
#define CLONE_CLEAR_SIGHAND_ (UINT64_C(1) << 32)
#define CLONE_INTO_CGROUP_ (UINT64_C(1) << 33)

/* struct clone_args of the kernel. */
struct clone_request {
	uint64_t flags;		/* without the exit signal */
	uint64_t pidfd;		/* addresses */
	uint64_t child_tid, parent_tid;
	uint64_t exit_signal;
	uint64_t stack, stack_size;	/* lowest byte, and length; 0: the parent's */
	uint64_t tls;
	uint64_t set_tid, set_tid_size;
	uint64_t cgroup;
};

struct call;
struct thread;

/* Whichever call it used. 0 or the negative errno that the kernel would give. */
long clone_request(const struct call *call, struct clone_request *ret_request);

/* Where the child's stack begins. 0: where the parent's is. */
static inline uint64_t clone_stack(const struct clone_request *request)
{
	return request->stack ? request->stack + request->stack_size : 0;
}

/*
 * Makes it, from a request of the agent's own: by clone(2) where that can say it, as filters
 * know that call.
 */
long kernel_clone(const struct clone_request *request);

/* A call that makes a process may write a pidfd: logs @result and it, or takes both from the log. */
void clone_finish(struct thread *thread, struct call *call, const struct clone_request *request,
		  int32_t pidfd);

/* CLONE_CLEAR_SIGHAND: what is handled gets its default; @install: the kernel is told. */
void handlers_clear(const struct thread *thread, bool install);

/* CLONE_PARENT_SETTID, which the kernel would have done. */
void set_parent_tid(const struct clone_request *request, long tid);
