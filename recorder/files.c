/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"

/* Each costs a descriptor. More than this and later files are by reference to nothing. */
#define MAX_FILES 1000

/* As /proc/PID/maps has them: btrfs gives other numbers than fstat(2) does. */
struct seen {
	dev_t dev;
	ino_t ino;
};

struct files {
	struct mapped_file files[MAX_FILES];
	struct seen seen[MAX_FILES];	/* of the file of the same index */
	size_t n;
};

struct files *files_new(void)
{
	return calloc(1, sizeof(struct files));
}

struct files *files_free(struct files *files)
{
	if (!files)
		return NULL;
	for (size_t i = 0; i < files->n; i++) {
		(void) close(files->files[i].fd);
		free(files->files[i].path);
	}
	free(files);
	return NULL;
}

static struct file_id id_of(const struct stat *st)
{
	return (struct file_id){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec,
	};
}

static bool same_id(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

/* Through the mapping itself; that takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. */
static int open_by_mapping(pid_t pid, uint64_t start, uint64_t end)
{
	char path[96];

	(void) snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid, start, end);
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* By name, in the process's own root; the caller checks what it got. */
static int open_by_path(pid_t pid, const char *path)
{
	char in_root[PATH_MAX];

	if (snprintf(in_root, sizeof(in_root), "/proc/%d/root%s", pid, path) >= (int)sizeof(in_root)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(in_root, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static const struct mapped_file *add(struct files *files, int *fd, const struct stat *st, dev_t dev,
				     ino_t ino, const char *path)
{
	struct mapped_file *file = &files->files[files->n];

	if (files->n == MAX_FILES) {
		errno = EMFILE;
		return NULL;
	}
	file->path = strdup(path);
	if (!file->path)
		return NULL;
	file->id = id_of(st);
	file->fd = MOVE_FD(*fd);
	files->seen[files->n++] = (struct seen){ dev, ino };
	return file;
}

const struct mapped_file *files_of_mapping(struct files *files, pid_t pid, uint64_t start,
					   uint64_t end, dev_t dev, ino_t ino, const char *path)
{
	autoclean(closep) int fd = -1;
	struct stat st;

	for (size_t i = files->n; i-- > 0; ) {
		const struct mapped_file *file = &files->files[i];
		struct file_id now;

		if (files->seen[i].dev != dev || files->seen[i].ino != ino || fstat(file->fd, &st) < 0)
			continue;
		/* The same inode with other contents is another file to a replay. */
		now = id_of(&st);
		if (same_id(&now, &file->id))
			return file;
	}
	fd = open_by_mapping(pid, start, end);
	if (fd < 0) {
		fd = open_by_path(pid, path);
		if (fd < 0 || fstat(fd, &st) < 0)
			return NULL;
		if (st.st_ino != ino || st.st_dev != dev) {
			errno = ESTALE;
			return NULL;
		}
	}
	if (fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return NULL;
	}
	return add(files, &fd, &st, dev, ino, path);
}

const struct mapped_file *files_by_path(struct files *files, pid_t pid, const char *path,
					const struct file_id *id)
{
	for (int ours = 0; ours < 2; ours++) {
		autoclean(closep) int fd = ours ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) :
						  open_by_path(pid, path);
		struct file_id found;
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		found = id_of(&st);
		if (same_id(&found, id))
			return add(files, &fd, &st, st.st_dev, st.st_ino, path);
	}
	errno = ESTALE;
	return NULL;
}

const struct mapped_file *files_find(const struct files *files, const struct file_id *id)
{
	for (size_t i = 0; i < files->n; i++)
		if (same_id(&files->files[i].id, id))
			return &files->files[i];
	return NULL;
}

const struct mapped_file *files_all(const struct files *files, size_t *ret_n)
{
	*ret_n = files->n;
	return files->files;
}
