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
#include "recorder/event.h"
#include "recorder/image.h"
#include "recorder/pack.h"
#include "ringstore/chunk.h"

struct file {
	_Alignas(8) uint8_t data[16384];
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

static uint32_t domain_of_chunks = 1;

static struct chunk *add(struct file *file, unsigned kind, uint64_t event, unsigned n_events,
			 const char *text, size_t len)
{
	struct chunk_info info = {
		.kind = kind,
		.domain = domain_of_chunks,
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

/* Its pages stand behind its end: the file is taken for its pages file, too. */
static void make_snapshot_with_pages(struct file *file)
{
	static const char pages[2 * SNAPSHOT_PAGE] = "a page, and one of zeroes";
	struct page_need need = { le64_of(0), le64_of(0) };
	struct page_run runs[] = {	/* as differences */
		{ .key = le64_of(0x30000 | SNAPSHOT_ZERO), .n_pages = le16_of(300) },
		{ .key = le64_of((uint64_t)0 - 0x20001), .n_pages = le16_of(2) },
		{ .key = le64_of(0x10000), .first = le16_of(1), .n_pages = le16_of(1) },
	};

	/* How long the rows are depends on what is in them: until they say what is. */
	for (unsigned i = 0; i < 5; i++) {
		*file = (struct file){ 0 };
		(void) add(file, CHUNK_SNAPSHOT_HEAD, 0, 0, "head", 4);
		(void) add(file, CHUNK_SNAPSHOT_FILES, 0, 0, (const char *)&need, sizeof(need));
		(void) add(file, CHUNK_SNAPSHOT_TABLE, 0, 0, (const char *)runs, sizeof(runs));
		(void) add(file, CHUNK_SNAPSHOT_END, 0, 0, "", 0);
		runs[1].offset = le32_of((uint32_t)file->len);
		(void) add(file, CHUNK_PAGES, 0, 2, pages, sizeof(pages));
		need.len = le64_of(file->len);
	}
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

	make_snapshot_with_pages(&file);
	save(dir, "snapshot-pages", file.data, file.len);

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

/* A process's first snapshot: its own, or @fork_domain's at its event 1. */
static void make_snapshot(struct file *file, uint32_t domain, uint32_t fork_domain)
{
	struct image_head head = { .fork_domain = le32_of(fork_domain), .fork_event = le64_of(1) };

	*file = (struct file){ 0 };
	domain_of_chunks = domain;
	(void) add(file, CHUNK_SNAPSHOT_HEAD, 0, 0, (const char *)&head, sizeof(head));
	(void) add(file, CHUNK_SNAPSHOT_END, 0, 0, "", 0);
	domain_of_chunks = 1;
}

/* Three processes: @parents says who forked whom, and @third the last one's number. */
static void save_window(const char *dir, const char *name, const uint32_t parents[3], unsigned third)
{
	static const struct event events[2] = {
		{ .len = sizeof(struct event), .kind = EVENT_START },
		{ .len = sizeof(struct event), .kind = EVENT_FORK },
	};
	char manifest[512];
	struct file snapshots[3], log = { 0 };
	struct packer *packer;
	struct packed packed;
	struct member members[] = {
		{ "incident.json", manifest, 0, NULL },
		{ "1/snap.0000000000000000", snapshots[0].data, 0, NULL },
		{ "1/log.0000000000000000", log.data, 0, NULL },
		{ "2/snap.0000000000000000", snapshots[1].data, 0, NULL },
		{ "3/snap.0000000000000000", snapshots[2].data, 0, NULL },
	};

	if (packer_new(&packer) < 0)
		exit(1);
	for (uint32_t i = 0; i < 3; i++)
		make_snapshot(&snapshots[i], i + 1, parents[i]);
	pack(packer, 0, events, sizeof(events), &packed);
	(void) add(&log, CHUNK_LOG, 0, 2, packed.data, packed.len);
	(void) packer_free(packer);
	members[0].len = (size_t)snprintf(manifest, sizeof(manifest), "{\"format\":1,\"domains\":["
			"{\"domain\":2,\"pid\":12,\"end_event\":2,\"end\":\"exit\"},"
			"{\"domain\":%u,\"pid\":13,\"end_event\":0},"
			"{\"domain\":1,\"pid\":11,\"end_event\":2,\"end\":\"death\"}]}", third);
	members[1].len = snapshots[0].len;
	members[2].len = log.len;
	members[3].len = snapshots[1].len;
	members[4].len = snapshots[2].len;
	save_dump(dir, name, false, members, 5);
}

static void save_windows(const char *top)
{
	autoclean(freep) char *dir = NULL;

	if (asprintf(&dir, "%s/window", top) < 0)
		exit(1);
	save_window(dir, "forks.tar", (const uint32_t[]){ 0, 1, 1 }, 3);
	save_window(dir, "chain.tar", (const uint32_t[]){ 0, 1, 2 }, 3);
	save_window(dir, "itself.tar", (const uint32_t[]){ 0, 2, 3 }, 3);
	save_window(dir, "circle.tar", (const uint32_t[]){ 0, 3, 2 }, 3);
	save_window(dir, "of-none.tar", (const uint32_t[]){ 7, 1, 1 }, 3);
	save_window(dir, "twice.tar", (const uint32_t[]){ 0, 2, 1 }, 2);
}

/* Each way in which an event can be said, a few times. */
static void save_runs(const char *top)
{
	struct {
		struct event event;
		uint64_t outputs[2];
	} calls[12];
	struct {
		struct event event;
		uint32_t len;
		struct {
			uint32_t events, data[2];
		} ready[2];
		uint32_t padding;
	} waits[12];
	struct event clocks[12];
	uint8_t run[sizeof(calls) + sizeof(waits) + sizeof(clocks)];
	autoclean(freep) char *dir = NULL;
	struct packer *packer;
	struct packed packed;

	memset(waits, 0, sizeof(waits));
	if (asprintf(&dir, "%s/pack", top) < 0 || packer_new(&packer) < 0)
		exit(1);
	for (unsigned i = 0; i < 12; i++) {
		calls[i].event = (struct event){
			.len = sizeof(calls[i]), .kind = EVENT_SYSCALL, .nr = i % 2 ? 0 : 232,
			.ticks = (uint16_t)(i * 100), .check = i % 3, .result = i % 4,
		};
		calls[i].outputs[0] = i % 3;
		calls[i].outputs[1] = i % 5 ? 1 : i * UINT64_C(0x123456789abcdef);
		waits[i].event = (struct event){
			.len = sizeof(waits[i]), .kind = EVENT_SYSCALL, .nr = 232, .check = 7, .result = 2,
		};
		waits[i].len = sizeof(waits[i].ready);
		waits[i].ready[0].events = waits[i].ready[1].events = 1;
		waits[i].ready[0].data[0] = i % 3;
		waits[i].ready[1].data[0] = i % 5;
		clocks[i] = (struct event){
			.len = sizeof(clocks[i]), .kind = EVENT_CLOCK, .nr = i % 3 * 64 / 2, .result = i * 100000,
		};
	}
	memcpy(run, calls, sizeof(calls));
	memcpy(run + sizeof(calls), waits, sizeof(waits));
	memcpy(run + sizeof(calls) + sizeof(waits), clocks, sizeof(clocks));
	pack(packer, 900 << 10, run, sizeof(run), &packed);
	save(dir, "run", packed.data, packed.len);
	save(dir, "torn", packed.data, packed.len - 5);
	save(dir, "unpacked", run, sizeof(run));
	run[0] = PACK_VERSION;
	save(dir, "events-as-lengths", run, sizeof(run));
	pack(packer, 0, run, 0, &packed);
	save(dir, "nothing", packed.data, packed.len);
	save(dir, "empty", "", 0);
	(void) packer_free(packer);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		(void) fprintf(stderr, "usage: make-corpus DIR\n");
		return 2;
	}
	save_chunks(argv[1]);
	save_dumps(argv[1]);
	save_windows(argv[1]);
	save_runs(argv[1]);
	return 0;
}
