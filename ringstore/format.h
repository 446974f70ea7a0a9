/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * format - what stands on disk
 *
 * A service's directory:
 *
 *   lock                             held (flock) by the one writer
 *   live/about                       chunks of text: what a window of it all would be of
 *   live/DOMAIN/log.EVENT            chunks of log, the first event of the file in its name
 *   live/DOMAIN/snap.EVENT           chunks of one snapshot, taken at that event
 *   live/DOMAIN/pages.NUMBER         pages of its snapshots, each content once
 *   incidents/ID/incident.json       what happened; an incident without it isn't one
 *   incidents/ID/DOMAIN/log.EVENT    hard links to what was live
 *   incidents/ID/DOMAIN/snap.EVENT
 *   incidents/ID/DOMAIN/pages.NUMBER
 *   incidents/ID/DOMAIN/final        chunks: the hashes that a replay must reach
 *   incidents/ID/files/HASH          the mapped files, one chunk sequence a content
 *
 * DOMAIN is decimal, EVENT and NUMBER sixteen hexadecimal digits, HASH the XXH3-128
 * of the content in 32 hexadecimal digits. Every file is a sequence of chunks and
 * nothing else. A reader believes a chunk only for its checksum; what follows the
 * first chunk that fails is cut off, but for pages files, whose chunks are found by
 * their offsets. A snapshot without its end chunk isn't one;
 * nor are final chunks without the empty one that ends them.
 *
 * A snapshot says where in the domain's pages files its pages are: in those that were
 * written with it and, of what hasn't changed since, in older ones. What it needs of
 * each it says, too. Pages files are never written to again once a snapshot needs them.
 *
 * A dump is a pax archive in zstd. Its first member, blackbox-incident, is text:
 *
 *   blackbox-incident VERSION
 *   id ID
 *   files N
 *   bytes N
 *   xxh3 HASH                        XXH3-64 of the lines in front of it
 *
 * and then follow, as N regular files of so many bytes together, what stands below
 * incidents/ID, under the same names.
 *
 * incident.json is the recorder's; its first member, "xxh3", is the XXH3-64 of all that
 * stands behind that member. "format" is STORE_FORMAT_VERSION, and "needs", if it is there,
 * a list of features without which a reader must refuse it. "reads": the log says of some of what
 * was read only where in which of files/ it is; its row in "files" has a member "read" that is true.
 *
 * Integers are little-endian. Sizes are bytes, times nanoseconds of
 * CLOCK_MONOTONIC of the recording machine's boot, unless named otherwise.
 */
#pragma once

#include <assert.h>

#include "common/le.h"

/* Raised when a reader of today must refuse what is written from now on. */
#define STORE_FORMAT_VERSION 2

#define NEEDS_READS "reads"

#define CHUNK_MAGIC 0x4b434242u /* "BBCK" */

/* One chunk's payload, uncompressed: what the reader allocates for a header it believes. */
#define CHUNK_MAX_RAW (4u << 20)

enum chunk_kind {
	CHUNK_LOG = 1,		/* a run of events (recorder/event.h), packed (recorder/pack.h) */
	CHUNK_SNAPSHOT_HEAD = 2,	/* what the process was, recorder/image.h */
	CHUNK_SNAPSHOT_MAPS = 3,	/* its mappings */
	CHUNK_SNAPSHOT_PAGES = 4,	/* a run of its memory's pages */
	CHUNK_SNAPSHOT_END = 5,	/* empty: the snapshot is whole */
	CHUNK_FINAL = 6,	/* the hashes of a freeze; an empty one ends them */
	CHUNK_FILE = 7,		/* a run of a mapped file's bytes */
	CHUNK_PAGES = 8,	/* pages' bytes; first_event is the file's NUMBER */
	CHUNK_SNAPSHOT_TABLE = 9,	/* struct page_run of each run of the snapshot's pages */
	CHUNK_SNAPSHOT_FILES = 10,	/* struct page_need of each pages file */
};

#define CHUNK_KIND_LAST CHUNK_SNAPSHOT_FILES

/*
 * Of the kinds that it doesn't know a reader skips those that have this bit, and refuses the
 * others: the file is too new for it.
 */
#define CHUNK_MAY_SKIP 0x8000u

/*
 * JSON of the recorder's making, for who finds a store that nobody records into any more: in
 * live/about of the service, as the first chunk of a log or a snapshot of the domain.
 */
#define CHUNK_ABOUT (CHUNK_MAY_SKIP | 1)

/*
 * Zeroes, in a pages file: repair puts it where something was damaged that no snapshot needs
 * which is left, for what stands behind it is found by its offset.
 */
#define CHUNK_HOLE (CHUNK_MAY_SKIP | 2)

enum chunk_flags {
	CHUNK_ZSTD = 1 << 0,	/* the payload is one zstd frame */
};

/*
 * magic, version, xxh3 and stored_len stay as they are in every version: that is
 * how a reader tells a chunk that is too new for it from one that has rotted.
 */
struct chunk {
	le32 magic;		/* CHUNK_MAGIC */
	le16 version;		/* STORE_FORMAT_VERSION */
	le16 kind;		/* enum chunk_kind, and perhaps CHUNK_MAY_SKIP */
	le64 xxh3;		/* XXH3-64 of this header, with 0 here, the payload and padding */
	le32 stored_len;	/* payload bytes as stored; zeros up to a multiple of 8 follow */
	le32 raw_len;		/* payload bytes uncompressed, at most CHUNK_MAX_RAW */
	le32 domain;
	le16 flags;		/* enum chunk_flags; unknown ones: the file is too new */
	le16 reserved;		/* 0 */
	le64 first_event;	/* number of the first event; of the event of a snapshot */
	le32 n_events;		/* in a log chunk; in one of pages, how many these are */
	le32 seq;		/* chunks of one file count from 0 */
	le64 first_ns;		/* when the first and the last event happened */
	le64 last_ns;
};
static_assert(sizeof(struct chunk) == 64, "on-disk layout");

#define SNAPSHOT_PAGE 4096

/*
 * A page's key is its address; the low bits say what is special about it. The store
 * knows one of them: a page of zeroes, which has no bytes anywhere.
 */
#define SNAPSHOT_ZERO 1

/*
 * The payload of CHUNK_SNAPSHOT_PAGES: this, n keys (le64), then the bytes of those pages
 * that aren't of zeroes. It is what readers get; version 1 had it in files, too.
 */
struct snapshot_pages {
	le32 n_pages;
	le32 reserved;
};
static_assert(sizeof(struct snapshot_pages) == 8, "on-disk layout");

/*
 * Pages one behind the other, in memory and in a chunk. In the table each field but n_pages is
 * the difference to the row before in the same CHUNK_SNAPSHOT_TABLE (ringstore/page-run.h).
 */
struct page_run {
	le64 key;		/* of the first page; the others' are SNAPSHOT_PAGE apart */
	le64 file;		/* NUMBER; of zeroes: 0, and so are the next two */
	le32 offset;		/* in the file, of the chunk */
	le16 first;		/* in the chunk, of the pages */
	le16 n_pages;
};
static_assert(sizeof(struct page_run) == 24, "on-disk layout");

struct page_need {
	le64 file;		/* NUMBER */
	le64 len;		/* the chunks that the snapshot needs end in front of this */
};
static_assert(sizeof(struct page_need) == 16, "on-disk layout");
