/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * directory - which process may touch which page of shared memory
 *
 * Processes that share writable memory are domains of their own, each with its own log, so
 * what one writes must not be seen by another between two of its events. A page has one
 * owner; in all others it can't be accessed, and a fault there asks for it. Who gives a page
 * up logs that, who gets it logs its bytes: so each domain is replayed for itself.
 * (The single-writer scheme of Li and Hudak, "Memory Coherence in Shared Virtual Memory
 * Systems", 1989, with one owner for reading, too.)
 *
 * Where several busy processes share all that they do, a page that goes to and fro costs more
 * than what they do. The pages of such an object are shared by turns instead: its processes run
 * one at a time, each may read what it has read once, and write what it has written. Who ends
 * its turn says in the journal what it has changed, and who begins one logs what others have.
 *
 * The directory is a memfd that a family of processes maps: those that descend from one image
 * by fork, without exec. It may be written by any of them, and they may have different rights:
 * nothing in it is an address, each number is bounded where it is used, and each wait for
 * another process is bounded. Who writes nonsense spoils what is recorded of shared memory.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "recorder/event.h"

#define DIRECTORY_MEMBERS 1023
#define DIRECTORY_OBJECTS 1024
#define DIRECTORY_PAGES (UINT32_C(8) << 20)	/* 32 GB of shared memory */

enum member_state {
	MEMBER_FREE = 0,	/* nobody, or a process that has ended: its pages are anybody's */
	MEMBER_RESTS,		/* none of its threads runs: its pages may be taken */
	MEMBER_RUNS,		/* they must be asked for */
	MEMBER_LOCKED,		/* rests, and a page is being taken: MEMBER_LOCK() says by whom */
};
#define MEMBER_STATE(word) ((word) & 0xff)
#define MEMBER_LOCK(thief) (MEMBER_LOCKED | ((thief) + 1) << 8)

struct directory_member {
	uint32_t state;		/* MEMBER_STATE() of it: enum member_state */
	uint32_t generation;	/* of who uses this place */
	uint32_t attention;	/* pages were taken from it, or are asked for */
	uint32_t kick;		/* they have been asked for in vain for a while */
	uint32_t answers;	/* futex: counts what who asks waits for, that it gives pages or rests */
	uint32_t dies;		/* it is being looked at: its turn lasts as long */
	uint32_t turn_calls;	/* futex: counts that the turn is offered to it */
} __attribute__((aligned(64)));

/*
 * A word for each page. 0: the owner is the object's `first', who need not be named for each
 * page. PAGE_NOBODYS: whoever comes. Else PAGE_OWNER of a member. With PAGE_WANTED somebody
 * waits for it.
 */
#define PAGE_WANTED (UINT32_C(1) << 31)
#define PAGE_NOBODYS (UINT32_C(1) << 30)
#define PAGE_BY_TURNS (PAGE_NOBODYS | 1)	/* nobody's, and everybody's whose turn it is */
#define PAGE_OWNER(member, generation) \
	(((member) + 1) | ((generation) & PAGE_GENERATIONS) << 10)
#define PAGE_GENERATIONS UINT32_C(0xfffff)
#define OWNER_MEMBER(owner) (((owner) & 0x3ff) - 1)
static_assert(DIRECTORY_MEMBERS < 1 << 10, "a member fits into ten bits");
static_assert(DIRECTORY_OBJECTS < CHANGE_OBJECTS && DIRECTORY_PAGES <= CHANGE_PAGES, "a change names them");

struct directory_object {
	uint64_t dev, ino;	/* as in struct mapped_object */
	uint32_t first;		/* PAGE_OWNER of who began, or PAGE_NOBODYS */
	uint32_t page, n_pages;	/* its words in the directory */
	uint32_t by_turns;	/* for good */
	uint64_t mapped[(DIRECTORY_MEMBERS + 63) / 64];	/* bits: members who have it; none: free */
};

/*
 * The turn: 0, or PAGE_OWNER of whose it is; TURN_RECORDERS while the recorder reads what must not
 * change. Who ends his turn wakes the next who waits, or, if somebody waits for too long, offers it to
 * him; with TURN_OFFERED that one hasn't taken it yet, and may be passed over: he may be stopped, or dead.
 */
#define TURN_OFFERED (UINT32_C(1) << 31)
#define TURN_RECORDERS (UINT32_C(1) << 30)
#define TURN_OWNER(word) ((word) & ~TURN_OFFERED)
#define TURN_WAITERS ((DIRECTORY_MEMBERS + 63) / 64)

/* In the journal, a struct page_change: what a turn has changed. What it is now is in the memory. */
#define JOURNAL_CHANGES (UINT64_C(1) << 17)	/* a power of two */

struct directory {
	uint32_t lock;		/* member + 1 of who changes the objects */
	uint32_t broken;	/* some of what is shared isn't handed over: what is written there isn't known */
	uint32_t kicks;		/* a member's kick is set */
	uint32_t lost;		/* a member goes on unrecorded, and may change all that is shared */
	/* What follows is changed by whose turn it is, but for the turn itself and who waits. */
	uint32_t turn, turn_wanted;	/* the latter: PAGE_OWNER of one that waits for too long */
	uint32_t turn_epoch;	/* counts when what was changed isn't in the journal */
	uint32_t turns;		/* counts those taken */
	uint64_t turn_waiting[TURN_WAITERS];	/* bits: members who wait for it */
	uint32_t cpu, reserved2;	/* + 1: where they are placed */
	uint64_t turn_fetches;	/* counts pages that members had to get one by one */
	uint64_t journal_end;	/* counts all changes ever */
	uint64_t journal[JOURNAL_CHANGES];
	struct directory_member members[DIRECTORY_MEMBERS + 1];	/* the last: who has left meanwhile */
	struct directory_object objects[DIRECTORY_OBJECTS];
	uint32_t pages[DIRECTORY_PAGES];
	/*
	 * Of each page by turns: journal_end when its last change had been added, or one more than when
	 * it came to be. What an object before has left is older.
	 */
	uint64_t changed[DIRECTORY_PAGES];
};

#define DIRECTORY_LEN ((sizeof(struct directory) + 4095) / 4096 * 4096)

/*
 * The member that @owner names has ended, or doesn't take part any more: its pages are anybody's, and
 * what only it had mapped is forgotten. Killed as it took a page, it leaves a lock. It says so itself,
 * if it can, and whoever hears of its death says it again: by then another may have its place.
 */
static inline void directory_member_ends(struct directory *directory, uint32_t owner)
{
	uint32_t member = OWNER_MEMBER(owner);

	if (member >= DIRECTORY_MEMBERS ||
	    PAGE_OWNER(member, __atomic_load_n(&directory->members[member].generation, __ATOMIC_SEQ_CST)) != owner ||
	    __atomic_load_n(&directory->members[member].state, __ATOMIC_SEQ_CST) == MEMBER_FREE)
		return;
	for (uint32_t i = 0; i < DIRECTORY_OBJECTS; i++)
		(void) __atomic_and_fetch(&directory->objects[i].mapped[member / 64],
					  ~(UINT64_C(1) << member % 64), __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < DIRECTORY_MEMBERS; i++) {
		uint32_t lock = MEMBER_LOCK(member);

		(void) __atomic_compare_exchange_n(&directory->members[i].state, &lock, MEMBER_RESTS, 0,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&directory->members[member].state, MEMBER_FREE, __ATOMIC_SEQ_CST);
}

static inline void directory_waits(struct directory *directory, uint32_t member, bool waits)
{
	uint64_t *word = &directory->turn_waiting[member / 64 % TURN_WAITERS], bit = UINT64_C(1) << member % 64;

	if (waits)
		(void) __atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
	else
		(void) __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
}

/* The next who waits for the turn after @member, round and round; DIRECTORY_MEMBERS: nobody. */
static inline uint32_t directory_next_waiter(const struct directory *directory, uint32_t member)
{
	uint32_t at = (member + 1) % (TURN_WAITERS * 64);

	for (uint32_t i = 0; i <= TURN_WAITERS; i++, at = (at / 64 + 1) % TURN_WAITERS * 64) {
		uint64_t waiting = __atomic_load_n(&directory->turn_waiting[at / 64], __ATOMIC_SEQ_CST) >> at % 64;

		if (waiting)
			return at + (uint32_t)__builtin_ctzll(waiting);
	}
	return DIRECTORY_MEMBERS;
}

/* The same, but for those that were killed meanwhile. */
static inline uint32_t directory_next_live_waiter(struct directory *directory, uint32_t member)
{
	for (uint32_t tries = 0; tries < DIRECTORY_MEMBERS; tries++) {
		uint32_t next = directory_next_waiter(directory, member);

		if (next >= DIRECTORY_MEMBERS ||
		    MEMBER_STATE(__atomic_load_n(&directory->members[next].state, __ATOMIC_SEQ_CST)) != MEMBER_FREE)
			return next;
		directory_waits(directory, next, false);
	}
	return DIRECTORY_MEMBERS;
}

/*
 * The turn is free: it is offered to the next who waits after @member. Returns a futex on which
 * that one is to be woken, or NULL if nobody waits, or somebody has come and taken it. Who begins
 * to wait says so and looks at the turn then, so one of the two sees the other.
 */
static inline uint32_t *directory_offer_turn(struct directory *directory, uint32_t member)
{
	uint32_t next = directory_next_live_waiter(directory, member), free = 0;
	struct directory_member *who = &directory->members[next];

	if (next >= DIRECTORY_MEMBERS ||
	    !__atomic_compare_exchange_n(&directory->turn, &free,
					 PAGE_OWNER(next, __atomic_load_n(&who->generation, __ATOMIC_SEQ_CST)) |
					 TURN_OFFERED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return NULL;
	(void) __atomic_add_fetch(&who->turn_calls, 1, __ATOMIC_SEQ_CST);
	return &who->turn_calls;
}

/*
 * The same, but whoever comes first takes it: one of a family that shares a processor needn't wait for
 * another that was woken but doesn't run yet. Who comes too late waits, and says so, again.
 */
static inline uint32_t *directory_call_waiter(struct directory *directory, uint32_t member)
{
	uint32_t next = directory_next_live_waiter(directory, member);

	if (next >= DIRECTORY_MEMBERS)
		return NULL;
	directory_waits(directory, next, false);
	(void) __atomic_add_fetch(&directory->members[next].turn_calls, 1, __ATOMIC_SEQ_CST);
	return &directory->members[next].turn_calls;
}
