/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every call that writes to a file, to one that is mapped. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "check.h"

enum { LEN = 64 << 10 };

static const char *at;

static bool shows(off_t offset, const char *text)
{
	return memcmp(at + offset, text, strlen(text)) == 0;
}

static void from_memory(int fd)
{
	struct iovec parts[3] = { { "one", 3 }, { NULL, 0 }, { "two", 3 } };

	CHECK(lseek(fd, 100, SEEK_SET) == 100 && write(fd, "write", 5) == 5 && shows(100, "write"));
	CHECK(writev(fd, parts, 3) == 6 && shows(100, "writeonetwo"));
	CHECK(pwrite(fd, "pwrite", 6, 5000) == 6 && shows(5000, "pwrite"));
	CHECK(pwritev(fd, parts, 3, 6000) == 6 && shows(6000, "onetwo"));
	CHECK(pwritev2(fd, parts, 3, 6003, 0) == 6 && shows(6000, "oneonetwo"));
	CHECK(pwritev2(fd, parts, 3, -1, 0) == 6 && shows(100, "writeonetwoonetwo"));
	parts[2].iov_base = (void *)8;
	CHECK(pwritev(fd, parts, 3, 7000) == 3 && shows(7000, "one"));
	/* From the mapping itself. */
	CHECK(pwrite(fd, at + 100, 8, 9000) == 8 && shows(9000, "writeone"));
}

static void from_files(int fd)
{
	int source = temporary_file(0), pipes[2];
	off_t from = 2, to = 20000;

	CHECK(write(source, "0123456789", 10) == 10 && lseek(fd, 10000, SEEK_SET) == 10000);
	CHECK(sendfile(fd, source, &from, 5) == 5 && shows(10000, "23456") && from == 7);
	from = 0;
	CHECK(copy_file_range(source, &from, fd, &to, 4, 0) == 4 && shows(20000, "0123"));
	CHECK(to == 20004);
	CHECK(lseek(source, 6, SEEK_SET) == 6);
	CHECK(copy_file_range(source, NULL, fd, NULL, 4, 0) == 4 && shows(10000, "234566789"));
	CHECK(pipe(pipes) == 0 && write(pipes[1], "by a pipe", 9) == 9);
	to = 30000;
	CHECK(splice(pipes[0], NULL, fd, &to, 9, 0) == 9 && shows(30000, "by a pipe"));
	CHECK(write(pipes[1], "and on", 6) == 6 && splice(pipes[0], NULL, fd, NULL, 6, 0) == 6);
	CHECK(shows(10000, "234566789and on"));
}

int main(void)
{
	char name[] = "/tmp/blackbox-test-XXXXXX";
	int fd = mkstemp(name), only_writes, appends;

	CHECK(fd >= 0 && ftruncate(fd, LEN) == 0);
	only_writes = open(name, O_WRONLY);
	appends = open(name, O_WRONLY | O_APPEND);
	CHECK(only_writes >= 0 && appends >= 0);
	at = mmap(NULL, 2 * LEN, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	from_memory(fd);
	sleep_ms(12);
	from_files(fd);
	CHECK(ftruncate(fd, 0) == 0 && ftruncate(fd, LEN) == 0 && at[100] == 0);
	sleep_ms(12);
	from_files(only_writes);
	from_memory(only_writes);
	CHECK(write(appends, "end", 3) == 3 && shows(LEN, "end"));
	CHECK(pwrite(appends, "ing", 3, 0) == 3 && shows(LEN, "ending"));
	CHECK(truncate(name, LEN + 2) == 0 && at[LEN + 1] == 'n' && at[LEN + 2] == 0);
	CHECK(close(open(name, O_WRONLY | O_TRUNC)) == 0 && ftruncate(fd, LEN) == 0);
	CHECK(at[5000] == 0 && write(appends, "new", 3) == 3 && shows(LEN, "new"));
	CHECK(unlink(name) == 0);
	return 0;
}
