/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session - a replay: a process that is rebuilt from a snapshot and fed with the log
 *
 * The process replays by itself: its agent takes results from the log instead of from
 * the kernel, and finds by itself where threads take turns. It is not traced. Where the
 * replayer is wanted it stops, all of its threads in the agent, and this is where
 * session_run() returns. A position is an event number, and a place between that event
 * and the next.
 *
 * The process runs the recorded program's code. It is fenced: no new privileges, and a
 * seccomp filter that leaves it the agent's own calls (hazard 24).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/abi.h"
#include "recorder/threads.h"
#include "replay/window.h"

struct session;

/* How long it took to find the place of each preemption. The caller frees .ns. */
struct searches {
	uint64_t *ns;
	size_t n, room;
};

struct session_options {
	const struct window_domain *domain;
	uint64_t snapshot;		/* the event of the snapshot to begin from */
	bool stop_at_events, stop_at_writes, stop_at_snapshots, stop_at_signals, stop_at_forks;
	uint64_t events_from;		/* stop_at_events: from this event on */
	bool debugged;			/* a person is at it: silence is no divergence */
	/* Called now and then while the process runs; true: stop soon (SESSION_REQUESTED). */
	bool (*idle)(struct session *session, void *userdata);
	void *userdata;
	struct searches *searches;	/* to be added to; may be NULL */
};

/* Why a session stopped. */
enum session_stop {
	SESSION_EVENT,		/* an event is done (stop_at_events) */
	SESSION_WRITE,		/* the program wrote to descriptor 1 or 2 (stop_at_writes) */
	SESSION_SNAPSHOT,	/* a snapshot, the process's last words or its exit are next */
	SESSION_SIGNAL,		/* the program is about to get the signal that is next (stop_at_signals) */
	SESSION_FORK,		/* the process is about to fork one of the window's (stop_at_forks) */
	SESSION_TRAP,		/* breakpoint, watchpoint or step of the debugger's */
	SESSION_REQUESTED,	/* session_request_stop() */
	SESSION_END,		/* the window has ended */
};

/*
 * Rebuilds the process. Nothing has run when this returns. -ENOTSUP: recorded by another
 * build of the agent, or with processor features that this machine lacks.
 */
int session_open(struct window *window, const struct session_options *options,
		 struct session **ret_session, struct replay_error *ret_error);
struct session *session_close(struct session *session);

/*
 * At a SESSION_FORK: the child, as a session of its own that stands where it begins. The
 * parent's goes on without it, if it isn't closed. Errors as of session_open().
 */
int session_fork(struct session *parent, const struct session_options *options,
		 struct session **ret_child, struct replay_error *ret_error);

/*
 * Runs to the next stop. 0 and @ret_stop; -EILSEQ: the replay has diverged, @ret_error
 * says where and how; another negative errno with @ret_error.
 */
int session_run(struct session *session, enum session_stop *ret_stop,
		struct replay_error *ret_error);

/* From another thread: the session stops soon, with SESSION_REQUESTED. */
void session_request_stop(struct session *session);

/* Number of the event that is next; those before are done. */
uint64_t session_position(const struct session *session);
/* When the newest event that was done happened. CLOCK_MONOTONIC of the recording. */
uint64_t session_ns(const struct session *session);
/* The event that is next, or NULL at the window's end. Only while stopped. */
const struct event *session_next_event(const struct session *session);

pid_t session_pid(const struct session *session);
int session_mem(const struct session *session);	/* /proc/PID/mem, read-write */
struct agent_shared *session_shared(const struct session *session);
const struct agent_config *session_config(const struct session *session);

/*
 * The threads, with their registers as the program has them. The caller frees with free().
 */
int session_threads(const struct session *session, struct thread_view **ret_threads, size_t *ret_n);
/* One of them; -ESRCH: it has gone. */
int session_thread(const struct session *session, uint32_t slot, struct thread_view *ret_view);
uint32_t session_stopped_slot(const struct session *session);

/* Has the stopped thread make a system call. Returns its result. */
long session_call(struct session *session, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		  uint64_t e, uint64_t f);

/* -- the debugger's means. All threads stand still when these are called. -------------------- */

/* Sets or takes away a breakpoint at @address. The bytes that programs and gdb read are the program's. */
int session_set_breakpoint(struct session *session, uint64_t address);
int session_clear_breakpoint(struct session *session, uint64_t address);

/* Reads program memory as the program wrote it, without our breakpoints. Returns bytes read. */
ssize_t session_read(const struct session *session, uint64_t address, void *to, size_t len);

/*
 * In what was read, the program's own instructions where the agent has put others. Programs
 * themselves find the agent's, in recording and replay.
 */
void session_hide_sites(const struct session *session, uint64_t address, void *bytes, size_t len);

/* The same for the jumps to its stubs, as of the last stop. */
void session_hide_stubs(const struct session *session, uint64_t address, void *bytes, size_t len);

/* Watches @len bytes (1, 2, 4 or 8, aligned) with a debug register of each thread. */
enum watch_kind { WATCH_WRITE = 1, WATCH_ACCESS = 3 };
int session_set_watch(struct session *session, uint64_t address, unsigned len, enum watch_kind kind);
int session_clear_watch(struct session *session, uint64_t address, unsigned len);

/* The thread stops behind its next instruction. */
int session_step(struct session *session, uint32_t slot);
/* No thread is stepped from here on: before session_run() without a step. */
int session_end_steps(struct session *session);

/* Whose the last SESSION_TRAP was. @ret_watch: where the watchpoint is, if it was one's. */
enum session_trap { TRAP_OF_STEP, TRAP_OF_BREAKPOINT, TRAP_OF_WATCH };
enum session_trap session_trap(const struct session *session, uint64_t *ret_watch);
