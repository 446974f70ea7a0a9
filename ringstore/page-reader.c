/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/page-reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"
#include "ringstore/chunk.h"
#include "ringstore/names.h"
#include "ringstore/page-run.h"
#include "ringstore/tree.h"

enum { BATCH = 256 };		/* pages given out at once */

struct page_reader {
	int dir_fd;
	uint32_t domain;
	struct page_run *runs;	/* in the order of the files once is_sorted */
	size_t n, size;
	bool is_sorted;
	size_t next;		/* run, and how many of its pages have been given out */
	uint32_t done;

	struct chunk_decoder *decoder;
	struct chunk_source source;	/* the file of the run before */
	uint64_t file;
	const uint8_t *chunk;	/* its present chunk, and how many pages that has; NULL: none */
	uint64_t offset;
	size_t n_pages;

	uint8_t *out;
};

int page_reader_new(int dir_fd, uint32_t domain, struct page_reader **ret_reader)
{
	struct page_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->dir_fd = dir_fd;
	reader->domain = domain;
	reader->source.fd = -1;
	reader->out = malloc(sizeof(struct snapshot_pages) + BATCH * (sizeof(le64) + SNAPSHOT_PAGE));
	r = reader->out ? chunk_decoder_new(&reader->decoder) : -ENOMEM;
	if (r < 0) {
		(void) page_reader_free(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

struct page_reader *page_reader_free(struct page_reader *reader)
{
	if (!reader)
		return NULL;
	closep(&reader->source.fd);
	(void) chunk_decoder_free(reader->decoder);
	free(reader->runs);
	free(reader->out);
	free(reader);
	return NULL;
}

static bool is_zero(const struct page_run *run)
{
	return le64_get(run->key) & SNAPSHOT_ZERO;
}

int page_reader_add(struct page_reader *reader, const void *rows, size_t len)
{
	const struct page_run *row = rows;
	size_t n = len / sizeof(*row);
	struct page_run *runs, before = { .n_pages = le16_of(0) };

	if (len % sizeof(*row))
		return INCIDENT_DAMAGED;
	runs = reallocarray(reader->runs, reader->n + n + 1, sizeof(*runs));
	if (!runs)
		return -ENOMEM;
	reader->runs = runs;
	for (size_t i = 0; i < n; i++, row++) {
		before = runs[reader->n] = page_run_from(&before, row);
		if (le64_get(before.key) > UINT64_MAX - (uint64_t)UINT16_MAX * SNAPSHOT_PAGE)
			return INCIDENT_DAMAGED;
		reader->n++;
	}
	return 0;
}

/* Zeroes first: they are of no file. */
static int compare_runs(const void *a, const void *b)
{
	const struct page_run *x = a, *y = b;
	uint64_t i = is_zero(x) ? 0 : le64_get(x->file) + 1, j = is_zero(y) ? 0 : le64_get(y->file) + 1;

	if (i != j)
		return i < j ? -1 : 1;
	i = le32_get(x->offset);
	j = le32_get(y->offset);
	if (i != j)
		return i < j ? -1 : 1;
	return le64_get(x->key) < le64_get(y->key) ? -1 : le64_get(x->key) > le64_get(y->key);
}

static int open_file(struct page_reader *reader, uint64_t file)
{
	char name[NAME_EVENT_SIZE];
	uint64_t size;
	int fd, r;

	closep(&reader->source.fd);
	reader->source.fd = -1;
	reader->chunk = NULL;
	r = tree_open_file(reader->dir_fd, name_event(name, NAME_PAGES, file), &fd, &size);
	if (r < 0)
		return r == -EBADMSG || r == -ENOENT ? INCIDENT_DAMAGED : r;
	reader->source = (struct chunk_source){ .fd = fd, .size = size };
	reader->file = file;
	return 0;
}

static int read_chunk(struct page_reader *reader, uint64_t offset)
{
	struct chunk_info info;
	const void *data;
	size_t len;
	int r;

	reader->chunk = NULL;
	if (offset >= reader->source.size)
		return INCIDENT_DAMAGED;
	reader->source.offset = offset;
	r = chunk_decode(reader->decoder, &reader->source, &info, &data, &len);
	if (r)
		return r < 0 ? r : INCIDENT_DAMAGED;
	if (info.kind != CHUNK_PAGES || info.domain != reader->domain || info.first_event != reader->file ||
	    len != (uint64_t)info.n_events * SNAPSHOT_PAGE)
		return INCIDENT_DAMAGED;
	reader->chunk = data;
	reader->offset = offset;
	reader->n_pages = info.n_events;
	return 0;
}

/* Has the chunk of @run at hand, if it has one. */
static int go_to(struct page_reader *reader, const struct page_run *run)
{
	uint64_t file = le64_get(run->file), offset = le32_get(run->offset);
	int r = 0;

	if (is_zero(run))
		return 0;
	if (reader->source.fd < 0 || reader->file != file)
		r = open_file(reader, file);
	if (r == 0 && (!reader->chunk || reader->offset != offset))
		r = read_chunk(reader, offset);
	if (r)
		return r;
	return (size_t)le16_get(run->first) + le16_get(run->n_pages) > reader->n_pages ? INCIDENT_DAMAGED : 0;
}

/* The chunk that is left is a different one: what has been taken of it is given out first. */
static bool leaves_chunk(const struct page_reader *reader, const struct page_run *run)
{
	return !is_zero(run) && reader->chunk &&
	       (le64_get(run->file) != reader->file || le32_get(run->offset) != reader->offset);
}

int page_reader_next(struct page_reader *reader, struct chunk_view *ret_view)
{
	const uint8_t *bytes[BATCH];
	le64 keys[BATCH];
	struct snapshot_pages head;
	size_t n = 0;
	uint8_t *p;

	if (!reader->is_sorted && reader->n)
		qsort(reader->runs, reader->n, sizeof(*reader->runs), compare_runs);
	reader->is_sorted = true;
	while (n < BATCH && reader->next < reader->n) {
		const struct page_run *run = &reader->runs[reader->next];
		int r;

		if (n && leaves_chunk(reader, run))
			break;
		r = go_to(reader, run);
		if (r)
			return r;
		for (; n < BATCH && reader->done < le16_get(run->n_pages); n++, reader->done++) {
			size_t page = le16_get(run->first) + (size_t)reader->done;

			keys[n] = le64_of(le64_get(run->key) + (uint64_t)reader->done * SNAPSHOT_PAGE);
			bytes[n] = is_zero(run) ? NULL : reader->chunk + page * SNAPSHOT_PAGE;
		}
		if (reader->done == le16_get(run->n_pages)) {
			reader->next++;
			reader->done = 0;
		}
	}
	if (n == 0)
		return INCIDENT_END;
	head = (struct snapshot_pages){ .n_pages = le32_of((uint32_t)n) };
	p = mempcpy(reader->out, &head, sizeof(head));
	p = mempcpy(p, keys, n * sizeof(*keys));
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			p = mempcpy(p, bytes[i], SNAPSHOT_PAGE);
	*ret_view = (struct chunk_view){
		.kind = CHUNK_SNAPSHOT_PAGES,
		.data = reader->out,
		.len = (size_t)(p - reader->out),
	};
	return 0;
}

int page_needs_check(int dir_fd, const struct page_need *needs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char name[NAME_EVENT_SIZE];
		uint64_t size;
		int fd, r;

		r = tree_open_file(dir_fd, name_event(name, NAME_PAGES, le64_get(needs[i].file)), &fd, &size);
		if (r < 0)
			return r == -ENOENT || r == -EBADMSG ? INCIDENT_DAMAGED : r;
		(void) close(fd);
		if (size < le64_get(needs[i].len))
			return INCIDENT_DAMAGED;
	}
	return 0;
}
