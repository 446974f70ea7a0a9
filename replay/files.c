/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that were mapped, or read: the incident's copies, or those of this machine that have the same content. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "replay/internal.h"
#include "replay/session-internal.h"

/* A row of the manifest's, without a descriptor. */
static struct replay_file identity(struct json_object *row)
{
	return (struct replay_file){ json_count(row, "dev"), json_count(row, "ino"), json_count(row, "size"),
				     json_count(row, "mtime_ns"), -1, 0 };
}

static bool is_same(const struct replay_file *a, const struct replay_file *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns;
}

/* The file itself, if its content was never looked at: only if it is the very one. */
static int open_original(const char *path, const struct replay_file *file, int *ret_fd)
{
	autoclean(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != file->ino || st.st_dev != file->dev || (uint64_t)st.st_size != file->size ||
	    (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec != file->mtime_ns)
		return -ESTALE;
	*ret_fd = MOVE_FD(fd);
	return 0;
}

int window_open_file(struct window *window, struct json_object *row, int *ret_fd)
{
	const char *hash = json_text(row, "hash"), *path = json_text(row, "path");
	const struct replay_file file = identity(row);

	if (!*hash)
		return open_original(path, &file, ret_fd);
	if (incident_open_file(window->incident, hash, ret_fd) == 0)
		return 0;
	return incident_open_same(path, file.size, hash, ret_fd);
}

int session_open_files(struct session *s)
{
	struct json_object *list = json_list(s->window->manifest, "files");
	size_t n;

	if (!list)
		return 0;
	n = json_object_array_length(list);
	s->files = calloc(n + 1, sizeof(*s->files));
	if (!s->files)
		return -ENOMEM;
	for (size_t i = 0; i < n && i < MAX_REPLAY_FILES; i++) {
		struct json_object *row = json_object_array_get_idx(list, i);
		struct replay_file *file = &s->files[s->n_files];

		*file = identity(row);
		/* One that can't be had is missed only if something maps it. */
		if (window_open_file(s->window, row, &file->fd) == 0)
			s->n_files++;
	}
	s->shared->n_files = (uint32_t)s->n_files;
	memcpy(s->shared->files, s->files, s->n_files * sizeof(*s->files));
	return 0;
}

int session_file(const struct session *s, const struct image_map *row)
{
	const struct replay_file wanted = { le64_get(row->dev), le64_get(row->ino), le64_get(row->size),
					    le64_get(row->mtime_ns), -1, 0 };

	for (size_t i = 0; i < s->n_files; i++)
		if (is_same(&s->files[i], &wanted))
			return s->files[i].fd;
	return -1;
}

/* The manifest's row of the file, or NULL. */
static struct json_object *row_of(const struct session *s, const struct replay_file *file)
{
	struct json_object *list = json_list(s->window->manifest, "files");

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *row = json_object_array_get_idx(list, i);
		const struct replay_file listed = identity(row);

		if (is_same(&listed, file))
			return row;
	}
	return NULL;
}

int session_read_differs(const struct session *s, const struct event_reference *read,
			 struct replay_error *ret_error)
{
	const struct replay_file file = { read->dev, read->ino, read->size, read->mtime_ns, -1, 0 };
	struct json_object *row = row_of(s, &file);

	return replay_fail(ret_error, -ESTALE, "the file %s (%" PRIu64 " bytes, hash %s) isn't what it was at event "
			   "%" PRIu64 ", where the program read from it at offset %" PRIu64,
			   row ? json_text(row, "path") : "?", read->size,
			   row && *json_text(row, "hash") ? json_text(row, "hash") : "unknown",
			   session_position(s), read->offset);
}

int session_lacks_file(const struct session *s, const struct replay_file *file,
		       struct replay_error *ret_error)
{
	struct json_object *row = row_of(s, file);
	autoclean(closep) int fd = -1;
	int r;

	if (!row)
		return replay_fail(ret_error, -ENOENT, "a file (device %" PRIx64 ", inode %" PRIu64 ", %" PRIu64
				   " bytes) isn't in the incident", file->dev, file->ino, file->size);
	r = window_open_file(s->window, row, &fd);
	return replay_fail(ret_error, -ESTALE, "the file %s (%" PRIu64 " bytes, hash %s) isn't in "
			   "the incident, and %s", json_text(row, "path"), file->size,
			   *json_text(row, "hash") ? json_text(row, "hash") : "unknown",
			   r == -ENOENT ? "not here either" :
			   r == -ESTALE ? "the one here differs from what was recorded" :
			   r < 0 ? strerror(-r) : "there are too many");
}
