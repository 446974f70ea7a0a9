/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots that share pages. The service is a model: a number for each of its pages, from
 * which the bytes are made. What is read back is compared with what the model was then.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "ringstore/store-internal.h"
#include "ringstore/tree.h"
#include "tests/unit/test-store-util.h"

enum { MOST_PAGES = 4096, MOST_SNAPSHOTS = 512 };

#define BASE_KEY UINT64_C(0x7f0000000000)

struct memory {			/* seed of each page; 0: of zeroes, which aren't listed */
	uint32_t seeds[MOST_PAGES];
};

struct fixture {
	char *tmp_dir;
	char dir[PATH_SIZE];
	uint64_t max_bytes;
	struct store *store;
	uint64_t event;		/* the next */
	uint32_t next_seed;
	size_t n_pages;
	struct memory now, last;	/* last: at the newest whole snapshot */
	bool has_last;
	struct taken {
		uint64_t event;
		struct memory *memory;
	} taken[MOST_SNAPSHOTS];
	size_t n_taken;
	uint64_t n_written;	/* pages */
};

static void open_store(struct fixture *f, uint64_t max_bytes, uint64_t window_ns)
{
	struct store_limits limits = limits_of(max_bytes, window_ns, 50);

	f->store = store_close(f->store);
	f->max_bytes = max_bytes;
	assert_int_equal(store_open(f->dir, &limits, &f->store), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->tmp_dir = make_tmp_dir();
	(void) path_of(f->dir, "%s/store", f->tmp_dir);
	f->next_seed = 1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->store = store_close(f->store);
	for (size_t i = 0; i < f->n_taken; i++)
		free(f->taken[i].memory);
	remove_tmp_dir(f->tmp_dir);
	free(f);
	return 0;
}

static void check_bound(struct fixture *f)
{
	struct store_status status;
	uint64_t charged;

	store_get_status(f->store, &status);
	charged = status.bytes_live + status.bytes_incidents;
	assert_in_range(charged, 1, f->max_bytes);
	assert_in_range(disk_usage(f->dir), 1, charged);
}

static uint64_t bytes_live(struct fixture *f)
{
	struct store_status status;

	store_get_status(f->store, &status);
	return status.bytes_live;
}

static void page_of(uint32_t seed, uint8_t bytes[static SNAPSHOT_PAGE])
{
	uint64_t x = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < SNAPSHOT_PAGE; i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(bytes + i, &x, sizeof(x));
	}
}

/* @n of its pages are written to. */
static void change(struct fixture *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f->now.seeds[(size_t)random() % f->n_pages] = f->next_seed++;
}

static void begin(struct fixture *f, size_t n_pages)
{
	f->n_pages = n_pages;
	srandom(1);
	for (size_t i = 0; i < n_pages; i++)
		f->now.seeds[i] = f->next_seed++;
}

/* Has it been since the last snapshot? */
static bool is_unchanged(const struct fixture *f, size_t i)
{
	return f->has_last && f->last.seeds[i] == f->now.seeds[i];
}

/* One that is known to be unchanged is only named, if @keeps. */
static int give_page(struct fixture *f, struct snapshot_writer *writer, size_t i, bool keeps)
{
	uint64_t key = BASE_KEY + i * SNAPSHOT_PAGE;
	uint8_t bytes[SNAPSHOT_PAGE];
	int r = STORE_PAGE_CHANGES;

	if (!f->now.seeds[i])
		return 0;
	if (keeps && is_unchanged(f, i))
		r = snapshot_writer_keep(writer, key);
	if (r != STORE_PAGE_CHANGES)
		return r;
	page_of(f->now.seeds[i], bytes);
	return snapshot_writer_page(writer, key, bytes);
}

static int give(struct fixture *f, struct snapshot_writer *writer, bool keeps)
{
	int r = snapshot_writer_add(writer, CHUNK_SNAPSHOT_HEAD, "head", 4);

	/* The second half first, as shared memory comes. */
	for (size_t i = f->n_pages / 2; r == 0 && i < f->n_pages; i++)
		r = give_page(f, writer, i, keeps);
	for (size_t i = 0; r == 0 && i < f->n_pages / 2; i++)
		r = give_page(f, writer, i, keeps);
	return r;
}

static void remember(struct fixture *f)
{
	struct taken *taken = &f->taken[f->n_taken++];

	assert_in_range(f->n_taken, 1, MOST_SNAPSHOTS);
	taken->event = f->event;
	taken->memory = malloc(sizeof(*taken->memory));
	assert_non_null(taken->memory);
	*taken->memory = f->last = f->now;
	f->has_last = true;
}

/* A snapshot, and ten events behind it, ten ns apart. */
static int take(struct fixture *f, bool keeps)
{
	struct snapshot_writer *writer;
	uint64_t n, written;
	int r;

	r = store_snapshot_begin(f->store, 1, f->event, f->event * 10, &writer);
	if (r)
		return r;
	r = give(f, writer, keeps);
	snapshot_writer_count(writer, &n, &written);
	if (r) {
		assert_null(snapshot_writer_abort(writer));
		return r;
	}
	r = snapshot_writer_commit(writer);
	if (r)
		return r;
	f->n_written += written;
	remember(f);
	r = append(f->store, 1, f->event, 10, f->event * 10, 100);
	f->event += 10;
	return r ? r : store_log_cut(f->store, 1);
}

static void check_chunk(const struct fixture *f, const struct chunk_view *view, const struct memory *memory,
			bool *seen)
{
	const struct snapshot_pages *head = view->data;
	const le64 *keys = (const le64 *)(head + 1);
	size_t n = le32_get(head->n_pages);
	const uint8_t *bytes = (const uint8_t *)(keys + n);

	for (size_t i = 0; i < n; i++) {
		size_t page = (le64_get(keys[i]) - BASE_KEY) / SNAPSHOT_PAGE;
		uint8_t expected[SNAPSHOT_PAGE];

		assert_in_range(page, 0, f->n_pages - 1);
		assert_false(seen[page]);
		seen[page] = true;
		page_of(memory->seeds[page], expected);
		assert_memory_equal(bytes, expected, SNAPSHOT_PAGE);
		bytes += SNAPSHOT_PAGE;
	}
	assert_ptr_equal(bytes, (const uint8_t *)view->data + view->len);
}

/* Reads the snapshot at @event; if the outcome is the end, it is what it was. */
static int check_snapshot(const struct fixture *f, struct incident *incident, uint64_t event)
{
	bool seen[MOST_PAGES] = { false };
	const struct memory *memory = NULL;
	struct chunk_reader *reader;
	struct chunk_view view;
	int r;

	for (size_t i = 0; i < f->n_taken; i++)
		if (f->taken[i].event == event)
			memory = f->taken[i].memory;
	assert_non_null(memory);
	assert_int_equal(incident_read_snapshot(incident, 1, event, &reader), 0);
	assert_int_equal(chunk_reader_next(reader, &view), 0);
	assert_int_equal(view.kind, CHUNK_SNAPSHOT_HEAD);
	while ((r = chunk_reader_next(reader, &view)) == 0) {
		assert_int_equal(view.kind, CHUNK_SNAPSHOT_PAGES);
		assert_int_equal(view.first_event, event);
		check_chunk(f, &view, memory, seen);
	}
	if (r == INCIDENT_END)
		for (size_t i = 0; i < f->n_pages; i++)
			assert_int_equal(seen[i], memory->seeds[i] != 0);
	assert_null(chunk_reader_close(reader));
	return r;
}

/* All snapshots of the incident are right; returns how many those are. */
static size_t check_snapshots(const struct fixture *f, struct incident *incident)
{
	autoclean(freep) uint64_t *events = NULL;
	size_t n;

	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(check_snapshot(f, incident, events[i]), INCIDENT_END);
	return n;
}

static size_t check_incident(const struct fixture *f, const char *id)
{
	struct incident *incident = open_incident(f->dir, id);
	size_t n = check_snapshots(f, incident);

	assert_null(incident_close(incident));
	return n;
}

static void only_what_changes(void **state)
{
	struct fixture *f = *state;

	open_store(f, 64 << 20, UINT64_MAX);
	begin(f, 2000);
	assert_int_equal(take(f, false), 0);
	assert_int_equal(f->n_written, 2000);

	f->n_written = 0;
	change(f, 20);
	f->now.seeds[5] = f->now.seeds[1500];	/* one that there is already */
	f->now.seeds[6] = f->now.seeds[7] = f->next_seed++;	/* a new one, twice */
	f->now.seeds[8] = 0;
	f->now.seeds[1501] = f->last.seeds[9];	/* it moves away */
	f->now.seeds[9] = 0;
	assert_int_equal(take(f, false), 0);
	assert_in_range(f->n_written, 15, 21);

	f->n_written = 0;
	f->now.seeds[9] = f->now.seeds[1501];
	change(f, 20);
	assert_int_equal(take(f, true), 0);
	assert_in_range(f->n_written, 15, 20);

	f->n_written = 0;
	assert_int_equal(take(f, true), 0);
	assert_int_equal(take(f, false), 0);
	assert_int_equal(f->n_written, 0);
	assert_int_equal(freeze(f->store, "one"), 0);
	assert_int_equal(check_incident(f, "one"), 5);
}

/* Zeroes that stand where the mapping has something else, and keys with flags. */
static void listed_zeroes(void **state)
{
	struct fixture *f = *state;
	struct snapshot_writer *writer;
	uint8_t page[SNAPSHOT_PAGE];
	struct incident *incident;
	struct chunk_reader *reader;
	struct chunk_view view;
	const le64 *keys;
	uint64_t event;

	open_store(f, 64 << 20, UINT64_MAX);
	page_of(7, page);
	assert_int_equal(store_snapshot_begin(f->store, 1, 0, 0, &writer), 0);
	assert_false(snapshot_writer_base(writer, &event));
	assert_int_equal(snapshot_writer_keep(writer, 0x1000), STORE_PAGE_UNKNOWN);
	assert_int_equal(snapshot_writer_page(writer, 0x1000 | SNAPSHOT_ZERO, NULL), 0);
	assert_int_equal(snapshot_writer_page(writer, 0x3000 | 2, page), 0);
	assert_int_equal(snapshot_writer_page(writer, 0x2000 | SNAPSHOT_ZERO, NULL), 0);
	assert_int_equal(snapshot_writer_commit(writer), 0);

	assert_int_equal(store_snapshot_begin(f->store, 1, 5, 5, &writer), 0);
	assert_true(snapshot_writer_base(writer, &event));
	assert_int_equal(event, 0);
	assert_int_equal(snapshot_writer_keep(writer, 0x1000), 0);
	assert_int_equal(snapshot_writer_keep(writer, 0x2000), 0);
	assert_int_equal(snapshot_writer_keep(writer, 0x3000), STORE_PAGE_UNKNOWN);
	assert_int_equal(snapshot_writer_keep(writer, 0x3002), 0);
	assert_int_equal(snapshot_writer_commit(writer), 0);

	assert_int_equal(freeze(f->store, "one"), 0);
	incident = open_incident(f->dir, "one");
	assert_int_equal(incident_read_snapshot(incident, 1, 5, &reader), 0);
	assert_int_equal(chunk_reader_next(reader, &view), 0);
	assert_int_equal(view.len, sizeof(struct snapshot_pages) + 3 * sizeof(le64) + SNAPSHOT_PAGE);
	keys = (const le64 *)((const struct snapshot_pages *)view.data + 1);
	assert_int_equal(le64_get(keys[0]), 0x1001);
	assert_int_equal(le64_get(keys[1]), 0x2001);
	assert_int_equal(le64_get(keys[2]), 0x3002);
	assert_memory_equal(keys + 3, page, SNAPSHOT_PAGE);
	assert_int_equal(chunk_reader_next(reader, &view), INCIDENT_END);
	assert_null(chunk_reader_close(reader));
	assert_null(incident_close(incident));
}

/*
 * A long time: one page in a hundred changes from each snapshot to the next, ten of which
 * are in the window. What is held and what is written stays in proportion.
 */
static void rolls_on(void **state)
{
	struct fixture *f = *state;
	uint64_t most = 0;

	open_store(f, 128 << 20, 1000);
	begin(f, 4000);
	assert_int_equal(take(f, false), 0);
	f->n_written = 0;
	for (unsigned i = 0; i < 400; i++) {
		change(f, 40);
		assert_int_equal(take(f, i % 3), 0);
		if (bytes_live(f) > most)
			most = bytes_live(f);
		if (i % 50 == 0)
			check_bound(f);
		if (i == 150 || i == 399) {
			assert_int_equal(freeze(f->store, i == 150 ? "middle" : "end"), 0);
			assert_in_range(check_incident(f, i == 150 ? "middle" : "end"), 11, 12);
			assert_int_equal(incident_remove(f->dir, i == 150 ? "middle" : "end"), 0);
		}
	}
	/* Twice what it is, and the window's changes; each changed page is written once again at most. */
	assert_in_range(most, 4000 * SNAPSHOT_PAGE, 3 * 4000 * SNAPSHOT_PAGE);
	assert_in_range(f->n_written, 400 * 38, 2 * 400 * 40 + 400 * 256 / 4);
	/* Each snapshot of the window has a file of its own, or several; others' are few. */
	assert_in_range(count_files(f->dir), 3 * 10, 400);
}

/* Very little room: the window gives way, the bound holds, and all that is kept is whole. */
static void little_room(void **state)
{
	struct fixture *f = *state;
	char id[8];

	open_store(f, 12 << 20, 1000);
	begin(f, 1000);
	for (unsigned i = 0; i < 100; i++) {
		int r = take(f, i % 2);

		if (r == STORE_NO_ROOM)
			assert_int_equal(store_log_restart(f->store, 1), 0);
		else
			assert_int_equal(r, 0);
		if (r)
			f->has_last = false;
		check_bound(f);
		if (i % 10 == 9 && r == 0) {
			(void) snprintf(id, sizeof(id), "%u", i);
			if (freeze(f->store, id) == 0)
				assert_in_range(check_incident(f, id), 1, 10);
			check_bound(f);
		}
		change(f, i % 7 == 0 ? 1000 : 100);
	}
}

/* An incident has all that it needs, whatever becomes of the ring; and so has its dump. */
static void stands_alone(void **state)
{
	struct fixture *f = *state;
	char path[PATH_SIZE];
	struct incident *incident;

	open_store(f, 128 << 20, 50);
	begin(f, 1000);
	for (unsigned i = 0; i < 20; i++, change(f, 10))
		assert_int_equal(take(f, true), 0);
	assert_int_equal(freeze(f->store, "one"), 0);
	for (unsigned i = 0; i < 20; i++, change(f, 500))
		assert_int_equal(take(f, true), 0);
	assert_int_equal(freeze(f->store, "two"), 0);
	assert_int_equal(store_log_restart(f->store, 1), 0);
	f->store = store_close(f->store);
	assert_int_equal(tree_remove(AT_FDCWD, path_of(path, "%s/live", f->dir)), 0);

	assert_in_range(check_incident(f, "one"), 1, 3);
	incident = open_incident(f->dir, "two");
	assert_int_equal(incident_dump(incident, path_of(path, "%s/dump", f->tmp_dir), 0, NULL, NULL), 0);
	assert_null(incident_close(incident));
	assert_int_equal(tree_remove(AT_FDCWD, f->dir), 0);
	assert_int_equal(incident_open_dump(path, f->tmp_dir, &incident), 0);
	assert_in_range(check_snapshots(f, incident), 1, 3);
	assert_null(incident_close(incident));
}

static void given_up(void **state)
{
	struct fixture *f = *state;
	struct snapshot_writer *writer;
	uint64_t before, event;

	open_store(f, 64 << 20, UINT64_MAX);
	begin(f, 1000);
	assert_int_equal(take(f, false), 0);
	before = bytes_live(f);
	change(f, 900);
	assert_int_equal(store_snapshot_begin(f->store, 1, f->event, f->event * 10, &writer), 0);
	assert_int_equal(give(f, writer, true), 0);
	assert_in_range(bytes_live(f), before + 500 * SNAPSHOT_PAGE, UINT64_MAX);
	assert_null(snapshot_writer_abort(writer));
	assert_int_equal(bytes_live(f), before);
	f->n_written = 0;
	assert_int_equal(take(f, true), 0);
	assert_in_range(f->n_written, 500, 900);

	/* A gap: there is nothing to compare with, and no writer's snapshot can be whole. */
	assert_int_equal(store_snapshot_begin(f->store, 1, f->event, f->event * 10, &writer), 0);
	assert_int_equal(give(f, writer, true), 0);
	assert_int_equal(store_log_restart(f->store, 1), 0);
	assert_false(snapshot_writer_base(writer, &event));
	assert_int_equal(snapshot_writer_keep(writer, BASE_KEY), STORE_NO_ROOM);
	assert_int_equal(snapshot_writer_commit(writer), STORE_NO_ROOM);
	assert_in_range(bytes_live(f), 0, 16 * TREE_BLOCK);
	f->has_last = false;
	f->n_written = 0;
	assert_int_equal(take(f, false), 0);
	assert_int_equal(f->n_written, 1000);
	assert_int_equal(freeze(f->store, "one"), 0);
	assert_int_equal(check_incident(f, "one"), 1);
}

/* A domain that has ended goes, and with it its pages. */
static void ended(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	open_store(f, 64 << 20, 1000);
	before = bytes_live(f);
	begin(f, 1000);
	for (unsigned i = 0; i < 10; i++, change(f, 10))
		assert_int_equal(take(f, true), 0);
	store_domain_end(f->store, 1);
	assert_true(store_has_domain(f->store, 1));
	store_trim(f->store, f->event * 10 + 2000);
	assert_false(store_has_domain(f->store, 1));
	assert_int_equal(bytes_live(f), before);
	assert_int_equal(f->store->page_memory, 0);
	assert_false(exists("%s/live/1", f->dir));
}

static void flip(const char *path, off_t offset)
{
	autoclean(closep) int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 16;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
}

/* Pages files that are missing, short or rotten: the snapshots that need them aren't whole. */
static void damage(void **state)
{
	struct fixture *f = *state;
	char first[PATH_SIZE], second[PATH_SIZE], aside[PATH_SIZE];
	autoclean(freep) uint64_t *events = NULL;
	struct incident *incident;
	size_t n;

	open_store(f, 64 << 20, UINT64_MAX);
	begin(f, 100);
	assert_int_equal(take(f, false), 0);
	change(f, 10);
	assert_int_equal(take(f, true), 0);
	assert_int_equal(freeze(f->store, "one"), 0);
	(void) path_of(first, "%s/incidents/one/1/pages.%016x", f->dir, 0);
	(void) path_of(second, "%s/incidents/one/1/pages.%016x", f->dir, 1);
	(void) path_of(aside, "%s/aside", f->tmp_dir);
	incident = open_incident(f->dir, "one");
	assert_int_equal(check_snapshots(f, incident), 2);

	assert_int_equal(rename(second, aside), 0);
	assert_int_equal(check_snapshots(f, incident), 1);
	assert_int_equal(check_snapshot(f, incident, 10), INCIDENT_DAMAGED);
	assert_int_equal(rename(aside, second), 0);

	flip(first, 5000);
	assert_int_equal(check_snapshot(f, incident, 0), INCIDENT_DAMAGED);
	flip(first, 5000);
	assert_int_equal(check_snapshots(f, incident), 2);

	/* In the place of another. */
	assert_int_equal(rename(first, aside), 0);
	assert_int_equal(link(second, first), 0);
	assert_int_equal(check_snapshot(f, incident, 0), INCIDENT_DAMAGED);
	assert_int_equal(rename(aside, first), 0);

	assert_int_equal(truncate(first, 4096), 0);
	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_int_equal(n, 0);
	assert_null(incident_close(incident));
}

#define PAGES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGES(only_what_changes),
		PAGES(listed_zeroes),
		PAGES(rolls_on),
		PAGES(little_room),
		PAGES(stands_alone),
		PAGES(given_up),
		PAGES(ended),
		PAGES(damage),
	};

	return cmocka_run_group_tests_name("store-pages", tests, NULL, NULL);
}
