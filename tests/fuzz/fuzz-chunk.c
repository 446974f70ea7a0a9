/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file of chunks, read as each kind of file; once as it is, and once with the
 * checksums put right, for otherwise nearly every input ends there.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "ringstore/names.h"
#include "ringstore/scan.h"
#include "tests/fuzz/fuzz.h"

/* Looks at each byte that the reader hands out, so that a sanitizer sees it. */
static void read_all(struct chunk_reader *reader)
{
	volatile uint8_t sum = 0;
	struct chunk_view view;

	while (chunk_reader_next(reader, &view) == 0)
		for (size_t i = 0; i < view.len; i += i < 64 ? 1 : 64)
			sum = (uint8_t)(sum + ((const uint8_t *)view.data)[i]);
}

/*
 * Where a snapshot's pages files are: the input is one, too. A chunk of pages may stand
 * behind the snapshot's end.
 */
static int files_fd = -1;
static char files_dir[] = "/tmp/fuzz-chunk-XXXXXX";

static void remove_files(void)
{
	(void) tree_remove(AT_FDCWD, files_dir);
}

static void be_pages_file(const uint8_t *data, size_t len)
{
	char name[NAME_EVENT_SIZE];
	int fd;

	if (files_fd < 0 && mkdtemp(files_dir) && tree_open_dir(AT_FDCWD, files_dir, &files_fd) == 0)
		(void) atexit(remove_files);
	fd = openat(files_fd, name_event(name, NAME_PAGES, 0), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || tree_pwrite(fd, data, len, 0) < 0)
		abort();
	(void) close(fd);
}

/* A domain of nothing but this file: as its log, as a snapshot, and as the pages of that. */
static void scan(uint32_t domain, uint64_t event)
{
	static const char *const kinds[] = { NAME_LOG, NAME_SNAPSHOT };
	char pages[NAME_EVENT_SIZE], name[NAME_EVENT_SIZE];
	struct verify verify = { 0 };
	struct scan found;

	(void) name_event(pages, NAME_PAGES, 0);
	for (size_t i = 0; i < 2; i++)
		if (linkat(files_fd, pages, files_fd, name_event(name, kinds[i], event), 0) < 0)
			abort();
	if (scan_domain(files_fd, domain, "1", &verify, &found) == 0) {
		(void) scan_longest(&found);
		scan_deinit(&found);
	}
	for (size_t i = 0; i < 2; i++)
		(void) unlinkat(files_fd, name_event(name, kinds[i], event), 0);
}

static void read_as(enum stream stream, int fd, uint32_t domain, uint64_t event, size_t len)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	struct page_need *needs;
	size_t n;

	if (stream == STREAM_SNAPSHOT)
		(void) snapshot_is_whole(fd, len, files_fd, domain, event);
	if (stream == STREAM_SNAPSHOT && snapshot_needs(fd, len, &needs, &n) == 0)
		free(needs);
	if (chunk_reader_new(stream, dup(fd), dup(files_fd), domain, event, &reader) == 0)
		read_all(reader);
}

static void read_file(const uint8_t *data, size_t len)
{
	autoclean(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	uint64_t event = 0;
	struct chunk head;
	uint32_t domain = 0;

	/* The names that the file would have. */
	if (len >= sizeof(head)) {
		memcpy(&head, data, sizeof(head));
		event = le64_get(head.first_event);
		domain = le32_get(head.domain);
	}
	if (fd < 0 || tree_pwrite(fd, data, len, 0) < 0)
		abort();
	be_pages_file(data, len);
	for (enum stream stream = STREAM_LOG; stream <= STREAM_FILE; stream++)
		read_as(stream, fd, domain, event, len);
	scan(domain, event);
}

/* Walks as the reader does, as long as the lengths make sense. */
static void mend(uint8_t *data, size_t len)
{
	for (size_t at = 0; len - at >= sizeof(struct chunk);) {
		struct chunk head;
		size_t total;

		memcpy(&head, data + at, sizeof(head));
		total = chunk_max_stored(le32_get(head.stored_len));
		if (total > len - at)
			return;
		head.magic = le32_of(CHUNK_MAGIC);
		head.xxh3 = le64_of(0);
		memcpy(data + at, &head, sizeof(head));
		head.xxh3 = le64_of(XXH3_64bits(data + at, total));
		memcpy(data + at, &head, sizeof(head));
		at += total;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	autoclean(freep) uint8_t *copy = malloc(len + !len);

	if (!copy)
		abort();
	read_file(data, len);
	memcpy(copy, data, len);
	mend(copy, len);
	read_file(copy, len);
	return 0;
}
