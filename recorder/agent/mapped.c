/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped - which files are mapped where, and what is in their place in replay
 *
 * A file that is mapped twice is one memory; what is written to it by a call shows in its
 * mappings; behind its end there is SIGBUS; a private mapping that is given back shows it
 * again. So replay has one memfd for each such file, of its size, and maps that. Recording
 * keeps the same table, to know which calls change what is mapped.
 *
 * All of it needs the baton. In MODE_PASS there is none, and the table isn't touched.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	PIECE = 32 << 10,
	MFD_CLOEXEC_ = 1,
	FALLOC_KEEP_SIZE = 1, FALLOC_PUNCH_HOLE = 2,
};

static bool table_is_ours(void)
{
	return agent_replays() || !passing();
}

/* -- objects ------------------------------------------------------------------------------- */

struct mapped_object *mapped_find(uint64_t dev, uint64_t ino)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_objects; i++)
		if (p->objects[i].n_ranges && p->objects[i].ino == ino && p->objects[i].dev == dev)
			return &p->objects[i];
	return NULL;
}

static struct mapped_object *new_object(uint64_t dev, uint64_t ino)
{
	struct agent_process *p = process();
	uint32_t i = 0;

	while (i < p->n_objects && p->objects[i].n_ranges)
		i++;
	if (i == MAX_MAPPED_OBJECTS) {
		note_refused(NR_mmap);
		return NULL;
	}
	if (i == p->n_objects)
		p->n_objects++;
	p->objects[i] = (struct mapped_object){ .dev = dev, .ino = ino, .fd = -1 };
	return &p->objects[i];
}

static void release(struct mapped_object *object)
{
	struct agent_process *p = process();

	if (--object->n_ranges)
		return;
	pages_released(object);
	if (agent_replays() && object->fd >= 0)
		(void) agent_syscall(NR_close, object->fd);
	object->fd = -1;
	while (p->n_objects && !p->objects[p->n_objects - 1].n_ranges)
		p->n_objects--;
}

void mapped_changes(struct mapped_object *object)
{
	object->flags |= MAPPED_CHANGES;
	/* Not the snapshot's child alone has it: the recorder reads it while nobody writes. */
	process()->has_changing = 1;
}

struct mapped_object *mapped_hold(uint64_t dev, uint64_t ino, uint64_t size, uint32_t flags)
{
	struct mapped_object *object;

	if (!table_is_ours())
		return NULL;
	object = mapped_find(dev, ino);
	if (!object)
		object = new_object(dev, ino);
	if (!object)
		return NULL;
	object->n_ranges++;
	if (flags & MAPPED_CHANGES)
		mapped_changes(object);
	mapped_resize(object, size);
	return object;
}

struct mapped_object *mapped_object_of(const struct mapped_range *range)
{
	return &process()->objects[range->object];
}

/* -- devices ----------------------------------------------------------------------------------- */

/* When there are too many the last place grows: more than devices is taken for one then. */
void mapped_device(uint64_t start, uint64_t len)
{
	struct agent_process *p = process();
	struct agent_range *last = &p->devices[MAX_DEVICES - 1];
	uint64_t end = start + ALIGN_UP(len, (uint64_t)PAGE);

	if (!table_is_ours())
		return;
	for (uint64_t i = 0; i < p->n_devices; i++)
		if (p->devices[i].start <= start && end <= p->devices[i].end)
			return;
	if (p->n_devices < MAX_DEVICES)
		p->devices[p->n_devices++] = (struct agent_range){ start, end };
	else
		*last = (struct agent_range){ MIN(last->start, start), MAX(last->end, end) };
}

static void forget_devices(uint64_t start, uint64_t end)
{
	struct agent_process *p = process();

	for (uint64_t i = p->n_devices; i-- > 0;)
		if (p->devices[i].start >= start && p->devices[i].end <= end)
			p->devices[i] = p->devices[--p->n_devices];
}

bool mapped_is_device(uint64_t start, uint64_t len)
{
	const struct agent_process *p = process();

	for (uint64_t i = 0; i < p->n_devices; i++)
		if (start < p->devices[i].end && start + len > p->devices[i].start)
			return true;
	return false;
}

/* -- ranges ---------------------------------------------------------------------------------- */

/* The index of the first range that ends behind @address. */
static uint32_t first_behind(uint64_t address)
{
	const struct agent_process *p = process();
	uint32_t low = 0, high = p->n_ranges;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (p->ranges[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct mapped_range *mapped_next(uint64_t address)
{
	uint32_t i = first_behind(address);

	return table_is_ours() && i < process()->n_ranges ? &process()->ranges[i] : NULL;
}

struct mapped_range *mapped_at(uint64_t address)
{
	struct mapped_range *range = mapped_next(address);

	return range && range->start <= address ? range : NULL;
}

static void reaches(const struct mapped_range *range)
{
	struct agent_process *p = process();

	if (!(range->flags & MAPPED_SHARED))
		return;
	p->shared_start = p->shared_end ? MIN(p->shared_start, range->start) : range->start;
	p->shared_end = MAX(p->shared_end, range->end);
}

/* Takes over one of its object's n_ranges; nothing else is mapped there. */
static void insert(const struct mapped_range *range)
{
	struct agent_process *p = process();
	uint32_t i = first_behind(range->start);

	if (p->n_ranges == MAX_MAPPED_RANGES) {
		note_refused(NR_mmap);
		release(mapped_object_of(range));
		return;
	}
	for (uint32_t j = p->n_ranges++; j > i; j--)
		p->ranges[j] = p->ranges[j - 1];
	p->ranges[i] = *range;
	p->n_inserted++;
	reaches(range);
}

static void delete(uint32_t i)
{
	struct agent_process *p = process();
	struct mapped_object *object = mapped_object_of(&p->ranges[i]);

	p->n_ranges--;
	for (; i < p->n_ranges; i++)
		p->ranges[i] = p->ranges[i + 1];
	release(object);
}

static void cut_front(struct mapped_range *range, uint64_t start)
{
	range->offset += start - range->start;
	range->start = start;
}

void mapped_remove(uint64_t start, uint64_t len)
{
	struct agent_process *p = process();
	uint64_t end = start + ALIGN_UP(len, (uint64_t)PAGE);
	uint32_t i;

	if (!table_is_ours())
		return;
	forget_devices(start, end);
	on_fork_forget(start, len);
	i = first_behind(start);
	while (i < p->n_ranges && p->ranges[i].start < end) {
		struct mapped_range *range = &p->ranges[i], tail = *range;

		if (range->end > end)
			cut_front(&tail, end);
		if (range->start < start) {
			range->end = start;
			i++;
			if (tail.start == end) {
				mapped_object_of(&tail)->n_ranges++;
				insert(&tail);
			}
		} else if (tail.start == end) {
			*range = tail;
		} else {
			delete(i);
		}
	}
}

void mapped_insert(struct mapped_object *object, uint64_t start, uint64_t len, uint64_t offset,
		   uint32_t flags)
{
	const struct mapped_range range = {
		.start = start,
		.end = start + ALIGN_UP(len, (uint64_t)PAGE),
		.offset = offset,
		.object = (uint32_t)(object - process()->objects),
		.flags = flags,
	};

	mapped_remove(start, len);
	insert(&range);
}

/* What lies in [@from, @from + @len) is mapped from @to on, too. */
static void copy_ranges(uint64_t from, uint64_t len, uint64_t to)
{
	uint64_t end = from + len;

	for (uint64_t at = from; at < end; ) {
		struct agent_process *p = process();
		uint32_t i = first_behind(at);
		struct mapped_range copy;

		if (i == p->n_ranges || p->ranges[i].start >= end)
			break;
		copy = p->ranges[i];
		if (copy.start < at)
			cut_front(&copy, at);
		copy.end = MIN(copy.end, end);
		at = copy.end;
		copy.start += to - from;
		copy.end += to - from;
		mapped_object_of(&copy)->n_ranges++;
		insert(&copy);
	}
}

void mapped_move(uint64_t old, uint64_t old_len, uint64_t to, uint64_t len, bool keeps)
{
	bool device = mapped_is_device(old, 1);
	uint32_t on_fork = on_fork_at(old);
	struct mapped_range *range;

	if (!table_is_ours())
		return;
	len = ALIGN_UP(len, (uint64_t)PAGE);
	old_len = ALIGN_UP(old_len, (uint64_t)PAGE);
	if (to != old) {
		mapped_remove(to, len);
		/* An old length of 0 is a second mapping of what is shared. */
		copy_ranges(old, old_len ? MIN(old_len, len) : PAGE, to);
		if (old_len == 0)
			old_len = PAGE;
		else if (!keeps)
			mapped_remove(old, old_len);
	} else if (len < old_len) {
		mapped_remove(old + len, old_len - len);
	}
	range = len > old_len ? mapped_at(to + old_len - 1) : NULL;
	if (range && range->end == to + old_len) {
		range->end = to + len;
		reaches(range);
	}
	if (device)
		mapped_device(to, len);
	if (on_fork)
		on_fork_add(to, len, on_fork);
}

/* Its part in front of @at becomes a range of its own. */
static void split(uint64_t at)
{
	struct mapped_range *range = mapped_at(at), head;

	if (!range || range->start == at || process()->n_ranges == MAX_MAPPED_RANGES)
		return;
	head = *range;
	head.end = at;
	cut_front(range, at);
	mapped_object_of(&head)->n_ranges++;
	insert(&head);
}

void mapped_set_prot(uint64_t start, uint64_t len, uint32_t prot)
{
	struct agent_process *p = process();
	uint64_t end = start + ALIGN_UP(len, (uint64_t)PAGE);
	const uint32_t mask = (1u << MAPPED_PROT_SHIFT) - 1;

	if (!p->n_ranges || !table_is_ours())
		return;
	split(start);
	split(end);
	for (uint32_t i = first_behind(start); i < p->n_ranges && p->ranges[i].start < end; i++)
		if (p->ranges[i].start >= start && p->ranges[i].end <= end)
			p->ranges[i].flags = (p->ranges[i].flags & mask) | prot << MAPPED_PROT_SHIFT;
}

uint64_t mapped_unsealed(uint64_t start, uint64_t len)
{
	struct agent_process *p = process();

	for (uint32_t i = first_behind(start); i < p->n_ranges && p->ranges[i].start < start + len; i++)
		if (p->ranges[i].flags & MAPPED_READ_ONLY)
			return p->ranges[i].start > start ? p->ranges[i].start - start : 0;
	return len;
}

/* -- bytes: recording -------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static void log_run(struct thread *thread, uint64_t offset, const uint8_t *bytes, size_t len)
{
	const struct event_run run = { offset, len };

	log_add(thread, &run, sizeof(run));
	log_add(thread, bytes, len);
}

/* Of a piece, what isn't zero: pages, or parts of them at its ends. */
static void log_piece(struct thread *thread, uint64_t offset, const uint8_t *bytes, size_t len)
{
	size_t at = 0, begin = 0;

	while (at < len) {
		size_t n = MIN(PAGE - (offset + at) % PAGE, len - at);

		if (is_zero(bytes + at, n)) {
			if (at > begin)
				log_run(thread, offset + begin, bytes + begin, at - begin);
			begin = at + n;
		}
		at += n;
	}
	if (len > begin)
		log_run(thread, offset + begin, bytes + begin, len - begin);
}

void mapped_log_bytes(struct thread *thread, long fd, uint64_t address, uint64_t offset,
		      uint64_t len)
{
	static const struct event_run last;
	uint8_t *piece = call_scratch(thread, PIECE);

	for (uint64_t done = 0; piece && done < len; ) {
		size_t want = MIN(PIECE - (offset + done) % PAGE, len - done);
		long n = fd < 0 ? -1 : agent_syscall(NR_pread64, fd, piece, want, offset + done);

		if (n < 0 && address)
			n = (long)copy_user(piece, (const void *)(address + done), want);
		if (n <= 0)
			break;
		log_piece(thread, offset + done, piece, (size_t)n);
		done += (uint64_t)n;
	}
	log_add(thread, &last, sizeof(last));
}

/* -- bytes: replay ------------------------------------------------------------------------------- */

int mapped_memory(struct thread *thread, uint64_t size)
{
	long fd = agent_syscall(NR_memfd_create, "mapped", MFD_CLOEXEC_);

	while (fd < 0) {
		shared()->stop_address = context_of(thread)->regs[REG_RIP_];
		shared()->stop_signal = (uint32_t)-fd;
		replay_stop(thread, STOP_FAILED);
	}
	(void) agent_syscall(NR_ftruncate, fd, ALIGN_UP(size, (uint64_t)PAGE));
	return (int)fd;
}

int mapped_backing(struct thread *thread, struct mapped_object *object)
{
	if (object->fd < 0)
		object->fd = mapped_memory(thread, object->size);
	return object->fd;
}

/*
 * The memory ends with a page: a mapping shows the last one as a whole, and may hold bytes
 * behind the file's end.
 */
void mapped_resize(struct mapped_object *object, uint64_t size)
{
	uint64_t before = object->size;

	object->size = size;
	if (!agent_replays() || object->fd < 0)
		return;
	if (size < before)	/* they are zero from now on */
		(void) agent_syscall(NR_ftruncate, object->fd, size);
	(void) agent_syscall(NR_ftruncate, object->fd, ALIGN_UP(size, (uint64_t)PAGE));
}

bool mapped_replay_bytes(struct thread *thread, int fd, uint64_t offset, uint64_t len)
{
	uint8_t *piece = call_scratch(thread, PIECE);
	struct event_run run;

	if (fd >= 0 && len)
		(void) agent_syscall(NR_fallocate, fd, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE, offset, len);
	for (;;) {
		if (!piece || !replay_read(thread, &run, sizeof(run)))
			return false;
		if (run.len == 0)
			return true;
		for (uint64_t done = 0; done < run.len; ) {
			size_t n = MIN(PIECE, run.len - done);

			if (!replay_read(thread, piece, n))
				return false;
			if (fd >= 0)
				(void) agent_syscall(NR_pwrite64, fd, piece, n, run.offset + done);
			done += n;
		}
	}
}
