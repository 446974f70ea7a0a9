/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session-internal - a session, as rebuild.c, session.c, locate.c and debug.c see it */
#pragma once

#include <inttypes.h>

#include "recorder/image.h"
#include "replay/session.h"

enum {
	MAX_TIMES = 1 << 16,	/* events whose time is remembered: more than a ring holds of small ones */
	MAX_WATCHES = 4,	/* debug registers */
};

struct breakpoint {
	uint64_t address;
	uint8_t byte;		/* the program's */
	bool absent;		/* a stub's jump is there: it stands at the copy only */
};

struct watch {
	uint64_t address;
	unsigned len;		/* 0: free */
	enum watch_kind kind;
	uint64_t value;		/* when the session last went on */
};

struct search;

/* What a search has a debug register for. */
struct search_trap {
	uint64_t address;
	unsigned len;
	enum { TRAP_ON_EXECUTION = 0, TRAP_ON_ACCESS = 3 } kind;	/* as the processor says it */
};

/* Places that are looked for without a change to the program's code. */
enum { MAX_UNTOUCHED = 4 };

/* Shared memory for forked children, a generation each, under the numbers that they have in the process. */
enum { MAX_FORK_DEPTH = 16 };
#define REPLAY_RING_LEN (UINT64_C(8) << 20)

struct fork_rings {
	unsigned refs;
	int fds[MAX_FORK_DEPTH];
};

/* Memory in the place of a mapped file. */
struct session_object {
	uint64_t dev, ino, size;
	int fd;
};

struct session {
	struct session_options options;
	struct window *window;
	struct agent_config config;
	pid_t pid;
	bool dead;
	int mem, memfd;
	struct agent_shared *shared;
	uint8_t *ring;		/* mapped twice */

	/* The snapshot's head and mappings. */
	struct image_head head_of_image;
	struct image_map *rows;
	size_t n_rows;
	char *text;
	size_t text_len;
	struct replay_file *files;
	size_t n_files;
	struct session_object *objects;
	size_t n_objects;

	/* Forks: fork.c. */
	struct fork_rings *rings;	/* NULL: nothing forks in this window */
	unsigned depth;

	/* Feeding: positions in the ring, and an event that had no room yet. */
	struct event_reader *events;
	uint64_t feed_at, head;
	bool fed_all, log_is_cut;
	uint8_t hold[EVENT_MAX_LEN] __attribute__((aligned(8)));
	size_t held;
	uint64_t held_ns;
	uint64_t times[MAX_TIMES];	/* when events happened, by number since the snapshot */
	uint64_t n_times, times_base;

	/* Async events: locate.c. */
	struct search *search;
	uint64_t search_begin_ns;
	struct search_trap traps[MAX_WATCHES];
	unsigned n_traps;
	bool search_is_shown;	/* the caller has seen a stop while it was on */
	uint64_t untouched[MAX_UNTOUCHED];	/* events */
	unsigned n_untouched;
	uint64_t arrivals;

	/* What the process's arena has of stubs: stubs.c. */
	struct agent_stub *stubs;
	uint32_t n_stubs;

	/* Debugging: debug.c. */
	struct breakpoint *breakpoints;
	size_t n_breakpoints;
	struct breakpoint *copies;	/* the same in stubs, of what is displaced there */
	size_t n_copies;
	struct watch watches[MAX_WATCHES];
	enum session_trap trap;
	uint64_t watch_address;
	bool watches_changed;	/* the threads' debug registers don't say so yet */
	/* Stops that wait until the thread has left what locate.c put in the program's way. */
	bool owes_watch, owes_request;
	bool stepping;		/* a search puts no code of its own in the way of single steps */
};

/* rebuild.c: forks the process and has it rebuilt. */
int rebuild(struct session *session, struct replay_error *ret_error);

/* files.c: those that @row maps, or -1; why there is none, in @ret_error. */
int session_open_files(struct session *session);
int session_file(const struct session *session, const struct image_map *row);
int session_lacks_file(const struct session *session, const struct replay_file *file,
		       struct replay_error *ret_error);
/* And of one that is there: the program hasn't got those bytes from it. */
int session_read_differs(const struct session *session, const struct event_reference *read,
			 struct replay_error *ret_error);

/* session.c: CLOCK_MONOTONIC of here and now. */
uint64_t session_clock(void);
/* Lets the stopped process go on. */
void session_go(struct session *session);
/* Waits for the next stop, feeding meanwhile. */
int session_wait(struct session *session, struct replay_error *ret_error);

/* rebuild.c: maps the shared memory, and fills it in for a replay. */
int session_map(struct session *session);

/* fork.c: before the process is there, which inherits them. */
int fork_rings_open(struct session *session);
void fork_rings_unref(struct fork_rings *rings);
/* A domain that begins with a fork: by its parent's replay. */
int session_open_forked(struct window *window, const struct session_options *options,
			struct session **ret_session, struct replay_error *ret_error);

/* The thread in @slot, as it is: locate.c's code may be what it runs. 0, -ESRCH or another errno. */
int read_thread(const struct session *session, uint32_t slot, struct thread_view *ret_view);
int write_register(const struct session *session, const struct thread_view *view, int reg,
		   uint64_t value);
/* Would reading there be an access that the debugger watches? */
bool is_access_watched(const struct session *session, uint64_t address, unsigned len);
bool has_breakpoint(const struct session *session, uint64_t address);

/* debug.c: takes all breakpoints out of the code, and puts them back. */
void lift_breakpoints(struct session *session);
void lay_breakpoints(struct session *session);

/* locate.c: after breakpoints have changed. */
void tell_patches(struct session *session);

/* debug.c: what a STOP_TRAP means; -EAGAIN: not for the caller. Before each go. */
int trap_stop(struct session *session, enum session_stop *ret_stop, struct replay_error *ret_error);
int arrival_stop(struct session *session, enum session_stop *ret_stop, struct replay_error *ret_error);
int request_stop(struct session *session, enum session_stop *ret_stop, struct replay_error *ret_error);
void before_go(struct session *session);

/*
 * stubs.c: the agent's stubs, as the program would have them. Where in it is @ip, which may be in a
 * stub? stub_has(): it is in one. stub_copy(): what is displaced to a stub is there, too; 0: it isn't.
 */
void stubs_load(struct session *session);
uint64_t stub_visible(const struct session *session, uint64_t ip);
bool stub_has(const struct session *session, uint64_t ip);
uint64_t stub_copy(const struct session *session, uint64_t address);
bool stub_is_copy(const struct session *session, uint64_t ip);
/* Behind the first byte of its jump. */
bool stub_overwrites(const struct session *session, uint64_t address);

/* debug-registers.c: of all threads; a new one has none yet. */
void arm_watches(struct session *session);
/* Of the thread that has stopped: what the search wants. */
void arm_search(struct session *session);
/* Those that no watchpoint has. */
unsigned free_registers(const struct session *session);
/* Bits: which of the registers the newest trap was for; was it the search's Nth? */
unsigned take_hits(struct session *session);
bool is_trap_hit(const struct session *session, unsigned hits, unsigned n);
