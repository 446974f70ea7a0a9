/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pages-shared - which memory is shared: what forks, mappings and their changes do to its pages */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	MAP_SHARED_ = 1, MAP_FIXED_ = 0x10, MAP_NORESERVE_ = 0x4000,
	OPENING_LOOK_NS = 10000000, OPENING_LOOKS = 100,
};

static bool is_shared_writable(const struct mapped_object *object)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_ranges; i++)
		if (mapped_object_of(&p->ranges[i]) == object &&
		    (p->ranges[i].flags & (MAPPED_SHARED | MAPPED_READ_ONLY)) == MAPPED_SHARED)
			return true;
	return false;
}

/* What a forked child has none of. */
static bool is_shared(const struct mapped_object *object)
{
	return object->n_ranges && ((object->flags & MAPPED_HANDED) || is_shared_writable(object));
}

bool pages_are_shared(void)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_objects; i++)
		if (is_shared(&p->objects[i]))
			return true;
	return false;
}

bool pages_want_directory(void)
{
	return !process()->member && pages_are_shared();
}

/* Into the directory; whoever was there has the pages. False: there is no room. */
static bool enter(struct mapped_object *object, bool may_be_new, bool *ret_new)
{
	uint64_t n_pages = pages_of(object);

	object->entry = directory_enter(object->dev, object->ino, n_pages, may_be_new, ret_new);
	return object->entry != 0;
}

/*
 * A child has what its parent has of memory that is shared by turns. Where children before it got
 * many pages one by one, the parent gets those now, for all to come: half as many as were got since
 * it did so last, so whoever forks for something else doesn't pay more for that than others did; and
 * only what the log has room for: it isn't worth waiting for the recorder.
 */
static void gather(struct thread *thread)
{
	enum { MOST = 1024 };	/* some 2 ms */
	struct agent_process *p = process();
	uint64_t fetches = load_relaxed(&directory()->turn_fetches), n;

	p->fetches_seen = MIN(p->fetches_seen, fetches);
	n = MIN(MIN((fetches - p->fetches_seen) / 2, log_room() / 2 / PAGE), (uint64_t)MOST);
	for (uint32_t i = 0; n && i < p->n_objects; i++)
		if (p->objects[i].n_ranges && (p->objects[i].flags & MAPPED_BY_TURNS)) {
			uint64_t got = pages_gather(thread, &p->objects[i], n);

			p->fetches_seen += 2 * got;
			n -= got;
		}
}

bool pages_before_fork(struct thread *thread)
{
	struct agent_process *p = process();
	bool any = false, is_new;

	if (p->member) {
		gather(thread);
		/* The child knows what is there now: what becomes of that, if only what it was before, is a change. */
		turn_publishes();
	}
	for (uint32_t i = 0; i < p->n_objects; i++) {
		struct mapped_object *object = &p->objects[i];

		if (!is_shared(object))
			continue;
		if (!p->member || (!object->entry && !enter(object, true, &is_new)))
			return false;
		any = true;
	}
	return any && directory_new_child();
}

static void copy_held(struct thread *thread, const struct mapped_object *object, int from, int to)
{
	enum { PIECE = 65536 };
	uint8_t *piece = call_scratch(thread, PIECE);
	uint64_t end;
	long n;

	for (uint64_t page = pages_held_run(object, 0, &end); piece && page < end; page = pages_held_run(object, end, &end))
		for (uint64_t at = page * PAGE; at < end * PAGE; at += (uint64_t)n) {
			n = agent_syscall(NR_pread64, from, piece, MIN(end * PAGE - at, (uint64_t)PIECE), at);
			if (n <= 0)	/* behind its end */
				break;
			(void) agent_syscall(NR_pwrite64, to, piece, n, at);
		}
}

/* Replay: the parent's replay goes on with its own memory. */
static void replace_memory(struct thread *thread, struct mapped_object *object)
{
	const struct agent_process *p = process();
	uint64_t size = MAX(object->size, pages_of(object) * PAGE);
	int parents = object->fd;

	object->fd = mapped_memory(thread, size);
	if (parents >= 0 && (object->flags & MAPPED_BY_TURNS))
		copy_held(thread, object, parents, object->fd);
	for (uint32_t i = 0; i < p->n_ranges; i++) {
		const struct mapped_range *range = &p->ranges[i];

		if (mapped_object_of(range) == object && (range->flags & MAPPED_SHARED))
			(void) agent_call(NR_mmap, (long)range->start, (long)(range->end - range->start), 0,
					  MAP_SHARED_ | MAP_FIXED_ | MAP_NORESERVE_, object->fd,
					  (long)range->offset);
	}
}

/* Those that the child can't have, which are all but what it has by turns, as its parent. */
static bool drop_in_child(struct mapped_object *object)
{
	uint64_t end;

	if (!(object->flags & MAPPED_BY_TURNS))
		return pages_drop(object, 0, object->n_pages);
	for (uint64_t page = pages_held_run(object, 0, &end); agent_replays() && page < end;
	     page = pages_held_run(object, end, &end))
		(void) pages_protect(object, page, end - page, ACCESS_FULL);
	return true;
}

void pages_in_child(struct thread *thread)
{
	struct agent_process *p = process();
	/* That of the parent, whose memory this is a copy of. */
	bool inherits = p->takes_turns && !agent_replays();

	turn_forget();
	if (!agent_replays() && !directory_be_child()) {
		if (p->n_handed)
			pages_go_on_open();
		return;
	}
	for (uint32_t i = 0; i < p->n_objects; i++) {
		struct mapped_object *object = &p->objects[i];

		if (!is_shared(object))
			continue;
		if (!pages_begin_handing(object, pages_of(object))) {
			pages_go_on_open();
			return;
		}
		if (agent_replays())
			replace_memory(thread, object);
		if (!drop_in_child(object) && !agent_replays())
			pages_go_on_open();
	}
	if (inherits && p->member)
		turn_inherits();
}

void pages_mapped(struct thread *thread, struct mapped_object *object)
{
	struct agent_process *p = process();
	bool is_new = false;

	if (object->flags & MAPPED_BY_TURNS)
		turn_seals();
	for (uint64_t page = 0; (object->flags & MAPPED_HANDED) && page < object->n_pages; page++)
		if (!pages_held(object, page))
			(void) pages_protect(object, page, 1, ACCESS_NONE);
		else if (object->flags & MAPPED_BY_TURNS)
			(void) pages_protect(object, page, 1, ACCESS_READ);
	if (object->entry && !agent_replays() && p->member)
		directory_reaches(object->entry, pages_of(object));
	if (agent_replays() || passing() || !p->member || object->entry ||
	    !enter(object, is_shared_writable(object), &is_new) || is_new)
		return;
	/* Others have it already, and so all of its pages. */
	if (!log_begin(thread, EVENT_PAGE_OUT, EVENT_AT_EXIT, 0, 0, 0))
		return;
	pages_log_out(thread, object, 0, pages_of(object));
	log_end(thread);
	if (!pages_begin_handing(object, pages_of(object)) || !pages_drop(object, 0, object->n_pages))
		pages_go_on_open();
}

void pages_will_change(uint64_t start, uint64_t len)
{
	uint64_t end = start + ALIGN_UP(len, (uint64_t)PAGE);
	const struct mapped_range *range;

	if (agent_replays() || !process()->takes_turns)
		return;
	for (range = mapped_next(start); range && range->start < end; range = mapped_next(range->end))
		if (mapped_object_of(range)->flags & MAPPED_BY_TURNS) {
			turn_seals();
			return;
		}
}

/* What the agent lets the program do with a page of @range for the time being. */
static enum page_access access_now(const struct mapped_range *range, uint64_t page)
{
	const struct mapped_object *object = mapped_object_of(range);

	if (!(range->flags & MAPPED_SHARED))
		return ACCESS_FULL;
	if (!pages_held(object, page))
		return ACCESS_NONE;
	return object->flags & MAPPED_BY_TURNS ? ACCESS_READ : ACCESS_FULL;
}

void pages_protected(uint64_t start, uint64_t len, uint32_t prot)
{
	uint64_t end = start + ALIGN_UP(len, (uint64_t)PAGE), to;
	struct mapped_range *range;

	mapped_set_prot(start, len, prot);
	if (!process()->n_handed)
		return;
	for (uint64_t at = start; (range = mapped_next(at)) != NULL && range->start < end; at = range->end) {
		for (at = MAX(at, range->start); at < MIN(range->end, end); at = to) {
			uint64_t page = (range->offset + (at - range->start)) / PAGE;
			enum page_access access = access_now(range, page);

			for (to = at + PAGE; to < MIN(range->end, end) && access_now(range, ++page) == access;)
				to += PAGE;
			if (access != ACCESS_FULL)
				(void) agent_syscall(NR_mprotect, at, to - at, pages_protection(range, access));
		}
	}
}

static bool some_are_by_turns(void)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_objects; i++)
		if (p->objects[i].n_ranges && (p->objects[i].flags & MAPPED_BY_TURNS))
			return true;
	return false;
}

void pages_released(struct mapped_object *object)
{
	if (object->entry && process()->member)
		directory_forget(object->entry);
	object->entry = 0;
	if (!(object->flags & MAPPED_HANDED))
		return;
	pages_end_handing(object);
	if (!agent_replays() && process()->takes_turns && !some_are_by_turns()) {
		turn_end(false);
		turn_forget();
		unplace();
	}
}

void pages_open(void)
{
	enum { CLOSED, OPENING, OPEN };
	struct agent_process *p = process();

	if (agent_replays() || !p->owner)
		return;
	if (!compare_exchange(&p->pages_open, CLOSED, OPENING)) {
		for (uint32_t i = 0; load_acquire(&p->pages_open) == OPENING && i < OPENING_LOOKS; i++)
			futex_wait(&p->pages_open, OPENING, OPENING_LOOK_NS);
		return;
	}
	if (p->member)
		directory_lose();
	for (uint32_t i = 0; i < p->n_ranges; i++) {
		const struct mapped_range *range = &p->ranges[i];

		if ((range->flags & MAPPED_SHARED) && (mapped_object_of(range)->flags & MAPPED_HANDED))
			(void) agent_syscall(NR_mprotect, range->start, range->end - range->start,
					     pages_program_prot(range));
	}
	unplace();
	directory_leave();
	store_release(&p->pages_open, OPEN);
	futex_wake(&p->pages_open, INT32_MAX);
}
