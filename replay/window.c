/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/window.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/autoclean.h"
#include "recorder/abi.h"
#include "recorder/image.h"
#include "recorder/pack.h"
#include "ringstore/format.h"
#include "replay/internal.h"

int replay_fail(struct replay_error *ret_error, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void) vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
	va_end(args);
	return error;
}

/* -- manifest --------------------------------------------------------------------------------- */

static struct json_object *member(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *value;

	if (!object || !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, type))
		return NULL;
	return value;
}

static uint64_t number(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key, json_type_int);

	return value ? json_object_get_uint64(value) : 0;
}

static const char *string(struct json_object *object, const char *key)
{
	struct json_object *value = member(object, key, json_type_string);

	return value ? json_object_get_string(value) : "";
}

static void read_domain(struct json_object *json, struct window_domain *d)
{
	struct json_object *rate;

	*d = (struct window_domain){
		.id = (uint32_t)number(json, "domain"),
		.pid = (int)number(json, "pid"),
		.parent = (int)number(json, "parent"),
		.exe = string(json, "exe"),
		.command = member(json, "command", json_type_array),
		.end_event = number(json, "end_event"),
		.end = string(json, "end"),
		.has_final = member(json, "final", json_type_boolean) &&
			     json_object_get_boolean(member(json, "final", json_type_boolean)),
		.agent = strtoull(string(json, "agent"), NULL, 16),
		.abi = (uint32_t)number(json, "abi"),
		.tick_shift = (uint32_t)number(json, "tick_shift") & 31,
		.tsc_per_ns = 1,
	};
	if (json_object_object_get_ex(json, "tsc_per_ns", &rate) && json_object_get_double(rate) > 0.01)
		d->tsc_per_ns = json_object_get_double(rate);
}

bool window_ends_asleep(const struct window_domain *domain)
{
	return domain->has_final && strcmp(domain->end, "freeze") == 0;
}

static int read_head(struct incident *incident, const struct window_domain *d, uint64_t event,
		     struct image_head *ret_head)
{
	struct chunk_reader *reader;
	struct chunk_view chunk;
	int r;

	r = incident_read_snapshot(incident, d->id, event, &reader);
	if (r < 0)
		return r;
	r = chunk_reader_next(reader, &chunk);
	if (r == 0 && chunk.kind == CHUNK_SNAPSHOT_HEAD && chunk.len >= sizeof(*ret_head))
		memcpy(ret_head, chunk.data, sizeof(*ret_head));
	else if (r == 0)
		r = -EBADMSG;
	(void) chunk_reader_close(reader);
	return r > 0 ? -EBADMSG : r;
}

/* Does the replay of its parent come by the fork? The parent's beginning is known. */
static bool is_reached(struct window *w, const struct image_head *head)
{
	const struct window_domain *parent = window_domain(w, le32_get(head->fork_domain));

	return parent && parent->begin_event <= le64_get(head->fork_event) &&
	       parent->end_event > le64_get(head->fork_event);
}

/*
 * Where the window begins: at the first whole snapshot, or where the parent forked it. -ENOENT: at
 * neither.
 */
static int read_begin(struct window *w, struct window_domain *d)
{
	struct image_head head;
	int r = -ENOENT;

	for (size_t i = 0; i < d->n_snapshots; i++) {
		r = read_head(w->incident, d, d->snapshots[i], &head);
		if (r < 0)
			return r;
		r = -ENOENT;
		if (le32_get(head.fork_domain) && !is_reached(w, &head))
			continue;
		d->begin_event = d->snapshots[i];
		d->fork_domain = le32_get(head.fork_domain);
		d->fork_event = le64_get(head.fork_event);
		d->begin_ns = le64_get(head.mono_ns);
		d->begin_real_ns = le64_get(head.real_ns);
		return 0;
	}
	return r;
}

/* The last chunk of the log before the window's end says when that is. */
static int read_end(struct incident *incident, struct window_domain *d)
{
	struct chunk_reader *reader;
	struct chunk_view chunk;
	uint64_t next = d->begin_event;
	int r;

	if (d->end_event < d->begin_event)	/* a manifest that makes no sense */
		d->end_event = d->begin_event;
	d->end_ns = d->begin_ns;
	r = incident_read_log(incident, d->id, d->begin_event, &reader);
	if (r == -ENOENT) {
		d->lost_events = d->end_event - d->begin_event;
		d->end_event = d->begin_event;
		return 0;
	}
	if (r < 0)
		return r;
	while ((r = chunk_reader_next(reader, &chunk)) == 0 && chunk.first_event < d->end_event) {
		next = chunk.first_event + chunk.n_events;
		d->end_ns = chunk.last_ns;
	}
	(void) chunk_reader_close(reader);
	/* What is left can be looked at, but it isn't what was frozen. */
	if (next < d->end_event) {
		d->lost_events = d->end_event - next;
		d->end_event = next;
	}
	return r < 0 ? r : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct window_domain *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int find_extent(struct window *w, struct window_domain *d, struct replay_error *ret_error)
{
	int r;

	r = incident_snapshots(w->incident, d->id, &d->snapshots, &d->n_snapshots);
	if (r < 0)
		return replay_fail(ret_error, r, "can't list the snapshots of domain %u: %s", d->id,
				   strerror(-r));
	r = read_begin(w, d);
	if (r == 0)
		r = read_end(w->incident, d);
	if (r == -ENOENT)
		return replay_fail(ret_error, r, "the window of domain %u has no whole snapshot: there is "
				   "nothing to begin a replay from", d->id);
	if (r < 0)
		return replay_fail(ret_error, r, "the window of domain %u is damaged", d->id);
	return 0;
}

/*
 * Parents come before their children. A process of which nothing can be replayed is left
 * out, unless the window is about it.
 */
static int find_extents(struct window *w, struct replay_error *ret_error)
{
	size_t n = w->n_domains;

	qsort(w->domains, n, sizeof(*w->domains), by_id);
	w->n_domains = 0;
	/* Who is forked by whom would go in circles, and who is meant be unclear. */
	for (size_t i = 1; i < n; i++)
		if (w->domains[i].id == w->domains[i - 1].id)
			return replay_fail(ret_error, -EBADMSG, "the incident's manifest lists domain %u twice",
					   w->domains[i].id);
	for (size_t i = 0; i < n; i++) {
		struct window_domain d = w->domains[i];
		int r = find_extent(w, &d, ret_error);

		if (r < 0) {
			free(d.snapshots);
			if (d.id == w->main_domain)
				return r == -ENOENT ? -EBADMSG : r;
			w->n_lost++;
			continue;
		}
		w->domains[w->n_domains++] = d;
	}
	return 0;
}

static int read_domains(struct window *w, struct replay_error *ret_error)
{
	struct json_object *list = member(w->manifest, "domains", json_type_array);
	size_t n = list ? json_object_array_length(list) : 0;

	if (n == 0)
		return replay_fail(ret_error, -EBADMSG, "the incident's manifest lists no process");
	w->domains = calloc(n, sizeof(*w->domains));
	if (!w->domains)
		return -ENOMEM;
	for (; w->n_domains < n; w->n_domains++) {
		struct window_domain *d = &w->domains[w->n_domains];

		read_domain(json_object_array_get_idx(list, w->n_domains), d);
		if (d->abi && d->abi != AGENT_ABI)
			return replay_fail(ret_error, -EPROTONOSUPPORT,
					   "recorded by another version of blackbox, whose log this one "
					   "can't read (%u, and not %u): use that one", d->abi, AGENT_ABI);
	}
	w->main_domain = w->domains[n - 1].id;
	return find_extents(w, ret_error);
}

static int open_incident(const char *path, struct incident **ret, struct replay_error *ret_error)
{
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return replay_fail(ret_error, -errno, "%s: %s", path, strerror(errno));
	r = S_ISDIR(st.st_mode) ? incident_open(path, ret) : incident_open_dump(path, NULL, ret);
	if (r == -EBADMSG)
		return replay_fail(ret_error, r, "%s: not a blackbox incident, or damaged", path);
	if (r == -EPROTONOSUPPORT)
		return replay_fail(ret_error, r, "%s: written by a newer version of blackbox", path);
	if (r < 0)
		return replay_fail(ret_error, r, "%s: %s", path, strerror(-r));
	return 0;
}

void window_deinit(struct window *w)
{
	for (size_t i = 0; i < w->n_domains; i++)
		free(w->domains[i].snapshots);
	free(w->domains);
	(void) json_object_put(w->manifest);
	(void) incident_close(w->incident);
	*w = (struct window){ 0 };
}

int window_open(const char *path, struct window *ret_window, struct replay_error *ret_error)
{
	struct window w = { 0 };
	int r;

	r = open_incident(path, &w.incident, ret_error);
	if (r < 0)
		return r;
	w.manifest = json_tokener_parse(incident_manifest(w.incident));
	if (!w.manifest || !number(w.manifest, "format"))
		r = replay_fail(ret_error, -EBADMSG, "%s: its manifest is damaged", path);
	else
		r = read_domains(&w, ret_error);
	if (r < 0) {
		window_deinit(&w);
		return r;
	}
	*ret_window = w;
	return 0;
}

struct window_domain *window_domain(struct window *w, uint32_t id)
{
	const struct window_domain key = { .id = id };

	return w->n_domains ? bsearch(&key, w->domains, w->n_domains, sizeof(key), by_id) : NULL;
}

struct window_domain *window_main_domain(struct window *w)
{
	return window_domain(w, w->main_domain);
}

struct window_domain *window_domain_of(struct window *w, int pid)
{
	for (size_t i = w->n_domains; i-- > 0;)
		if (w->domains[i].pid == pid)
			return &w->domains[i];
	return NULL;
}

struct window_domain *window_forked_at(struct window *w, uint32_t parent, uint64_t event)
{
	for (size_t i = 0; i < w->n_domains; i++)
		if (w->domains[i].fork_domain == parent && w->domains[i].fork_event == event)
			return &w->domains[i];
	return NULL;
}

uint64_t window_covered_ns(const struct window *w)
{
	uint64_t begin = UINT64_MAX, end = 0;

	for (size_t i = 0; i < w->n_domains; i++) {
		begin = w->domains[i].begin_ns < begin ? w->domains[i].begin_ns : begin;
		end = w->domains[i].end_ns > end ? w->domains[i].end_ns : end;
	}
	return end > begin ? end - begin : 0;
}

/* -- events --------------------------------------------------------------------------------------- */

struct event_reader {
	struct chunk_reader *chunks;
	const struct window_domain *domain;
	struct chunk_view chunk;
	struct unpacker *unpacker;
	const uint8_t *events;		/* of the chunk */
	size_t len, at;			/* of these */
	uint64_t number;		/* of the next event */
	uint64_t from;
	uint64_t tsc;			/* since the chunk's first event */
	uint64_t ns;
	bool ended;
};

struct event_reader *event_reader_close(struct event_reader *reader)
{
	if (!reader)
		return NULL;
	(void) chunk_reader_close(reader->chunks);
	(void) unpacker_free(reader->unpacker);
	free(reader);
	return NULL;
}

static void event_reader_closep(struct event_reader **reader)
{
	(void) event_reader_close(*reader);
}

int event_reader_open(struct window *w, const struct window_domain *domain, uint64_t from,
		      struct event_reader **ret_reader)
{
	autoclean(event_reader_closep) struct event_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->domain = domain;
	reader->from = from;
	reader->ns = domain->begin_ns;
	r = unpacker_new(&reader->unpacker);
	if (r < 0)
		return r;
	r = incident_read_log(w->incident, domain->id, from, &reader->chunks);
	if (r == -ENOENT)
		reader->ended = true;
	else if (r < 0)
		return r;
	*ret_reader = MOVE(reader);
	return 0;
}

static bool is_good(const struct event *event, size_t available)
{
	return available >= sizeof(*event) && event->len >= sizeof(*event) && event->len % 8 == 0 &&
	       event->len <= EVENT_MAX_LEN && event->len <= available && event->kind > 0 &&
	       event->kind < EVENT_N && event->thread < MAX_THREADS;
}

static int next_chunk(struct event_reader *reader)
{
	const void *events;
	int r;

	do {
		r = chunk_reader_next(reader->chunks, &reader->chunk);
		if (r == INCIDENT_END)
			return EVENT_READER_END;
		if (r == INCIDENT_DAMAGED)
			return EVENT_READER_CUT;
		if (r < 0)
			return r;
	} while (reader->chunk.kind != CHUNK_LOG);
	r = unpack(reader->unpacker, reader->chunk.data, reader->chunk.len, &events, &reader->len);
	if (r < 0)
		return r == -EBADMSG ? EVENT_READER_CUT : r;
	reader->events = events;
	reader->at = 0;
	reader->number = reader->chunk.first_event;
	reader->tsc = 0;
	return 0;
}

/* Events of one chunk are timed from its first. */
static void count_ticks(struct event_reader *reader, uint16_t ticks)
{
	uint64_t n = ticks & 0x8000 ? (uint64_t)(ticks & 0x7fff) << 10 : ticks;

	if (reader->number != reader->chunk.first_event)
		reader->tsc += n << reader->domain->tick_shift;
	reader->ns = reader->chunk.first_ns + (uint64_t)((double)reader->tsc / reader->domain->tsc_per_ns);
}

int event_reader_next(struct event_reader *reader, const struct event **ret_event,
		      uint64_t *ret_number)
{
	for (;;) {
		const struct event *event;
		int r;

		if (reader->ended || reader->number >= reader->domain->end_event)
			return EVENT_READER_END;
		if (reader->at == reader->len) {
			r = next_chunk(reader);
			reader->ended = r == EVENT_READER_END;
			if (r)
				return r;
			continue;
		}
		event = (const struct event *)(reader->events + reader->at);
		if (!is_good(event, reader->len - reader->at))
			return EVENT_READER_CUT;
		count_ticks(reader, event->ticks);
		reader->at += event->len;
		if (reader->number++ < reader->from)
			continue;
		*ret_event = event;
		*ret_number = reader->number - 1;
		return 0;
	}
}

uint64_t event_reader_ns(const struct event_reader *reader)
{
	return reader->ns;
}
