/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-misc - calls whose outputs depend on a command: fcntl, keyctl, quotactl and others
 *
 * What isn't known here is refused with the error of a kernel that doesn't know it
 * either, and reported: a guess could corrupt the replay silently.
 */
#include "recorder/agent/agent.h"

static void refuse_with(struct thread *thread, struct call *call, long error)
{
	note_refused(call->nr);
	call->result = -error;
	call_finish(thread, call);
}

/* -- fcntl ------------------------------------------------------------------------------------- */

static void sys_fcntl(struct thread *thread, struct call *call)
{
	enum { GETLK = 5, SETLKW = 7, GETOWN_EX = 16, GETOWNER_UIDS = 17, OFD_GETLK = 36,
	       OFD_SETLKW = 38, GET_RW_HINT = 1035, GET_FILE_RW_HINT = 1037 };
	uint32_t size = 0;

	call->yields = call->args[1] == SETLKW || call->args[1] == OFD_SETLKW;
	switch (call->args[1]) {
	case GETLK: case OFD_GETLK:
		size = 32;
		break;
	case GETOWN_EX: case GETOWNER_UIDS: case GET_RW_HINT: case GET_FILE_RW_HINT:
		size = 8;
		break;
	}
	if (size)
		(void) call_add_span(call, (uint64_t)call->args[2], size, SPAN_FIXED, NULL);
	call_perform(thread, call);
}

/* -- System V IPC ------------------------------------------------------------------------------- */

enum { IPC_STAT_ = 2, IPC_INFO_ = 3, MSG_SCRATCH_MAX = 1 << 20 };

static uint32_t shmctl_output(long command)
{
	enum { SHM_STAT = 13, SHM_INFO = 14, SHM_STAT_ANY = 15 };

	switch (command) {
	case IPC_STAT_: case SHM_STAT: case SHM_STAT_ANY:
		return 112;
	case IPC_INFO_:
		return 72;
	case SHM_INFO:
		return 48;
	default:
		return 0;
	}
}

static uint32_t msgctl_output(long command)
{
	enum { MSG_STAT = 11, MSG_INFO = 12, MSG_STAT_ANY = 13 };

	switch (command) {
	case IPC_STAT_: case MSG_STAT: case MSG_STAT_ANY:
		return 120;
	case IPC_INFO_: case MSG_INFO:
		return 32;
	default:
		return 0;
	}
}

static uint32_t semctl_output(long id, long command)
{
	enum { GETALL = 13, SEM_STAT = 18, SEM_INFO = 19, SEM_STAT_ANY = 20 };
	uint64_t info[13] = { 0 };	/* struct semid64_ds: sem_nsems is the 11th word */

	switch (command) {
	case IPC_STAT_: case SEM_STAT: case SEM_STAT_ANY:
		return 104;
	case IPC_INFO_: case SEM_INFO:
		return 40;
	case GETALL:
		if (agent_replays())
			return UINT32_MAX;	/* the log says */
		(void) agent_syscall(NR_semctl, id, 0, IPC_STAT_, info);
		return (uint32_t)info[10] * 2;
	default:
		return 0;
	}
}

static void with_output(struct thread *thread, struct call *call, int argument, uint32_t size)
{
	if (size)
		(void) call_add_span(call, (uint64_t)call->args[argument], size, SPAN_FIXED, NULL);
	call_perform(thread, call);
}

/* The message's type, then its text: the result counts the text only. */
static void sys_msgrcv(struct thread *thread, struct call *call)
{
	uint64_t user = (uint64_t)call->args[1], size = (uint64_t)call->args[2];
	struct span *type = call_add_span(call, user, 8, SPAN_FIXED, NULL);
	struct span *text = call_add_span(call, user + 8, size, SPAN_RESULT, NULL);
	uint8_t *scratch = NULL;

	/* One piece of scratch for both. Where it doesn't do, the kernel writes at once. */
	if (!agent_replays() && type && size < MSG_SCRATCH_MAX && user_writable(user, 8 + size))
		scratch = call_scratch(thread, 8 + size);
	if (scratch) {
		call_redirect(call, type, scratch);
		if (text)
			call_redirect(call, text, scratch + 8);
		call->kernel_args[1] = (long)scratch;
	}
	call_perform(thread, call);
}

/* -- others ----------------------------------------------------------------------------------------- */

static void sys_capget(struct thread *thread, struct call *call)
{
	enum { CAPABILITY_VERSION_1 = 0x19980330 };
	uint32_t version = 0;

	(void) copy_from_user(&version, (uint64_t)call->args[0], sizeof(version));
	(void) call_add_span(call, (uint64_t)call->args[0], 8, SPAN_ALWAYS, NULL);
	(void) call_add_span(call, (uint64_t)call->args[1], version == CAPABILITY_VERSION_1 ? 12 : 24,
			     SPAN_FIXED, NULL);
	call_perform(thread, call);
}

static void sys_get_mempolicy(struct thread *thread, struct call *call)
{
	uint64_t bits = MIN((uint64_t)call->args[2] - 1, 1u << 16);

	(void) call_add_span(call, (uint64_t)call->args[0], 4, SPAN_FIXED, NULL);
	(void) call_add_span(call, (uint64_t)call->args[1], (bits + 63) / 64 * 8, SPAN_FIXED, NULL);
	call_perform(thread, call);
}

/* Both are written, too, when the handle has no room. */
static void sys_name_to_handle_at(struct thread *thread, struct call *call)
{
	enum { UNIQUE_MOUNT_ID = 1 };
	uint32_t bytes = 0;

	(void) copy_from_user(&bytes, (uint64_t)call->args[2], sizeof(bytes));
	(void) call_add_span(call, (uint64_t)call->args[2], 8 + (uint64_t)MIN(bytes, 128u), SPAN_ALWAYS,
			     (uint64_t *)&call->kernel_args[2]);
	(void) call_add_span(call, (uint64_t)call->args[3], call->args[4] & UNIQUE_MOUNT_ID ? 8 : 4,
			     SPAN_ALWAYS, (uint64_t *)&call->kernel_args[3]);
	call_perform(thread, call);
}

/* An argument that is written by the result, or not at all if that is more than its length. */
static void add_whole_result(struct call *call, int argument, uint64_t len)
{
	struct span *span = call_add_span(call, (uint64_t)call->args[argument], len, SPAN_RESULT,
					  (uint64_t *)&call->kernel_args[argument]);

	if (span)
		span->carry_in = true;
}

static void sys_keyctl(struct thread *thread, struct call *call)
{
	enum { DESCRIBE = 6, READ = 11, GET_SECURITY = 17, DH_COMPUTE = 23, PKEY_QUERY = 24,
	       PKEY_ENCRYPT = 25, PKEY_SIGN = 27, CAPABILITIES = 31, LAST_KNOWN = 32,
	       QUERY_LEN = 56 };
	struct {
		uint32_t key, in_len, out_len;
	} params = { 0 };
	uint32_t operation = (uint32_t)call->args[0];

	if (operation > LAST_KNOWN) {
		refuse_with(thread, call, EOPNOTSUPP_);
		return;
	}
	if (operation == DESCRIBE || operation == READ || operation == GET_SECURITY ||
	    operation == DH_COMPUTE) {
		add_whole_result(call, 2, (uint64_t)call->args[3]);
	} else if (operation == CAPABILITIES) {
		add_whole_result(call, 1, (uint64_t)call->args[2]);
	} else if (operation == PKEY_QUERY) {
		(void) call_add_span(call, (uint64_t)call->args[4], QUERY_LEN, SPAN_FIXED,
				     (uint64_t *)&call->kernel_args[4]);
	} else if (operation >= PKEY_ENCRYPT && operation <= PKEY_SIGN) {
		(void) copy_from_user(&params, (uint64_t)call->args[1], sizeof(params));
		add_whole_result(call, 4, params.out_len);
	}
	call_perform(thread, call);
}

/* What a command of quotactl(2) writes. */
static uint32_t quota_output(uint32_t command)
{
	enum { GETFMT = 0x800004, GETINFO = 0x800005, GETQUOTA = 0x800007, GETNEXTQUOTA = 0x800009,
	       XGETQUOTA = 0x5803, XGETQSTAT = 0x5805, XGETQSTATV = 0x5808, XGETNEXTQUOTA = 0x5809 };

	switch (command >> 8) {
	case GETFMT:
		return 4;
	case GETINFO:
		return 24;
	case GETQUOTA: case GETNEXTQUOTA:
		return 72;
	case XGETQUOTA: case XGETNEXTQUOTA:
		return 112;
	case XGETQSTAT:
		return 80;
	case XGETQSTATV:
		return 160;
	default:
		return 0;
	}
}

static void sys_quotactl(struct thread *thread, struct call *call)
{
	uint32_t size = quota_output((uint32_t)call->args[call->nr == NR_quotactl_fd]);

	if (size)
		(void) call_add_span(call, (uint64_t)call->args[3], size, SPAN_FIXED,
				     (uint64_t *)&call->kernel_args[3]);
	call_perform(thread, call);
}

/* The structure of the fifth argument says where the value goes. */
static void sys_getxattrat(struct thread *thread, struct call *call)
{
	struct xattr_args {
		uint64_t value;
		uint32_t size, flags;
	} *copy = call_scratch(thread, sizeof(*copy));
	bool plain = call->args[5] == sizeof(*copy);

	if (copy && copy_from_user(copy, (uint64_t)call->args[4], sizeof(*copy))) {
		(void) call_add_span(call, copy->value, copy->size, SPAN_RESULT,
				     plain ? &copy->value : NULL);
		if (plain)
			call->kernel_args[4] = (long)copy;
		else
			call->yields = false;	/* the kernel follows the program's own pointer */
	}
	call_perform(thread, call);
}

/* Is it our own process, or one of its threads? */
static bool is_ours(const struct thread *thread, long pid)
{
	if (pid == (long)thread->tgid)
		return true;
	for (uint32_t i = 0; i < process()->n_slots_mapped; i++)
		if (slot_thread(i)->state != THREAD_ENDED && pid == (long)slot_thread(i)->tid)
			return true;
	return false;
}

/*
 * Into our own memory it is written in replay, too. Another process, which may be recorded,
 * would change at no place of its log.
 */
static void sys_process_vm_writev(struct thread *thread, struct call *call)
{
	enum { MAX_REMOTE = 1024 };
	uint64_t n = (uint64_t)call->args[4], pair[2];

	if (!is_ours(thread, call->args[0])) {
		refuse_with(thread, call, EPERM_);
		return;
	}
	if (n && n <= MAX_REMOTE) {
		call->yields = false;
		call->spans = call_scratch(thread, n * sizeof(struct span));
		call->max_spans = call->spans ? (uint32_t)n : 0;
		for (uint64_t i = 0; i < n; i++)
			if (copy_from_user(pair, (uint64_t)call->args[3] + i * 16, sizeof(pair)))
				(void) call_add_span(call, pair[0], pair[1], SPAN_RESULT, NULL);
	}
	call_perform(thread, call);
}

/* Kernels before 6.13 let it only speed things up, of our own memory too. */
static void sys_process_madvise(struct thread *thread, struct call *call)
{
	enum { WILLNEED = 3, COLD = 20, PAGEOUT = 21, COLLAPSE = 25 };
	long advice = call->args[3];

	if (advice != WILLNEED && advice != COLD && advice != PAGEOUT && advice != COLLAPSE) {
		refuse_with(thread, call, EINVAL_);
		return;
	}
	call_perform(thread, call);
}

/* What is ours must stay as it can be changed. */
static void sys_mseal(struct thread *thread, struct call *call)
{
	if (range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1])) {
		refuse_with(thread, call, ENOMEM_);
		return;
	}
	call_perform(thread, call);
}

/* TCP_ZEROCOPY_RECEIVE would map the kernel's pages into the program. */
static void sys_getsockopt(struct thread *thread, struct call *call)
{
	enum { SOL_TCP_ = 6, ZEROCOPY_RECEIVE = 35 };

	if (call->args[1] == SOL_TCP_ && call->args[2] == ZEROCOPY_RECEIVE) {
		refuse_with(thread, call, ENOPROTOOPT_);
		return;
	}
	call_perform(thread, call);
}

/* Replacing a table of packet filter rules writes the old ones' counters. */
static void add_counters(struct call *call)
{
	enum { SOL_IP_ = 0, SOL_IPV6_ = 41, IPT_SET_REPLACE = 64, ARPT_SET_REPLACE = 96 };
	long level = call->args[1], option = call->args[2];
	uint64_t at = (uint64_t)call->args[3], counters;
	uint32_t n;

	if ((level == SOL_IP_ || level == SOL_IPV6_) && option == IPT_SET_REPLACE)
		at += 84;
	else if (level == SOL_IP_ && option == ARPT_SET_REPLACE)
		at += 68;
	else
		return;
	if (copy_from_user(&n, at, sizeof(n)) && copy_from_user(&counters, at + 4, sizeof(counters)))
		(void) call_add_span(call, counters, (uint64_t)n * 16, SPAN_FIXED, NULL);
}

/* Options by which the kernel would share memory with the program. */
static void sys_setsockopt(struct thread *thread, struct call *call)
{
	enum { SOL_PACKET_ = 263, PACKET_RX_RING = 5, PACKET_TX_RING = 13, SOL_NETLINK_ = 270,
	       NETLINK_RX_RING = 6, NETLINK_TX_RING = 7, SOL_XDP_ = 283 };
	long level = call->args[1], option = call->args[2];

	if ((level == SOL_PACKET_ && (option == PACKET_RX_RING || option == PACKET_TX_RING)) ||
	    (level == SOL_NETLINK_ && (option == NETLINK_RX_RING || option == NETLINK_TX_RING)) ||
	    level == SOL_XDP_) {
		refuse_with(thread, call, ENOPROTOOPT_);
		return;
	}
	call->yields = false;
	add_counters(call);
	call_perform(thread, call);
}

/* How far the stack may grow is the kernel's affair in replay, too. */
static void sys_rlimit(struct thread *thread, struct call *call)
{
	enum { RLIMIT_STACK_ = 3 };
	bool any = call->nr == NR_prlimit64;
	uint64_t wanted[2], now[2];

	call_perform(thread, call);
	if (!agent_replays() || call->result != 0 || call->args[any] != RLIMIT_STACK_ ||
	    (any && call->args[0] != 0 && call->args[0] != (long)thread->tgid) ||
	    !copy_from_user(wanted, (uint64_t)call->args[any ? 2 : 1], sizeof(wanted)) ||
	    agent_syscall(NR_prlimit64, 0, RLIMIT_STACK_, NULL, now) < 0)
		return;
	now[0] = MIN(wanted[0], now[1]);
	(void) agent_syscall(NR_prlimit64, 0, RLIMIT_STACK_, now, NULL);
}

/* From the reading end of a pipe it fills the program's memory, to the writing end it reads it. */
static void sys_vmsplice(struct thread *thread, struct call *call)
{
	enum { F_GETFL_ = 3, O_ACCMODE_ = 3 };
	long flags = agent_replays() ? 0 : agent_syscall(NR_fcntl, call->args[0], F_GETFL_);

	if (flags < 0 || (flags & O_ACCMODE_)) {
		call->kernel_args[1] = call->args[1];
		for (uint32_t i = 0; i < call->n_spans; i++) {
			call->spans[i].where = NULL;
			call->spans[i].message = UINT32_MAX;	/* no result is that large: unwritten */
		}
	}
	call_perform(thread, call);
}

void sys_misc(struct thread *thread, struct call *call)
{
	switch (call->nr) {
	case NR_fcntl:
		sys_fcntl(thread, call);
		break;
	case NR_shmctl:
		with_output(thread, call, 2, shmctl_output(call->args[1] & 0xff));
		break;
	case NR_msgctl:
		with_output(thread, call, 2, msgctl_output(call->args[1] & 0xff));
		break;
	case NR_semctl:
		with_output(thread, call, 3, semctl_output(call->args[0], call->args[2] & 0xff));
		break;
	case NR_msgrcv:
		sys_msgrcv(thread, call);
		break;
	case NR_capget:
		sys_capget(thread, call);
		break;
	case NR_get_mempolicy:
		sys_get_mempolicy(thread, call);
		break;
	case NR_name_to_handle_at:
		sys_name_to_handle_at(thread, call);
		break;
	case NR_keyctl:
		sys_keyctl(thread, call);
		break;
	case NR_setrlimit: case NR_prlimit64:
		sys_rlimit(thread, call);
		break;
	case NR_vmsplice:
		sys_vmsplice(thread, call);
		break;
	case NR_setsockopt:
		sys_setsockopt(thread, call);
		break;
	case NR_getsockopt:
		sys_getsockopt(thread, call);
		break;
	case NR_quotactl: case NR_quotactl_fd:
		sys_quotactl(thread, call);
		break;
	case NR_getxattrat:
		sys_getxattrat(thread, call);
		break;
	case NR_process_vm_writev:
		sys_process_vm_writev(thread, call);
		break;
	case NR_process_madvise:
		sys_process_madvise(thread, call);
		break;
	case NR_mseal:
		sys_mseal(thread, call);
		break;
	default:
		/* restart_syscall: nothing of the program's is there to be gone on with. */
		call->result = -EINTR_;
		call_finish(thread, call);
	}
}
