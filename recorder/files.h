/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files - the mapped files of a recorded service, kept open while they may be needed
 *
 * A replay needs the bytes that were mapped, and the file may be gone or another by
 * then (hazard 30). The recorder opens each when it sees it mapped, and an incident
 * copies it. A file is known by what fstat(2) says of it: device, inode, size and
 * modification time.
 *
 * So it is with files of which the log has large reads by reference (agent/references.c). They
 * are let go of once it has none any more: somebody may want to unmount what they are in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_id {
	uint64_t dev, ino, size, mtime_ns;
};

struct mapped_file {
	struct file_id id;
	char *path;		/* as the service sees it */
	int fd;			/* -1: it was let go of */
	bool is_mapped;		/* and so is kept for good */
	bool is_read;		/* it was held for references, */
	bool is_referred_to;	/* and there have been some since */
	bool is_left;		/* nobody has for a window's time */
	unsigned n_holders;	/* who may refer to it */
	uint64_t used_ns;	/* CLOCK_MONOTONIC: nothing newer refers to it */
};

struct files;

struct files *files_new(void);
struct files *files_free(struct files *files);

/*
 * Opens the file behind a mapping of process @pid, from @start to @end, whose line in
 * /proc/PID/maps says @dev, @ino and @path. Never by name alone: what is opened must be
 * that inode (hazard 25). Returns it, or NULL with errno set if it can't be had; it
 * belongs to @files. Mappings seen before cost no more than a look-up.
 */
const struct mapped_file *files_of_mapping(struct files *files, pid_t pid, uint64_t start,
					   uint64_t end, dev_t dev, ino_t ino, const char *path);

/*
 * Opens the file that process @pid knows as @path, if it has the identity @id; its own
 * root is tried first, then ours, for it may be gone already. As above.
 */
const struct mapped_file *files_by_path(struct files *files, pid_t pid, const char *path,
					const struct file_id *id);

/* The file with this identity, which is mapped, or NULL. */
const struct mapped_file *files_find(struct files *files, const struct file_id *id);

/*
 * Opens a file of which reads will be logged by reference: @path as process @pid has it, of the
 * identity @id, in a file system whose files can't change. It stays open until files_leave() and
 * beyond. NULL: it can't be had, or all of those that aren't mapped would have more than @max_bytes,
 * or there have been too many: what is said of each for who comes when we are gone has its bound.
 */
struct mapped_file *files_hold(struct files *files, pid_t pid, const char *path, const struct file_id *id,
			       uint64_t max_bytes);
/* @in_flight: who has held it may be about to refer to it for the last time. */
void files_leave(struct mapped_file *file, bool in_flight);
/* The log refers to it. False: it isn't there. */
bool files_refer(struct files *files, const struct file_id *id);
/* The log begins at @begin_ns: lets go of what only older references were to, and nobody holds. */
void files_trim(struct files *files, uint64_t begin_ns);
/* May its references be newer than that? */
bool files_is_used(const struct mapped_file *file, uint64_t begin_ns);
/* Those that others may want, too: the first from *@at on, which moves behind it. NULL: there are no more. */
struct mapped_file *files_next_held(struct files *files, size_t *at);
/* One more holds it. */
void files_share(struct mapped_file *file);

/* The type of a file system, by its name in /proc/PID/mountinfo: can't any of its files change? */
bool files_are_fixed(const char *type);
/* Devices whose files may change, as far as that has been found out; of too many, some. */
void files_note_changing(struct files *files, uint64_t dev);
const uint64_t *files_changing(const struct files *files, size_t *ret_n);

/* All of them; they live as long as @files. Some may have been let go of. */
const struct mapped_file *files_all(const struct files *files, size_t *ret_n);
