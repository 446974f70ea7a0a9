/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every call to the disk fails, one after the other, in every way; or all do from one on. The
 * store may lose what it was about to do, and says so. It doesn't crash or leak, it goes on when
 * the disk does, and what was frozen before is as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "ringstore/format.h"
#include "ringstore/io.h"
#include "ringstore/store-internal.h"
#include "ringstore/verify.h"
#include "tests/unit/store-seam.h"
#include "tests/unit/test-store-util.h"

enum { N_PAGES = 9 };

static const struct store_limits limits = { 2 << 20, 200, 50, UINT64_C(1000000) };

/* -- failing ---------------------------------------------------------------------------------- */

static struct {
	long result;		/* as struct seam has it; 1: half of it is done */
	unsigned at, n;		/* the call that fails; how many there have been */
	bool for_ever;		/* all behind it fail, too */
} fault;

/* Of the thread that syncs, too. */
static long fail_one(const struct seam_event *event)
{
	unsigned n = __atomic_add_fetch(&fault.n, 1, __ATOMIC_SEQ_CST);

	if (!fault.at || n < fault.at || (n > fault.at && !fault.for_ever))
		return 0;
	if (fault.result < 0)
		return fault.result;
	return event->len > 1 ? (long)(event->len / 2) : 0;
}

static bool was_hit(void)
{
	return fault.n >= fault.at;
}

/* -- what is tried ----------------------------------------------------------------------------- */

static void is_outcome(int r)
{
	assert_in_range(r + 4096, 0, 4096 + STORE_NO_ROOM);
}

struct progress {
	uint64_t event;
	bool frozen;		/* incident "second" was committed */
};

static void append_some(struct store *store, struct progress *p)
{
	for (unsigned i = 0; i < 3; i++) {
		int r = append(store, 1, p->event, 2, p->event * 10, 900);

		is_outcome(r);
		if (r == 0)
			p->event += 2;
		else if (store_log_restart(store, 1) == 0)
			p->event += 100;
	}
}

static void record_some(struct store *store, struct progress *p)
{
	for (unsigned i = 0; i < 3; i++) {
		is_outcome(store_log_cut(store, 1));
		is_outcome(pages_snapshot(store, 1, p->event, p->event * 10, N_PAGES));
		append_some(store, p);
		is_outcome(store_sync(store));
		store_trim(store, p->event * 10);
	}
}

static void freeze_some(struct store *store, const char *id, bool *ret_frozen)
{
	autoclean(closep) int fd = memfd_create("mapped", MFD_CLOEXEC);
	struct freeze *begun;
	char hash[33], content[5000];
	int r;

	fill(content, sizeof(content), 1, 1);
	assert_int_equal(write(fd, content, sizeof(content)), sizeof(content));
	r = store_freeze_begin(store, id, &begun);
	is_outcome(r);
	if (r)
		return;
	is_outcome(freeze_add_final(begun, 1, "final", 5));
	is_outcome(freeze_add_file(begun, fd, hash));
	r = freeze_commit(begun, "{}");
	is_outcome(r);
	*ret_frozen = r == 0;
}

/* Opened on a failing disk, recorded into, frozen, closed; and looked at. */
static void use(const char *dir, struct progress *p)
{
	struct verify verify = { 0 };
	struct incident *incident;
	struct store *store;
	char path[PATH_SIZE];
	int r;

	r = store_open_with(dir, &limits, IO_PWRITE, &store);
	is_outcome(r);
	if (r == 0) {
		is_outcome(store_clear(store));
		is_outcome(store_add_about(store, "{\"service\":\"s\"}"));
		assert_int_equal(store_set_about(store, 1, "{\"domain\":1}"), 0);
		record_some(store, p);
		freeze_some(store, "second", &p->frozen);
		record_some(store, p);
		is_outcome(store_flush(store));
		assert_null(store_close(store));
	}
	(void) verify_path(dir, &verify);
	if (incident_open(path_of(path, "%s/incidents/first", dir), &incident) == 0) {
		(void) incident_dump(incident, path_of(path, "%s/dump", dir), 0, NULL, NULL);
		assert_null(incident_close(incident));
	}
	(void) unlink(path_of(path, "%s/dump", dir));
	(void) incident_remove(dir, "third");
}

/* -- afterwards ------------------------------------------------------------------------------------ */

static void say_fault(const char *path, uint64_t offset, const char *what, void *userdata)
{
	print_message("# call %u, %s: %s, offset %d: %s\n", fault.at, (const char *)userdata, path,
		      (int)offset, what);
}

static void check_whole(const char *dir, const char *id)
{
	struct verify verify = { .fault = say_fault, .userdata = (void *)id };
	char path[PATH_SIZE];

	assert_int_equal(verify_path(path_of(path, "%s/incidents/%s", dir, id), &verify), 0);
	assert_int_equal(verify.n_faults, 0);
}

static void check_first(const char *dir)
{
	struct incident *incident = open_incident(dir, "first");
	uint64_t end;

	for (uint64_t event = 0; event < 18; event += 6)
		assert_int_equal(read_pages_snapshot(incident, 1, event, N_PAGES), INCIDENT_END);
	assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_END);
	assert_int_equal(end, 18);
	assert_null(incident_close(incident));
	check_whole(dir, "first");
}

/* The next writer finds a store that it can use, and what there is of the one before. */
static void check_next(const char *dir, const struct progress *p, bool for_ever)
{
	struct verify verify = { 0 }, all = { .fault = say_fault, .userdata = (void *)"afterwards" };
	autoclean(freep) uint32_t *domains = NULL;
	struct json_object *manifest;
	struct freeze *begun;
	struct store *store;
	size_t n;

	check_first(dir);
	/* With more than one fault a hole may be left, in front of which readers stop. */
	if (p->frozen && !for_ever)
		check_whole(dir, "second");
	assert_int_equal(store_open_with(dir, &limits, IO_PWRITE, &store), 0);
	if (store_has_live(store)) {
		assert_int_equal(store_freeze_begin(store, "left", &begun), 0);
		assert_int_equal(store_clear(store), 0);
		assert_int_equal(freeze_domains(begun, &domains, &n), 0);
		manifest = json_tokener_parse(n ? "{\"domains\":[{\"domain\":1}]}" : "{}");
		assert_int_equal(repair_window(freeze_dir(begun), &verify, manifest), 0);
		assert_int_equal(freeze_commit(begun, json_object_to_json_string(manifest)), 0);
		(void) json_object_put(manifest);
		check_whole(dir, "left");
	}
	assert_int_equal(pages_snapshot(store, 1, 0, 0, N_PAGES), 0);
	assert_int_equal(append(store, 1, 0, 1, 0, 100), 0);
	assert_int_equal(freeze(store, "next"), 0);
	assert_null(store_close(store));
	assert_int_equal(verify_path(dir, &all), 0);
	if (!for_ever)
		assert_int_equal(all.n_faults, 0);
	check_first(dir);
}

/* A store with the incidents first and third, as the failing disk gets it. */
static void prepare(const char *dir)
{
	struct progress p = { 0 };
	struct store *store;
	bool frozen = false;

	assert_int_equal(store_open_with(dir, &limits, IO_PWRITE, &store), 0);
	record_some(store, &p);
	freeze_some(store, "first", &frozen);
	assert_true(frozen);
	record_some(store, &p);
	freeze_some(store, "third", &frozen);
	assert_true(frozen);
	assert_null(store_close(store));
}

static unsigned try(const char *tmp, long result, bool for_ever, unsigned at)
{
	char *dir = strdup(path_of((char[PATH_SIZE]){ 0 }, "%s/%u", tmp, at));
	struct progress p = { 0 };
	bool hit;

	prepare(dir);
	fault.result = result;
	fault.for_ever = for_ever;
	fault.at = at;
	fault.n = 0;
	seam.before = fail_one;
	use(dir, &p);
	seam.before = NULL;
	hit = was_hit();
	check_next(dir, &p, for_ever);
	remove_tmp_dir(dir);
	return hit;
}

/* Each so manieth call fails, a different one of them in each test; and those from it on. */
static const unsigned steps[][2] = {
	[TESTS_SANITIZED] = { 11, 61 }, [TESTS_USUAL] = { 3, 9 }, [TESTS_ALL] = { 1, 1 },
};

/* Until there are no more calls that could fail. */
static void try_all(void **state, long result, bool for_ever)
{
	static unsigned n_tests;
	unsigned step = steps[tests_extent()][for_ever], at = 1 + n_tests++ % step;

	while (try(*state, result, for_ever, at))
		at += step;
	assert_in_range(at, 300, 5000);
	print_message("# %u calls\n", at);
}

static void no_space(void **state)
{
	try_all(state, -ENOSPC, false);
}

static void bad_disk(void **state)
{
	try_all(state, -EIO, false);
}

static void interrupted(void **state)
{
	try_all(state, -EINTR, false);
}

/* Half of a read or a write is done. */
static void short_transfers(void **state)
{
	try_all(state, 1, false);
}

static void full_disk(void **state)
{
	try_all(state, -ENOSPC, true);
}

static void dead_disk(void **state)
{
	try_all(state, -EIO, true);
}

static void read_only_disk(void **state)
{
	try_all(state, -EROFS, true);
}

/* -- pages that the disk may have lost ------------------------------------------------------------- */

static bool is_held;

static long fail_sync(const struct seam_event *event)
{
	const struct timespec nap = { 0, 1000000 };

	while (event->call == SEAM_SYNC && __atomic_load_n(&is_held, __ATOMIC_SEQ_CST))
		(void) nanosleep(&nap, NULL);
	return event->call == SEAM_SYNC ? -EIO : 0;
}

static void await_round(struct store *store, uint64_t round)
{
	const struct timespec nap = { 0, 1000000 };

	for (unsigned i = 0; i < 10000 && store->synced_round != round; i++) {
		(void) sync_has(store, round, round);
		(void) nanosleep(&nap, NULL);
	}
	assert_int_equal(store->synced_round, round);
}

static void take_segment(struct store *store, uint64_t event)
{
	assert_int_equal(store_log_cut(store, 1), 0);
	assert_int_equal(pages_snapshot(store, 1, event, event * 100, N_PAGES), 0);
	assert_int_equal(append(store, 1, event, 1, event * 100, 100), 0);
}

/*
 * A snapshot is on the disk when what it shares with older ones is. Whether that will ever be
 * can't be told of what couldn't be synced: the next snapshot writes it again.
 */
static void lost_pages(void **state)
{
	const struct store_limits syncing = { 8 << 20, 10, 50, UINT64_C(1000000) };
	const char *dir = *state;
	struct incident *incident;
	struct store *store;

	assert_int_equal(store_open_with(dir, &syncing, IO_PWRITE, &store), 0);
	take_segment(store, 0);
	is_held = true;
	seam.before = fail_sync;
	assert_int_equal(store_sync(store), 0);
	take_segment(store, 1);	/* the first one's pages aren't lost yet */
	__atomic_store_n(&is_held, false, __ATOMIC_SEQ_CST);
	await_round(store, 1);
	seam.before = NULL;
	assert_int_equal(store_sync(store), 0);
	await_round(store, 2);
	store_trim(store, 1000);
	assert_true(exists("%s/live/1/snap.0000000000000000", dir));
	take_segment(store, 2);
	assert_int_equal(store_sync(store), 0);
	await_round(store, 3);
	store_trim(store, 2000);
	assert_false(exists("%s/live/1/snap.0000000000000000", dir));
	assert_false(exists("%s/live/1/snap.0000000000000001", dir));
	assert_false(exists("%s/live/1/pages.0000000000000000", dir));
	assert_true(exists("%s/live/1/pages.0000000000000002", dir));
	assert_int_equal(freeze(store, "x"), 0);
	incident = open_incident(dir, "x");
	assert_int_equal(read_pages_snapshot(incident, 1, 2, N_PAGES), INCIDENT_END);
	assert_null(incident_close(incident));
	assert_null(store_close(store));
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup_dir, teardown_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(no_space),
		IN_DIR(bad_disk),
		IN_DIR(interrupted),
		IN_DIR(short_transfers),
		IN_DIR(full_disk),
		IN_DIR(dead_disk),
		IN_DIR(read_only_disk),
		IN_DIR(lost_pages),
	};

	seam.no_sync = true;
	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		(void) setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests_name("store-faults", tests, NULL, NULL);
}
