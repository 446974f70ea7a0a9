/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/io.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ringstore/tree.h"

/*
 * Enough to keep the disk's side busy while one buffer is being filled. They grow
 * to the largest chunk seen, so that this also bounds the memory.
 */
enum { N_BUFFERS = 8 };

struct io {
	struct io_uring ring;
	bool uring;
	bool uring_wanted;	/* and not tried yet */
	unsigned in_flight;	/* in the ring */
	int error;
	struct io_buffer buffers[N_BUFFERS];
};

int io_new(unsigned flags, struct io **ret_io)
{
	struct io *io = calloc(1, sizeof(*io));

	if (!io)
		return -ENOMEM;
	io->uring_wanted = !(flags & IO_PWRITE);
	*ret_io = io;
	return 0;
}

struct io *io_free(struct io *io)
{
	if (!io)
		return NULL;
	(void) io_flush(io);
	if (io->uring)
		io_uring_queue_exit(&io->ring);
	for (size_t i = 0; i < N_BUFFERS; i++)
		free(io->buffers[i].data);
	free(io);
	return NULL;
}

/*
 * Is there a ring? It is made when it is first of use: to make one and to end it again takes
 * longer than all that a short command's recording writes. Whatever the reason is that there's no
 * io_uring, plain writes do as well.
 */
static bool has_ring(struct io *io)
{
	if (io->uring_wanted)
		io->uring = io_uring_queue_init(N_BUFFERS, &io->ring, 0) == 0;
	io->uring_wanted = false;
	return io->uring;
}

const char *io_name(struct io *io)
{
	return has_ring(io) ? "io_uring" : "pwrite";
}

static void fail(struct io *io, struct io_file *file, uint64_t offset, int error)
{
	if (!file->error || offset < file->valid)
		file->valid = offset;
	if (!file->error)
		file->error = error;
	if (!io->error)
		io->error = error;
}

/* Writes in the ordinary way what the ring hasn't. */
static void write_rest(struct io *io, struct io_buffer *buffer, size_t done)
{
	int r = tree_pwrite(buffer->file->fd, buffer->data + done, buffer->len - done,
			    buffer->offset + done);

	if (r < 0)
		fail(io, buffer->file, buffer->offset, r);
}

/*
 * A short write is finished in the ordinary way, and what was interrupted or
 * couldn't be queued in the kernel is begun again so: all are rare, and there the
 * true reason turns up.
 */
static void complete(struct io *io, struct io_buffer *buffer, int result)
{
	if (buffer->file) {
		buffer->file->in_flight--;
		if (result == -EINTR || result == -EAGAIN)
			write_rest(io, buffer, 0);
		else if (result < 0)
			fail(io, buffer->file, buffer->offset, result);
		else if ((size_t)result < buffer->len)
			write_rest(io, buffer, (size_t)result);
	}
	buffer->state = IO_FREE;
}

/*
 * The kernel no longer answers for the ring. Its buffers may still be read from,
 * so they are given up for good, and their writes count as failed.
 */
static void abandon_ring(struct io *io, int error)
{
	for (size_t i = 0; i < N_BUFFERS; i++) {
		struct io_buffer *buffer = &io->buffers[i];

		if (buffer->state != IO_QUEUED)
			continue;
		if (buffer->file) {
			buffer->file->in_flight--;
			fail(io, buffer->file, buffer->offset, error);
		}
		*buffer = (struct io_buffer){ 0 };
	}
	io->in_flight = 0;
	io->uring = false;
}

static bool is_transient(int error)
{
	return error == -EINTR || error == -EAGAIN || error == -EBUSY;
}

static void reap(struct io *io, struct io_uring_cqe *cqe)
{
	struct io_buffer *buffer = io_uring_cqe_get_data(cqe);
	int result = cqe->res;

	io_uring_cqe_seen(&io->ring, cqe);
	io->in_flight--;
	complete(io, buffer, result);
}

static void wait_one(struct io *io)
{
	struct io_uring_cqe *cqe;
	int r;

	do
		r = io_uring_wait_cqe(&io->ring, &cqe);
	while (is_transient(r));
	if (r < 0)
		abandon_ring(io, r);
	else
		reap(io, cqe);
}

/* Takes in what is done, without waiting: errors are then known early. */
static void reap_ready(struct io *io)
{
	struct io_uring_cqe *cqe;

	while (io->uring && io->in_flight > 0 && io_uring_peek_cqe(&io->ring, &cqe) == 0)
		reap(io, cqe);
}

static struct io_buffer *find_free(struct io *io)
{
	for (size_t i = 0; i < N_BUFFERS; i++)
		if (io->buffers[i].state == IO_FREE)
			return &io->buffers[i];
	return NULL;
}

static struct io_buffer *get_slot(struct io *io)
{
	struct io_buffer *buffer;

	reap_ready(io);
	while (!(buffer = find_free(io)))
		wait_one(io);
	buffer->state = IO_TAKEN;
	return buffer;
}

int io_get_buffer(struct io *io, size_t size, struct io_buffer **ret_buffer)
{
	struct io_buffer *buffer = get_slot(io);

	if (buffer->size < size) {
		free(buffer->data);
		buffer->data = malloc(size);
		buffer->size = buffer->data ? size : 0;
	}
	if (!buffer->data) {
		buffer->state = IO_FREE;
		return -ENOMEM;
	}
	*ret_buffer = buffer;
	return 0;
}

void io_put_buffer(struct io_buffer *buffer)
{
	buffer->state = IO_FREE;
}

/*
 * Submits @sqe for @buffer. False: the kernel won't have it. Entries are submitted
 * one by one and the ring has as many as there are buffers: one is always free.
 */
static bool submit(struct io *io, struct io_uring_sqe *sqe, struct io_buffer *buffer)
{
	int r;

	io_uring_sqe_set_data(sqe, buffer);
	for (;;) {
		r = io_uring_submit(&io->ring);
		if (r == 1) {
			io->in_flight++;
			return true;
		}
		if (!is_transient(r) || (io->in_flight == 0 && r != -EINTR))
			return false;
		if (io->in_flight > 0)
			wait_one(io);
		if (!io->uring)
			return false;
	}
}

/* An entry that was refused still stands in the ring: nothing may be submitted behind it. */
static void leave_ring(struct io *io)
{
	while (io->in_flight > 0)
		wait_one(io);
	if (io->uring)
		io_uring_queue_exit(&io->ring);
	io->uring = false;
}

void io_write(struct io *io, struct io_file *file, struct io_buffer *buffer, size_t len,
	      uint64_t offset)
{
	struct io_uring_sqe *sqe;

	buffer->state = IO_QUEUED;
	buffer->file = file;
	buffer->offset = offset;
	buffer->len = len;
	file->in_flight++;
	if (len >= IO_SMALL && has_ring(io)) {
		sqe = io_uring_get_sqe(&io->ring);
		io_uring_prep_write(sqe, file->fd, buffer->data, (unsigned)len, offset);
		if (submit(io, sqe, buffer))
			return;
		leave_ring(io);
	}
	if (buffer->state == IO_QUEUED)	/* else it has gone with the ring */
		complete(io, buffer, 0);
}

void io_writeback(struct io *io, int fd)
{
	struct io_buffer *buffer;
	struct io_uring_sqe *sqe;

	if (!has_ring(io)) {
		(void) sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		return;
	}
	buffer = get_slot(io);
	buffer->file = NULL;
	buffer->state = IO_QUEUED;
	if (!io->uring) {	/* lost while waiting for the slot */
		buffer->state = IO_FREE;
		return;
	}
	sqe = io_uring_get_sqe(&io->ring);
	io_uring_prep_sync_file_range(sqe, fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	if (!submit(io, sqe, buffer)) {
		buffer->state = IO_FREE;
		leave_ring(io);
	}
}

int io_settle(struct io *io, struct io_file *file)
{
	while (file->in_flight > 0)
		wait_one(io);
	return file->error;
}

void io_wait(struct io *io)
{
	while (io->in_flight > 0)
		wait_one(io);
}

int io_sync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* fdatasync() needn't bring a directory's new names to the disk. */
	return (S_ISDIR(st.st_mode) ? fsync(fd) : fdatasync(fd)) < 0 ? -errno : 0;
}

int io_sync_all(int fd)
{
	return syncfs(fd) < 0 ? -errno : 0;
}

int io_flush(struct io *io)
{
	int error;

	io_wait(io);
	error = io->error;
	io->error = 0;
	return error;
}
