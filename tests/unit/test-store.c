/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "ringstore/io.h"
#include "ringstore/store-internal.h"
#include "tests/unit/test-store-util.h"

static const unsigned io_modes[] = { 0, IO_PWRITE };

static void store_closep(struct store **store)
{
	(void) store_close(*store);
}

static struct store_status status_of(struct store *store)
{
	struct store_status status;

	store_get_status(store, &status);
	return status;
}

/* The bound, and the account, against what du sees. */
static void check_bound(struct store *store, const char *dir, uint64_t max_bytes)
{
	struct store_status status = status_of(store);
	uint64_t charged = status.bytes_live + status.bytes_incidents;

	assert_in_range(charged, 1, max_bytes);
	assert_in_range(disk_usage(dir), 1, charged);
}

static void opening(void **state)
{
	struct store_limits limits = limits_of(STORE_MIN_BYTES, 0, 50);
	autoclean(store_closep) struct store *store = NULL;
	char dir[PATH_SIZE], path[PATH_SIZE];
	struct store *second;
	mode_t mask;

	(void) path_of(dir, "%s/store", (char *)*state);
	limits.max_bytes--;
	assert_int_equal(store_open(dir, &limits, &store), -EINVAL);
	limits = limits_of(STORE_MIN_BYTES, 0, 0);
	assert_int_equal(store_open(dir, &limits, &store), -EINVAL);
	limits.incidents_percent = 91;
	assert_int_equal(store_open(dir, &limits, &store), -EINVAL);
	limits.incidents_percent = 90;
	assert_false(exists("%s", dir));
	assert_int_equal(store_open(path_of(path, "%s/no/store", (char *)*state), &limits, &store),
			 -ENOENT);

	mask = umask(0);
	assert_int_equal(store_open(dir, &limits, &store), 0);
	(void) umask(mask);
	assert_int_equal(store_open(dir, &limits, &second), -EBUSY);
	assert_true(is_private(dir));
	assert_true(is_private(path_of(path, "%s/lock", dir)));
	assert_true(is_private(path_of(path, "%s/live", dir)));
	assert_true(is_private(path_of(path, "%s/incidents", dir)));
	store = store_close(store);
	assert_int_equal(store_open(dir, &limits, &store), 0);
	assert_null(store_close(NULL));
}

static void links_are_not_followed(void **state)
{
	struct store_limits limits = limits_of(STORE_MIN_BYTES, 0, 50);
	char dir[PATH_SIZE], path[PATH_SIZE];
	struct store *store;

	assert_int_equal(mkdir(path_of(path, "%s/real", (char *)*state), 0700), 0);
	assert_int_equal(symlink(path, path_of(dir, "%s/store", (char *)*state)), 0);
	assert_true(store_open(dir, &limits, &store) < 0);
	assert_false(exists("%s/lock", path));

	assert_int_equal(unlink(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mkdir(path_of(path, "%s/real/1", (char *)*state), 0700), 0);
	write_file(path_of(path, "%s/real/1/final", (char *)*state), "x", 1);
	assert_int_equal(symlink("../real", path_of(path, "%s/live", dir)), 0);
	assert_true(store_open(dir, &limits, &store) < 0);
	assert_true(exists("%s/real/1/final", (char *)*state));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(symlink("../../real/1", path_of(path, "%s/live/1", dir)), 0);
	assert_true(store_open(dir, &limits, &store) < 0);
	assert_true(exists("%s/real/1/final", (char *)*state));
}

/* Domain 7 from event 5 to in front of @event with a snapshot at both, domain 10 with one event. */
static void check_round_trip(const char *dir, uint64_t event)
{
	struct incident *incident = open_incident(dir, "one");
	autoclean(freep) uint64_t *events = NULL;
	autoclean(freep) uint32_t *domains = NULL;
	uint64_t end;
	size_t n;

	assert_string_equal(incident_id(incident), "one");
	assert_string_equal(incident_manifest(incident), "{}");
	assert_int_equal(incident_domains(incident, &domains, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(domains[0], 7);
	assert_int_equal(domains[1], 10);
	assert_int_equal(incident_snapshots(incident, 7, &events, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(events[0], 5);
	assert_int_equal(events[1], event);
	assert_int_equal(read_snapshot(incident, 7, 5, 3), INCIDENT_END);
	assert_int_equal(read_snapshot(incident, 7, event, 0), INCIDENT_END);
	assert_int_equal(read_log(incident, 7, 5, &end), INCIDENT_END);
	assert_int_equal(end, event);
	assert_int_equal(read_log(incident, 7, event - 1, &end), INCIDENT_END);
	assert_int_equal(end, event);
	assert_int_equal(read_log(incident, 10, 0, &end), INCIDENT_END);
	assert_int_equal(end, 1);
	assert_int_equal(read_log(incident, 7, 4, &end), -ENOENT);
	assert_int_equal(read_log(incident, 7, event, &end), -ENOENT);
	assert_int_equal(read_log(incident, 8, 0, &end), -ENOENT);
	assert_null(incident_close(incident));
}

static void round_trip(const char *tmp_dir, unsigned io_mode)
{
	struct store_limits limits = limits_of(64 << 20, UINT64_MAX, 90);
	char dir[PATH_SIZE], path[PATH_SIZE];
	struct store_status status;
	struct store *store;
	uint64_t event = 5;
	mode_t mask = umask(0);

	(void) path_of(dir, "%s/store.%u", tmp_dir, io_mode);
	assert_int_equal(store_open_with(dir, &limits, io_mode, &store), 0);
	assert_int_equal(snapshot(store, 7, 5, 1000, 3, 70000), 0);
	for (unsigned i = 0; i < 300; i++, event += i)
		assert_int_equal(append(store, 7, event, i + 1, event * 1000, 97 * i), 0);
	assert_int_equal(append(store, 10, 0, 1, 5000, CHUNK_MAX_RAW), 0);
	assert_int_equal(snapshot(store, 7, event, event * 1000, 0, 0), 0);
	assert_int_equal(store_flush(store), 0);
	assert_int_equal(freeze(store, "one"), 0);
	(void) umask(mask);

	status = status_of(store);
	assert_int_equal(status.n_snapshots, 2);
	assert_int_equal(status.n_incidents, 1);
	assert_int_equal(status.last_error, 0);
	assert_int_equal(status.window_ns, event * 1000 - 1000);
	assert_true(status.bytes_written > 1 << 20);
	if (io_mode & IO_PWRITE)
		assert_string_equal(status.writer, "pwrite");
	assert_true(is_private(path_of(path, "%s/live/7/snap.0000000000000005", dir)));
	assert_true(is_private(path_of(path, "%s/live/7/log.0000000000000005", dir)));
	assert_true(is_private(path_of(path, "%s/live/7", dir)));
	assert_true(is_private(path_of(path, "%s/incidents/one/7", dir)));
	assert_true(is_private(path_of(path, "%s/incidents/one", dir)));
	assert_true(is_private(path_of(path, "%s/incidents/one/incident.json", dir)));

	check_round_trip(dir, event);
	assert_null(store_close(store));
}

static void round_trips(void **state)
{
	for (size_t i = 0; i < N(io_modes); i++)
		round_trip(*state, io_modes[i]);
}

static void bad_calls(void **state)
{
	struct store_limits limits = limits_of(4 << 20, UINT64_MAX, 50);
	autoclean(store_closep) struct store *store = NULL;
	struct log_run run = { .n_events = 1, .data = "x", .len = 1 };
	struct snapshot_writer *writer;

	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(append(store, 1, 10, 5, 0, 100), 0);
	assert_int_equal(append(store, 1, 14, 1, 0, 100), -EINVAL);
	assert_int_equal(append(store, 1, 16, 1, 0, 100), -EINVAL);
	assert_int_equal(append(store, 1, 15, 1, 0, 100), 0);
	run.first_event = 16;
	run.n_events = 0;
	assert_int_equal(store_log_append(store, 1, &run), -EINVAL);
	run.n_events = 1;
	run.len = CHUNK_MAX_RAW + 1;
	assert_int_equal(store_log_append(store, 1, &run), -EINVAL);
	run.len = 1;
	run.first_ns = 2;
	run.last_ns = 1;
	assert_int_equal(store_log_append(store, 1, &run), -EINVAL);
	run = (struct log_run){ .first_event = UINT64_MAX, .n_events = 1, .data = "x", .len = 1 };
	assert_int_equal(store_log_append(store, 2, &run), -EINVAL);

	assert_int_equal(store_snapshot_begin(store, 1, UINT64_MAX, 0, &writer), -EINVAL);
	assert_int_equal(store_snapshot_begin(store, 1, 16, 0, &writer), 0);
	assert_int_equal(snapshot(store, 1, 16, 0, 1, 1), -EEXIST);
	assert_int_equal(snapshot_writer_add(writer, CHUNK_LOG, "x", 1), -EINVAL);
	assert_int_equal(snapshot_writer_add(writer, CHUNK_SNAPSHOT_END, "x", 1), -EINVAL);
	assert_int_equal(snapshot_writer_add(writer, CHUNK_SNAPSHOT_PAGES, "x", CHUNK_MAX_RAW + 1),
			 -EINVAL);
	assert_int_equal(snapshot_writer_commit(writer), 0);
	assert_int_equal(snapshot(store, 1, 16, 0, 1, 1), -EEXIST);

	store_domain_end(store, 1);
	store_domain_end(store, 99);
	assert_int_equal(append(store, 1, 16, 1, 0, 100), -EINVAL);
	assert_int_equal(store_log_cut(store, 99), 0);
	assert_int_equal(store_log_restart(store, 99), 0);
}

/* What a writer that died left behind. */
/* A process may have no more than a snapshot: what it logged in front of that has no file. */
static void ends(void **state)
{
	struct store_limits limits = limits_of(4 << 20, UINT64_MAX, 50);
	autoclean(store_closep) struct store *store = NULL;

	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(store_log_end(store, 1), 0);
	assert_int_equal(snapshot(store, 1, 2, 0, 1, 100), 0);
	assert_int_equal(store_log_end(store, 1), 2);
	assert_int_equal(append(store, 1, 2, 5, 0, 100), 0);
	assert_int_equal(store_log_end(store, 1), 7);
}

static void leftovers(void **state)
{
	struct store_limits limits = limits_of(4 << 20, UINT64_MAX, 50);
	const char *dir = *state;
	char path[PATH_SIZE], moved[PATH_SIZE];
	struct freeze *half;
	struct store *store;
	uint64_t before;

	assert_int_equal(store_open(dir, &limits, &store), 0);
	assert_int_equal(append(store, 1, 0, 1, 0, 1000), 0);
	assert_int_equal(freeze(store, "whole"), 0);
	assert_int_equal(store_freeze_begin(store, "half", &half), 0);
	/* As if the process had been killed here. */
	assert_int_equal(rename(path_of(path, "%s/incidents/half", dir),
				path_of(moved, "%s/incidents/gone", dir)),
			 0);
	assert_null(freeze_abort(half));
	assert_null(store_close(store));
	assert_true(exists("%s/live/1/log.0000000000000000", dir));
	assert_true(exists("%s/incidents/gone/1/log.0000000000000000", dir));
	write_file(path_of(path, "%s/foreign", dir), "0123456789", 10);
	write_file(path_of(path, "%s/live/1/foreign", dir), "0123456789", 10);
	write_file(path_of(path, "%s/incidents/whole/.manifest", dir), "0123456789", 10);
	assert_int_equal(mkdir(path_of(path, "%s/incidents/whole/files", dir), 0700), 0);
	write_file(path_of(path, "%s/incidents/whole/files/.new", dir), "0123456789", 10);
	assert_int_equal(mkdir(path_of(path, "%s/live/2", dir), 0700), 0);
	assert_int_equal(mkdir(path_of(path, "%s/incidents/.hidden", dir), 0700), 0);

	assert_int_equal(store_open(dir, &limits, &store), 0);
	assert_true(exists("%s/live/1/log.0000000000000000", dir));
	assert_false(exists("%s/live/2", dir));
	assert_false(exists("%s/incidents/gone", dir));
	assert_true(store_has_live(store));
	check_bound(store, dir, limits.max_bytes);
	assert_int_equal(append(store, 1, 1, 1, 0, 1000), -EINVAL);	/* it has ended */
	assert_int_equal(store_clear(store), 0);
	assert_false(store_has_live(store));
	assert_false(exists("%s/live/1/log.0000000000000000", dir));
	assert_true(exists("%s/incidents/whole/incident.json", dir));
	assert_false(exists("%s/incidents/whole/.manifest", dir));
	assert_false(exists("%s/incidents/whole/files/.new", dir));
	assert_true(exists("%s/foreign", dir));		/* not ours to remove, but counted */
	assert_true(exists("%s/live/1/foreign", dir));
	assert_int_equal(status_of(store).n_incidents, 1);
	check_bound(store, dir, limits.max_bytes);
	before = status_of(store).bytes_live;
	assert_null(store_close(store));
	write_file(path_of(path, "%s/foreign", dir), "0123456789", 10);
	assert_int_equal(truncate(path, 100000), 0);
	assert_int_equal(store_open(dir, &limits, &store), 0);
	assert_true(status_of(store).bytes_live > before + 90000);
	assert_null(store_close(store));
}

/* A log of many files, a snapshot each hundred events, a window of 1000 ns. */
static void window(void **state)
{
	struct store_limits limits = limits_of(64 << 20, 1000, 50);
	autoclean(store_closep) struct store *store = NULL;
	const char *dir = *state;

	assert_int_equal(store_open(dir, &limits, &store), 0);
	for (uint64_t event = 0; event < 5000; event += 10) {
		struct store_status status;

		if (event % 100 == 0) {
			assert_int_equal(store_log_cut(store, 1), 0);
			assert_int_equal(snapshot(store, 1, event, event, 1, 100), 0);
		}
		assert_int_equal(append(store, 1, event, 10, event, 100), 0);
		status = status_of(store);
		if (event < 1100) {
			assert_int_equal(status.window_ns, event + 9);
			continue;
		}
		/* From the newest snapshot that is older than the window. */
		assert_in_range(status.window_ns, 1000, 1000 + 99 + 9);
		assert_in_range(status.n_snapshots, 11, 12);
		assert_in_range(count_files(dir), 1 + 2 * 11, 1 + 2 * 12);
	}
	assert_true(exists("%s/live/1/snap.%016x", dir, 3900));
	assert_true(exists("%s/live/1/log.%016x", dir, 3900));
	assert_false(exists("%s/live/1/log.%016x", dir, 3800));
	store_trim(store, 1000000);		/* nothing happens for long */
	assert_int_equal(status_of(store).n_snapshots, 1);
	assert_true(exists("%s/live/1/snap.%016x", dir, 4900));
	assert_true(exists("%s/live/1/log.%016x", dir, 4900));
	assert_int_equal(count_files(dir), 3);
	store_domain_end(store, 1);
	assert_true(store_has_domain(store, 1));
	assert_false(store_has_domain(store, 2));
	store_trim(store, 1000001);
	assert_false(store_has_domain(store, 1));
	assert_int_equal(count_files(dir), 1);	/* the lock */
	assert_false(exists("%s/live/1", dir));
}

/* Snapshots that end in another order than they began. */
static void overlapping_snapshots(void **state)
{
	struct store_limits limits = limits_of(64 << 20, 100, 50);
	autoclean(store_closep) struct store *store = NULL;
	struct snapshot_writer *early, *late, *aborted;
	struct incident *incident;
	uint64_t *events;
	size_t n;

	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(append(store, 1, 0, 100, 0, 1000), 0);
	assert_int_equal(store_snapshot_begin(store, 1, 10, 10, &early), 0);
	assert_int_equal(store_snapshot_begin(store, 1, 20, 20, &late), 0);
	assert_int_equal(store_snapshot_begin(store, 1, 30, 30, &aborted), 0);
	assert_int_equal(snapshot_writer_add(early, CHUNK_SNAPSHOT_HEAD, "head", 4), 0);
	assert_int_equal(snapshot_writer_add(late, CHUNK_SNAPSHOT_HEAD, "head", 4), 0);
	assert_int_equal(snapshot_writer_commit(late), 0);
	assert_int_equal(freeze(store, "one"), 0);	/* the early one isn't whole */
	assert_int_equal(snapshot_writer_commit(early), 0);
	assert_int_equal(freeze(store, "two"), 0);
	assert_null(snapshot_writer_abort(aborted));
	assert_null(snapshot_writer_abort(NULL));
	assert_false(exists("%s/live/1/snap.%016x", (char *)*state, 30));

	incident = open_incident(*state, "one");
	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(events[0], 20);
	free(events);
	assert_null(incident_close(incident));
	incident = open_incident(*state, "two");
	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(events[0], 10);
	assert_int_equal(events[1], 20);
	free(events);
	assert_null(incident_close(incident));
	store_trim(store, 115);
	assert_false(exists("%s/live/1/snap.%016x", (char *)*state, 9));
	assert_true(exists("%s/live/1/snap.%016x", (char *)*state, 10));
	store_trim(store, 120);
	assert_false(exists("%s/live/1/snap.%016x", (char *)*state, 10));
}

/* Pseudo-random numbers that are the same in each run. */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

struct crowd {			/* a few domains, used at random */
	struct store *store;
	const char *dir;
	uint64_t random;
	uint64_t now;
	struct {
		uint32_t id;
		uint64_t event;
		bool fresh;	/* no whole snapshot since begin or restart */
	} domains[4];
	unsigned n_no_room, n_ids;
};

static void crowd_snapshot(struct crowd *c, unsigned i, uint64_t random)
{
	int r;

	assert_in_range(store_log_cut(c->store, c->domains[i].id), 0, STORE_NO_ROOM);
	r = snapshot(c->store, c->domains[i].id, c->domains[i].event, c->now,
		     1 + (unsigned)(random % 5), (random >> 8) % 60000);
	if (r != -EEXIST)
		assert_in_range(r, 0, STORE_NO_ROOM);
	if (r == 0)
		c->domains[i].fresh = false;
}

static void crowd_append(struct crowd *c, unsigned i, uint64_t random)
{
	uint32_t n = 1 + (uint32_t)(random % 50);
	int r;

	r = append(c->store, c->domains[i].id, c->domains[i].event, n, c->now,
		   (random >> 8) % 30000);
	if (r == 0) {
		c->domains[i].event += n;
		return;
	}
	assert_int_equal(r, STORE_NO_ROOM);
	c->n_no_room++;
	assert_int_equal(append(c->store, c->domains[i].id, c->domains[i].event, n, c->now, 1),
			 STORE_NO_ROOM);
	assert_int_equal(store_log_restart(c->store, c->domains[i].id), 0);
	c->domains[i].event += 1000;
	c->domains[i].fresh = true;
}

static void crowd_step(struct crowd *c, unsigned step)
{
	uint64_t random = next_random(&c->random);
	unsigned i = (unsigned)(random % N(c->domains));
	char id[32];

	random >>= 8;
	c->now += 100;
	switch (random % 64) {
	case 0 ... 5:
		crowd_snapshot(c, i, random >> 8);
		break;
	case 6:
		store_domain_end(c->store, c->domains[i].id);
		c->domains[i].id = ++c->n_ids;
		c->domains[i].event = 0;
		c->domains[i].fresh = true;
		break;
	case 7:
		if (step % 4)
			break;
		(void) snprintf(id, sizeof(id), "incident-%u", step);
		assert_in_range(freeze(c->store, id), 0, STORE_NO_ROOM);
		break;
	default:
		crowd_append(c, i, random >> 8);
	}
}

static void bound_with(const char *tmp_dir, unsigned io_mode, uint64_t max_bytes, uint64_t seed)
{
	struct store_limits limits = limits_of(max_bytes, 200000, 40);
	struct crowd c = { .random = seed, .n_ids = N(c.domains) };
	char dir[PATH_SIZE];

	c.dir = path_of(dir, "%s/%u.%u.%u", tmp_dir, io_mode, (unsigned)max_bytes, (unsigned)seed);
	for (unsigned i = 0; i < N(c.domains); i++)
		c.domains[i].id = i + 1;
	assert_int_equal(store_open_with(dir, &limits, io_mode, &c.store), 0);
	for (unsigned step = 0; step < 700; step++) {
		crowd_step(&c, step);
		check_bound(c.store, dir, max_bytes);
	}
	assert_int_equal(status_of(c.store).last_error, 0);
	assert_int_equal(store_flush(c.store), 0);
	assert_null(store_close(c.store));

	/* What another writer finds is counted the same. */
	assert_int_equal(store_open_with(dir, &limits, io_mode, &c.store), 0);
	check_bound(c.store, dir, max_bytes);
	assert_null(store_close(c.store));
}

static void bound(void **state)
{
	for (size_t i = 0; i < N(io_modes); i++)
		for (unsigned seed = 1; seed <= 3; seed++) {
			bound_with(*state, io_modes[i], 1 << 20, seed);
			bound_with(*state, io_modes[i], 5 << 20, seed);
		}
}

/* Every chunk of every snapshot, and the log behind each. */
static void check_domain(struct incident *incident, uint32_t domain)
{
	autoclean(freep) uint64_t *events = NULL;
	uint64_t end;
	size_t n;

	assert_int_equal(incident_snapshots(incident, domain, &events, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct chunk_reader *reader;
		struct chunk_view view;
		int r;

		assert_int_equal(incident_read_snapshot(incident, domain, events[i], &reader), 0);
		while ((r = chunk_reader_next(reader, &view)) == 0)
			;
		assert_int_equal(r, INCIDENT_END);
		assert_null(chunk_reader_close(reader));
		r = read_log(incident, domain, events[i], &end);
		assert_true(r == INCIDENT_END || r == -ENOENT);
	}
}

static size_t check_all_incidents(const char *dir)
{
	char **ids;
	size_t n;

	assert_int_equal(incident_list(dir, &ids, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct incident *incident = open_incident(dir, ids[i]);
		autoclean(freep) uint32_t *domains = NULL;
		size_t n_domains;

		assert_int_equal(incident_domains(incident, &domains, &n_domains), 0);
		for (size_t d = 0; d < n_domains; d++)
			check_domain(incident, domains[d]);
		assert_null(incident_close(incident));
	}
	assert_null(incident_free_ids(ids, n));
	return n;
}

/* The files of incidents are all there still and all sound, whatever was evicted. */
static void incidents_stay_sound(void **state)
{
	struct store_limits limits = limits_of(2 << 20, 50000, 60);
	struct crowd c = { .random = 99, .n_ids = N(c.domains), .dir = *state };

	for (unsigned i = 0; i < N(c.domains); i++)
		c.domains[i].id = i + 1;
	assert_int_equal(store_open(c.dir, &limits, &c.store), 0);
	for (unsigned step = 0; step < 2000; step++)
		crowd_step(&c, step);
	assert_in_range(check_all_incidents(c.dir), 2, 100);
	assert_null(store_close(c.store));
}

/* The recorder of a service that crashes every few events. Never returns. */
static void record_until_killed(struct crowd *c, unsigned io_mode, unsigned round)
{
	struct store_limits limits = limits_of(2 << 20, 50000, 60);
	char id[32];

	if (store_open_with(c->dir, &limits, io_mode, &c->store) != 0 || store_clear(c->store) != 0)
		_exit(1);
	for (unsigned i = 0; i < N(c->domains); i++)
		c->domains[i].id = i + 1;
	for (unsigned step = 0;; step++) {
		crowd_step(c, 1);
		if (step % 10)
			continue;
		(void) snprintf(id, sizeof(id), "i-%u-%u", round, step);
		(void) freeze(c->store, id);
	}
}

/*
 * Killed at any moment, what is on disk keeps the bound, and what is an incident is
 * a whole one. The next writer clears up and goes on.
 */
static void killed(void **state)
{
	struct crowd c = { .random = 7, .n_ids = N(c.domains), .dir = *state };
	struct store_limits limits = limits_of(2 << 20, 50000, 60);
	struct store *store;

	for (unsigned round = 0; round < 24; round++) {
		int status;
		pid_t pid;

		(void) next_random(&c.random);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			record_until_killed(&c, io_modes[round % 2], round);
		(void) usleep(3000 + (useconds_t)(c.random % 100000));
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_in_range(disk_usage(c.dir), 1, limits.max_bytes);
		if (exists("%s/incidents", c.dir))
			(void) check_all_incidents(c.dir);
	}
	assert_int_equal(store_open(c.dir, &limits, &store), 0);
	check_bound(store, c.dir, limits.max_bytes);
	assert_int_equal(check_all_incidents(c.dir), status_of(store).n_incidents);
	assert_true(status_of(store).n_incidents >= 1);
	assert_null(store_close(store));
}

/* A busy domain must not push out the only snapshot of an idle one. */
static void idle_domain_keeps_its_snapshot(void **state)
{
	struct store_limits limits = limits_of(1 << 20, UINT64_MAX, 50);
	autoclean(store_closep) struct store *store = NULL;
	const char *dir = *state;
	uint64_t event = 0;

	assert_int_equal(store_open(dir, &limits, &store), 0);
	assert_int_equal(snapshot(store, 1, 0, 0, 2, 20000), 0);
	assert_int_equal(append(store, 1, 0, 10, 0, 2000), 0);
	for (unsigned i = 0; i < 500; i++, event += 10) {
		if (i % 10 == 0) {
			assert_int_equal(store_log_cut(store, 2), 0);
			assert_int_equal(snapshot(store, 2, event, 100 + event, 1, 10000), 0);
		}
		assert_int_equal(append(store, 2, event, 10, 100 + event, 20000), 0);
		check_bound(store, dir, limits.max_bytes);
	}
	assert_true(exists("%s/live/1/snap.%016x", dir, 0));
	assert_true(exists("%s/live/1/log.%016x", dir, 0));
	assert_false(exists("%s/live/2/snap.%016x", dir, 0));

	/* Once it is over, it is the first to go. */
	store_domain_end(store, 1);
	for (unsigned i = 0; i < 100; i++, event += 10) {
		if (i % 10 == 0)
			assert_int_equal(snapshot(store, 2, event, 100 + event, 1, 10000), 0);
		assert_int_equal(append(store, 2, event, 10, 100 + event, 20000), 0);
	}
	assert_false(exists("%s/live/1", dir));
}

/* Nothing that may go is enough: refused, and the window stays. */
static void no_room(void **state)
{
	struct store_limits limits = limits_of(1 << 20, UINT64_MAX, 50);
	autoclean(store_closep) struct store *store = NULL;
	struct snapshot_writer *stale;
	const char *dir = *state;
	uint64_t event = 0;
	int r;

	assert_int_equal(store_open(dir, &limits, &store), 0);
	assert_int_equal(snapshot(store, 1, 0, 0, 1, 1000), 0);
	assert_int_equal(append(store, 1, 0, 1, 0, 1000), 0);
	assert_int_equal(store_log_cut(store, 1), 0);
	assert_int_equal(snapshot(store, 1, 1, 1, 1, 1000), 0);
	assert_int_equal(append(store, 1, 1, 1, 1, CHUNK_MAX_RAW), STORE_NO_ROOM);
	assert_int_equal(status_of(store).n_snapshots, 2);	/* not given up for nothing */
	assert_int_equal(status_of(store).last_error, 0);	/* nor was it the disk */
	assert_int_equal(append(store, 1, 1, 1, 1, 100), STORE_NO_ROOM);
	assert_int_equal(snapshot(store, 1, 2, 2, 1, 1000), STORE_NO_ROOM);
	assert_int_equal(freeze(store, "before-the-gap"), 0);
	assert_int_equal(store_log_restart(store, 1), 0);
	assert_int_equal(status_of(store).n_snapshots, 0);

	/* One long log and never a second snapshot. */
	event = 50;
	assert_int_equal(store_snapshot_begin(store, 1, 50, 50, &stale), 0);
	assert_int_equal(snapshot(store, 1, 51, 51, 1, 1000), 0);
	for (r = 0; r == 0 && event < 1000; event++) {
		r = append(store, 1, event, 1, event, 20000);
		check_bound(store, dir, limits.max_bytes);
	}
	assert_int_equal(r, STORE_NO_ROOM);
	assert_in_range(event, 50 + 50, 50 + 150);
	assert_int_equal(store_log_restart(store, 1), 0);
	assert_int_equal(snapshot_writer_add(stale, CHUNK_SNAPSHOT_HEAD, "x", 1), STORE_NO_ROOM);
	assert_int_equal(snapshot_writer_commit(stale), STORE_NO_ROOM);
	assert_int_equal(append(store, 1, 1000, 1, event, 20000), 0);
	assert_int_equal(snapshot(store, 1, 1001, 1001, 1, 1000), 0);
	assert_int_equal(status_of(store).n_snapshots, 1);
}

/* As many as there are: those that others remove aren't counted, nor what has a time to come. */
static void incidents_are_counted(void **state)
{
	struct store_limits limits = limits_of(4 << 20, UINT64_MAX, 50);
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct store *store;
	char path[PATH_SIZE];
	time_t now = time(NULL);

	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(snapshot(store, 1, 0, 0, 1, 1000), 0);
	assert_int_equal(freeze(store, "first"), 0);
	assert_int_equal(freeze(store, "second"), 0);
	assert_int_equal(store_count_incidents(store, now, now + 60), 2);
	assert_int_equal(store_count_incidents(store, now + 60, now + 120), 0);
	assert_int_equal(store_count_incidents(store, now - 120, now - 60), 0);
	assert_null(store_close(store));
	assert_int_equal(utimensat(AT_FDCWD, path_of(path, "%s/incidents/first/incident.json",
						     (char *)*state), times, 0), 0);
	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(store_count_incidents(store, now, now + 60), 1);
	assert_int_equal(incident_remove(*state, "second"), 0);
	assert_int_equal(store_count_incidents(store, now, now + 60), 0);
	assert_null(store_close(store));
}

/* Someone tidies up below us. */
static void vanished_files(void **state)
{
	struct store_limits limits = limits_of(4 << 20, UINT64_MAX, 50);
	autoclean(store_closep) struct store *store = NULL;
	char path[PATH_SIZE];

	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(append(store, 1, 0, 1, 0, 1000), 0);
	assert_int_equal(store_log_cut(store, 1), 0);
	assert_int_equal(unlink(path_of(path, "%s/live/1/log.%016x", (char *)*state, 0)), 0);
	assert_int_equal(rmdir(path_of(path, "%s/live/1", (char *)*state)), 0);
	assert_int_equal(append(store, 1, 1, 1, 0, 1000), 0);	/* made anew */
	assert_int_equal(freeze(store, "x"), 0);		/* of what is left */
	assert_int_equal(status_of(store).last_error, -ENOENT);
	assert_false(exists("%s/incidents/x/1/log.%016x", (char *)*state, 0));
	assert_true(exists("%s/incidents/x/1/log.%016x", (char *)*state, 1));
	assert_int_equal(store_log_restart(store, 1), 0);
	assert_int_equal(append(store, 1, 100, 1, 0, 1000), 0);
	assert_int_equal(freeze(store, "y"), 0);
}

/* Thousands of short-lived domains, as a prefork server has. */
static void many_domains(void **state)
{
	struct store_limits limits = limits_of(4 << 20, 100000, 50);
	autoclean(store_closep) struct store *store = NULL;

	assert_int_equal(store_open(*state, &limits, &store), 0);
	for (uint32_t i = 0; i < 3000; i++) {
		assert_int_equal(append(store, i, 0, 1, i * 1000, 500), 0);
		store_domain_end(store, i);
		if (i % 100 == 0)
			check_bound(store, *state, limits.max_bytes);
	}
	assert_int_equal(freeze(store, "crowd"), 0);
	check_bound(store, *state, limits.max_bytes);
	store_trim(store, 10000000);
	assert_int_equal(append(store, 5000, 0, 1, 10000000, 500), 0);
	check_bound(store, *state, limits.max_bytes);
}

#define IN_DIR(test)                                                                          \
	(struct CMUnitTest) cmocka_unit_test_setup_teardown(test, setup_dir, teardown_dir)

static unsigned n_descriptors(void)
{
	struct tree_names names = { 0 };
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned n;

	assert_true(fd >= 0);
	assert_int_equal(tree_names(fd, &names), 0);
	n = (unsigned)names.n;
	tree_names_deinit(&names);
	(void) close(fd);
	return n;
}

/* Files are held until they have been synced: a service that forks all the time makes many. */
static void few_descriptors_to_sync(void **state)
{
	struct store_limits limits = limits_of(16 << 20, UINT64_MAX, 50);
	autoclean(store_closep) struct store *store = NULL;
	const struct timespec nap = { 0, 1000000 };
	struct rlimit old, low;
	char dir[PATH_SIZE];
	unsigned before;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = (struct rlimit){ 256, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	limits.sync_ns = UINT64_C(3600000000000);
	(void) path_of(dir, "%s/store", (char *)*state);
	assert_int_equal(store_open(dir, &limits, &store), 0);
	before = n_descriptors();
	for (uint32_t domain = 1; domain <= 300; domain++) {
		assert_int_equal(append(store, domain, 0, 1, 0, 100), 0);
		store_domain_end(store, domain);
		assert_in_range(n_descriptors(), 1, before + 64 + 4);
	}
	assert_true(store_sync_due(store) != UINT64_MAX);
	assert_int_equal(store_sync(store), 0);
	assert_int_equal(store_sync_due(store), UINT64_MAX);
	while (!sync_has(store, 1, store->round - 1))
		(void) nanosleep(&nap, NULL);
	assert_int_equal(status_of(store).last_error, 0);
	assert_in_range(n_descriptors(), 1, before + 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(opening),
		IN_DIR(links_are_not_followed),
		IN_DIR(round_trips),
		IN_DIR(bad_calls),
		IN_DIR(ends),
		IN_DIR(leftovers),
		IN_DIR(window),
		IN_DIR(overlapping_snapshots),
		IN_DIR(bound),
		IN_DIR(incidents_stay_sound),
		IN_DIR(killed),
		IN_DIR(idle_domain_keeps_its_snapshot),
		IN_DIR(no_room),
		IN_DIR(incidents_are_counted),
		IN_DIR(vanished_files),
		IN_DIR(many_domains),
		IN_DIR(few_descriptors_to_sync),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
