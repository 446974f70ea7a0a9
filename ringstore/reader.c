/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The chunks of a file, or of a log's files one after the other. That each chunk is
 * sound says nothing about their company: here it is checked that they are the ones
 * that were written, all of them, in this order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "ringstore/names.h"

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

	/* A log's files that are still to come. */
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

int chunk_reader_new(enum stream stream, int fd, uint32_t domain, uint64_t event,
		     struct chunk_reader **ret_reader)
{
	autoclean(closep) int owned = fd;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	r = reader_alloc(stream, domain, ret_reader);
	if (r < 0)
		return r;
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

static bool belongs(const struct chunk_reader *reader, const struct chunk_info *info)
{
	switch (reader->stream) {
	case STREAM_LOG:
		return info->kind == CHUNK_LOG && info->first_event == reader->next_event &&
		       info->n_events > 0 && info->first_event <= UINT64_MAX - info->n_events;
	case STREAM_SNAPSHOT:
		return info->kind >= CHUNK_SNAPSHOT_HEAD && info->kind <= CHUNK_SNAPSHOT_END &&
		       info->first_event == reader->next_event;
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

static int find_next(struct chunk_reader *reader, struct chunk_view *ret_view)
{
	for (;;) {
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
		return ends_stream(reader, ret_view) ? INCIDENT_END : 0;
	}
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

int snapshot_is_whole(int fd, uint64_t len, uint32_t domain, uint64_t event)
{
	struct chunk_source source = { .fd = fd, .size = len };
	struct chunk_decoder *decoder;
	struct chunk_info info;
	const void *data;
	size_t data_len;
	int r;

	if (len < sizeof(struct chunk))
		return 0;
	r = chunk_decoder_new(&decoder);
	if (r < 0)
		return r;
	source.offset = len - sizeof(struct chunk);
	r = chunk_decode(decoder, &source, &info, &data, &data_len);
	(void) chunk_decoder_free(decoder);
	if (r)
		return r < 0 && r != -EPROTONOSUPPORT ? r : 0;
	return info.kind == CHUNK_SNAPSHOT_END && info.domain == domain &&
	       info.first_event == event && data_len == 0;
}
