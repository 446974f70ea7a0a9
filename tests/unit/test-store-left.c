/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a writer that is killed leaves, and what the next one makes of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "ringstore/format.h"
#include "ringstore/verify.h"
#include "tests/unit/test-store-util.h"

enum { N_EVENTS = 40, N_PAGES = 5 };

static const struct store_limits limits = { 8 << 20, UINT64_MAX, 50, 0 };

/* Two domains with a snapshot each ten events; domain 2 has ended. Never returns. */
static void record_and_die(const char *dir)
{
	struct store *store;

	if (store_open(dir, &limits, &store) != 0 || store_add_about(store, "{\"service\":\"s\"}") != 0 ||
	    store_set_about(store, 1, "{\"domain\":1,\"pid\":11}") != 0 ||
	    store_set_about(store, 2, "{\"domain\":2,\"pid\":12}") != 0)
		_exit(1);
	for (uint32_t domain = 1; domain <= 2; domain++) {
		for (uint64_t event = 0; event < N_EVENTS; event++) {
			if (event % 10 == 0 && (store_log_cut(store, domain) != 0 ||
						snapshot(store, domain, event, 1000 + event, 2, 3000) != 0))
				_exit(2);
			if (append(store, domain, event, 1, 1000 + event, 500) != 0)
				_exit(3);
		}
	}
	store_domain_end(store, 2);
	if (store_add_about(store, "{\"file\":{}}") != 0 || store_flush(store) != 0)
		_exit(4);
	_exit(0);
}

static int setup(void **state)
{
	int status;
	pid_t pid;

	assert_int_equal(setup_dir(state), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		record_and_die(*state);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return 0;
}

/* One domain, with a snapshot of pages each ten events, the pages of which are its own in part. */
static void record_pages_and_die(const char *dir)
{
	struct store *store;

	if (store_open(dir, &limits, &store) != 0 || store_add_about(store, "{\"service\":\"s\"}") != 0 ||
	    store_set_about(store, 1, "{\"domain\":1,\"pid\":11}") != 0)
		_exit(1);
	for (uint64_t event = 0; event < N_EVENTS; event++) {
		if (event % 10 == 0 && (store_log_cut(store, 1) != 0 ||
					pages_snapshot(store, 1, event, 1000 + event, N_PAGES) != 0))
			_exit(2);
		if (append(store, 1, event, 1, 1000 + event, 500) != 0)
			_exit(3);
	}
	_exit(store_flush(store) != 0);
}

static int setup_pages(void **state)
{
	int status;
	pid_t pid;

	assert_int_equal(setup_dir(state), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		record_pages_and_die(*state);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return 0;
}

static const char *live(char *buffer, void **state, const char *name)
{
	return path_of(buffer, "%s/live/%s", (char *)*state, name);
}

static void check_texts(const char *dir, size_t n)
{
	static const char *const want[] = { "{\"service\":\"s\"}", "{\"file\":{}}" };
	size_t n_found;
	char **texts;

	assert_int_equal(store_read_about(dir, &texts, &n_found), 0);
	assert_int_equal(n_found, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(texts[i], want[i]);
	(void) incident_free_ids(texts, n_found);
}

/* Freezes what is left; the manifest gets ends that are true. */
static void recover(const char *dir, struct store **ret_store)
{
	struct json_object *manifest = json_tokener_parse("{\"domains\":[]}");
	struct verify verify = { 0 };
	struct freeze *freeze;
	uint32_t *domains;
	size_t n;

	assert_int_equal(store_open(dir, &limits, ret_store), 0);
	assert_true(store_has_live(*ret_store));
	assert_int_equal(store_freeze_begin(*ret_store, "left", &freeze), 0);
	assert_int_equal(store_clear(*ret_store), 0);
	assert_false(store_has_live(*ret_store));
	assert_int_equal(freeze_domains(freeze, &domains, &n), 0);
	for (size_t i = 0; i < n; i++) {
		char *text;

		assert_int_equal(freeze_read_about(freeze, domains[i], &text), 0);
		assert_int_equal(json_object_array_add(json_list(manifest, "domains"),
						       json_tokener_parse(text)), 0);
		free(text);
	}
	free(domains);
	assert_int_equal(repair_window(freeze_dir(freeze), &verify, manifest), 0);
	assert_true(freeze_has_snapshot(freeze, 1));
	assert_false(freeze_has_snapshot(freeze, 3));
	assert_int_equal(freeze_commit(freeze, json_object_to_json_string(manifest)), 0);
	(void) json_object_put(manifest);
}

static void check_window(const char *dir, uint32_t domain, uint64_t begin, uint64_t end)
{
	struct incident *incident = open_incident(dir, "left");
	struct json_object *json = json_tokener_parse(incident_manifest(incident));
	struct json_object *row = json_object_array_get_idx(json_list(json, "domains"), domain - 1);
	struct verify verify = { 0 };
	char path[PATH_SIZE];
	uint64_t found;

	assert_int_equal(read_snapshot(incident, domain, begin, 2), INCIDENT_END);
	assert_int_equal(read_log(incident, domain, begin, &found), INCIDENT_END);
	assert_int_equal(found, end);
	assert_int_equal(json_number(row, "end_event"), end);
	assert_int_equal(json_number(row, "pid"), 10 + domain);
	(void) json_object_put(json);
	assert_null(incident_close(incident));
	assert_int_equal(verify_path(path_of(path, "%s/incidents/left", dir), &verify), 0);
	assert_int_equal(verify.n_faults, 0);
}

static void all_of_it(void **state)
{
	struct store_status status;
	struct store *store;

	check_texts(*state, 2);
	recover(*state, &store);
	check_window(*state, 1, 0, N_EVENTS);
	check_window(*state, 2, 0, N_EVENTS);

	/* And recording begins anew, by the same numbers. */
	check_texts(*state, 0);
	assert_int_equal(store_add_about(store, "{}"), 0);
	assert_int_equal(snapshot(store, 1, 0, 5, 1, 100), 0);
	assert_int_equal(append(store, 1, 0, 1, 5, 100), 0);
	assert_int_equal(freeze(store, "next"), 0);
	store_get_status(store, &status);
	assert_int_equal(status.n_incidents, 2);
	assert_in_range(disk_usage(*state), 1, status.bytes_live + status.bytes_incidents);
	assert_int_equal(store_clear(store), 0);
	assert_null(store_close(store));
	assert_int_equal(count_files(*state), 1 + 2 * 8 + 1 + 2 + 1);	/* the incidents', and the lock */
	check_window(*state, 1, 0, N_EVENTS);
}

/* Nobody wants it: it goes, and with it what it is about. */
static void none_of_it(void **state)
{
	struct store *store;

	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(store_add_about(store, "{}"), -EEXIST);
	assert_int_equal(store_clear(store), 0);
	assert_int_equal(store_clear(store), 0);
	assert_null(store_close(store));
	assert_int_equal(count_files(*state), 1);
	check_texts(*state, 0);
	check_texts("/nonexistent", 0);
}

/* A power cut: files that are torn, empty, or without their end. */
static void torn(void **state)
{
	struct store *store;
	char path[PATH_SIZE];
	struct stat st;

	assert_int_equal(stat(live(path, state, "1/log.000000000000001e"), &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	assert_int_equal(truncate(live(path, state, "1/snap.000000000000001e"), 5000), 0);
	assert_int_equal(truncate(live(path, state, "2/log.000000000000001e"), 0), 0);
	assert_int_equal(stat(live(path, state, "about"), &st), 0);
	assert_int_equal(truncate(path, st.st_size - 1), 0);
	check_texts(*state, 1);
	recover(*state, &store);
	check_window(*state, 1, 0, N_EVENTS - 1);
	check_window(*state, 2, 0, 30);
	assert_null(store_close(store));
}

/* What was written later is there, and something in front of it isn't. */
static void reordered(void **state)
{
	static const char zeros[200];
	struct store *store;
	char path[PATH_SIZE];
	int fd;

	fd = open(live(path, state, "1/log.000000000000000a"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 2000), sizeof(zeros));
	(void) close(fd);
	fd = open(live(path, state, "2/snap.0000000000000000"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, zeros, sizeof(zeros), 1000), sizeof(zeros));
	(void) close(fd);
	recover(*state, &store);
	check_window(*state, 1, 20, N_EVENTS);
	check_window(*state, 2, 10, N_EVENTS);
	assert_null(store_close(store));
}

/* The share of incidents is kept: the older part of a window that is more goes. */
static void too_much(void **state)
{
	struct store_limits small = { 1 << 20, UINT64_MAX, 12, 0 };
	struct freeze *freeze;
	struct store *store;

	assert_int_equal(store_open(*state, &small, &store), 0);
	assert_int_equal(store_freeze_begin(store, "left", &freeze), 0);
	assert_false(exists("%s/incidents/left/1/snap.0000000000000000", (char *)*state));
	assert_true(exists("%s/incidents/left/1/snap.000000000000001e", (char *)*state));
	assert_true(exists("%s/incidents/left/2/snap.000000000000001e", (char *)*state));
	assert_null(freeze_abort(freeze));
	assert_null(store_close(store));

	/* Not even that fits: some domain is better than none. */
	small.max_bytes += small.max_bytes / 10;
	small.incidents_percent = 5;
	assert_int_equal(store_open(*state, &small, &store), 0);
	assert_int_equal(store_freeze_begin(store, "left", &freeze), 0);
	assert_int_not_equal(exists("%s/incidents/left/1/snap.000000000000001e", (char *)*state),
			     exists("%s/incidents/left/2/snap.000000000000001e", (char *)*state));
	assert_null(freeze_abort(freeze));
	assert_null(store_close(store));
}

/* Killed again, while what was left is being looked at: it is an incident by then. */
static void published(void **state)
{
	struct freeze *begun;
	struct store *store;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (store_open(*state, &limits, &store) != 0 || store_log_end(store, 1) != N_EVENTS ||
		    store_freeze_begin(store, "left", &begun) != 0 ||
		    freeze_publish(begun, "[]") != -EINVAL ||
		    freeze_publish(begun, "{ \"domains\": [ { \"domain\": 1, \"pid\": 11, \"end_event\": 40 }, "
					  "{ \"domain\": 2, \"pid\": 12, \"end_event\": 40 } ] }") != 0 ||
		    store_clear(store) != 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	check_window(*state, 1, 0, N_EVENTS);
	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_false(store_has_live(store));
	check_window(*state, 1, 0, N_EVENTS);

	/* Another takes its place; or it goes. */
	assert_int_equal(store_freeze_begin(store, "next", &begun), 0);
	assert_int_equal(freeze_publish(begun, "{ \"a\": 1 }"), 0);
	assert_true(exists("%s/incidents/next/incident.json", (char *)*state));
	assert_int_equal(freeze_commit(begun, "[]"), -EINVAL);
	assert_true(exists("%s/incidents/next/incident.json", (char *)*state));
	assert_int_equal(store_freeze_begin(store, "last", &begun), 0);
	assert_int_equal(freeze_publish(begun, "{ \"a\": 1 }"), 0);
	assert_null(freeze_abort(begun));
	assert_false(exists("%s/incidents/last", (char *)*state));
	assert_null(store_close(store));
}

static void pause_ms(long ms)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	(void) nanosleep(&time, NULL);
}

/* A segment stays until the snapshot that is to take its place is on the disk. */
static void synced(void **state)
{
	struct store_limits syncing = { 8 << 20, 10, 50, UINT64_C(10000000) };
	struct store *store;
	uint64_t due;

	assert_int_equal(store_open(*state, &syncing, &store), 0);
	assert_int_equal(store_clear(store), 0);
	due = store_sync_due(store);	/* of the store's own directories */
	assert_true(due < UINT64_MAX);
	assert_int_equal(snapshot(store, 1, 0, 0, 1, 1000), 0);
	assert_int_equal(append(store, 1, 0, 1, 0, 100), 0);
	assert_int_equal(store_log_cut(store, 1), 0);
	assert_int_equal(snapshot(store, 1, 1, 100, 1, 1000), 0);
	assert_int_equal(append(store, 1, 1, 1, 100, 100), 0);
	assert_int_equal(store_sync_due(store), due);
	store_trim(store, 1000);
	assert_true(exists("%s/live/1/snap.0000000000000000", (char *)*state));
	assert_int_equal(store_sync(store), 0);
	for (unsigned i = 0; i < 1000 && exists("%s/live/1/snap.0000000000000000", (char *)*state); i++) {
		pause_ms(5);
		store_trim(store, 1000);
	}
	assert_false(exists("%s/live/1/snap.0000000000000000", (char *)*state));
	assert_true(exists("%s/live/1/snap.0000000000000001", (char *)*state));
	assert_int_equal(store_sync_due(store), UINT64_MAX);
	assert_int_equal(append(store, 1, 2, 1, 200, 100), 0);
	assert_true(store_sync_due(store) < UINT64_MAX);
	assert_null(store_close(store));
}

/* The snapshots at the events in @begins, of the incident "left"; and no others. */
static void check_pages(const char *dir, const uint64_t *begins, size_t n)
{
	struct incident *incident = open_incident(dir, "left");
	autoclean(freep) uint64_t *events = NULL;
	struct verify verify = { 0 };
	char path[PATH_SIZE];
	size_t n_found;
	uint64_t end;

	assert_int_equal(incident_snapshots(incident, 1, &events, &n_found), 0);
	assert_int_equal(n_found, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(events[i], begins[i]);
		assert_int_equal(read_pages_snapshot(incident, 1, begins[i], N_PAGES), INCIDENT_END);
	}
	assert_int_equal(read_log(incident, 1, begins[0], &end), INCIDENT_END);
	assert_int_equal(end, N_EVENTS);
	assert_null(incident_close(incident));
	assert_int_equal(verify_path(path_of(path, "%s/incidents/left", dir), &verify), 0);
	assert_int_equal(verify.n_faults, 0);
}

static void pages(void **state)
{
	static const uint64_t begins[] = { 0, 10, 20, 30 };
	struct store_status status;
	struct store *store;
	char path[PATH_SIZE];

	write_file(live(path, state, "1/pages.00000000000000ff"), "", 0);	/* of nobody */
	recover(*state, &store);
	check_pages(*state, begins, N(begins));
	assert_false(exists("%s/incidents/left/1/pages.00000000000000ff", (char *)*state));
	assert_false(exists("%s/live/1", (char *)*state));

	/* And recording begins anew, by the same numbers. */
	assert_int_equal(store_add_about(store, "{}"), 0);
	assert_int_equal(pages_snapshot(store, 1, 0, 5, N_PAGES), 0);
	assert_int_equal(append(store, 1, 0, 1, 5, 100), 0);
	assert_int_equal(freeze(store, "next"), 0);
	store_get_status(store, &status);
	assert_in_range(disk_usage(*state), 1, status.bytes_live + status.bytes_incidents);
	assert_int_equal(store_clear(store), 0);
	assert_null(store_close(store));
	assert_int_equal(count_files(*state), 4 * 3 + 1 + 3 + 1 + 1);	/* the incidents', and the lock */
	check_pages(*state, begins, N(begins));
}

/* Pages that aren't there, or not as they were: who needs them goes, others don't. */
static void lost_pages(void **state)
{
	static const uint64_t begins[] = { 0, 30 };
	struct store *store;
	char path[PATH_SIZE];
	int fd;

	assert_int_equal(truncate(live(path, state, "1/pages.0000000000000001"), 64), 0);
	fd = open(live(path, state, "1/pages.0000000000000002"), O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "zeroes", 6, 80), 6);
	(void) close(fd);
	recover(*state, &store);
	check_pages(*state, begins, N(begins));
	assert_true(exists("%s/incidents/left/1/pages.0000000000000000", (char *)*state));
	assert_false(exists("%s/incidents/left/1/pages.0000000000000001", (char *)*state));
	assert_false(exists("%s/incidents/left/1/pages.0000000000000002", (char *)*state));
	assert_null(store_close(store));
}

/* Of a window that is too much only those pages files are taken that the rest needs. */
static void too_many_pages(void **state)
{
	static const uint64_t begins[] = { 30 };
	struct store_limits small = { 1 << 20, UINT64_MAX, 12, 0 };
	struct store *store;

	assert_int_equal(store_open(*state, &small, &store), 0);
	assert_int_equal(freeze(store, "left"), 0);
	assert_int_equal(store_clear(store), 0);
	assert_null(store_close(store));
	check_pages(*state, begins, N(begins));
	assert_true(exists("%s/incidents/left/1/pages.0000000000000000", (char *)*state));
	assert_false(exists("%s/incidents/left/1/pages.0000000000000001", (char *)*state));
	assert_true(exists("%s/incidents/left/1/pages.0000000000000003", (char *)*state));
}

#define PAGES(test) cmocka_unit_test_setup_teardown(test, setup_pages, teardown_dir)
#define LEFT(test) cmocka_unit_test_setup_teardown(test, setup, teardown_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEFT(all_of_it),
		LEFT(none_of_it),
		LEFT(torn),
		LEFT(reordered),
		LEFT(too_much),
		LEFT(published),
		LEFT(synced),
		PAGES(pages),
		PAGES(lost_pages),
		PAGES(too_many_pages),
	};

	return cmocka_run_group_tests_name("store-left", tests, NULL, NULL);
}
