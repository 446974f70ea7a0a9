/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scan - what of a domain's files is sound, found by reading them
 *
 * Nothing is believed but chunks that check. The store finds so what an earlier writer
 * left, verify what is damaged, and repair what is worth keeping.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringstore/verify.h"

struct scan_file {		/* a log or a snapshot */
	uint64_t event;		/* in its name */
	uint64_t end_event;	/* of a log: behind its last sound chunk */
	uint64_t len, sound_len;	/* the chunks in front of sound_len are sound */
	uint64_t first_ns, last_ns;	/* of them */
	uint64_t n_open;	/* the last of these events need those behind them */
	bool sound;		/* all of it */
	const char *why;	/* it isn't */
	uint64_t *files;	/* NUMBERs of the pages files of which a snapshot needs something */
	size_t n_files;
};

struct scan_chunk {		/* of pages, and sound */
	uint64_t offset;
	uint32_t n_pages;
};

struct scan_gap {		/* between two of them */
	uint64_t from, to;
	const char *why;
};

struct scan_pages {		/* a pages file */
	uint64_t number;	/* in its name */
	uint64_t len;
	struct scan_chunk *chunks;	/* ascending */
	struct scan_gap *gaps;		/* ascending; what is damaged */
	size_t n_chunks, n_gaps;
	bool is_readable;	/* to its end */
	bool is_short;		/* which has been told */
};

struct scan {
	struct scan_file *logs, *snapshots;	/* ascending */
	size_t n_logs, n_snapshots;
	struct scan_pages *pages;		/* ascending */
	size_t n_pages;
	uint64_t *missing;	/* pages files that aren't there, which has been told */
	size_t n_missing;
};

/*
 * Reads the logs, snapshots and pages files in @dir_fd, the domain's directory, which is @name
 * to those who are told of faults. A file that vanishes meanwhile isn't there. A snapshot isn't
 * sound if pages aren't that it needs.
 */
int scan_domain(int dir_fd, uint32_t domain, const char *name, struct verify *verify,
		struct scan *ret_scan);
void scan_deinit(struct scan *scan);

/*
 * The longest run of events without a gap, from a sound snapshot on; of two, the newer.
 * Without a sound snapshot, simply the longest run.
 */
struct scan_window {
	uint64_t begin, end;		/* from the snapshot to behind the last event */
	size_t first_log, n_logs;	/* those of the run, of which the last may be cut short */
	bool has_snapshot;
};
struct scan_window scan_longest(const struct scan *scan);

/* Does @snapshot stand in the window's log? */
bool scan_holds(const struct scan *scan, const struct scan_window *window,
		const struct scan_file *snapshot);
