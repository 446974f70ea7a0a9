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

struct scan_file {
	uint64_t event;		/* in its name */
	uint64_t end_event;	/* of a log: behind its last sound chunk */
	uint64_t len, sound_len;	/* the chunks in front of sound_len are sound */
	uint64_t first_ns, last_ns;	/* of them */
	uint64_t n_open;	/* the last of these events need those behind them */
	bool sound;		/* all of it */
	const char *why;	/* it isn't */
};

struct scan {
	struct scan_file *logs, *snapshots;	/* ascending */
	size_t n_logs, n_snapshots;
};

/*
 * Reads the logs and snapshots in @dir_fd, the domain's directory, which is @name to those
 * who are told of faults. A file that vanishes meanwhile isn't there.
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
