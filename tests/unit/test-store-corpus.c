/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of each version of the format, which every later one must read: tests/corpus/VERSION
 * has a store whose writer was killed, with an incident, and a dump of that. When the version
 * is raised, `test-store-corpus --write tests/corpus/VERSION' adds that of the new one, and the
 * old one stays as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "ringstore/verify.h"
#include "tests/unit/test-store-util.h"

static const char *const versions[] = { "1", "2" };

static const char manifest[] =
	"{ \"format\": %d, \"id\": \"x\", \"domains\": [ { \"domain\": 1, \"pid\": 11, \"end_event\": 12, "
	"\"end\": \"death\", \"final\": true } ], \"notes\": [], "
	"\"files\": [ { \"path\": \"/a\", \"hash\": \"%s\" } ] }";

enum { N_PAGES = 5 };

static const struct store_limits limits = { 2 << 20, UINT64_MAX, 50, 0 };

/* -- writing ------------------------------------------------------------------------------------ */

static void write_corpus(const char *dir)
{
	autoclean(closep) int fd = memfd_create("mapped", MFD_CLOEXEC);
	char path[PATH_SIZE], text[512], hash[33];
	struct incident *incident;
	struct store *store;
	struct freeze *begun;

	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(store_open(path_of(path, "%s/store", dir), &limits, &store), 0);
	assert_int_equal(store_add_about(store, "{\"service\":\"s\"}"), 0);
	assert_int_equal(store_set_about(store, 1, "{\"domain\":1}"), 0);
	for (unsigned event = 0; event < 12; event += 2) {
		if (event % 4 == 0) {
			assert_int_equal(store_log_cut(store, 1), 0);
			assert_int_equal(pages_snapshot(store, 1, event, event, N_PAGES), 0);
		}
		assert_int_equal(append(store, 1, event, 2, event, 200), 0);
	}
	assert_int_equal(store_freeze_begin(store, "x", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 1, "final", 5), 0);
	assert_int_equal(write(fd, "mapped", 6), 6);
	assert_int_equal(freeze_add_file(begun, fd, hash), 0);
	(void) snprintf(text, sizeof(text), manifest, STORE_FORMAT_VERSION, hash);
	assert_int_equal(freeze_commit(begun, text), 0);
	assert_int_equal(append(store, 1, 12, 2, 12, 200), 0);
	assert_null(store_close(store));
	incident = open_incident(path, "x");
	assert_int_equal(incident_dump(incident, path_of(path, "%s/dump", dir), 0, NULL, NULL), 0);
	assert_null(incident_close(incident));
}

/* -- reading -------------------------------------------------------------------------------------- */

static char *corpus(const char *version)
{
	const char *top = getenv("top_srcdir");
	char *path;

	assert_true(asprintf(&path, "%s/tests/corpus/%s", top ? top : ".", version) > 0);
	return path;
}

static void check_sound(const char *path)
{
	struct verify verify = { 0 };

	assert_int_equal(verify_path(path, &verify), 0);
	assert_int_equal(verify.n_faults, 0);
}

/* The first version had pages in the snapshots' files. */
static void check_snapshots(struct incident *incident, const char *version)
{
	for (uint64_t event = 0; event < 12; event += 4)
		assert_int_equal(strcmp(version, "1") == 0 ? read_snapshot(incident, 1, event, 1) :
							     read_pages_snapshot(incident, 1, event, N_PAGES),
				 INCIDENT_END);
}

static void check_incident(struct incident *incident, const char *version)
{
	static const char before_hash[] = "\"hash\": \"";
	const char *found = strstr(incident_manifest(incident), before_hash);
	char text[512], hash[33], content[8];
	struct chunk_reader *reader;
	struct chunk_view view;
	uint64_t end;
	int fd;

	assert_non_null(found);
	(void) snprintf(hash, sizeof(hash), "%.32s", found + strlen(before_hash));
	(void) snprintf(text, sizeof(text), manifest, atoi(version), hash);
	assert_string_equal(incident_manifest(incident), text);
	assert_int_equal(incident_open_file(incident, hash, &fd), 0);
	assert_int_equal(read(fd, content, sizeof(content)), 6);
	assert_memory_equal(content, "mapped", 6);
	(void) close(fd);
	check_snapshots(incident, version);
	assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_END);
	assert_int_equal(end, 12);
	assert_int_equal(incident_read_final(incident, 1, &reader), 0);
	assert_int_equal(chunk_reader_next(reader, &view), 0);
	assert_memory_equal(view.data, "final", 5);
	assert_int_equal(chunk_reader_next(reader, &view), INCIDENT_END);
	assert_null(chunk_reader_close(reader));
}

/* As today's writer finds it. */
static void check_store(const char *dir, const char *version)
{
	struct incident *incident;
	struct freeze *begun;
	struct store *store;
	uint64_t end;
	char **texts;
	char *text;
	size_t n;

	check_sound(dir);
	incident = open_incident(dir, "x");
	check_incident(incident, version);
	assert_null(incident_close(incident));
	assert_int_equal(store_read_about(dir, &texts, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(texts[0], "{\"service\":\"s\"}");
	(void) incident_free_ids(texts, n);

	assert_int_equal(store_open(dir, &limits, &store), 0);
	assert_int_equal(store_freeze_begin(store, "left", &begun), 0);
	assert_int_equal(freeze_read_about(begun, 1, &text), 0);
	assert_string_equal(text, "{\"domain\":1}");
	free(text);
	assert_int_equal(freeze_commit(begun, "{}"), 0);
	assert_null(store_close(store));
	incident = open_incident(dir, "left");
	check_snapshots(incident, version);
	assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_END);
	assert_int_equal(end, 14);
	assert_null(incident_close(incident));
	check_sound(dir);
}

static void old_versions(void **state)
{
	for (size_t i = 0; i < N(versions); i++) {
		autoclean(freep) char *source = corpus(versions[i]);
		char copy[PATH_SIZE], dump[PATH_SIZE];
		struct incident *incident;

		copy_tree(source, path_of(copy, "%s/%s", (char *)*state, versions[i]));
		check_sound(path_of(dump, "%s/dump", copy));
		assert_int_equal(incident_open_dump(dump, *state, &incident), 0);
		assert_string_equal(incident_id(incident), "x");
		check_incident(incident, versions[i]);
		assert_null(incident_close(incident));
		check_store(path_of(dump, "%s/store", copy), versions[i]);
	}
}

static void today_is_there(void **state)
{
	(void) state;
	assert_int_equal(atoi(versions[N(versions) - 1]), STORE_FORMAT_VERSION);
}

/* -- tomorrow's ------------------------------------------------------------------------------------- */

/* Changes the first chunk of a log, and seals it again. */
static void change_chunk(const char *path, unsigned version, unsigned kind, unsigned flags)
{
	autoclean(freep) uint8_t *bytes = NULL;
	struct chunk *chunk;
	size_t len;

	bytes = read_whole_file(path, &len);
	chunk = (struct chunk *)bytes;
	chunk->version = le16_of((uint16_t)version);
	chunk->kind = le16_of((uint16_t)kind);
	chunk->flags = le16_of((uint16_t)(le16_get(chunk->flags) | flags));
	chunk->xxh3 = le64_of(0);
	chunk->xxh3 = le64_of(XXH3_64bits(chunk, sizeof(*chunk) + (le32_get(chunk->stored_len) + 7) / 8 * 8));
	write_file(path, bytes, len);
}

static int read_first(struct incident *incident)
{
	struct chunk_reader *reader;
	struct chunk_view view;
	int r = incident_read_log(incident, 1, 0, &reader);

	if (r < 0)
		return r;
	r = chunk_reader_next(reader, &view);
	assert_null(chunk_reader_close(reader));
	return r;
}

static const char *told;

static void on_fault(const char *path, uint64_t offset, const char *what, void *userdata)
{
	(void) path;
	(void) offset;
	(void) userdata;
	told = strdup(what);
}

static void newer_version(void **state)
{
	static const struct {
		unsigned version, kind, flags;
		int result;
	} rows[] = {
		{ STORE_FORMAT_VERSION + 1, CHUNK_LOG, 0, -EPROTONOSUPPORT },
		{ STORE_FORMAT_VERSION, CHUNK_LOG, 1 << 15, -EPROTONOSUPPORT },
		{ STORE_FORMAT_VERSION, CHUNK_MAY_SKIP - 1, 0, -EPROTONOSUPPORT },
		{ STORE_FORMAT_VERSION, CHUNK_MAY_SKIP + 99, 0, 0 },
	};
	autoclean(freep) char *source = corpus(versions[N(versions) - 1]);

	for (size_t i = 0; i < N(rows); i++) {
		struct verify verify = { .fault = on_fault };
		char copy[PATH_SIZE], path[PATH_SIZE];
		struct incident *incident;

		copy_tree(source, path_of(copy, "%s/newer%u", (char *)*state, (unsigned)i));
		(void) path_of(path, "%s/store/incidents/x/1/log.0000000000000000", copy);
		change_chunk(path, rows[i].version, rows[i].kind, rows[i].flags);
		assert_int_equal(incident_open(path_of(path, "%s/store/incidents/x", copy), &incident), 0);
		assert_int_equal(read_first(incident), rows[i].result);
		assert_null(incident_close(incident));
		assert_int_equal(verify_path(path, &verify), 0);
		assert_int_equal(verify.n_faults, rows[i].result < 0);
		if (rows[i].result < 0)
			assert_string_equal(told, "a newer version of blackbox wrote it");
		free((char *)told);
		told = NULL;
	}
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup_dir, teardown_dir)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(old_versions),
		cmocka_unit_test(today_is_there),
		IN_DIR(newer_version),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0) {
		write_corpus(argv[2]);
		return 0;
	}
	return cmocka_run_group_tests_name("store-corpus", tests, NULL, NULL);
}
