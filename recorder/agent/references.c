/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * references - large reads of files that can't change
 *
 * What was read of such a file needn't be in the log: it is enough to say where in which file it
 * is. Whether a file can't change is the recorder's to say, and it says so only of one that it has
 * opened, and keeps as long as the log refers to it; so the agent asks, and logs the bytes until it
 * has the answer. That a descriptor is of this very file it asks the kernel, before the call and
 * behind it, and by whose hands none has become another in between, descriptors.c knows. Where
 * the bytes are in the file, the position says, if it has moved by as much as was read.
 *
 * Should all that be deceived, as by two processes that move one position to and fro, or by who
 * writes to the disk behind the file system's back, the hash of what the program has got tells, and
 * the replay says which file isn't what it was.
 *
 * All of it needs the baton.
 */
#include "recorder/agent/agent.h"

enum {
	PIECE = 4096, REPLAY_PIECE = 32 << 10,
	S_IFMT_ = 0170000, S_IFREG_ = 0100000, SEEK_CUR_ = 1,
};

static bool is_read(const struct call *call)
{
	return call->nr == NR_read || call->nr == NR_pread64 || call->nr == NR_readv || call->nr == NR_preadv ||
	       call->nr == NR_preadv2;
}

/* At the file's position, which moves, and not where the call says. */
static bool moves(const struct call *call)
{
	return call->nr == NR_read || call->nr == NR_readv || (call->nr == NR_preadv2 && call->args[3] == -1);
}

static uint64_t capacity(const struct call *call)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < call->n_spans; i++)
		sum += MIN(call->spans[i].capacity, (uint64_t)1 << 32);
	return sum;
}

/* -- asking ------------------------------------------------------------------------------------ */

static bool is_of(const struct read_file *file, const struct stat64 *st)
{
	return file->ino == st->ino && file->dev == st->dev && file->size == st->size &&
	       file->mtime_ns == st->mtime * 1000000000 + st->mtime_nsec;
}

static struct read_file *find(const struct stat64 *st)
{
	struct read_file *files = shared()->read_files;

	for (unsigned i = 0; i < MAX_READ_FILES; i++)
		if (load_acquire(&files[i].state) != READ_FILE_NONE && is_of(&files[i], st))
			return &files[i];
	return NULL;
}

/* A place that isn't the recorder's; those that it has refused say so as long as they can. */
static struct read_file *find_place(void)
{
	struct read_file *files = shared()->read_files, *found = NULL;

	for (unsigned i = 0; i < MAX_ASKED_FILES; i++) {
		uint32_t state = load_acquire(&files[i].state);

		if (state == READ_FILE_NONE || state == READ_FILE_LEFT)
			return &files[i];
		if (state == READ_FILE_REFUSED)
			found = &files[i];
	}
	return found;
}

static void ask(long fd, const struct stat64 *st)
{
	struct read_file *file = find_place();

	if (!file)
		return;
	file->path_len = path_of(fd, shared()->read_file_paths[file - shared()->read_files], READ_FILE_PATH);
	file->dev = st->dev;
	file->ino = st->ino;
	file->size = st->size;
	file->mtime_ns = st->mtime * 1000000000 + st->mtime_nsec;
	store_release(&file->state, READ_FILE_ASKED);
	store_release(&shared()->n_read_files_asked, shared()->n_read_files_asked + 1);
	wake_recorder();
}

/* NULL: it isn't held, or not yet. */
static const struct read_file *held(long fd, const struct stat64 *st)
{
	struct read_file *file = find(st);

	switch (file ? load_acquire(&file->state) : READ_FILE_NONE) {
	case READ_FILE_HELD:
		return file;
	case READ_FILE_ASKED:
		break;
	case READ_FILE_CHANGES:	/* the recorder says so of its device, too */
		store_release(&file->state, READ_FILE_NONE);
		/* fallthrough */
	case READ_FILE_REFUSED:
		descriptor_note_changeable(fd);
		break;
	default:
		ask(fd, st);
	}
	return NULL;
}

/* -- recording --------------------------------------------------------------------------------- */

void reference_look(struct thread *thread, struct call *call)
{
	long fd = (int32_t)call->args[0], offset;
	const struct read_file *file;
	struct stat64 st;

	if (!is_read(call) || capacity(call) < REFERENCE_MIN || passing() || !descriptor_may_be_fixed(thread, fd) ||
	    agent_syscall(NR_fstat, fd, &st) < 0)
		return;
	descriptor_note_kind(fd, st.dev, st.mode);
	if ((st.mode & S_IFMT_) != S_IFREG_ || !descriptor_may_be_fixed(thread, fd))
		return;
	file = held(fd, &st);
	if (!file)
		return;
	offset = moves(call) ? agent_syscall(NR_lseek, fd, 0, SEEK_CUR_) : call->args[3];
	if (offset < 0)
		return;
	call->reference_changes = process()->descriptor_changes;
	call->reference = (struct event_reference){ .dev = file->dev, .ino = file->ino, .size = file->size,
						    .mtime_ns = file->mtime_ns, .offset = (uint64_t)offset };
}

/* Is it the file still, and held, and was it read from where it was to be? */
static bool is_certain(const struct call *call)
{
	const struct event_reference *reference = &call->reference;
	long fd = (int32_t)call->args[0], len = call->result;
	const struct read_file *file;
	struct stat64 st;

	if (len < REFERENCE_MIN || (uint64_t)len > capacity(call) || reference->offset > reference->size ||
	    (uint64_t)len > reference->size - reference->offset ||
	    call->reference_changes != process()->descriptor_changes || agent_syscall(NR_fstat, fd, &st) < 0)
		return false;
	if (moves(call) && agent_syscall(NR_lseek, fd, 0, SEEK_CUR_) != (long)reference->offset + len)
		return false;
	file = find(&st);
	return file && file->ino == reference->ino && file->dev == reference->dev &&
	       load_acquire(&file->state) == READ_FILE_HELD;
}

/* What others may write to meanwhile is logged as it is. */
static bool is_private(const struct call *call)
{
	for (uint32_t i = 0; i < call->n_spans; i++) {
		uint64_t end = call->spans[i].user + call->spans[i].capacity;
		const struct mapped_range *range = mapped_next(call->spans[i].user);

		for (; range && range->start < end; range = mapped_next(range->end))
			if (range->flags & MAPPED_SHARED)
				return false;
	}
	return true;
}

bool reference_log(struct thread *thread, const struct call *call)
{
	struct event_reference reference = call->reference;
	uint8_t *piece = call_scratch(thread, PIECE);

	if (passing() || !piece || !is_private(call) || !is_certain(call) ||
	    !hash_spans(call, (uint64_t)call->result, piece, PIECE, &reference.xxh64))
		return false;
	if (log_begin(thread, EVENT_SYSCALL, EVENT_REFERENCE, (unsigned)call->nr, call->check, call->result)) {
		log_add(thread, &reference, sizeof(reference));
		log_end(thread);
	}
	return true;
}

/* -- replay ------------------------------------------------------------------------------------ */

/* From the file to the program. False: the file has less. */
static bool fill(const struct call *call, int fd, uint64_t offset, uint8_t *piece)
{
	uint64_t left = (uint64_t)call->result;

	for (uint32_t i = 0; i < call->n_spans && left; i++) {
		uint64_t len = MIN(left, call->spans[i].capacity);

		left -= len;
		for (uint64_t done = 0; done < len;) {
			size_t n = MIN(len - done, (uint64_t)REPLAY_PIECE);

			if (agent_syscall(NR_pread64, fd, piece, n, offset) != (long)n)
				return false;
			/* What couldn't be written then wasn't read, or can't be now. */
			(void) copy_to_user(call->spans[i].user + done, piece, n);
			done += n;
			offset += n;
		}
	}
	return left == 0;
}

bool reference_replay(struct thread *thread, const struct call *call)
{
	uint8_t *piece = call_scratch(thread, REPLAY_PIECE);
	struct event_reference reference;
	uint64_t xxh64 = 0;
	int fd;

	if (!piece || !replay_read(thread, &reference, sizeof(reference)) || call->result < 0)
		return false;
	fd = replay_file(reference.dev, reference.ino, reference.size, reference.mtime_ns);
	if (fd < 0) {
		shared()->missing_file = (struct event_mapping){ .dev = reference.dev, .ino = reference.ino,
								 .size = reference.size,
								 .mtime_ns = reference.mtime_ns };
		return false;
	}
	if (fill(call, fd, reference.offset, piece) &&
	    hash_spans(call, (uint64_t)call->result, piece, REPLAY_PIECE, &xxh64) && xxh64 == reference.xxh64)
		return true;
	shared()->wrong_read = reference;
	return false;
}
