/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * incident - a frozen window, as it is listed, read, dumped and removed
 *
 * An incident is a directory (in a store, or unpacked from a dump into a
 * temporary one). Readers trust nothing: each chunk is checked, and what doesn't
 * check ends the stream with INCIDENT_DAMAGED. Threads may read different streams
 * of one incident; each reader belongs to one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct incident;
struct chunk_reader;

enum incident_outcome {		/* > 0: expected, the caller must handle it */
	INCIDENT_END = 1,	/* no more chunks, incidents or snapshots */
	INCIDENT_DAMAGED,	/* from here on the bytes aren't what was written */
};

/*
 * Opens the incident directory @path. -ENOENT: no such incident. -EBADMSG: it isn't
 * one, or its manifest is damaged. -EPROTONOSUPPORT: a newer version wrote it.
 */
int incident_open(const char *path, struct incident **ret_incident);
struct incident *incident_close(struct incident *incident);

/* The text of incident.json, the incident's directory, and its id; live as long as it does. */
const char *incident_manifest(const struct incident *incident);
const char *incident_path(const struct incident *incident);
const char *incident_id(const struct incident *incident);

/* Bytes on disk. */
uint64_t incident_bytes(const struct incident *incident);

/*
 * The domains, ascending, and the events at which a domain has whole snapshots (those
 * that have their end; they may yet prove damaged in the middle), ascending. The
 * caller frees the arrays.
 */
int incident_domains(struct incident *incident, uint32_t **ret_domains, size_t *ret_n);
int incident_snapshots(struct incident *incident, uint32_t domain, uint64_t **ret_events,
		       size_t *ret_n);

/* What a reader returns; @data belongs to the reader and lives until its next call. */
struct chunk_view {
	unsigned kind;
	uint64_t first_event;
	uint32_t n_events;
	uint64_t first_ns, last_ns;
	const void *data;
	size_t len;
};

/*
 * Reads a domain's log from the chunk that holds @event on, file after file; a
 * missing event number between files is damage. Or one snapshot's chunks, without
 * the end chunk. Or the final chunks. -ENOENT if there is none; a log with damage in
 * front of @event is read, and begins with INCIDENT_DAMAGED.
 */
int incident_read_log(struct incident *incident, uint32_t domain, uint64_t event,
		      struct chunk_reader **ret_reader);
int incident_read_snapshot(struct incident *incident, uint32_t domain, uint64_t event,
			   struct chunk_reader **ret_reader);
int incident_read_final(struct incident *incident, uint32_t domain,
			struct chunk_reader **ret_reader);

/*
 * 0 and a chunk in @ret_view, or INCIDENT_END, INCIDENT_DAMAGED, or a negative errno;
 * -EPROTONOSUPPORT is a sound chunk of a newer version. What isn't 0 stays so.
 */
int chunk_reader_next(struct chunk_reader *reader, struct chunk_view *ret_view);
struct chunk_reader *chunk_reader_close(struct chunk_reader *reader);

/*
 * The content of a mapped file, as a descriptor (CLOEXEC, at offset 0) of an
 * unlinked file or memfd; the hash is checked. -ENOENT: not in this incident.
 * -EINVAL: not a hash. -EBADMSG: damaged.
 */
int incident_open_file(struct incident *incident, const char *hash, int *ret_fd);

/*
 * The same for a file of this machine, @path, if it has this content now: -ESTALE if it hasn't,
 * or isn't a regular file.
 */
int incident_open_same(const char *path, uint64_t len, const char *hash, int *ret_fd);

/*
 * The ids of a store directory's incidents, oldest first; each is a directory
 * <dir>/incidents/<id>. Half-made ones aren't listed. The caller frees the array
 * with incident_free_ids().
 */
int incident_list(const char *store_dir, char ***ret_ids, size_t *ret_n);
char **incident_free_ids(char **ids, size_t n);

/*
 * Removes it, the manifest first, so that a half-removed one isn't one; the store's
 * next writer clears that up. -ENOENT, and -EINVAL for what can't be an id.
 */
int incident_remove(const char *store_dir, const char *id);

/* How far a dump is: bytes done of @total. */
typedef void (*incident_progress)(uint64_t done, uint64_t total, void *userdata);

/*
 * Writes the incident as one portable file: a tar archive (pax), compressed with
 * zstd, whose first member is "blackbox-incident" with the format's version and
 * id. It is written beside @path under a temporary name, mode 0600, synced, and
 * renamed; on failure nothing is left. A file that is there already is replaced,
 * the one behind a link; -EOPNOTSUPP if it is a device, a pipe or a socket.
 * @progress may be NULL. Without the mapped files, its manifest says of each that it is
 * "excluded", with the hash by which whoever replays it knows his own; of one that was
 * stripped, that it is "stripped", with the hash of what it is now.
 */
enum incident_dump_flags {
	INCIDENT_DUMP_EXCLUDE_FILES = 1 << 0,
	INCIDENT_DUMP_STRIP = 1 << 1,	/* without debug sections, if files aren't excluded */
};

int incident_dump(struct incident *incident, const char *path, unsigned flags,
		  incident_progress progress, void *userdata);

/*
 * Opens a dump: unpacks it below @tmp_dir (NULL: $TMPDIR or /var/tmp) into a
 * directory (0700) that incident_close() removes. Refuses what isn't a dump or isn't
 * whole, member names that aren't ours, links, and contents other than the archive's
 * own headers announce (-EBADMSG); a newer version's (-EPROTONOSUPPORT); what is larger
 * than the room there (-ENOSPC). Nothing is left of what is refused.
 */
int incident_open_dump(const char *path, const char *tmp_dir, struct incident **ret_incident);
