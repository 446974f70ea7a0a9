/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The chunks of a file, or of a log's files one after the other. That each chunk is
 * sound says nothing about their company: here it is checked that they are the ones
 * that were written, all of them, in this order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "ringstore/names.h"
#include "ringstore/page-reader.h"

struct chunk_reader {
	enum stream stream;
	uint32_t domain;
	struct chunk_decoder *decoder;
	struct chunk_source source;
	uint32_t seq;		/* of the next chunk of the file */
	uint64_t offset;	/* of the chunk that was looked at last */
	const char *why;	/* INCIDENT_DAMAGED: what is wrong with it */
	uint64_t next_event;	/* of the next chunk of a log; of all those of a snapshot */
	int outcome;		/* once it isn't 0, there is nothing more to come */

	/* A snapshot's pages that are elsewhere; they come at its end. */
	struct page_reader *pages;
	bool in_pages;

	/* The domain's directory, and a log's files that are still to come. */
	int dir_fd;
	uint64_t *events;
	size_t n_events, next_file;

	struct chunk_view found;	/* by chunk_reader_seek(), not yet given out */
	bool has_found;
};

struct chunk_reader *chunk_reader_close(struct chunk_reader *reader)
{
	if (!reader)
		return NULL;
	if (reader->source.fd >= 0)
		(void) close(reader->source.fd);
	if (reader->dir_fd >= 0)
		(void) close(reader->dir_fd);
	free(reader->events);
	(void) page_reader_free(reader->pages);
	(void) chunk_decoder_free(reader->decoder);
	free(reader);
	return NULL;
}

static int reader_alloc(enum stream stream, uint32_t domain, struct chunk_reader **ret_reader)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return -ENOMEM;
	reader->stream = stream;
	reader->domain = domain;
	reader->source.fd = -1;
	reader->dir_fd = -1;
	r = chunk_decoder_new(&reader->decoder);
	if (r < 0)
		return r;
	*ret_reader = MOVE(reader);
	return 0;
}

static void begin_file(struct chunk_reader *reader, int fd, uint64_t size, uint64_t event)
{
	if (reader->source.fd >= 0)
		(void) close(reader->source.fd);
	reader->source = (struct chunk_source){ .fd = fd, .size = size };
	reader->seq = 0;
	reader->offset = 0;
	reader->next_event = event;
}

static int damaged(struct chunk_reader *reader, const char *why)
{
	reader->why = why;
	return INCIDENT_DAMAGED;
}

uint64_t chunk_reader_offset(const struct chunk_reader *reader)
{
	return reader->offset;
}

uint64_t chunk_reader_end(const struct chunk_reader *reader)
{
	return reader->source.offset;
}

const char *chunk_reader_why(const struct chunk_reader *reader)
{
	return reader->why ? reader->why : "";
}

int chunk_reader_new(enum stream stream, int fd, int dir_fd, uint32_t domain, uint64_t event,
		     struct chunk_reader **ret_reader)
{
	autoclean(closep) int owned = fd, owned_dir = dir_fd;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = reader_alloc(stream, domain, ret_reader);
	if (r < 0)
		return r;
	(*ret_reader)->dir_fd = MOVE_FD(owned_dir);
	begin_file(*ret_reader, MOVE_FD(owned), (uint64_t)st.st_size, event);
	return 0;
}

/* Goes on with the log's next file. INCIDENT_END: there is none. */
static int open_next_file(struct chunk_reader *reader)
{
	char name[NAME_EVENT_SIZE];
	uint64_t event, size;
	int fd, r;

	if (reader->next_file == reader->n_events)
		return INCIDENT_END;
	event = reader->events[reader->next_file];
	if (reader->next_file > 0 && event != reader->next_event)
		return damaged(reader, "a file of the log is missing in front of the next");
	reader->next_file++;
	r = tree_open_file(reader->dir_fd, name_event(name, NAME_LOG, event), &fd, &size);
	if (r < 0)
		return r == -EBADMSG ? damaged(reader, "not a regular file") : r;
	begin_file(reader, fd, size, event);
	return 0;
}

int chunk_reader_new_log(int dir_fd, uint32_t domain, uint64_t *events, size_t n,
			 struct chunk_reader **ret_reader)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	int r;

	r = reader_alloc(STREAM_LOG, domain, &reader);
	if (r < 0) {
		(void) close(dir_fd);
		free(events);
		return r;
	}
	reader->dir_fd = dir_fd;
	reader->events = events;
	reader->n_events = n;
	r = open_next_file(reader);
	if (r < 0)
		return r;
	reader->outcome = r;
	*ret_reader = MOVE(reader);
	return 0;
}

/* The file has no more chunks. */
static int at_eof(struct chunk_reader *reader)
{
	if (reader->stream == STREAM_LOG)
		return open_next_file(reader);
	/* Snapshots and finals have an end of their own; mapped files have their hash. */
	return reader->stream == STREAM_FILE ? INCIDENT_END :
					       damaged(reader, "the chunk that ends it is missing");
}

static bool is_of_snapshot(unsigned kind)
{
	return (kind >= CHUNK_SNAPSHOT_HEAD && kind <= CHUNK_SNAPSHOT_END) ||
	       kind == CHUNK_SNAPSHOT_TABLE || kind == CHUNK_SNAPSHOT_FILES;
}

static bool belongs(const struct chunk_reader *reader, const struct chunk_info *info)
{
	switch (reader->stream) {
	case STREAM_LOG:
		return info->kind == CHUNK_LOG && info->first_event == reader->next_event &&
		       info->n_events > 0 && info->first_event <= UINT64_MAX - info->n_events;
	case STREAM_SNAPSHOT:
		return is_of_snapshot(info->kind) && info->first_event == reader->next_event;
	case STREAM_FINAL:
		return info->kind == CHUNK_FINAL;
	case STREAM_FILE:
		return info->kind == CHUNK_FILE;
	}
	return false;
}

static bool ends_stream(const struct chunk_reader *reader, const struct chunk_view *view)
{
	return (reader->stream == STREAM_SNAPSHOT && view->kind == CHUNK_SNAPSHOT_END) ||
	       (reader->stream == STREAM_FINAL && view->len == 0);
}

/* One chunk of any kind. */
static int decode(struct chunk_reader *reader, struct chunk_info *ret_info,
		  struct chunk_view *ret_view)
{
	struct chunk_info info;
	const void *data;
	size_t len;
	int r;

	reader->offset = reader->source.offset;
	r = chunk_decode(reader->decoder, &reader->source, &info, &data, &len);
	if (r == CHUNK_EOF)
		return INCIDENT_END;
	if (r)
		return r < 0 ? r : damaged(reader, chunk_decoder_why(reader->decoder));
	if (info.domain != reader->domain)
		return damaged(reader, "a chunk is of another domain");
	if (info.seq != reader->seq++)
		return damaged(reader, "a chunk is missing or out of its place");
	*ret_info = info;
	*ret_view = (struct chunk_view){
		.kind = info.kind,
		.first_event = info.first_event,
		.n_events = info.n_events,
		.first_ns = info.first_ns,
		.last_ns = info.last_ns,
		.data = data,
		.len = len,
	};
	return 0;
}

static int add_table(struct chunk_reader *reader, const struct chunk_view *view)
{
	int r = 0;

	if (!reader->pages)
		r = page_reader_new(reader->dir_fd, reader->domain, &reader->pages);
	if (r == 0)
		r = page_reader_add(reader->pages, view->data, view->len);
	return r == INCIDENT_DAMAGED ? damaged(reader, "the table of its pages makes no sense") : r;
}

/* As a chunk of the snapshot, whichever it was written with. */
static int next_pages(struct chunk_reader *reader, struct chunk_view *ret_view)
{
	int r = page_reader_next(reader->pages, ret_view);

	if (r == INCIDENT_DAMAGED)
		return damaged(reader, "pages that it needs are damaged, or aren't there");
	ret_view->first_event = reader->next_event;
	return r;
}

static int find_next(struct chunk_reader *reader, struct chunk_view *ret_view)
{
	while (!reader->in_pages) {
		struct chunk_info info;
		int r;

		r = decode(reader, &info, ret_view);
		if (r == INCIDENT_END) {
			r = at_eof(reader);
			if (r)
				return r;
			continue;
		}
		if (r)
			return r;
		if (info.kind & CHUNK_MAY_SKIP)
			continue;
		if (info.kind > CHUNK_KIND_LAST)
			return -EPROTONOSUPPORT;
		if (!belongs(reader, &info))
			return damaged(reader, "a chunk doesn't go on from the one before it");
		if (reader->stream == STREAM_LOG)
			reader->next_event += info.n_events;
		if (info.kind == CHUNK_SNAPSHOT_TABLE && reader->dir_fd >= 0) {
			r = add_table(reader, ret_view);
			if (r)
				return r;
			continue;
		}
		if (info.kind == CHUNK_SNAPSHOT_FILES && reader->dir_fd >= 0)
			continue;
		if (!ends_stream(reader, ret_view))
			return 0;
		if (!reader->pages)
			return INCIDENT_END;
		reader->in_pages = true;
	}
	return next_pages(reader, ret_view);
}

int chunk_reader_next(struct chunk_reader *reader, struct chunk_view *ret_view)
{
	struct chunk_view view;

	if (reader->has_found) {
		reader->has_found = false;
		*ret_view = reader->found;
		return 0;
	}
	if (!reader->outcome)
		reader->outcome = find_next(reader, &view);
	if (!reader->outcome)
		*ret_view = view;
	return reader->outcome;
}

int chunk_reader_seek(struct chunk_reader *reader, uint64_t event)
{
	int r;

	do
		r = chunk_reader_next(reader, &reader->found);
	while (r == 0 && reader->next_event <= event);
	reader->has_found = r == 0;
	return r;
}

/* Its end stands there, as the last chunk. */
static int has_end(struct chunk_decoder *decoder, struct chunk_source source, uint32_t domain,
		   uint64_t event)
{
	struct chunk_info info;
	const void *data;
	size_t len;
	int r;

	source.offset = source.size - sizeof(struct chunk);
	r = chunk_decode(decoder, &source, &info, &data, &len);
	if (r)
		return r < 0 && r != -EPROTONOSUPPORT ? r : 0;
	return info.kind == CHUNK_SNAPSHOT_END && info.domain == domain && info.first_event == event && len == 0;
}

/* What it says that it needs of pages files: nothing, if its pages are in it. */
static int find_needs(struct chunk_decoder *decoder, struct chunk_source source,
		      const struct page_need **ret_needs, size_t *ret_n)
{
	for (;;) {
		struct chunk_info info;
		const void *data;
		size_t len;
		int r;

		r = chunk_decode(decoder, &source, &info, &data, &len);
		if (r)
			return r < 0 && r != -EPROTONOSUPPORT ? r : INCIDENT_DAMAGED;
		if (info.kind != CHUNK_SNAPSHOT_FILES && info.kind != CHUNK_SNAPSHOT_PAGES &&
		    info.kind != CHUNK_SNAPSHOT_END)
			continue;
		if (info.kind != CHUNK_SNAPSHOT_FILES)
			len = 0;
		if (len % sizeof(**ret_needs))
			return INCIDENT_DAMAGED;
		*ret_needs = data;
		*ret_n = len / sizeof(**ret_needs);
		return 0;
	}
}

int snapshot_needs(int fd, uint64_t size, struct page_need **ret_needs, size_t *ret_n)
{
	struct chunk_source source = { .fd = fd, .size = size };
	struct page_need *needs = NULL;
	const struct page_need *found;
	struct chunk_decoder *decoder;
	size_t n;
	int r;

	r = chunk_decoder_new(&decoder);
	if (r < 0)
		return r;
	r = find_needs(decoder, source, &found, &n);
	if (r == 0) {
		needs = malloc((n + 1) * sizeof(*needs));
		r = needs ? 0 : -ENOMEM;
	}
	if (r == 0) {
		memcpy(needs, found, n * sizeof(*needs));
		*ret_needs = needs;
		*ret_n = n;
	}
	(void) chunk_decoder_free(decoder);
	return r;
}

/* The pages files that it needs are there, if it says that it needs any. */
static int has_files(struct chunk_decoder *decoder, struct chunk_source source, int dir_fd)
{
	const struct page_need *needs;
	size_t n;
	int r;

	r = find_needs(decoder, source, &needs, &n);
	if (r == 0)
		r = page_needs_check(dir_fd, needs, n);
	return r < 0 ? r : r == 0;
}

int snapshot_is_whole(int fd, uint64_t size, int dir_fd, uint32_t domain, uint64_t event)
{
	struct chunk_source source = { .fd = fd, .size = size };
	struct chunk_decoder *decoder;
	int r;

	if (size < sizeof(struct chunk))
		return 0;
	r = chunk_decoder_new(&decoder);
	if (r < 0)
		return r;
	r = has_end(decoder, source, domain, event);
	if (r > 0)
		r = has_files(decoder, source, dir_fd);
	(void) chunk_decoder_free(decoder);
	return r;
}
