/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each bit of a small store, and of a small dump, is flipped in turn (or every few bits one): it
 * is detected, or what is read is what was written.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "ringstore/verify.h"
#include "tests/unit/store-seam.h"
#include "tests/unit/test-store-util.h"

static const char manifest[] = "{ \"format\": 1, \"id\": \"x\", \"domains\": [ { \"domain\": 1, \"end_event\": 4 } ] }";

enum { N_PAGES = 3 };

/* From one bit to the next: it hits each byte, or each of eight places in a byte. */
static const unsigned steps[] = { [TESTS_SANITIZED] = 11, [TESTS_USUAL] = 3, [TESTS_ALL] = 1 };

struct fixture {
	char *dir;
	char store[PATH_SIZE], incident[PATH_SIZE], dump[PATH_SIZE], hash[33];
};

static int setup(void **state)
{
	struct store_limits limits = limits_of(2 << 20, UINT64_MAX, 50);
	autoclean(closep) int fd = memfd_create("mapped", MFD_CLOEXEC);
	struct fixture *f = calloc(1, sizeof(*f));
	struct incident *incident;
	struct store *store;
	struct freeze *begun;

	f->dir = make_tmp_dir();
	(void) path_of(f->store, "%s/store", f->dir);
	(void) path_of(f->incident, "%s/store/incidents/x", f->dir);
	(void) path_of(f->dump, "%s/dump", f->dir);
	assert_int_equal(store_open(f->store, &limits, &store), 0);
	assert_int_equal(store_add_about(store, "{\"service\":\"s\"}"), 0);
	assert_int_equal(store_set_about(store, 1, "{\"domain\":1}"), 0);
	assert_int_equal(pages_snapshot(store, 1, 0, 0, N_PAGES), 0);
	assert_int_equal(append(store, 1, 0, 2, 0, 30), 0);
	assert_int_equal(store_log_cut(store, 1), 0);
	assert_int_equal(pages_snapshot(store, 1, 2, 2, N_PAGES), 0);
	assert_int_equal(append(store, 1, 2, 2, 2, 150), 0);
	assert_int_equal(store_freeze_begin(store, "x", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 1, "final", 5), 0);
	assert_int_equal(write(fd, "mapped", 6), 6);
	assert_int_equal(freeze_add_file(begun, fd, f->hash), 0);
	assert_int_equal(freeze_commit(begun, manifest), 0);
	assert_null(store_close(store));
	incident = open_incident(f->store, "x");
	assert_int_equal(incident_dump(incident, f->dump, 0, NULL, NULL), 0);
	assert_null(incident_close(incident));
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

/* All of it, as it was. A member that nobody knows may have come to the manifest. */
static void check_same(const struct fixture *f, struct incident *incident)
{
	struct chunk_reader *reader;
	struct chunk_view view;
	char content[16];
	uint64_t end;
	int fd;

	assert_non_null(strstr(incident_manifest(incident), manifest + 1));
	assert_int_equal(read_pages_snapshot(incident, 1, 0, N_PAGES), INCIDENT_END);
	assert_int_equal(read_pages_snapshot(incident, 1, 2, N_PAGES), INCIDENT_END);
	assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_END);
	assert_int_equal(end, 4);
	assert_int_equal(incident_read_final(incident, 1, &reader), 0);
	assert_int_equal(chunk_reader_next(reader, &view), 0);
	assert_int_equal(view.len, 5);
	assert_memory_equal(view.data, "final", 5);
	assert_int_equal(chunk_reader_next(reader, &view), INCIDENT_END);
	assert_null(chunk_reader_close(reader));
	assert_int_equal(incident_open_file(incident, f->hash, &fd), 0);
	assert_int_equal(read(fd, content, sizeof(content)), 6);
	assert_memory_equal(content, "mapped", 6);
	(void) close(fd);
}

/* False: something is wrong with it, and has been found. */
static bool is_sound(const char *path)
{
	struct verify verify = { 0 };

	assert_int_equal(verify_path(path, &verify), 0);
	return verify.n_faults == 0;
}

static void flip(uint8_t *bytes, size_t bit)
{
	bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void dump(void **state)
{
	struct fixture *f = *state;
	autoclean(freep) uint8_t *bytes = NULL;
	struct incident *incident;
	unsigned n_harmless = 0;
	size_t len;

	bytes = read_whole_file(f->dump, &len);
	for (size_t bit = 0; bit < len * 8; bit += steps[tests_extent()]) {
		int r;

		flip(bytes, bit);
		write_file(f->dump, bytes, len);
		flip(bytes, bit);
		r = incident_open_dump(f->dump, f->dir, &incident);
		if (r < 0)
			continue;
		if (is_sound(incident_path(incident))) {
			assert_string_equal(incident_id(incident), "x");
			check_same(f, incident);
			n_harmless++;
		}
		assert_null(incident_close(incident));
	}
	print_message("# %zu bits, %u of them harmless\n", len * 8, n_harmless);
}

/* What a next writer makes of what is live, and whether that can be read. */
static void recover(const struct fixture *f)
{
	char *copy = strdup(path_of((char[PATH_SIZE]){ 0 }, "%s/copy", f->dir));
	struct store_limits limits = limits_of(2 << 20, UINT64_MAX, 50);
	struct verify verify = { 0 };
	struct json_object *json = json_tokener_parse("{\"domains\":[{\"domain\":1}]}");
	struct freeze *begun;
	struct store *store;
	char **texts;
	size_t n;

	copy_tree(f->store, copy);
	assert_int_equal(store_read_about(copy, &texts, &n), 0);
	if (n)
		assert_string_equal(texts[0], "{\"service\":\"s\"}");
	(void) incident_free_ids(texts, n);
	assert_int_equal(store_open(copy, &limits, &store), 0);
	assert_int_equal(store_freeze_begin(store, "left", &begun), 0);
	assert_int_equal(repair_window(freeze_dir(begun), &verify, json), 0);
	(void) json_object_put(json);
	assert_null(freeze_abort(begun));
	assert_null(store_close(store));
	remove_tmp_dir(copy);
}

/* The bits of one file. */
static unsigned flip_file(const struct fixture *f, const char *path)
{
	autoclean(freep) uint8_t *bytes = NULL;
	unsigned n_harmless = 0;
	size_t len;

	bytes = read_whole_file(path, &len);
	for (size_t bit = 0; bit < len * 8; bit += steps[tests_extent()]) {
		flip(bytes, bit);
		write_file(path, bytes, len);
		if (is_sound(f->store)) {
			struct incident *incident = open_incident(f->store, "x");

			check_same(f, incident);
			assert_null(incident_close(incident));
			n_harmless++;
		}
		recover(f);
		flip(bytes, bit);
	}
	write_file(path, bytes, len);
	assert_true(is_sound(f->store));
	return n_harmless;
}

static bool is_live(const char *path)
{
	return strstr(path, "/live/");
}

static void store(void **state)
{
	struct fixture *f = *state;
	char *roots[] = { f->store, NULL }, *paths[32];
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	unsigned n = 0, n_bits = 0, n_harmless = 0;
	FTSENT *entry;

	while ((entry = fts_read(fts))) {
		if (entry->fts_info != FTS_F || (entry->fts_statp->st_nlink > 1 && is_live(entry->fts_path)))
			continue;	/* it is the incident's, too */
		assert_in_range(n, 0, N(paths) - 1);
		paths[n++] = strdup(entry->fts_path);
		n_bits += (unsigned)entry->fts_statp->st_size * 8;
	}
	(void) fts_close(fts);
	for (unsigned i = 0; i < n; i++) {
		n_harmless += flip_file(f, paths[i]);
		free(paths[i]);
	}
	print_message("# %u bits, %u of them harmless\n", n_bits, n_harmless);
}

#define SMALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SMALL(dump),
		SMALL(store),
	};

	seam.no_sync = true;
	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		(void) setenv("TMPDIR", "/dev/shm", 0);
	return cmocka_run_group_tests_name("store-flips", tests, NULL, NULL);
}
