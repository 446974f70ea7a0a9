/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/store-internal.h"
#include "ringstore/tree.h"

int chunk_writer_new(struct store *store, int dir_fd, const char *name, uint32_t domain,
		     enum owner owner, struct chunk_writer **ret_writer)
{
	autoclean(freep) struct chunk_writer *writer = calloc(1, sizeof(*writer));
	autoclean(closep) int fd = -1;
	struct stat st;

	if (!writer)
		return -ENOMEM;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		int r = -errno;

		(void) unlinkat(dir_fd, name, 0);
		return r;
	}
	writer->blob = blob_new(st.st_ino);
	if (!writer->blob) {
		(void) unlinkat(dir_fd, name, 0);
		return -ENOMEM;
	}
	blob_hold(store, writer->blob, owner);
	writer->store = store;
	writer->domain = domain;
	writer->owner = owner;
	writer->file.fd = MOVE_FD(fd);
	writer->dirty_round = UINT64_MAX;
	*ret_writer = MOVE(writer);
	return 0;
}

int chunk_writer_add(struct chunk_writer *writer, uint64_t limit, struct chunk_info *info,
		     const void *data, size_t len)
{
	struct store *store = writer->store;
	struct io_buffer *buffer;
	uint64_t bytes;
	size_t stored;
	int r;

	if (writer->file.error)
		return store_disk_error(store, writer->file.error);
	r = io_get_buffer(store->io, chunk_max_stored(len), &buffer);
	if (r < 0)
		return r;
	info->domain = writer->domain;
	info->seq = writer->seq;
	stored = chunk_encode(store->encoder, info, data, len, buffer->data);

	bytes = tree_file_bytes(writer->len + stored);
	r = store_make_room(store, bytes - writer->blob->bytes, limit);
	if (r) {
		io_put_buffer(buffer);
		return r;
	}
	blob_resize(store, writer->blob, bytes);
	io_write(store->io, &writer->file, buffer, stored, writer->len);
	sync_note_file(store, writer);
	writer->len += stored;
	writer->seq++;
	store->bytes_written += stored;
	return writer->file.error ? store_disk_error(store, writer->file.error) : 0;
}

/*
 * What failed may have left a hole, with good chunks behind it: cut off, so that a
 * reader sees a log that ends, not a damaged one. If that fails too, the reader
 * stops at the hole.
 */
static int cut_failed(struct chunk_writer *writer)
{
	if (writer->file.valid < writer->len &&
	    ftruncate(writer->file.fd, (off_t)writer->file.valid) == 0)
		blob_resize(writer->store, writer->blob, tree_file_bytes(writer->file.valid));
	return store_disk_error(writer->store, writer->file.error);
}

static void chunk_writer_free(struct chunk_writer *writer)
{
	(void) close(writer->file.fd);
	(void) blob_release(writer->store, writer->blob, writer->owner);
	free(writer);
}

int chunk_writer_close(struct chunk_writer *writer)
{
	struct io *io = writer->store->io;
	int r = io_settle(io, &writer->file);

	if (r < 0)
		r = cut_failed(writer);
	else if (writer->len >= IO_SMALL)	/* less takes a freeze no time, and this some */
		io_writeback(io, writer->file.fd);
	chunk_writer_free(writer);
	return r;
}

void chunk_writer_abort(struct chunk_writer *writer)
{
	if (io_settle(writer->store->io, &writer->file) < 0)
		(void) store_disk_error(writer->store, writer->file.error);
	chunk_writer_free(writer);
}
