/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * window - an incident as replay reads it: its manifest, its domains, its events
 *
 * Everything comes from a file and is checked before use: events for their lengths and
 * kinds, so that what reads them afterwards needn't.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "recorder/event.h"
#include "ringstore/incident.h"

struct window {
	struct incident *incident;
	struct json_object *manifest;
	struct window_domain {
		uint32_t id;
		int pid;
		const char *exe;	/* the manifest's */
		struct json_object *command;	/* an array of the manifest's, or NULL */
		int parent;		/* the process that made it; 0: none that was recorded */
		uint64_t begin_event;	/* where the replay begins: its first whole snapshot */
		/* Not 0, and begin_event 0: that domain forked it at that event. */
		uint32_t fork_domain;
		uint64_t fork_event;
		uint64_t end_event;	/* the window ends before it */
		uint64_t lost_events;	/* that should be there, behind it: damage */
		const char *end;	/* freeze, death, exit, exec, kill */
		bool has_final;
		uint64_t *snapshots;
		size_t n_snapshots;
		uint64_t begin_ns, end_ns;	/* CLOCK_MONOTONIC of the recording */
		uint64_t begin_real_ns;
		uint64_t agent;		/* hash of the agent's image */
		uint32_t abi;
		double tsc_per_ns;
		uint32_t tick_shift;
	} *domains;
	size_t n_domains;		/* in the order of their beginnings */
	uint32_t main_domain;
	unsigned n_lost;		/* processes of which nothing can be replayed */
};

/* What is wrong with an incident or a replay, for people. */
struct replay_error {
	char text[512];
};

/*
 * Opens @path, a dump or an incident's directory. -EBADMSG, -EPROTONOSUPPORT, -ENOENT
 * and others, with @ret_error filled.
 */
int window_open(const char *path, struct window *ret_window, struct replay_error *ret_error);
void window_deinit(struct window *window);

/* The domain that the window's trigger belongs to. NULL if there is none. */
struct window_domain *window_main_domain(struct window *window);

struct window_domain *window_domain(struct window *window, uint32_t id);
/* The one that domain @parent forks at @event; NULL: none of the window. */
struct window_domain *window_forked_at(struct window *window, uint32_t parent, uint64_t event);

/* From the first event to the last of all processes. */
uint64_t window_covered_ns(const struct window *window);

/* The domain of the process @pid, of its last image; NULL: it isn't in this window. */
struct window_domain *window_domain_of(struct window *window, int pid);

/* Was it frozen while all its threads slept in calls? */
bool window_ends_asleep(const struct window_domain *domain);

/*
 * files.c: the content of the file that @row of the manifest's "files" is about, which the caller
 * closes: the incident's copy, or this machine's, if that is the same. -ENOENT: neither is there;
 * -ESTALE: what is here is another.
 */
int window_open_file(struct window *window, struct json_object *row, int *ret_fd);

/* -- events -------------------------------------------------------------------------------- */

struct event_reader;

enum event_reader_outcome {
	EVENT_READER_END = 1,	/* no more events before the window's end */
	EVENT_READER_CUT,	/* the log is damaged from here on */
};

/* Reads the events of @domain from number @from on. */
int event_reader_open(struct window *window, const struct window_domain *domain, uint64_t from,
		      struct event_reader **ret_reader);
struct event_reader *event_reader_close(struct event_reader *reader);

/*
 * The next event; it lives until the next call. 0, an outcome, or a negative errno.
 */
int event_reader_next(struct event_reader *reader, const struct event **ret_event,
		      uint64_t *ret_number);

/* When the event that was read last happened: CLOCK_MONOTONIC of the recording. */
uint64_t event_reader_ns(const struct event_reader *reader);
