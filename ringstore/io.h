/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * io - writes that go on while the caller compresses the next ones
 *
 * A fixed number of buffers: the caller takes one, fills it and queues it; when
 * all are in flight, taking one waits. Writes go through io_uring; where that
 * isn't to be had (containers, io_uring_disabled, memory limits) they are plain
 * writes, done at once.
 *
 * The buffers aren't registered, and there is no O_DIRECT. The page cache takes the bytes by a
 * copy either way, for which a registered buffer saves nothing, and 8 buffers of a megabyte
 * would be pinned in each recorder. O_DIRECT wants whole blocks, where chunks stand byte by byte,
 * and an incident that is dumped at once would come back from the disk. By fio, 512 MB in pieces
 * of 128K, 8 in flight: 0.30 to 0.36 s of processor time with the page cache, 0.26 to 0.34 s with
 * O_DIRECT, registered or not; what the disk makes of it varied more from run to run.
 *
 * What fails is remembered in the file and in the io; the call that queued it has
 * long returned. One thread per io.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct io;

enum io_flags {
	IO_PWRITE = 1 << 0,	/* never io_uring */
};

/*
 * Less than this is written at once: the kernel would hand it to a thread of its own, for
 * which io_settle() would wait.
 */
enum { IO_SMALL = 64 << 10 };

struct io_file {		/* must live until io_settle() */
	int fd;
	unsigned in_flight;
	int error;		/* of the first write that failed, negative errno */
	uint64_t valid;		/* if one failed: from here on the content is unknown */
};

struct io_buffer {
	uint8_t *data;		/* for the caller to fill; the rest is io's */
	size_t size;
	enum io_buffer_state { IO_FREE, IO_TAKEN, IO_QUEUED } state;
	struct io_file *file;	/* NULL: nobody waits for what becomes of it */
	uint64_t offset;
	size_t len;
};

/* Never fails for lack of io_uring, but -ENOMEM. */
int io_new(unsigned flags, struct io **ret_io);

/* Finishes what is in flight. */
struct io *io_free(struct io *io);

/* "io_uring" or "pwrite". */
const char *io_name(struct io *io);

/*
 * A buffer of at least @size bytes; waits for one to be free. It goes to
 * io_write() or io_put_buffer(). -ENOMEM.
 */
int io_get_buffer(struct io *io, size_t size, struct io_buffer **ret_buffer);
void io_put_buffer(struct io_buffer *buffer);

/* Queues the first @len bytes of @buffer, to be written at @offset. */
void io_write(struct io *io, struct io_file *file, struct io_buffer *buffer, size_t len,
	      uint64_t offset);

/*
 * Has the kernel begin to write the file's pages to the disk: a freeze then finds
 * them there. Nobody waits for it, @fd may be closed at once.
 */
void io_writeback(struct io *io, int fd);

/* Waits until nothing of @file is in flight. 0, or what was the first error. */
int io_settle(struct io *io, struct io_file *file);

/* Waits until nothing is in flight. 0, or the first error since the last call. */
int io_flush(struct io *io);

/* The same, and leaves the error for io_flush(). */
void io_wait(struct io *io);

/* fdatasync(2) of a file or fsync(2) of a directory; any thread. 0 or a negative errno. */
int io_sync(int fd);

/* syncfs(2): all of the file system that has @fd; any thread. 0 or a negative errno. */
int io_sync_all(int fd);
