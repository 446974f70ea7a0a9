/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "replay/internal.h"
#include "replay/session.h"
#include "replay/state.h"

enum { PROGRESS_EVERY = 50000 };

struct check {
	struct window *window;
	int pid;			/* only this one's images; 0: all */
	const struct window_domain *domain;
	const struct check_options *options;
	struct check_result *result;
	struct replay_error *error;
	struct session *session;
	bool end_is_compared;
	bool *leads;			/* by index in the window: leads_to_wanted() */
	struct searches *searches;
};

/* -- output ------------------------------------------------------------------------------------- */

static void repeat_bytes(struct session *s, int fd, uint64_t address, uint64_t len)
{
	uint8_t bytes[65536];

	while (len) {
		ssize_t n = session_read(s, address, bytes, len < sizeof(bytes) ? len : sizeof(bytes));

		if (n <= 0)
			return;
		(void) !write(fd, bytes, (size_t)n);
		address += (uint64_t)n;
		len -= (uint64_t)n;
	}
}

/* The call is done: %rax has its result, the arguments are still there. */
static void repeat_output(struct session *s)
{
	enum { NR_write = 1 };
	autoclean(freep) struct thread_view *threads = NULL;
	size_t n;

	if (session_threads(s, &threads, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		const uint64_t *regs = threads[i].regs;
		uint64_t left = regs[REG_RAX_], iov[2];

		if (threads[i].slot != session_stopped_slot(s))
			continue;
		if (session_shared(s)->stop_nr == NR_write) {
			repeat_bytes(s, (int)regs[REG_RDI_], regs[REG_RSI_], left);
			return;
		}
		for (uint64_t at = regs[REG_RSI_]; left && session_read(s, at, iov, 16) == 16; at += 16) {
			uint64_t len = iov[1] < left ? iov[1] : left;

			repeat_bytes(s, (int)regs[REG_RDI_], iov[0], len);
			left -= len;
		}
	}
}

/* -- states --------------------------------------------------------------------------------------- */

static int compare(struct check *c, struct state *state, const char *what)
{
	struct replay_error difference;
	int r = state_compare(state, c->session, &difference);

	c->result->missing_pages += state_missing_pages(state);
	c->result->states_compared += r == 0;
	if (r < 0)
		(void) replay_fail(c->error, r, "diverged at event %" PRIu64 " (%s): %s",
				   session_position(c->session), what, difference.text);
	(void) state_free(state);
	return r;
}

static bool has_snapshot(const struct window_domain *domain, uint64_t event)
{
	for (size_t i = 0; i < domain->n_snapshots; i++)
		if (domain->snapshots[i] == event)
			return true;
	return false;
}

/* A snapshot is next: the process must be now what it was then. */
static int compare_snapshot(struct check *c)
{
	uint64_t event = session_position(c->session) + 1;
	struct state *state;
	int r;

	/* Not every snapshot was finished, and not every one is in the incident. */
	if (!has_snapshot(c->domain, event))
		return 0;
	r = state_of_snapshot(c->window, c->domain, event, &state, c->error);
	if (r < 0)
		return r;
	r = compare(c, state, "snapshot");
	if (r == 0 && event == c->domain->end_event)
		c->end_is_compared = true;
	return r;
}

static int compare_end(struct check *c)
{
	struct state *state;
	int r;

	if (!c->domain->has_final || c->end_is_compared)
		return 0;
	r = state_of_end(c->window, c->domain, &state, c->error);
	if (r == -ENOENT)
		return replay_fail(c->error, -EBADMSG, "the recorded last state is missing");
	if (r < 0)
		return r;
	c->end_is_compared = true;
	return compare(c, state, "end");
}

/* SESSION_SNAPSHOT: a snapshot, a fatal signal or an exit comes. */
static int compare_here(struct check *c)
{
	const struct event *event = session_next_event(c->session);

	if (event && event->kind == EVENT_SNAPSHOT)
		return compare_snapshot(c);
	return session_position(c->session) + 1 == c->domain->end_event ? compare_end(c) : 0;
}

/* -- the run -------------------------------------------------------------------------------------------- */

static void progress(const struct check *c, uint64_t *last)
{
	uint64_t position = session_position(c->session);

	if (!c->options->progress || position - *last < PROGRESS_EVERY)
		return;
	*last = position;
	c->options->progress(position, c->domain->end_event, c->options->userdata);
}

static int check_child(const struct check *parent);

static int run(struct check *c)
{
	enum session_stop stop;
	uint64_t last = 0;
	int r;

	for (;;) {
		r = session_run(c->session, &stop, c->error);
		if (r < 0)
			return r;
		progress(c, &last);
		switch (stop) {
		case SESSION_WRITE:
			repeat_output(c->session);
			break;
		case SESSION_SNAPSHOT:
			r = compare_here(c);
			if (r < 0)
				return r;
			break;
		case SESSION_FORK:
			r = check_child(c);
			if (r < 0)
				return r;
			break;
		case SESSION_END:
			if (session_position(c->session) != c->domain->end_event)
				return replay_fail(c->error, -EBADMSG,
						   "the log ends at event %" PRIu64 ", before the window does at %" PRIu64,
						   session_position(c->session), c->domain->end_event);
			return compare_end(c);
		default:
			break;
		}
	}
}

static unsigned snapshots_in_window(const struct window_domain *domain)
{
	unsigned n = 0;

	for (size_t i = 0; i < domain->n_snapshots; i++)
		n += domain->snapshots[i] <= domain->end_event;
	return n;
}

static bool is_wanted(const struct check *c, const struct window_domain *domain)
{
	return !c->pid || domain->pid == c->pid;
}

/* Is it forked, or does it fork, what is wanted? Its log must be gone through then. */
static bool leads_to_wanted(const struct check *c, const struct window_domain *domain)
{
	return c->leads[domain - c->window->domains];
}

static void find_leads(const struct check *c)
{
	for (size_t i = 0; i < c->window->n_domains; i++) {
		const struct window_domain *d = &c->window->domains[i];

		if (!is_wanted(c, d))
			continue;
		for (; d && !leads_to_wanted(c, d); d = d->fork_domain ? window_domain(c->window, d->fork_domain) : NULL)
			c->leads[d - c->window->domains] = true;
	}
}

/* Of others nobody knows whether it was a pipe. */
static bool repeats_output(const struct check *c)
{
	int pid = c->pid ? c->pid : window_main_domain(c->window)->pid;

	return c->options->repeat_output && c->domain->pid == pid;
}

static struct session_options session_options(const struct check *c)
{
	return (struct session_options){
		.domain = c->domain,
		.snapshot = c->domain->begin_event,
		.stop_at_writes = repeats_output(c),
		.stop_at_snapshots = is_wanted(c, c->domain),
		.stop_at_forks = c->window->n_domains > 1,
		.searches = is_wanted(c, c->domain) ? c->searches : NULL,
	};
}

/* The session is open. */
static int check_session(struct check *c)
{
	struct check_result *result = c->result;
	struct replay_error error;
	int r;

	r = run(c);
	if (r < 0 && c->window->n_domains > 1) {
		error = *c->error;
		(void) replay_fail(c->error, r, "process %d: %s", c->domain->pid, error.text);
	}
	if (is_wanted(c, c->domain)) {
		result->processes++;
		result->snapshots += snapshots_in_window(c->domain);
		result->events += session_position(c->session) - c->domain->begin_event;
	}
	return r;
}

static int damaged(const struct check *c)
{
	if (!c->domain->lost_events)
		return 0;
	return replay_fail(c->error, -EBADMSG, "the incident is damaged: its log ends at event %" PRIu64
			   ", %" PRIu64 " too early", c->domain->end_event, c->domain->lost_events);
}

/* SESSION_FORK: the event is done. */
static int check_child(const struct check *parent)
{
	struct check c = *parent;
	struct session_options options;
	int r;

	c.domain = window_forked_at(parent->window, parent->domain->id, session_position(parent->session) - 1);
	if (!c.domain || !leads_to_wanted(&c, c.domain))
		return 0;
	c.end_is_compared = false;
	r = damaged(&c);
	if (r < 0)
		return r;
	options = session_options(&c);
	r = session_fork(parent->session, &options, &c.session, c.error);
	if (r < 0)
		return r;
	r = check_session(&c);
	(void) session_close(c.session);
	return r;
}

static int check_domain(struct check *c)
{
	struct session_options options = session_options(c);
	int r = damaged(c);

	if (r < 0)
		return r;
	r = session_open(c->window, &options, &c->session, c->error);
	if (r < 0)
		return r;
	r = check_session(c);
	(void) session_close(c->session);
	return r;
}

static int by_length(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void add_up_searches(struct searches *searches, struct check_result *result)
{
	result->searches = searches->n;
	if (!searches->n)
		return;
	qsort(searches->ns, searches->n, sizeof(*searches->ns), by_length);
	result->search_median_ns = searches->ns[(searches->n - 1) / 2];
	result->search_longest_ns = searches->ns[searches->n - 1];
}

int check_window(struct window *window, int pid, const struct check_options *options,
		 struct check_result *ret_result, struct replay_error *ret_error)
{
	struct check_result result = { 0 };
	autoclean(freep) bool *leads = calloc(window->n_domains + 1, sizeof(*leads));
	struct searches searches = { 0 };
	int r = 0;

	if (!leads)
		return replay_fail(ret_error, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < window->n_domains; i++) {
		struct check c = { window, pid, &window->domains[i], options, &result, ret_error, NULL, false,
				   leads, &searches };

		if (i == 0)
			find_leads(&c);
		/* Its parent's replay comes by. */
		if (!window->domains[i].fork_domain && leads_to_wanted(&c, c.domain))
			r = check_domain(&c);
	}
	add_up_searches(&searches, &result);
	free(searches.ns);
	*ret_result = result;
	return r;
}
