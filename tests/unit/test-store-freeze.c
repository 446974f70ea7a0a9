/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "tests/unit/test-store-util.h"

struct fixture {
	char *dir;
	struct store *store;
	struct store_limits limits;
	uint64_t event;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = make_tmp_dir();
	f->limits = limits_of(4 << 20, UINT64_MAX, 50);
	assert_int_equal(store_open(f->dir, &f->limits, &f->store), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_null(store_close(f->store));
	remove_tmp_dir(f->dir);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	assert_null(store_close(f->store));
	assert_int_equal(store_open(f->dir, &f->limits, &f->store), 0);
}

static struct store_status status_of(const struct fixture *f)
{
	struct store_status status;

	store_get_status(f->store, &status);
	return status;
}

static void check_bound(const struct fixture *f)
{
	uint64_t share = f->limits.max_bytes / 100 * f->limits.incidents_percent, apart;
	struct store_status status = status_of(f);

	assert_in_range(status.bytes_live + status.bytes_incidents, 1, f->limits.max_bytes);
	assert_in_range(disk_usage(f->dir), 1, status.bytes_live + status.bytes_incidents);
	/* Mapped files may take half of the rest besides. */
	apart = status.bytes_mapped < (f->limits.max_bytes - share) / 2 ? status.bytes_mapped :
									   (f->limits.max_bytes - share) / 2;
	assert_in_range(status.bytes_incidents, 0, share + apart);
}

/* A snapshot and @n runs behind it, of about 20000 bytes each on disk. */
static void record(struct fixture *f, unsigned n)
{
	assert_int_equal(store_log_cut(f->store, 1), 0);
	assert_int_equal(snapshot(f->store, 1, f->event, f->event, 1, 1000), 0);
	for (; n > 0; n--) {
		assert_int_equal(append(f->store, 1, f->event, 1, f->event, 40000), 0);
		f->event++;
	}
}

/* The oldest snapshot of the incident, from which all up to @end must be there. */
static uint64_t check_incident(const struct fixture *f, const char *id, uint64_t end)
{
	struct incident *incident = open_incident(f->dir, id);
	uint64_t *events, first, found;
	size_t n;

	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_true(n > 0);
	first = events[0];
	for (size_t i = 0; i < n; i++)
		assert_int_equal(read_snapshot(incident, 1, events[i], 1), INCIDENT_END);
	assert_int_equal(read_log(incident, 1, first, &found), INCIDENT_END);
	assert_int_equal(found, end);
	free(events);
	assert_null(incident_close(incident));
	return first;
}

static void ids(void **state)
{
	struct fixture *f = *state;
	struct freeze *begun;

	assert_int_equal(freeze(f->store, ""), -EINVAL);
	assert_int_equal(freeze(f->store, ".."), -EINVAL);
	assert_int_equal(freeze(f->store, "a/b"), -EINVAL);
	assert_int_equal(freeze(f->store, "a"), 0);	/* of nothing; but it happened */
	assert_int_equal(freeze(f->store, "a"), -EEXIST);
	assert_int_equal(store_freeze_begin(f->store, "b", &begun), 0);
	assert_int_equal(freeze(f->store, "b"), -EEXIST);
	assert_null(freeze_abort(begun));
	assert_int_equal(freeze(f->store, "b"), 0);
	assert_null(freeze_abort(NULL));
}

static void again_and_again(void **state)
{
	struct fixture *f = *state;
	struct freeze *second;
	uint64_t once, end;

	record(f, 10);
	end = f->event;
	assert_int_equal(freeze(f->store, "one"), 0);
	check_bound(f);
	once = status_of(f).bytes_incidents;
	assert_true(once > 10 * 20000);

	/* Recording goes on between begin and commit, and doesn't get in. */
	assert_int_equal(store_freeze_begin(f->store, "two", &second), 0);
	record(f, 5);
	assert_false(exists("%s/incidents/two/incident.json", f->dir));
	assert_int_equal(freeze_commit(second, "{ \"reason\": \"test\" }\n"), 0);
	check_bound(f);

	/* The same files: two directories and a manifest more. */
	assert_in_range(status_of(f).bytes_incidents, once, once + 6 * 4096);
	record(f, 5);
	assert_int_equal(freeze(f->store, "three"), 0);
	check_bound(f);
	assert_int_equal(check_incident(f, "one", end), 0);
	assert_int_equal(check_incident(f, "two", end), 0);
	assert_int_equal(check_incident(f, "three", end + 10), 0);

	/* What is live goes; what is frozen stays, and is charged to the incidents alone. */
	assert_int_equal(store_log_restart(f->store, 1), 0);
	check_bound(f);
	assert_int_equal(check_incident(f, "three", end + 10), 0);
	once = status_of(f).bytes_incidents;
	reopen(f);
	check_bound(f);
	assert_int_equal(status_of(f).bytes_incidents, once);
	assert_int_equal(status_of(f).n_incidents, 3);
}

static void bad_manifests(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "1", "{}x", "{} {}", "{\"a\":}",
					   "{\"format\": 3}", "{\"format\": \"1\"}", "null" };
	struct fixture *f = *state;
	struct freeze *begun;

	record(f, 2);
	for (size_t i = 0; i < N(bad); i++) {
		uint64_t before = status_of(f).bytes_live + status_of(f).bytes_incidents;

		assert_int_equal(store_freeze_begin(f->store, "x", &begun), 0);
		assert_int_equal(freeze_commit(begun, bad[i]), -EINVAL);
		assert_false(exists("%s/incidents/x", f->dir));
		assert_int_equal(status_of(f).bytes_live + status_of(f).bytes_incidents, before);
	}
	assert_int_equal(store_freeze_begin(f->store, "x", &begun), 0);
	assert_int_equal(freeze_commit(begun, "{\"format\": 1}\n"), 0);
}

static int check_finals(const struct fixture *f, const char *id, uint32_t domain, unsigned n)
{
	struct incident *incident = open_incident(f->dir, id);
	struct chunk_reader *reader;
	struct chunk_view view;
	unsigned i = 0;
	int r;

	r = incident_read_final(incident, domain, &reader);
	if (r == 0) {
		for (; (r = chunk_reader_next(reader, &view)) == 0; i++) {
			assert_int_equal(view.kind, CHUNK_FINAL);
			assert_int_equal(view.len, 1000 + i);
			assert_int_equal(((const char *)view.data)[view.len - 1], 'x');
		}
		assert_int_equal(i, n);
		assert_null(chunk_reader_close(reader));
	}
	assert_null(incident_close(incident));
	return r;
}

static void finals(void **state)
{
	struct fixture *f = *state;
	struct freeze *begun;
	char data[2000];

	memset(data, 'x', sizeof(data));
	record(f, 2);
	assert_int_equal(store_freeze_begin(f->store, "one", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 1, data, 0), -EINVAL);
	assert_int_equal(freeze_add_final(begun, 1, data, CHUNK_MAX_RAW + 1), -EINVAL);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(freeze_add_final(begun, 1, data, 1000 + i), 0);
		if (i < 20)
			assert_int_equal(freeze_add_final(begun, 9, data, 1000 + i), 0);
		check_bound(f);
	}
	assert_int_equal(freeze_commit(begun, "{}"), 0);
	check_bound(f);
	assert_int_equal(check_finals(f, "one", 1, 50), INCIDENT_END);
	assert_int_equal(check_finals(f, "one", 9, 20), INCIDENT_END);
	assert_int_equal(check_finals(f, "one", 2, 0), -ENOENT);

	assert_int_equal(store_freeze_begin(f->store, "two", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 1, data, 1000), 0);
	assert_null(freeze_abort(begun));
	assert_false(exists("%s/incidents/two", f->dir));
	check_bound(f);
}

/* Those of a domain that don't fit are all left out: half of them would fail a good replay. */
static void finals_without_room(void **state)
{
	struct fixture *f = *state;
	struct freeze *begun;
	char *data = malloc(CHUNK_MAX_RAW);
	int r = 0;

	fill(data, CHUNK_MAX_RAW, 1, 1);
	assert_int_equal(store_freeze_begin(f->store, "one", &begun), 0);
	for (unsigned i = 0; r == 0 && i < 100; i++) {
		r = freeze_add_final(begun, 1, data, 200000);
		check_bound(f);
	}
	assert_int_equal(r, STORE_NO_ROOM);
	assert_int_equal(freeze_add_final(begun, 1, data, 1), STORE_NO_ROOM);
	assert_int_equal(freeze_commit(begun, "{}"), 0);
	assert_int_equal(check_finals(f, "one", 1, 0), -ENOENT);
	check_bound(f);
	free(data);
}

static int file_of(size_t len, uint64_t seed, size_t repeat)
{
	int fd = memfd_create("mapped", MFD_CLOEXEC);
	char *data = malloc(len + 1);

	fill(data, len, seed, repeat);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);	/* the position is at its end now */
	free(data);
	return fd;
}

static void check_content(const struct fixture *f, const char *id, const char *hash, size_t len,
			  uint64_t seed, size_t repeat)
{
	struct incident *incident = open_incident(f->dir, id);
	char *want = malloc(len + 1), *got = malloc(len + 1);
	int fd;

	fill(want, len, seed, repeat);
	assert_int_equal(incident_open_file(incident, hash, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), len);
	assert_int_equal(pread(fd, got, len, 0), len);
	assert_memory_equal(got, want, len);
	(void) close(fd);
	free(want);
	free(got);
	assert_null(incident_close(incident));
}

static ino_t inode_of(const struct fixture *f, const char *id, const char *hash)
{
	char path[PATH_SIZE];
	struct stat st;

	assert_int_equal(stat(path_of(path, "%s/incidents/%s/files/%s", f->dir, id, hash), &st), 0);
	return st.st_ino;
}

static const struct {
	size_t len, repeat;
} files[] = { { 0, 1 }, { 1, 1 }, { 4096, 1 }, { 1 << 20, 64 }, { (3 << 20) + 17, 4000 } };

/* Freezes with these files, each given twice. */
static void freeze_files(const struct fixture *f, const char *id, char hashes[N(files)][33])
{
	struct freeze *begun;
	char hash[33];

	assert_int_equal(store_freeze_begin(f->store, id, &begun), 0);
	for (size_t i = 0; i < N(files); i++) {
		int fd = file_of(files[i].len, i, files[i].repeat);

		assert_int_equal(freeze_add_file(begun, fd, hashes[i]), 0);
		assert_int_equal(freeze_add_file(begun, fd, hash), 0);
		assert_string_equal(hash, hashes[i]);
		(void) close(fd);
		check_bound(f);
	}
	assert_int_equal(freeze_commit(begun, "{}"), 0);
	check_bound(f);
}

static void check_files(const struct fixture *f, const char *id, char hashes[N(files)][33])
{
	for (size_t i = 0; i < N(files); i++)
		check_content(f, id, hashes[i], files[i].len, i, files[i].repeat);
}

static void mapped_files(void **state)
{
	char hashes[N(files)][33], again[N(files)][33];
	struct fixture *f = *state;
	uint64_t before;

	record(f, 2);
	freeze_files(f, "one", hashes);
	check_files(f, "one", hashes);
	/* What xxh128sum(1) says of nothing. */
	assert_string_equal(hashes[0], "99aa06d3014798d86001c324468d497f");

	/* Another incident, after the program was started again, has the same files. */
	reopen(f);
	before = status_of(f).bytes_incidents;
	freeze_files(f, "two", again);
	assert_memory_equal(hashes, again, sizeof(hashes));
	assert_in_range(status_of(f).bytes_incidents, before, before + 4 * 4096);
	for (size_t i = 0; i < N(files); i++)
		assert_int_equal(inode_of(f, "one", hashes[i]), inode_of(f, "two", hashes[i]));
	assert_int_equal(incident_remove(f->dir, "one"), 0);
	check_files(f, "two", hashes);
	check_bound(f);
}

/* More than a file may have, but for a hole; it is one again when it is looked at. */
static void sparse_mapped_file(void **state)
{
	const off_t len = ((off_t)4 << 30) + 6;
	struct fixture *f = *state;
	struct incident *incident;
	struct freeze *begun;
	char hash[33], tail[6];
	struct stat st;
	int fd = file_of(1, 1, 1);

	assert_int_equal(pwrite(fd, "behind", 6, len - 6), 6);
	assert_int_equal(store_freeze_begin(f->store, "one", &begun), 0);
	assert_int_equal(freeze_add_file(begun, fd, hash), 0);
	assert_int_equal(freeze_commit(begun, "{}"), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_in_range(st.st_blocks, 1, 16);
	(void) close(fd);
	check_bound(f);

	incident = open_incident(f->dir, "one");
	assert_int_equal(incident_open_file(incident, hash, &fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), len);
	assert_int_equal(pread(fd, tail, 6, len - 6), 6);
	assert_memory_equal(tail, "behind", 6);
	assert_int_equal(fstat(fd, &st), 0);
	assert_in_range(st.st_blocks, 1, 4096);
	(void) close(fd);
	assert_null(incident_close(incident));
}

static void not_mapped_files(void **state)
{
	struct fixture *f = *state;
	struct freeze *begun;
	char hash[33];
	int fd;

	assert_int_equal(store_freeze_begin(f->store, "one", &begun), 0);
	assert_int_equal(freeze_add_file(begun, -1, hash), -EBADF);
	fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(freeze_add_file(begun, fd, hash), -EINVAL);
	(void) close(fd);
	assert_null(freeze_abort(begun));
}

static void mapped_file_without_room(void **state)
{
	struct fixture *f = *state;
	struct freeze *begun;
	char hash[33] = "untouched";
	int fd = file_of(3 << 20, 1, 1);

	record(f, 2);
	assert_int_equal(store_freeze_begin(f->store, "one", &begun), 0);
	assert_int_equal(freeze_add_file(begun, fd, hash), STORE_NO_ROOM);
	assert_string_equal(hash, "untouched");
	check_bound(f);
	assert_false(exists("%s/incidents/one/files/.new", f->dir));
	assert_int_equal(freeze_commit(begun, "{}"), 0);
	check_incident(f, "one", f->event);
	(void) close(fd);
}

/* What a small service maps is more than its window: there is room for some incidents all the same. */
static void mapped_files_of_a_small_ring(void **state)
{
	static const char *const ids[] = { "one", "two", "three" };
	struct fixture *f = *state;
	int fd = file_of(3 << 19, 1, 1);
	char hash[33];

	for (size_t i = 0; i < N(ids); i++) {
		struct freeze *begun;

		store_expect_files(f->store, 3 << 20);
		for (unsigned j = 0; j < (i ? 1 : 10); j++)
			record(f, 10);
		assert_int_equal(store_freeze_begin(f->store, ids[i], &begun), 0);
		assert_int_equal(freeze_add_file(begun, fd, hash), 0);
		assert_int_equal(freeze_commit(begun, "{}"), 0);
		check_bound(f);
		reopen(f);
		assert_int_equal(store_clear(f->store), 0);
	}
	for (size_t i = 0; i < N(ids); i++) {
		assert_true(exists("%s/incidents/%s/files/%s", f->dir, ids[i], hash));
		(void) check_incident(f, ids[i], 100 + i * 10);
	}
	assert_in_range(status_of(f).bytes_mapped, 3 << 19, (3 << 19) + (64 << 10));
	(void) close(fd);
}

/* A service that dies in a loop: the first incident stays, and the newest. */
static void crash_loop(void **state)
{
	struct fixture *f = *state;
	char id[32];
	char **found;
	size_t n;

	for (unsigned i = 0; i < 40; i++) {
		record(f, 10);
		(void) snprintf(id, sizeof(id), "crash-%02u", 39 - i);	/* the name says nothing */
		assert_int_equal(freeze(f->store, id), 0);
		check_bound(f);
		assert_int_equal(store_log_restart(f->store, 1), 0);
		assert_int_equal(check_incident(f, id, f->event), f->event - 10);
		if (i == 20)
			reopen(f);
	}
	assert_int_equal(incident_list(f->dir, &found, &n), 0);
	assert_int_equal(n, status_of(f).n_incidents);
	assert_in_range(n, 4, 10);
	assert_string_equal(found[0], "crash-39");
	for (size_t i = 1; i < n; i++) {
		(void) snprintf(id, sizeof(id), "crash-%02u", (unsigned)(n - 1 - i));
		assert_string_equal(found[i], id);
	}
	assert_null(incident_free_ids(found, n));
	check_incident(f, "crash-39", 10);
}

/* What incidents have in common counts once: none has to go. */
static void many_of_one_window(void **state)
{
	struct fixture *f = *state;
	char id[8];

	record(f, 40);
	for (unsigned i = 0; i < 20; i++) {
		(void) snprintf(id, sizeof(id), "%u", i);
		assert_int_equal(freeze(f->store, id), 0);
		check_bound(f);
	}
	assert_int_equal(status_of(f).n_incidents, 20);
}

/* The clock is set back: the order of incidents stays. */
static void clock_set_back(void **state)
{
	struct fixture *f = *state;
	struct timespec future[2] = { { 4000000000, 999999999 }, { 4000000000, 999999999 } };
	char path[PATH_SIZE];
	char **found;
	size_t n;

	assert_int_equal(freeze(f->store, "2-first"), 0);
	(void) path_of(path, "%s/incidents/2-first/incident.json", f->dir);
	assert_int_equal(utimensat(AT_FDCWD, path, future, 0), 0);
	reopen(f);
	assert_int_equal(freeze(f->store, "1-second"), 0);
	assert_int_equal(freeze(f->store, "0-third"), 0);
	assert_int_equal(incident_list(f->dir, &found, &n), 0);
	assert_int_equal(n, 3);
	assert_string_equal(found[0], "2-first");
	assert_string_equal(found[1], "1-second");
	assert_string_equal(found[2], "0-third");
	assert_null(incident_free_ids(found, n));
}

/* Two freezes under way, ended in the other order. */
static void two_at_once(void **state)
{
	struct fixture *f = *state;
	struct freeze *a, *b;
	char **found;
	size_t n;

	record(f, 10);
	assert_int_equal(store_freeze_begin(f->store, "a", &a), 0);
	record(f, 10);
	assert_int_equal(store_freeze_begin(f->store, "b", &b), 0);
	assert_int_equal(incident_remove(f->dir, "a"), -ENOENT);	/* it isn't one yet */
	assert_int_equal(freeze_commit(b, "{}"), 0);
	assert_int_equal(freeze_commit(a, "{}"), 0);
	check_bound(f);
	assert_int_equal(incident_list(f->dir, &found, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(found[0], "b");
	assert_null(incident_free_ids(found, n));
	check_incident(f, "a", 10);
	check_incident(f, "b", 20);
}

/* The window is larger than the share: the newest part of it is frozen. */
static void window_beyond_the_share(void **state)
{
	struct fixture *f = *state;
	uint64_t first, second;

	for (unsigned i = 0; i < 30; i++)
		record(f, 10);
	assert_true(status_of(f).bytes_live > 3 << 20);
	assert_int_equal(freeze(f->store, "one"), 0);
	check_bound(f);
	first = check_incident(f, "one", f->event);
	assert_in_range(first, f->event - 60, f->event - 30);	/* it leaves half of the share */

	for (unsigned i = 0; i < 30; i++)
		record(f, 10);
	assert_int_equal(freeze(f->store, "two"), 0);
	check_bound(f);
	second = check_incident(f, "two", f->event);
	assert_in_range(second, f->event - 60, f->event - 20);
	check_incident(f, "one", 300);

	/* A newer one takes the place of the second, not of the first. */
	for (unsigned i = 0; i < 30; i++)
		record(f, 10);
	assert_int_equal(freeze(f->store, "three"), 0);
	check_bound(f);
	assert_false(exists("%s/incidents/two", f->dir));
	check_incident(f, "one", 300);
	check_incident(f, "three", f->event);
}

/* One segment that is more than the share can't be shortened. */
static void segment_beyond_the_share(void **state)
{
	struct fixture *f = *state;
	struct store_no_room no_room;

	record(f, 130);
	assert_int_equal(freeze(f->store, "one"), STORE_NO_ROOM);
	store_get_no_room(f->store, &no_room);
	assert_int_equal(no_room.share, f->limits.max_bytes / 100 * 50);
	assert_int_equal(no_room.incidents + no_room.mapped, 0);
	assert_in_range(no_room.least, 130 * 20000, 3 << 20);
	check_bound(f);
	assert_int_equal(status_of(f).n_incidents, 0);
	record(f, 10);
	assert_int_equal(freeze(f->store, "one"), 0);
	check_bound(f);
	assert_int_equal(check_incident(f, "one", f->event), f->event - 10);
}

/* A freeze must succeed when the ring is as full as it gets. */
static void full_ring(void **state)
{
	struct fixture *f = *state;
	int r = 0;

	f->limits.incidents_percent = 90;
	reopen(f);
	assert_int_equal(snapshot(f->store, 1, 0, 0, 1, 1000), 0);
	for (; r == 0 && f->event < 10000; f->event++)
		r = append(f->store, 1, f->event, 1, f->event, 4000);
	assert_int_equal(r, STORE_NO_ROOM);
	/* One segment as large as the ring is more than 90 %; so not this one. */
	assert_int_equal(freeze(f->store, "one"), STORE_NO_ROOM);
	assert_int_equal(store_log_restart(f->store, 1), 0);

	for (unsigned i = 0; i < 60; i++)
		record(f, 10);
	assert_int_equal(freeze(f->store, "one"), 0);
	check_bound(f);
	/* And so it can go on: what isn't pinned gives way. */
	for (unsigned i = 0; i < 60; i++) {
		record(f, 10);
		check_bound(f);
	}
	assert_int_equal(freeze(f->store, "two"), 0);
	check_bound(f);
	check_incident(f, "two", f->event);
}

/* The service dies while a snapshot fills what was left of the ring. */
static void full_of_a_snapshot(void **state)
{
	autoclean(freep) uint8_t *pages = malloc(20000);
	struct snapshot_writer *writer;
	struct fixture *f = *state;
	struct freeze *begun;
	int r = 0;

	fill(pages, 20000, 1, 1);
	record(f, 60);
	assert_int_equal(store_snapshot_begin(f->store, 1, f->event, f->event, &writer), 0);
	for (unsigned i = 0; r == 0 && i < 1000; i++)
		r = snapshot_writer_add(writer, CHUNK_SNAPSHOT_PAGES, pages, 20000);
	assert_int_equal(r, STORE_NO_ROOM);
	assert_int_equal(store_freeze_begin(f->store, "one", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 1, pages, 2000), 0);
	assert_int_equal(freeze_commit(begun, "{}"), 0);
	check_bound(f);
	assert_int_equal(check_incident(f, "one", f->event), 0);
	assert_null(snapshot_writer_abort(writer));
	check_bound(f);
}

/* Another process (the operator's) removes incidents of an open store. */
static void removed_by_others(void **state)
{
	struct fixture *f = *state;
	uint64_t before;
	char **found;
	size_t n;

	before = status_of(f).bytes_live + status_of(f).bytes_incidents;
	record(f, 20);
	assert_int_equal(freeze(f->store, "one"), 0);
	assert_int_equal(freeze(f->store, "two"), 0);
	assert_int_equal(store_log_restart(f->store, 1), 0);
	store_domain_end(f->store, 1);
	assert_int_equal(incident_remove(f->dir, "three"), -ENOENT);
	assert_int_equal(incident_remove(f->dir, "../live"), -EINVAL);
	assert_int_equal(incident_remove(f->dir, "one"), 0);
	check_bound(f);
	assert_int_equal(status_of(f).n_incidents, 1);
	check_incident(f, "two", f->event);
	assert_int_equal(incident_remove(f->dir, "two"), 0);
	assert_int_equal(status_of(f).bytes_live + status_of(f).bytes_incidents, before);
	assert_int_equal(incident_list(f->dir, &found, &n), 0);
	assert_int_equal(n, 0);
	assert_null(incident_free_ids(found, n));
}

/* The limit is lowered between two runs. */
static void lowered_limit(void **state)
{
	struct fixture *f = *state;
	char id[8];

	for (unsigned i = 0; i < 6; i++) {
		record(f, 10);
		(void) snprintf(id, sizeof(id), "%u", i);
		assert_int_equal(freeze(f->store, id), 0);
		assert_int_equal(store_log_restart(f->store, 1), 0);
	}
	assert_int_equal(status_of(f).n_incidents, 6);
	f->limits = limits_of(1 << 20, UINT64_MAX, 60);
	reopen(f);
	check_bound(f);
	assert_in_range(status_of(f).n_incidents, 2, 3);
	check_incident(f, "0", 10);
	check_incident(f, "5", 60);
}

#define FROZEN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FROZEN(ids),
		FROZEN(again_and_again),
		FROZEN(bad_manifests),
		FROZEN(finals),
		FROZEN(finals_without_room),
		FROZEN(mapped_files),
		FROZEN(sparse_mapped_file),
		FROZEN(not_mapped_files),
		FROZEN(mapped_file_without_room),
		FROZEN(crash_loop),
		FROZEN(many_of_one_window),
		FROZEN(clock_set_back),
		FROZEN(two_at_once),
		FROZEN(window_beyond_the_share),
		FROZEN(segment_beyond_the_share),
		FROZEN(mapped_files_of_a_small_ring),
		FROZEN(full_ring),
		FROZEN(full_of_a_snapshot),
		FROZEN(removed_by_others),
		FROZEN(lowered_limit),
	};

	return cmocka_run_group_tests_name("store-freeze", tests, NULL, NULL);
}
