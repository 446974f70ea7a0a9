/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * changes - calls that change files which are mapped
 *
 * What write(2) and its like do to a file shows in its mappings at once. The event of such
 * a call says where in the file it wrote; replay does it again, with the bytes that the
 * program gives to the call, or with bytes from the log where they come from elsewhere
 * (hazard 29).
 */
#include "recorder/agent/agent.h"

enum {
	SEEK_CUR_ = 1,
	F_GETFL_ = 3, O_ACCMODE_ = 3, O_TRUNC_ = 01000, O_APPEND_ = 02000, RWF_APPEND_ = 0x10,
	FALLOC_KEEP_SIZE = 1, FALLOC_PUNCH_HOLE = 2, FALLOC_ZERO_RANGE = 0x10, FALLOC_UNSHARE = 0x40,
	S_IFMT_ = 0170000, S_IFREG_ = 0100000,
	MAX_IOV = 1024,
	KEEPS_BATON_MAX = 16 << 20, /* larger writes take long: other threads may go on */
};
#define FICLONE_ 0x40049409
#define FICLONERANGE_ 0x4020940d
#define LOGGED_MAX (UINT64_C(256) << 20)

/* What kind of call it is. */
enum changer {
	CHANGES_NOTHING = 0,
	WRITES = CHANGER_WRITES, /* the program's bytes, at the file's position */
	WRITES_AT,		/* at the offset in argument 3 */
	COPIES,			/* bytes from elsewhere, at the position */
	COPIES_TO,		/* at the offset that argument 3 points at, or the position */
	RESIZES,
	ALLOCATES,
	CLONES,
	OPENS,
};

const uint8_t file_changers[N_SYSCALLS] = {
	[NR_write] = WRITES, [NR_writev] = WRITES,
	[NR_pwrite64] = WRITES_AT, [NR_pwritev] = WRITES_AT, [NR_pwritev2] = WRITES_AT,
	[NR_sendfile] = COPIES, [NR_splice] = COPIES_TO, [NR_copy_file_range] = COPIES_TO,
	[NR_ftruncate] = RESIZES, [NR_truncate] = RESIZES, [NR_fallocate] = ALLOCATES, [NR_ioctl] = CLONES,
	[NR_open] = OPENS, [NR_openat] = OPENS, [NR_openat2] = OPENS, [NR_creat] = OPENS,
};

static enum changer changer(const struct call *call)
{
	uint32_t request = (uint32_t)call->args[1];

	if (call->nr == NR_ioctl && request != FICLONE_ && request != FICLONERANGE_)
		return CHANGES_NOTHING;
	return (enum changer)file_changers[call->nr];
}

/* The file that it changes; behind the call for those that open one. */
static bool target(const struct call *call, enum changer what, struct stat64 *st, long *ret_fd)
{
	long r;

	*ret_fd = what == COPIES_TO ? call->args[2] : what == OPENS ? call->result : call->args[0];
	if (call->nr == NR_truncate) {
		*ret_fd = -1;
		r = agent_syscall(NR_stat, call->args[0], st);
	} else {
		if (descriptor_is_plain(this_thread(), *ret_fd))
			return false;
		r = agent_syscall(NR_fstat, *ret_fd, st);
		if (r == 0)
			descriptor_note_kind(*ret_fd, st->dev, st->mode);
	}
	return r == 0 && (st->mode & S_IFMT_) == S_IFREG_;
}

static bool is_vector(const struct call *call)
{
	return call->nr == NR_writev || call->nr == NR_pwritev || call->nr == NR_pwritev2;
}

/* How many bytes it would write. */
static uint64_t asked(const struct call *call)
{
	struct iovec64 iov;
	uint64_t len = 0;

	if (!is_vector(call))
		return (uint64_t)call->args[call->nr == NR_copy_file_range ? 4 : 2];
	for (uint64_t i = 0; i < (uint64_t)call->args[2] && i < MAX_IOV; i++) {
		if (!copy_from_user(&iov, (uint64_t)call->args[1] + i * sizeof(iov), sizeof(iov)))
			break;
		len = MAX(len, len + iov.len);
	}
	return len;
}

static bool appends(const struct call *call, long fd)
{
	return (agent_syscall(NR_fcntl, fd, F_GETFL_) & O_APPEND_) ||
	       (call->nr == NR_pwritev2 && (call->args[5] & RWF_APPEND_));
}

static bool goes_to_position(const struct call *call, enum changer what)
{
	return what == WRITES || what == COPIES || (what == COPIES_TO && call->change.offset == UINT64_MAX) ||
	       (call->nr == NR_pwritev2 && call->args[3] == -1);
}

/*
 * The call changes memory that others share, at most these pages: whoever has one may take a
 * snapshot, which mustn't show what this process does.
 */
static void will_change(struct call *call, enum changer what, long fd, const struct stat64 *st,
			struct mapped_object *object)
{
	uint64_t begin = 0, len = UINT64_MAX;

	if (what == RESIZES) {
		begin = MIN(st->size, (uint64_t)call->args[1]);
	} else if (what == ALLOCATES) {
		begin = (uint64_t)call->args[2];
	} else if (what != CLONES) {
		len = asked(call);
		begin = appends(call, fd)		 ? st->size :
			goes_to_position(call, what) ? (uint64_t)agent_syscall(NR_lseek, fd, 0, SEEK_CUR_) :
			what == COPIES_TO		 ? call->change.offset :
							   (uint64_t)call->args[3];
	}
	call->changes_object = object;
	call->changes_page = begin / PAGE;
	call->n_changes_pages = len / PAGE + 2;
}

void changer_begins(struct call *call)
{
	enum changer what = changer(call);
	struct mapped_object *object;
	struct stat64 st;
	long fd;

	if (what == CHANGES_NOTHING || what == OPENS || passing())
		return;
	/* The kernel will have moved it. */
	if (what == COPIES_TO && call->args[3] &&
	    !copy_from_user(&call->change.offset, (uint64_t)call->args[3], sizeof(uint64_t)))
		return;
	object = target(call, what, &st, &fd) ? mapped_find(st.dev, st.ino) : NULL;
	if (!object) {
		call->changes_unmapped = true;
		call->change_inserted = process()->n_inserted;
		return;
	}
	if (object->flags & MAPPED_HANDED)
		will_change(call, what, fd, &st, object);
	/* They may wait for what they read. */
	if (what == COPIES || call->nr == NR_splice)
		return;
	if ((what == WRITES || what == WRITES_AT || what == COPIES_TO) &&
	    asked(call) > KEEPS_BATON_MAX)
		return;
	call->yields = call->keeps = false;
}

/* Where its first byte went. */
static uint64_t written_at(const struct call *call, enum changer what, long fd, uint64_t size)
{
	uint64_t len = (uint64_t)call->result;

	if (goes_to_position(call, what))
		return (uint64_t)agent_syscall(NR_lseek, fd, 0, SEEK_CUR_) - len;
	if (what == COPIES_TO)
		return call->change.offset;
	if (appends(call, fd))
		return size - len;
	return (uint64_t)call->args[3];
}

static void allocated(const struct call *call, struct event_file *change)
{
	long mode = call->args[1];

	change->kind = FILE_SIZE;
	if ((mode & ~(long)(FALLOC_KEEP_SIZE | FALLOC_UNSHARE)) == 0)
		return;
	change->offset = (uint64_t)call->args[2];
	change->len = (uint64_t)call->args[3];
	change->kind = FILE_ZEROES;
	if (mode & (FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE))
		return;
	change->len = MAX(change->size, change->offset) - change->offset;
	change->kind = FILE_BYTES;
}

static void cloned(struct event_file *change)
{
	change->kind = FILE_BYTES;
	change->offset = 0;
	change->len = change->size;
}

/* Bytes that aren't mapped needn't be known: whoever maps them later logs them then. */
static void clip_to_mappings(struct event_file *change, const struct mapped_object *object)
{
	const struct agent_process *p = process();
	uint64_t begin = UINT64_MAX, end = 0;

	for (uint32_t i = 0; i < p->n_ranges; i++) {
		const struct mapped_range *range = &p->ranges[i];

		if (&p->objects[range->object] != object)
			continue;
		begin = MIN(begin, range->offset);
		end = MAX(end, range->offset + (range->end - range->start));
	}
	begin = MAX(begin, change->offset);
	end = MIN(end, MIN(change->offset + change->len, change->size));
	change->offset = begin;
	change->len = begin < end ? end - begin : 0;
	if (change->len > LOGGED_MAX) {
		note_refused(NR_mmap);
		change->len = 0;
	}
}

/* A shared mapping that begins at @offset of the object or before, for a file that can't be read. */
static uint64_t shared_address(const struct mapped_object *object, uint64_t offset)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_ranges; i++) {
		const struct mapped_range *range = &p->ranges[i];

		if (&p->objects[range->object] == object && (range->flags & MAPPED_SHARED) &&
		    offset - range->offset < range->end - range->start)
			return range->start + (offset - range->offset);
	}
	return 0;
}

/* What was opened, and by most calls it is seen for what. */
static bool may_be_written(const struct call *call)
{
	long flags;

	if (call->nr == NR_open || call->nr == NR_openat)
		flags = call->args[call->nr == NR_open ? 1 : 2];
	else
		flags = agent_syscall(NR_fcntl, call->result, F_GETFL_);
	return flags >= 0 && (flags & (O_ACCMODE_ | O_TRUNC_)) != 0;
}

void changer_ends(struct call *call)
{
	enum changer what = changer(call);
	struct event_file *change = &call->change;
	struct mapped_object *object;
	struct stat64 st;
	long fd;

	if (what == CHANGES_NOTHING || passing() || call->result < 0 ||
	    (call->changes_unmapped && call->change_inserted == process()->n_inserted))
		return;
	if ((what == OPENS && !may_be_written(call)) || !target(call, what, &st, &fd))
		return;
	object = mapped_find(st.dev, st.ino);
	if (!object || (call->result == 0 && (what == WRITES || what == WRITES_AT ||
					      what == COPIES || what == COPIES_TO)))
		return;
	change->dev = st.dev;
	change->ino = st.ino;
	change->size = st.size;
	change->kind = FILE_SIZE;
	call->change_fd = fd;
	if (what == ALLOCATES) {
		allocated(call, change);
	} else if (what == CLONES) {
		cloned(change);
	} else if (what != RESIZES && what != OPENS) {
		change->offset = written_at(call, what, fd, st.size);
		change->len = (uint64_t)call->result;
		/* Without the baton others may have changed the buffers meanwhile. */
		change->kind = (what == WRITES || what == WRITES_AT) && !call->yields ? FILE_BUFFERS :
										       FILE_BYTES;
	}
	if (change->kind == FILE_BYTES) {
		clip_to_mappings(change, object);
		call->change_address = shared_address(object, change->offset);
	}
	mapped_changes(object);
	mapped_resize(object, st.size);
}

void change_log(struct thread *thread, const struct call *call)
{
	const struct event_file *change = &call->change;

	log_add(thread, change, sizeof(*change));
	if (change->kind == FILE_BYTES)
		mapped_log_bytes(thread, call->change_fd, call->change_address, change->offset,
				 change->len);
}

/* -- replay ---------------------------------------------------------------------------------- */

/* The first @len bytes that the call's buffers have. */
static void write_buffers(const struct call *call, int fd, uint64_t offset, uint64_t len)
{
	struct iovec64 iov = { (uint64_t)call->args[1], len };
	uint64_t i = 0;

	while (len) {
		uint64_t n;

		if (is_vector(call) &&
		    !copy_from_user(&iov, (uint64_t)call->args[1] + i * sizeof(iov), sizeof(iov)))
			return;
		n = MIN(iov.len, len);
		(void) agent_syscall(NR_pwrite64, fd, iov.base, n, offset);
		offset += n;
		len -= n;
		i++;
	}
}

bool change_replay(struct thread *thread, const struct call *call)
{
	struct mapped_object *object;
	struct event_file change;

	if (!replay_read(thread, &change, sizeof(change)))
		return false;
	object = mapped_find(change.dev, change.ino);
	if (!object)
		return false;
	mapped_changes(object);
	mapped_resize(object, change.size);
	switch (change.kind) {
	case FILE_BUFFERS:
		if (object->fd >= 0)
			write_buffers(call, object->fd, change.offset, change.len);
		return true;
	case FILE_ZEROES:
		if (object->fd >= 0)
			(void) agent_syscall(NR_fallocate, object->fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE,
					     change.offset, change.len);
		return true;
	case FILE_BYTES:
		return mapped_replay_bytes(thread, object->fd, change.offset, change.len);
	default:
		return true;
	}
}
