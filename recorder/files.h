/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files - the mapped files of a recorded service, kept open while they may be needed
 *
 * A replay needs the bytes that were mapped, and the file may be gone or another by
 * then (hazard 30). The recorder opens each when it sees it mapped, and an incident
 * copies it. A file is known by what fstat(2) says of it: device, inode, size and
 * modification time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_id {
	uint64_t dev, ino, size, mtime_ns;
};

struct mapped_file {
	struct file_id id;
	char *path;		/* as the service sees it */
	int fd;
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

/* The file with this identity, or NULL. */
const struct mapped_file *files_find(const struct files *files, const struct file_id *id);

/* All of them; they live as long as @files. */
const struct mapped_file *files_all(const struct files *files, size_t *ret_n);
