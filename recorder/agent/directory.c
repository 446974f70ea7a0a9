/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory - recording: whose a page of shared memory is, and how it changes hands
 *
 * A process that rests, all its threads blocked in calls, is robbed: the thief marks that,
 * and it looks before its code runs again. One that runs is asked, and answers at its next
 * entry into the agent; if it makes none, the recorder kicks it.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	LOCK_LOOKS_NS = 1000000,
	KICK_AFTER_NS = 1000000,	/* of whoever is asked for a page and doesn't answer */
};
/* Whoever holds a lock for so long doesn't run any more. */
#define LOCK_LASTS_NS UINT64_C(50000000)

static struct directory_member *member_at(uint32_t member)
{
	return &directory()->members[member % DIRECTORY_MEMBERS];
}

struct directory_member *directory_owner(uint32_t owner)
{
	uint32_t number = owner & 0x3ff;
	struct directory_member *member;

	if (!number)
		return NULL;
	member = member_at(number - 1);
	return load_acquire(&member->state) != MEMBER_FREE &&
			       PAGE_OWNER(number - 1, load_acquire(&member->generation)) == owner ?
		       member : NULL;
}

/* -- rest and run --------------------------------------------------------------------------------- */

/* Whoever waits for a page of ours looks again. */
static void answer(void)
{
	struct directory_member *me = directory_myself();

	(void) add_fetch(&me->answers, 1);
	futex_wake(&me->answers, INT32_MAX);
}

void directory_rests(void)
{
	struct directory_member *me = directory_myself();

	if (compare_exchange(&me->state, MEMBER_RUNS, MEMBER_RESTS) && load_relaxed(&me->attention))
		answer();
}

bool directory_runs(void)
{
	struct directory_member *me = directory_myself();
	uint64_t begin = 0;

	for (uint32_t i = 0; !compare_exchange(&me->state, MEMBER_RESTS, MEMBER_RUNS); i++) {
		uint32_t state = load_acquire(&me->state);

		if (state == MEMBER_RESTS)
			continue;	/* unlocked just now */
		if (MEMBER_STATE(state) != MEMBER_LOCKED)
			break;		/* another thread of ours has handed the baton over */
		cpu_relax();
		if (i % 1024)
			continue;
		if (!begin)
			begin = monotonic_ns();
		if (monotonic_ns() - begin > LOCK_LASTS_NS) {
			store_release(&me->attention, 1);
			store_release(&me->state, MEMBER_RUNS);
			break;
		}
	}
	return load_relaxed(&me->attention) != 0;
}

void directory_attends(void)
{
	store_release(&directory_myself()->attention, 0);
}

void directory_dies(void)
{
	store_release(&directory_myself()->dies, 1);
	directory_rests();
}

void directory_reminds(void)
{
	store_release(&directory_myself()->attention, 1);
}

void directory_attended(void)
{
	answer();
}

/* -- members ----------------------------------------------------------------------------------------- */

/* A place for a process, that runs. Returns it + 1; 0: there is none. */
static uint32_t new_member(uint32_t *ret_owner)
{
	for (uint32_t i = 0; i < DIRECTORY_MEMBERS; i++) {
		struct directory_member *member = member_at(i);

		if (!compare_exchange(&member->state, MEMBER_FREE, MEMBER_RUNS))
			continue;
		store_relaxed(&member->attention, 0);
		store_relaxed(&member->kick, 0);
		store_relaxed(&member->dies, 0);
		directory_waits(directory(), i, false);
		*ret_owner = PAGE_OWNER(i, add_fetch(&member->generation, 1));
		return i + 1;
	}
	return 0;
}

bool directory_join(void)
{
	struct agent_process *p = process();

	p->member = new_member(&p->owner);
	p->readings_until = 0;
	store_release(&shared()->owner, p->owner);
	return p->member != 0;
}

void directory_lose(void)
{
	(void) exchange(&directory()->lost, 1);
	for (uint32_t i = 0; i < DIRECTORY_MEMBERS; i++)
		store_release(&member_at(i)->attention, 1);
}

void directory_leave(void)
{
	struct agent_process *p = process();

	if (!exchange(&p->member, 0))
		return;
	turn_leave();
	directory_member_ends(directory(), p->owner);
}

/* -- objects ------------------------------------------------------------------------------------------ */

static bool lock(uint32_t me)
{
	struct directory *d = directory();
	uint64_t begin = monotonic_ns();
	uint32_t holder;

	while (!compare_exchange(&d->lock, 0, me)) {
		holder = load_acquire(&d->lock);
		if (monotonic_ns() - begin > LOCK_LASTS_NS)
			return holder && compare_exchange(&d->lock, holder, me);
		futex_wait(&d->lock, holder, LOCK_LOOKS_NS);
	}
	return true;
}

static void unlock(uint32_t me)
{
	/* It may have been taken from us for lasting too long. */
	if (compare_exchange(&directory()->lock, me, 0))
		futex_wake(&directory()->lock, 1);
}

static bool is_used(const struct directory_object *object)
{
	for (unsigned i = 0; i < sizeof(object->mapped) / sizeof(object->mapped[0]); i++)
		if (load_relaxed(&object->mapped[i]))
			return true;
	return false;
}

static void set_mapped(struct directory_object *object, uint32_t member)
{
	if (member < DIRECTORY_MEMBERS)
		(void) fetch_or(&object->mapped[member / 64], UINT64_C(1) << member % 64);
}

/* The first @n words that no object has. Returns DIRECTORY_PAGES if there aren't as many. */
static uint32_t free_words(uint64_t n)
{
	uint64_t at = 0;
	bool moved = true;

	while (moved && at + n <= DIRECTORY_PAGES) {
		moved = false;
		for (uint32_t i = 0; i < DIRECTORY_OBJECTS; i++) {
			const struct directory_object *other = &directory()->objects[i];
			uint64_t begin = other->page, end = begin + other->n_pages;

			if (begin < at + n && at < end && is_used(other)) {
				at = end;
				moved = true;
			}
		}
	}
	return at + n <= DIRECTORY_PAGES ? (uint32_t)at : DIRECTORY_PAGES;
}

static uint32_t find_object(uint64_t dev, uint64_t ino)
{
	for (uint32_t i = 0; i < DIRECTORY_OBJECTS; i++) {
		const struct directory_object *object = &directory()->objects[i];

		if (object->ino == ino && object->dev == dev && is_used(object))
			return i + 1;
	}
	return 0;
}

static uint32_t new_object(uint32_t me, uint64_t dev, uint64_t ino, uint64_t n_pages)
{
	uint32_t at = free_words(n_pages), i = 0;
	struct directory_object *object;

	while (i < DIRECTORY_OBJECTS && is_used(&directory()->objects[i]))
		i++;
	if (i == DIRECTORY_OBJECTS || at == DIRECTORY_PAGES)
		return 0;
	object = &directory()->objects[i];
	object->dev = dev;
	object->ino = ino;
	object->page = at;
	object->n_pages = (uint32_t)n_pages;
	object->first = process()->owner;
	object->by_turns = 0;
	memset(directory()->pages + at, 0, n_pages * sizeof(uint32_t));
	set_mapped(object, me);
	return i + 1;
}

uint32_t directory_enter(uint64_t dev, uint64_t ino, uint64_t n_pages, bool may_be_new, bool *ret_new)
{
	uint32_t entry, me = directory_place();

	*ret_new = false;
	if (!lock(me + 1)) {
		store_release(&directory()->broken, 1);
		return 0;
	}
	entry = find_object(dev, ino);
	*ret_new = !entry;
	if (!entry && may_be_new)
		entry = new_object(me, dev, ino, n_pages);
	else if (entry && directory()->objects[entry - 1].n_pages < n_pages)
		entry = 0;	/* a file that has grown */
	else if (entry)
		set_mapped(&directory()->objects[entry - 1], me);
	unlock(me + 1);
	if (!entry && (may_be_new || !*ret_new))
		store_release(&directory()->broken, 1);
	return entry;
}

/* An entry that the agent's table names, as it can be believed: each number is read once. */
static struct directory_object *object_of(uint32_t entry, uint32_t **ret_words, uint64_t *ret_n)
{
	struct directory_object *object = &directory()->objects[(entry - 1) % DIRECTORY_OBJECTS];
	uint64_t at = load_relaxed(&object->page), n = load_relaxed(&object->n_pages);

	at = MIN(at, DIRECTORY_PAGES);
	*ret_words = directory()->pages + at;
	*ret_n = MIN(n, DIRECTORY_PAGES - at);
	return object;
}

void directory_reaches(uint32_t entry, uint64_t n_pages)
{
	uint32_t *words;
	uint64_t n;

	(void) object_of(entry, &words, &n);
	if (n < n_pages)
		store_release(&directory()->broken, 1);
}

void directory_forget(uint32_t entry)
{
	struct directory_object *object;
	uint32_t *words, member = directory_place();
	uint64_t n;

	object = object_of(entry, &words, &n);
	(void) compare_exchange(&object->first, process()->owner, PAGE_NOBODYS);
	for (uint64_t i = 0; i < n; i++)
		if ((load_relaxed(&words[i]) & ~PAGE_WANTED) == process()->owner)
			store_release(&words[i], PAGE_NOBODYS);
	answer();
	(void) fetch_and(&object->mapped[member / 64], ~(UINT64_C(1) << member % 64));
}

bool directory_by_turns(uint32_t entry)
{
	uint32_t *words;
	uint64_t n;

	return entry && load_acquire(&object_of(entry, &words, &n)->by_turns);
}

void directory_begin_turns(uint32_t entry)
{
	uint32_t *words;
	uint64_t n;
	struct directory_object *object = object_of(entry, &words, &n);

	store_release(&object->by_turns, 1);
	for (uint32_t i = 0; i < DIRECTORY_MEMBERS; i++)
		if (load_relaxed(&object->mapped[i / 64]) >> i % 64 & 1)
			store_release(&member_at(i)->attention, 1);
}

void directory_disown(uint32_t entry)
{
	uint32_t *words;
	uint64_t n;
	struct directory_object *object = object_of(entry, &words, &n);

	(void) compare_exchange(&object->first, process()->owner, PAGE_NOBODYS);
}

uint64_t *directory_changed(uint32_t entry, uint64_t page)
{
	uint32_t *words;
	uint64_t n;

	(void) object_of(entry, &words, &n);
	return page < n ? &directory()->changed[words - directory()->pages + page] : NULL;
}

void directory_is_by_turns(uint32_t entry, uint64_t page)
{
	uint32_t *words;
	uint64_t n;

	(void) object_of(entry, &words, &n);
	if (page >= n || load_relaxed(&words[page]) == PAGE_BY_TURNS)
		return;
	/* What was changed before isn't in the journal. */
	store_relaxed(directory_changed(entry, page), load_relaxed(&directory()->journal_end) + 1);
	store_release(&words[page], PAGE_BY_TURNS);
}

bool directory_has_by_turns(uint32_t entry, uint64_t page)
{
	uint32_t *words;
	uint64_t n;

	(void) object_of(entry, &words, &n);
	return page < n && load_acquire(&words[page]) == PAGE_BY_TURNS;
}

static uint32_t owner_of(uint32_t member)
{
	return PAGE_OWNER(member, load_relaxed(&member_at(member)->generation));
}

bool directory_new_child(void)
{
	struct agent_process *p = process();
	uint32_t owner, me = directory_place();

	p->child_member = new_member(&owner);
	for (uint32_t i = 0; p->child_member && i < DIRECTORY_OBJECTS; i++) {
		struct directory_object *object = &directory()->objects[i];

		if (load_relaxed(&object->mapped[me / 64]) & UINT64_C(1) << me % 64)
			set_mapped(object, p->child_member - 1);
	}
	return p->child_member != 0;
}

bool directory_be_child(void)
{
	struct agent_process *p = process();

	p->member = p->child_member;
	p->child_member = 0;
	if (!p->member)
		return false;
	p->owner = owner_of(p->member - 1);
	store_release(&shared()->owner, p->owner);
	return true;
}

void directory_no_child(void)
{
	struct agent_process *p = process();

	if (p->child_member)
		directory_member_ends(directory(), owner_of(p->child_member - 1));
	p->child_member = 0;
}

/* -- pages ------------------------------------------------------------------------------------------- */

bool directory_gives(uint32_t entry, uint64_t page, bool asked)
{
	uint32_t *words, word, owner;
	struct directory_object *object;
	uint64_t n;

	object = object_of(entry, &words, &n);
	if (page >= n)
		return false;
	word = load_acquire(&words[page]);
	owner = word & ~PAGE_WANTED;
	if (!owner)
		owner = load_relaxed(&object->first);
	return owner != process()->owner || (asked && (word & PAGE_WANTED));
}

void directory_given(uint32_t entry, uint64_t page)
{
	uint32_t *words;
	uint64_t n;

	(void) object_of(entry, &words, &n);
	if (page < n && (load_acquire(&words[page]) & ~PAGE_WANTED) == process()->owner)
		store_release(&words[page], PAGE_NOBODYS);
}

/* From one that rests. It looks at its attention before its code runs. */
static bool rob(struct directory_member *member, uint32_t *word, uint32_t seen)
{
	uint32_t lock = MEMBER_LOCK(directory_place());
	bool taken;

	if (!compare_exchange(&member->state, MEMBER_RESTS, lock))
		return false;
	store_release(&member->attention, 1);
	taken = compare_exchange(word, seen, process()->owner);
	if (compare_exchange(&member->state, lock, MEMBER_RESTS))
		return taken;
	/* We were too slow, and it runs. */
	if (taken)
		(void) compare_exchange(word, process()->owner, seen);
	return false;
}

/* What who waits for a page knows. */
struct claim {
	uint32_t *word;
	struct directory_member *member;	/* NULL: ask again at once */
	uint32_t answers;
};

/* Takes the page, or asks its owner for it. Returns whether it is ours now, or is taken by turns. */
static bool take(const struct directory_object *object, struct claim *claim)
{
	uint32_t seen = load_acquire(claim->word), owner = seen & ~PAGE_WANTED;

	if (!owner)
		owner = load_relaxed(&object->first);
	if (owner == process()->owner)
		return true;
	if (owner == PAGE_BY_TURNS)
		return true;
	claim->member = owner == PAGE_NOBODYS ? NULL : directory_owner(owner);
	if (!claim->member)
		return compare_exchange(claim->word, seen, process()->owner);
	claim->answers = load_acquire(&claim->member->answers);
	if (rob(claim->member, claim->word, seen))
		return true;
	if (!(seen & PAGE_WANTED) && !compare_exchange(claim->word, seen, owner | PAGE_WANTED))
		claim->member = NULL;
	else if (exchange(&claim->member->attention, 1) == 0 &&
		 load_acquire(&claim->member->state) == MEMBER_RESTS)
		claim->member = NULL;	/* it has come to rest before it could see that */
	return false;
}

/* The recorder will do it. */
void directory_kick(struct directory_member *member)
{
	store_release(&member->kick, 1);
	store_release(&directory()->kicks, 1);
	wake_recorder();
}

bool directory_fetch(uint32_t entry, uint64_t page)
{
	uint64_t n, begin = 0, asked = 0, now;
	struct claim claim = { 0 };
	uint32_t *words;
	const struct directory_object *object = object_of(entry, &words, &n);

	if (page >= n)
		return false;
	claim.word = &words[page];
	while (!take(object, &claim)) {
		now = monotonic_ns();
		if (!begin)
			begin = asked = now;
		if (passing() || directory_is_lost() || now - begin > agent_config.stall_ns)
			return false;
		if (!claim.member)
			continue;
		if (now - asked >= KICK_AFTER_NS) {
			directory_kick(claim.member);
			asked = now;
		}
		/* Who waits for us meanwhile needn't wait for that. */
		directory_rests();
		futex_wait(&claim.member->answers, claim.answers, KICK_AFTER_NS);
		(void) directory_runs();
	}
	return true;
}
