/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pack - a run of events as a chunk of the log holds it
 *
 * A service does the same things again and again. Packer and unpacker keep the same tables
 * of what was asked, what came of it and what followed, so that most of an event is said by
 * one byte: it is as foretold. What isn't stands in columns, each field's bytes together,
 * which is how a compressor likes them; and bytes that are alike by what they are of.
 *
 * Who is ready, as epoll_wait tells it, is said by a place among those who were ready, as the
 * same clients come in nearly the same order; and what is done next is done for each of them
 * in turn. Readings of clocks and ticks are said by how far they are from where one line of
 * time, which goes on with each of them, would have them.
 *
 * Nothing is lost: unpacking gives the very bytes that were packed, whatever they are. Each
 * run begins with empty tables and stands by itself.
 *
 * A packed run: the byte PACK_VERSION; how long a tick is, the events' length and then each
 * column's, as varints (seven bits a byte, the lowest first; 0x80: more follow); the columns.
 * Version 1 had nothing of who is ready, nor the line of time, and fewer columns.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/event.h"
#include "ringstore/format.h"

/*
 * Raised when runs are packed in another way; older ones are still read. No event begins with
 * such a byte.
 */
#define PACK_VERSION 2

enum {
	PACK_N_CLASSES = 8,	/* of types of events, whose fields stand in columns of their own */
	PACK_N_CLOCKS = 4,
};

enum pack_column {
	PACK_OPS,		/* a byte for each event, by the class of the type that was foretold */
	PACK_TYPES = PACK_OPS + PACK_N_CLASSES,	/* numbers of those that weren't; 0: a new one */
	PACK_CHECKS,		/* the same of checks that have been before */
	PACK_NEW,		/* types, checks and who is ready that are new */
	PACK_RESULTS,		/* differences from what was foretold */
	PACK_TICKS,		/* as well, by the event's class */
	PACK_LENGTHS = PACK_TICKS + PACK_N_CLASSES,	/* of new outputs, in units of 8 bytes */
	PACK_PLACES,		/* where outputs differ from those that were foretold, */
	PACK_CHANGES,		/* and by how much */
	PACK_OUTPUTS,		/* new ones */
	PACK_READY,		/* places of who is ready among those who were */
	PACK_CLOCKS,		/* differences; first bytes of varints, by what was before, and by clock */
	PACK_CLOCKS_REST = PACK_CLOCKS + 3 * PACK_N_CLOCKS,	/* the others */
	PACK_N_COLUMNS = PACK_CLOCKS_REST + PACK_N_CLOCKS,
};

/* The longest run, in bytes of events. Where nothing is as foretold it grows by a quarter. */
#define PACK_MAX_RUN (1u << 20)
#define PACK_MAX_EVENTS (PACK_MAX_RUN / sizeof(struct event))
#define PACK_MAX_LEN (PACK_MAX_RUN + 8 * PACK_MAX_EVENTS + 256)
static_assert(PACK_MAX_LEN <= CHUNK_MAX_RAW, "a run is a chunk");

struct packer;
struct unpacker;

struct packed {
	const void *data;
	size_t len;
	size_t ends[PACK_N_COLUMNS];	/* of the columns, in data */
};

int packer_new(struct packer **ret_packer);
struct packer *packer_free(struct packer *packer);
/*
 * Packs @events, whole ones of together @len bytes, which are at most PACK_MAX_RUN. A tick of
 * theirs is about @tick / 1024 ns, which helps to foretell the time; 0: it isn't known.
 * @ret_packed belongs to the packer and lives until its next call.
 */
void pack(struct packer *packer, uint32_t tick, const void *events, size_t len,
	  struct packed *ret_packed);

int unpacker_new(struct unpacker **ret_unpacker);
struct unpacker *unpacker_free(struct unpacker *unpacker);
/*
 * The events of @data, anybody's bytes; that each is whole isn't said. They belong to the
 * unpacker and live until its next call. -EBADMSG: it isn't a packed run. -EPROTONOSUPPORT:
 * it is another version's.
 */
int unpack(struct unpacker *unpacker, const void *data, size_t len, const void **ret_events,
	   size_t *ret_len);
