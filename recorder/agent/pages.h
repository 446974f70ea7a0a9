/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages - memory that processes share: which pages of it this one may touch
 *
 * recorder/directory.h tells the scheme. A page that is another process's has no protection
 * but PROT_NONE here. Both modes: recording takes part in the directory and logs, replay
 * protects the same pages at the same events, so the program faults where it did.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "recorder/agent/agent.h"
#include "recorder/directory.h"

enum page_access { ACCESS_NONE, ACCESS_READ, ACCESS_FULL };	/* of what the program may do */

struct call;
struct event;
struct mapped_object;
struct mapped_range;
struct siginfo;
struct thread;
struct ucontext;

static_assert(AGENT_DIRECTORY + DIRECTORY_LEN <= AGENT_PROCESS, "its place in the region");
static inline struct directory *directory(void)
{
	return (struct directory *)(agent_config.base + AGENT_DIRECTORY);
}

/* -- pages.c. Baton, where not said otherwise. ------------------------------------------------------ */

/* The first thing at an entry into the agent: what is asked for is given up, or was in the log. */
void pages_at_entry(struct thread *thread);
/* What was taken or is asked for: @flags are the event's. Recording. */
void pages_settle(struct thread *thread, unsigned flags);

/*
 * A SIGSEGV of the program's at @context: was it for want of a page that is another's? Then it
 * is there now, and the instruction is to be made again. Doesn't return then, unless the page was
 * there and only couldn't be written yet. Entered or any.
 */
bool pages_fault(struct thread *thread, const struct siginfo *info, struct ucontext *context);
/* The same, of the agent's own copying for a call; returns. */
bool pages_missed(struct thread *thread, const struct siginfo *info, const struct ucontext *context);
/*
 * Recording: has all of it, as far as the program may touch it, and with @writes may write it.
 * Returns whether some came; in MODE_PASS, where all is opened, that may be others.
 */
bool pages_hold_these(struct thread *thread, uint64_t address, uint64_t len, bool writes);
static inline bool pages_hold(struct thread *thread, uint64_t address, uint64_t len, bool writes)
{
	const struct agent_process *p = process();

	return p->n_handed &&
	       ((address < p->shared_end && address + len > p->shared_start) || passing()) &&
	       pages_hold_these(thread, address, len, writes);
}
/* The same, to write @n pages of @object, as far as they are mapped here. */
bool pages_hold_object(struct thread *thread, struct mapped_object *object, uint64_t page, uint64_t n);
/* It is of memory that may be handed over, whoever has the page now. Baton. */
bool pages_are_handed(uint64_t address);

/* A fork comes. False: the child can't have pages handed over, or shares none. Recording. */
bool pages_before_fork(struct thread *thread);
/* There is memory that a fork would share; and no directory yet. Recording. */
bool pages_are_shared(void);
bool pages_want_directory(void);
/* In the child, before its first event: it has no page. Recording: or no place in the directory. */
void pages_in_child(struct thread *thread);

/* The object is mapped at one more place, which is in the table. Behind the call's event. */
void pages_mapped(struct thread *thread, struct mapped_object *object);
/* What is mapped there is about to change, or how. */
void pages_will_change(uint64_t start, uint64_t len);
/* mprotect(2) has been made. */
void pages_protected(uint64_t start, uint64_t len, uint32_t prot);
/* Nothing of the object is mapped any more. */
void pages_released(struct mapped_object *object);

/* Replay: @event is of this kind; it is done then. */
void pages_replay(struct thread *thread, const struct event *event);

/* MODE_PASS: all may be touched again. Entered; other threads may be here, too. */
void pages_open(void);

/* Recording can't go on: nothing is kept from the program any more. */
void pages_go_on_open(void);
/* Into the EVENT_PAGE_OUT that has begun. */
void pages_log_out(struct thread *thread, const struct mapped_object *object, uint64_t page, uint64_t n);
/* All that are shared by turns are given up; it takes no turns any more. */
void pages_drop_turns(struct thread *thread, unsigned flags);
/* Of those, the ones that have changed since the journal ended at @journal_end. */
void pages_drop_changed(struct thread *thread, unsigned flags, uint64_t journal_end);
/* They can be read only, for now. */
void pages_seal_turns(void);
/* Gets up to @max of @object's that others have by turns, to be read; returns how many. Recording. */
uint64_t pages_gather(struct thread *thread, struct mapped_object *object, uint64_t max);

/* -- pages-held.c. Baton. ----------------------------------------------------------------------------- */

/* From now on pages of it are handed over; until then it has them all. False: there is no memory. */
bool pages_begin_handing(struct mapped_object *object, uint64_t n_pages);
void pages_end_handing(struct mapped_object *object);
bool pages_held(const struct mapped_object *object, uint64_t page);
/* The first page from @page on that is held, and where that ends: the same, if there is none. */
uint64_t pages_held_run(const struct mapped_object *object, uint64_t page, uint64_t *ret_end);
/* None of the 64 from @page, a multiple of 64, on is. */
bool pages_none_of_64(const struct mapped_object *object, uint64_t page);
void pages_set_held(const struct mapped_object *object, uint64_t page, bool held);
/* How far it is mapped, or reaches. */
uint64_t pages_of(const struct mapped_object *object);
/* What the program believes, and what it may do with @access. */
uint32_t pages_program_prot(const struct mapped_range *range);
uint32_t pages_protection(const struct mapped_range *range, enum page_access access);
/* Protects @n pages wherever they are mapped. False: the kernel refused. */
bool pages_protect(const struct mapped_object *object, uint64_t page, uint64_t n, enum page_access access);
/* Takes the right to touch them away. */
bool pages_drop(struct mapped_object *object, uint64_t page, uint64_t n);
/* Where one can be read, or 0. */
uint64_t pages_address(const struct mapped_object *object, uint64_t page);

/* -- turns.c: recording. Baton, where not said otherwise. ---------------------------------------------- */

/*
 * Waits for the process's turn, and logs what others have changed meanwhile: @flags are the
 * event's. Nothing if it takes no turns, or has it.
 */
void turn_begin(struct thread *thread, unsigned flags);
/* What was written is in the journal, and others may have their turn. @soon: it is wanted again in a moment. */
void turn_end(bool soon);
/* What was written so far is in the journal; it goes on. */
void turn_publishes(void);
/* Somebody has waited for too long, or chaos wills. */
void turn_yield(struct thread *thread, unsigned flags);
bool turn_is_wanted(void);
/* The first page that is shared by turns comes: it is the process's turn now, or MODE_PASS. */
void turn_first(struct thread *thread);
/* The page, which is held, is about to be written; returns whether that is new. */
bool turn_writes(const struct mapped_object *object, uint64_t page);
/* More than can be kept track of is: whoever has pages gives them up when it has its turn. */
void turn_spoils(void);
/* What has been written is in the journal, and can't be written now. */
void turn_seals(void);
/* In a forked child: it hasn't any. And in MODE_PASS: it has none any more. Any context. */
void turn_forget(void);
/* In a forked child of a process whose turn it was: it has the same pages, to be read, and knows as much. */
void turn_inherits(void);
void turn_leave(void);

/* -- directory.c: recording, of a process that has p->member ------------------------------------------ */

/* Our place. In MODE_PASS another thread may have left it: then one that is nobody's. */
static inline uint32_t directory_place(void)
{
	uint32_t member = load_acquire(&process()->member);

	return MIN(member - 1, DIRECTORY_MEMBERS);
}
static inline struct directory_member *directory_myself(void)
{
	return &directory()->members[directory_place()];
}
/* All threads are blocked, or about to be; and one has the baton again: is there attention to pay? */
void directory_rests(void);
bool directory_runs(void);
static inline bool directory_calls(void)	/* is there? */
{
	return load_relaxed(&directory_myself()->attention) != 0;
}
void directory_attends(void);	/* it is going to be paid, and has been */
void directory_attended(void);
void directory_reminds(void);	/* something is left */
/* It rests for good, but keeps its turn while its memory is looked at. */
void directory_dies(void);

bool directory_join(void);
/*
 * The process is about to go on unrecorded: whoever shares memory with it must end its log before it
 * can have read what this one writes then. is_lost: somebody has said so. Any context.
 */
void directory_lose(void);
static inline bool directory_is_lost(void)
{
	return process()->member && !agent_replays() && load_relaxed(&directory()->lost);
}
/* It takes part no more. Any context. */
void directory_leave(void);

/* An object's entry + 1, in which the process takes part now; 0: there is no room, or none yet. */
uint32_t directory_enter(uint64_t dev, uint64_t ino, uint64_t n_pages, bool may_be_new, bool *ret_new);
/* It has been mapped so far: what is behind its words isn't handed over, and that is noted. */
void directory_reaches(uint32_t entry, uint64_t n_pages);
void directory_forget(uint32_t entry);

/*
 * A place for the child that is about to be forked; in the child, in which its parent's is no
 * more; there is no child after all.
 */
bool directory_new_child(void);
bool directory_be_child(void);	/* false: it got none */
void directory_no_child(void);

/* The object's pages are shared by turns; they are from now on. */
bool directory_by_turns(uint32_t entry);
void directory_begin_turns(uint32_t entry);
/* The process has none of its pages for itself any more. */
void directory_disown(uint32_t entry);
/* The page is nobody's: all who take turns have it. */
void directory_is_by_turns(uint32_t entry, uint64_t page);
bool directory_has_by_turns(uint32_t entry, uint64_t page);	/* it is so */
/* The end of the journal behind its last change; NULL: none, and what changes there isn't known. */
uint64_t *directory_changed(uint32_t entry, uint64_t page);
/* The living member that @owner names, or NULL. And who makes no entry into the agent is kicked. */
struct directory_member *directory_owner(uint32_t owner);
void directory_kick(struct directory_member *member);

/* Is the page, which the process holds, not its own any more, or, if @asked, asked for? */
bool directory_gives(uint32_t entry, uint64_t page, bool asked);
/* It can't be touched any more. */
void directory_given(uint32_t entry, uint64_t page);
/* Waits for it, within the stall bound; others may rob the process of others meanwhile. */
bool directory_fetch(uint32_t entry, uint64_t page);
