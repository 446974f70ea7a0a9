/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store - the ring of one service on disk, as its recorder writes it
 *
 * A store holds, for each domain, a log (events numbered from 0 without a gap)
 * and snapshots, each of which stands at one event. It keeps the window: from
 * the newest complete snapshot that is older than the window, to now. It keeps
 * the bound: all files and directories below its directory, live and frozen,
 * never take more than limits.max_bytes of disk, at no instant; the window gives
 * way to the bound, and to what others want kept free on the file system: when that is missing, the
 * store gives up the oldest of its window, as far as that helps, before it has no room.
 *
 * The store knows no processes and doesn't look into payloads, but for the pages of
 * snapshots, which it keeps once where they are equal. Writing is
 * asynchronous: a call returns when the bytes are compressed and queued, and
 * blocks only while too much is in flight. One thread per struct store.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct store;
struct snapshot_writer;
struct freeze;

enum store_outcome {		/* > 0: expected, the caller must handle it */
	/*
	 * The disk (or the bound) has no room even after eviction, or is read-only
	 * or failing. Nothing of this call was kept; as writing is asynchronous, the
	 * last runs before it may be lost too. The log of the domain has a gap from
	 * here, and goes on only after store_log_restart(). What was recorded before
	 * the gap can be frozen until then.
	 */
	STORE_NO_ROOM = 1,

	/* Of snapshot_writer_keep(). */
	STORE_PAGE_CHANGES = 2,	/* its bytes are wanted nevertheless */
	STORE_PAGE_UNKNOWN = 3,	/* the snapshot before had no such page */
};

struct store_limits {
	uint64_t max_bytes;		/* at least STORE_MIN_BYTES */
	uint64_t window_ns;		/* UINT64_MAX keeps all, until the bound */
	/*
	 * Of max_bytes, that incidents may pin; 1..90. Their mapped files may take half of the
	 * rest besides.
	 */
	unsigned incidents_percent;
	uint64_t sync_ns;		/* what is older is on the disk; 0: the kernel decides when */
	uint64_t keep_free_bytes;	/* of the file system: with less, it is as if it were full */
};

/* Below this no useful window fits: one snapshot and one log chunk of a small process. */
#define STORE_MIN_BYTES (1u << 20)

struct store_status {
	uint64_t bytes_live, bytes_incidents;	/* of disk, in whole blocks */
	uint64_t bytes_mapped;			/* of incidents: the files that the service maps */
	uint64_t bytes_written;			/* since store_open() */
	uint64_t window_ns;			/* from oldest usable snapshot to last event */
	unsigned n_snapshots, n_incidents;
	uint64_t page_memory;			/* of ours, to know equal pages by */
	const char *writer;			/* "io_uring" or "pwrite" */
	int last_error;				/* negative errno of the last failed write, or 0 */
};

/* A run of events, appended to a domain's log in one piece. */
struct log_run {
	uint64_t first_event;
	uint32_t n_events;
	uint64_t first_ns, last_ns;
	const void *data;
	size_t len;			/* at most CHUNK_MAX_RAW */
	const size_t *ends;		/* of its parts, for the compressor (ringstore/chunk.h); or NULL */
	size_t n_ends;
};

/*
 * Opens the store in @dir for writing, and makes the directory (0700) if it isn't
 * there. What an earlier writer left live is there, as domains that have ended, and can be
 * frozen; store_clear() makes place for new ones. -EBUSY: another recorder
 * holds it. -EINVAL: the limits make no sense. The caller ends it with
 * store_close(), which finishes the writes in flight and leaves all where it is; snapshots
 * and freezes under way have to be ended before. Where there is no io_uring, plain writes are
 * used.
 *
 * Incidents may be removed by other processes while the store is open.
 */
int store_open(const char *dir, const struct store_limits *limits, struct store **ret_store);
struct store *store_close(struct store *store);

/* Another writer may come already now: nothing is live any more, and nothing more is written. */
void store_unlock(struct store *store);

/* Is anything live? */
bool store_has_live(const struct store *store);

/*
 * Removes all that is live, of this writer or of an earlier one; incidents keep theirs. No
 * snapshot may be in the making. STORE_NO_ROOM: the disk won't let go of some of it.
 */
int store_clear(struct store *store);

/*
 * What a later writer must know to make an incident of what is live: @text is JSON of the
 * caller's. That of a domain is written into each of its files that are begun from then on;
 * that of the service is appended to what was said before. 0, STORE_NO_ROOM, -EEXIST if an
 * earlier writer's is still there, or another negative errno.
 */
int store_set_about(struct store *store, uint32_t domain, const char *text);
int store_add_about(struct store *store, const char *text);

/*
 * What was said of the service by the last writer of the store in @dir, piece by piece, as far
 * as it is sound; none: nothing. The caller frees it with incident_free_ids().
 */
int store_read_about(const char *dir, char ***ret_texts, size_t *ret_n);

/* How many incidents there are that were made in the seconds from @from_s to @to_s, CLOCK_REALTIME. */
unsigned store_count_incidents(struct store *store, time_t from_s, time_t to_s);

void store_get_status(struct store *store, struct store_status *ret_status);

/*
 * Appends @run to the log of @domain; copies what it needs. run->first_event
 * must follow the last appended event, and the domain not have ended (else -EINVAL).
 * 0, STORE_NO_ROOM, or a negative errno: then nothing has changed.
 */
int store_log_append(struct store *store, uint32_t domain, const struct log_run *run);

/*
 * The next append begins a new file. Called at each snapshot event, so that eviction
 * and incidents work in whole files; the store cuts at each freeze itself, and when a
 * file has grown large. STORE_NO_ROOM: some of the last writes failed.
 */
int store_log_cut(struct store *store, uint32_t domain);

/*
 * After a gap: drops the domain's log and snapshots (incidents keep theirs); the
 * next append may begin at any event. Useless until the next snapshot is whole; those
 * begun before can't become so. STORE_NO_ROOM: the disk won't let go of them (it is
 * read-only, say), and the gap goes on.
 */
int store_log_restart(struct store *store, uint32_t domain);

/*
 * The domain is over: what it has stays until it falls out of the window, or its room
 * is needed. Its number may be used again once nothing of it is left.
 */
void store_domain_end(struct store *store, uint32_t domain);

/* When the oldest began that is left, CLOCK_MONOTONIC; UINT64_MAX: nothing is. */
uint64_t store_begin_ns(const struct store *store);

/* Is anything of @domain left, log or snapshot? */
bool store_has_domain(const struct store *store, uint32_t domain);

/* The number behind the last event in the domain's log, or before its newest snapshot; 0: there is none. */
uint64_t store_log_end(const struct store *store, uint32_t domain);

/*
 * A snapshot of @domain that stands after event number @event - 1 and before
 * @event, taken at @mono_ns. Several writers may be open at once. Chunks are
 * added in the order in which readers shall see them; @kind is one of the
 * CHUNK_SNAPSHOT kinds but the end, which commit adds. commit and abort free the
 * writer; a commit that returns other than 0 has aborted. begin returns -EEXIST if the
 * domain has a snapshot at @event already; once add has returned STORE_NO_ROOM, the
 * snapshot can only be aborted.
 */
int store_snapshot_begin(struct store *store, uint32_t domain, uint64_t event, uint64_t mono_ns,
			 struct snapshot_writer **ret_writer);
int snapshot_writer_add(struct snapshot_writer *writer, unsigned kind, const void *data,
			size_t len);
int snapshot_writer_commit(struct snapshot_writer *writer);

/*
 * Pages (ringstore/format.h), each key once. Of equal pages one is kept, of those of the
 * domain's snapshots before, too; with SNAPSHOT_ZERO in @key, @bytes aren't looked at. Now
 * and then some are written again, so that older ones don't hold the ring's room.
 */
int snapshot_writer_page(struct snapshot_writer *writer, uint64_t key, const void *bytes);

/*
 * The page at @key is what it was in the snapshot at snapshot_writer_base(). Unless the
 * outcome is 0 it has yet to be given as above; one that is unknown wasn't given then.
 */
int snapshot_writer_keep(struct snapshot_writer *writer, uint64_t key);

/* The snapshot that this one is compared with. False: there is none. */
bool snapshot_writer_base(const struct snapshot_writer *writer, uint64_t *ret_event);

/* Pages so far, and how many of them had to be written. */
void snapshot_writer_count(const struct snapshot_writer *writer, uint64_t *ret_pages,
			   uint64_t *ret_written);
struct snapshot_writer *snapshot_writer_abort(struct snapshot_writer *writer);

/* Evicts what has fallen out of the window at @mono_ns. Cheap; call it at will. */
void store_trim(struct store *store, uint64_t mono_ns);

/*
 * Waits until all that was appended has been written. 0, or the negative errno of the
 * first write that failed since the last call.
 */
int store_flush(struct store *store);

/*
 * Has all that was written brought to the disk, in the background, unless the last call's
 * part of it is still on its way. Returns without waiting for the disk; 0 or a negative errno.
 */
int store_sync(struct store *store);

/*
 * When store_sync() should be called so that limits.sync_ns holds, CLOCK_MONOTONIC;
 * UINT64_MAX: nothing has been written. What a caller keeps from the store for longer than
 * half of that time may be older.
 */
uint64_t store_sync_due(struct store *store);

/*
 * Freezing. begin cuts every live log, links every live file into a new incident
 * and so pins it; copies nothing. The caller adds the final hashes and the mapped
 * files, then commits with the manifest: only then the incident exists, all at
 * once (incident.json is written to a temporary name, synced, renamed). Recording
 * may go on between begin and commit.
 *
 * Incidents over their share push out older ones, but never the first of the
 * store: the second oldest goes. If that isn't enough, the incident gets only the
 * newest part of the window: of each live domain at least the newest snapshot and
 * the log behind it. If that is more than the share too, begin returns
 * STORE_NO_ROOM: snapshots must be taken often enough, or the share be large enough,
 * for one segment to fit. The first incident takes no more than half of the share where it
 * can choose, so that there is a place for a second; of what store_expect_files() leaves of it.
 *
 * @id is a file name of the caller's making: letters, digits and "._-", not beginning
 * with a dot (else -EINVAL), and new (else -EEXIST).
 */
int store_freeze_begin(struct store *store, const char *id, struct freeze **ret_freeze);

/* The mapped files that incidents from now on will bring have so many bytes, as they are. */
void store_expect_files(struct store *store, uint64_t bytes);

/*
 * Why the last freeze found no room in the share: what counts against it, and what it is. No
 * share: that wasn't why.
 */
struct store_no_room {
	uint64_t share, mapped;		/* mapped: as far as it counts */
	uint64_t incidents;		/* of those that nothing may push out, the mapped files apart */
	uint64_t least;			/* of the window, not in those: the newest snapshots and logs */
};
void store_get_no_room(const struct store *store, struct store_no_room *ret_no_room);

/*
 * The hashes of a domain's last state, in one or more pieces of at most CHUNK_MAX_RAW
 * and at least one byte. STORE_NO_ROOM: all of this domain's are left out, the
 * incident is still good without them.
 */
int freeze_add_final(struct freeze *freeze, uint32_t domain, const void *data, size_t len);

/*
 * Copies the content of @fd, compressed; equal contents are stored once per store
 * (hard links between incidents). @ret_hash gets the name, 32 digits. STORE_NO_ROOM:
 * left out (as are files with more than 4 GiB, or over 16 GiB with their holes), the
 * incident is still good without it. -EINVAL: not a regular file. Reads the file twice,
 * but for its holes, and takes as long as that takes. Moves the position of @fd.
 */
int freeze_add_file(struct freeze *freeze, int fd, char ret_hash[static 33]);

/*
 * Of what is frozen: its directory, as long as @freeze lives; its domains, ascending, whose
 * array the caller frees; what store_set_about() said of one, the caller's to free (-ENOENT:
 * nothing); whether one has a snapshot, sound or not.
 */
int freeze_dir(const struct freeze *freeze);
int freeze_domains(const struct freeze *freeze, uint32_t **ret_domains, size_t *ret_n);
int freeze_read_about(const struct freeze *freeze, uint32_t domain, char **ret_text);
bool freeze_has_snapshot(const struct freeze *freeze, uint32_t domain);

/*
 * Writes a first incident.json: from then on the incident is there, whatever becomes of us.
 * freeze_commit() has another take its place, freeze_abort() removes all. 0, STORE_NO_ROOM or a
 * negative errno: then it isn't there yet.
 */
int freeze_publish(struct freeze *freeze, const char *manifest);

/*
 * @manifest is the text of incident.json: a JSON object, whose "format", if it has
 * one, is STORE_FORMAT_VERSION (else -EINVAL). Waits until all is on the disk. Frees
 * @freeze, whatever it returns; what returns other than 0 leaves no incident, or the one that was
 * published.
 */
int freeze_commit(struct freeze *freeze, const char *manifest);
struct freeze *freeze_abort(struct freeze *freeze);
