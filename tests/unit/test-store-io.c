/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each test runs on io_uring, where the machine has it, and on plain writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/io.h"
#include "tests/unit/test-store-util.h"

struct fixture {
	unsigned flags;
	struct io *io;
	char *dir;
};

static int setup(void **state, unsigned flags)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->flags = flags;
	f->dir = make_tmp_dir();
	assert_int_equal(io_new(flags, &f->io), 0);
	*state = f;
	return 0;
}

static int setup_uring(void **state)
{
	return setup(state, 0);
}

static int setup_pwrite(void **state)
{
	return setup(state, IO_PWRITE);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_null(io_free(f->io));
	remove_tmp_dir(f->dir);
	free(f);
	return 0;
}

static void names(void **state)
{
	const struct fixture *f = *state;

	assert_string_equal(io_name(f->io), f->flags & IO_PWRITE ? "pwrite" : "io_uring");
}

static struct io_file create(const struct fixture *f, const char *name)
{
	struct io_file file = { .fd = -1 };
	char path[PATH_SIZE];

	file.fd = open(path_of(path, "%s/%s", f->dir, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file.fd >= 0);
	return file;
}

static void queue(const struct fixture *f, struct io_file *file, uint64_t seed, size_t len,
		  uint64_t offset)
{
	struct io_buffer *buffer;

	assert_int_equal(io_get_buffer(f->io, len, &buffer), 0);
	fill(buffer->data, len, seed, 1);
	io_write(f->io, file, buffer, len, offset);
}

static void check(int fd, uint64_t seed, size_t len, uint64_t offset)
{
	autoclean(freep) uint8_t *want = malloc(len), *got = malloc(len);

	fill(want, len, seed, 1);
	assert_int_equal(pread(fd, got, len, (off_t)offset), len);
	assert_memory_equal(want, got, len);
}

/* Many more than there are buffers, of growing sizes, in two files. */
static void writes(void **state)
{
	const struct fixture *f = *state;
	struct io_file a, b;
	uint64_t offset = 0;

	a = create(f, "a");
	b = create(f, "b");
	for (unsigned i = 0; i < 100; i++) {
		queue(f, &a, i, 1000 * (i + 1), offset);
		queue(f, &b, i + 1000, 4096, i * 4096);
		offset += 1000 * (i + 1);
	}
	io_writeback(f->io, a.fd);
	assert_int_equal(io_settle(f->io, &a), 0);
	assert_int_equal(a.in_flight, 0);
	offset = 0;
	for (unsigned i = 0; i < 100; i++) {
		check(a.fd, i, 1000 * (i + 1), offset);
		offset += 1000 * (i + 1);
	}
	assert_int_equal(io_flush(f->io), 0);
	assert_int_equal(b.in_flight, 0);
	for (unsigned i = 0; i < 100; i++)
		check(b.fd, i + 1000, 4096, i * 4096);
	(void) close(a.fd);
	(void) close(b.fd);
}

static void buffers_come_back(void **state)
{
	const struct fixture *f = *state;
	struct io_buffer *buffer;

	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(io_get_buffer(f->io, 100, &buffer), 0);
		io_put_buffer(buffer);
	}
}

/* What is small isn't waited for. */
static void small_writes(void **state)
{
	const struct fixture *f = *state;
	struct io_file file = create(f, "small");

	queue(f, &file, 1, IO_SMALL - 1, 0);
	assert_int_equal(file.in_flight, 0);
	check(file.fd, 1, IO_SMALL - 1, 0);
	(void) close(file.fd);
}

/* One file fails, the other doesn't; the first error is kept, and told once. */
static void errors(void **state)
{
	const struct fixture *f = *state;
	struct io_file good, full = { .fd = open("/dev/full", O_WRONLY | O_CLOEXEC) };

	assert_true(full.fd >= 0);
	good = create(f, "good");
	for (unsigned i = 0; i < 20; i++) {
		queue(f, &good, i, IO_SMALL, i * IO_SMALL);
		queue(f, &full, i, IO_SMALL, (20 - i) * IO_SMALL);
	}
	assert_int_equal(io_settle(f->io, &full), -ENOSPC);
	assert_int_equal(full.valid, IO_SMALL);	/* the lowest of those that failed */
	assert_int_equal(io_settle(f->io, &good), 0);
	assert_int_equal(io_flush(f->io), -ENOSPC);
	assert_int_equal(io_flush(f->io), 0);
	for (unsigned i = 0; i < 20; i++)
		check(good.fd, i, IO_SMALL, i * IO_SMALL);
	(void) close(good.fd);
	(void) close(full.fd);
}

/* The limit lies within a write: what is in front of it is written, the rest fails. */
static void short_writes(void **state)
{
	const struct fixture *f = *state;
	struct rlimit old, limit;
	struct io_file file = create(f, "short");

	(void) signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ IO_SMALL + 2000, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	queue(f, &file, 1, IO_SMALL, 0);
	queue(f, &file, 2, IO_SMALL, IO_SMALL);
	assert_int_equal(io_settle(f->io, &file), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(file.valid, IO_SMALL);
	check(file.fd, 1, IO_SMALL, 0);
	assert_int_equal(lseek(file.fd, 0, SEEK_END), IO_SMALL + 2000);
	(void) close(file.fd);
}

/* A descriptor that can't be written at all: the error is the file's, not the program's end. */
static void bad_descriptor(void **state)
{
	const struct fixture *f = *state;
	struct io_file file = { .fd = open("/dev/null", O_RDONLY | O_CLOEXEC) };

	queue(f, &file, 1, IO_SMALL, 0);
	assert_int_equal(io_settle(f->io, &file), -EBADF);
	(void) close(file.fd);
}

static const char *no_uring(void)
{
	const char *reason = NULL;
	struct io *io;

	assert_int_equal(io_new(0, &io), 0);
	if (strcmp(io_name(io), "io_uring") != 0)
		reason = "there is no io_uring here";
	assert_null(io_free(io));
	return reason;
}

#define NAMED(test, io)                                                                            \
	((struct CMUnitTest){ #test " (" #io ")", test, setup_##io, teardown, NULL })
#define BOTH(test) unless(reason, NAMED(test, uring)), NAMED(test, pwrite)

int main(void)
{
	const char *reason = no_uring();
	const struct CMUnitTest tests[] = {
		BOTH(names),
		BOTH(writes),
		BOTH(buffers_come_back),
		BOTH(small_writes),
		BOTH(errors),
		BOTH(short_writes),
		BOTH(bad_descriptor),
	};

	return cmocka_run_group_tests_name("store-io", tests, NULL, NULL);
}
