/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptors - what is known of some, so that the kernel needn't be asked at each call
 *
 * A call on a descriptor that doesn't block may keep the baton, where no other thread waits
 * for it; what isn't a regular file isn't mapped, so no write to it shows in memory. Both
 * stay as they were until a call that may change them: one that isn't named below may.
 */
#include "recorder/agent/agent.h"

enum {
	F_GETFL_ = 3, F_SETFL_ = 4, O_NONBLOCK_ = 04000,	/* also SOCK_NONBLOCK */
	AT_EMPTY_PATH_ = 0x1000,
	S_IFMT_ = 0170000, S_IFREG_ = 0100000, S_IFSOCK_ = 0140000,
	CLONE_FILES_ = 0x400, CLONE_THREAD_ = 0x10000, CLOSE_RANGE_UNSHARE_ = 2,
	LONG = 1 << 20,		/* so many bytes of a file may take a while */
};

/* -- what calls change ---------------------------------------------------------------------------- */

enum effect {
	FORGETS_ALL = 0, KEEPS = KEEPS_DESCRIPTORS, TELLS = TELLS_DESCRIPTOR, CHANGES_FIRST, CHANGES_SECOND, CHANGES_FLAGS, SEPARATES,
};

/* Beside the effect: what says how long a call waits. Third, fourth: a timeout of 0. */
enum how {
	BY_NOTHING = 0, BY_DESCRIPTOR = EFFECTS + 1, BY_THIRD = 2 * BY_DESCRIPTOR, BY_FOURTH = 3 * BY_DESCRIPTOR,
	BY_PATH = 4 * BY_DESCRIPTOR, BY_KIND = 5 * BY_DESCRIPTOR, BY_WHENCE = 6 * BY_DESCRIPTOR,
};

/* Of new descriptors nothing is known: it was forgotten when the old ones were closed. */
const uint8_t descriptor_rows[N_SYSCALLS] = {
	[NR_read] = KEEPS | BY_DESCRIPTOR, [NR_write] = KEEPS | BY_DESCRIPTOR,
	[NR_readv] = KEEPS | BY_DESCRIPTOR, [NR_writev] = KEEPS | BY_DESCRIPTOR,
	[NR_pread64] = KEEPS | BY_DESCRIPTOR, [NR_pwrite64] = KEEPS | BY_DESCRIPTOR,
	[NR_preadv] = KEEPS, [NR_pwritev] = KEEPS, [NR_preadv2] = KEEPS, [NR_pwritev2] = KEEPS,
	[NR_sendfile] = KEEPS, [NR_splice] = KEEPS, [NR_poll] = KEEPS | BY_THIRD,
	[NR_ppoll] = KEEPS, [NR_select] = KEEPS, [NR_pselect6] = KEEPS,
	[NR_epoll_wait] = KEEPS | BY_FOURTH, [NR_epoll_pwait] = KEEPS | BY_FOURTH,
	[NR_epoll_pwait2] = KEEPS, [NR_epoll_ctl] = KEEPS, [NR_sendto] = KEEPS | BY_DESCRIPTOR,
	[NR_recvfrom] = KEEPS | BY_DESCRIPTOR, [NR_sendmsg] = KEEPS | BY_DESCRIPTOR,
	[NR_recvmsg] = KEEPS | BY_DESCRIPTOR, [NR_sendmmsg] = KEEPS, [NR_recvmmsg] = KEEPS,
	[NR_shutdown] = KEEPS, [NR_connect] = KEEPS, [NR_getsockopt] = KEEPS,
	[NR_setsockopt] = KEEPS, [NR_getsockname] = KEEPS, [NR_getpeername] = KEEPS,
	[NR_futex] = KEEPS, [NR_sched_yield] = KEEPS, [NR_nanosleep] = KEEPS,
	[NR_clock_nanosleep] = KEEPS, [NR_clock_gettime] = KEEPS, [NR_gettimeofday] = KEEPS,
	[NR_time] = KEEPS, [NR_timerfd_settime] = KEEPS, [NR_fstat] = TELLS | BY_PATH,
	[NR_stat] = KEEPS | BY_PATH, [NR_lstat] = KEEPS | BY_PATH,
	[NR_newfstatat] = TELLS | BY_PATH, [NR_statx] = KEEPS | BY_PATH,
	[NR_lseek] = KEEPS | BY_WHENCE, [NR_fsync] = KEEPS, [NR_fdatasync] = KEEPS,
	[NR_access] = KEEPS | BY_PATH, [NR_faccessat2] = KEEPS | BY_PATH, [NR_unlink] = KEEPS,
	[NR_getdents64] = KEEPS | BY_PATH, [NR_fadvise64] = KEEPS, [NR_mmap] = KEEPS,
	[NR_munmap] = KEEPS, [NR_mprotect] = KEEPS, [NR_madvise] = KEEPS, [NR_brk] = KEEPS,
	[NR_mremap] = KEEPS, [NR_rt_sigaction] = KEEPS, [NR_rt_sigprocmask] = KEEPS,
	[NR_rt_sigreturn] = KEEPS, [NR_getpid] = KEEPS, [NR_gettid] = KEEPS, [NR_getppid] = KEEPS,
	[NR_getrusage] = KEEPS, [NR_getrandom] = KEEPS, [NR_open] = KEEPS | BY_PATH,
	[NR_openat] = KEEPS | BY_PATH, [NR_socket] = KEEPS, [NR_accept] = KEEPS | BY_DESCRIPTOR,
	[NR_accept4] = KEEPS | BY_DESCRIPTOR, [NR_pipe2] = KEEPS, [NR_epoll_create1] = KEEPS,
	[NR_eventfd2] = KEEPS, [NR_timerfd_create] = KEEPS, [NR_close] = CHANGES_FIRST | BY_KIND,
	[NR_dup2] = CHANGES_SECOND, [NR_dup3] = CHANGES_SECOND, [NR_fcntl] = CHANGES_FLAGS,
	[NR_unshare] = SEPARATES, [NR_close_range] = SEPARATES, [NR_faccessat] = BY_PATH,
	[NR_readlink] = BY_PATH, [NR_readlinkat] = BY_PATH,
};

static uint8_t *known_of(long fd)
{
	return (uint64_t)fd < N_DESCRIPTORS ? &process()->descriptors[fd] : NULL;
}

static void forget_all(void)
{
	memset(process()->descriptors, 0, sizeof(process()->descriptors));
}

void descriptors_cloned(uint64_t flags)
{
	if (!(flags & CLONE_FILES_) != !(flags & CLONE_THREAD_))
		process()->shares_descriptors = 1;
}

/* A thread gets a table of its own. */
static void separate(const struct call *call)
{
	forget_all();
	if (call->nr == NR_unshare ? call->args[0] & CLONE_FILES_ : call->args[2] & CLOSE_RANGE_UNSHARE_)
		process()->shares_descriptors = 1;
}

/* They are those of the open file, which other descriptors may stand for, too. */
static void flags_change(const struct call *call)
{
	if ((int32_t)call->args[1] != F_SETFL_)
		return;
	if (call->args[2] & O_NONBLOCK_)
		descriptor_forget(call->args[0]);
	else
		forget_all();
}

static void change(const struct call *call)
{
	switch (call->desc ? descriptor_effect(call->nr) : FORGETS_ALL) {
	case CHANGES_FIRST:
		descriptor_forget((int32_t)call->args[0]);
		break;
	case CHANGES_SECOND:
		descriptor_forget((int32_t)call->args[1]);
		break;
	case CHANGES_FLAGS:
		flags_change(call);
		break;
	case SEPARATES:
		separate(call);
		break;
	default:
		forget_all();
	}
}

void descriptors_update(const struct thread *thread, const struct call *call)
{
	process()->descriptor_changes++;
	if (descriptors_are_known(thread))
		change(call);
}

/* -- what is known ----------------------------------------------------------------------------------- */

static bool is_on_changing_device(uint64_t dev)
{
	const struct agent_shared *s = shared();
	uint32_t n = MIN(load_acquire(&s->n_changing_devices), (uint32_t)MAX_CHANGING_DEVICES);

	for (uint32_t i = 0; i < n; i++)
		if (s->changing_devices[i] == dev)
			return true;
	return false;
}

void descriptor_note_kind(long fd, uint64_t dev, uint32_t mode)
{
	uint8_t *known = known_of(fd);

	if (!known || !descriptors_are_known(this_thread()))
		return;
	*known |= (mode & S_IFMT_) == S_IFREG_ ? KIND_KNOWN | REGULAR : KIND_KNOWN | CHANGEABLE;
	if (is_on_changing_device(dev))
		*known |= CHANGEABLE;
}

void descriptor_note_changeable(long fd)
{
	uint8_t *known = known_of(fd);

	if (known && descriptors_are_known(this_thread()))
		*known |= CHANGEABLE;
}

/* A program mostly asks what a file is before it reads it. */
void descriptors_told(const struct thread *thread, long nr, const long args[6], long result)
{
	struct stat64 st;
	uint64_t at = (uint64_t)args[1];
	char path;

	if (!descriptors_are_known(thread) || result != 0)
		return;
	if (nr == NR_newfstatat) {
		at = (uint64_t)args[2];
		if (!(args[3] & AT_EMPTY_PATH_) || !copy_from_user(&path, (uint64_t)args[1], 1) || path)
			return;
	}
	if (copy_from_user(&st, at, offsetof(struct stat64, uid)))
		descriptor_note_kind((int32_t)args[0], st.dev, st.mode);
}

/*
 * The flag is that of the open file, which other processes may have and change: shells do so with
 * the terminals and pipes that they give to programs. So only of sockets it is believed.
 */
static void learn(long fd, uint8_t *known)
{
	struct stat64 st;
	long flags = 0;

	if (agent_syscall(NR_fstat, fd, &st) < 0)
		return;
	if ((st.mode & S_IFMT_) == S_IFSOCK_)
		flags = agent_syscall(NR_fcntl, fd, F_GETFL_);
	if (flags < 0)
		return;
	*known = FLAGS_KNOWN | (flags & O_NONBLOCK_ ? NONBLOCKING : 0);
	descriptor_note_kind(fd, st.dev, st.mode);
}

static bool is_regular(long fd)
{
	const uint8_t *known = known_of(fd);

	return known && (*known & REGULAR);
}

/* Its inode says how long it is, and nobody else is asked, as by NFS or FUSE. */
static void learn_system(long fd, uint8_t *known)
{
	static const uint32_t systems[] = { 0xef53 /* ext */, 0x58465342 /* XFS */, 0x9123683e /* btrfs */,
					    0x01021994 /* tmpfs */, 0xf2f52010 /* F2FS */ };
	uint64_t fs[15];	/* struct statfs */

	if (agent_syscall(NR_fstatfs, fd, fs) < 0)
		return;
	*known |= SYSTEM_KNOWN;
	for (unsigned i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
		if (fs[0] == systems[i])
			*known |= LOCAL;
}

static bool is_local(long fd)
{
	uint8_t *known = known_of(fd);

	if (!(*known & SYSTEM_KNOWN))
		learn_system(fd, known);
	return *known & LOCAL;
}

__attribute__((noinline, cold)) static uint8_t learned(long fd, uint8_t *known)
{
	learn(fd, known);
	return *known;
}

static inline uint8_t what_is(long fd)
{
	uint8_t *known = known_of(fd);

	if (!known)
		return 0;
	return unlikely(!(*known & (FLAGS_KNOWN | REGULAR))) ? learned(fd, known) : *known;
}

/* To the end, which somebody else may know. */
__attribute__((noinline)) static enum call_wait seek_wait(long fd, uint64_t whence)
{
	enum { SEEK_CUR_ = 1, SEEK_END_ = 2 };

	if (!(what_is(fd) & REGULAR) || whence > SEEK_END_)
		return WAITS_AT_WILL;
	return whence <= SEEK_CUR_ || is_local(fd) ? WAITS_NEVER : WAITS_FOR_DISK;
}

static enum call_wait descriptor_wait(long fd, uint64_t len)
{
	uint8_t what = what_is(fd);

	if (what & REGULAR)
		return len < LONG ? WAITS_FOR_DISK : WAITS_AT_WILL;
	return what & NONBLOCKING ? WAITS_NEVER : WAITS_AT_WILL;
}

enum call_wait call_wait(const struct thread *thread, long nr, const long args[6])
{
	if (!descriptors_are_known(thread))
		return WAITS_AT_WILL;
	switch (descriptor_rows[nr] & ~EFFECTS) {
	case BY_DESCRIPTOR:
		return descriptor_wait((int32_t)args[0], (uint64_t)args[2]);
	case BY_WHENCE:
		return seek_wait((int32_t)args[0], (uint64_t)args[2]);
	case BY_THIRD:
		return (int32_t)args[2] ? WAITS_AT_WILL : WAITS_NEVER;
	case BY_FOURTH:
		return (int32_t)args[3] ? WAITS_AT_WILL : WAITS_NEVER;
	case BY_PATH:	/* of a file, mostly; who wants the baton while a FIFO is opened kicks the thread out */
		return WAITS_FOR_DISK;
	case BY_KIND:	/* a socket may linger */
		return is_regular((int32_t)args[0]) ? WAITS_FOR_DISK : WAITS_AT_WILL;
	default:
		return WAITS_AT_WILL;
	}
}
