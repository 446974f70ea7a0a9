/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "ringstore/chunk.h"
#include "ringstore/format.h"
#include "ringstore/verify.h"
#include "tests/unit/test-store-util.h"

enum { N_EVENTS = 12, N_PAGES = 5 };

/*
 * incidents/x: domains 1 and 2, each with snapshots at 0, 4 and 8 and a log file from each on,
 * a run an event; domain 2 has its last state, and there is a mapped file. Each snapshot has a
 * pages file of its own, and needs pages of the first one's.
 */
static const char manifest[] =
	"{ \"format\": 1, \"domains\": ["
	"{ \"domain\": 1, \"pid\": 11, \"end_event\": 12, \"end\": \"kill\", \"final\": false },"
	"{ \"domain\": 2, \"pid\": 12, \"end_event\": 12, \"end\": \"death\", \"final\": true } ],"
	"\"notes\": [], \"files\": [ { \"path\": \"/exe\", \"hash\": \"%s\" } ] }";

struct fixture {
	char *dir;
	char hash[33], incident[PATH_SIZE];
	/* What was told: the first fault, and all cuts. */
	char path[PATH_SIZE], what[128], cuts[16][PATH_SIZE];
	uint64_t offset, cut_offsets[16], cut_ends[16];
};

static void record(struct store *store, uint32_t domain)
{
	for (unsigned event = 0; event < N_EVENTS; event++) {
		if (event % 4 == 0) {
			assert_int_equal(store_log_cut(store, domain), 0);
			assert_int_equal(pages_snapshot(store, domain, event, event, N_PAGES), 0);
		}
		assert_int_equal(append(store, domain, event, 1, event, 50), 0);
	}
}

static int setup(void **state)
{
	struct store_limits limits = limits_of(8 << 20, UINT64_MAX, 50);
	struct fixture *f = calloc(1, sizeof(*f));
	char text[1024];
	struct store *store;
	struct freeze *begun;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	f->dir = make_tmp_dir();
	assert_int_equal(store_open(f->dir, &limits, &store), 0);
	record(store, 1);
	record(store, 2);
	assert_int_equal(store_freeze_begin(store, "x", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 2, "final", 5), 0);
	assert_int_equal(freeze_add_file(begun, fd, f->hash), 0);
	(void) close(fd);
	(void) snprintf(text, sizeof(text), manifest, f->hash);
	assert_int_equal(freeze_commit(begun, text), 0);
	assert_null(store_close(store));
	(void) path_of(f->incident, "%s/incidents/x", f->dir);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	remove_tmp_dir(f->dir);
	free(f);
	return 0;
}

static void on_fault(const char *path, uint64_t offset, const char *what, void *userdata)
{
	struct fixture *f = userdata;

	if (f->path[0])
		return;
	(void) snprintf(f->path, sizeof(f->path), "%s", path);
	(void) snprintf(f->what, sizeof(f->what), "%s", what);
	f->offset = offset;
}

static struct verify verify_it(struct fixture *f, const char *path)
{
	struct verify verify = { .fault = on_fault, .userdata = f };

	f->path[0] = '\0';
	assert_int_equal(verify_path(path, &verify), 0);
	return verify;
}

/* One fault at least, and the first is this one. */
static void check_fault(struct fixture *f, const char *path, uint64_t offset, const char *what)
{
	assert_in_range(verify_it(f, f->incident).n_faults, 1, 100);
	assert_string_equal(f->path, path);
	assert_int_equal(f->offset, offset);
	if (!strstr(f->what, what))
		fail_msg("\"%s\" has no \"%s\"", f->what, what);
}

static const char *file_of(const struct fixture *f, const char *name, char path[static PATH_SIZE])
{
	return path_of(path, "%s/%s", f->incident, name);
}

static void flip(const struct fixture *f, const char *name, off_t offset)
{
	char path[PATH_SIZE];
	uint8_t byte;
	int fd = open(file_of(f, name, path), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	(void) close(fd);
}

static void cut(const struct fixture *f, const char *name, off_t by)
{
	char path[PATH_SIZE];
	struct stat st;

	assert_int_equal(stat(file_of(f, name, path), &st), 0);
	assert_int_equal(truncate(path, st.st_size - by), 0);
}

static void sound(void **state)
{
	struct fixture *f = *state;
	struct incident *incident = open_incident(f->dir, "x");
	struct verify verify;
	char dump[PATH_SIZE];
	int fd;

	assert_int_equal(incident_dump(incident, path_of(dump, "%s/dump", f->dir), 0, NULL, NULL), 0);
	assert_null(incident_close(incident));
	verify = verify_it(f, f->incident);
	assert_int_equal(verify.n_faults, 0);
	assert_int_equal(verify.n_files, 2 * 9 + 3);
	assert_int_equal(verify.bytes, verify.total);
	assert_true(verify.n_chunks > 2 * (12 + 6));
	verify = verify_it(f, dump);
	assert_int_equal(verify.n_faults, 0);
	assert_int_equal(verify.n_files, 2 * 9 + 3);
	verify = verify_it(f, f->dir);
	assert_int_equal(verify.n_faults, 0);
	assert_int_equal(verify.n_files, 2 * 2 * 9 + 3);	/* the live ones, too */
	assert_int_equal(verify.n_incidents, 1);

	fd = open(path_of(dump, "%s/lock", f->dir), O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	verify = verify_it(f, f->dir);
	assert_true(verify.live_in_use);
	assert_int_equal(verify.n_files, 2 * 9 + 3);
	(void) close(fd);
	assert_int_equal(verify_path("/nonexistent", &verify), -ENOENT);
	assert_int_equal(verify_path("/dev/null", &verify), -EBADMSG);
	assert_int_equal(verify_path("/", &verify), -EBADMSG);
}

static void logs(void **state)
{
	struct fixture *f = *state;
	char path[PATH_SIZE];
	struct stat st;

	assert_int_equal(stat(file_of(f, "2/log.0000000000000008", path), &st), 0);
	cut(f, "2/log.0000000000000008", 3);
	check_fault(f, "2/log.0000000000000008", (uint64_t)st.st_size / 4 * 3, "ends within a chunk");
	cut(f, "2/log.0000000000000008", st.st_size / 4 - 3);
	check_fault(f, "2/log.0000000000000008", (uint64_t)st.st_size / 4 * 3, "ends 1 events before");
	flip(f, "2/log.0000000000000004", 70);
	check_fault(f, "2/log.0000000000000004", 0, "checksum");
	assert_int_equal(unlink(file_of(f, "2/log.0000000000000004", path)), 0);
	check_fault(f, "2/log.0000000000000008", 0, "doesn't go on");
}

static void others(void **state)
{
	struct fixture *f = *state;
	char path[PATH_SIZE];
	struct stat st;

	assert_int_equal(stat(file_of(f, "1/snap.0000000000000004", path), &st), 0);
	cut(f, "1/snap.0000000000000004", sizeof(struct chunk));
	check_fault(f, "1/snap.0000000000000004", (uint64_t)st.st_size - sizeof(struct chunk),
		    "ends it is missing");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(verify_it(f, f->incident).n_faults, 0);	/* it needn't be there */
	cut(f, "2/final", 1);
	check_fault(f, "2/final", 72, "ends within");
	assert_int_equal(unlink(file_of(f, "2/final", path)), 0);
	check_fault(f, "2/final", 0, "missing");
}

static void pages(void **state)
{
	struct fixture *f = *state;
	char path[PATH_SIZE], other[PATH_SIZE];

	flip(f, "1/pages.0000000000000001", 80);
	check_fault(f, "1/pages.0000000000000001", 0, "checksum");
	assert_int_equal(verify_it(f, f->incident).n_faults, 1);	/* not of who needs it, too */
	flip(f, "1/pages.0000000000000001", 80);
	assert_int_equal(verify_it(f, f->incident).n_faults, 0);
	assert_int_equal(unlink(file_of(f, "1/pages.0000000000000000", path)), 0);
	check_fault(f, "1/pages.0000000000000000", 0, "missing");
	assert_int_equal(verify_it(f, f->incident).n_faults, 1);
	write_file(path, "", 0);	/* no chunk is damaged */
	check_fault(f, "1/pages.0000000000000000", 0, "ends in front of what a snapshot needs");
	assert_int_equal(verify_it(f, f->incident).n_faults, 1);
	/* Sound, and another's. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(link(file_of(f, "2/pages.0000000000000000", other), path), 0);
	check_fault(f, "1/pages.0000000000000000", 0, "isn't of this file");
}

/* What a snapshot says of pages is wrong, though each of its chunks is sound. */
static void tables(void **state)
{
	static const struct {
		unsigned kind;
		size_t short_by;
		struct page_run run;
		bool is_sound;
	} rows[] = {
		{ CHUNK_SNAPSHOT_TABLE, 0, { .n_pages = { 1 } }, true },	/* a file's first page */
		{ CHUNK_SNAPSHOT_TABLE, 1, { .n_pages = { 1 } }, false },
		{ CHUNK_SNAPSHOT_TABLE, 0, { .offset = { 8 }, .n_pages = { 1 } }, false },
		{ CHUNK_SNAPSHOT_TABLE, 0, { .first = { 9 }, .n_pages = { 1 } }, false },
		{ CHUNK_SNAPSHOT_TABLE, 0, { .n_pages = { 9 } }, false },
		{ CHUNK_SNAPSHOT_TABLE, 0, { .key = { UINT64_MAX - 4095 }, .n_pages = { 1 } }, false },
		{ CHUNK_SNAPSHOT_FILES, 8, { .n_pages = { 0 } }, true },	/* one of struct page_need */
		{ CHUNK_SNAPSHOT_FILES, 9, { .n_pages = { 0 } }, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N(rows); i++) {
		struct chunk_info info = { .kind = rows[i].kind, .domain = 1, .first_event = 4 };
		_Alignas(8) uint8_t chunks[512];
		char path[PATH_SIZE];
		size_t len;

		len = chunk_encode(NULL, &info, &rows[i].run, sizeof(rows[i].run) - rows[i].short_by, chunks);
		info = (struct chunk_info){ .kind = CHUNK_SNAPSHOT_END, .domain = 1, .first_event = 4, .seq = 1 };
		len += chunk_encode(NULL, &info, NULL, 0, chunks + len);
		write_file(file_of(f, "1/snap.0000000000000004", path), chunks, len);
		if (rows[i].is_sound)
			assert_int_equal(verify_it(f, f->incident).n_faults, 0);
		else
			check_fault(f, "1/snap.0000000000000004", 0, "makes no sense");
	}
}

static void mapped_files(void **state)
{
	struct fixture *f = *state;
	char path[PATH_SIZE], name[PATH_SIZE], other[PATH_SIZE];
	struct stat st;

	(void) path_of(name, "files/%s", f->hash);
	assert_int_equal(stat(file_of(f, name, path), &st), 0);
	flip(f, name, 100);
	check_fault(f, name, 0, "checksum");
	flip(f, name, 100);
	assert_int_equal(truncate(path, 0), 0);	/* no chunk is damaged */
	check_fault(f, name, 0, "isn't what its name says");
	assert_int_equal(rename(path, file_of(f, "files/other", other)), 0);
	check_fault(f, "files/other", 0, "such a name");
	assert_int_equal(unlink(other), 0);
	check_fault(f, name, 0, "missing");
}

static void manifests(void **state)
{
	struct fixture *f = *state;
	autoclean(freep) char *text = NULL;
	struct incident *incident;
	char path[PATH_SIZE], *number;
	size_t len;

	text = read_whole_file(file_of(f, "incident.json", path), &len);
	number = memmem(text, len, "11", 2);
	number[0] = '2';
	write_file(path, text, len);
	check_fault(f, "incident.json", 0, "checksum");
	assert_int_equal(incident_open(f->incident, &incident), -EBADMSG);
	write_file(path, text, len - 1);
	check_fault(f, "incident.json", 0, "JSON");
	write_file(path, "{ \"format\": 99 }", 16);
	check_fault(f, "incident.json", 0, "newer version");
	write_file(path, "{ \"needs\": [ \"wings\" ] }", 24);
	check_fault(f, "incident.json", 0, "newer version");
	assert_int_equal(incident_open(f->incident, &incident), -EPROTONOSUPPORT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(verify_it(f, f->dir).n_faults, 1);
	assert_string_equal(f->path, "incidents/x");
}

static void dumps(void **state)
{
	struct fixture *f = *state;
	struct incident *incident = open_incident(f->dir, "x");
	autoclean(freep) char *whole = NULL;
	char dump[PATH_SIZE];
	size_t len;

	assert_int_equal(incident_dump(incident, path_of(dump, "%s/dump", f->dir), 0, NULL, NULL), 0);
	assert_null(incident_close(incident));
	whole = read_whole_file(dump, &len);
	write_file(dump, whole, len / 2);
	assert_int_equal(verify_it(f, dump).n_faults, 1);
	assert_int_equal(f->offset, len / 2);
	write_file(dump, "", 0);
	assert_int_equal(verify_it(f, dump).n_faults, 1);
}

/* -- repairing ----------------------------------------------------------------------------------- */

static void on_cut(const char *path, uint64_t from, uint64_t to, const char *why, void *userdata)
{
	struct fixture *f = userdata;
	size_t i = 0;

	assert_true(*why);
	while (f->cuts[i][0])
		i++;
	(void) snprintf(f->cuts[i], sizeof(f->cuts[i]), "%s", path);
	f->cut_offsets[i] = from;
	f->cut_ends[i] = to;
}

/* Afterwards nothing is wrong any more, and to repair it again changes nothing. */
static void repair_it(struct fixture *f, uint64_t n_cuts)
{
	struct verify verify = { .cut = on_cut, .userdata = f }, again = { 0 };

	memset(f->cuts, 0, sizeof(f->cuts));
	assert_int_equal(repair_incident(f->incident, &verify), 0);
	assert_int_equal(verify.n_cuts, n_cuts);
	if (verify_it(f, f->incident).n_faults)
		fail_msg("%s, offset %d: %s", f->path, (int)f->offset, f->what);
	assert_int_equal(repair_store(f->dir, &again), 0);
	assert_int_equal(again.n_cuts, 0);
}

static struct json_object *manifest_of(const struct fixture *f)
{
	struct incident *incident = open_incident(f->dir, "x");
	struct json_object *json = json_tokener_parse(incident_manifest(incident));

	assert_null(incident_close(incident));
	return json;
}

static void check_window(const struct fixture *f, uint32_t domain, uint64_t begin, uint64_t end)
{
	struct incident *incident = open_incident(f->dir, "x");
	struct json_object *json = manifest_of(f);
	struct json_object *row = json_object_array_get_idx(json_list(json, "domains"), domain - 1);
	autoclean(freep) uint64_t *events = NULL;
	uint64_t found;
	size_t n;

	assert_int_equal(incident_snapshots(incident, domain, &events, &n), 0);
	assert_true(n > 0);
	assert_int_equal(events[0], begin);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(read_pages_snapshot(incident, domain, events[i], N_PAGES), INCIDENT_END);
	assert_int_equal(read_log(incident, domain, begin, &found), INCIDENT_END);
	assert_int_equal(found, end);
	assert_int_equal(json_number(row, "end_event"), end);
	assert_true(end == N_EVENTS || json_object_array_length(json_list(json, "notes")) > 0);
	(void) json_object_put(json);
	assert_null(incident_close(incident));
}

static void nothing_to_repair(void **state)
{
	struct fixture *f = *state;
	autoclean(freep) char *before = NULL, *after = NULL;
	char path[PATH_SIZE];
	size_t len, len_after;

	before = read_whole_file(file_of(f, "incident.json", path), &len);
	repair_it(f, 0);
	after = read_whole_file(path, &len_after);
	assert_int_equal(len, len_after);
	assert_memory_equal(before, after, len);
	check_window(f, 1, 0, 12);
	check_window(f, 2, 0, 12);
}

/* Torn: the last state is of no use any more. */
static void repairs_tails(void **state)
{
	struct fixture *f = *state;

	cut(f, "2/log.0000000000000008", 3);
	repair_it(f, 2);
	assert_string_equal(f->cuts[0], "2/log.0000000000000008");
	assert_true(f->cut_offsets[0] > 0);
	assert_string_equal(f->cuts[1], "2/final");
	check_window(f, 1, 0, 12);
	check_window(f, 2, 0, 11);
}

/* Rotten in the middle: what is behind it is longer, for it begins at the next snapshot. */
static void repairs_middles(void **state)
{
	struct fixture *f = *state;

	flip(f, "1/log.0000000000000000", 200);	/* its second chunk */
	repair_it(f, 2);
	assert_string_equal(f->cuts[0], "1/log.0000000000000000");
	assert_string_equal(f->cuts[1], "1/snap.0000000000000000");
	check_window(f, 1, 4, 12);
	flip(f, "1/log.0000000000000008", 200);
	repair_it(f, 1);
	assert_true(f->cut_offsets[0] > 0);
	check_window(f, 1, 4, 9);
}

static void repairs_snapshots(void **state)
{
	struct fixture *f = *state;

	flip(f, "2/snap.0000000000000000", 100);
	repair_it(f, 1);
	check_window(f, 2, 4, 12);
	flip(f, "2/snap.0000000000000004", 100);
	flip(f, "2/snap.0000000000000008", 100);
	repair_it(f, 2 + 3);	/* nobody needs the pages any more */
	{
		struct incident *incident = open_incident(f->dir, "x");
		uint64_t *events, end;
		size_t n;

		assert_int_equal(incident_snapshots(incident, 2, &events, &n), 0);
		assert_int_equal(n, 0);
		free(events);
		assert_int_equal(read_log(incident, 2, 0, &end), INCIDENT_END);	/* to be looked at */
		assert_int_equal(end, 12);
		assert_null(incident_close(incident));
	}
}

static size_t count_snapshots(const struct fixture *f, uint32_t domain)
{
	struct incident *incident = open_incident(f->dir, "x");
	autoclean(freep) uint64_t *events = NULL;
	size_t n;

	assert_int_equal(incident_snapshots(incident, domain, &events, &n), 0);
	assert_null(incident_close(incident));
	return n;
}

/* Pages are lost that one snapshot needs, or all do. */
static void repairs_pages(void **state)
{
	struct fixture *f = *state;
	char path[PATH_SIZE];

	flip(f, "1/pages.0000000000000001", 80);
	repair_it(f, 2);
	assert_string_equal(f->cuts[0], "1/snap.0000000000000004");
	assert_string_equal(f->cuts[1], "1/pages.0000000000000001");
	assert_int_equal(f->cut_ends[1], UINT64_MAX);
	check_window(f, 1, 0, 12);
	assert_int_equal(count_snapshots(f, 1), 2);
	assert_int_equal(unlink(file_of(f, "1/pages.0000000000000002", path)), 0);
	repair_it(f, 1);
	assert_string_equal(f->cuts[0], "1/snap.0000000000000008");
	check_window(f, 1, 0, 12);
	cut(f, "2/pages.0000000000000000", 8);
	repair_it(f, 6);
	assert_int_equal(count_snapshots(f, 2), 0);
}

/* Another incident x: a snapshot whose pages are in three chunks, and one that needs but the first. */
static void make_large(struct fixture *f)
{
	static const char json[] = "{ \"domains\": [ { \"domain\": 1, \"end_event\": 8 } ] }";
	struct store_limits limits = limits_of(8 << 20, UINT64_MAX, 50);
	struct store *store;
	struct freeze *begun;

	assert_int_equal(store_open(path_of(f->incident, "%s/large", f->dir), &limits, &store), 0);
	assert_int_equal(pages_snapshot(store, 1, 0, 0, 600), 0);
	assert_int_equal(append(store, 1, 0, 4, 0, 50), 0);
	assert_int_equal(store_log_cut(store, 1), 0);
	assert_int_equal(pages_snapshot(store, 1, 4, 4, 100), 0);
	assert_int_equal(append(store, 1, 4, 4, 4, 50), 0);
	assert_int_equal(store_freeze_begin(store, "x", &begun), 0);
	assert_int_equal(freeze_commit(begun, json), 0);
	assert_null(store_close(store));
	(void) path_of(f->incident, "%s/large/incidents/x", f->dir);
}

static off_t end_of_chunk(const struct fixture *f, const char *name, off_t begin)
{
	autoclean(freep) uint8_t *bytes = NULL;
	struct chunk chunk;
	char path[PATH_SIZE];
	size_t len;

	bytes = read_whole_file(file_of(f, name, path), &len);
	memcpy(&chunk, bytes + begin, sizeof(chunk));
	return begin + (off_t)sizeof(chunk) + (le32_get(chunk.stored_len) + 7) / 8 * 8;
}

/* Afterwards the second snapshot is there, and no other. */
static void check_large(struct fixture *f, uint64_t n_cuts)
{
	struct verify verify = { .cut = on_cut, .userdata = f }, again = { 0 };
	struct incident *incident;
	uint64_t *events;
	size_t n;

	memset(f->cuts, 0, sizeof(f->cuts));
	assert_int_equal(repair_incident(f->incident, &verify), 0);
	assert_int_equal(verify.n_cuts, n_cuts);
	assert_int_equal(verify_it(f, f->incident).n_faults, 0);
	assert_int_equal(repair_incident(f->incident, &again), 0);
	assert_int_equal(again.n_cuts, 0);
	assert_int_equal(incident_open(f->incident, &incident), 0);
	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(events[0], 4);
	free(events);
	assert_int_equal(read_pages_snapshot(incident, 1, 4, 100), INCIDENT_END);
	assert_null(incident_close(incident));
}

/* What is damaged among pages that are needed. */
static void repairs_holes(void **state)
{
	static const char name[] = "1/pages.0000000000000000";
	struct fixture *f = *state;
	char path[PATH_SIZE];
	struct stat before, after;
	off_t second, third;
	int fd;

	make_large(f);
	second = end_of_chunk(f, name, 0);
	third = end_of_chunk(f, name, second);
	assert_int_equal(stat(file_of(f, name, path), &before), 0);
	assert_int_equal(end_of_chunk(f, name, third), before.st_size);

	/* Its length, too: the chunk behind it has to be found. */
	flip(f, name, second + 17);
	check_fault(f, name, (uint64_t)second, "a chunk");
	check_large(f, 2);
	assert_string_equal(f->cuts[0], "1/snap.0000000000000000");
	assert_string_equal(f->cuts[1], name);
	assert_int_equal(f->cut_offsets[1], second);
	assert_int_equal(f->cut_ends[1], third);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);

	/* Two that are side by side, up to the end; and what can't be a chunk, behind it. */
	flip(f, name, second);
	flip(f, name, third);
	check_large(f, 1);
	assert_int_equal(f->cut_ends[0], before.st_size);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, path, 13), 13);
	(void) close(fd);
	check_fault(f, name, (uint64_t)before.st_size, "ends within");
	check_large(f, 1);
	assert_int_equal(f->cut_offsets[0], before.st_size);
	assert_int_equal(f->cut_ends[0], UINT64_MAX);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
}

static void repairs_the_rest(void **state)
{
	struct fixture *f = *state;
	autoclean(freep) char *text = NULL;
	struct json_object *json;
	char path[PATH_SIZE], name[PATH_SIZE];
	size_t len;

	flip(f, "2/final", 100);
	flip(f, path_of(name, "files/%s", f->hash), 100);
	repair_it(f, 2);
	assert_false(exists("%s", file_of(f, name, path)));
	assert_false(exists("%s", file_of(f, "2/final", path)));
	json = manifest_of(f);
	assert_string_equal(json_text(json_object_array_get_idx(json_list(json, "files"), 0), "hash"), "");
	assert_int_equal(json_object_array_length(json_list(json, "notes")), 2);
	(void) json_object_put(json);
	check_window(f, 1, 0, 12);

	text = read_whole_file(file_of(f, "incident.json", path), &len);
	flip(f, "incident.json", (char *)memmem(text, len, "death", 5) - text);
	repair_it(f, 0);
	json = manifest_of(f);
	assert_int_equal(json_object_array_length(json_list(json, "notes")), 3);
	(void) json_object_put(json);
}

static void cannot_repair(void **state)
{
	struct fixture *f = *state;
	struct verify verify = { 0 };
	char path[PATH_SIZE];

	write_file(file_of(f, "incident.json", path), "{ \"format\": 99 }", 16);
	assert_int_equal(repair_incident(f->incident, &verify), -EPROTONOSUPPORT);
	write_file(path, "{", 1);
	assert_int_equal(repair_incident(f->incident, &verify), -EBADMSG);
	assert_int_equal(verify.n_cuts, 0);
	assert_int_equal(repair_store(f->dir, &verify), 0);
	assert_int_equal(verify.n_failed, 1);
}

#define ON_X(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_X(sound),
		ON_X(logs),
		ON_X(others),
		ON_X(pages),
		ON_X(tables),
		ON_X(mapped_files),
		ON_X(manifests),
		ON_X(dumps),
		ON_X(nothing_to_repair),
		ON_X(repairs_tails),
		ON_X(repairs_middles),
		ON_X(repairs_snapshots),
		ON_X(repairs_pages),
		ON_X(repairs_holes),
		ON_X(repairs_the_rest),
		ON_X(cannot_repair),
	};

	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
