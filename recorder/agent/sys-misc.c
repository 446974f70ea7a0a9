/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-misc - calls whose outputs depend on a command: ioctl, fcntl and others
 *
 * What isn't known here is refused with the error of a kernel that doesn't know it
 * either, and reported: a guess could corrupt the replay silently.
 */
#include "recorder/agent/agent.h"

/* -- ioctl ---------------------------------------------------------------------------------- */

struct ioctl_row {
	uint32_t request;
	uint16_t size;		/* bytes that the kernel writes */
};

/* Requests whose number doesn't say what they write (tty, socket), or says it wrongly. */
static const struct ioctl_row ioctl_rows[] = {
	{ 0x5401, 36 },		/* TCGETS */
	{ 0x5402, 0 }, { 0x5403, 0 }, { 0x5404, 0 },	/* TCSETS TCSETSW TCSETSF */
	{ 0x5405, 18 },		/* TCGETA */
	{ 0x5406, 0 }, { 0x5407, 0 }, { 0x5408, 0 },	/* TCSETA... */
	{ 0x5409, 0 }, { 0x540a, 0 }, { 0x540b, 0 },	/* TCSBRK TCXONC TCFLSH */
	{ 0x540c, 0 }, { 0x540d, 0 }, { 0x540e, 0 },	/* TIOCEXCL TIOCNXCL TIOCSCTTY */
	{ 0x540f, 4 },		/* TIOCGPGRP */
	{ 0x5410, 0 },		/* TIOCSPGRP */
	{ 0x5411, 4 },		/* TIOCOUTQ */
	{ 0x5412, 0 },		/* TIOCSTI */
	{ 0x5413, 8 },		/* TIOCGWINSZ */
	{ 0x5414, 0 },		/* TIOCSWINSZ */
	{ 0x5415, 4 },		/* TIOCMGET */
	{ 0x5416, 0 }, { 0x5417, 0 }, { 0x5418, 0 },	/* TIOCMBIS TIOCMBIC TIOCMSET */
	{ 0x5419, 4 },		/* TIOCGSOFTCAR */
	{ 0x541b, 4 },		/* FIONREAD */
	{ 0x5420, 0 }, { 0x5421, 0 }, { 0x5422, 0 },	/* TIOCPKT FIONBIO TIOCNOTTY */
	{ 0x5423, 0 },		/* TIOCSETD */
	{ 0x5424, 4 },		/* TIOCGETD */
	{ 0x5425, 0 }, { 0x5427, 0 }, { 0x5428, 0 },	/* TCSBRKP TIOCSBRK TIOCCBRK */
	{ 0x5429, 4 },		/* TIOCGSID */
	{ 0x802c542a, 44 },	/* TCGETS2 */
	{ 0x402c542b, 0 }, { 0x402c542c, 0 }, { 0x402c542d, 0 },	/* TCSETS2... */
	{ 0x80045430, 4 },	/* TIOCGPTN */
	{ 0x40045431, 0 },	/* TIOCSPTLCK */
	{ 0x80045432, 4 }, { 0x80045438, 4 }, { 0x80045439, 4 },	/* TIOCGDEV TIOCGPKT TIOCGPTLCK */
	{ 0x80045440, 4 },	/* TIOCGEXCL */
	{ 0x5441, 0 },		/* TIOCGPTPEER */
	{ 0x5450, 0 }, { 0x5451, 0 }, { 0x5452, 0 },	/* FIONCLEX FIOCLEX FIOASYNC */
	{ 0x5460, 4 },		/* FIOQSIZE */
	{ 0x8901, 0 }, { 0x8902, 0 },	/* FIOSETOWN SIOCSPGRP */
	{ 0x8903, 4 }, { 0x8904, 4 }, { 0x8905, 4 },	/* FIOGETOWN SIOCGPGRP SIOCATMARK */
	{ 0x8906, 16 }, { 0x8907, 16 },	/* SIOCGSTAMP SIOCGSTAMPNS */
	{ 0x80108906, 16 }, { 0x80108907, 16 },
	{ 0x8910, 40 }, { 0x8913, 40 }, { 0x8915, 40 }, { 0x8917, 40 }, { 0x8919, 40 },
	{ 0x891b, 40 }, { 0x891d, 40 }, { 0x8921, 40 }, { 0x8927, 40 }, { 0x8933, 40 },
	{ 0x8935, 40 }, { 0x8942, 40 }, { 0x8970, 40 },	/* SIOCGIF... */
	{ 0x894b, 4 },		/* SIOCOUTQNSD */
	{ 0x1260, 8 }, { 0x1268, 4 }, { 0x125e, 4 }, { 0x127b, 4 }, { 0x1278, 4 }, { 0x1279, 4 },
	{ 0x127a, 4 }, { 0x127e, 2 },	/* BLKGETSIZE BLKSSZGET BLKROGET ... */
	{ 0x80081272, 8 },	/* BLKGETSIZE64 */
	{ 0x80086601, 8 }, { 0x80087601, 8 },	/* FS_IOC_GETFLAGS GETVERSION */
	{ 0x40086602, 0 }, { 0x40049409, 0 }, { 0x4020940d, 0 },	/* SETFLAGS FICLONE FICLONERANGE */
	{ 0x801c581f, 28 },	/* FS_IOC_FSGETXATTR */
	{ 0x80045200, 4 },	/* RNDGETENTCNT */
};

static const struct ioctl_row *find_ioctl(uint32_t request)
{
	for (unsigned i = 0; i < sizeof(ioctl_rows) / sizeof(ioctl_rows[0]); i++)
		if (ioctl_rows[i].request == request)
			return &ioctl_rows[i];
	return NULL;
}

/* SIOCGIFCONF: a length and a pointer to as many bytes, both written. */
static void interface_list(struct thread *thread, struct call *call)
{
	struct {
		uint32_t len, pad;
		uint64_t buffer;
	} conf;

	call->yields = false;	/* the kernel follows the program's own pointer */
	if (copy_from_user(&conf, (uint64_t)call->args[2], sizeof(conf))) {
		if (conf.buffer)
			(void) call_add_span(call, conf.buffer, conf.len, SPAN_SOCKLEN, NULL);
		(void) call_add_span(call, (uint64_t)call->args[2], 4, SPAN_FIXED, NULL);
	}
	call_perform(thread, call);
}

void sys_ioctl(struct thread *thread, struct call *call)
{
	enum { SIOCGIFCONF_ = 0x8912, DIRECTION_READ = 2u };
	uint32_t request = (uint32_t)call->args[1];
	const struct ioctl_row *row = find_ioctl(request);

	if (request == SIOCGIFCONF_) {
		interface_list(thread, call);
		return;
	}
	/* An unknown one that, by its number, writes nothing outside the old families is harmless. */
	if (!row && ((request >> 30) & DIRECTION_READ || request >> 8 == 0x54 ||
		     request >> 8 == 0x89 || request >> 8 == 0x8b)) {
		note_refused(NR_ioctl);
		call->result = -ENOTTY_;
		call_finish(thread, call);
		return;
	}
	if (row && row->size)
		(void) call_add_span(call, (uint64_t)call->args[2], row->size, SPAN_FIXED,
				     (uint64_t *)&call->kernel_args[2]);
	call_perform(thread, call);
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

enum { IPC_STAT_ = 2, IPC_INFO_ = 3 };

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
	uint64_t user = (uint64_t)call->args[1];

	(void) call_add_span(call, user, 8, SPAN_FIXED, NULL);
	(void) call_add_span(call, user + 8, (uint64_t)call->args[2], SPAN_RESULT, NULL);
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
	(void) call_add_span(call, (uint64_t)call->args[0], 4, SPAN_FIXED, NULL);
	(void) call_add_span(call, (uint64_t)call->args[1],
			     (MIN((uint64_t)call->args[2], 1u << 16) + 63) / 64 * 8, SPAN_FIXED, NULL);
	call_perform(thread, call);
}

static void sys_name_to_handle_at(struct thread *thread, struct call *call)
{
	uint32_t bytes = 0;

	(void) copy_from_user(&bytes, (uint64_t)call->args[2], sizeof(bytes));
	(void) call_add_span(call, (uint64_t)call->args[2], 8 + (uint64_t)MIN(bytes, 128u), SPAN_ALWAYS,
			     NULL);
	call_perform(thread, call);
}

static void sys_keyctl(struct thread *thread, struct call *call)
{
	enum { DESCRIBE = 6, READ = 11, GET_SECURITY = 17, LAST_PLAIN = 22 };

	if (call->args[0] > LAST_PLAIN) {
		note_refused(NR_keyctl);
		call->result = -EOPNOTSUPP_;
		call_finish(thread, call);
		return;
	}
	if (call->args[0] == DESCRIBE || call->args[0] == READ || call->args[0] == GET_SECURITY)
		(void) call_add_span(call, (uint64_t)call->args[2], (uint64_t)call->args[3], SPAN_RESULT,
				     NULL);
	call_perform(thread, call);
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
		note_refused(NR_setsockopt);
		call->result = -ENOPROTOOPT_;
		call_finish(thread, call);
		return;
	}
	call->yields = false;
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

static void refuse_with(struct thread *thread, struct call *call, long error)
{
	note_refused(call->nr);
	call->result = -error;
	call_finish(thread, call);
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
	default:
		refuse_with(thread, call, EPERM_);	/* bpf, quotactl */
	}
}
