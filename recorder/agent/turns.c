/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * turns - recording: memory that processes share by turns (recorder/directory.h)
 *
 * A process that has pages of it runs in its turn only, and gives that up whenever it gives
 * the baton up. What it has written to it keeps track of: of such a page it has a copy, as the
 * others know it, and when the turn ends it compares. All others are write-protected; a fault
 * that only says that one is written to isn't logged, as it has no effect.
 *
 * Nobody can do that for a process that dies in its turn, nor for a change too large: then
 * the epoch counts on, and whoever has its next turn has no page any more.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	LOOK_NS = 5000000,
	TENURE_NS = 3000000,	/* whose turns take that long together is asked for the next */
	N_WRITTEN = 256,	/* pages that are kept track of */
	RESTS = 256,		/* turns in which one didn't change: comparing costs more than a fault by then */
	FEW_PAGES = 16,		/* that are kept track of */
	EQUAL_WORDS = 16,	/* so many bytes between two changes cost as much as another one */
	CHANGES_SEEN = 128,	/* a power of two */
	CHANGES_READ = 16384,	/* of the journal: who has missed more gets the pages that it comes to */
	PROT_RW = 3, MAP_PRIVATE_ANON_FIXED = 0x32, MADV_DONTDUMP_ = 16,
};
/* With who has been asked for the turn: he may not be running, or not be let run. */
#define PATIENCE_NS UINT64_C(1000000000)
#define PATIENCE_WITH_DYING_NS UINT64_C(10000000000)

struct written_page {
	uint64_t address;	/* 0: free */
	uint32_t object, page;
	uint32_t unchanged;	/* for so many turns */
	uint32_t reserved;
};

struct turn_pages {
	uint32_t n;		/* places used; some may be free */
	uint32_t next;		/* that gives way when there is no room */
	struct written_page pages[N_WRITTEN];
};
#define COPIES ALIGN_UP(sizeof(struct turn_pages), (uint64_t)PAGE)

static struct turn_pages *written(void)
{
	return (struct turn_pages *)(agent_config.base + AGENT_TURNS);
}

static uint8_t *copy_of(const struct written_page *page)
{
	return (uint8_t *)written() + COPIES + (uint64_t)(page - written()->pages) * PAGE;
}

static bool is_ours(void)
{
	return load_acquire(&directory()->turn) == process()->owner;
}

/* -- what was written ---------------------------------------------------------------------------------- */

static void journal_add(const struct written_page *page, size_t offset, size_t len)
{
	uint64_t *end = &directory()->journal_end, word;
	const struct page_change change = {
		.object = process()->objects[page->object].entry,
		.page = page->page,
		.word = offset / 8,
		.n_words = len / 8,
	};

	memcpy(&word, &change, sizeof(word));
	store_relaxed(&directory()->journal[load_relaxed(end) % JOURNAL_CHANGES], word);
	store_release(end, load_relaxed(end) + 1);
}

/* How far a change reaches that begins at @offset: up to where enough is the same. */
static size_t end_of_change(const struct written_page *page, size_t offset)
{
	const uint8_t *now = (const uint8_t *)page->address;
	size_t end = offset + 8, same;

	for (; end < PAGE; end += same + 8) {
		same = same_user(now + end, copy_of(page) + end, MIN(PAGE - end, (size_t)EQUAL_WORDS));
		if (same >= EQUAL_WORDS || end + same == PAGE)
			break;
	}
	return MIN(end, (size_t)PAGE);
}

/* Into the journal; returns whether there was anything. */
static bool publish_page(const struct written_page *page)
{
	const uint8_t *now = (const uint8_t *)page->address;
	uint64_t *stamp;
	bool changed = false;

	for (size_t at = 0, end; at < PAGE; at = end) {
		at += same_user(now + at, copy_of(page) + at, PAGE - at);
		if (at >= PAGE)
			break;
		end = end_of_change(page, at);
		/* It isn't there any more: who shares the file knows what that means. */
		if (!copy_from_user(copy_of(page) + at, page->address + at, end - at))
			break;
		journal_add(page, at, end - at);
		changed = true;
	}
	stamp = changed ? directory_changed(process()->objects[page->object].entry, page->page) : NULL;
	if (stamp)
		store_relaxed(stamp, load_relaxed(&directory()->journal_end));
	return changed;
}

static void forget(struct written_page *page)
{
	(void) pages_protect(&process()->objects[page->object], page->page, 1, ACCESS_READ);
	page->address = 0;
}

/*
 * Where the end of a turn costs little, turns of processes that share a processor are best: nobody is
 * woken in vain. Where it costs much they are to be few and long. On processors of their own others
 * sleep until it is theirs, and only clients of whose turn it is are answered meanwhile.
 */
static void compares(uint32_t n_pages)
{
	if (n_pages <= FEW_PAGES || process()->placed != PLACED)
		return;
	unplace();
	process()->placed = PLACED_NEVER;
}

static void publish(void)
{
	struct agent_process *p = process();
	struct turn_pages *w = written();

	for (uint32_t i = 0; i < w->n; i++) {
		struct written_page *page = &w->pages[i];

		if (!page->address)
			continue;
		if (publish_page(page))
			page->unchanged = 0;
		else if (++page->unchanged == RESTS)
			forget(page);
	}
	while (w->n && !w->pages[w->n - 1].address)
		w->n--;
	compares(w->n);
	if (p->turn_spoils) {
		p->turn_spoils = 0;
		w->n = 0;
		pages_seal_turns();
		p->turn_epoch = add_fetch(&directory()->turn_epoch, 1);
	}
	p->turn_seen = load_relaxed(&directory()->journal_end);
}

static struct written_page *find(uint32_t object, uint32_t page)
{
	struct turn_pages *w = written();

	for (uint32_t i = 0; i < w->n; i++)
		if (w->pages[i].address && w->pages[i].page == page && w->pages[i].object == object)
			return &w->pages[i];
	return NULL;
}

static struct written_page *new_page(void)
{
	struct turn_pages *w = written();
	struct written_page *page;

	for (uint32_t i = 0; i < w->n; i++)
		if (!w->pages[i].address)
			return &w->pages[i];
	if (w->n < N_WRITTEN)
		return &w->pages[w->n++];
	page = &w->pages[w->next++ % N_WRITTEN];
	(void) publish_page(page);
	forget(page);
	return page;
}

bool turn_writes(const struct mapped_object *object, uint64_t number)
{
	struct agent_process *p = process();
	uint32_t index = (uint32_t)(object - p->objects);
	struct written_page *page = NULL;
	bool known = p->turn_spoils || find(index, (uint32_t)number);

	if (!known) {
		page = new_page();
		*page = (struct written_page){ pages_address(object, number), index, (uint32_t)number, 0, 0 };
		(void) copy_user(copy_of(page), (const void *)page->address, PAGE);
	}
	(void) pages_protect(object, number, 1, ACCESS_FULL);
	return !known;
}

void turn_spoils(void)
{
	process()->turn_spoils = 1;
}

static void forget_all(void)
{
	struct turn_pages *w = written();

	for (uint32_t i = 0; i < w->n; i++)
		if (w->pages[i].address)
			forget(&w->pages[i]);
	w->n = 0;
}

void turn_seals(void)
{
	if (agent_replays() || !process()->takes_turns || passing())
		return;
	publish();
	forget_all();
}

/* -- what others have written ---------------------------------------------------------------------------- */

static uint32_t index_of_entry(uint32_t entry)
{
	const struct agent_process *p = process();
	uint32_t i = 0;

	while (i < p->n_objects && (!p->objects[i].n_ranges || p->objects[i].entry != entry))
		i++;
	return i;
}

/* The memory has all that came later, too: once for each place is enough. */
static void log_change(struct thread *thread, struct page_change change, uint64_t address)
{
	const struct written_page *page = find(change.object, change.page);
	size_t offset = change.word * 8, len = change.n_words * 8;

	log_add(thread, &change, sizeof(change));
	log_add_user(thread, address + offset, len);
	if (page)
		(void) copy_user(copy_of(page) + offset, (const void *)(address + offset), len);
}

/* Which place of ours @change is about: its object becomes the index. 0: none that the process has. */
static uint64_t place_of(struct page_change *change)
{
	const struct agent_process *p = process();
	const struct mapped_object *object;

	change->object = index_of_entry(change->object);
	if (change->object == p->n_objects)
		return 0;
	object = &p->objects[change->object];
	if (!(object->flags & MAPPED_BY_TURNS) || change->page >= object->n_pages || !pages_held(object, change->page))
		return 0;
	return pages_address(object, change->page);
}

static bool makes_sense(struct page_change change)
{
	return change.n_words && change.word + change.n_words <= PAGE / 8;
}

/* False: it makes no sense. */
static bool log_journal(struct thread *thread, unsigned flags, uint64_t end)
{
	struct agent_process *p = process();
	uint64_t seen[CHANGES_SEEN] = { 0 }, address;
	struct page_change change;
	bool began = false, known = true;

	for (uint64_t at = p->turn_seen; known && at < end; at++) {
		uint64_t word = load_relaxed(&directory()->journal[at % JOURNAL_CHANGES]);
		uint64_t *before = &seen[(word * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (CHANGES_SEEN - 1)];

		if (*before == word)
			continue;
		*before = word;
		memcpy(&change, &word, sizeof(change));
		known = makes_sense(change);
		address = known ? place_of(&change) : 0;
		if (!address)
			continue;
		if (!began && !log_begin(thread, EVENT_TURN, flags, 0, 0, 0))
			return false;
		began = true;
		log_change(thread, change, address);
	}
	if (began)
		log_end(thread);
	return known;
}

/* False: what others have changed isn't known. */
static bool catch_up(struct thread *thread, unsigned flags)
{
	struct agent_process *p = process();
	uint64_t end = load_acquire(&directory()->journal_end);
	bool known = p->turn_epoch == load_acquire(&directory()->turn_epoch);

	if (known && end - p->turn_seen <= CHANGES_READ) {
		known = log_journal(thread, flags, end);
	} else if (known) {
		forget_all();
		pages_drop_changed(thread, flags, p->turn_seen);
	}
	p->turn_seen = end;
	return known;
}

/* -- the turn -------------------------------------------------------------------------------------------- */

static uint32_t my_number(void)
{
	return OWNER_MEMBER(process()->owner);
}

/* Whoever has it gives it up when he makes his next call, to who asks. */
static void ask(void)
{
	(void) compare_exchange(&directory()->turn_wanted, 0, process()->owner);
}

/* He has had it for long, and may compute. */
static void kick(struct directory_member *holder)
{
	store_release(&holder->attention, 1);
	directory_kick(holder);
}

/* Whose turn it was has died: what it changed nobody knows. */
static bool take_from_dead(uint32_t value)
{
	struct directory *d = directory();

	if (!compare_exchange(&d->turn, value, process()->owner))
		return false;
	(void) add_fetch(&d->turn_epoch, 1);
	return true;
}

static uint64_t patience_ns(uint32_t holder)
{
	struct directory_member *member = directory_owner(holder);

	return MAX(agent_config.stall_ns,
		   member && load_relaxed(&member->dies) ? PATIENCE_WITH_DYING_NS : PATIENCE_NS);
}

/* It is free, or offered. */
static bool take_at_once(void)
{
	struct directory *d = directory();
	uint32_t me = process()->owner, value = load_acquire(&d->turn);

	return (value == 0 || value == (me | TURN_OFFERED)) && compare_exchange(&d->turn, value, me);
}

/* What who waits has seen: which turn it is, and since when; and who had one after the other for how long. */
struct wait {
	uint64_t since, owner_since;
	uint32_t value, turn, owner;
};

/* Whoever was offered it isn't asked again before he has looked. */
static bool pass_over(uint32_t value)
{
	struct directory *d = directory();

	if (!compare_exchange(&d->turn, value, process()->owner))
		return false;
	directory_waits(d, OWNER_MEMBER(TURN_OWNER(value)), false);
	return true;
}

static void see(struct wait *wait, uint32_t value, uint32_t turn, uint64_t now)
{
	if (value != wait->value || turn != wait->turn)
		wait->since = now;
	if (value && TURN_OWNER(value) != wait->owner) {
		wait->owner = TURN_OWNER(value);
		wait->owner_since = now;
	}
	wait->value = value;
	wait->turn = turn;
}

/* Who doesn't take what he is offered is passed over, and who has it for long is asked for it. */
static bool take_in_the_end(struct wait *wait)
{
	struct directory *d = directory();
	uint32_t value = load_acquire(&d->turn), me = process()->owner;
	struct directory_member *holder = directory_owner(TURN_OWNER(value));
	uint64_t now = monotonic_ns();

	see(wait, value, load_relaxed(&d->turns), now);
	if (!value)
		return false;
	if (value & TURN_OFFERED)
		return (!holder || now - wait->since > agent_config.slice_ns) && pass_over(value);
	/* The recorder changes nothing, and may be dead. */
	if (value == TURN_RECORDERS)
		return (now - wait->since > agent_config.stall_ns || recorder_is_gone()) &&
		       compare_exchange(&d->turn, value, me);
	if (!holder)
		return take_from_dead(value);
	if (now - wait->owner_since > TENURE_NS)
		ask();
	if (now - wait->since > agent_config.slice_ns)
		kick(holder);
	return false;
}

/* Others may rob the process of pages meanwhile; returns whether they have. */
static bool wait_for_turn(void)
{
	struct directory *d = directory();
	uint32_t me = my_number(), *calls = &d->members[me % DIRECTORY_MEMBERS].turn_calls, called;
	uint64_t begin = monotonic_ns();
	struct wait wait = { begin, begin, 0, 0, 0 };
	bool mine = false;

	directory_rests();
	while (!mine && !passing()) {
		directory_waits(d, me, true);
		called = load_acquire(calls);
		mine = take_at_once() || take_in_the_end(&wait);
		if (mine)
			break;
		futex_wait(calls, called, LOOK_NS);
		mine = take_at_once();
		if (!mine && (directory_is_lost() ||
			      monotonic_ns() - wait.since > patience_ns(TURN_OWNER(wait.value)))) {
			go_pass();
			pages_open();
		}
	}
	shared()->longest_turn_wait_ns = MAX(shared()->longest_turn_wait_ns, monotonic_ns() - begin);
	directory_waits(d, me, false);
	(void) compare_exchange(&d->turn_wanted, process()->owner, 0);
	return directory_runs();
}

static void take(struct thread *thread, unsigned flags)
{
	bool robbed = !take_at_once() && wait_for_turn();

	(void) add_fetch(&directory()->turns, 1);
	if (process()->placed == PLACED_NOT)
		process()->placed = PLACED_SOON;
	if (robbed)
		pages_settle(thread, flags);
}

/*
 * @value is what the turn is; somebody may have taken it meanwhile, as from a dead one. @soon: it is
 * wanted again in a moment, so nobody is woken for that: who waits looks by himself now and then.
 */
static void release(uint32_t value, bool soon)
{
	struct directory *d = directory();
	uint32_t wanted = exchange(&d->turn_wanted, 0), *waiter;

	if (wanted == TURN_RECORDERS) {
		(void) compare_exchange(&d->turn, value, TURN_RECORDERS);
		return;
	}
	if (!compare_exchange(&d->turn, value, 0))
		return;
	waiter = wanted ? directory_offer_turn(d, OWNER_MEMBER(wanted) - 1) :
		 soon ? NULL : directory_call_waiter(d, my_number());
	if (waiter)
		futex_wake(waiter, 1);
}

void turn_begin(struct thread *thread, unsigned flags)
{
	if (!process()->takes_turns || is_ours())
		return;
	take(thread, flags);
	if (passing() || catch_up(thread, flags))
		return;
	written()->n = 0;
	pages_drop_turns(thread, flags);
	if (!passing())
		release(process()->owner, false);
}

void turn_publishes(void)
{
	if (process()->takes_turns && !passing() && is_ours())
		publish();
}

void turn_end(bool soon)
{
	if (!process()->takes_turns || passing() || !is_ours())
		return;
	publish();
	release(process()->owner, soon);
}

bool turn_is_wanted(void)
{
	return load_relaxed(&directory()->turn_wanted) != 0;
}

void turn_yield(struct thread *thread, unsigned flags)
{
	if (!process()->takes_turns)
		return;
	if (passing()) {	/* others wait for what this process needs no more */
		pages_open();
		return;
	}
	if (!turn_is_wanted() && !chaos_strikes(thread, 8))
		return;
	turn_end(false);
	turn_begin(thread, flags);
}

void turn_first(struct thread *thread)
{
	struct agent_process *p = process();
	uint64_t at = (uint64_t)written(), len = COPIES + (uint64_t)N_WRITTEN * PAGE;

	if (p->takes_turns)
		return;
	if (agent_syscall(NR_mmap, at, len, PROT_RW, MAP_PRIVATE_ANON_FIXED, -1, 0) != (long)at) {
		go_pass();
		return;
	}
	(void) agent_syscall(NR_madvise, at, len, MADV_DONTDUMP_);
	take(thread, 0);
	p->takes_turns = 1;
	p->turn_spoils = 0;
	p->turn_epoch = load_acquire(&directory()->turn_epoch);
	p->turn_seen = load_acquire(&directory()->journal_end);
}

void turn_inherits(void)
{
	pages_seal_turns();
	written()->n = 0;
	process()->turn_spoils = 0;
	process()->takes_turns = 1;
}

void turn_forget(void)
{
	process()->takes_turns = 0;
	if (process()->placed == PLACED_SOON)
		process()->placed = PLACED_NOT;
}

void turn_leave(void)
{
	struct directory *d = directory();
	uint32_t value = load_acquire(&d->turn);

	if (TURN_OWNER(value) != process()->owner)
		return;
	if (!(value & TURN_OFFERED))
		(void) add_fetch(&d->turn_epoch, 1);
	release(value, false);
}
