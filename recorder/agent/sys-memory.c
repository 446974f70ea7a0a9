/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-memory - calls that change the address space
 *
 * Replay makes them too, at the recorded addresses: anonymous memory as it was, libraries
 * and other large private mappings from the incident's copy of the file, and all other
 * files from memory in their place (mapped.c) that begins with the bytes that were there,
 * because the file may have been another by then.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	PATH_SIZE = 512,	/* longer ones are rare, and can be had otherwise */
	PROT_RW = 3, PROT_EXEC_ = 4,
	MAP_SHARED_ = 1, MAP_PRIVATE_ = 2, MAP_SHARED_VALIDATE_ = 3, MAP_TYPE_ = 15,
	MAP_FIXED_ = 0x10, MAP_ANONYMOUS_ = 0x20, MAP_GROWSDOWN_ = 0x100, MAP_DENYWRITE_ = 0x800, MAP_NORESERVE_ = 0x4000,
	MAP_STACK_ = 0x20000, MAP_FIXED_NOREPLACE_ = 0x100000,
	MREMAP_MAYMOVE_ = 1, MREMAP_FIXED_ = 2, MREMAP_DONTUNMAP_ = 4,
	MADV_DONTNEED_ = 4, MADV_FREE_ = 8, MADV_REMOVE_ = 9, MADV_DONTNEED_LOCKED_ = 24, MADV_GUARD_INSTALL_ = 102,
	MADV_GUARD_REMOVE_ = 103,
	IPC_STAT_ = 2,
	MAP_ROUNDS = 32,
	SHM_RDONLY_ = 010000, SHM_EXEC_ = 0100000,
	F_GETFL_ = 3, O_ACCMODE_ = 3, SEEK_SET_ = 0, SEEK_CUR_ = 1, SEEK_DATA_ = 3,
};

/* A shared file mapping's bytes go into the log up to here; larger ones are noted. */
#define BY_VALUE_MAX (UINT64_C(256) << 20)

/*
 * A private one's are found in the file, which the recorder opens when it reads of the
 * mapping. Small data files may be unmapped again by then (ld.so.cache is): by value. So
 * are those that the program may change, and shared ones that it only reads, up to here.
 */
#define BY_VALUE_SMALL (UINT64_C(256) << 10)
#define BY_VALUE_WRITABLE (UINT64_C(16) << 20)

/* How long a program waits for the recorder to have opened the file that it maps. */
#define MAX_OPEN_NS (UINT64_C(100) * 1000000)

/* A file system may keep a few bytes in the inode, without any blocks. */
#define INLINE_MAX (UINT64_C(64) << 10)

static bool is_file_mapping(const struct call *call)
{
	return !(call->args[3] & MAP_ANONYMOUS_);
}

static bool is_shared(const struct call *call)
{
	long type = call->args[3] & MAP_TYPE_;

	return type == MAP_SHARED_ || type == MAP_SHARED_VALIDATE_;
}

uint32_t path_of(long fd, char *path, size_t size)
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

/* Has the file no bytes yet but zeroes? Not every file system that says 0 blocks means it. */
static bool is_hole(long fd, const struct stat64 *st)
{
	long position, data;

	if (st->blocks || st->size <= INLINE_MAX)
		return false;
	position = agent_syscall(NR_lseek, fd, 0, SEEK_CUR_);
	data = agent_syscall(NR_lseek, fd, 0, SEEK_DATA_);
	if (data >= 0)
		(void) agent_syscall(NR_lseek, fd, position, SEEK_SET_);
	return data == -ENXIO_;
}

/* The registers of PCI devices are files of sysfs. */
static bool is_in_sysfs(long fd)
{
	char path[PATH_SIZE];

	return path_of(fd, path, sizeof(path)) > 5 && memcmp(path, "/sys/", 5) == 0;
}

/* @ret_sparse: the file has no bytes yet but zeroes. */
static struct event_mapping describe_file(long fd, bool shared, bool *ret_sparse)
{
	enum { S_IFMT_ = 0170000, S_IFREG_ = 0100000, DEV_ZERO = 0x105 };
	struct event_mapping mapping = { 0 };
	struct stat64 st;
	long flags;

	*ret_sparse = false;
	if (agent_syscall(NR_fstat, fd, &st) < 0)
		return mapping;
	if ((st.mode & S_IFMT_) != S_IFREG_ || (shared && is_in_sysfs(fd))) {
		mapping.is_device = st.rdev != DEV_ZERO;
		return mapping;
	}
	flags = agent_syscall(NR_fcntl, fd, F_GETFL_);
	mapping.dev = st.dev;
	mapping.ino = st.ino;
	mapping.size = st.size;
	mapping.mtime_ns = st.mtime * 1000000000 + st.mtime_nsec;
	mapping.ctime_ns = st.ctime * 1000000000 + st.ctime_nsec;
	mapping.writable = flags >= 0 && (flags & O_ACCMODE_) != 0;
	*ret_sparse = is_hole(fd, &st);
	return mapping;
}

/* How many bytes of the new mapping the file covers. */
static uint64_t covered(const struct call *call, const struct event_mapping *mapping)
{
	uint64_t offset = (uint64_t)call->args[5];

	return offset >= mapping->size ? 0 : MIN((uint64_t)call->args[1], mapping->size - offset);
}

static bool goes_by_value(const struct call *call, const struct event_mapping *mapping,
			  uint64_t len)
{
	const struct mapped_object *known = mapped_find(mapping->dev, mapping->ino);

	if (is_shared(call) && (mapping->writable || known || len <= BY_VALUE_WRITABLE))
		return len <= BY_VALUE_MAX;
	if (is_shared(call))	/* the recorder keeps a large file that can only be read */
		return !mapping->ino;
	if (mapping->ino && (mapping->writable || (known && (known->flags & MAPPED_CHANGES))))
		return len <= BY_VALUE_WRITABLE;
	/* The dynamic linker, too, says which files are libraries. */
	return len <= BY_VALUE_SMALL && !(call->args[2] & PROT_EXEC_) &&
	       !(call->args[3] & MAP_DENYWRITE_);
}

/* Into the table, in recording and in replay; NULL if it isn't a file, or not by value. */
static struct mapped_object *hold_object(const struct call *call,
					 const struct event_mapping *mapping)
{
	if (!mapping->ino || !mapping->by_value)
		return NULL;
	return mapped_hold(mapping->dev, mapping->ino, mapping->size,
			   is_shared(call) || mapping->writable ? MAPPED_CHANGES : 0);
}

/* Of a range. */
static uint32_t shared_flags(uint32_t prot)
{
	return MAPPED_SHARED | prot << MAPPED_PROT_SHIFT;
}

static void enter_mapping(const struct call *call, struct mapped_object *object,
			  const struct event_mapping *mapping)
{
	uint32_t flags = is_shared(call) ? shared_flags((uint32_t)call->args[2]) : 0;

	if (!object) {
		mapped_remove((uint64_t)call->result, (uint64_t)call->args[1]);
		if (mapping->is_device)
			mapped_device((uint64_t)call->result, (uint64_t)call->args[1]);
		return;
	}
	if (is_shared(call) && !mapping->writable)
		flags |= MAPPED_READ_ONLY;
	mapped_insert(object, (uint64_t)call->result, (uint64_t)call->args[1],
		      (uint64_t)call->args[5], flags);
}

/*
 * The event has been written: the recorder opens the file when it reads of it. What isn't a
 * library may be unmapped and removed as soon as the program goes on.
 */
static void await_opening(void)
{
	struct agent_shared *s = shared();
	uint64_t until = monotonic_ns() + MAX_OPEN_NS;

	for (;;) {
		uint32_t turn = load_acquire(&s->producer_waits);
		uint64_t now = monotonic_ns();

		if (load_acquire(&s->tail) >= process()->head || now >= until ||
		    !wait_for_recorder(&s->producer_waits, turn, until - now))
			return;
	}
}

static void record_mapping(struct thread *thread, struct call *call)
{
	bool sparse;
	struct event_mapping mapping = describe_file(call->args[4], is_shared(call), &sparse);
	struct mapped_object *object;
	char path[PATH_SIZE];
	uint64_t len = sparse ? 0 : covered(call, &mapping);

	mapping.by_value = goes_by_value(call, &mapping, len);
	object = hold_object(call, &mapping);
	if (!mapping.by_value && mapping.ino)
		mapping.path_len = path_of(call->args[4], path, sizeof(path));
	if (log_begin(thread, EVENT_SYSCALL, 0, NR_mmap, call->check, call->result)) {
		log_add(thread, &mapping, sizeof(mapping));
		log_add(thread, path, mapping.path_len);
		if (mapping.by_value)
			mapped_log_bytes(thread, call->args[4], (uint64_t)call->result,
					 (uint64_t)call->args[5], len);
		else if (is_shared(call) && mapping.writable)
			note_refused(NR_mmap);
		log_end(thread);
	}
	enter_mapping(call, object, &mapping);
	if (object && is_shared(call))
		pages_mapped(thread, object);
	process()->has_shared |= is_shared(call) && mapping.by_value;
	if (mapping.by_value)
		return;
	wake_recorder();	/* while it is still mapped */
	if (mapping.ino && (is_shared(call) || mapping.writable))
		await_opening();
}

int replay_file(uint64_t dev, uint64_t ino, uint64_t size, uint64_t mtime_ns)
{
	const struct agent_shared *s = shared();

	for (uint32_t i = 0; i < s->n_files && i < MAX_REPLAY_FILES; i++) {
		const struct replay_file *file = &s->files[i];

		if (file->dev == dev && file->ino == ino && file->size == size && file->mtime_ns == mtime_ns)
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
	uint64_t at = (uint64_t)call->result, len = (uint64_t)call->args[1];
	long flags = MAP_NORESERVE_ | (is_shared(call) ? MAP_SHARED_ : MAP_PRIVATE_);
	struct mapped_object *object = hold_object(call, mapping);
	int fd = -1;

	if (!mapping->ino) {	/* a device */
		flags |= MAP_ANONYMOUS_;
	} else if (mapping->by_value) {
		fd = object ? mapped_backing(thread, object) : mapped_memory(thread, mapping->size);
	} else {
		flags = MAP_PRIVATE_ | MAP_NORESERVE_;
		fd = replay_file(mapping->dev, mapping->ino, mapping->size, mapping->mtime_ns);
		if (fd < 0) {
			shared()->missing_file = *mapping;
			replay_diverged(thread, EVENT_SYSCALL, NR_mmap, call->check);
		}
	}
	(void) map_at(at, len, call->args[2], flags, fd, fd < 0 ? 0 : call->args[5]);
	if (mapping->by_value &&
	    !mapped_replay_bytes(thread, fd, (uint64_t)call->args[5], covered(call, mapping)))
		replay_diverged(thread, EVENT_SYSCALL, NR_mmap, call->check);
	enter_mapping(call, object, mapping);
	if (object && is_shared(call))
		pages_mapped(thread, object);
	if (mapping->ino && mapping->by_value && !object)
		(void) agent_syscall(NR_close, fd);
}

void code_is_made(const struct thread *thread)
{
	pin_maker_of_code(thread);
	shared()->code_made = 1;
}

/* A library, perhaps; or a place for code that the program makes. */
static void note_code(const struct thread *thread, const struct call *call)
{
	if (call->result >= 0 || call->result < -4095)
		stubs_forget((uint64_t)call->result, (uint64_t)call->args[1]);
	if ((call->args[2] & PROT_EXEC_) && (!is_file_mapping(call) || is_shared(call)))
		code_is_made(thread);
	if ((call->result < 0 && call->result >= -4095) || !is_file_mapping(call) || is_shared(call))
		return;
	sites_note_mapping((uint64_t)call->result, (uint64_t)call->args[1],
			   call->args[2] & PROT_EXEC_, (uint64_t)call->args[5], call->args[4]);
}

/* Shared memory without a file: only children ever see it. */
static struct mapped_object *enter_anonymous(const struct thread *thread, const struct call *call)
{
	struct agent_process *p = process();
	uint64_t len = ALIGN_UP((uint64_t)call->args[1], (uint64_t)PAGE);
	struct mapped_object *object = mapped_hold(
		ANONYMOUS_DEV, (uint64_t)thread->tgid << 32 | p->n_anonymous++, len, 0);

	if (object)
		mapped_insert(object, (uint64_t)call->result, len, 0, shared_flags((uint32_t)call->args[2]));
	return object;
}

static void replay_anonymous_shared(struct thread *thread, const struct call *call)
{
	uint64_t len = ALIGN_UP((uint64_t)call->args[1], (uint64_t)PAGE);
	struct mapped_object *object;
	int fd;

	mapped_remove((uint64_t)call->result, len);
	object = enter_anonymous(thread, call);
	fd = object ? mapped_backing(thread, object) : mapped_memory(thread, len);
	(void) map_at((uint64_t)call->result, len, call->args[2], MAP_SHARED_ | MAP_NORESERVE_, fd, 0);
	if (!object)
		(void) agent_syscall(NR_close, fd);
}

static void replay_mmap(struct thread *thread, struct call *call)
{
	struct event_mapping mapping;
	long kept = call->args[3] & (MAP_TYPE_ | MAP_GROWSDOWN_ | MAP_STACK_);

	call->result = replay_expect(thread, EVENT_SYSCALL, NR_mmap, call->check)->result;
	if (call->result >= 0 || call->result < -4095) {
		if (!is_file_mapping(call) && is_shared(call)) {
			replay_anonymous_shared(thread, call);
		} else if (!is_file_mapping(call)) {
			(void) map_at((uint64_t)call->result, (uint64_t)call->args[1], call->args[2],
				      kept | MAP_ANONYMOUS_ | MAP_NORESERVE_, -1, 0);
			mapped_remove((uint64_t)call->result, (uint64_t)call->args[1]);
		} else {
			if (!replay_read(thread, &mapping, sizeof(mapping)))
				replay_diverged(thread, EVENT_SYSCALL, NR_mmap, call->check);
			replay_file_mapping(thread, call, &mapping);
		}
	}
	replay_done(thread);
	call_set_result(thread, call->result);
	note_code(thread, call);
}

static void sys_mmap(struct thread *thread, struct call *call)
{
	long flags = call->args[3], hint;

	if ((flags & (MAP_FIXED_ | MAP_FIXED_NOREPLACE_)) &&
	    range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1])) {
		call->result = -ENOMEM_;
		call_finish(thread, call);
		return;
	}
	if (flags & MAP_FIXED_)
		stubs_give_way((uint64_t)call->args[0], (uint64_t)call->args[1]);
	if (agent_replays()) {
		replay_mmap(thread, call);
		return;
	}
	if (flags & MAP_FIXED_)
		pages_will_change((uint64_t)call->args[0], (uint64_t)call->args[1]);
	/* A hint that leads between our mappings: the kernel finds another place. */
	hint = range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1]) ? 0 : call->args[0];
	call->result = agent_call(NR_mmap, hint, call->args[1], call->args[2], flags, call->args[4],
				  call->args[5]);
	if (call->result < 0 && call->result >= -4095) {
		call_finish(thread, call);
		return;
	}
	process()->has_shared |= is_shared(call) && !is_file_mapping(call);
	if (is_file_mapping(call)) {
		record_mapping(thread, call);
		call_set_result(thread, call->result);
	} else {
		call_finish(thread, call);
		mapped_remove((uint64_t)call->result, (uint64_t)call->args[1]);
		if (is_shared(call))
			(void) enter_anonymous(thread, call);
	}
	note_code(thread, call);
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

/* A file's mapping that has grown shows more of the file. */
static void note_growth(struct call *call)
{
	uint64_t old = (uint64_t)call->args[0], old_len = ALIGN_UP((uint64_t)call->args[1], (uint64_t)PAGE);
	uint64_t len = ALIGN_UP((uint64_t)call->args[2], (uint64_t)PAGE);
	const struct mapped_range *range = mapped_at(old);
	const struct mapped_object *object;

	/* What was mapped already: with an old length of 0, up to the mapping's end. */
	if (range && old_len == 0)
		old_len = range->end - old;
	if (!range || len <= old_len || range->end < old + old_len)
		return;
	object = mapped_object_of(range);
	call->change = (struct event_file){
		.dev = object->dev,
		.ino = object->ino,
		.size = object->size,
		.offset = range->offset + (old - range->start) + old_len,
		.len = len - old_len,
		.kind = FILE_BYTES,
	};
	call->change.len = object->size <= call->change.offset ? 0 :
			   MIN(call->change.len, object->size - call->change.offset);
	call->change_fd = -1;
	call->change_address = (uint64_t)call->result + old_len;
	if (call->change.len > BY_VALUE_MAX) {
		note_refused(NR_mremap);
		call->change.kind = 0;
	}
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
	/* Code that moves must lead where it did. */
	stubs_restore(old, old_len);
	stubs_give_way(old, old_len);
	if (flags & MREMAP_FIXED_)
		stubs_give_way((uint64_t)call->args[4], len);
	/* What is another's splits the mapping, and the kernel moves only one. */
	for (unsigned i = 0; !agent_replays() && i < MAP_ROUNDS && pages_hold(thread, old, old_len, false); i++)
		;
	pages_will_change(old, old_len);
	if (flags & MREMAP_FIXED_)
		pages_will_change((uint64_t)call->args[4], len);
	if (!agent_replays())
		call->result = agent_call(NR_mremap, (long)old, (long)old_len, (long)len, (long)flags,
					  call->args[4], 0);
	if (!agent_replays() && (call->result >= 0 || call->result < -4095) && !passing())
		note_growth(call);
	call_finish(thread, call);
	if (call->result < 0 && call->result >= -4095)
		return;
	if ((uint64_t)call->result != old)
		stubs_forget((uint64_t)call->result, len);
	mapped_move(old, old_len, (uint64_t)call->result, len, flags & MREMAP_DONTUNMAP_);
	if (!agent_replays())
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

static long advise(const struct call *call, uint64_t len, long advice)
{
	return agent_call(NR_madvise, call->args[0], (long)len, advice, 0, 0, 0);
}

/*
 * The kernel goes from mapping to mapping, and ends at the first that it can't advise: one that is
 * locked, as a rule, which nothing is in a replay. How far it came shows by doing once more what it
 * has done: the longest part that succeeds. (A length that is none it refuses before it begins.
 * And before it advises what is sealed some kernels look at all, so EPERM says nothing.)
 */
static uint64_t advised_before_error(const struct call *call, long advice)
{
	uint64_t start = (uint64_t)call->args[0], len = ALIGN_UP((uint64_t)call->args[1], (uint64_t)PAGE);
	uint64_t done = 0, failed = len / PAGE, middle = 1;

	if (call->result != -EINVAL_ || start + len < start)
		return 0;
	while (done + 1 < failed) {
		if (advise(call, middle * PAGE, advice) == 0)
			done = middle;
		else
			failed = middle;
		middle = done + (failed - done) / 2;
	}
	return done * PAGE;
}

/* The result; and if that is an error, how much has been done, as an output: its length, and it. */
static void log_advised(struct thread *thread, const struct call *call, uint64_t done)
{
	uint32_t len = sizeof(done);

	if (!log_begin(thread, EVENT_SYSCALL, 0, NR_madvise, call->check, call->result))
		return;
	if (done) {
		log_add(thread, &len, sizeof(len));
		log_add(thread, &done, sizeof(done));
	}
	log_end(thread);
}

static uint64_t replay_advised(struct thread *thread, struct call *call)
{
	const struct event *event = replay_expect(thread, EVENT_SYSCALL, NR_madvise, call->check);
	uint64_t done = 0;
	uint32_t len;

	call->result = event->result;
	if (call->result == 0 || call->result == -ENOMEM_)
		done = (uint64_t)call->args[1];
	else if (replay_read(thread, &len, sizeof(len)))
		(void) replay_read(thread, &done, sizeof(done));
	replay_done(thread);
	return done;
}

static void finish_advice(struct thread *thread, struct call *call, long advice)
{
	uint64_t done;

	if (agent_replays()) {
		done = replay_advised(thread, call);
		if (done)
			(void) advise(call, done, advice);
	} else {
		done = advised_before_error(call, advice);
		log_advised(thread, call, done);
	}
	call_set_result(thread, call->result);
	shared()->stop_nr = NR_madvise;
}

static void sys_madvise(struct thread *thread, struct call *call)
{
	bool ours = range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1]);
	long advice = call->args[2];

	if (advice_matters(advice))
		stubs_give_way((uint64_t)call->args[0], (uint64_t)call->args[1]);
	/*
	 * When the kernel frees, or wipes, is its own affair: do it now, or not at all. (It does
	 * neither to files.)
	 */
	if (advice == MADV_FREE_ && !mapped_at((uint64_t)call->args[0]))
		advice = MADV_DONTNEED_;
	if (advice == MADV_REMOVE_ && !agent_replays())
		(void) pages_hold(thread, (uint64_t)call->args[0], (uint64_t)call->args[1], true);
	if (ours)
		call->result = -EINVAL_;
	else if (!agent_replays() && on_fork_is_advice(advice))
		call->result = on_fork_try((uint64_t)call->args[0], (uint64_t)call->args[1], advice);
	else if (!agent_replays())
		call->result = advise(call, (uint64_t)call->args[1], advice);
	if (advice_matters(advice) && !ours) {
		finish_advice(thread, call, advice);
		return;
	}
	call_finish(thread, call);
	if (call->result == 0 && on_fork_is_advice(advice))
		on_fork_advise((uint64_t)call->args[0], (uint64_t)call->args[1], advice);
}

/* -- System V shared memory: by value ------------------------------------------------------- */

static uint64_t segment_len(long id)
{
	uint64_t info[14] = { 0 };	/* struct shmid64_ds: ipc_perm is 48 bytes, then shm_segsz */

	if (agent_syscall(NR_shmctl, id, IPC_STAT_, info) < 0)
		return 0;
	return info[6];
}

/* What the log has of a segment's bytes is all of it, but for what nobody has in memory. */
static void log_segment(struct thread *thread, const struct call *call, uint64_t len)
{
	if (!log_begin(thread, EVENT_SYSCALL, 0, NR_shmat, call->check, call->result))
		return;
	log_add(thread, &len, sizeof(len));
	if (len) {
		if (len > BY_VALUE_MAX)
			note_refused(NR_shmat);
		mapped_log_bytes(thread, -1, (uint64_t)call->result, 0, len > BY_VALUE_MAX ? 0 : len);
	}
	log_end(thread);
}

static void enter_segment(const struct call *call, struct mapped_object *object, uint64_t len)
{
	uint32_t prot = (call->args[2] & SHM_RDONLY_ ? 1 : PROT_RW) |
			(call->args[2] & SHM_EXEC_ ? PROT_EXEC_ : 0);

	if (object)
		mapped_insert(object, (uint64_t)call->result, len, 0,
			      shared_flags(prot) | (call->args[2] & SHM_RDONLY_ ? MAPPED_READ_ONLY : 0));
}

static void replay_shmat(struct thread *thread, struct call *call)
{
	long prot = (call->args[2] & SHM_RDONLY_ ? 1 : PROT_RW) |
		    (call->args[2] & SHM_EXEC_ ? PROT_EXEC_ : 0);
	struct mapped_object *object = NULL;
	uint64_t len = 0;
	int fd = -1;

	call->result = replay_expect(thread, EVENT_SYSCALL, NR_shmat, call->check)->result;
	if (!replay_read(thread, &len, sizeof(len)))
		replay_diverged(thread, EVENT_SYSCALL, NR_shmat, call->check);
	if (len) {
		object = mapped_hold(SYSV_DEV, (uint64_t)call->args[0], len, MAPPED_CHANGES);
		fd = object ? mapped_backing(thread, object) : mapped_memory(thread, len);
		(void) map_at((uint64_t)call->result, ALIGN_UP(len, (uint64_t)PAGE), prot,
			      MAP_SHARED_ | MAP_NORESERVE_, fd, 0);
		if (!mapped_replay_bytes(thread, fd, 0, len > BY_VALUE_MAX ? 0 : len))
			replay_diverged(thread, EVENT_SYSCALL, NR_shmat, call->check);
	}
	replay_done(thread);
	enter_segment(call, object, len);
	if (object)
		pages_mapped(thread, object);
	if (fd >= 0 && !object)
		(void) agent_syscall(NR_close, fd);
}

static void record_shmat(struct thread *thread, struct call *call)
{
	struct mapped_object *object = NULL;
	uint64_t len = 0;

	call->result = in_region((uint64_t)call->args[1]) ? -EINVAL_ :
		agent_call(NR_shmat, call->args[0], call->args[1], call->args[2], 0, 0, 0);
	if (call->result >= 0 || call->result < -4095)
		len = segment_len(call->args[0]);
	if (len)
		object = mapped_hold(SYSV_DEV, (uint64_t)call->args[0], len, MAPPED_CHANGES);
	process()->has_shared |= len != 0;
	log_segment(thread, call, len);
	enter_segment(call, object, len);
	if (object)
		pages_mapped(thread, object);
}

static void sys_shmat(struct thread *thread, struct call *call)
{
	if (agent_replays())
		replay_shmat(thread, call);
	else
		record_shmat(thread, call);
	call_set_result(thread, call->result);
}

/* As the kernel does: what is still mapped of the attachment that began at @at. */
static void detach_segment(uint64_t at)
{
	const struct mapped_range *first = mapped_at(at);
	struct mapped_object *object = first ? mapped_object_of(first) : NULL;
	uint64_t end, next = at;

	if (!object || object->dev != SYSV_DEV)
		return;
	end = at + ALIGN_UP(object->size, (uint64_t)PAGE);
	while (next < end) {
		const struct mapped_range *range = mapped_next(next);
		uint64_t from, len;
		bool ours;

		if (!range || range->start >= end)
			break;
		from = MAX(range->start, next);
		next = MIN(range->end, end);
		len = next - from;
		ours = mapped_object_of(range) == object && range->start - range->offset == at;
		if (ours && agent_replays())
			(void) agent_syscall(NR_munmap, from, len);
		if (ours)
			mapped_remove(from, len);
	}
}

static void sys_shmdt(struct thread *thread, struct call *call)
{
	pages_will_change((uint64_t)call->args[0], PAGE);
	if (!agent_replays())
		call->result = agent_call(NR_shmdt, call->args[0], 0, 0, 0, 0, 0);
	call_finish(thread, call);
	if (call->result == 0)
		detach_segment((uint64_t)call->args[0]);
}

/* Without protection keys (pkey_alloc is refused) it is mprotect. */
static void sys_pkey_mprotect(struct thread *thread, struct call *call)
{
	bool refused = (int32_t)call->args[3] != -1 ||
		       range_is_ours((uint64_t)call->args[0], (uint64_t)call->args[1]);

	pages_will_change((uint64_t)call->args[0], (uint64_t)call->args[1]);
	if (!refused)
		stubs_at_mprotect((uint64_t)call->args[0], (uint64_t)call->args[1], call->args[2]);
	if (refused)
		call->result = -EINVAL_;
	else if (!agent_replays())
		call->result = agent_call(NR_mprotect, call->args[0], call->args[1], call->args[2], 0, 0, 0);
	call_finish(thread, call);
	if (agent_replays() && !refused)
		(void) agent_call(NR_mprotect, call->args[0], call->args[1], call->args[2], 0, 0, 0);
	if (call->result == 0)
		pages_protected((uint64_t)call->args[0], (uint64_t)call->args[1], (uint32_t)call->args[2]);
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
