/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	PROT_WRITE_ = 2,
	SEGV_ACCERR_ = 2,
	FAULT_WRITES = 2,	/* in the error code of a page fault */
	FETCHES = 256, FETCHES_OF_A_RUN = 4,	/* so many, and so often: pages are shared by turns */
	UNTRACKED = 32,		/* pages that a call may write and more isn't kept track of */
};

/* -- recording: giving ------------------------------------------------------------------------------ */

void pages_go_on_open(void)
{
	go_pass();
	pages_open();
}

void pages_log_out(struct thread *thread, const struct mapped_object *object, uint64_t page, uint64_t n)
{
	const struct event_page_run run = { page, n, (uint32_t)(object - process()->objects), 0 };

	log_add(thread, &run, sizeof(run));
}

/*
 * Of one object: what was taken, and with @asked what is asked for, which is all if its pages are
 * shared by turns from now on. @began: the event is being written. Returns whether it is.
 */
static bool settle_object(struct thread *thread, struct mapped_object *object, unsigned flags, bool asked,
			  bool began)
{
	uint64_t n_pages = object->flags & MAPPED_HANDED ? object->n_pages : pages_of(object), end;
	bool all = asked && directory_by_turns(object->entry);

	if (object->flags & MAPPED_BY_TURNS)
		return began;
	for (uint64_t page = 0; page < n_pages; page = end) {
		end = page + 1;
		if (!(page % 64) && pages_none_of_64(object, page)) {
			end = page + 64;
			continue;
		}
		if (!pages_held(object, page) || (!all && !directory_gives(object->entry, page, asked)))
			continue;
		while (end < n_pages && pages_held(object, end) &&
		       (all || directory_gives(object->entry, end, asked)))
			end++;
		if (!began && !log_begin(thread, EVENT_PAGE_OUT, flags, 0, 0, 0))
			return false;
		began = true;
		pages_log_out(thread, object, page, end - page);
		if (!pages_begin_handing(object, n_pages) || !pages_drop(object, page, end - page)) {
			pages_go_on_open();
			return true;
		}
		for (uint64_t i = page; i < end; i++)
			directory_given(object->entry, i);
	}
	if (all) {
		object->flags |= MAPPED_BY_TURNS;
		directory_disown(object->entry);
	}
	return began;
}

static void settle(struct thread *thread, unsigned flags, bool asked)
{
	struct agent_process *p = process();
	bool began = false;

	if (passing())
		return;
	if (directory_is_lost()) {
		pages_go_on_open();
		return;
	}
	directory_attends();
	for (uint32_t i = 0; i < p->n_objects && p->member; i++)
		if (p->objects[i].n_ranges && p->objects[i].entry)
			began = settle_object(thread, &p->objects[i], flags, asked, began);
	if (began) {
		log_end(thread);
		if (p->member)
			directory_attended();
	}
}

void pages_settle(struct thread *thread, unsigned flags)
{
	settle(thread, flags, true);
}

void pages_at_entry(struct thread *thread)
{
	const struct event *event;

	if (load_relaxed(&shared()->attention) & ATTENTION_PAGES)
		(void) fetch_and(&shared()->attention, ~(uint32_t)ATTENTION_PAGES);
	if (!agent_replays()) {
		if (process()->member && directory_calls())
			pages_settle(thread, EVENT_AT_ENTRY);
		turn_yield(thread, EVENT_AT_ENTRY);
		return;
	}
	while (!thread->resumed && (event = replay_peek(thread)) != NULL &&
	       (event->kind == EVENT_PAGE_OUT || event->kind == EVENT_TURN) && (event->flags & EVENT_AT_ENTRY))
		pages_replay(thread, event);
}

static bool has_changed_since(const struct mapped_object *object, uint64_t page, uint64_t journal_end)
{
	const uint64_t *changed = directory_changed(object->entry, page);

	return !changed || load_relaxed(changed) > journal_end;
}

/* Of the pages of @object from @page on the first that are to go, which are one run; @since: see below. */
static uint64_t run_to_drop(const struct mapped_object *object, uint64_t page, const uint64_t *since,
			    uint64_t *ret_end)
{
	uint64_t begin = pages_held_run(object, page, ret_end), end = *ret_end;

	while (since && begin < end && !has_changed_since(object, begin, *since))
		begin++;
	for (*ret_end = begin; *ret_end < end && (!since || has_changed_since(object, *ret_end, *since));)
		++*ret_end;
	return begin;
}

/* What is shared by turns is given up, but, with @since, for what hasn't changed since the journal ended there. */
static void drop_turns(struct thread *thread, unsigned flags, const uint64_t *since)
{
	struct agent_process *p = process();
	bool began = false;

	for (uint32_t i = 0; i < p->n_objects; i++) {
		struct mapped_object *object = &p->objects[i];
		uint64_t end;

		if (!object->n_ranges || !(object->flags & MAPPED_BY_TURNS))
			continue;
		for (uint64_t page = 0; page < object->n_pages; page = end) {
			page = run_to_drop(object, page, since, &end);
			if (page == end)
				continue;
			if (!began && !log_begin(thread, EVENT_PAGE_OUT, flags, 0, 0, 0))
				return;
			began = true;
			pages_log_out(thread, object, page, end - page);
			if (!pages_drop(object, page, end - page)) {
				pages_go_on_open();
				return;
			}
		}
	}
	if (began)
		log_end(thread);
}

void pages_drop_turns(struct thread *thread, unsigned flags)
{
	process()->takes_turns = 0;
	drop_turns(thread, flags, NULL);
}

void pages_drop_changed(struct thread *thread, unsigned flags, uint64_t journal_end)
{
	drop_turns(thread, flags, &journal_end);
}

void pages_seal_turns(void)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_objects; i++) {
		const struct mapped_object *object = &p->objects[i];
		uint64_t end;

		if (!object->n_ranges || !(object->flags & MAPPED_BY_TURNS))
			continue;
		for (uint64_t page = pages_held_run(object, 0, &end); page < end; page = pages_held_run(object, end, &end)) {
			(void) pages_protect(object, page, end - page, ACCESS_READ);
		}
	}
}

/* -- getting ------------------------------------------------------------------------------------------ */

static void log_in(struct thread *thread, const struct mapped_object *object, uint64_t page,
		   unsigned flags)
{
	uint64_t at = pages_address(object, page);

	if (!log_begin(thread, EVENT_PAGE_IN, flags, (unsigned)(object - process()->objects),
		       !!(object->flags & MAPPED_BY_TURNS), (int64_t)page))
		return;
	if (at)
		log_add_user(thread, at, PAGE);
	log_end(thread);
}

/* They go to and fro so often that it is cheaper to run one process at a time. */
static bool costs_too_much(struct thread *thread)
{
	struct agent_process *p = process();
	bool much;

	if (chaos())
		return agent_config.chaos_seed % 2 && chaos_strikes(thread, 4);
	if (++p->n_fetched < FETCHES)
		return false;
	/* Who waits for his turn anyway loses nothing more by that. */
	much = p->takes_turns || p->n_fetched / FETCHES_OF_A_RUN > p->n_runs;
	p->n_fetched = p->n_runs = 0;
	return much;
}

static bool have(struct thread *thread, struct mapped_object *object, uint64_t page, uint64_t n, unsigned flags,
		 enum page_access access)
{
	for (uint64_t i = 0; i < n; i++)
		pages_set_held(object, page + i, true);
	if (!pages_protect(object, page, n, access)) {
		pages_go_on_open();
		return false;
	}
	for (uint64_t i = 0; i < n; i++)
		log_in(thread, object, page + i, flags);
	return true;
}

static bool is_writable(const struct mapped_object *object)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_ranges; i++)
		if (mapped_object_of(&p->ranges[i]) == object && (pages_program_prot(&p->ranges[i]) & PROT_WRITE_))
			return true;
	return false;
}

/*
 * While a page was waited for others may be gone: that comes first. What is only asked for stays,
 * and so does the page that came, until the instruction has been made: two processes whose
 * instructions need the same two pages would give them to each other for ever.
 */
static void settle_what_is_gone(struct thread *thread)
{
	if (!directory_calls())
		return;
	settle(thread, 0, false);
	directory_reminds();
}

static bool may_come_along(const struct mapped_object *object, uint64_t page)
{
	return page < object->n_pages && !pages_held(object, page) && pages_address(object, page) &&
	       directory_has_by_turns(object->entry, page);
}

/*
 * Where some of a block are held already, as many faults as pages are still to come, most likely: the
 * rest comes along now, before the page that is wanted, as a replay looks for that. A fault takes ten
 * times as long as a page.
 */
static bool neighbours_come(struct thread *thread, struct mapped_object *object, uint64_t wanted, unsigned flags)
{
	enum { BLOCK = 16, SOME = 2 };
	uint64_t begin = wanted - wanted % BLOCK, end = MIN(begin + BLOCK, object->n_pages), n_held = 0, n;

	for (uint64_t page = begin; page < end; page++)
		n_held += pages_held(object, page);
	for (uint64_t page = begin; n_held >= SOME && page < end; page += n + 1) {
		for (n = 0; page + n < end && page + n != wanted && may_come_along(object, page + n);)
			n++;
		if (n && !have(thread, object, page, n, flags, ACCESS_READ))
			return false;
		(void) add_fetch(&directory()->turn_fetches, n);
	}
	return true;
}

uint64_t pages_gather(struct thread *thread, struct mapped_object *object, uint64_t max)
{
	uint64_t got = 0, n;

	for (uint64_t page = 0; page < object->n_pages && got < max && !passing(); page += n + 1) {
		for (n = 0; got + n < max && may_come_along(object, page + n);)
			n++;
		if (!n)
			continue;
		turn_first(thread);
		if (passing() || !have(thread, object, page, n, 0, ACCESS_READ))
			break;
		got += n;
	}
	return got;
}

/* Of what is shared by turns: to be read, until it is written. */
static bool fetch_by_turns(struct thread *thread, struct mapped_object *object, uint64_t page,
			   unsigned flags, bool writes)
{
	turn_first(thread);
	if (passing() || !directory_fetch(object->entry, page)) {
		pages_go_on_open();
		return true;
	}
	directory_is_by_turns(object->entry, page);
	(void) add_fetch(&directory()->turn_fetches, 1);
	settle_what_is_gone(thread);
	writes = writes && is_writable(object);
	if (neighbours_come(thread, object, page, flags) && have(thread, object, page, 1, flags, ACCESS_READ) &&
	    writes && !passing())
		(void) turn_writes(object, page);
	return true;
}

static bool record_fetch(struct thread *thread, struct mapped_object *object, uint64_t page,
			 unsigned flags, bool writes)
{
	bool by_turns = directory_by_turns(object->entry);

	if (!by_turns && !directory_fetch(object->entry, page)) {
		pages_go_on_open();
		return true;
	}
	/* By now it may be. */
	if (by_turns || directory_by_turns(object->entry)) {
		settle(thread, 0, true);
		return passing() || fetch_by_turns(thread, object, page, flags, writes);
	}
	if (costs_too_much(thread))
		directory_begin_turns(object->entry);
	settle_what_is_gone(thread);
	(void) have(thread, object, page, 1, flags, ACCESS_FULL);
	return true;
}

/* The log says what became of other pages meanwhile. False: nothing of this one. */
static bool replay_fetch(struct thread *thread, const struct mapped_object *object, uint64_t page)
{
	const struct event *event;

	while (!pages_held(object, page)) {
		event = replay_peek(thread);
		if (!event || (event->kind != EVENT_PAGE_OUT && event->kind != EVENT_PAGE_IN &&
			       event->kind != EVENT_TURN))
			return false;
		pages_replay(thread, event);
	}
	return true;
}

static bool fetch(struct thread *thread, struct mapped_object *object, uint64_t page, unsigned flags,
		  bool writes)
{
	return agent_replays() ? replay_fetch(thread, object, page) :
				 record_fetch(thread, object, page, flags, writes);
}

bool pages_are_handed(uint64_t address)
{
	const struct mapped_range *range = process()->n_handed ? mapped_at(address) : NULL;

	return range && (range->flags & MAPPED_SHARED) && pages_program_prot(range);
}

/* The page that a fault at @address is for, if it is of shared memory and another's. */
static struct mapped_object *missing_page(uint64_t address, uint64_t *ret_page)
{
	const struct mapped_range *range = mapped_at(address);
	struct mapped_object *object;

	if (!pages_are_handed(address))
		return NULL;
	object = mapped_object_of(range);
	*ret_page = (range->offset + (address - range->start)) / PAGE;
	return pages_held(object, *ret_page) ? NULL : object;
}

/*
 * A page that the process has, but hasn't written to in its turn so far. In a replay nobody keeps
 * track: a snapshot may have been taken in the meantime. Nothing of it is in the log. @ret_new:
 * it couldn't be written before.
 */
static bool may_write_now(uint64_t address, bool *ret_new)
{
	const struct mapped_range *range = mapped_at(address);
	struct mapped_object *object;
	uint64_t page;

	*ret_new = false;
	if (!pages_are_handed(address) || !(pages_program_prot(range) & PROT_WRITE_))
		return false;
	object = mapped_object_of(range);
	page = (range->offset + (address - range->start)) / PAGE;
	if (!(object->flags & MAPPED_HANDED) || !pages_held(object, page))
		return false;
	if (agent_replays())
		return pages_protect(object, page, 1, ACCESS_FULL);
	if (!(object->flags & MAPPED_BY_TURNS))
		return false;
	*ret_new = turn_writes(object, page);
	return true;
}

static bool is_write(const struct ucontext *context)
{
	return context->err & FAULT_WRITES;
}

/* MODE_PASS: it may have been closed when the fault happened. Once: the next is the program's. */
static bool open_for(struct thread *thread)
{
	if (!process()->owner || thread->pages_opened)
		return false;
	pages_open();
	thread->pages_opened = 1;
	return true;
}

bool pages_fault(struct thread *thread, const struct siginfo *info, struct ucontext *context)
{
	struct mapped_object *object;
	uint64_t page;
	bool is_new;

	if (info->code != SEGV_ACCERR_)
		return false;
	if (passing() && !agent_replays())
		return open_for(thread);
	thread->unfinished[0] = context->regs[REG_RIP_];
	thread->unfinished[1] = context->regs[REG_RDI_];
	thread->unfinished[2] = context->regs[REG_RCX_];
	if (is_write(context) && may_write_now(info->addr, &is_new))
		return true;
	object = missing_page(info->addr, &page);
	if (!object)
		return false;
	agent_enter(thread);
	set_context(thread, context, FP_IN_FRAME);
	thread->state = THREAD_LEAVING;
	thread->has_call_mask = 0;
	if (!fetch(thread, object, page, EVENT_AT_FAULT, is_write(context)))
		return false;
	if (agent_replays())
		replay_before_user(thread);
	resume_program(thread);
}

bool pages_missed(struct thread *thread, const struct siginfo *info, const struct ucontext *context)
{
	struct mapped_object *object;
	uint64_t page;
	bool is_new;

	if (info->code != SEGV_ACCERR_)
		return false;
	if (passing() && !agent_replays())
		return open_for(thread);
	if (is_write(context) && may_write_now(info->addr, &is_new))
		return true;
	if (!thread->wants_pages || process()->log_used)
		return false;
	object = missing_page(info->addr, &page);
	return object && fetch(thread, object, page, 0, is_write(context));
}

/* A call is going to write there, and so much that it isn't kept track of? */
static void count_written(uint64_t n)
{
	struct agent_process *p = process();

	p->turn_call_pages += MIN(n, UINT64_C(1) << 20);
	if (p->takes_turns && p->turn_call_pages > UNTRACKED)
		turn_spoils();
}

bool pages_hold_these(struct thread *thread, uint64_t address, uint64_t len, bool writes)
{
	uint64_t end = address + len;
	bool came = false, is_new;

	if (end < address)
		return false;
	if (writes && process()->takes_turns && pages_are_handed(address))
		count_written(len / PAGE + 1);
	while (address < end && !passing()) {
		const struct mapped_range *range = mapped_next(address);
		struct mapped_object *object;
		uint64_t page;

		if (!range || range->start >= end)
			break;
		address = MAX(address, range->start);
		object = missing_page(address, &page);
		if (object) {
			came = true;
			(void) fetch(thread, object, page, 0, writes);
		} else if (writes && process()->takes_turns && may_write_now(address, &is_new)) {
			came |= is_new;
		}
		address = ALIGN_DOWN(address, (uint64_t)PAGE) + PAGE;
	}
	/* What a call was refused for want of a page it gets now. */
	return passing() ? open_for(thread) : came;
}

bool pages_hold_object(struct thread *thread, struct mapped_object *object, uint64_t page, uint64_t n)
{
	bool came = false;

	if (object->flags & MAPPED_BY_TURNS)
		count_written(MIN(n, object->n_pages));
	for (; n && page < object->n_pages && !passing(); page++, n--) {
		bool mapped = pages_address(object, page);

		if (mapped && !pages_held(object, page)) {
			came = true;
			(void) fetch(thread, object, page, 0, true);
		}
		if (!(object->flags & MAPPED_BY_TURNS) || passing())
			continue;
		if (mapped && is_writable(object))
			turn_writes(object, page);
		else	/* and others may have it mapped */
			turn_spoils();
	}
	return came;
}

/* -- replay --------------------------------------------------------------------------------------------- */

static struct mapped_object *object_at(struct thread *thread, uint32_t index)
{
	struct agent_process *p = process();

	if (index >= p->n_objects || !p->objects[index].n_ranges)
		replay_diverged(thread, EVENT_PAGE_OUT, 0, 0);
	return &p->objects[index];
}

static void replay_out(struct thread *thread)
{
	struct event_page_run run;

	while (replay_read(thread, &run, sizeof(run))) {
		struct mapped_object *object = object_at(thread, run.object);
		uint64_t n_pages = pages_of(object);

		if (!pages_begin_handing(object, n_pages) || run.page > object->n_pages ||
		    run.n > object->n_pages - run.page)
			replay_diverged(thread, EVENT_PAGE_OUT, 0, 0);
		(void) pages_drop(object, run.page, run.n);
	}
}

static void replay_in(struct thread *thread, const struct event *event)
{
	struct mapped_object *object = object_at(thread, event->nr);
	uint64_t page = (uint64_t)event->result;
	uint8_t bytes[512];

	if (!(object->flags & MAPPED_HANDED) || page >= object->n_pages)
		replay_diverged(thread, EVENT_PAGE_IN, event->nr, 0);
	for (uint64_t at = page * PAGE; at < (page + 1) * PAGE && replay_read(thread, bytes, sizeof(bytes));
	     at += sizeof(bytes))
		(void) agent_syscall(NR_pwrite64, mapped_backing(thread, object), bytes, sizeof(bytes), at);
	if (event->check)
		object->flags |= MAPPED_BY_TURNS;
	pages_set_held(object, page, true);
	(void) pages_protect(object, page, 1, ACCESS_FULL);
}

static void replay_turn(struct thread *thread)
{
	struct page_change change;
	uint8_t bytes[512];

	while (replay_read(thread, &change, sizeof(change))) {
		struct mapped_object *object = object_at(thread, change.object);
		uint64_t at = (uint64_t)change.page * PAGE + change.word * 8, end = at + change.n_words * 8;

		if (change.page >= object->n_pages || change.word + change.n_words > PAGE / 8)
			replay_diverged(thread, EVENT_TURN, 0, 0);
		for (size_t n; at < end; at += n) {
			n = MIN(sizeof(bytes), end - at);
			if (!replay_read(thread, bytes, n))
				replay_diverged(thread, EVENT_TURN, 0, 0);
			(void) agent_syscall(NR_pwrite64, mapped_backing(thread, object), bytes, n, at);
		}
	}
}

void pages_replay(struct thread *thread, const struct event *event)
{
	if (event->kind == EVENT_PAGE_OUT)
		replay_out(thread);
	else if (event->kind == EVENT_TURN)
		replay_turn(thread);
	else
		replay_in(thread, event);
	replay_done(thread);
}
