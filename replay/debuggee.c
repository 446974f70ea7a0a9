/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/debuggee.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"
#include "recorder/agent/asm-offsets.h"
#include "replay/internal.h"

/* pthread_cancel(3) and setuid(2) of all threads: debuggers hide them. */
#define LIBC_SIGNALS (UINT64_C(3) << (32 - 1))

struct debuggee {
	const struct window_domain *domain;
	struct session *session;
	struct debuggee_stop stop;
	bool is_dying;		/* it stands before its EVENT_FATAL */
	unsigned death_at;	/* EVENT_AT_..., of that */
	int exit_status;	/* of the EVENT_EXIT that was passed */
	bool is_over;
};

struct session *debuggee_session(struct debuggee *d)
{
	return d->session;
}

const struct debuggee_stop *debuggee_stopped(const struct debuggee *d)
{
	return &d->stop;
}

/* -- opening ------------------------------------------------------------------------------------ */

/* Nothing has run yet: the thread of the first event is the one that will. */
static uint32_t first_slot(struct window *window, const struct window_domain *domain)
{
	struct event_reader *reader;
	const struct event *event;
	uint64_t number;
	uint32_t slot = 0;

	if (event_reader_open(window, domain, domain->begin_event, &reader) < 0)
		return 0;
	if (event_reader_next(reader, &event, &number) == 0)
		slot = event->thread;
	(void) event_reader_close(reader);
	return slot;
}

int debuggee_open(struct window *window, const struct window_domain *domain,
		  const struct debuggee_options *options, struct debuggee **ret_debuggee,
		  struct replay_error *ret_error)
{
	const struct session_options session_options = {
		.domain = domain,
		.snapshot = domain->begin_event,
		.stop_at_snapshots = true,
		.stop_at_signals = true,
		.debugged = true,
		.idle = options->idle,
		.userdata = options->userdata,
	};
	autoclean(freep) struct debuggee *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return replay_fail(ret_error, -ENOMEM, "out of memory");
	d->domain = domain;
	r = session_open(window, &session_options, &d->session, ret_error);
	if (r < 0)
		return r;
	d->stop.slot = first_slot(window, domain);
	*ret_debuggee = MOVE(d);
	return 0;
}

struct debuggee *debuggee_close(struct debuggee *d)
{
	if (d)
		(void) session_close(d->session);
	free(d);
	return NULL;
}

/* -- stops ---------------------------------------------------------------------------------------- */

static void stop_at(struct debuggee *d, enum debuggee_state state)
{
	d->stop = (struct debuggee_stop){ .state = state, .slot = session_stopped_slot(d->session) };
}

/* The signal that is next in the log. */
static void stop_at_signal(struct debuggee *d, const struct event *event)
{
	const struct event_signal *what = (const struct event_signal *)(event + 1);

	stop_at(d, DEBUGGEE_SIGNALLED);
	d->stop.signal = event->nr;
	if (event->len < sizeof(*event) + sizeof(*what))
		return;
	d->stop.has_siginfo = true;
	memcpy(d->stop.siginfo, what->info, sizeof(d->stop.siginfo));
}

static void end(struct debuggee *d)
{
	int signal = d->stop.signal;

	d->is_over = true;
	if (d->is_dying) {
		stop_at(d, DEBUGGEE_KILLED);
		d->stop.signal = signal;
	} else if (strcmp(d->domain->end, "exit") == 0) {
		stop_at(d, DEBUGGEE_EXITED);
		d->stop.status = d->exit_status & 0xff;
	} else if (strcmp(d->domain->end, "kill") == 0) {
		stop_at(d, DEBUGGEE_KILLED);
		d->stop.signal = SIGKILL;
	} else {
		stop_at(d, DEBUGGEE_WINDOW_END);
	}
}

/* Something of the log's own is next. 0: it is a stop for the debugger; -EAGAIN: it isn't. */
static int at_snapshot(struct debuggee *d, bool to_end)
{
	const struct event *event = session_next_event(d->session);

	if (event && event->kind == EVENT_FATAL) {
		stop_at_signal(d, event);
		d->is_dying = true;
		d->death_at = event->flags;
		return 0;
	}
	if (event && event->kind == EVENT_EXIT) {
		d->exit_status = (int)event->result;
		if (to_end) {
			stop_at(d, DEBUGGEE_PAUSED);
			return 0;
		}
	}
	return -EAGAIN;
}

static int at_stop(struct debuggee *d, enum session_stop why, bool to_end, uint64_t pass_signals)
{
	const struct event *event = session_next_event(d->session);

	switch (why) {
	case SESSION_SNAPSHOT:
		return at_snapshot(d, to_end);
	case SESSION_SIGNAL:
		if (to_end || !event || event->nr == 0 || event->nr > 64 ||
		    ((pass_signals | LIBC_SIGNALS) >> (event->nr - 1) & 1))
			return -EAGAIN;
		stop_at_signal(d, event);
		return 0;
	case SESSION_TRAP:
		stop_at(d, DEBUGGEE_TRAPPED);
		d->stop.trap = session_trap(d->session, &d->stop.watch);
		return 0;
	case SESSION_REQUESTED:
		stop_at(d, DEBUGGEE_PAUSED);
		return to_end ? -ECANCELED : 0;
	case SESSION_END:
		end(d);
		return 0;
	default:
		return -EAGAIN;
	}
}

static int go_on(struct debuggee *d, bool to_end, uint64_t pass_signals, struct replay_error *ret_error)
{
	enum session_stop why;
	int r;

	do {
		r = session_run(d->session, &why, ret_error);
		if (r < 0)
			return r;
		r = at_stop(d, why, to_end, pass_signals);
	} while (r == -EAGAIN);
	return r < 0 ? replay_fail(ret_error, r, "interrupted") : 0;
}

/* -- going ------------------------------------------------------------------------------------------ */

int debuggee_run(struct debuggee *d, int step, uint64_t pass_signals, struct replay_error *ret_error)
{
	int r;

	if (d->is_over)
		return 0;
	if (d->is_dying) {
		end(d);
		return 0;
	}
	if (step >= 0) {
		r = session_step(d->session, (uint32_t)step);
		if (r < 0)
			return replay_fail(ret_error, r, "can't step: %s", strerror(-r));
	}
	r = step < 0 ? session_end_steps(d->session) : 0;
	if (r < 0)
		return replay_fail(ret_error, r, "can't go on: %s", strerror(-r));
	return go_on(d, false, pass_signals, ret_error);
}

int debuggee_seek_end(struct debuggee *d, struct replay_error *ret_error)
{
	return go_on(d, true, 0, ret_error);
}

int debuggee_seek_start(struct debuggee *d, struct replay_error *ret_error)
{
	autoclean(freep) struct thread_view *threads = NULL;
	uint64_t entry = session_config(d->session)->entry;
	size_t n;
	int r;

	r = session_threads(d->session, &threads, &n);
	if (r < 0)
		return replay_fail(ret_error, r, "can't read the threads: %s", strerror(-r));
	/* Only a process that hasn't begun yet is in the agent's own first call. */
	if (n != 1 || threads[0].regs[REG_RAX_] != BEGIN_SYSCALL)
		return 0;
	r = session_set_breakpoint(d->session, entry);
	if (r < 0)
		return replay_fail(ret_error, r, "can't stop at the program's entry: %s", strerror(-r));
	r = go_on(d, false, ~UINT64_C(0), ret_error);
	if (r < 0)
		return r;
	(void) session_clear_breakpoint(d->session, entry);
	if (d->stop.state == DEBUGGEE_TRAPPED)
		stop_at(d, DEBUGGEE_PAUSED);
	return 0;
}

int debuggee_threads(const struct debuggee *d, struct thread_view **ret_threads, size_t *ret_n)
{
	enum { ERESTARTSYS = 512 };
	int r = session_threads(d->session, ret_threads, ret_n);

	/* Killed instead of making a call: the kernel leaves this, and a core file has it. */
	for (size_t i = 0; r == 0 && i < *ret_n; i++)
		if (d->is_dying && (d->death_at & EVENT_AT_ENTRY) && (*ret_threads)[i].slot == d->stop.slot)
			(*ret_threads)[i].regs[REG_RAX_] = (uint64_t)-ERESTARTSYS;
	return r;
}
