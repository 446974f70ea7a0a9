/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ring VERB ...: the store by itself, on the log of an incident. Each verb prints a line of JSON.
 *
 *   log INCIDENT FILE		writes the log, uncompressed, into FILE
 *   append FILE STORE MEGABYTES WRITER	appends so much of it to a new store, by io_uring or pwrite
 *   freeze FILE STORE MEGABYTES TIMES	with so much live and more coming, makes an incident, TIMES
 *   read STORE DUMP		dumps and verifies the incident that freeze has left
 *
 * FILE has each run of the log behind its length (le32): they are appended as they were.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ringstore/incident.h"
#include "ringstore/io.h"
#include "ringstore/store-internal.h"
#include "ringstore/store.h"
#include "ringstore/verify.h"

#define MB (UINT64_C(1) << 20)

static void check(int r, const char *what)
{
	if (r > 0)
		errx(1, "%s: outcome %d", what, r);
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
}

static double now_s(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of all threads: the one that syncs is the store's too. */
static double cpu_s(void)
{
	struct rusage usage;

	(void) getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* -- the log */

static uint64_t write_log(struct incident *incident, uint32_t domain, FILE *out, uint64_t *ret_runs)
{
	struct chunk_reader *reader;
	struct chunk_view view;
	uint64_t bytes = 0, *snapshots;
	size_t n;

	check(incident_snapshots(incident, domain, &snapshots, &n), "snapshots");
	if (n == 0)
		return 0;
	check(incident_read_log(incident, domain, snapshots[0], &reader), "log");
	free(snapshots);
	while (chunk_reader_next(reader, &view) == 0) {
		uint32_t len = (uint32_t)view.len;

		if (fwrite(&len, sizeof(len), 1, out) != 1 || fwrite(view.data, 1, len, out) != len)
			err(1, "log");
		bytes += len;
		(*ret_runs)++;
	}
	(void) chunk_reader_close(reader);
	return bytes;
}

static void verb_log(char **args)
{
	struct incident *incident;
	uint64_t bytes = 0, runs = 0;
	uint32_t *domains;
	size_t n;
	FILE *out = fopen(args[1], "w");

	if (!out)
		err(1, "%s", args[1]);
	check(incident_open_dump(args[0], NULL, &incident), args[0]);
	check(incident_domains(incident, &domains, &n), "domains");
	for (size_t i = 0; i < n; i++)
		bytes += write_log(incident, domains[i], out, &runs);
	if (fclose(out) != 0)
		err(1, "%s", args[1]);
	free(domains);
	(void) incident_close(incident);
	printf("{\"raw_bytes\": %" PRIu64 ", \"runs\": %" PRIu64 "}\n", bytes, runs);
}

/* -- appending */

struct source {
	const uint8_t *data;
	size_t len, at;
	uint64_t event, appended, snapshot_due;
};

static struct source open_source(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct source source = { 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		err(1, "%s", path);
	source.len = (size_t)st.st_size;
	source.data = mmap(NULL, source.len, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (source.len == 0 || source.data == MAP_FAILED)
		errx(1, "%s: no log", path);
	(void) close(fd);
	return source;
}

/* Windows begin at snapshots: what is in front of one can be evicted, and one is frozen. */
static void add_snapshot(struct store *store, struct source *source)
{
	struct snapshot_writer *writer;

	check(store_log_cut(store, 0), "cut");
	check(store_snapshot_begin(store, 0, source->event, (uint64_t)(now_s() * 1e9), &writer), "snapshot");
	check(snapshot_writer_add(writer, CHUNK_SNAPSHOT_HEAD, "head", 4), "snapshot");
	check(snapshot_writer_commit(writer), "snapshot");
}

/* Appends a run, and syncs and cuts as a recorder does. */
static void append_one(struct store *store, struct source *source)
{
	uint64_t ns = (uint64_t)(now_s() * 1e9);
	struct log_run run = { .first_event = source->event, .n_events = 1, .first_ns = ns, .last_ns = ns };
	uint32_t len;

	if (source->appended >= source->snapshot_due) {
		add_snapshot(store, source);
		source->snapshot_due = source->appended + 32 * MB;
	}
	if (source->at == source->len)
		source->at = 0;
	memcpy(&len, source->data + source->at, sizeof(len));
	run.data = source->data + source->at + sizeof(len);
	run.len = len;
	source->at += sizeof(len) + len;
	check(store_log_append(store, 0, &run), "append");
	source->event++;
	source->appended += len;
	if (store_sync_due(store) <= ns)
		check(store_sync(store), "sync");
}

static struct store *open_store(const char *dir, uint64_t max_bytes, unsigned flags)
{
	const struct store_limits limits = {
		.max_bytes = max_bytes,
		.window_ns = UINT64_MAX,
		.incidents_percent = 90,
		.sync_ns = 1000000000,
	};
	struct store *store;

	check(store_open_with(dir, &limits, flags, &store), dir);
	return store;
}

static void verb_append(char **args)
{
	struct source source = open_source(args[0]);
	struct store *store = open_store(args[1], 256 * MB, strcmp(args[3], "pwrite") == 0 ? IO_PWRITE : 0);
	uint64_t bytes = strtoull(args[2], NULL, 10) * MB;
	double begin = now_s(), cpu = cpu_s(), queued;
	struct store_status status;
	int dir = open(args[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (source.appended < bytes)
		append_one(store, &source);
	check(store_flush(store), "flush");
	queued = now_s() - begin;
	if (dir < 0 || syncfs(dir) < 0)
		err(1, "%s", args[1]);
	store_get_status(store, &status);
	printf("{\"writer\": \"%s\", \"raw_bytes\": %" PRIu64 ", \"stored_bytes\": %" PRIu64
	       ", \"seconds\": %.6f, \"seconds_queued\": %.6f, \"cpu_s\": %.6f}\n",
	       status.writer, source.appended, status.bytes_written, now_s() - begin, queued, cpu_s() - cpu);
	(void) close(dir);
	(void) store_close(store);
}

/* -- freezing */

/* As much as a busy server logs. */
static void append_for(struct store *store, struct source *source, double seconds, uint64_t rate)
{
	double begin = now_s();
	uint64_t before = source->appended;

	for (double now = begin; now < begin + seconds; now = now_s()) {
		if ((double)(source->appended - before) < (now - begin) * (double)rate)
			append_one(store, source);
		else
			(void) usleep(1000);
	}
}

static void verb_freeze(char **args)
{
	struct source source = open_source(args[0]);
	uint64_t bytes = strtoull(args[2], NULL, 10) * MB;
	unsigned times = (unsigned)strtoul(args[3], NULL, 10);
	struct store *store = open_store(args[1], 8 * bytes, 0);
	struct store_status status;

	do {
		append_one(store, &source);
		store_get_status(store, &status);
	} while (status.bytes_live < bytes);
	printf("[");
	for (unsigned i = 0; i < times; i++) {
		struct freeze *freeze;
		double begin, begun;

		if (i > 0)
			check(incident_remove(args[1], "bench"), "remove");
		append_for(store, &source, 2, 64 * MB);
		begin = now_s();
		check(store_freeze_begin(store, "bench", &freeze), "freeze");
		begun = now_s();
		check(freeze_commit(freeze, "{}"), "freeze");
		printf("%s{\"begin_s\": %.6f, \"seconds\": %.6f}", i ? ", " : "", begun - begin, now_s() - begin);
	}
	printf("]\n");
	(void) store_close(store);
}

static void verb_read(char **args)
{
	struct verify verify = { 0 };
	struct incident *incident;
	double begin, dumped, cpu = cpu_s(), dump_cpu;
	uint64_t bytes;
	char path[4096];

	(void) snprintf(path, sizeof(path), "%s/incidents/bench", args[0]);
	check(incident_open(path, &incident), path);
	bytes = incident_bytes(incident);
	begin = now_s();
	check(incident_dump(incident, args[1], 0, NULL, NULL), "dump");
	dumped = now_s();
	dump_cpu = cpu_s();
	check(verify_path(path, &verify), "verify");
	if (verify.n_faults > 0)
		errx(1, "verify: %" PRIu64 " faults", verify.n_faults);
	printf("{\"bytes\": %" PRIu64 ", \"dump_s\": %.6f, \"dump_cpu_s\": %.6f, \"verify_s\": %.6f, "
	       "\"verify_cpu_s\": %.6f}\n",
	       bytes, dumped - begin, dump_cpu - cpu, now_s() - dumped, cpu_s() - dump_cpu);
	(void) incident_close(incident);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int n_args;
		void (*run)(char **args);
	} verbs[] = { { "log", 2, verb_log },
		      { "append", 4, verb_append },
		      { "freeze", 4, verb_freeze },
		      { "read", 2, verb_read } };

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0 && argc == verbs[i].n_args + 2) {
			verbs[i].run(argv + 2);
			return 0;
		}
	fprintf(stderr, "usage: ring log|append|freeze|read ARGUMENT...\n");
	return 2;
}
