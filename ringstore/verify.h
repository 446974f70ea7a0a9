/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify - reads all of a store, an incident or a dump, and names each fault
 * repair - keeps of it what is sound
 *
 * Nothing is changed by verifying. Both may run while the store is being written: what is
 * live is left out then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "ringstore/incident.h"

struct verify {
	/* What the caller wants to hear; each may be NULL. @path is relative to what is verified. */
	void (*fault)(const char *path, uint64_t offset, const char *what, void *userdata);
	void (*progress)(uint64_t done, uint64_t total, void *userdata);
	/* Of the file, the bytes from @from to @to; UINT64_MAX: to its end, so that from 0 on it is gone. */
	void (*cut)(const char *path, uint64_t from, uint64_t to, const char *why, void *userdata);
	void *userdata;

	/*
	 * The store doesn't look into its payloads. Called for each sound chunk of a log: how many
	 * of its events, the last ones, are of no use without those behind them? NULL: none.
	 */
	uint32_t (*open_tail)(uint32_t domain, const struct chunk_view *chunk, void *userdata);

	/* What has been found. */
	uint64_t n_files, n_chunks, n_faults, n_cuts;
	uint64_t bytes, total;		/* read; to be read */
	unsigned n_incidents, n_failed;	/* n_failed: that couldn't be repaired */
	bool live_in_use;		/* somebody records there: what is live wasn't looked at */
};

enum verify_kind { VERIFY_STORE, VERIFY_INCIDENT, VERIFY_DUMP };

/* What @path is: a file is a dump, a directory with incident.json an incident. */
int verify_kind(const char *path, enum verify_kind *ret_kind);

/*
 * Reads all that @path holds. 0 if it could be read, whatever the faults; -EBADMSG: it is
 * nothing of ours; -EPROTONOSUPPORT: a newer version's.
 */
int verify_path(const char *path, struct verify *verify);

/*
 * Keeps of the incident @path the longest window of each domain that is sound, and of its
 * other files those that are; tells of each cut. The manifest says afterwards what the
 * window holds now, and that it was repaired. -EBADMSG: its manifest is no JSON any more,
 * so that nothing says what the rest is.
 */
int repair_incident(const char *path, struct verify *verify);

/* The same for each incident of the store @path. */
int repair_store(const char *path, struct verify *verify);

/*
 * The same for the files of an incident that has no incident.json yet, in @dir_fd: @manifest is
 * what it is going to be. Rows of "domains" get their "end_event" if they have none.
 */
int repair_window(int dir_fd, struct verify *verify, struct json_object *manifest);
