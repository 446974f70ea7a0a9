/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree - small trees of files: listing, walking, measuring, removing
 *
 * Everything is relative to a directory's descriptor, and no link is followed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "common/autoclean.h"

enum { TREE_BLOCK = 4096 };

/*
 * What a file of @len bytes takes on disk at most: its blocks, and the blocks in
 * which the file system keeps where they are. ext4 keeps four runs of blocks in
 * the inode and 340 in a block, and on a full disk each run is one block.
 */
static inline uint64_t tree_file_bytes(uint64_t len)
{
	uint64_t blocks = len / TREE_BLOCK + (len % TREE_BLOCK != 0);

	return (blocks + blocks / 256 + (blocks > 4)) * TREE_BLOCK;
}

/* What a directory takes: at least a block, for file systems that hide it in the inode. */
uint64_t tree_dir_bytes(const struct stat *st);

/* What a directory of @n entries, with names like ours, may take at most. */
static inline uint64_t tree_dir_bytes_for(size_t n)
{
	return (n > 64 ? 3 + n / 64 : 1) * (uint64_t)TREE_BLOCK;
}

/* A directory grows by so much at most when a name is added: two leaves and an index level. */
enum { TREE_DIR_GROWTH = 3 * TREE_BLOCK };

struct tree_names {
	char **names;
	size_t n;
};

/* The names in a directory, sorted. */
int tree_names(int dir_fd, struct tree_names *ret_names);
int tree_names_add(struct tree_names *names, const char *name);
void tree_names_deinit(struct tree_names *names);

int tree_open_dir(int dir_fd, const char *name, int *ret_fd);

/* Makes the directory (0700) if it isn't there, and opens it. */
int tree_make_dir(int dir_fd, const char *name, int *ret_fd);

/* Opens the regular file @name for reading, and tells its size. Anything else: -EBADMSG. */
int tree_open_file(int dir_fd, const char *name, int *ret_fd, uint64_t *ret_len);

/*
 * Called for @name below @dir_fd, for a directory after all that it holds. Other
 * than 0 ends the walk, which returns it.
 */
typedef int (*tree_visit)(int dir_fd, const char *name, const struct stat *st, void *userdata);
int tree_walk(int dir_fd, tree_visit visit, void *userdata);

/* Adds up what the files and directories below @dir_fd take, and itself. */
int tree_bytes(int dir_fd, uint64_t *ret_bytes);

/* Removes the file or the tree @name; one that isn't there is removed already. */
int tree_remove(int dir_fd, const char *name);

/* fsync of all that is below @dir_fd, and of itself. */
int tree_sync(int dir_fd);

/* Whole reads and writes. A read returns less than @len only at the end of the file. */
ssize_t tree_pread(int fd, void *buffer, size_t len, uint64_t offset);
int tree_pwrite(int fd, const void *data, size_t len, uint64_t offset);
