/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/test-store-util.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/format.h"

char *make_tmp_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	char *dir;

	assert_true(asprintf(&dir, "%s/blackbox-test-XXXXXX", tmp ? tmp : "/tmp") > 0);
	assert_non_null(mkdtemp(dir));
	return dir;
}

/* Not the store's own code: that is what is being tested. */
static FTS *walk_begin(const char *dir)
{
	char *paths[] = { (char *)dir, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

	assert_non_null(fts);
	return fts;
}

void remove_tmp_dir(char *dir)
{
	FTS *fts = walk_begin(dir);
	FTSENT *entry;

	while ((entry = fts_read(fts)))
		if (entry->fts_info != FTS_D)
			(void) remove(entry->fts_accpath);
	(void) fts_close(fts);
	free(dir);
}

int setup_dir(void **state)
{
	*state = make_tmp_dir();
	return 0;
}

int teardown_dir(void **state)
{
	remove_tmp_dir(*state);
	return 0;
}

static void skipped(void **state)
{
	(void) state;
}

struct CMUnitTest unless(const char *reason, struct CMUnitTest test)
{
	struct CMUnitTest instead = { .test_func = skipped };
	char *name;

	if (!reason || asprintf(&name, "%s # SKIP %s", test.name, reason) < 0)
		return test;
	instead.name = name;	/* lives as long as the program */
	return instead;
}

const char *cannot_mount(void)
{
	const char *reason = NULL;
	char *dir;

	if (geteuid() != 0)
		return "mounting a file system needs root";
	dir = make_tmp_dir();
	if (mount("tmpfs", dir, "tmpfs", 0, "size=16k") < 0)
		reason = "no file system can be mounted here";
	else
		assert_int_equal(umount(dir), 0);
	remove_tmp_dir(dir);
	return reason;
}

enum tests_extent tests_extent(void)
{
	const char *wanted = getenv("STORE_TESTS");

	if (wanted && strcmp(wanted, "all") == 0)
		return TESTS_ALL;
#if defined(__SANITIZE_ADDRESS__)
	return TESTS_SANITIZED;
#else
	return TESTS_USUAL;
#endif
}

const char *path_of(char *buffer, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buffer, PATH_SIZE, format, args);
	va_end(args);
	assert_in_range(n, 1, PATH_SIZE - 1);
	return buffer;
}

static size_t guarded_size(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page + page;
}

void *guarded_alloc(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = guarded_size(len);
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(area, MAP_FAILED);
	assert_int_equal(mprotect(area + size - page, page, PROT_NONE), 0);
	return area + size - page - len;
}

void guarded_free(void *area, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = guarded_size(len);

	assert_int_equal(munmap((char *)area + len + page - size, size), 0);
}

void fill(void *area, size_t len, uint64_t seed, size_t repeat)
{
	uint8_t *bytes = area;
	uint64_t x = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);

	if (repeat < 1)
		repeat = 1;
	for (size_t i = 0; i < len; i += repeat) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memset(bytes + i, (uint8_t)(x >> 32), len - i < repeat ? len - i : repeat);
	}
}

static bool seen_before(ino_t ino, ino_t **inodes, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if ((*inodes)[i] == ino)
			return true;
	*inodes = reallocarray(*inodes, *n + 1, sizeof(**inodes));
	assert_non_null(*inodes);
	(*inodes)[(*n)++] = ino;
	return false;
}

uint64_t disk_usage(const char *dir)
{
	FTS *fts = walk_begin(dir);
	ino_t *inodes = NULL;
	uint64_t bytes = 0;
	FTSENT *entry;
	size_t n = 0;

	while ((entry = fts_read(fts))) {
		const struct stat *st = entry->fts_statp;
		uint64_t blocks;

		if (entry->fts_info != FTS_D && entry->fts_info != FTS_F)
			continue;
		blocks = (uint64_t)st->st_blocks * 512;
		if (entry->fts_info == FTS_D)
			bytes += blocks > 4096 ? blocks : 4096;
		else if (st->st_nlink == 1 || !seen_before(st->st_ino, &inodes, &n))
			bytes += blocks > (uint64_t)st->st_size ? blocks : (uint64_t)st->st_size;
	}
	(void) fts_close(fts);
	free(inodes);
	return bytes;
}

unsigned count_files(const char *dir)
{
	FTS *fts = walk_begin(dir);
	FTSENT *entry;
	unsigned n = 0;

	while ((entry = fts_read(fts)))
		n += entry->fts_info == FTS_F || entry->fts_info == FTS_SL;
	(void) fts_close(fts);
	return n;
}

bool exists(const char *format, ...)
{
	char path[PATH_SIZE];
	struct stat st;
	va_list args;

	va_start(args, format);
	assert_in_range(vsnprintf(path, sizeof(path), format, args), 1, sizeof(path) - 1);
	va_end(args);
	return lstat(path, &st) == 0;
}

void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(close(fd), 0);
}

void *read_whole_file(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *data;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	assert_int_equal(close(fd), 0);
	*ret_len = (size_t)st.st_size;
	return data;
}

void copy_tree(const char *from, const char *to)
{
	char *roots[] = { (char *)from, NULL }, path[PATH_SIZE];
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	while ((entry = fts_read(fts))) {
		autoclean(freep) void *bytes = NULL;
		size_t len;

		(void) path_of(path, "%s%s", to, entry->fts_path + strlen(from));
		if (entry->fts_info == FTS_D)
			assert_int_equal(mkdir(path, 0700), 0);
		if (entry->fts_info != FTS_F)
			continue;
		bytes = read_whole_file(entry->fts_path, &len);
		write_file(path, bytes, len);
	}
	(void) fts_close(fts);
}

bool is_private(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return (st.st_mode & 07777) == (S_ISDIR(st.st_mode) ? 0700 : 0600);
}

struct store_limits limits_of(uint64_t max_bytes, uint64_t window_ns, unsigned incidents_percent)
{
	return (struct store_limits){ max_bytes, window_ns, incidents_percent };
}

/* Half of it shrinks. */
static void fill_run(uint8_t *data, size_t len, uint32_t domain, uint64_t event)
{
	fill(data, len / 2, event * 1000 + domain, 1);
	fill(data + len / 2, len - len / 2, event * 1000 + domain, 64);
}

int append(struct store *store, uint32_t domain, uint64_t first, uint32_t n, uint64_t first_ns,
	   size_t len)
{
	autoclean(freep) uint8_t *data = malloc(len + 1);
	struct log_run run = {
		.first_event = first,
		.n_events = n,
		.first_ns = first_ns,
		.last_ns = first_ns + n - 1,
		.data = data,
		.len = len,
	};

	assert_non_null(data);
	fill_run(data, len, domain, first);
	return store_log_append(store, domain, &run);
}

void check_run(uint32_t domain, const struct chunk_view *view)
{
	autoclean(freep) uint8_t *data = malloc(view->len + 1);

	assert_non_null(data);
	fill_run(data, view->len, domain, view->first_event);
	assert_int_equal(view->kind, CHUNK_LOG);
	assert_int_equal(view->last_ns, view->first_ns + view->n_events - 1);
	assert_memory_equal(view->data, data, view->len);
}

int snapshot(struct store *store, uint32_t domain, uint64_t event, uint64_t mono_ns,
	     unsigned n_chunks, size_t len)
{
	autoclean(freep) uint8_t *data = malloc(len + 1);
	struct snapshot_writer *writer;
	int r;

	assert_non_null(data);
	r = store_snapshot_begin(store, domain, event, mono_ns, &writer);
	if (r)
		return r;
	r = snapshot_writer_add(writer, CHUNK_SNAPSHOT_HEAD, "head", 4);
	for (unsigned i = 0; r == 0 && i < n_chunks; i++) {
		fill_run(data, len, domain, event + i);
		r = snapshot_writer_add(writer, CHUNK_SNAPSHOT_PAGES, data, len);
	}
	if (r) {
		assert_null(snapshot_writer_abort(writer));
		return r;
	}
	return snapshot_writer_commit(writer);
}

#define PAGES_KEY UINT64_C(0x10000)

static void fill_page(uint8_t bytes[static SNAPSHOT_PAGE], uint32_t domain, uint64_t event, unsigned i)
{
	fill(bytes, SNAPSHOT_PAGE, (i % 2 ? event * 1000 : 0) + domain * 100 + i, 64);
}

static int give_page(struct snapshot_writer *writer, uint32_t domain, uint64_t event, unsigned i)
{
	uint64_t key = PAGES_KEY + i * SNAPSHOT_PAGE;
	uint8_t bytes[SNAPSHOT_PAGE];
	int r = STORE_PAGE_UNKNOWN;

	if (i == 0)
		return snapshot_writer_page(writer, key | SNAPSHOT_ZERO, NULL);
	if (i % 2 == 0)
		r = snapshot_writer_keep(writer, key);
	if (r != STORE_PAGE_UNKNOWN && r != STORE_PAGE_CHANGES)
		return r;
	fill_page(bytes, domain, event, i);
	return snapshot_writer_page(writer, key, bytes);
}

int pages_snapshot(struct store *store, uint32_t domain, uint64_t event, uint64_t mono_ns,
		   unsigned n_pages)
{
	struct snapshot_writer *writer;
	int r;

	r = store_snapshot_begin(store, domain, event, mono_ns, &writer);
	if (r)
		return r;
	r = snapshot_writer_add(writer, CHUNK_SNAPSHOT_HEAD, "head", 4);
	for (unsigned i = 0; r == 0 && i < n_pages; i++)
		r = give_page(writer, domain, event, i);
	if (r) {
		assert_null(snapshot_writer_abort(writer));
		return r;
	}
	return snapshot_writer_commit(writer);
}

int freeze(struct store *store, const char *id)
{
	struct freeze *freeze;
	int r;

	r = store_freeze_begin(store, id, &freeze);
	return r ? r : freeze_commit(freeze, "{}");
}

int read_log(struct incident *incident, uint32_t domain, uint64_t event, uint64_t *ret_end)
{
	struct chunk_reader *reader;
	struct chunk_view view;
	uint64_t end = 0;
	int r;

	r = incident_read_log(incident, domain, event, &reader);
	if (r)
		return r;
	while ((r = chunk_reader_next(reader, &view)) == 0) {
		if (end == 0)
			assert_true(view.first_event <= event &&
				    event < view.first_event + view.n_events);
		else
			assert_int_equal(view.first_event, end);
		check_run(domain, &view);
		end = view.first_event + view.n_events;
	}
	assert_int_equal(chunk_reader_next(reader, &view), r);	/* and so it stays */
	assert_null(chunk_reader_close(reader));
	*ret_end = end;
	return r;
}

int read_snapshot(struct incident *incident, uint32_t domain, uint64_t event, unsigned n_chunks)
{
	struct chunk_reader *reader;
	struct chunk_view view;
	unsigned i = 0;
	int r;

	r = incident_read_snapshot(incident, domain, event, &reader);
	if (r)
		return r;
	for (; (r = chunk_reader_next(reader, &view)) == 0; i++) {
		autoclean(freep) uint8_t *data = malloc(view.len + 1);

		assert_int_equal(view.first_event, event);
		assert_int_equal(view.kind, i ? CHUNK_SNAPSHOT_PAGES : CHUNK_SNAPSHOT_HEAD);
		if (i == 0) {
			assert_memory_equal(view.data, "head", 4);
			continue;
		}
		fill_run(data, view.len, domain, event + i - 1);
		assert_memory_equal(view.data, data, view.len);
	}
	if (r == INCIDENT_END)
		assert_int_equal(i, n_chunks + 1);
	assert_null(chunk_reader_close(reader));
	return r;
}

static unsigned check_pages(const struct chunk_view *view, uint32_t domain, uint64_t event, bool *seen,
			    unsigned n_pages)
{
	const struct snapshot_pages *head = view->data;
	const le64 *keys = (const le64 *)(head + 1);
	unsigned n = le32_get(head->n_pages);
	const uint8_t *bytes = (const uint8_t *)(keys + n);

	assert_int_equal(view->kind, CHUNK_SNAPSHOT_PAGES);
	for (unsigned i = 0; i < n; i++) {
		uint64_t key = le64_get(keys[i]);
		uint64_t page = (key - PAGES_KEY) / SNAPSHOT_PAGE;
		uint8_t expected[SNAPSHOT_PAGE];

		assert_in_range(page, 0, n_pages - 1);
		assert_false(seen[page]);
		seen[page] = true;
		assert_int_equal(key % SNAPSHOT_PAGE, page == 0 ? SNAPSHOT_ZERO : 0);
		if (page == 0)
			continue;
		fill_page(expected, domain, event, (unsigned)page);
		assert_memory_equal(bytes, expected, SNAPSHOT_PAGE);
		bytes += SNAPSHOT_PAGE;
	}
	assert_ptr_equal(bytes, (const uint8_t *)view->data + view->len);
	return n;
}

int read_pages_snapshot(struct incident *incident, uint32_t domain, uint64_t event, unsigned n_pages)
{
	autoclean(freep) bool *seen = calloc(n_pages, sizeof(*seen));
	struct chunk_reader *reader;
	struct chunk_view view;
	unsigned n = 0;
	int r;

	r = incident_read_snapshot(incident, domain, event, &reader);
	if (r)
		return r;
	r = chunk_reader_next(reader, &view);
	if (r == 0)
		assert_memory_equal(view.data, "head", 4);
	while (r == 0 && (r = chunk_reader_next(reader, &view)) == 0) {
		assert_int_equal(view.first_event, event);
		n += check_pages(&view, domain, event, seen, n_pages);
	}
	if (r == INCIDENT_END)
		assert_int_equal(n, n_pages);
	assert_null(chunk_reader_close(reader));
	return r;
}

struct incident *open_incident(const char *store_dir, const char *id)
{
	struct incident *incident;
	char path[PATH_SIZE];

	assert_int_equal(incident_open(path_of(path, "%s/incidents/%s", store_dir, id), &incident),
			 0);
	return incident;
}
