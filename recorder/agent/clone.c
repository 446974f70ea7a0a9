/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clone - clone(2) and clone3(2): what was asked for, and the call itself */
#include "recorder/agent/clone.h"
#include "recorder/agent/agent.h"

enum { CLONE_ARGS_LEN_0 = 64, MAX_PID_NS_LEVEL = 32 };

static long read_args(const struct call *call, struct clone_request *ret)
{
	uint64_t at = (uint64_t)call->args[0], len = (uint64_t)call->args[1];
	uint8_t beyond;

	if (len > PAGE)
		return -E2BIG_;
	if (len < CLONE_ARGS_LEN_0)
		return -EINVAL_;
	memset(ret, 0, sizeof(*ret));
	if (!copy_from_user(ret, at, MIN(len, sizeof(*ret))))
		return -EFAULT_;
	for (uint64_t i = sizeof(*ret); i < len; i++) {
		if (!copy_from_user(&beyond, at + i, 1))
			return -EFAULT_;
		if (beyond)
			return -E2BIG_;
	}
	return 0;
}

/* What we turn into clone(2) must be what clone3(2) would have taken: clone3_args_valid(). */
static bool is_valid(const struct clone_request *r)
{
	enum { CLONE_DETACHED = 0x400000, CLONE_NEWTIME = 0x80, LAST_SIGNAL = 64 };
	const uint64_t known = UINT32_MAX | CLONE_CLEAR_SIGHAND_ | CLONE_INTO_CGROUP_;
	const uint64_t both = CLONE_SIGHAND_ | CLONE_CLEAR_SIGHAND_;

	return !(r->flags & ~known) && !(r->flags & (CLONE_DETACHED | (CSIGNAL_ & ~CLONE_NEWTIME))) &&
	       (r->flags & both) != both && r->exit_signal <= LAST_SIGNAL &&
	       !((r->flags & (CLONE_THREAD_ | CLONE_PARENT_)) && r->exit_signal) &&
	       !r->stack == !r->stack_size && !r->set_tid == !r->set_tid_size &&
	       r->set_tid_size <= MAX_PID_NS_LEVEL;
}

long clone_request(const struct call *call, struct clone_request *ret)
{
	uint64_t flags = (uint64_t)call->args[0];
	long r;

	switch (call->nr) {
	case NR_fork:
		*ret = (struct clone_request){ .exit_signal = SIGCHLD_SIGNAL };
		return 0;
	case NR_vfork:
		*ret = (struct clone_request){ .flags = CLONE_VM_ | CLONE_VFORK_, .exit_signal = SIGCHLD_SIGNAL };
		return 0;
	case NR_clone3:
		r = read_args(call, ret);
		if (r == 0 && !(ret->flags & CLONE_PIDFD_))
			ret->pidfd = 0;
		return r == 0 && !is_valid(ret) ? -EINVAL_ : r;
	default:
		*ret = (struct clone_request){
			.flags = flags & (UINT32_MAX & ~(uint64_t)CSIGNAL_),
			.pidfd = flags & CLONE_PIDFD_ ? (uint64_t)call->args[2] : 0,
			.parent_tid = (uint64_t)call->args[2],
			.child_tid = (uint64_t)call->args[3],
			.exit_signal = flags & CSIGNAL_,
			.stack = (uint64_t)call->args[1],
			.tls = (uint64_t)call->args[4],
		};
		return 0;
	}
}

long kernel_clone(const struct clone_request *request)
{
	struct clone_request r = *request;
	bool pidfd = r.flags & CLONE_PIDFD_;

	descriptors_cloned(r.flags);
	if (r.set_tid_size || (r.flags >> 32) || (pidfd && (r.flags & CLONE_PARENT_SETTID_)))
		return agent_syscall(NR_clone3, &r, sizeof(r));
	return agent_call(NR_clone, (long)(r.flags | r.exit_signal), (long)clone_stack(&r),
			  (long)(pidfd ? r.pidfd : r.parent_tid), (long)r.child_tid, (long)r.tls, 0);
}

void clone_finish(struct thread *thread, struct call *call, const struct clone_request *request,
		  int32_t pidfd)
{
	if (agent_replays()) {
		call->result = replay_expect(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check)->result;
		if (call->result > 0 && request->pidfd && !replay_read(thread, &pidfd, sizeof(pidfd)))
			replay_diverged(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
		replay_done(thread);
	} else if (log_begin(thread, EVENT_SYSCALL, 0, (unsigned)call->nr, call->check, call->result)) {
		if (call->result > 0 && request->pidfd)
			log_add(thread, &pidfd, sizeof(pidfd));
		log_end(thread);
	}
	if (call->result > 0 && request->pidfd)
		(void) copy_to_user(request->pidfd, &pidfd, sizeof(pidfd));
}

void handlers_clear(const struct thread *thread, bool install)
{
	for (int i = 1; i <= N_SIGNALS; i++) {
		struct agent_disposition *d = disposition(thread, i);

		if (d->handler == SIG_IGN_)
			continue;
		memset(d, 0, sizeof(*d));
		if (install)
			(void) signal_install(thread, i);
	}
}
