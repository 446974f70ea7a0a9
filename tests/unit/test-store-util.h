/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-store-util - what the tests of the store share
 *
 * Everything that fails fails the test (cmocka); nothing returns an error.
 */
#pragma once

/* cmocka.h wants these in front of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ringstore/incident.h"
#include "ringstore/store.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

#define PATH_SIZE 512

/* A directory of the test's own below $TMPDIR; remove_tmp_dir() also frees the name. */
char *make_tmp_dir(void);
void remove_tmp_dir(char *dir);

/* cmocka setup and teardown: *state is such a directory. */
int setup_dir(void **state);
int teardown_dir(void **state);

/*
 * @test, or if there is a @reason (not NULL) one in its place that is reported as
 * skipped for it. For the array in main(): skip() of cmocka 1.1 is a failure in TAP.
 */
struct CMUnitTest unless(const char *reason, struct CMUnitTest test);

/* Why no file system can be mounted here, or NULL. */
const char *cannot_mount(void);

/*
 * How many times as much is to be tried as in a run of all tests: tests/suites/store sets
 * STORE_TESTS. With sanitizers everything takes longer, and less is tried.
 */
enum tests_extent { TESTS_SANITIZED, TESTS_USUAL, TESTS_ALL };
enum tests_extent tests_extent(void);

/* snprintf() into a buffer of PATH_SIZE, which it returns. */
const char *path_of(char *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An area of @len bytes in front of a page that can't be touched. */
void *guarded_alloc(size_t len);
void guarded_free(void *area, size_t len);

/*
 * Fills the area with bytes that depend on @seed only: zstd can't shrink them; or,
 * of each @repeat bytes (> 1), to about the first.
 */
void fill(void *area, size_t len, uint64_t seed, size_t repeat);

/* What du(1) says of the tree: each inode once, each directory at least a block. */
uint64_t disk_usage(const char *dir);

unsigned count_files(const char *dir);
bool exists(const char *format, ...) __attribute__((format(printf, 1, 2)));
void write_file(const char *path, const void *data, size_t len);
void *read_whole_file(const char *path, size_t *ret_len);

/* Files and directories below @from, as @to, which isn't there yet. */
void copy_tree(const char *from, const char *to);

/* True if @path was made 0600, or 0700 if it is a directory. */
bool is_private(const char *path);

/* How a test wants its store. */
struct store_limits limits_of(uint64_t max_bytes, uint64_t window_ns, unsigned incidents_percent);

/*
 * One run of @n events beginning at @first, at @first_ns to + @n - 1; @len bytes
 * that depend on the domain and the event.
 */
int append(struct store *store, uint32_t domain, uint64_t first, uint32_t n, uint64_t first_ns,
	   size_t len);

/* A whole snapshot of @n_chunks chunks of pages of @len bytes. */
int snapshot(struct store *store, uint32_t domain, uint64_t event, uint64_t mono_ns,
	     unsigned n_chunks, size_t len);

/*
 * A whole snapshot of @n_pages pages, each of its own: of zeroes, then one that is new with each
 * snapshot, one that never changes, and so on.
 */
int pages_snapshot(struct store *store, uint32_t domain, uint64_t event, uint64_t mono_ns,
		   unsigned n_pages);

/* begin and commit, nothing between. */
int freeze(struct store *store, const char *id);

/* Asserts that @view is what append() wrote. */
void check_run(uint32_t domain, const struct chunk_view *view);

/*
 * Reads the log of @domain from @event on, checks all that comes, and returns the
 * reader's last outcome; *ret_end is the number behind the last event.
 */
int read_log(struct incident *incident, uint32_t domain, uint64_t event, uint64_t *ret_end);

/* Reads a snapshot likewise; if the outcome is the end, all chunks must have come. */
int read_snapshot(struct incident *incident, uint32_t domain, uint64_t event, unsigned n_chunks);

int read_pages_snapshot(struct incident *incident, uint32_t domain, uint64_t event, unsigned n_pages);

/* Opens <store_dir>/incidents/<id>. */
struct incident *open_incident(const char *store_dir, const char *id);
