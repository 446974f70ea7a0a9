/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Power cuts. A run of the store is recorded, each call that changes the disk; then, for each
 * moment of it, disks are made as they may be afterwards: what had been synced is there, and of
 * what hadn't, anything may be missing, have come in another order, or be torn between sectors.
 * Each is opened, and what the store accepts must be what was written:
 *
 *   - a log's events, from the one on that a snapshot stands at, without a gap, each byte;
 *   - all that had been synced of them, if it is still wanted;
 *   - each incident whose freeze had been done, whole; and none that isn't whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "ringstore/format.h"
#include "ringstore/io.h"
#include "ringstore/store-internal.h"
#include "ringstore/verify.h"
#include "tests/unit/store-seam.h"
#include "tests/unit/test-store-util.h"

enum {
	SECTOR = 512,
	MAX_NODES = 400, MAX_OPS = 2000, MAX_FACTS = 1000, MAX_ENTRIES = 64,
	N_DOMAINS = 3,		/* 1 and 2 */
	N_PAGES = 17,		/* of a snapshot; those that came with one take some sectors */
	N_SINGLE = 12,		/* of each moment: all but one of the last so many is there */
};

/* States of each moment, besides the plain ones; and from one moment to the next. */
static const unsigned n_random[] = { [TESTS_SANITIZED] = 2, [TESTS_USUAL] = 28, [TESTS_ALL] = 256 };
static const unsigned steps[] = { [TESTS_SANITIZED] = 3, [TESTS_USUAL] = 1, [TESTS_ALL] = 1 };

static const struct store_limits limits = { 2 << 20, 100, 40, UINT64_C(1000000000) };

/* -- what was done ---------------------------------------------------------------------------- */

struct op {
	enum seam_call call;
	int node;		/* file that is written; directory that is changed */
	char name[64], to_name[64];
	int target, to_node;	/* node that is named; directory of @to_name */
	uint64_t offset;
	uint8_t *data;
	size_t len;
};

struct entry {
	char name[64];
	int node;
};

/* The tree as the kernel shows it, while the run goes on. */
struct dir {
	bool is_dir;
	struct entry entries[MAX_ENTRIES];
	unsigned n;
};

enum fact_kind {
	FACT_APPENDED,		/* domain's log ends at value */
	FACT_SYNCED,		/* and all of that is on the disk */
	FACT_CLEARED,		/* what is live may go from here on */
	FACT_FROZEN, FACT_REMOVED,	/* incident number value */
};

struct fact {
	enum fact_kind kind;
	unsigned at;		/* so many ops had been done */
	uint32_t domain;
	uint64_t value;
};

static struct {
	pthread_mutex_t mutex;
	struct op ops[MAX_OPS];
	struct dir dirs[MAX_NODES];
	struct { ino_t ino; int node; } inodes[MAX_NODES];
	struct fact facts[MAX_FACTS];
	unsigned n_ops, n_nodes, n_inodes, n_facts;
	uint64_t frozen_ends[64][N_DOMAINS];	/* by number of the incident */
} run = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void note(enum fact_kind kind, uint32_t domain, uint64_t value)
{
	assert_in_range(run.n_facts, 0, MAX_FACTS - 1);
	run.facts[run.n_facts++] = (struct fact){ kind, run.n_ops, domain, value };
}

/* A number may be used again: the newest file that had it counts. */
static int node_of(const struct stat *st)
{
	for (unsigned i = run.n_inodes; i-- > 0;)
		if (run.inodes[i].ino == st->st_ino)
			return run.inodes[i].node;
	return -1;
}

static int node_of_fd(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? node_of(&st) : -1;
}

static int new_node(const struct stat *st)
{
	int node = (int)run.n_nodes++;

	assert_in_range(node, 0, MAX_NODES - 1);
	run.dirs[node].is_dir = S_ISDIR(st->st_mode);
	run.inodes[run.n_inodes].ino = st->st_ino;
	run.inodes[run.n_inodes++].node = node;
	return node;
}

static struct entry *find_entry(int dir, const char *name)
{
	for (unsigned i = 0; dir >= 0 && i < run.dirs[dir].n; i++)
		if (strcmp(run.dirs[dir].entries[i].name, name) == 0)
			return &run.dirs[dir].entries[i];
	return NULL;
}

static void set_entry(int dir, const char *name, int node)
{
	struct entry *entry = find_entry(dir, name);

	if (!entry) {
		assert_in_range(run.dirs[dir].n, 0, MAX_ENTRIES - 1);
		entry = &run.dirs[dir].entries[run.dirs[dir].n++];
	}
	(void) snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->node = node;
}

static void drop_entry(int dir, const char *name)
{
	struct entry *entry = find_entry(dir, name);

	if (entry)
		*entry = run.dirs[dir].entries[--run.dirs[dir].n];
}

/* The directory of @path below that of @fd, and the last name. -1: it is none of ours. */
static int resolve(int fd, const char *path, char leaf[64])
{
	int dir = fd == AT_FDCWD ? -1 : node_of_fd(fd);
	const char *slash;

	while (dir >= 0 && (slash = strchr(path, '/'))) {
		char name[64];
		struct entry *entry;

		(void) snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		entry = find_entry(dir, name);
		dir = entry ? entry->node : -1;
		path = slash + 1;
	}
	(void) snprintf(leaf, 64, "%s", path);
	return dir;
}

/* Makes the node of a new name. False: it was there. */
static bool create(struct op *op, const struct seam_event *event)
{
	struct stat st;

	op->node = resolve(event->fd, event->name, op->name);
	if (op->node < 0 || find_entry(op->node, op->name))
		return false;
	assert_int_equal(fstatat(event->fd, event->name, &st, AT_SYMLINK_NOFOLLOW), 0);
	op->target = new_node(&st);
	set_entry(op->node, op->name, op->target);
	return true;
}

static bool change_names(struct op *op, const struct seam_event *event)
{
	const struct entry *entry;

	op->node = resolve(event->fd, event->name, op->name);
	entry = find_entry(op->node, op->name);
	if (!entry)
		return false;
	op->target = entry->node;
	if (event->call != SEAM_UNLINK) {
		op->to_node = resolve(event->to_fd, event->to_name, op->to_name);
		set_entry(op->to_node, op->to_name, op->target);
	}
	if (event->call != SEAM_LINK)
		drop_entry(op->node, op->name);
	return true;
}

static bool change_file(struct op *op, const struct seam_event *event)
{
	op->node = node_of_fd(event->fd);
	op->offset = event->offset;
	if (op->node < 0)
		return false;
	if (event->call == SEAM_WRITE) {
		op->len = event->len;
		op->data = malloc(event->len);
		memcpy(op->data, event->data, event->len);
	}
	return true;
}

static void record(const struct seam_event *event)
{
	struct op op = { .call = event->call };
	bool is_ours = false;

	(void) pthread_mutex_lock(&run.mutex);
	switch (event->call) {
	case SEAM_CREATE:
	case SEAM_MKDIR:
		is_ours = create(&op, event);
		break;
	case SEAM_LINK:
	case SEAM_RENAME:
	case SEAM_UNLINK:
		is_ours = change_names(&op, event);
		break;
	case SEAM_WRITE:
	case SEAM_TRUNCATE:
	case SEAM_SYNC:
		is_ours = change_file(&op, event);
		break;
	default:
		break;
	}
	if (is_ours) {
		assert_in_range(run.n_ops, 0, MAX_OPS - 1);
		run.ops[run.n_ops++] = op;
	}
	(void) pthread_mutex_unlock(&run.mutex);
}

/* -- the run ------------------------------------------------------------------------------------ */

static uint64_t ends[N_DOMAINS];

static void append_some(struct store *store, uint32_t domain, unsigned n, uint64_t now)
{
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(append(store, domain, ends[domain], 2, now, 300 + 700 * (i % 5)), 0);
		ends[domain] += 2;
		note(FACT_APPENDED, domain, ends[domain]);
	}
}

static void take_snapshot(struct store *store, uint32_t domain, uint64_t now)
{
	assert_int_equal(store_log_cut(store, domain), 0);
	assert_int_equal(pages_snapshot(store, domain, ends[domain], now, N_PAGES), 0);
}

static void sync_now(struct store *store)
{
	const struct timespec nap = { 0, 50000 };

	assert_int_equal(store_sync(store), 0);
	while (!sync_has(store, 1, store->round - 1))
		(void) nanosleep(&nap, NULL);
	for (uint32_t domain = 1; domain < N_DOMAINS; domain++)
		note(FACT_SYNCED, domain, ends[domain]);
}

static void freeze_now(struct store *store, unsigned number)
{
	autoclean(closep) int fd = memfd_create("mapped", MFD_CLOEXEC);
	struct freeze *begun;
	char id[16], hash[33], content[3000];

	fill(content, sizeof(content), number / 2, 1);
	assert_int_equal(write(fd, content, sizeof(content)), sizeof(content));
	(void) snprintf(id, sizeof(id), "i%u", number);
	assert_int_equal(store_freeze_begin(store, id, &begun), 0);
	memcpy(run.frozen_ends[number], ends, sizeof(ends));
	assert_int_equal(freeze_add_final(begun, 1, "final", 5), 0);
	assert_int_equal(freeze_add_file(begun, fd, hash), 0);
	assert_int_equal(freeze_commit(begun, "{ \"format\": 1 }"), 0);
	note(FACT_FROZEN, 0, number);
}

static void begin(const char *dir, struct store **ret_store)
{
	assert_int_equal(store_open_with(dir, &limits, IO_PWRITE, ret_store), 0);
	assert_int_equal(store_add_about(*ret_store, "{\"service\":\"s\"}"), 0);
	for (uint32_t domain = 1; domain < N_DOMAINS; domain++) {
		char about[32];

		(void) snprintf(about, sizeof(about), "{\"domain\":%u}", domain);
		assert_int_equal(store_set_about(*ret_store, domain, about), 0);
		ends[domain] = 0;
	}
}

/* Segments that come, are synced and fall out of the window; incidents; the end of it all. */
static void record_run(const char *dir)
{
	struct store *store;
	struct stat st;

	assert_int_equal(stat(dir, &st), 0);
	(void) new_node(&st);
	seam.after = record;
	begin(dir, &store);
	for (unsigned i = 0; i < 5; i++) {
		take_snapshot(store, 1, i * 150);
		append_some(store, 1, 4, i * 150);
		if (i % 2 == 0)
			take_snapshot(store, 2, i * 150);
		append_some(store, 2, 2, i * 150);
		if (i != 2)
			sync_now(store);
		append_some(store, 1, 2, i * 150 + 50);
		if (i == 1 || i == 3)
			freeze_now(store, i);
		store_trim(store, i * 150 + 140);
	}
	note(FACT_REMOVED, 0, 3);
	assert_int_equal(incident_remove(dir, "i3"), 0);
	assert_int_equal(store_flush(store), 0);
	note(FACT_CLEARED, 0, 0);
	assert_int_equal(store_clear(store), 0);
	assert_null(store_close(store));
	seam.after = NULL;
}

/* -- a disk --------------------------------------------------------------------------------------- */

struct file {
	uint8_t *data;
	size_t len, size;
	char first[PATH_SIZE];	/* a name that it has already */
};

/* As it is made of the ops: which are there, and of writes, which sectors. */
struct disk {
	struct dir dirs[MAX_NODES];
	struct file files[MAX_NODES];
};

static struct disk disk;

static struct entry *disk_entry(int dir, const char *name)
{
	for (unsigned i = 0; i < disk.dirs[dir].n; i++)
		if (strcmp(disk.dirs[dir].entries[i].name, name) == 0)
			return &disk.dirs[dir].entries[i];
	return NULL;
}

static void disk_name(int dir, const char *name, int node)
{
	struct entry *entry = disk_entry(dir, name);

	if (!entry)
		entry = &disk.dirs[dir].entries[disk.dirs[dir].n++];
	(void) strcpy(entry->name, name);
	entry->node = node;
}

static void disk_unname(int dir, const char *name)
{
	struct entry *entry = disk_entry(dir, name);

	if (entry)
		*entry = disk.dirs[dir].entries[--disk.dirs[dir].n];
}

static void file_resize(struct file *file, size_t len)
{
	if (len > file->size) {
		file->data = realloc(file->data, len);
		assert_non_null(file->data);
		file->size = len;
	}
	if (len > file->len)
		memset(file->data + file->len, 0, len - file->len);
	file->len = len;
}

/* Of a write, the sectors whose bit is set. */
static void disk_write(const struct op *op, uint64_t sectors)
{
	struct file *file = &disk.files[op->node];
	uint64_t at = op->offset, end = op->offset + op->len;

	for (unsigned i = 0; at < end; i++) {
		uint64_t next = (at / SECTOR + 1) * SECTOR;

		next = next < end ? next : end;
		if (sectors >> i % 64 & 1) {
			if (next > file->len)
				file_resize(file, next);
			memcpy(file->data + at, op->data + (at - op->offset), next - at);
		}
		at = next;
	}
}

static void disk_apply(const struct op *op, uint64_t sectors)
{
	switch (op->call) {
	case SEAM_CREATE:
	case SEAM_MKDIR:
		disk_name(op->node, op->name, op->target);
		break;
	case SEAM_LINK:
		disk_name(op->to_node, op->to_name, op->target);
		break;
	case SEAM_RENAME:
		disk_unname(op->node, op->name);
		disk_name(op->to_node, op->to_name, op->target);
		break;
	case SEAM_UNLINK:
		disk_unname(op->node, op->name);
		break;
	case SEAM_WRITE:
		disk_write(op, sectors);
		break;
	case SEAM_TRUNCATE:
		file_resize(&disk.files[op->node], op->offset);
		break;
	default:
		break;
	}
}

/* @sectors[i]: of op i; 0: it isn't there. */
static void disk_make(unsigned n_ops, const uint64_t *sectors)
{
	for (unsigned i = 0; i < run.n_nodes; i++) {
		disk.dirs[i].n = 0;
		disk.files[i].len = 0;
		disk.files[i].first[0] = '\0';
	}
	for (unsigned i = 0; i < n_ops; i++)
		if (sectors[i])
			disk_apply(&run.ops[i], sectors[i]);
}

static void disk_put(int node, const char *path)
{
	char below[PATH_SIZE];

	for (unsigned i = 0; i < disk.dirs[node].n; i++) {
		const struct entry *entry = &disk.dirs[node].entries[i];
		struct file *file = &disk.files[entry->node];

		(void) path_of(below, "%s/%s", path, entry->name);
		if (run.dirs[entry->node].is_dir) {
			assert_int_equal(mkdir(below, 0700), 0);
			disk_put(entry->node, below);
		} else if (file->first[0]) {
			assert_int_equal(link(file->first, below), 0);
		} else {
			write_file(below, file->data, file->len);
			(void) strcpy(file->first, below);
		}
	}
}

/* -- what may be missing -------------------------------------------------------------------------- */

/* The ops that were on the disk for certain: what was synced behind them. */
static void find_durable(unsigned n_ops, bool *durable)
{
	static int last_sync[MAX_NODES];

	memset(last_sync, 0, sizeof(last_sync));
	for (unsigned i = 0; i < n_ops; i++)
		if (run.ops[i].call == SEAM_SYNC)
			last_sync[run.ops[i].node] = (int)i;
	for (unsigned i = 0; i < n_ops; i++) {
		const struct op *op = &run.ops[i];
		int node = op->call == SEAM_LINK ? op->to_node : op->node;

		durable[i] = op->call == SEAM_SYNC || (int)i < last_sync[node];
	}
}

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* -- looking at it ---------------------------------------------------------------------------------- */

/* The newest fact of its kind and domain at the moment; or, @coming, the first behind it. */
static const struct fact *find_fact(enum fact_kind kind, uint32_t domain, unsigned moment, bool coming)
{
	const struct fact *found = NULL;

	for (unsigned i = 0; i < run.n_facts; i++) {
		const struct fact *fact = &run.facts[i];

		if (fact->kind != kind || fact->domain != domain)
			continue;
		if (fact->at > moment)
			return coming ? fact : found;
		found = fact;
	}
	return found;
}

/* All that is accepted of a domain: from its first snapshot, every event up to the end. */
static uint64_t check_domain(struct incident *incident, uint32_t domain)
{
	autoclean(freep) uint64_t *events = NULL;
	uint64_t end = 0;
	size_t n;
	int r;

	if (incident_snapshots(incident, domain, &events, &n) == -ENOENT || n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(read_pages_snapshot(incident, domain, events[i], N_PAGES), INCIDENT_END);
	r = read_log(incident, domain, events[0], &end);
	if (r == -ENOENT)
		return events[0];
	assert_int_equal(r, INCIDENT_END);
	return end;
}

static void check_sound(const char *path)
{
	struct verify verify = { 0 };

	assert_int_equal(verify_path(path, &verify), 0);
	assert_int_equal(verify.n_faults, 0);
}

/* Those whose freeze was done are there, and whole; and whichever is there is. */
static void check_incidents(const char *dir, unsigned moment)
{
	char **ids;
	size_t n;
	int r = incident_list(dir, &ids, &n);

	for (unsigned i = 0; i < run.n_facts && run.facts[i].at <= moment; i++) {
		unsigned number = (unsigned)run.facts[i].value;
		bool removed = false;

		for (unsigned j = 0; j < run.n_facts; j++)
			removed |= run.facts[j].kind == FACT_REMOVED && run.facts[j].value == number &&
				   run.facts[j].at <= moment;
		if (run.facts[i].kind == FACT_FROZEN && !removed)
			assert_true(exists("%s/incidents/i%u/incident.json", dir, number));
	}
	if (r == -ENOENT)
		return;
	assert_int_equal(r, 0);
	for (size_t i = 0; i < n; i++) {
		struct incident *incident = open_incident(dir, ids[i]);
		const uint64_t *frozen = run.frozen_ends[atoi(ids[i] + 1)];

		assert_string_equal(incident_manifest(incident), "{ \"format\": 1 }");
		for (uint32_t domain = 1; domain < N_DOMAINS; domain++)
			assert_int_equal(check_domain(incident, domain), frozen[domain]);
		assert_null(incident_close(incident));
	}
	(void) incident_free_ids(ids, n);
}

/* What is live becomes an incident, as a recorder does it (recorder/recover.c). */
static void recover(struct store *store)
{
	autoclean(freep) uint32_t *domains = NULL;
	struct json_object *manifest = json_tokener_parse("{\"domains\":[]}");
	struct verify verify = { 0 };
	struct freeze *freeze;
	size_t n;

	assert_int_equal(store_freeze_begin(store, "left", &freeze), 0);
	assert_int_equal(store_clear(store), 0);
	assert_int_equal(freeze_domains(freeze, &domains, &n), 0);
	for (size_t i = 0; i < n; i++) {
		char *text;

		if (freeze_read_about(freeze, domains[i], &text) < 0)
			continue;
		(void) json_object_array_add(json_list(manifest, "domains"), json_tokener_parse(text));
		free(text);
	}
	assert_int_equal(repair_window(freeze_dir(freeze), &verify, manifest), 0);
	assert_int_equal(freeze_commit(freeze, json_object_to_json_string(manifest)), 0);
	(void) json_object_put(manifest);
}

static void check_left(const char *dir, unsigned moment)
{
	struct incident *incident = open_incident(dir, "left");

	for (uint32_t domain = 1; domain < N_DOMAINS; domain++) {
		const struct fact *appended = find_fact(FACT_APPENDED, domain, moment, true);
		const struct fact *synced = find_fact(FACT_SYNCED, domain, moment, false);
		const struct fact *cleared = find_fact(FACT_CLEARED, 0, moment, false);
		uint64_t end = check_domain(incident, domain);

		assert_in_range(end, 0, appended ? appended->value : 0);
		if (synced && !cleared)
			assert_in_range(end, synced->value, UINT64_MAX);
	}
	assert_null(incident_close(incident));
}

static void check_disk(const char *dir, unsigned moment)
{
	struct store *store;
	char **texts;
	size_t n;

	check_incidents(dir, moment);
	assert_int_equal(store_read_about(dir, &texts, &n), 0);
	assert_in_range(n, 0, 1);
	if (n)
		assert_string_equal(texts[0], "{\"service\":\"s\"}");
	(void) incident_free_ids(texts, n);
	assert_int_equal(store_open_with(dir, &limits, IO_PWRITE, &store), 0);
	if (store_has_live(store)) {
		recover(store);
		check_left(dir, moment);
	} else {
		const struct fact *synced = find_fact(FACT_SYNCED, 1, moment, false);

		assert_true(!synced || find_fact(FACT_CLEARED, 0, moment, false));
	}
	assert_null(store_close(store));
	check_sound(dir);
}

static unsigned n_states, last_moment;

static void try(const char *tmp, unsigned moment, const uint64_t *sectors)
{
	char *dir, name[PATH_SIZE];

	n_states++;
	last_moment = moment;
	(void) path_of(name, "%s/%u", tmp, n_states);
	dir = strdup(name);
	disk_make(moment, sectors);
	assert_int_equal(mkdir(dir, 0700), 0);
	disk_put(0, dir);
	check_disk(dir, moment);
	remove_tmp_dir(dir);
}

/* All that isn't durable: there or not, and which sectors, as the bits of numbers say. */
static void try_random(const char *tmp, unsigned moment, const bool *durable)
{
	static uint64_t sectors[MAX_OPS];
	unsigned odds = (unsigned)(next_random() % 3);

	for (unsigned i = 0; i < moment; i++) {
		uint64_t random = next_random();

		sectors[i] = UINT64_MAX;
		if (durable[i])
			continue;
		if (random % 4 <= odds)
			sectors[i] = 0;
		else if (random >> 8 & 1)
			sectors[i] = next_random();
	}
	try(tmp, moment, sectors);
}

/* Everything is there but one, of the newest: what came behind it overtook it. */
static void try_single(const char *tmp, unsigned moment, const bool *durable)
{
	static uint64_t sectors[MAX_OPS];
	unsigned n = 0;

	for (unsigned i = 0; i < moment; i++)
		sectors[i] = UINT64_MAX;
	for (unsigned i = moment; i-- > 0 && n < N_SINGLE;) {
		if (durable[i])
			continue;
		n++;
		sectors[i] = 0;
		try(tmp, moment, sectors);
		sectors[i] = UINT64_MAX;
	}
}

/* The last write gets as far as each of its sectors. */
static void try_torn(const char *tmp, unsigned moment)
{
	static uint64_t sectors[MAX_OPS];
	const struct op *last = &run.ops[moment - 1];

	if (last->call != SEAM_WRITE)
		return;
	for (unsigned i = 0; i < moment; i++)
		sectors[i] = UINT64_MAX;
	for (uint64_t n = 1; n <= last->len / SECTOR && n < 64; n++) {
		sectors[moment - 1] = (UINT64_C(1) << n) - 1;
		try(tmp, moment, sectors);
	}
}

static void try_moment(const char *tmp, unsigned moment)
{
	static uint64_t sectors[MAX_OPS];
	static bool durable[MAX_OPS];

	find_durable(moment, durable);
	for (unsigned i = 0; i < moment; i++)
		sectors[i] = UINT64_MAX;
	try(tmp, moment, sectors);
	for (unsigned i = 0; i < moment; i++)
		sectors[i] = durable[i] ? UINT64_MAX : 0;
	try(tmp, moment, sectors);
	for (unsigned i = 0; i < n_random[tests_extent()]; i++)
		try_random(tmp, moment, durable);
	try_single(tmp, moment, durable);
	if (moment)
		try_torn(tmp, moment);
}

static void power_cuts(void **state)
{
	char dir[PATH_SIZE], tmp[PATH_SIZE];

	seam.no_sync = true;
	assert_int_equal(mkdir(path_of(dir, "%s/run", (char *)*state), 0700), 0);
	assert_int_equal(mkdir(path_of(tmp, "%s/states", (char *)*state), 0700), 0);
	record_run(dir);
	for (unsigned moment = 0; moment <= run.n_ops; moment += steps[tests_extent()])
		try_moment(tmp, moment);
	print_message("# %u calls, %u disks\n", run.n_ops, n_states);
	for (unsigned i = 0; i < run.n_ops; i++)
		free(run.ops[i].data);
	for (unsigned i = 0; i < run.n_nodes; i++)
		free(disk.files[i].data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(power_cuts, setup_dir, teardown_dir),
	};

	int r;

	/* No disk is needed to make disks. */
	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		(void) setenv("TMPDIR", "/dev/shm", 0);
	r = cmocka_run_group_tests_name("store-crash", tests, NULL, NULL);
	if (r)
		(void) fprintf(stderr, "the last disk was number %u, after %u calls\n", n_states, last_moment);
	return r;
}
