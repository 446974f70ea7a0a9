/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the first inputs of the fuzz targets below the directory that is its
 * argument: `tests/fuzz/make-corpus tests/fuzz/corpus`, after a change of format.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "ringstore/chunk.h"

struct file {
	_Alignas(8) uint8_t data[4096];
	size_t len;
	unsigned n_chunks;
};

static void save(const char *dir, const char *name, const void *data, size_t len)
{
	autoclean(freep) char *path = NULL;
	FILE *file;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		exit(1);
	file = fopen(path, "we");
	if (!file || fwrite(data, 1, len, file) != len || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static struct chunk *add(struct file *file, unsigned kind, uint64_t event, unsigned n_events,
			 const char *text, size_t len)
{
	struct chunk_info info = {
		.kind = kind,
		.domain = 1,
		.first_event = event,
		.n_events = n_events,
		.seq = file->n_chunks++,
		.first_ns = event,
		.last_ns = event,
	};
	struct chunk *chunk = (struct chunk *)(file->data + file->len);
	struct chunk_encoder *encoder;

	if (sizeof(file->data) - file->len < chunk_max_stored(len) ||
	    chunk_encoder_new(&encoder) < 0)
		exit(1);
	file->len += chunk_encode(encoder, &info, text, len, chunk);
	(void) chunk_encoder_free(encoder);
	return chunk;
}

/* After a header was tampered with. */
static void seal(struct chunk *chunk)
{
	chunk->xxh3 = le64_of(0);
	chunk->xxh3 = le64_of(
		XXH3_64bits(chunk, chunk_max_stored(le32_get(chunk->stored_len))));
}

static void make_log(struct file *file)
{
	*file = (struct file){ 0 };
	(void) add(file, CHUNK_LOG, 16, 2, "an event, another event", 23);
	(void) add(file, CHUNK_LOG, 18, 1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 48);
	(void) add(file, CHUNK_LOG, 19, 1, "", 0);
}

static void save_chunks(const char *top)
{
	autoclean(freep) char *dir = NULL;
	struct chunk *chunk;
	struct file file;

	if (asprintf(&dir, "%s/chunk", top) < 0)
		exit(1);
	save(dir, "empty", "", 0);
	make_log(&file);
	save(dir, "log", file.data, file.len);
	save(dir, "log-torn", file.data, file.len - 70);
	file.data[80] ^= 4;
	save(dir, "log-rotten", file.data, file.len);

	make_log(&file);
	(void) add(&file, 99, 0, 0, "of a kind to come", 17);
	chunk = add(&file, CHUNK_LOG, 20, 1, "x", 1);
	save(dir, "log-unknown-kind", file.data, file.len);
	chunk->version = le16_of(STORE_FORMAT_VERSION + 1);
	seal(chunk);
	save(dir, "log-newer", file.data, file.len);

	make_log(&file);
	chunk = add(&file, CHUNK_LOG, UINT64_MAX - 1, 1000, "x", 1);
	save(dir, "log-overflow", file.data, file.len);
	chunk->stored_len = le32_of(UINT32_MAX);
	save(dir, "log-long", file.data, file.len);

	file = (struct file){ 0 };
	(void) add(&file, CHUNK_SNAPSHOT_HEAD, 16, 0, "head", 4);
	(void) add(&file, CHUNK_SNAPSHOT_MAPS, 16, 0, "maps", 4);
	(void) add(&file, CHUNK_SNAPSHOT_PAGES, 16, 0,
		   "0000000000000000000000000000000000000000000000000000000000000000", 64);
	save(dir, "snapshot-without-end", file.data, file.len);
	(void) add(&file, CHUNK_SNAPSHOT_END, 16, 0, "", 0);
	save(dir, "snapshot", file.data, file.len);

	file = (struct file){ 0 };
	(void) add(&file, CHUNK_FINAL, 0, 0, "hashes", 6);
	(void) add(&file, CHUNK_FINAL, 0, 0, "", 0);
	save(dir, "final", file.data, file.len);

	file = (struct file){ 0 };
	chunk = add(&file, CHUNK_FILE, 0, 0,
		    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 64);
	save(dir, "file", file.data, file.len);
	chunk->raw_len = le32_of(CHUNK_MAX_RAW);
	seal(chunk);
	save(dir, "file-raw-len", file.data, file.len);
}

static void add_member(struct archive *archive, const char *name, const void *data, size_t len,
		       const char *link)
{
	struct archive_entry *entry = archive_entry_new();

	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, link ? AE_IFLNK : AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (la_int64_t)len);
	if (link)
		archive_entry_set_symlink(entry, link);
	if (archive_write_header(archive, entry) != ARCHIVE_OK ||
	    archive_write_data(archive, data, len) != (la_ssize_t)len)
		exit(1);
	archive_entry_free(entry);
}

struct member {
	const char *name;
	const void *data;
	size_t len;
	const char *link;
};

/* The head that announces them, and the members. */
static void save_dump(const char *dir, const char *name, bool zstd, const struct member *members,
		      size_t n)
{
	struct archive *archive = archive_write_new();
	char head[128], out[16384];
	size_t used = 0, bytes = 0;
	int len;

	for (size_t i = 0; i < n; i++)
		bytes += members[i].len;
	len = snprintf(head, sizeof(head), "blackbox-incident 1\nid x\nfiles %zu\nbytes %zu\n", n,
		       bytes);
	if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
	    (zstd && archive_write_add_filter_zstd(archive) != ARCHIVE_OK) ||
	    archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
	    archive_write_open_memory(archive, out, sizeof(out), &used) != ARCHIVE_OK)
		exit(1);
	add_member(archive, "blackbox-incident", head, (size_t)len, NULL);
	for (size_t i = 0; i < n; i++)
		add_member(archive, members[i].name, members[i].data, members[i].len,
			   members[i].link);
	if (archive_write_free(archive) != ARCHIVE_OK)
		exit(1);
	save(dir, name, out, used);
}

static void save_dumps(const char *top)
{
	autoclean(freep) char *dir = NULL;
	struct file file;

	if (asprintf(&dir, "%s/dump", top) < 0)
		exit(1);
	make_log(&file);
	struct member whole[] = { { "incident.json", "{}", 2, NULL },
				  { "1/log.0000000000000010", file.data, file.len, NULL } };
	struct member newer = { "incident.json", "{\"format\":99}", 13, NULL };
	struct member path = { "1/../../incident.json", "{}", 2, NULL };
	struct member symlink = { "incident.json", "", 0, "/etc/passwd" };

	save(dir, "empty", "", 0);
	save_dump(dir, "smallest.tar", false, whole, 1);
	save_dump(dir, "smallest.tar.zst", true, whole, 1);
	save_dump(dir, "log.tar", false, whole + 1, 1);
	save_dump(dir, "whole.tar.zst", true, whole, 2);
	save_dump(dir, "newer.tar", false, &newer, 1);
	save_dump(dir, "path.tar", false, &path, 1);
	save_dump(dir, "link.tar", false, &symlink, 1);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void) fprintf(stderr, "usage: make-corpus DIR\n");
		return 2;
	}
	save_chunks(argv[1]);
	save_dumps(argv[1]);
	return 0;
}
