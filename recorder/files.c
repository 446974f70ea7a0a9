/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"

/* Each costs a descriptor. More than this and later files are by reference to nothing. */
#define MAX_FILES 1000
/* Of those, that were only read, ever. */
#define MAX_READ 250
/* Devices that needn't be asked about again. */
#define MAX_CHANGING 16
/* What refers to a file may be older than when we hear of it, and by our clock newer. */
#define REFERENCE_SLACK_NS UINT64_C(2000000000)

/* As /proc/PID/maps has them: btrfs gives other numbers than fstat(2) does. */
struct seen {
	dev_t dev;
	ino_t ino;
};

struct files {
	struct mapped_file files[MAX_FILES];
	struct seen seen[MAX_FILES];	/* of the file of the same index */
	size_t n, n_read;
	uint64_t changing[MAX_CHANGING];
	size_t n_changing;	/* all ever */
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
		if (files->files[i].fd >= 0)
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

static struct mapped_file *add(struct files *files, int *fd, const struct stat *st, dev_t dev, ino_t ino,
			       const char *path)
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

static const struct mapped_file *note_mapped(struct mapped_file *file)
{
	if (file)
		file->is_mapped = true;
	return file;
}

const struct mapped_file *files_of_mapping(struct files *files, pid_t pid, uint64_t start,
					   uint64_t end, dev_t dev, ino_t ino, const char *path)
{
	autoclean(closep) int fd = -1;
	struct stat st;

	for (size_t i = files->n; i-- > 0; ) {
		struct mapped_file *file = &files->files[i];
		struct file_id now;

		if (files->seen[i].dev != dev || files->seen[i].ino != ino || fstat(file->fd, &st) < 0)
			continue;
		/* The same inode with other contents is another file to a replay. */
		now = id_of(&st);
		if (same_id(&now, &file->id))
			return note_mapped(file);
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
	return note_mapped(add(files, &fd, &st, dev, ino, path));
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
			return note_mapped(add(files, &fd, &st, st.st_dev, st.st_ino, path));
	}
	errno = ESTALE;
	return NULL;
}

/* One that is open, or (@gone) was. */
static struct mapped_file *find(struct files *files, const struct file_id *id, bool gone)
{
	for (size_t i = 0; i < files->n; i++)
		if ((files->files[i].fd < 0) == gone && same_id(&files->files[i].id, id))
			return &files->files[i];
	return NULL;
}

const struct mapped_file *files_find(struct files *files, const struct file_id *id)
{
	return note_mapped(find(files, id, false));
}

/* -- by reference -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	long magic;
} fixed_types[] = {
	{ "squashfs", SQUASHFS_MAGIC },
	{ "erofs", EROFS_SUPER_MAGIC_V1 },
};

/*
 * The kernel has no code that writes to them, and refuses to mount one for writing, whoever asks.
 * Others that are mounted read-only can be mounted anew, files with the immutable attribute lose
 * it at root's word, and both are written to then without our being asked. A network's file system
 * is changed by others; so is what is below an overlay, whose files look as if they were theirs.
 */
static bool is_fixed(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(fixed_types) / sizeof(fixed_types[0]); i++)
		if (fs.f_type == fixed_types[i].magic)
			return true;
	return false;
}

bool files_are_fixed(const char *type)
{
	for (size_t i = 0; i < sizeof(fixed_types) / sizeof(fixed_types[0]); i++)
		if (strcmp(type, fixed_types[i].name) == 0)
			return true;
	return false;
}

void files_note_changing(struct files *files, uint64_t dev)
{
	for (size_t i = 0; i < files->n_changing && i < MAX_CHANGING; i++)
		if (files->changing[i] == dev)
			return;
	files->changing[files->n_changing++ % MAX_CHANGING] = dev;
}

const uint64_t *files_changing(const struct files *files, size_t *ret_n)
{
	*ret_n = files->n_changing < MAX_CHANGING ? files->n_changing : MAX_CHANGING;
	return files->changing;
}

static uint64_t bytes_read_only(const struct files *files)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < files->n; i++)
		if (files->files[i].fd >= 0 && !files->files[i].is_mapped)
			sum += files->files[i].id.size;
	return sum;
}

static struct mapped_file *open_read(struct files *files, pid_t pid, const char *path, const struct file_id *id)
{
	struct mapped_file *file = find(files, id, true);
	autoclean(closep) int fd = open_by_path(pid, path);
	struct file_id found;
	struct stat st;

	if (fd < 0)	/* the process may be gone */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_fixed(fd))
		return NULL;
	found = id_of(&st);
	if (!same_id(&found, id))
		return NULL;
	if (file)
		file->fd = MOVE_FD(fd);
	else if (files->n_read < MAX_READ)
		file = add(files, &fd, &st, st.st_dev, st.st_ino, path);
	if (file && !file->is_read)
		files->n_read++;
	return file;
}

/* Whatever refers to it is older. */
static void note_used(struct mapped_file *file)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	file->used_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec + REFERENCE_SLACK_NS;
}

struct mapped_file *files_hold(struct files *files, pid_t pid, const char *path, const struct file_id *id,
			       uint64_t max_bytes)
{
	struct mapped_file *file = find(files, id, false);
	uint64_t bytes = bytes_read_only(files);

	if (!file && (id->size > max_bytes || bytes > max_bytes - id->size))
		return NULL;
	if (!file)
		file = open_read(files, pid, path, id);
	/* It may be here because it is mapped. */
	if (!file || !is_fixed(file->fd))
		return NULL;
	file->is_read = true;
	file->is_left = false;
	files_share(file);
	note_used(file);
	return file;
}

struct mapped_file *files_next_held(struct files *files, size_t *at)
{
	while (*at < files->n) {
		struct mapped_file *file = &files->files[(*at)++];

		if (file->is_read && file->fd >= 0 && !file->is_left)
			return file;
	}
	return NULL;
}

void files_share(struct mapped_file *file)
{
	file->n_holders++;
}

void files_leave(struct mapped_file *file, bool in_flight)
{
	file->n_holders--;
	if (!in_flight)
		return;
	note_used(file);
	file->is_left = true;
}

bool files_refer(struct files *files, const struct file_id *id)
{
	struct mapped_file *file = find(files, id, false);

	if (!file)
		return false;
	file->is_referred_to = true;
	file->is_left = false;
	note_used(file);
	return true;
}

bool files_is_used(const struct mapped_file *file, uint64_t begin_ns)
{
	return file->used_ns >= begin_ns;
}

void files_trim(struct files *files, uint64_t begin_ns)
{
	for (size_t i = 0; i < files->n; i++) {
		struct mapped_file *file = &files->files[i];

		if (file->fd < 0 || files_is_used(file, begin_ns))
			continue;
		file->is_referred_to = false;
		if (file->is_mapped || file->n_holders)
			continue;
		(void) close(file->fd);
		file->fd = -1;
	}
}

const struct mapped_file *files_all(const struct files *files, size_t *ret_n)
{
	*ret_n = files->n;
	return files->files;
}
