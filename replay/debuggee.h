/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debuggee - a session as a debugger takes it: it runs, it stops, it dies
 *
 * The end of a window isn't always a death: a window frozen on request just ends. A
 * death or an exit is stood before first, with everything in place to be looked at;
 * going on from there is being told that it is over.
 */
#pragma once

#include "replay/session.h"
#include "replay/window.h"

struct debuggee;

enum debuggee_state {
	DEBUGGEE_PAUSED,	/* at the start, or on request */
	DEBUGGEE_TRAPPED,	/* trap says by what */
	DEBUGGEE_SIGNALLED,	/* signal: about to get it, or to die of it */
	DEBUGGEE_WINDOW_END,	/* nothing more is recorded, though it lived on */
	DEBUGGEE_EXITED,	/* status */
	DEBUGGEE_KILLED,	/* signal */
};

struct debuggee_stop {
	enum debuggee_state state;
	uint32_t slot;		/* of the thread that stopped */
	int signal, status;
	enum session_trap trap;
	uint64_t watch;		/* TRAP_OF_WATCH: its address */
	bool has_siginfo;
	uint8_t siginfo[128];
};

struct debuggee_options {
	bool (*idle)(struct session *session, void *userdata);	/* as session's */
	void *userdata;
};

int debuggee_open(struct window *window, const struct window_domain *domain,
		  const struct debuggee_options *options, struct debuggee **ret_debuggee,
		  struct replay_error *ret_error);
struct debuggee *debuggee_close(struct debuggee *debuggee);

struct session *debuggee_session(struct debuggee *debuggee);
const struct debuggee_stop *debuggee_stopped(const struct debuggee *debuggee);

/* From a snapshot at exec: to the program's first instruction. */
int debuggee_seek_start(struct debuggee *debuggee, struct replay_error *ret_error);
/* To the end: before the death or the exit, if the window ends with one. */
int debuggee_seek_end(struct debuggee *debuggee, struct replay_error *ret_error);

/*
 * Goes on to the next stop. @step: the slot of a thread that is to stop behind its next
 * instruction, or -1. Signals that are in @pass_signals (bit N-1) don't stop it. 0, or an
 * errno with @ret_error; then it stands where it stood.
 */
int debuggee_run(struct debuggee *debuggee, int step, uint64_t pass_signals,
		 struct replay_error *ret_error);

/* Its threads, as the program would be seen by a debugger of its own. */
int debuggee_threads(const struct debuggee *debuggee, struct thread_view **ret_threads, size_t *ret_n);
