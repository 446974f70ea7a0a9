/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "tests/unit/test-store-util.h"

/*
 * incidents/x of the store *state: domain 1 with a snapshot of two chunks of pages
 * at 0, logs of events 0 to 2, 3 to 5 and 6 to 8, a run each, finals, and a file.
 */
static int setup(void **state)
{
	struct store_limits limits = limits_of(4 << 20, UINT64_MAX, 50);
	struct store *store;
	struct freeze *begun;
	char hash[33];
	int fd;

	assert_int_equal(setup_dir(state), 0);
	assert_int_equal(store_open(*state, &limits, &store), 0);
	assert_int_equal(snapshot(store, 1, 0, 0, 2, 100), 0);
	for (unsigned event = 0; event < 9; event++) {
		assert_int_equal(append(store, 1, event, 1, event, 50), 0);
		if (event % 3 == 2)
			assert_int_equal(store_log_cut(store, 1), 0);
	}
	assert_int_equal(store_freeze_begin(store, "x", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 1, "final", 5), 0);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(freeze_add_file(begun, fd, hash), 0);
	(void) close(fd);
	assert_int_equal(freeze_commit(begun, "{ \"format\": 1 }"), 0);
	assert_null(store_close(store));
	return 0;
}

static struct incident *open_x(void **state)
{
	return open_incident(*state, "x");
}

static const char *x_path(char *buffer, void **state, const char *name)
{
	return path_of(buffer, "%s/incidents/x/%s", (char *)*state, name);
}

static void not_incidents(void **state)
{
	struct incident *incident;
	char path[PATH_SIZE], manifest[PATH_SIZE], link[PATH_SIZE];
	static const char with_nul[] = "{}\0{}";
	char **ids;
	size_t n;

	(void) x_path(path, state, "");
	(void) x_path(manifest, state, "incident.json");
	assert_int_equal(incident_open(path, &incident), 0);
	assert_string_equal(incident_id(incident), "x");
	assert_string_equal(incident_manifest(incident), "{ \"format\": 1 }");
	assert_string_equal(incident_path(incident), path);
	assert_true(incident_bytes(incident) > 20000);
	assert_null(incident_close(incident));

	assert_int_equal(incident_open("/nonexistent", &incident), -ENOENT);
	assert_int_equal(incident_open(manifest, &incident), -EBADMSG);
	assert_int_equal(incident_open(*state, &incident), -EBADMSG);
	assert_int_equal(symlink("x", path_of(link, "%s/incidents/link", (char *)*state)), 0);
	assert_int_equal(incident_open(link, &incident), -EBADMSG);
	assert_int_equal(unlink(link), 0);

	write_file(manifest, "{ \"format\": 3 }", 15);
	assert_int_equal(incident_open(path, &incident), -EPROTONOSUPPORT);
	write_file(manifest, "{ \"needs\": [\"reads\"] }", 22);
	assert_int_equal(incident_open(path, &incident), 0);
	assert_null(incident_close(incident));
	write_file(manifest, "{ \"needs\": [\"reads\", \"wings\"] }", 31);
	assert_int_equal(incident_open(path, &incident), -EPROTONOSUPPORT);
	write_file(manifest, "{ \"needs\": [5] }", 16);
	assert_int_equal(incident_open(path, &incident), -EBADMSG);
	write_file(manifest, "{ \"format\": ", 12);
	assert_int_equal(incident_open(path, &incident), -EBADMSG);
	write_file(manifest, with_nul, sizeof(with_nul));
	assert_int_equal(incident_open(path, &incident), -EBADMSG);
	assert_int_equal(truncate(manifest, (off_t)64 << 20), 0);
	assert_int_equal(incident_open(path, &incident), -EBADMSG);
	assert_int_equal(unlink(manifest), 0);
	assert_int_equal(incident_open(path, &incident), -EBADMSG);
	assert_int_equal(mkfifo(manifest, 0600), 0);
	assert_int_equal(incident_open(path, &incident), -EBADMSG);	/* and doesn't hang */
	assert_int_equal(incident_list(*state, &ids, &n), 0);
	assert_int_equal(n, 0);
	assert_null(incident_free_ids(ids, n));
	assert_null(incident_close(NULL));
	assert_null(chunk_reader_close(NULL));
}

static void reading(void **state)
{
	struct incident *incident = open_x(state);
	struct chunk_reader *reader, *other;
	struct chunk_view view;
	uint64_t end;
	int fd;

	for (uint64_t event = 0; event < 9; event++) {
		assert_int_equal(read_log(incident, 1, event, &end), INCIDENT_END);
		assert_int_equal(end, 9);
	}
	assert_int_equal(read_log(incident, 1, 9, &end), -ENOENT);
	assert_int_equal(read_log(incident, 2, 0, &end), -ENOENT);
	assert_int_equal(read_snapshot(incident, 1, 0, 2), INCIDENT_END);
	assert_int_equal(read_snapshot(incident, 1, 1, 2), -ENOENT);
	assert_int_equal(incident_read_final(incident, 2, &reader), -ENOENT);
	assert_int_equal(incident_open_file(incident, "0123456789abcdef0123456789abcdef", &fd),
			 -ENOENT);
	assert_int_equal(incident_open_file(incident, "../incident.json", &fd), -EINVAL);

	/* Two streams at once. */
	assert_int_equal(incident_read_log(incident, 1, 0, &reader), 0);
	assert_int_equal(incident_read_log(incident, 1, 4, &other), 0);
	assert_int_equal(chunk_reader_next(reader, &view), 0);
	assert_int_equal(view.first_event, 0);
	assert_int_equal(chunk_reader_next(other, &view), 0);
	assert_int_equal(view.first_event, 4);
	assert_int_equal(chunk_reader_next(reader, &view), 0);
	assert_int_equal(view.first_event, 1);
	assert_null(chunk_reader_close(reader));
	assert_null(chunk_reader_close(other));
	assert_null(incident_close(incident));
}

/* The last log, torn at each byte: what is in front of the tear comes, nothing else does. */
static void torn_tails(void **state)
{
	struct incident *incident = open_x(state);
	autoclean(freep) uint8_t *whole = NULL;
	uint64_t end, last_end = 6;
	char path[PATH_SIZE];
	unsigned n_ends = 0;
	size_t len;

	whole = read_whole_file(x_path(path, state, "1/log.0000000000000006"), &len);
	for (size_t cut = 0; cut <= len; cut++) {
		int r;

		write_file(path, whole, cut);
		r = read_log(incident, 1, 0, &end);
		if (r == INCIDENT_END) {
			assert_int_equal(end, 6 + n_ends);	/* torn between two chunks */
			n_ends++;
			last_end = end;
		} else {
			assert_int_equal(r, INCIDENT_DAMAGED);
			assert_int_equal(end, last_end);
		}
	}
	assert_int_equal(n_ends, 4);
	assert_null(incident_close(incident));
}

static void flipped_bits(void **state)
{
	static const char *const names[] = { "1/log.0000000000000003", "1/snap.0000000000000000",
					     "1/final" };
	struct incident *incident = open_x(state);
	char path[PATH_SIZE];

	for (size_t i = 0; i < N(names); i++) {
		autoclean(freep) uint8_t *file = NULL;
		struct chunk_reader *reader;
		struct chunk_view view;
		uint64_t end;
		size_t len;

		file = read_whole_file(x_path(path, state, names[i]), &len);
		for (size_t bit = 0; bit < len * 8; bit++) {
			int r;

			file[bit / 8] ^= (uint8_t)(1 << bit % 8);
			write_file(path, file, len);
			file[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (i == 0) {
				assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_DAMAGED);
				assert_in_range(end, 3, 5);
			} else if (i == 1) {
				r = read_snapshot(incident, 1, 0, 2);
				assert_int_equal(r, INCIDENT_DAMAGED);
			} else {
				assert_int_equal(incident_read_final(incident, 1, &reader), 0);
				while ((r = chunk_reader_next(reader, &view)) == 0)
					assert_memory_equal(view.data, "final", 5);
				assert_int_equal(r, INCIDENT_DAMAGED);
				assert_null(chunk_reader_close(reader));
			}
		}
		write_file(path, file, len);
	}
	assert_null(incident_close(incident));
}

/* Sound files in the wrong place. */
static void swapped_files(void **state)
{
	struct incident *incident = open_x(state);
	char a[PATH_SIZE], b[PATH_SIZE], c[PATH_SIZE];
	uint64_t *events, end;
	size_t n;

	(void) x_path(a, state, "1/log.0000000000000000");
	(void) x_path(b, state, "1/log.0000000000000003");
	(void) x_path(c, state, "1/log.0000000000000006");
	assert_int_equal(rename(b, x_path(a, state, "1/away")), 0);
	assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_DAMAGED);	/* one is missing */
	assert_int_equal(end, 3);
	assert_int_equal(read_log(incident, 1, 6, &end), INCIDENT_END);
	assert_int_equal(read_log(incident, 1, 4, &end), INCIDENT_DAMAGED);
	assert_int_equal(end, 0);

	assert_int_equal(rename(c, b), 0);		/* its name says 3, its chunks 6 */
	assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_DAMAGED);
	assert_int_equal(end, 3);
	assert_int_equal(rename(b, x_path(c, state, "1/snap.0000000000000003")), 0);
	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_int_equal(n, 1);				/* a log is no snapshot */
	free(events);
	assert_int_equal(read_snapshot(incident, 1, 3, 2), INCIDENT_DAMAGED);

	/* Of another domain. */
	assert_int_equal(rename(x_path(a, state, "1"), x_path(b, state, "2")), 0);
	assert_int_equal(read_log(incident, 2, 0, &end), INCIDENT_DAMAGED);
	assert_int_equal(read_snapshot(incident, 2, 0, 2), INCIDENT_DAMAGED);
	assert_int_equal(incident_snapshots(incident, 2, &events, &n), 0);
	assert_int_equal(n, 0);
	free(events);
	assert_null(incident_close(incident));
}

static void snapshots_without_end(void **state)
{
	struct incident *incident = open_x(state);
	uint64_t *events;
	char path[PATH_SIZE];
	struct stat st;
	size_t n;

	assert_int_equal(stat(x_path(path, state, "1/snap.0000000000000000"), &st), 0);
	assert_int_equal(truncate(path, st.st_size - (off_t)sizeof(struct chunk)), 0);
	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_int_equal(n, 0);
	free(events);
	assert_int_equal(read_snapshot(incident, 1, 0, 2), INCIDENT_DAMAGED);
	assert_int_equal(truncate(path, 10), 0);
	assert_int_equal(incident_snapshots(incident, 1, &events, &n), 0);
	assert_int_equal(n, 0);
	free(events);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(read_snapshot(incident, 1, 0, 2), INCIDENT_DAMAGED);
	assert_null(incident_close(incident));
}

/* Sound chunks, but one of them is not there, or twice. */
static void missing_chunk(void **state)
{
	enum { HEAD_LEN = sizeof(struct chunk) + 8 };	/* as stored: "head", padded */
	struct incident *incident = open_x(state);
	autoclean(freep) uint8_t *whole = NULL;
	autoclean(freep) uint8_t *twice = NULL;
	char path[PATH_SIZE];
	size_t len;

	whole = read_whole_file(x_path(path, state, "1/snap.0000000000000000"), &len);
	write_file(path, whole + HEAD_LEN, len - HEAD_LEN);
	assert_int_equal(read_snapshot(incident, 1, 0, 2), INCIDENT_DAMAGED);
	twice = malloc(len + HEAD_LEN);
	memcpy(twice, whole, HEAD_LEN);
	memcpy(twice + HEAD_LEN, whole, len);
	write_file(path, twice, len + HEAD_LEN);
	assert_int_equal(read_snapshot(incident, 1, 0, 2), INCIDENT_DAMAGED);
	assert_null(incident_close(incident));
}

/* Links lead nowhere, not even to good files. */
static void links(void **state)
{
	struct incident *incident = open_x(state);
	char path[PATH_SIZE], target[PATH_SIZE];
	uint64_t end;

	assert_int_equal(rename(x_path(path, state, "1/log.0000000000000003"),
				x_path(target, state, "1/target")),
			 0);
	assert_int_equal(symlink("target", path), 0);
	assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_DAMAGED);
	assert_int_equal(end, 3);
	assert_int_equal(symlink("1", x_path(path, state, "2")), 0);
	assert_true(read_log(incident, 2, 0, &end) < 0);
	assert_null(incident_close(incident));
}

static void damaged_mapped_file(void **state)
{
	struct incident *incident = open_x(state);
	autoclean(freep) uint8_t *whole = NULL;
	char path[PATH_SIZE], command[PATH_SIZE + 64];
	char name[64] = "";
	size_t len;
	FILE *ls;
	int fd;

	(void) snprintf(command, sizeof(command), "ls '%s'", x_path(path, state, "files"));
	ls = popen(command, "re");
	assert_non_null(ls);
	assert_int_equal(fscanf(ls, "%63s", name), 1);
	assert_int_equal(pclose(ls), 0);
	assert_int_equal(incident_open_file(incident, name, &fd), 0);
	(void) close(fd);

	(void) path_of(path, "%s/incidents/x/files/%s", (char *)*state, name);
	whole = read_whole_file(path, &len);
	whole[len / 2] ^= 1;
	write_file(path, whole, len);
	assert_int_equal(incident_open_file(incident, name, &fd), -EBADMSG);
	write_file(path, whole, 0);	/* sound, but of another content */
	assert_int_equal(incident_open_file(incident, name, &fd), -EBADMSG);
	assert_null(incident_close(incident));
}

#define ON_X(test) cmocka_unit_test_setup_teardown(test, setup, teardown_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_X(not_incidents),
		ON_X(reading),
		ON_X(torn_tails),
		ON_X(flipped_bits),
		ON_X(swapped_files),
		ON_X(snapshots_without_end),
		ON_X(missing_chunk),
		ON_X(links),
		ON_X(damaged_mapped_file),
	};

	return cmocka_run_group_tests_name("incident", tests, NULL, NULL);
}
