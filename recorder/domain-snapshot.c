/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of a domain: from memory into the store. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/domain-internal.h"
#include "recorder/inject.h"
#include "ringstore/format.h"

/* -- is a fork affordable? -------------------------------------------------------------------- */

/* Page tables of a resident gigabyte take a few tens of ms to copy; measured as we go. */
#define STALL_NS_PER_MB UINT64_C(40000)

/* The policy's bound is for each ten seconds. */
#define STALL_PERIOD_NS 1e10

/* The number in the first line of @path that begins with @key (or of the file, if @key is ""). */
static bool read_number(const char *path, const char *key, uint64_t *ret)
{
	autoclean(fclosep) FILE *file = fopen(path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, key, strlen(key)) == 0)
			return sscanf(line + strlen(key), " %" SCNu64, ret) == 1;
	return false;
}

/* Below a cgroup's limit of memory or processes by less than this, a fork isn't made. */
static bool cgroup_has_room(pid_t pid, const char *limit, const char *usage, uint64_t margin)
{
	char path[128], line[512], name[640];
	autoclean(fclosep) FILE *file = NULL;
	uint64_t max, now;

	(void) snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		char *end;

		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		/* Every ancestor's limit counts. */
		for (char *group = line + 3; (end = strrchr(group, '/')); *end = '\0') {
			(void) snprintf(name, sizeof(name), "/sys/fs/cgroup%s/%s", group, limit);
			if (read_number(name, "", &max)) {
				(void) snprintf(name, sizeof(name), "/sys/fs/cgroup%s/%s", group, usage);
				if (read_number(name, "", &now) && now + margin > max)
					return false;
			}
		}
	}
	return true;
}

/* With strict overcommit the child's share is refused, or the service's next malloc is. */
static bool commit_has_room(uint64_t resident)
{
	uint64_t mode, limit, used;

	if (!read_number("/proc/sys/vm/overcommit_memory", "", &mode) || mode != 2)
		return true;
	return read_number("/proc/meminfo", "CommitLimit:", &limit) &&
	       read_number("/proc/meminfo", "Committed_AS:", &used) &&
	       limit > used && (limit - used) * 1024 > 2 * resident;
}

bool snapshot_is_affordable(struct domain *d)
{
	enum { MEMORY_MARGIN = 32 << 20, PIDS_MARGIN = 8 };
	uint64_t ns_per_mb = d->stall_ns_per_mb ? d->stall_ns_per_mb : STALL_NS_PER_MB;
	uint64_t resident_kb = 0;
	char path[64];
	int error = 0;

	(void) snprintf(path, sizeof(path), "/proc/%d/status", d->pid);
	if (!read_number(path, "VmRSS:", &resident_kb))
		return true;
	d->expected_stall_ns = resident_kb / 1024 * ns_per_mb;
	if (d->expected_stall_ns > d->env->policy->stall_ns)
		error = -ETIME;		/* the fork alone would stall the service for too long */
	else if (!commit_has_room(resident_kb * 1024) ||
		 !cgroup_has_room(d->pid, "memory.max", "memory.current", MEMORY_MARGIN))
		error = -ENOMEM;
	else if (!cgroup_has_room(d->pid, "pids.max", "pids.current", PIDS_MARGIN))
		error = -EAGAIN;
	if (!error)
		return true;
	/* A measurement that a busy host has spoilt isn't believed for ever. */
	if (error == -ETIME)
		d->stall_ns_per_mb -= (d->stall_ns_per_mb - (d->stall_ns_per_mb < STALL_NS_PER_MB ? d->stall_ns_per_mb : STALL_NS_PER_MB)) / 4;
	d->snapshot_error = error;
	d->snapshots_failed++;
	d->snapshots_skipped += error == -ETIME;
	d->next_snapshot_ns = now_ns() + d->env->policy->snapshot_interval_ns;
	return false;
}

/* For each as long as it took. */
enum { RESTS = 9 };

bool snapshot_can_wait(struct domain *d, uint64_t now)
{
	uint64_t rest_ns = d->env->snapshots_rest_ns, latest_ns = d->snapshot_due_ns + d->env->policy->window_ns / 2;

	if (now >= rest_ns || now >= latest_ns)
		return false;
	d->next_snapshot_ns = rest_ns < latest_ns ? rest_ns : latest_ns;
	return true;
}

void snapshot_is_asked_for(struct domain *d, uint64_t now)
{
	d->env->snapshots_rest_ns = now + (1 + RESTS) * d->env->snapshot_work_ns;
}

uint64_t snapshot_interval_ns(const struct domain *d)
{
	/* A pause that small is lost among others, and its measurement is noise. */
	const uint64_t small_ns = 5000000;
	const struct policy *policy = d->env->policy;
	uint64_t interval;

	if (d->expected_stall_ns <= small_ns || !policy->stall_ns)
		return policy->snapshot_interval_ns;
	interval = (uint64_t)((double)d->expected_stall_ns * STALL_PERIOD_NS / (double)policy->stall_ns);
	return interval > policy->snapshot_interval_ns ? interval : policy->snapshot_interval_ns;
}

/* -- a snapshot's child ---------------------------------------------------------------------------- */

/* The last number behind "NSpid:": what the process itself sees. */
uint64_t innermost_pid(pid_t pid)
{
	char path[64], line[256], *last;
	autoclean(fclosep) FILE *file = NULL;

	(void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		last = strrchr(line, '\t');
		return last ? strtoull(last, NULL, 10) : 0;
	}
	return 0;
}

pid_t parent_of(pid_t pid)
{
	char path[64];
	uint64_t parent;

	(void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return read_number(path, "PPid:", &parent) ? (pid_t)parent : 0;
}

/* The child's number here, given the number that the process has for it. 0: not found. */
static pid_t find_child(const struct domain *d, uint32_t number)
{
	char path[64];
	autoclean(fclosep) FILE *file = NULL;
	pid_t pid;

	if (parent_of((pid_t)number) == d->pid && innermost_pid((pid_t)number) == number)
		return (pid_t)number;
	/* An orphan: the process has ended meanwhile. */
	if (d->same_pids && has_mapped((pid_t)number, d->memfd))
		return (pid_t)number;
	(void) snprintf(path, sizeof(path), "/proc/%d/task/%d/children", d->pid, d->pid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &pid) == 1)
		if (innermost_pid(pid) == number)
			return pid;
	return 0;
}

/* -- into the store ---------------------------------------------------------------------------------- */

/* The date at which CLOCK_MONOTONIC said @mono_ns. */
static uint64_t date_of(uint64_t mono_ns)
{
	struct timespec real;

	(void) clock_gettime(CLOCK_REALTIME, &real);
	return (uint64_t)real.tv_sec * 1000000000 + (uint64_t)real.tv_nsec - (now_ns() - mono_ns);
}

struct image_head snapshot_head(const struct domain *d, uint64_t event, uint64_t mono_ns)
{
	struct rlimit stack;

	if (prlimit(d->pid, RLIMIT_STACK, NULL, &stack) < 0)
		stack.rlim_cur = d->stack_limit;
	return (struct image_head){
		.abi = le32_of(AGENT_ABI),
		.agent_hash = le64_of(agent_image_hash()),
		.event = le64_of(event),
		.mono_ns = le64_of(mono_ns),
		.real_ns = le64_of(date_of(mono_ns)),
		.base = le64_of(d->config.base),
		.vdso = le64_of(d->config.vdso),
		.ring_len = le64_of(d->config.ring_len),
		.entry = le64_of(d->config.entry),
		.interpreter_start = le64_of(d->config.interpreter.start),
		.interpreter_end = le64_of(d->config.interpreter.end),
		.tick_shift = le32_of(d->config.tick_shift),
		.cpu = le32_of(d->shared->first_cpu),
		.stack_limit = le64_of(stack.rlim_cur),
	};
}

uint8_t *snapshot_maps(const struct image_map *rows, size_t n, const char *text, size_t text_len,
		       size_t prefix, size_t *ret_len)
{
	struct image_maps counts = { le32_of((uint32_t)n), le32_of((uint32_t)text_len) };
	size_t len = prefix + sizeof(counts) + n * sizeof(*rows) + text_len;
	uint8_t *bytes = malloc(len);

	if (!bytes || len > CHUNK_MAX_RAW) {
		free(bytes);
		return NULL;
	}
	memcpy(bytes + prefix, &counts, sizeof(counts));
	memcpy(bytes + prefix + sizeof(counts), rows, n * sizeof(*rows));
	if (text_len)
		memcpy(bytes + prefix + sizeof(counts) + n * sizeof(*rows), text, text_len);
	*ret_len = len;
	return bytes;
}

static int store_maps(void *userdata, const struct image_map *rows, size_t n, const char *text,
		      size_t text_len)
{
	struct domain *d = userdata;
	struct image_head head = snapshot_head(d, d->capture_event, d->capture_ns);
	autoclean(freep) uint8_t *bytes = NULL;
	size_t len;
	int r;

	domain_shared_is_read(d, rows, n);
	r = store_snapshot_begin(d->env->store, d->id, d->capture_event, d->capture_ns, &d->writer);
	if (r != 0)
		return r < 0 ? r : -ENOSPC;
	bytes = snapshot_maps(rows, n, text, text_len, 0, &len);
	if (!bytes)
		return -ENOMEM;
	r = snapshot_writer_add(d->writer, CHUNK_SNAPSHOT_HEAD, &head, sizeof(head));
	if (r == 0)
		r = snapshot_writer_add(d->writer, CHUNK_SNAPSHOT_MAPS, bytes, len);
	return r > 0 ? -ENOSPC : r;
}

static_assert(IMAGE_PAGE == SNAPSHOT_PAGE && IMAGE_ZERO == SNAPSHOT_ZERO, "an address is a key");
static_assert(sizeof(struct image_pages) == sizeof(struct snapshot_pages), "what the reader makes");

static int store_pages(void *userdata, const struct image_map *map, const uint64_t *addresses,
		       size_t n, const uint8_t *bytes)
{
	struct domain *d = userdata;

	(void) map;
	for (size_t i = 0; i < n; i++) {
		int r = snapshot_writer_page(d->writer, addresses[i], bytes);

		if (r)
			return r > 0 ? -ENOSPC : r;
		bytes += addresses[i] & IMAGE_ZERO ? 0 : IMAGE_PAGE;
	}
	return 0;
}

/* It is as it was when the snapshot before was taken. */
static int keep_page(void *userdata, const struct image_map *map, uint64_t address)
{
	struct domain *d = userdata;
	int r = snapshot_writer_keep(d->writer, address);

	switch (r) {
	case 0:
		return CAPTURE_KEPT;
	case STORE_PAGE_CHANGES:
		return CAPTURE_READ;
	case STORE_PAGE_UNKNOWN:
		/* Of zeroes: capture lists those of files only. Or of shared memory that the process hadn't. */
		return le32_get(map->kind) == IMAGE_ANONYMOUS || le32_get(map->kind) == IMAGE_STACK ||
				       le32_get(map->kind) == IMAGE_AGENT ?
			       CAPTURE_KEPT :
			       CAPTURE_READ;
	}
	return r < 0 ? r : -ENOSPC;
}

static void compare_shared(void *userdata, const struct image_map *map, uint64_t address, size_t n, bool *same)
{
	const struct domain *d = userdata;
	uint64_t base;

	if (snapshot_writer_base(d->writer, &base))
		domain_compare_shared(d, base, map, address, n, same);
}

/* -- the child that is kept ------------------------------------------------------------------------------ */

#define KEPT_LOOK_NS UINT64_C(100000000)

void snapshot_drop_kept(struct domain *d)
{
	if (d->kept.pagemap < 0)
		return;
	closep(&d->kept.pagemap);
	closep(&d->kept.smaps);
	d->kept = (struct kept_child){ .pagemap = -1, .smaps = -1 };
	__atomic_store_n(&d->shared->snapshot_kept, 0, __ATOMIC_SEQ_CST);
	wake_word(&d->shared->snapshot_kept);
	(void) __atomic_fetch_or(&d->shared->attention, ATTENTION_REAP, __ATOMIC_SEQ_CST);
}

/* The agent may have ended it: an exec, or a wait that would have found it. */
static bool kept_lives(const struct domain *d)
{
	uint64_t entry;

	return d->kept.pagemap >= 0 &&
	       pread(d->kept.pagemap, &entry, 8, (off_t)(d->config.base / IMAGE_PAGE * 8)) == 8;
}

/* Each page that the service has taken for itself since the fork was a fault of its. */
static uint64_t faults_of(pid_t pid)
{
	char path[64], line[512], *end;
	autoclean(fclosep) FILE *file = NULL;
	uint64_t faults = 0;

	(void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	/* The name may have spaces; behind it: state and six numbers. */
	if (file && fgets(line, sizeof(line), file) && (end = strrchr(line, ')')))
		(void) sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %" SCNu64, &faults);
	return faults;
}

/* What the child alone has, by the kernel's count. */
uint64_t domain_snapshot_memory(const struct domain *d)
{
	char text[4096], *at;
	ssize_t n = d->kept.smaps < 0 ? 0 : pread(d->kept.smaps, text, sizeof(text) - 1, 0);
	uint64_t clean = 0, dirty = 0;

	if (n <= 0)
		return 0;	/* there is none, or it has ended */
	text[n] = '\0';
	at = strstr(text, "Private_Clean:");
	if (at)
		(void) sscanf(at, "Private_Clean: %" SCNu64, &clean);
	at = strstr(text, "Private_Dirty:");
	if (at)
		(void) sscanf(at, "Private_Dirty: %" SCNu64, &dirty);
	return (clean + dirty) * 1024;
}

/* With room for what it may come to hold, or not at all: the service's limit counts it, too. */
static bool may_keep(const struct domain *d)
{
	uint64_t most = d->env->policy->snapshot_memory, total_kb, free_kb;

	return most && (!read_number("/proc/meminfo", "MemTotal:", &total_kb) ||
			!read_number("/proc/meminfo", "MemAvailable:", &free_kb) ||
			free_kb > total_kb / 16) &&
	       cgroup_has_room(d->pid, "memory.max", "memory.current", 2 * most);
}

void snapshot_watch_kept(struct domain *d, uint64_t now)
{
	uint64_t most = d->env->policy->snapshot_memory, faults;

	if (d->kept.pagemap < 0 || now - d->kept.looked_ns < KEPT_LOOK_NS)
		return;
	d->kept.looked_ns = now;
	if (!may_keep(d)) {
		snapshot_drop_kept(d);
		return;
	}
	faults = faults_of(d->pid);
	if (d->kept.bytes + (faults - d->kept.faults) * IMAGE_PAGE < most)
		return;
	/* Many faults are of other kinds: the kernel's count takes longer, but is one. */
	d->kept.bytes = domain_snapshot_memory(d);
	d->kept.faults = faults;
	if (d->kept.bytes > most - most / 8)
		snapshot_drop_kept(d);
}

/* The snapshot is whole. The child lets go of all but private anonymous memory. */
static void keep_child(struct domain *d)
{
	struct agent_shared *s = d->shared;
	char path[64];
	size_t n;

	closep(&d->kept.pagemap);
	closep(&d->kept.smaps);
	d->kept = (struct kept_child){ .pagemap = -1, .smaps = -1, .event = d->capture_event };
	/* What is small is read as fast: no second process for each of hundreds of workers. */
	if (d->snapshot_pages * IMAGE_PAGE < d->env->policy->snapshot_memory / 64 || !may_keep(d) ||
	    !capture_sees_frames(d->capture) || passing(d)) {
		__atomic_store_n(&s->snapshot_kept, 0, __ATOMIC_SEQ_CST);
		wake_word(&s->snapshot_kept);
		return;
	}
	(void) snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", d->child);
	d->kept.smaps = open(path, O_RDONLY | O_CLOEXEC);
	d->kept.pagemap = capture_take_pagemap(d->capture);
	d->kept.faults = faults_of(d->pid);
	d->kept.looked_ns = now_ns();
	n = capture_held_mappings(d->capture, s->unmap, MAX_UNMAP);
	n += capture_file_mappings(d->capture, s->unmap + n, MAX_UNMAP - n);
	__atomic_store_n(&s->n_unmap, (uint32_t)n, __ATOMIC_RELEASE);
	/* Whichever was kept before ends. */
	__atomic_store_n(&s->snapshot_kept, d->capture_number, __ATOMIC_SEQ_CST);
	wake_word(&s->snapshot_kept);
}

/* -- the course of a snapshot --------------------------------------------------------------------------- */

static void set_state(struct domain *d, uint32_t state)
{
	__atomic_store_n(&d->shared->snapshot_state, state, __ATOMIC_SEQ_CST);
	wake_word(&d->shared->snapshot_state);
}

/* The child isn't needed any more, whatever came of it. */
static void let_child_end(struct domain *d)
{
	set_state(d, SNAPSHOT_DONE);
	(void) __atomic_fetch_or(&d->shared->attention, ATTENTION_REAP, __ATOMIC_SEQ_CST);
}

void snapshot_drop(struct domain *d)
{
	if (d->capture)
		let_child_end(d);
	d->capture = capture_close(d->capture);
	d->writer = snapshot_writer_abort(d->writer);
	d->commit_ns = 0;
	d->capture_is_due = false;
}

/* Before the first is tried again. */
#define FIRST_AGAIN_NS UINT64_C(100000000)

static void snapshot_failed(struct domain *d, int error)
{
	snapshot_drop(d);
	d->snapshots_failed++;
	d->snapshot_error = error;
	/* Without any, nothing can be replayed. */
	if (d->snapshots == 0)
		d->next_snapshot_ns = now_ns() + FIRST_AGAIN_NS;
	/* The window is frozen all the same, where the snapshot would have been. */
	if (d->capture_flags & EVENT_FREEZE)
		d->freeze_is_ready = true;
}

/* All has been read. */
static void commit(struct domain *d)
{
	int r;

	d->commit_ns = 0;
	r = snapshot_writer_commit(MOVE(d->writer));
	if (r != 0) {
		snapshot_failed(d, r < 0 ? r : -ENOSPC);
		return;
	}
	d->snapshot_method = d->method;
	d->snapshot_work_ns = now_ns() - d->snapshot_begun_ns;
	d->env->snapshot_work_ns = d->snapshot_work_ns;
	d->env->snapshots_rest_ns = now_ns() + RESTS * d->snapshot_work_ns;
	if (d->capture) {
		keep_child(d);
		let_child_end(d);
		d->capture = capture_close(d->capture);
	}
	d->snapshots++;
	domain_shared_is_stored(d);
	if (d->capture_flags & EVENT_FREEZE)
		d->freeze_is_ready = true;
}

void snapshot_begins(struct domain *d)
{
	if (d->commit_ns)
		commit(d);
	if (d->capture || d->capture_is_due)
		snapshot_drop(d);
	d->capture_is_due = true;
	d->capture_event = d->snapshot_event;
	d->capture_ns = d->last_event_ns;
	d->capture_flags = d->shared->snapshot_flags;
	begin_window(d);
	if (d->capture_flags & EVENT_FREEZE)
		d->freeze = (struct domain_freeze){
			.event = d->capture_event,
			.signal = (int)d->shared->freeze_signal,
		};
}

static int begin_capture(struct domain *d)
{
	const struct capture_sink sink = { store_maps, store_pages, keep_page, compare_shared, d, true };
	uint32_t number = d->shared->snapshot_child;
	pid_t child = find_child(d, number);
	uint64_t base;
	bool has_base;
	int r;

	if (!child)
		return -ESRCH;
	d->child = child;
	d->capture_let_go = false;
	d->capture_number = d->shared->snapshot_taken;
	d->snapshot_begun_ns = now_ns();
	r = capture_open(child, &d->config, d->env->files, &sink, &d->capture);
	if (r < 0)
		return r;
	has_base = snapshot_writer_base(d->writer, &base);
	d->method = has_base ? SNAPSHOT_BY_HASHES : SNAPSHOT_BY_NONE;
	if (has_base && d->kept.event == base && kept_lives(d)) {
		capture_compare(d->capture, d->kept.pagemap);
		d->method = SNAPSHOT_BY_FRAMES;
	}
	return 0;
}

/*
 * Shared memory, and what is behind files that change, is read: the child may let go of it.
 * False: the service has waited too long for that, and may have changed it meanwhile.
 */
static bool let_go_of_mappings(struct domain *d)
{
	uint32_t expected = SNAPSHOT_BORN;

	d->shared->n_unmap = (uint32_t)capture_held_mappings(d->capture, d->shared->unmap, MAX_UNMAP);
	d->capture_let_go = true;
	if (domain_family_is_lost(d))
		return false;
	if (!__atomic_compare_exchange_n(&d->shared->snapshot_state, &expected, SNAPSHOT_COPIED, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	wake_word(&d->shared->snapshot_state);
	return true;
}

/* A host that was busy has made it longer than it would be: it is forgotten sooner than learnt. */
static void note_stall(struct domain *d, uint64_t ns_per_mb)
{
	uint64_t before = d->stall_ns_per_mb ? d->stall_ns_per_mb : STALL_NS_PER_MB;

	d->stall_ns_per_mb = ns_per_mb > before ? (3 * before + ns_per_mb) / 4 : (before + ns_per_mb) / 2;
}

/*
 * An image's first snapshot is read, and its child gone, at once; to compress it takes twice as long,
 * and is for nothing if the process ends before anybody could want it.
 */
#define COMMIT_AFTER_NS UINT64_C(5000000)

static void snapshot_read(struct domain *d)
{
	uint64_t stall = d->shared->snapshot_stall_ns, resident_kb;
	char path[64];

	d->missing_files = capture_missing_files(d->capture);
	(void) snprintf(path, sizeof(path), "/proc/%d/status", d->child);
	if (read_number(path, "VmRSS:", &resident_kb) && resident_kb >= 1024)
		note_stall(d, stall / (resident_kb / 1024));
	d->snapshot_pages_read = capture_pages_read(d->capture);
	snapshot_writer_count(d->writer, &d->snapshot_pages, &d->snapshot_pages_written);
	if (d->snapshots == 0 && !(d->capture_flags & EVENT_FREEZE)) {
		keep_child(d);
		let_child_end(d);
		d->capture = capture_close(d->capture);
		d->commit_ns = now_ns() + COMMIT_AFTER_NS;
	} else {
		commit(d);
	}
}

/* The child has been born, or won't be. */
static void capture_due(struct domain *d)
{
	uint32_t state = load(&d->shared->snapshot_state);
	int r;

	if (state == SNAPSHOT_NONE)
		return;
	d->capture_is_due = false;
	r = state == SNAPSHOT_FAILED ? d->shared->snapshot_error : begin_capture(d);
	if (r < 0) {
		let_child_end(d);
		snapshot_failed(d, r);
	}
}

bool snapshot_work(struct domain *d, size_t bytes)
{
	int r;

	if (d->commit_ns && (bytes == SNAPSHOT_ALL || now_ns() >= d->commit_ns))
		commit(d);
	if (d->capture_is_due)
		capture_due(d);
	if (!d->capture)
		return false;
	r = capture_step(d->capture, bytes);
	if (r < 0) {
		snapshot_failed(d, r);
		return false;
	}
	if (!d->capture_let_go && capture_urgent_is_done(d->capture) && !let_go_of_mappings(d)) {
		snapshot_failed(d, d->shared->snapshot_error);
		return false;
	}
	if (r == CAPTURE_DONE)
		snapshot_read(d);
	return d->capture != NULL || (d->commit_ns && bytes == SNAPSHOT_ALL);
}

bool domain_take_freeze(struct domain *d, struct domain_freeze *ret_freeze)
{
	if (!d->freeze_is_ready)
		return false;
	d->freeze_is_ready = false;
	*ret_freeze = d->freeze;
	return true;
}

/* -- holding a sleeper ------------------------------------------------------------------------------------- */

static bool take_baton(struct domain *d)
{
	uint32_t expected = 0;

	return __atomic_compare_exchange_n(&d->shared->baton, &expected, BATON_RECORDER, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool domain_hold(struct domain *d, struct domain_freeze *ret_freeze)
{
	bool more = true;

	if (!take_baton(d))
		return false;
	/* The freeze that it slept through is this one. */
	(void) __atomic_fetch_and(&d->shared->attention, ~ATTENTION_SNAPSHOT, __ATOMIC_SEQ_CST);
	while (more && domain_work(d, &more) >= 0 && !d->broken)
		;
	cut_log(d);
	*ret_freeze = (struct domain_freeze){ .event = d->next_event };
	return true;
}

bool domain_thaw(struct domain *d)
{
	uint32_t was = load(&d->shared->baton);

	while ((was & BATON_HOLDER) == BATON_RECORDER)
		if (__atomic_compare_exchange_n(&d->shared->baton, &was, 0, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST)) {
			wake_word(&d->shared->baton);
			return true;
		}
	return false;
}

/* -- a sleeper's first snapshot ------------------------------------------------------------------------------ */

/*
 * Reads all of it, within the policy's bound, and only as long as nobody wants to go on. What it
 * shares by turns comes first.
 */
static int read_sleeper(struct domain *d)
{
	const struct capture_sink sink = { store_maps, store_pages, NULL, NULL, d, true };
	uint64_t begin = now_ns();
	struct capture *capture = NULL;
	bool turn = true;
	int r;

	if (!domain_take_turn(d))
		return -EAGAIN;
	r = capture_open(living_task(d), &d->config, d->env->files, &sink, &capture);
	while (r == 0) {
		r = capture_step(capture, 1 << 20);
		if (r >= 0 && turn && capture_urgent_is_done(capture)) {
			turn = false;
			if (!domain_give_turn(d) || domain_family_is_lost(d))
				r = -EAGAIN;
		}
		if (r == 0 && load(&d->shared->baton) != BATON_RECORDER)
			r = -EAGAIN;
		else if (r == 0 && now_ns() - begin > d->env->policy->stall_ns)
			r = -ETIME;
	}
	if (turn)
		(void) domain_give_turn(d);
	if (r == CAPTURE_DONE)
		d->missing_files = capture_missing_files(capture);
	(void) capture_close(capture);
	return r < 0 ? r : 0;
}

/* Newest snapshots stay: those of many sleepers mustn't leave no room for what happens. */
static bool ring_is_half_full(const struct domain *d)
{
	struct store_status status;

	store_get_status(d->env->store, &status);
	return status.bytes_live > d->env->policy->ring_bytes / 2;
}

void snapshot_of_sleeper(struct domain *d)
{
	int r;

	d->next_snapshot_ns = now_ns() + d->env->policy->snapshot_interval_ns;
	if (ring_is_half_full(d) || !take_baton(d))
		return;
	domain_drain(d);
	cut_log(d);
	/* Until it has logged something it is its parent's copy; one that is due is as good. */
	if (d->broken || !d->log_is_whole || !d->next_event || d->capture_is_due) {
		(void) domain_thaw(d);
		return;
	}
	d->capture_event = d->next_event;
	d->capture_ns = d->last_event_ns;
	r = read_sleeper(d);
	/* Taken back meanwhile: what was read is of no one moment. */
	if (!domain_thaw(d) && r == 0)
		r = -EAGAIN;
	if (r == 0)
		r = snapshot_writer_commit(MOVE(d->writer));
	d->writer = snapshot_writer_abort(d->writer);
	if (r == 0) {
		d->snapshots++;
		d->snapshot_event = d->capture_event;
	} else if (r != -EAGAIN) {
		d->sleeper_failed = r == -ETIME;
		d->snapshots_failed++;
		d->snapshot_error = r < 0 ? r : -ENOSPC;
	}
}
