/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "ringstore/names.h"
#include "ringstore/verify-internal.h"

void scan_deinit(struct scan *scan)
{
	for (size_t i = 0; i < scan->n_snapshots; i++)
		free(scan->snapshots[i].files);
	for (size_t i = 0; i < scan->n_pages; i++) {
		free(scan->pages[i].chunks);
		free(scan->pages[i].gaps);
	}
	free(scan->logs);
	free(scan->snapshots);
	free(scan->pages);
	free(scan->missing);
	*scan = (struct scan){ 0 };
}

char *scan_path(const struct scan_walk *walk, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", walk->name, name) < 0 ? NULL : path;
}

static void take_events(const struct verify *verify, uint32_t domain, struct scan_file *file,
			const struct chunk_view *view)
{
	uint32_t n_open = 0;

	if (verify->open_tail)
		n_open = verify->open_tail(domain, view, verify->userdata);
	file->n_open = n_open == view->n_events ? file->n_open + n_open : n_open;
	file->end_event = view->first_event + view->n_events;
}

static int take(struct scan_walk *walk, struct scan_file *file, const struct chunk_reader *reader,
		const struct chunk_view *view)
{
	if (file->sound_len == 0)
		file->first_ns = view->first_ns;
	file->last_ns = view->last_ns;
	if (view->kind == CHUNK_LOG)
		take_events(walk->verify, walk->domain, file, view);
	if (view->kind == CHUNK_SNAPSHOT_FILES)
		return scan_needs(walk, file, reader, view);
	return view->kind == CHUNK_SNAPSHOT_TABLE ? scan_table(walk, file, reader, view) : 0;
}

/* Reads one file, which is @path. Other than 0 is an errno; what is wrong with the file isn't. */
static int scan_file(struct scan_walk *walk, int fd, enum stream stream, const char *path,
		     struct scan_file *file)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	struct chunk_view view;
	int r, error = 0;

	r = chunk_reader_new(stream, fd, -1, walk->domain, file->event, &reader);
	if (r < 0)
		return r;
	walk->path = path;
	while (error == 0 && (r = chunk_reader_next(reader, &view)) == 0) {
		error = take(walk, file, reader, &view);
		file->sound_len = chunk_reader_end(reader);
		verify_chunk(walk->verify, chunk_reader_end(reader) - chunk_reader_offset(reader));
	}
	if (error < 0)
		return error;
	if (r == INCIDENT_END)
		file->sound_len = chunk_reader_end(reader);
	file->sound = r == INCIDENT_END && file->sound_len == file->len && !file->why;
	if (!file->sound && !file->why)
		file->why = r == INCIDENT_DAMAGED ? chunk_reader_why(reader) :
			    r < 0 ? "it can't be read" : "something follows its end";
	return verify_outcome(walk->verify, path, reader, r, file->len);
}

/* The files with that @prefix. */
static int scan_files(struct scan_walk *walk, const char *prefix, enum stream stream,
		      struct scan_file **ret_files, size_t *ret_n)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	struct scan_file *files;
	int r;

	r = tree_names(walk->dir_fd, &names);
	if (r < 0)
		return r;
	files = *ret_files = calloc(names.n + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < names.n; i++) {
		autoclean(freep) char *path = NULL;
		struct scan_file *file = &files[*ret_n];
		int fd;

		if (!name_to_event(names.names[i], prefix, &file->event))
			continue;
		path = scan_path(walk, names.names[i]);
		if (!path)
			return -ENOMEM;
		r = verify_open(walk->verify, walk->dir_fd, names.names[i], path, &fd, &file->len);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		(*ret_n)++;
		file->end_event = file->event;
		r = scan_file(walk, fd, stream, path, file);
		if (r < 0)
			return r;
	}
	return 0;
}

int scan_domain(int dir_fd, uint32_t domain, const char *name, struct verify *verify,
		struct scan *ret_scan)
{
	autoclean(scan_deinit) struct scan scan = { 0 };
	struct scan_walk walk = {
		.dir_fd = dir_fd, .domain = domain, .name = name, .verify = verify, .scan = &scan,
	};
	int r;

	/* The snapshots are held against the pages. */
	r = scan_pages_files(&walk);
	if (r == 0)
		r = scan_files(&walk, NAME_LOG, STREAM_LOG, &scan.logs, &scan.n_logs);
	if (r == 0)
		r = scan_files(&walk, NAME_SNAPSHOT, STREAM_SNAPSHOT, &scan.snapshots, &scan.n_snapshots);
	if (r < 0)
		return r;
	*ret_scan = scan;
	scan = (struct scan){ 0 };
	return 0;
}

/* Where the run of logs ends that begins with @first: at a gap, or at damage. */
static size_t run_end(const struct scan *scan, size_t first)
{
	size_t i = first;

	while (i + 1 < scan->n_logs && scan->logs[i].sound &&
	       scan->logs[i + 1].event == scan->logs[i].end_event)
		i++;
	return i + 1;
}

/* Behind the last event of the run that needs none of those behind it. */
static uint64_t whole_end(const struct scan *scan, size_t first, size_t end)
{
	uint64_t event = scan->logs[end - 1].end_event;

	for (size_t i = end; i-- > first;) {
		event -= scan->logs[i].n_open;
		if (event > scan->logs[i].event)
			break;
	}
	return event;
}

/* From the first sound snapshot in the run, or from its begin if there is none. */
static struct scan_window window_of(const struct scan *scan, size_t first)
{
	struct scan_window window = {
		.first_log = first,
		.n_logs = run_end(scan, first) - first,
		.begin = scan->logs[first].event,
	};

	window.end = whole_end(scan, first, first + window.n_logs);
	for (size_t i = 0; i < scan->n_snapshots && !window.has_snapshot; i++) {
		const struct scan_file *snapshot = &scan->snapshots[i];

		if (!snapshot->sound || snapshot->event < window.begin ||
		    snapshot->event > window.end)
			continue;
		window.begin = snapshot->event;
		window.has_snapshot = true;
	}
	return window;
}

static bool is_better(const struct scan_window *a, const struct scan_window *b)
{
	if (a->has_snapshot != b->has_snapshot)
		return a->has_snapshot;
	return a->end - a->begin >= b->end - b->begin;
}

struct scan_window scan_longest(const struct scan *scan)
{
	struct scan_window best = { 0 };

	/* A snapshot with nothing behind it is a window, too. */
	for (size_t i = 0; i < scan->n_snapshots; i++) {
		if (!scan->snapshots[i].sound)
			continue;
		best.begin = best.end = scan->snapshots[i].event;
		best.has_snapshot = true;
	}
	for (size_t i = 0; i < scan->n_logs; i = run_end(scan, i)) {
		struct scan_window window = window_of(scan, i);

		if (is_better(&window, &best))
			best = window;
	}
	return best;
}

bool scan_holds(const struct scan *scan, const struct scan_window *window,
		const struct scan_file *snapshot)
{
	uint64_t begin = window->n_logs ? scan->logs[window->first_log].event : window->begin;

	return snapshot->sound && snapshot->event >= begin && snapshot->event <= window->end;
}
