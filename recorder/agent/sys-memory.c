/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-memory - calls that change the address space
 *
 * Replay makes them too, at the recorded addresses: anonymous memory as it was, private
 * file mappings from the incident's copy of the file, and shared file mappings as
 * shared memory that begins with the bytes that were there, because the file may have
 * been another by then.
 */
#include "recorder/agent/agent.h"

enum {
	PATH_SIZE = 512,	/* longer ones are rare, and can be had otherwise */
	PROT_RW = 3, PROT_EXEC_ = 4,
	MAP_SHARED_ = 1, MAP_PRIVATE_ = 2, MAP_SHARED_VALIDATE_ = 3, MAP_TYPE_ = 15,
	MAP_FIXED_ = 0x10, MAP_ANONYMOUS_ = 0x20, MAP_GROWSDOWN_ = 0x100, MAP_DENYWRITE_ = 0x800, MAP_NORESERVE_ = 0x4000,
	MAP_STACK_ = 0x20000, MAP_FIXED_NOREPLACE_ = 0x100000,
	MREMAP_MAYMOVE_ = 1, MREMAP_FIXED_ = 2, MREMAP_DONTUNMAP_ = 4,
	MADV_DONTNEED_ = 4, MADV_FREE_ = 8, MADV_REMOVE_ = 9, MADV_DONTFORK_ = 10,
	MADV_WIPEONFORK_ = 18, MADV_DONTNEED_LOCKED_ = 24, MADV_GUARD_INSTALL_ = 102,
	MADV_GUARD_REMOVE_ = 103,
	IPC_STAT_ = 2,
};

/* A shared file mapping's bytes go into the log up to here; larger ones are noted. */
#define BY_VALUE_MAX (UINT64_C(256) << 20)

/*
 * A private one's are found in the file, which the recorder opens when it reads of the
 * mapping. Small data files may be unmapped again by then (ld.so.cache is): by value.
 */
#define BY_VALUE_SMALL (UINT64_C(256) << 10)

static bool is_file_mapping(const struct call *call)
{
	return !(call->args[3] & MAP_ANONYMOUS_);
}

static bool is_shared(const struct call *call)
{
	long type = call->args[3] & MAP_TYPE_;

	return type == MAP_SHARED_ || type == MAP_SHARED_VALIDATE_;
}

/* stat(2)'s structure, as far as it is wanted. */
struct stat64 {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev, size, blksize, blocks;
	uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	uint64_t unused[3];
};
static_assert(sizeof(struct stat64) == 144, "kernel ABI");

/* What /proc calls the file of @fd. Returns the length, 0 if that can't be told. */
static uint32_t path_of(long fd, char *path, size_t size)
{
	char name[32] = "/proc/self/fd/", digits[12];
	size_t len = sizeof("/proc/self/fd/") - 1, n = 0;
	long r;

	do {
		digits[n++] = (char)('0' + fd % 10);
		fd /= 10;
	} while (fd > 0 && n < sizeof(digits));
	while (n)
		name[len++] = digits[--n];
	name[len] = '\0';
	r = agent_syscall(NR_readlink, name, path, size);
	return r > 0 && (size_t)r < size ? (uint32_t)r : 0;
}

static struct event_mapping describe_file(long fd)
{
	enum { S_IFMT_ = 0170000, S_IFREG_ = 0100000 };
	struct event_mapping mapping = { 0 };
	struct stat64 st;

	if (agent_syscall(NR_fstat, fd, &st) < 0 || (st.mode & S_IFMT_) != S_IFREG_)
		return mapping;
	mapping.dev = st.dev;
	mapping.ino = st.ino;
	mapping.size = st.size;
	mapping.mtime_ns = st.mtime * 1000000000 + st.mtime_nsec;
	mapping.ctime_ns = st.ctime * 1000000000 + st.ctime_nsec;
	return mapping;
}

/* How many bytes of the new mapping the file covers. */
static uint64_t covered(const struct call *call, const struct event_mapping *mapping)
{
	uint64_t offset = (uint64_t)call->args[5];

	return offset >= mapping->size ? 0 : MIN((uint64_t)call->args[1], mapping->size - offset);
}

static bool goes_by_value(const struct call *call, uint64_t len)
{
	if (is_shared(call))
		return len <= BY_VALUE_MAX;
	/* The dynamic linker, too, says which files are libraries. */
	return len <= BY_VALUE_SMALL && !(call->args[2] & PROT_EXEC_) &&
	       !(call->args[3] & MAP_DENYWRITE_);
}

static void record_mapping(struct thread *thread, struct call *call)
{
	struct event_mapping mapping = describe_file(call->args[4]);
	char path[PATH_SIZE];
	uint64_t len = covered(call, &mapping);

	mapping.by_value = goes_by_value(call, len);
	if (!mapping.by_value && mapping.ino)
		mapping.path_len = path_of(call->args[4], path, sizeof(path));
	if (!log_begin(thread, EVENT_SYSCALL, 0, NR_mmap, call->check, call->result))
		return;
	log_add(thread, &mapping, sizeof(mapping));
	log_add(thread, path, mapping.path_len);
	if (mapping.by_value) {
		log_add(thread, &len, sizeof(len));
		log_add_user(thread, (uint64_t)call->result, len);
	} else if (is_shared(call)) {
		note_refused(NR_mmap);
	}
	log_end(thread);
	if (!mapping.by_value)
		wake_recorder();	/* while it is still mapped */
}

/* The descriptor, in the replaying process, of the incident's copy of a mapped file. */
static int replay_file(const struct event_mapping *mapping)
{
	const struct agent_shared *s = shared();

	for (uint32_t i = 0; i < s->n_files && i < MAX_REPLAY_FILES; i++) {
		const struct replay_file *file = &s->files[i];

		if (file->dev == mapping->dev && file->ino == mapping->ino &&
		    file->size == mapping->size && file->mtime_ns == mapping->mtime_ns)
			return file->fd;
	}
	return -1;
}

static long map_at(uint64_t at, uint64_t len, long prot, long flags, int fd, long offset)
{
	return agent_call(NR_mmap, (long)at, (long)len, prot, flags | MAP_FIXED_, fd, offset);
}

static void replay_file_mapping(struct thread *thread, struct call *call,
				const struct event_mapping *mapping)
{
	uint64_t at = (uint64_t)call->result, len = (uint64_t)call->args[1], n = 0;
	int fd = -1;

	if (!mapping->by_value && mapping->ino) {
		fd = replay_file(mapping);
		if (fd < 0) {
			shared()->missing_file = *mapping;
			replay_diverged(thread, EVENT_SYSCALL, NR_mmap, call->check);
		}
		(void) map_at(at, len, call->args[2], MAP_PRIVATE_ | MAP_NORESERVE_, fd,
			      call->args[5]);
		return;
	}
	(void) map_at(at, len, PROT_RW,
		      MAP_ANONYMOUS_ | MAP_NORESERVE_ | (is_shared(call) ? MAP_SHARED_ : MAP_PRIVATE_),
		      -1, 0);
	if (mapping->by_value && (!replay_read(thread, &n, sizeof(n)) || n > len ||
				  !replay_read_to_user(thread, at, n)))
		replay_diverged(thread, EVENT_SYSCALL, NR_mmap, call->check);
	(void) agent_syscall(NR_mprotect, at, len, call->args[2]);
}

/* A library, perhaps; or a place for code that the program makes. */
static void note_code(const struct call *call)
{
	if ((call->args[2] & PROT_EXEC_) && (!is_file_mapping(call) || is_shared(call)))
		shared()->code_made = 1;
	if ((call->result < 0 && call->result >= -4095) || !is_file_mapping(call) || is_shared(call))
		return;
	sites_note_mapping((uint64_t)call->result, (uint64_t)call->args[1],
			   call->args[2] & PROT_EXEC_, (uint64_t)call->args[5]);
}

static void replay_mmap(struct thread *thread, struct call *call)
{
	struct event_mapping mapping;
	long kept = call->args[3] & (MAP_TYPE_ | MAP_GROWSDOWN_ | MAP_STACK_);

	call->result = replay_expect(thread, EVENT_SYSCALL, NR_mmap, call->check)->result;
	if (call->result >= 0 || call->result < -4095) {
		if (!is_file_mapping(call)) {
			(void) map_at((uint64_t)call->result, (uint64_t)call->args[1], call->args[2],
				      kept | MAP_ANONYMOUS_ | MAP_NORESERVE_, -1, 0);
		} else {
			if (!replay_read(thread, &mapping, sizeof(mapping)))
				replay_diverged(thread, EVENT_SYSCALL, NR_mmap, call->check);
			replay_file_mapping(thread, call, &mapping);
		}
	}
	replay_done(thread);
	call_set_result(thread, call->result);
	note_code(call);
}

static void sys_mmap(struct thread *thread, struct call *call)
{
	long flags = call->args[3];

	if ((flags & (MAP_FIXED_ | MAP_FIXED_NOREPLACE_)) &&
	    range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1])) {
		call->result = -ENOMEM_;
		call_finish(thread, call);
		return;
	}
	if (agent_replays()) {
		replay_mmap(thread, call);
		return;
	}
	call->result = agent_call(NR_mmap, call->args[0], call->args[1], call->args[2], flags,
				  call->args[4], call->args[5]);
	if (call->result < 0 && call->result >= -4095) {
		call_finish(thread, call);
		return;
	}
	if (is_shared(call))
		process()->has_shared = 1;
	if (is_file_mapping(call)) {
		record_mapping(thread, call);
		call_set_result(thread, call->result);
	} else {
		call_finish(thread, call);
	}
	note_code(call);
}

/* The heap is an ordinary mapping in replay. */
static void replay_brk(uint64_t from, uint64_t to)
{
	from = ALIGN_UP(from, (uint64_t)PAGE);
	to = ALIGN_UP(to, (uint64_t)PAGE);
	if (to > from)
		(void) map_at(from, to - from, PROT_RW, MAP_PRIVATE_ | MAP_ANONYMOUS_ | MAP_NORESERVE_,
			      -1, 0);
	else if (to < from)
		(void) agent_syscall(NR_munmap, to, from - to);
}

static void sys_brk(struct thread *thread, struct call *call)
{
	if (!agent_replays())
		call->result = agent_call(NR_brk, call->args[0], 0, 0, 0, 0, 0);
	call_finish(thread, call);
	if (agent_replays())
		replay_brk(process()->brk, (uint64_t)call->result);
	process()->brk = (uint64_t)call->result;
}

static void sys_mremap(struct thread *thread, struct call *call)
{
	uint64_t old = (uint64_t)call->args[0], old_len = (uint64_t)call->args[1];
	uint64_t len = (uint64_t)call->args[2], flags = (uint64_t)call->args[3];

	if (range_is_ours(old, old_len) ||
	    ((flags & MREMAP_FIXED_) && range_is_ours((uint64_t)call->args[4], len))) {
		call->result = -EINVAL_;
		call_finish(thread, call);
		return;
	}
	if (!agent_replays())
		call->result = agent_call(NR_mremap, (long)old, (long)old_len, (long)len, (long)flags,
					  call->args[4], 0);
	call_finish(thread, call);
	if (!agent_replays() || (call->result < 0 && call->result >= -4095))
		return;
	flags &= ~(uint64_t)(MREMAP_MAYMOVE_ | MREMAP_FIXED_);
	if ((uint64_t)call->result != old)
		flags |= MREMAP_MAYMOVE_ | MREMAP_FIXED_;
	if (agent_call(NR_mremap, (long)old, (long)old_len, (long)len, (long)flags, call->result, 0) !=
	    call->result)
		replay_diverged(thread, EVENT_SYSCALL, NR_mremap, call->check);
}

/* Which advice changes what the program reads. The rest is about speed. */
static bool advice_matters(long advice)
{
	return advice == MADV_DONTNEED_ || advice == MADV_REMOVE_ ||
	       advice == MADV_DONTNEED_LOCKED_ || advice == MADV_GUARD_INSTALL_ ||
	       advice == MADV_GUARD_REMOVE_;
}

static void sys_madvise(struct thread *thread, struct call *call)
{
	bool ours = range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1]);
	long advice = call->args[2];

	/* When the kernel frees, or wipes, is its own affair: do it now, or not at all. */
	if (advice == MADV_FREE_)
		advice = MADV_DONTNEED_;
	if (advice == MADV_WIPEONFORK_ || ours)
		call->result = -EINVAL_;
	else if (!agent_replays())
		call->result = agent_call(NR_madvise, call->args[0], call->args[1], advice, 0, 0, 0);
	if (advice == MADV_DONTFORK_ && call->result == 0) {
		process()->no_snapshots = 1;	/* a fork would miss these pages */
		note_refused(NR_madvise);
	}
	call_finish(thread, call);
	if (agent_replays() && advice_matters(advice) && !ours)
		(void) agent_call(NR_madvise, call->args[0], call->args[1], advice, 0, 0, 0);
}

/* -- System V shared memory: by value ------------------------------------------------------- */

static uint64_t segment_len(long id)
{
	uint64_t info[14] = { 0 };	/* struct shmid64_ds: ipc_perm is 48 bytes, then shm_segsz */

	if (agent_syscall(NR_shmctl, id, IPC_STAT_, info) < 0)
		return 0;
	return info[6];
}

static void remember_segment(uint64_t at, uint64_t len)
{
	struct agent_process *p = process();

	for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
		if (p->segments[i].start)
			continue;
		p->segments[i] = (struct agent_range){ at, at + len };
		return;
	}
}

static uint64_t forget_segment(uint64_t at)
{
	struct agent_process *p = process();
	uint64_t len;

	for (unsigned i = 0; i < MAX_SEGMENTS; i++) {
		if (p->segments[i].start != at)
			continue;
		len = p->segments[i].end - at;
		p->segments[i].start = 0;
		return len;
	}
	return 0;
}

static void sys_shmat(struct thread *thread, struct call *call)
{
	uint64_t len = 0;

	if (agent_replays()) {
		call->result = replay_expect(thread, EVENT_SYSCALL, NR_shmat, call->check)->result;
		if (!replay_read(thread, &len, sizeof(len)))
			replay_diverged(thread, EVENT_SYSCALL, NR_shmat, call->check);
		if (len) {
			(void) map_at((uint64_t)call->result, ALIGN_UP(len, (uint64_t)PAGE), PROT_RW,
				      MAP_SHARED_ | MAP_ANONYMOUS_ | MAP_NORESERVE_, -1, 0);
			(void) replay_read_to_user(thread, (uint64_t)call->result, len);
		}
		replay_done(thread);
	} else {
		call->result = agent_call(NR_shmat, call->args[0], call->args[1], call->args[2], 0, 0, 0);
		if (call->result >= 0 || call->result < -4095)
			len = segment_len(call->args[0]);
		process()->has_shared |= len != 0;
		if (log_begin(thread, EVENT_SYSCALL, 0, NR_shmat, call->check, call->result)) {
			log_add(thread, &len, sizeof(len));
			log_add_user(thread, (uint64_t)call->result, len);
			log_end(thread);
		}
	}
	if (len)
		remember_segment((uint64_t)call->result, ALIGN_UP(len, (uint64_t)PAGE));
	call_set_result(thread, call->result);
}

static void sys_shmdt(struct thread *thread, struct call *call)
{
	uint64_t len;

	if (!agent_replays())
		call->result = agent_call(NR_shmdt, call->args[0], 0, 0, 0, 0, 0);
	call_finish(thread, call);
	if (call->result != 0)
		return;
	len = forget_segment((uint64_t)call->args[0]);
	if (agent_replays() && len)
		(void) agent_syscall(NR_munmap, call->args[0], len);
}

/* Without protection keys (pkey_alloc is refused) it is mprotect. */
static void sys_pkey_mprotect(struct thread *thread, struct call *call)
{
	bool refused = call->args[3] != -1 ||
		       range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1]);

	if (refused)
		call->result = -EINVAL_;
	else if (!agent_replays())
		call->result = agent_call(NR_mprotect, call->args[0], call->args[1], call->args[2], 0, 0, 0);
	call_finish(thread, call);
	if (agent_replays() && !refused)
		(void) agent_call(NR_mprotect, call->args[0], call->args[1], call->args[2], 0, 0, 0);
}

void sys_memory(struct thread *thread, struct call *call)
{
	switch (call->nr) {
	case NR_mmap:
		sys_mmap(thread, call);
		break;
	case NR_brk:
		sys_brk(thread, call);
		break;
	case NR_mremap:
		sys_mremap(thread, call);
		break;
	case NR_madvise:
		sys_madvise(thread, call);
		break;
	case NR_shmat:
		sys_shmat(thread, call);
		break;
	case NR_shmdt:
		sys_shmdt(thread, call);
		break;
	default:
		sys_pkey_mprotect(thread, call);
	}
}
