/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * incident-internal - what the store, the reader and the dump share
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "ringstore/chunk.h"
#include "ringstore/format.h"
#include "ringstore/incident.h"
#include "ringstore/tree.h"

/*
 * A mapped file of more than this isn't kept: to be looked at it is unpacked into
 * memory, and the dump may come from anyone. Holes cost no memory, but time.
 */
#define INCIDENT_FILE_MAX (UINT64_C(4) << 30)
#define INCIDENT_FILE_MAX_WITH_HOLES (UINT64_C(16) << 30)

struct incident {
	int dir_fd;
	char *path;
	char *id;
	char *manifest;
	uint64_t bytes;
	bool temporary;		/* unpacked from a dump: goes with us */
};

/* When the incident @id was committed. -ENOENT: it is only half made. */
int incident_time(int incidents_fd, const char *id, struct timespec *ret_time);

/* Oldest first: < 0, 0 or > 0. */
int incident_order(const struct timespec *a_time, const char *a_id, const struct timespec *b_time,
		   const char *b_id);

/* Manifest first. -ENOENT: there is none. */
int incident_remove_at(int incidents_fd, const char *id);

/* Opens @path as an incident called @id. */
int incident_open_as(const char *path, const char *id, struct incident **ret_incident);

/* The paths of its files, relative to the incident, the manifest first. */
int incident_members(int dir_fd, struct tree_names *ret_members);

static inline void incident_closep(struct incident **incident)
{
	(void) incident_close(*incident);
}

/* reader.c: what the chunks of one kind of file must be like. */
enum stream { STREAM_LOG, STREAM_SNAPSHOT, STREAM_FINAL, STREAM_FILE };

/*
 * Reads the file @fd, which it owns from then on even if it fails, as it does @dir_fd,
 * where a snapshot's pages files are (others: -1); in a log or snapshot @event is the one
 * in its name. Of a snapshot without them come the chunks that say where its pages are.
 */
int chunk_reader_new(enum stream stream, int fd, int dir_fd, uint32_t domain, uint64_t event,
		     struct chunk_reader **ret_reader);

/*
 * The files of a log: begins with the one whose first event is @events[0]. Owns
 * @dir_fd and @events from then on, even if it fails.
 */
int chunk_reader_new_log(int dir_fd, uint32_t domain, uint64_t *events, size_t n,
			 struct chunk_reader **ret_reader);

/*
 * In a log: goes to the chunk that holds @event; it is the next to be read. Returns
 * what chunk_reader_next() would.
 */
int chunk_reader_seek(struct chunk_reader *reader, uint64_t event);

/* Where in its file the chunk begins that was looked at last, and where the sound ones end. */
uint64_t chunk_reader_offset(const struct chunk_reader *reader);
uint64_t chunk_reader_end(const struct chunk_reader *reader);

/* After INCIDENT_DAMAGED: what is wrong there, in words for people. */
const char *chunk_reader_why(const struct chunk_reader *reader);

static inline void chunk_reader_closep(struct chunk_reader **reader)
{
	(void) chunk_reader_close(*reader);
}

/*
 * 1 if the snapshot file @fd of @size bytes has its end, and the pages files in @dir_fd
 * reach as far as it needs them, 0 if not, or a negative errno. What is in the middle is
 * checked when it is read.
 */
int snapshot_is_whole(int fd, uint64_t size, int dir_fd, uint32_t domain, uint64_t event);

/* The domains that have a directory in @dir_fd, ascending. The caller frees the array. */
int domains_in(int dir_fd, uint32_t **ret_domains, size_t *ret_n);

/*
 * What the snapshot file @fd, which is whole, needs of pages files: nothing, if its pages are in
 * it. The caller frees *@ret_needs. 0, INCIDENT_DAMAGED or a negative errno.
 */
int snapshot_needs(int fd, uint64_t size, struct page_need **ret_needs, size_t *ret_n);

/* dump.c: unpacks the dump @fd below @tmp_dir. */
int dump_unpack(int fd, const char *tmp_dir, struct incident **ret_incident);
