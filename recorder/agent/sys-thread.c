/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys-thread - calls about what the agent keeps for a thread or a process itself */
#include "recorder/agent/agent.h"

enum {
	ARCH_SET_GS_ = 0x1001, ARCH_SET_FS_ = 0x1002, ARCH_GET_FS_ = 0x1003,
	ARCH_GET_GS_ = 0x1004, ARCH_GET_XCOMP_SUPP_ = 0x1021, ARCH_GET_XCOMP_PERM_ = 0x1022,
	ARCH_REQ_XCOMP_PERM_ = 0x1023, ARCH_GET_XCOMP_GUEST_PERM_ = 0x1024,
	ARCH_REQ_XCOMP_GUEST_PERM_ = 0x1025, ARCH_SET_CPUID_ = 0x1012, ARCH_MAP_VDSO_X32_ = 0x2001,
	ARCH_MAP_VDSO_64_ = 0x2003, ARCH_GET_UNTAG_MASK_ = 0x4001, ARCH_ENABLE_TAGGED_ADDR_ = 0x4002,
	ARCH_GET_MAX_TAG_BITS_ = 0x4003, ARCH_SHSTK_ENABLE_ = 0x5001, ARCH_SHSTK_STATUS_ = 0x5005,
	PR_GET_PDEATHSIG_ = 2, PR_GET_UNALIGN_ = 5, PR_GET_FPEMU_ = 9, PR_GET_FPEXC_ = 11,
	PR_SET_NAME_ = 15, PR_GET_NAME_ = 16, PR_GET_ENDIAN_ = 19, PR_SET_SECCOMP_ = 22,
	PR_GET_TSC_ = 25, PR_SET_TSC_ = 26, PR_SET_MM_ = 35, PR_GET_CHILD_SUBREAPER_ = 37,
	PR_GET_TID_ADDRESS_ = 40, PR_SET_SYSCALL_USER_DISPATCH_ = 59, PR_SCHED_CORE_ = 62,
	PR_GET_AUXV_ = 0x41555856,
	PR_SET_MM_START_BRK_ = 6, PR_SET_MM_BRK_ = 7, PR_SET_MM_MAP_ = 14, PR_SET_MM_MAP_SIZE_ = 15,
	PR_SCHED_CORE_GET_ = 0,
};

/* User addresses end here without five-level paging, which nobody's TLS is beyond. */
#define TASK_SIZE_47 UINT64_C(0x7ffffffff000)

static void refuse(struct thread *thread, struct call *call, long error)
{
	note_refused(call->nr);
	call->result = -error;
	call_finish(thread, call);
}

static void set_fs(struct thread *thread, struct call *call)
{
	call->result = (uint64_t)call->args[1] < TASK_SIZE_47 ? 0 : -EPERM_;
	call_finish(thread, call);
	if (call->result == 0) {
		write_fs_base((uint64_t)call->args[1]);
		thread->fs_base = (uint64_t)call->args[1];
	}
}

/* The agent answers itself: writes @value to the program's word. */
static void answer(struct thread *thread, struct call *call, uint64_t value)
{
	struct span *span = call_add_span(call, (uint64_t)call->args[1], sizeof(value), SPAN_FIXED, NULL);

	call->result = !agent_replays() && !copy_to_user((uint64_t)call->args[1], &value, sizeof(value)) ?
			       -EFAULT_ : 0;
	(void) span;
	call_finish(thread, call);
}

static void sys_arch_prctl(struct thread *thread, struct call *call)
{
	switch (call->args[0]) {
	case ARCH_SET_FS_:
		set_fs(thread, call);
		break;
	case ARCH_GET_FS_:
		answer(thread, call, thread->fs_base);
		break;
	case ARCH_GET_GS_:
		answer(thread, call, 0);	/* what it would be without us */
		break;
	case ARCH_SET_GS_:
		refuse(thread, call, EPERM_);	/* %gs is ours */
		break;
	case ARCH_REQ_XCOMP_PERM_: case ARCH_REQ_XCOMP_GUEST_PERM_: case ARCH_SHSTK_ENABLE_:
		refuse(thread, call, EOPNOTSUPP_);
		break;
	case ARCH_SET_CPUID_: case ARCH_ENABLE_TAGGED_ADDR_:
		refuse(thread, call, ENODEV_);	/* a processor without it */
		break;
	case ARCH_MAP_VDSO_X32_: case ARCH_MAP_VDSO_X32_ + 1: case ARCH_MAP_VDSO_64_:
		refuse(thread, call, EINVAL_);
		break;
	case ARCH_GET_XCOMP_SUPP_: case ARCH_GET_XCOMP_PERM_: case ARCH_GET_XCOMP_GUEST_PERM_:
	case ARCH_GET_UNTAG_MASK_: case ARCH_GET_MAX_TAG_BITS_: case ARCH_SHSTK_STATUS_:
		(void) call_add_span(call, (uint64_t)call->args[1], 8, SPAN_FIXED, NULL);
		call_perform(thread, call);
		break;
	default:
		call_perform(thread, call);
	}
}

/* What a prctl option writes at its second argument. */
static uint32_t prctl_output(long option)
{
	switch (option) {
	case PR_GET_PDEATHSIG_: case PR_GET_UNALIGN_: case PR_GET_FPEMU_: case PR_GET_FPEXC_:
	case PR_GET_ENDIAN_: case PR_GET_TSC_: case PR_GET_CHILD_SUBREAPER_:
		return 4;
	case PR_GET_NAME_:
		return 16;
	default:
		return 0;
	}
}

/* What else is written, where that isn't the second argument. */
static void add_prctl_outputs(struct call *call)
{
	uint32_t size = prctl_output(call->args[0]);

	if (size)
		(void) call_add_span(call, (uint64_t)call->args[1], size, SPAN_FIXED, NULL);
	else if (call->args[0] == PR_GET_AUXV_)
		(void) call_add_span(call, (uint64_t)call->args[1], (uint64_t)call->args[2], SPAN_RESULT, NULL);
	else if (call->args[0] == PR_SCHED_CORE_ && call->args[1] == PR_SCHED_CORE_GET_)
		(void) call_add_span(call, (uint64_t)call->args[4], 8, SPAN_FIXED, NULL);
	else if (call->args[0] == PR_SET_MM_ && call->args[1] == PR_SET_MM_MAP_SIZE_)
		(void) call_add_span(call, (uint64_t)call->args[2], 4, SPAN_FIXED, NULL);
}

/* Where the heap is said to be, which we have to know. */
static bool moves_heap(const struct call *call)
{
	return call->args[0] == PR_SET_MM_ &&
	       (call->args[1] == PR_SET_MM_START_BRK_ || call->args[1] == PR_SET_MM_BRK_ ||
		call->args[1] == PR_SET_MM_MAP_);
}

static void sys_prctl(struct thread *thread, struct call *call)
{
	if (moves_heap(call)) {
		refuse(thread, call, EINVAL_);
		return;
	}
	switch (call->args[0]) {
	case PR_GET_TID_ADDRESS_:
		answer(thread, call, thread->clear_tid);	/* the kernel has ours */
		return;
	case PR_SET_SECCOMP_:
		sys_filter_install(thread, call);
		return;
	case PR_SET_SYSCALL_USER_DISPATCH_: case PR_SET_TSC_:
		refuse(thread, call, EINVAL_);
		return;
	}
	add_prctl_outputs(call);
	call_perform(thread, call);
}

void sys_thread(struct thread *thread, struct call *call)
{
	switch (call->nr) {
	case NR_set_tid_address:
		thread->clear_tid = (uint64_t)call->args[0];
		call->result = (long)thread->tid;
		call_finish(thread, call);
		break;
	case NR_set_robust_list:
		if (call->args[1] == 24)
			thread->robust_list = (uint64_t)call->args[0];
		call_perform(thread, call);
		break;
	case NR_get_robust_list:
		(void) call_add_span(call, (uint64_t)call->args[1], 8, SPAN_FIXED, NULL);
		(void) call_add_span(call, (uint64_t)call->args[2], 8, SPAN_FIXED, NULL);
		call_perform(thread, call);
		break;
	case NR_arch_prctl:
		sys_arch_prctl(thread, call);
		break;
	case NR_prctl:
		sys_prctl(thread, call);
		break;
	case NR_rseq:
		/* The kernel would write to the program's memory behind our back. */
		call->result = -ENOSYS_;
		call_finish(thread, call);
		break;
	default:
		sys_filter_install(thread, call);
	}
}
