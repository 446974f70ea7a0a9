/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain - one recorded image, seen from the recorder
 *
 * A domain begins when the agent is injected and ends with the process, or with its next
 * exec, which begins another. It drains the ring into the store, has snapshots taken at
 * the policy's interval, reads them, and reads a dying process's last state.
 *
 * Everything that comes out of the shared memory is copied, then checked; a record that
 * makes no sense ends the domain's recording, not the recorder. One thread uses a domain;
 * a small one of its own waits for the agent's wake-ups and passes them on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "policies/policy.h"
#include "recorder/abi.h"
#include "recorder/files.h"
#include "ringstore/store.h"

struct domain;

/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* What the recorder's domains have in common. */
struct domain_env {
	struct store *store;
	struct packer *packer;
	struct files *files;
	const struct policy *policy;
	struct known_facts *known;	/* gathered from all domains */
	double tsc_per_ns;
	uint64_t tsc_zero, mono_zero;	/* read at one moment */
	uint64_t snapshot_work_ns;	/* how long we were at the last one */
	uint64_t snapshots_rest_ns;	/* until when none begins that can wait */
	struct waiter *waiters;		/* domain-wait.c's: threads that nobody has need of now */
	unsigned n_waiters;
};

/* When its last domain is gone. */
void domain_env_end(struct domain_env *env);

enum domain_news {		/* what domain_work() wants its owner to know: bits */
	DOMAIN_FROZEN = 1 << 0,	/* a freeze snapshot is whole: domain_take_freeze() */
	DOMAIN_DYING = 1 << 1,	/* an obituary waits: domain_read_obituary(), domain_release() */
	DOMAIN_EXECS = 1 << 2,	/* it is about to exec: domain_take_exec(), domain_exec_ready() */
	DOMAIN_EXEC_FAILED = 1 << 3,	/* it is still itself: domain_exec_over() */
	DOMAIN_PASSES = 1 << 4,	/* it goes on natively; told once */
	DOMAIN_BROKEN = 1 << 5,	/* it writes nonsense: recording of it is over */
	DOMAIN_FORKS = 1 << 6,	/* it is about to fork: domain_make_spares() */
	DOMAIN_BORE = 1 << 7,	/* it has children: domain_take_birth() */
	DOMAIN_WANTS_PAGES = 1 << 8,	/* of shared memory: domain_kick_for_pages() of all others */
};

enum domain_end {
	DOMAIN_RUNS = 0,
	DOMAIN_DIED,		/* of a signal, with an obituary */
	DOMAIN_EXITED,		/* by exit_group, with an obituary */
	DOMAIN_EXECED,
	DOMAIN_KILLED,		/* without a word: SIGKILL */
};

/*
 * Begins to record process @pid with the agent's @config and shared memory @memfd (taken
 * over, also on failure). @env must outlive it. The domain_pidfd() of one that has ended already
 * is -1: what it has written is still to be drained.
 */
int domain_new(struct domain_env *env, uint32_t id, pid_t pid, const struct agent_config *config,
	       int memfd, struct domain **ret_domain);
struct domain *domain_free(struct domain *domain);

/*
 * Gives the agent shared memory for the children that it is about to fork; @wanted false: they
 * aren't to be recorded.
 */
void domain_make_spares(struct domain *domain, bool wanted);

/* The last child that it forked shares writable memory with it, which isn't handed over. */
bool domain_shares_memory(const struct domain *domain);

/* Looks at what shared memory it may write. */
void domain_look_at_shares(struct domain *domain);
/*
 * Both may write to the same memory, as of the last looks, and it isn't handed over between
 * them: they don't descend from one image.
 */
bool domain_shares_unhanded(const struct domain *a, const struct domain *b);

/* The log begins at @begin_ns: what only older events refer to is kept for it no longer. */
void domain_trim_reads(struct domain *domain, uint64_t begin_ns);

/* Interrupts it if it has pages that others wait for. */
void domain_kick_for_pages(struct domain *domain);

/* A child that a domain has forked, and that has begun to write its log. */
struct domain_birth {
	pid_t pid;		/* 0: not known yet */
	int memfd;		/* whoever takes the birth closes it, or gives it to the child */
	uint64_t event;		/* of the parent's log: where the child's begins */
	uint64_t ns;
	unsigned thread;	/* of the parent: its slot */
};
bool domain_take_birth(struct domain *domain, struct domain_birth *ret_birth);

/*
 * Begins to record it, with its memory (taken over, also on failure). domain_pidfd() as above.
 */
int domain_new_child(const struct domain *parent, const struct domain_birth *birth, uint32_t id,
		     struct domain **ret_domain);

uint32_t domain_id(const struct domain *domain);
pid_t domain_pid(const struct domain *domain);
/* The process that made it, recorded or not; 0: unknown. */
pid_t domain_parent(const struct domain *domain);
/* The id of the thread in @slot, as the process sees it; 0: unknown. */
uint32_t domain_tid(const struct domain *domain, uint32_t slot);

/* Readable when there may be work; owned by the domain. Its pidfd becomes readable at death. */
int domain_wake_fd(const struct domain *domain);
int domain_pidfd(const struct domain *domain);

/*
 * Does what there is to do without blocking for long; the owner calls it again at once
 * while *@ret_more, else when domain_wake_fd() is readable or domain_deadline() has come.
 * Returns news, or a negative errno.
 */
int domain_work(struct domain *domain, bool *ret_more);

/* When domain_work() wants to be called in any case, CLOCK_MONOTONIC; UINT64_MAX: never. */
uint64_t domain_deadline(const struct domain *domain);

/* Asks for a freeze snapshot at the program's next entry into the agent. */
void domain_ask_freeze(struct domain *domain);

/*
 * The freeze that DOMAIN_FROZEN told of: the event before which the window ends, and the
 * signal that asked for it (0: domain_ask_freeze() did).
 */
struct domain_freeze {
	uint64_t event;
	int signal;
	uint32_t tid;
};
bool domain_take_freeze(struct domain *domain, struct domain_freeze *ret_freeze);

/*
 * Freezes where the domain is now, because all its threads are blocked: takes the baton,
 * so that nobody can go on. False: somebody runs. Ended with domain_thaw(), which says
 * whether it held all the while (a thread takes the baton back after the stall bound).
 */
bool domain_hold(struct domain *domain, struct domain_freeze *ret_freeze);
bool domain_thaw(struct domain *domain);

/* The last state of a window: chunks for freeze_add_final(). */
struct final_state {
	struct final_piece {
		uint8_t *bytes;
		size_t len;
	} *pieces;
	size_t n_pieces;
	uint64_t n_missing;	/* pages left out for want of time */
};
void final_state_deinit(struct final_state *final);

/*
 * Reads and hashes the process as it is, while it holds still, for at most @bound_ns.
 * @death: its last words, or NULL.
 */
int domain_read_final(struct domain *domain, uint64_t event, const struct obituary *death,
		      uint64_t bound_ns, struct final_state *ret_final);

/* The obituary that DOMAIN_DYING told of. Copied from the shared memory and checked. */
const struct obituary *domain_obituary(const struct domain *domain);

/* Lets a dying process go on with it. */
void domain_release(struct domain *domain);

/* It is dead, or another program: the memory that it shared is others' (directory.h). */
void domain_leave_directory(struct domain *domain);

/* The process has ended, or its image. Drains the rest. */
void domain_finish(struct domain *domain, enum domain_end end);
enum domain_end domain_end(const struct domain *domain);

/* The same for one whose end nobody will look at: what isn't in the store yet doesn't get there. */
void domain_forget(struct domain *domain, enum domain_end end);
/*
 * Drains it. Are there children whose logs begin in this one, and who aren't recorded yet; or is its
 * window to be frozen, as a signal has asked for?
 */
bool domain_is_wanted(struct domain *domain);

/* The service goes on without us: what a recorder that stops says to the agent. */
void domain_pass(struct domain *domain);

/*
 * The thread that is about to exec, for which the injector is wanted; or whose exec failed.
 * 0: what the process says is no thread of it (or of another pid namespace); it goes on.
 */
pid_t domain_take_exec(struct domain *domain);

/*
 * The injector is there for @tid, or (@ready false) will not be. False: nobody waits for
 * that any more.
 */
bool domain_exec_ready(struct domain *domain, pid_t tid, bool ready);

/*
 * Whether its last word was an exec: then it went on as an image that isn't recorded. One that
 * passes has installed a filter that the agent can't live under.
 */
bool domain_has_execed(const struct domain *domain);

/* The injector has let go of @tid again, after an exec that failed. */
void domain_exec_over(struct domain *domain, pid_t tid);

/* What has been logged so far goes into the store, and a first snapshot that is under way. */
void domain_flush(struct domain *domain);

/* How the pages were found that a snapshot has to write. */
enum snapshot_method {
	SNAPSHOT_BY_NONE = 0,	/* there was none before it */
	SNAPSHOT_BY_HASHES,	/* all were read */
	SNAPSHOT_BY_FRAMES,	/* those in another page frame than before were */
};

struct domain_status {
	uint64_t events;		/* in the log so far, without one whose outputs are cut off */
	uint64_t log_bytes;		/* uncompressed */
	uint64_t last_event_ns;
	unsigned threads;
	unsigned snapshots, snapshots_failed;
	unsigned snapshots_skipped;	/* of those that failed: their fork alone would have been too long */
	enum snapshot_method snapshot_method;
	uint64_t snapshot_pages, snapshot_pages_read, snapshot_pages_written;	/* of the newest */
	uint64_t snapshot_work_ns, snapshot_interval_ns;
	int snapshot_error;		/* of the last that failed */
	uint64_t longest_stall_ns;	/* by a snapshot */
	uint64_t stalls, stalled_ns, kicks, async_events;
	uint64_t longest_wait_ns, longest_turn_wait_ns;	/* of a thread that could run; for its turn */
	unsigned gaps;			/* the log was interrupted: pass mode, disk full */
	bool passing;
	unsigned missing_files;
	uint32_t refused[16];		/* as in struct agent_shared */
	uint32_t sites_left[SITE_N];	/* instructions that may spoil a replay, by enum site_kind */
	uint32_t calls_32_bit;		/* refused ones */
	bool code_made;			/* as it runs, by the program */
	uint64_t forks_left;		/* children that ran natively */
	unsigned stubs;			/* for places that make many system calls */
	unsigned stubs_refused;		/* domain_refused_stubs() */
	unsigned by_turns;		/* processes that share memory by turns, and so run one at a time */
};
void domain_get_status(const struct domain *domain, struct domain_status *ret_status);

/* Bytes that the child of its newest snapshot holds; takes ms for each gigabyte that it has. */
uint64_t domain_snapshot_memory(const struct domain *domain);

/*
 * Places that make many system calls and can't have a stub: "CALL at FILE+OFFSET: WHY" each. They
 * live as long as @domain.
 */
const char *const *domain_refused_stubs(const struct domain *domain, size_t *ret_n);

/* For the manifest. */
const struct agent_config *domain_config(const struct domain *domain);
const char *domain_exe(const struct domain *domain);
