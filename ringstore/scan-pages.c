/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages files, and what snapshots need of them.
 *
 * Each pages file is read once, however many snapshots share it: all of its chunks that are
 * sound are remembered, those behind damaged ones, too, and the tables of the snapshots are
 * held against that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/page-run.h"
#include "ringstore/store-internal.h"
#include "ringstore/verify-internal.h"

/* -- the files --------------------------------------------------------------------------------- */

enum { BLOCK = 64 << 10 };

static void decoder_freep(struct chunk_decoder **decoder)
{
	(void) chunk_decoder_free(*decoder);
}

static int add_chunk(struct scan_pages *pages, uint64_t offset, uint32_t n_pages)
{
	struct scan_chunk *grown = array_grow(pages->chunks, pages->n_chunks, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	pages->chunks = grown;
	grown[pages->n_chunks++] = (struct scan_chunk){ offset, n_pages };
	return 0;
}

static int add_gap(struct scan_pages *pages, uint64_t from, uint64_t to, const char *why)
{
	struct scan_gap *grown = array_grow(pages->gaps, pages->n_gaps, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	pages->gaps = grown;
	grown[pages->n_gaps++] = (struct scan_gap){ from, to, why };
	return 0;
}

/* The chunk at source->offset, if it is one of the file's. Moves behind it. */
static int read_chunk(struct chunk_decoder *decoder, struct chunk_source *source, uint32_t domain,
		      uint64_t number, uint32_t *ret_n_pages, const char **ret_why)
{
	struct chunk_info info;
	const void *data;
	size_t len;
	int r;

	r = chunk_decode(decoder, source, &info, &data, &len);
	*ret_why = chunk_decoder_why(decoder);
	*ret_n_pages = 0;
	if (r || (info.kind & CHUNK_MAY_SKIP))
		return r;
	if (info.kind > CHUNK_KIND_LAST)
		return -EPROTONOSUPPORT;
	*ret_why = "a chunk isn't of this file";
	if (info.kind != CHUNK_PAGES || info.domain != domain || info.first_event != number ||
	    len != (uint64_t)info.n_events * SNAPSHOT_PAGE)
		return CHUNK_DAMAGED;
	*ret_n_pages = info.n_events;
	return 0;
}

/* The first place from @offset on, which is a multiple of 8, where a chunk may begin; or the end. */
static int find_magic(const struct chunk_source *source, uint64_t offset, uint64_t *ret_offset)
{
	const le32 magic = le32_of(CHUNK_MAGIC);
	uint8_t block[BLOCK];

	while (offset < source->size) {
		ssize_t n = tree_pread(source->fd, block, sizeof(block), offset);

		if (n < 0)
			return (int)n;
		for (size_t i = 0; i + sizeof(magic) <= (size_t)n; i += 8) {
			if (memcmp(block + i, &magic, sizeof(magic)) == 0) {
				*ret_offset = offset + i;
				return 0;
			}
		}
		if ((size_t)n < sizeof(block))
			break;
		offset += sizeof(block);
	}
	*ret_offset = source->size;
	return 0;
}

/* What is damaged begins at @from: source->offset becomes the next that is sound, or the end. */
static int skip_damage(struct chunk_decoder *decoder, struct chunk_source *source, uint32_t domain,
		       uint64_t number, uint64_t from)
{
	uint64_t offset = from;
	int r;

	do {
		struct chunk_source found = *source;
		const char *why;
		uint32_t n;

		r = find_magic(source, offset + 8, &offset);
		if (r < 0)
			return r;
		found.offset = offset;
		r = offset < source->size ? read_chunk(decoder, &found, domain, number, &n, &why) : 0;
	} while (r == CHUNK_DAMAGED);
	source->offset = offset;
	return r;
}

static int read_chunks(struct scan_walk *walk, struct chunk_decoder *decoder, struct chunk_source *source,
		       struct scan_pages *pages)
{
	int r;

	do {
		uint64_t offset = source->offset;
		const char *why;
		uint32_t n;

		r = read_chunk(decoder, source, walk->domain, pages->number, &n, &why);
		if (r == 0) {
			verify_chunk(walk->verify, source->offset - offset);
			if (n)
				r = add_chunk(pages, offset, n);
		} else if (r == CHUNK_DAMAGED) {
			verify_fault(walk->verify, walk->path, offset, why);
			r = skip_damage(decoder, source, walk->domain, pages->number, offset);
			verify_progress(walk->verify, source->offset - offset);
			if (r == 0)
				r = add_gap(pages, offset, source->offset, why);
		}
	} while (r == 0);
	return r;
}

static int scan_pages(struct scan_walk *walk, int fd, struct scan_pages *pages)
{
	autoclean(decoder_freep) struct chunk_decoder *decoder = NULL;
	struct chunk_source source = { .fd = fd, .size = pages->len };
	int r;

	r = chunk_decoder_new(&decoder);
	if (r == 0)
		r = read_chunks(walk, decoder, &source, pages);
	pages->is_readable = r == CHUNK_EOF;
	return r > 0 ? 0 : verify_unreadable(walk->verify, walk->path, source.offset, r);
}

int scan_pages_files(struct scan_walk *walk)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	struct scan *scan = walk->scan;
	int r;

	r = tree_names(walk->dir_fd, &names);
	if (r < 0)
		return r;
	scan->pages = calloc(names.n + 1, sizeof(*scan->pages));
	if (!scan->pages)
		return -ENOMEM;
	for (size_t i = 0; i < names.n; i++) {
		struct scan_pages *pages = &scan->pages[scan->n_pages];
		autoclean(freep) char *path = NULL;
		autoclean(closep) int fd = -1;

		if (!name_to_event(names.names[i], NAME_PAGES, &pages->number))
			continue;
		path = scan_path(walk, names.names[i]);
		if (!path)
			return -ENOMEM;
		r = verify_open(walk->verify, walk->dir_fd, names.names[i], path, &fd, &pages->len);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		scan->n_pages++;
		walk->path = path;
		r = scan_pages(walk, fd, pages);
		if (r < 0)
			return r;
	}
	return 0;
}

/* -- what is needed of them ------------------------------------------------------------------------ */

static struct scan_pages *find_pages(const struct scan *scan, uint64_t number)
{
	size_t low = 0, high = scan->n_pages;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (scan->pages[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < scan->n_pages && scan->pages[low].number == number ? &scan->pages[low] : NULL;
}

static const struct scan_chunk *find_chunk(const struct scan_pages *pages, uint64_t offset)
{
	size_t low = 0, high = pages->n_chunks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pages->chunks[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < pages->n_chunks && pages->chunks[low].offset == offset ? &pages->chunks[low] : NULL;
}

static bool is_in(const uint64_t *numbers, size_t n, uint64_t number)
{
	while (n > 0)	/* the newest is asked for most */
		if (numbers[--n] == number)
			return true;
	return false;
}

static int add_number(uint64_t **numbers, size_t *n, uint64_t number)
{
	uint64_t *grown = array_grow(*numbers, *n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*numbers = grown;
	grown[(*n)++] = number;
	return 0;
}

/* Something is wrong with the pages file @number that its own bytes don't show. */
static int tell(struct scan_walk *walk, uint64_t number, uint64_t offset, const char *what)
{
	char name[NAME_EVENT_SIZE];
	autoclean(freep) char *path = scan_path(walk, name_event(name, NAME_PAGES, number));

	if (!path)
		return -ENOMEM;
	verify_fault(walk->verify, path, offset, what);
	return 0;
}

static int tell_missing(struct scan_walk *walk, uint64_t number)
{
	struct scan *scan = walk->scan;

	if (is_in(scan->missing, scan->n_missing, number))
		return 0;
	if (add_number(&scan->missing, &scan->n_missing, number) < 0)
		return -ENOMEM;
	return tell(walk, number, 0, "is missing: a snapshot needs pages of it");
}

int scan_needs(struct scan_walk *walk, struct scan_file *file, const struct chunk_reader *reader,
	       const struct chunk_view *view)
{
	const struct page_need *need = view->data;

	if (view->len % sizeof(*need)) {
		file->why = "what it says of pages files makes no sense";
		verify_fault(walk->verify, walk->path, chunk_reader_offset(reader), file->why);
		return 0;
	}
	for (size_t i = 0; i < view->len / sizeof(*need); i++) {
		struct scan_pages *pages = find_pages(walk->scan, le64_get(need[i].file));
		int r = 0;

		if (pages && pages->len >= le64_get(need[i].len))
			continue;
		file->why = "pages that it needs are missing";
		if (!pages)
			r = tell_missing(walk, le64_get(need[i].file));
		else if (!pages->is_short)
			r = tell(walk, pages->number, pages->len, "ends in front of what a snapshot needs");
		if (r < 0)
			return r;
		if (pages)
			pages->is_short = true;
	}
	return 0;
}

enum { SOUND, DAMAGED, NOWHERE };	/* NOWHERE: and no other fault explains that */

static int look_up(const struct scan_pages *pages, const struct page_run *run)
{
	uint64_t offset = le32_get(run->offset);
	const struct scan_chunk *chunk = find_chunk(pages, offset);

	if (chunk)
		return (uint32_t)le16_get(run->first) + le16_get(run->n_pages) <= chunk->n_pages ? SOUND : NOWHERE;
	for (size_t i = 0; i < pages->n_gaps; i++)
		if (offset >= pages->gaps[i].from && offset < pages->gaps[i].to)
			return DAMAGED;
	return pages->is_short || !pages->is_readable ? DAMAGED : NOWHERE;
}

/* One row of a table. */
static int check_run(struct scan_walk *walk, struct scan_file *file, const struct page_run *run, int *ret_found)
{
	uint64_t number = le64_get(run->file);
	const struct scan_pages *pages = find_pages(walk->scan, number);
	int r = 0;

	*ret_found = SOUND;
	if (le64_get(run->key) > UINT64_MAX - (uint64_t)UINT16_MAX * SNAPSHOT_PAGE)
		*ret_found = NOWHERE;
	if (le64_get(run->key) & SNAPSHOT_ZERO)
		return 0;
	if (!is_in(file->files, file->n_files, number))
		r = add_number(&file->files, &file->n_files, number);
	if (r == 0 && !pages)
		r = tell_missing(walk, number);
	if (r == 0 && *ret_found == SOUND)
		*ret_found = pages ? look_up(pages, run) : DAMAGED;
	return r;
}

int scan_table(struct scan_walk *walk, struct scan_file *file, const struct chunk_reader *reader,
	       const struct chunk_view *view)
{
	const struct page_run *row = view->data;
	struct page_run run = { .n_pages = le16_of(0) };
	int found = view->len % sizeof(*row) ? NOWHERE : SOUND;

	for (size_t i = 0; found != NOWHERE && i < view->len / sizeof(*row); i++) {
		int r;

		run = page_run_from(&run, &row[i]);
		r = check_run(walk, file, &run, &found);
		if (r < 0)
			return r;
		if (found != SOUND && !file->why)
			file->why = "pages that it needs are damaged";
	}
	if (found == NOWHERE) {
		file->why = "the table of its pages makes no sense";
		verify_fault(walk->verify, walk->path, chunk_reader_offset(reader), file->why);
	}
	return 0;
}
