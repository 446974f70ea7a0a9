/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ours are three deep; what is deeper was put there by someone else. */
enum { MAX_DEPTH = 32 };

uint64_t tree_dir_bytes(const struct stat *st)
{
	uint64_t blocks = (uint64_t)st->st_blocks * 512;
	uint64_t size = (uint64_t)st->st_size;
	uint64_t bytes = blocks > size ? blocks : size;

	return bytes > TREE_BLOCK ? (bytes + TREE_BLOCK - 1) / TREE_BLOCK * TREE_BLOCK
				  : TREE_BLOCK;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void tree_names_deinit(struct tree_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct tree_names){ 0 };
}

int tree_names_add(struct tree_names *names, const char *name)
{
	char **grown = reallocarray(names->names, names->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	names->names = grown;
	grown[names->n] = strdup(name);
	if (!grown[names->n])
		return -ENOMEM;
	names->n++;
	return 0;
}

int tree_names(int dir_fd, struct tree_names *ret_names)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	autoclean(closedirp) DIR *dir = NULL;
	int fd;

	/* Not a duplicate: that would share the position of @dir_fd. */
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		(void) close(fd);
		return -ENOMEM;
	}

	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry && errno)
			return -errno;
		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (tree_names_add(&names, entry->d_name) < 0)
			return -ENOMEM;
	}
	if (names.n)
		qsort(names.names, names.n, sizeof(*names.names), compare_names);
	*ret_names = names;
	names = (struct tree_names){ 0 };
	return 0;
}

int tree_open_dir(int dir_fd, const char *name, int *ret_fd)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int tree_make_dir(int dir_fd, const char *name, int *ret_fd)
{
	if (mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return tree_open_dir(dir_fd, name, ret_fd);
}

int tree_open_file(int dir_fd, const char *name, int *ret_fd, uint64_t *ret_len)
{
	autoclean(closep) int fd = -1;
	struct stat st;

	/* O_NONBLOCK: opening a fifo that someone put there must not hang. */
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	*ret_len = (uint64_t)st.st_size;
	*ret_fd = MOVE_FD(fd);
	return 0;
}

static int walk(int dir_fd, unsigned depth, tree_visit visit, void *userdata);

static int walk_one(int dir_fd, const char *name, unsigned depth, tree_visit visit, void *userdata)
{
	struct stat st;
	int r;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;	/* gone since it was listed */
	if (S_ISDIR(st.st_mode)) {
		autoclean(closep) int fd = -1;

		r = tree_open_dir(dir_fd, name, &fd);
		if (r == 0)
			r = walk(fd, depth + 1, visit, userdata);
		if (r)
			return r;
	}
	return visit(dir_fd, name, &st, userdata);
}

static int walk(int dir_fd, unsigned depth, tree_visit visit, void *userdata)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	int r;

	if (depth > MAX_DEPTH)
		return -ELOOP;
	r = tree_names(dir_fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = walk_one(dir_fd, names.names[i], depth, visit, userdata);
	return r;
}

int tree_walk(int dir_fd, tree_visit visit, void *userdata)
{
	return walk(dir_fd, 0, visit, userdata);
}

static int add_bytes(int dir_fd, const char *name, const struct stat *st, void *userdata)
{
	uint64_t *bytes = userdata;

	(void) dir_fd;
	(void) name;
	*bytes += S_ISDIR(st->st_mode) ? tree_dir_bytes(st)
				       : tree_file_bytes((uint64_t)st->st_size);
	return 0;
}

int tree_bytes(int dir_fd, uint64_t *ret_bytes)
{
	uint64_t bytes = 0;
	struct stat st;
	int r;

	if (fstat(dir_fd, &st) < 0)
		return -errno;
	r = tree_walk(dir_fd, add_bytes, &bytes);
	if (r < 0)
		return r;
	*ret_bytes = bytes + tree_dir_bytes(&st);
	return 0;
}

static int remove_one(int dir_fd, const char *name, const struct stat *st, void *userdata)
{
	(void) userdata;
	if (unlinkat(dir_fd, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0) < 0 &&
	    errno != ENOENT)
		return -errno;
	return 0;
}

int tree_remove(int dir_fd, const char *name)
{
	return walk_one(dir_fd, name, 0, remove_one, NULL);
}

static int sync_one(int dir_fd, const char *name, const struct stat *st, void *userdata)
{
	autoclean(closep) int fd = -1;

	(void) userdata;
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return 0;
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int tree_sync(int dir_fd)
{
	int r = tree_walk(dir_fd, sync_one, NULL);

	if (r == 0 && fsync(dir_fd) < 0)
		return -errno;
	return r;
}

ssize_t tree_pread(int fd, void *buffer, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buffer + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int tree_pwrite(int fd, const void *data, size_t len, uint64_t offset)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)data + done, len - done,
				   (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;	/* no progress and no reason: don't spin */
		done += (size_t)n;
	}
	return 0;
}
