/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-internal - what domain.c (log, wake-ups) and domain-snapshot.c share */
#pragma once

#include <sys/sysmacros.h>

#include "recorder/capture.h"
#include "recorder/directory.h"
#include "recorder/domain.h"
#include "recorder/image.h"

#define makedev_of(major_, minor_) makedev(major_, minor_)

/* More mappings of shared memory than this aren't compared with those of other processes. */
enum { MAX_SHARES = 32 };

struct domain {
	struct domain_env *env;
	uint32_t id;
	pid_t pid, parent;		/* parent: who made it, recorded or not */
	uint32_t uid;			/* whose it was when it began; UINT32_MAX: unknown */
	struct agent_config config;
	int memfd, wake_fd, pidfd;
	struct agent_shared *shared;
	const uint8_t *ring;
	char *exe;
	uint64_t stack_limit;
	bool same_pids;			/* the process's pid namespace is ours */

	struct waiter *waiter;		/* a thread: domain-wait.c */

	/* The log: drained events that aren't written yet. */
	uint8_t *log;
	size_t log_len;
	uint32_t log_events;
	uint64_t log_first_ns;
	bool log_is_whole;		/* no gap since the last snapshot */
	uint64_t tail;			/* position in the ring */
	uint64_t next_event, whole_event;	/* behind the newest; behind the newest group */
	uint64_t tsc, last_event_ns;
	uint64_t drained_ns, retry_ns;
	bool nap, broken, seen_passing;
	int last_signal;		/* of the newest EVENT_SIGNAL */

	/* Snapshots. */
	uint64_t next_snapshot_ns, snapshot_wanted_ns;
	uint64_t snapshot_due_ns;	/* when the next would be, but for others' */
	bool snapshot_is_wanted;
	uint64_t snapshot_event;	/* of the newest EVENT_SNAPSHOT */
	bool capture_is_due;		/* its event has been drained; the child may not be born yet */
	struct capture *capture;	/* being read */
	struct snapshot_writer *writer;
	uint64_t commit_ns;		/* all is read; then it is written. 0: it isn't read */
	pid_t child;
	uint64_t capture_event, capture_ns;
	uint32_t capture_flags;
	uint32_t capture_number;	/* the agent's */
	enum snapshot_method method;	/* of this one */
	uint64_t snapshot_begun_ns;
	bool capture_let_go;		/* the child has been told what it may unmap */
	struct kept_child {		/* the newest whole snapshot's, or none (pagemap: -1) */
		int pagemap, smaps;
		uint64_t event;
		uint64_t looked_ns;
		uint64_t bytes, faults;		/* held when it was looked at; the service's faults by then */
	} kept;
	struct turns_seen {		/* memory shared by turns, when a snapshot was taken */
		uint64_t event;		/* the snapshot's; 0: it isn't known */
		uint64_t journal_end;
		uint32_t epoch;
		struct image_map *rows;	/* what was mapped */
		size_t n_rows;
	} turns_now, turns_before;	/* of the snapshot that is being taken, and the newest whole one */
	bool was_forked;		/* it begins as its parent was: until there is a snapshot of its own */
	bool sleeper_failed;		/* it can't be read where it sleeps */
	bool freeze_is_ready;
	struct domain_freeze freeze;

	/* Forks: memory for the next children; births, also of those who aren't known yet. */
	int spares[MAX_SPARES];
	struct domain_birth *births;
	size_t n_births;

	/* Shared memory that is handed over; NULL: none is. */
	int directory_fd;
	struct directory *directory;
	struct shared_object {
		uint64_t dev, ino;
	} shares[MAX_SHARES];		/* what it may write, when it was looked at last */
	size_t n_shares;

	/* Stubs: those that were planned, and places that can't have one. */
	struct agent_stub *stubs;
	size_t n_stubs;
	char **refused_stubs;		/* in words */
	size_t n_refused_stubs;

	uint32_t known_seen;		/* scans of images that were handed on */

	/* Files that may be referred to, by the index of their READ_FILE_HELD. */
	struct mapped_file *read_files[MAX_READ_FILES];
	uint32_t read_files_asked;	/* questions that were answered */

	/* Death, exec. */
	struct obituary obituary;
	bool obituary_told, released, exec_taken;
	uint8_t last_kind;	/* of an event */
	enum domain_end end;

	/* Statistics. */
	uint64_t log_bytes, async_events;
	uint64_t stall_ns_per_mb;	/* what the last fork took of a resident megabyte */
	uint64_t expected_stall_ns;	/* of the next */
	enum snapshot_method snapshot_method;	/* of the newest, and its pages */
	uint64_t snapshot_pages, snapshot_pages_read, snapshot_pages_written;
	uint64_t snapshot_work_ns;	/* how long we were at it */
	unsigned threads, snapshots, snapshots_failed, snapshots_skipped, gaps, missing_files;
	int snapshot_error;
};

static inline uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline bool passing(const struct domain *d)
{
	return load(&d->shared->mode) != MODE_RECORD;
}

static inline void domain_freep(struct domain **d)
{
	(void) domain_free(*d);
}

/* The first half of making one, and the second; @memfd is taken over, also on failure. */
struct domain *domain_alloc(struct domain_env *env, uint32_t id, pid_t pid,
			    const struct agent_config *config, int memfd);
int domain_begin(struct domain *d);

void wake_word(uint32_t *word);
/* domain-wait.c: a thread that waits for the agent begins, or has left the shared memory. */
int domain_start_waiting(struct domain *d);
void domain_stop_waiting(struct domain *d);

/* Takes all that the agent has logged. */
void domain_drain(struct domain *d);
/* Ends the present log file behind the newest event. */
void cut_log(struct domain *d);
/* At a snapshot event: a window may begin here, also one of a log that had a gap. */
void begin_window(struct domain *d);

/* Which of its threads /proc shows memory and files of: the first may have ended. */
pid_t living_task(const struct domain *d);
/* The service's word for who a process is can be anybody's number: does it have this memory? */
bool has_mapped(pid_t pid, int memfd);
/* 0: it is gone. */
pid_t parent_of(pid_t pid);
/* What @pid's own namespace calls it; 0: unknown. */
uint64_t innermost_pid(pid_t pid);

/*
 * domain-fork.c: an EVENT_FORK of the thread has been drained; its next call is done; who are those
 * that can be told already? And the log has ended.
 */
void fork_begins(struct domain *d, uint64_t event, unsigned spare, unsigned thread);
void fork_ends(struct domain *d, unsigned thread, int64_t result);
bool births_are_known(struct domain *d);
void forks_are_left(struct domain *d);
void births_free(struct domain *d);

/* domain-stubs.c: answers what the agent asks. A forked child has what its parent has. */
void plan_stubs(struct domain *d);
int inherit_stubs(struct domain *d, const struct domain *parent);
void stubs_free(struct domain *d);

/*
 * domain-reads.c: tells a new agent what is known already; answers what it asks; an event with
 * EVENT_REFERENCE has been drained; and a domain goes.
 */
void offer_read_files(struct domain *d);
void hold_read_files(struct domain *d);
void note_reference(struct domain *d, const struct event *event);
void leave_read_files(struct domain *d);

/* A thread that runs enters the agent. */
void kick_holder(struct domain *d);

/*
 * domain-pages.c. Takes over @fd, the directory that the agent has made (-1: it couldn't be
 * opened); what the parent has.
 */
void domain_take_directory(struct domain *d, int fd);
int domain_inherit_directory(struct domain *d, const struct domain *parent);
/* Pages have been asked for in vain: domain_kick_for_pages() of all will help. */
bool domain_pages_are_wanted(const struct domain *d);
/* The pages of the mapping that are another process's by now: up to @max addresses. */
size_t domain_others_pages(const struct domain *d, const struct image_map *map, uint64_t *to, size_t max);
/*
 * A snapshot of @rows is being taken, for which the process has its turn, and has said what it has
 * changed in it; it is whole; and which pages have changed since the one before, which was at @base
 * (capture_sink.compare_shared).
 */
void domain_shared_is_read(struct domain *d, const struct image_map *rows, size_t n);
void domain_shared_is_stored(struct domain *d);
void domain_compare_shared(const struct domain *d, uint64_t base, const struct image_map *map,
			   uint64_t address, size_t n, bool *same);
/* One who shares memory with it goes on unrecorded: what is shared may be anything by now. */
bool domain_family_is_lost(const struct domain *d);
/*
 * While the recorder has the turn nobody changes what is shared by turns. Waits some milliseconds
 * for it, and returns whether it got it, and when giving it back, whether it still had it.
 */
bool domain_take_turn(struct domain *d);
/* Some of what it shares is. */
bool domain_takes_turns(const struct domain *d);
bool domain_give_turn(struct domain *d);

/* domain-snapshot.c: what a snapshot of it before @event, at @mono_ns, says first. */
struct image_head snapshot_head(const struct domain *d, uint64_t event, uint64_t mono_ns);
/*
 * The payload of a maps chunk, behind @prefix bytes for the caller: counts, rows, text. NULL: there
 * is no memory, or it is too long. The caller frees it.
 */
uint8_t *snapshot_maps(const struct image_map *rows, size_t n, const char *text, size_t text_len,
		       size_t prefix, size_t *ret_len);
/* An EVENT_SNAPSHOT has been drained. */
void snapshot_begins(struct domain *d);
/* Reads on. True: there is more to read. */
#define SNAPSHOT_ALL (SIZE_MAX / 2)
bool snapshot_work(struct domain *d, size_t bytes);
/*
 * A forked child's first snapshot, when all its threads sleep: it is read from outside. What
 * its parent did falls out of the window, and who sleeps takes no snapshots.
 */
void snapshot_of_sleeper(struct domain *d);
/* Gives up the one that is being read. */
void snapshot_drop(struct domain *d);
/* The child that is kept, if one is, holds memory: not more than the policy lets it. */
void snapshot_watch_kept(struct domain *d, uint64_t now);
void snapshot_drop_kept(struct domain *d);
/* Is there memory, process numbers and time enough for a fork (hazards 9 to 11)? */
bool snapshot_is_affordable(struct domain *d);
/*
 * Of many processes, or of much memory: all of the service's take a tenth of a processor at most. It is
 * tried again later, but not so late that the log grows by more than half of the window.
 */
bool snapshot_can_wait(struct domain *d, uint64_t now);
void snapshot_is_asked_for(struct domain *d, uint64_t now);
/* The policy's, or longer: with the pauses that are expected of them the stall bound holds. */
uint64_t snapshot_interval_ns(const struct domain *d);
