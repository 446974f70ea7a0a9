/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/capture.h"
#include "recorder/domain-internal.h"
#include "recorder/known.h"
#include "recorder/inject.h"
#include "recorder/pack.h"

enum {
	STEP_BYTES = 2 << 20,	/* of a snapshot, between two looks at the ring */
	DRAIN_BYTES = 1 << 20,	/* of the ring, between two looks at the rest */
};

#define NAP_NS UINT64_C(20000000)	/* between drains of a busy ring */
#define CHUNK_AGE_NS UINT64_C(500000000)	/* then even a small chunk is written, if not before */
#define KICK_AFTER_NS UINT64_C(20000000)	/* a wanted snapshot that nobody takes */
#define RETRY_NS UINT64_C(1000000000)	/* after the disk was full */

uint64_t now_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* -- begin and end ------------------------------------------------------------------------------ */

struct domain *domain_free(struct domain *d)
{
	if (!d)
		return NULL;
	domain_stop_waiting(d);
	snapshot_drop(d);
	snapshot_drop_kept(d);
	/* Not before: of one that has ended an incident may leave out all, and it may be about this one. */
	store_domain_end(d->env->store, d->id);
	leave_read_files(d);
	if (d->directory)
		(void) munmap(d->directory, DIRECTORY_LEN);
	free(d->turns_now.rows);
	free(d->turns_before.rows);
	closep(&d->directory_fd);
	if (d->shared)
		(void) munmap(d->shared, SHARED_CONTROL_LEN);
	if (d->ring)
		(void) munmap((void *)d->ring, d->config.ring_len);
	closep(&d->memfd);
	closep(&d->wake_fd);
	closep(&d->pidfd);
	births_free(d);
	stubs_free(d);
	free(d->log);
	free(d->exe);
	free(d);
	return NULL;
}

static int map_memory(struct domain *d)
{
	void *shared = mmap(NULL, SHARED_CONTROL_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, d->memfd, 0);
	void *ring;

	if (shared == MAP_FAILED)
		return -errno;
	d->shared = shared;
	ring = mmap(NULL, d->config.ring_len, PROT_READ, MAP_SHARED, d->memfd, SHARED_CONTROL_LEN);
	if (ring == MAP_FAILED)
		return -errno;
	d->ring = ring;
	return 0;
}

static void read_facts(struct domain *d)
{
	char path[64], target[4096];
	struct rlimit stack;
	ssize_t n;

	(void) snprintf(path, sizeof(path), "/proc/%d/exe", d->pid);
	n = readlink(path, target, sizeof(target));
	if (n > 0 && n < (ssize_t)sizeof(target))
		d->exe = strndup(target, (size_t)n);
	if (prlimit(d->pid, RLIMIT_STACK, NULL, &stack) == 0)
		d->stack_limit = stack.rlim_cur;
	d->parent = parent_of(d->pid);
	if (known_uid(d->pid, &d->uid) < 0)
		d->uid = UINT32_MAX;
	d->same_pids = innermost_pid(d->pid) == (uint64_t)d->pid;
	if (d->same_pids)
		__atomic_store_n(&d->shared->recorder_pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
}

struct domain *domain_alloc(struct domain_env *env, uint32_t id, pid_t pid,
			    const struct agent_config *config, int memfd)
{
	struct domain *d = calloc(1, sizeof(*d));

	if (!d) {
		(void) close(memfd);
		return NULL;
	}
	d->env = env;
	d->id = id;
	d->pid = pid;
	d->config = *config;
	d->memfd = memfd;
	d->wake_fd = d->pidfd = d->directory_fd = -1;
	d->kept.pagemap = d->kept.smaps = -1;
	for (unsigned i = 0; i < MAX_SPARES; i++)
		d->spares[i] = -1;
	return d;
}

int domain_begin(struct domain *d)
{
	int r;

	d->log = malloc(PACK_MAX_RUN);
	if (!d->log)
		return -ENOMEM;
	d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake_fd < 0)
		return -errno;
	r = map_memory(d);
	if (r < 0)
		return r;
	offer_read_files(d);
	d->snapshot_due_ns = d->next_snapshot_ns = now_ns() + d->env->policy->snapshot_interval_ns;
	d->log_is_whole = true;	/* the agent's first snapshot is under way, or the parent's log says it */
	return domain_start_waiting(d);
}

int domain_new(struct domain_env *env, uint32_t id, pid_t pid, const struct agent_config *config,
	       int memfd, struct domain **ret_domain)
{
	autoclean(domain_freep) struct domain *d = domain_alloc(env, id, pid, config, memfd);
	int r;

	if (!d)
		return -ENOMEM;
	d->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (d->pidfd < 0 && errno != ESRCH)
		return -errno;
	r = domain_begin(d);
	if (r < 0)
		return r;
	read_facts(d);
	*ret_domain = MOVE(d);
	return 0;
}

/* -- the log -------------------------------------------------------------------------------------- */

static uint64_t event_ns(const struct domain *d)
{
	const struct domain_env *env = d->env;

	return env->mono_zero +
	       (uint64_t)((double)(int64_t)(d->tsc - env->tsc_zero) / env->tsc_per_ns);
}

/* The disk had no room: what follows can't be replayed until the next snapshot. */
static void begin_gap(struct domain *d)
{
	d->gaps++;
	d->log_is_whole = false;
	d->log_len = 0;
	d->log_events = 0;
	d->retry_ns = now_ns() + RETRY_NS;
	snapshot_drop(d);
}

/* As pack() wants it. */
static uint32_t tick_length(const struct domain *d)
{
	double tick = (double)(UINT64_C(1024) << d->config.tick_shift) / d->env->tsc_per_ns;

	return tick >= 1 && tick < UINT32_MAX ? (uint32_t)tick : 0;
}

static int append_packed(struct domain *d, struct log_run *run)
{
	struct packed packed;

	pack(d->env->packer, tick_length(d), d->log, d->log_len, &packed);
	run->data = packed.data;
	run->len = packed.len;
	run->ends = packed.ends;
	run->n_ends = PACK_N_COLUMNS;
	return store_log_append(d->env->store, d->id, run);
}

static void write_log(struct domain *d)
{
	struct log_run run = {
		.first_event = d->next_event - d->log_events,
		.n_events = d->log_events,
		.first_ns = d->log_first_ns,
		.last_ns = d->last_event_ns,
	};

	if (!d->log_events)
		return;
	if (d->log_is_whole && append_packed(d, &run) != 0) {
		begin_gap(d);
		return;
	}
	d->log_len = 0;
	d->log_events = 0;
}

/* Events are 8-aligned: a word doesn't wrap. */
static uint64_t ring_word(const struct domain *d, uint64_t position)
{
	return __atomic_load_n((const uint64_t *)(d->ring + (position & (d->config.ring_len - 1))),
			       __ATOMIC_RELAXED);
}

/* What wraps is in two pieces. */
static void copy_from_ring(const struct domain *d, void *to, uint64_t position, size_t len)
{
	uint64_t at = position & (d->config.ring_len - 1), first = d->config.ring_len - at;

	if (len <= first) {
		memcpy(to, d->ring + at, len);
		return;
	}
	memcpy(to, d->ring + at, first);
	memcpy((uint8_t *)to + first, d->ring, len - first);
}

/* In its place: a copy would be loaded in other pieces than it was stored in, and wait for them. */
static void make_event_of_reading(const struct event_reading *reading, struct event *ret)
{
	unsigned clock = (reading->tag & 0xffff) >> 1;
	uint64_t unit = clock == EVENT_CLOCK_TIMEOFDAY ? 1000 : 1;

	ret->len = sizeof(*ret);
	ret->kind = EVENT_CLOCK;
	ret->flags = 0;
	ret->thread = (uint16_t)(reading->tag >> 16);
	ret->nr = (uint16_t)clock;
	ret->ticks = 0;
	ret->check = 0;
	ret->result = (int64_t)((uint64_t)reading->sec * 1000000000 + reading->fraction * unit);
}

/*
 * To the log's end; returns what it takes of the ring, or 0: nonsense. Events are copied before
 * they are looked at: the other side may change them meanwhile.
 */
static size_t copy_event(struct domain *d, uint64_t position, uint64_t head)
{
	struct event *event = (struct event *)(d->log + d->log_len);
	uint64_t available = head - position;
	union {
		uint64_t words[2];
		struct event_reading reading;
		uint32_t len;
	} begin = { { ring_word(d, position) } };
	size_t taken = begin.len;

	if (begin.len & 1) {
		begin.words[1] = ring_word(d, position + 8);
		make_event_of_reading(&begin.reading, event);
		taken = sizeof(begin.reading);
	} else if (taken >= sizeof(*event) && taken <= EVENT_MAX_LEN && taken % 8 == 0 && taken <= available) {
		copy_from_ring(d, event, position, taken);
		event->len = (uint32_t)taken;
	} else {
		return 0;
	}
	if (taken > available || event->kind == 0 || event->kind >= EVENT_N || event->thread >= MAX_THREADS)
		return 0;
	return taken;
}

static void count_ticks(struct domain *d, uint16_t ticks)
{
	uint64_t n = ticks & 0x8000 ? (uint64_t)(ticks & 0x7fff) << 10 : ticks;

	if (!n)
		return;
	d->tsc += n << d->config.tick_shift;
	d->last_event_ns = event_ns(d);
}

pid_t living_task(const struct domain *d)
{
	char path[64], byte;

	/* Without memory there is nothing that it executes. */
	(void) snprintf(path, sizeof(path), "/proc/%d/exe", d->pid);
	if (!d->same_pids || readlink(path, &byte, 1) > 0)
		return d->pid;
	for (unsigned i = 0; i < MAX_THREADS; i++) {
		pid_t tid = (pid_t)load(&d->shared->slots[i].tid);

		if (!tid || tid == d->pid || !load(&d->shared->slots[i].kernel_tid))
			continue;
		/* The service could name anybody's. */
		(void) snprintf(path, sizeof(path), "/proc/%d/task/%d", d->pid, tid);
		if (access(path, F_OK) == 0)
			return tid;
	}
	return d->pid;
}

/* The file of a mapping that begins at @start, by the process's own list of them. */
static void find_mapped_file(struct domain *d, uint64_t start)
{
	char path[64], line[4352];
	autoclean(fclosep) FILE *file = NULL;
	pid_t task = living_task(d);

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", task);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		uint64_t from, to, ino;
		unsigned major, minor;
		int name = 0;

		if (sscanf(line, "%lx-%lx %*s %*x %x:%x %lu %n", &from, &to, &major, &minor, &ino,
			   &name) < 5 || from != start || !name)
			continue;
		line[strcspn(line, "\n")] = '\0';
		(void) files_of_mapping(d->env->files, task, from, to, makedev_of(major, minor), ino,
					line + name);
		return;
	}
}

/* A private file mapping: the file must be had before it can be changed or removed. */
static void note_mapping(struct domain *d, const struct event *event)
{
	const struct event_mapping *mapping = (const struct event_mapping *)(event + 1);
	size_t room = event->len - sizeof(*event);
	char path[1024];
	struct file_id id;

	if (room < sizeof(*mapping) || mapping->by_value || !mapping->ino)
		return;
	id = (struct file_id){ mapping->dev, mapping->ino, mapping->size, mapping->mtime_ns };
	if (files_find(d->env->files, &id))
		return;
	if (mapping->path_len && mapping->path_len < sizeof(path) &&
	    mapping->path_len <= room - sizeof(*mapping)) {
		memcpy(path, mapping + 1, mapping->path_len);
		path[mapping->path_len] = '\0';
		if (path[0] == '/' && files_by_path(d->env->files, living_task(d), path, &id))
			return;
	}
	/* Renamed, removed or out of our sight. */
	find_mapped_file(d, (uint64_t)event->result);
	if (!files_find(d->env->files, &id))
		d->missing_files++;
}

/* What an event means to the recorder itself. @number is its own. */
static void look_at_event(struct domain *d, const struct event *event, uint64_t number)
{
	enum { NR_mmap = 9 };

	/* A forked child's may be what others have changed. */
	if (number == 0) {
		d->tsc = d->shared->tsc_begin;
		d->last_event_ns = event_ns(d);
	}
	switch (event->kind) {
	case EVENT_START:
		d->threads++;
		break;
	case EVENT_GONE:
		d->threads -= d->threads > 0;
		break;
	case EVENT_ASYNC:
		d->async_events++;
		break;
	case EVENT_FORK:
		fork_begins(d, number, event->nr, event->thread);
		break;
	case EVENT_SYSCALL:
		fork_ends(d, event->thread, event->result);
		if (event->nr == NR_mmap && event->len > sizeof(*event))
			note_mapping(d, event);
		if (event->flags & EVENT_REFERENCE)
			note_reference(d, event);
		break;
	case EVENT_SIGNAL:
	case EVENT_FATAL:
		d->last_signal = event->nr;
		break;
	case EVENT_SNAPSHOT:
		d->snapshot_event = number + 1;
		break;
	}
	d->last_kind = event->kind;
}

/* Half of the time in which the log is to be on the disk is the store's. */
static uint64_t chunk_age(const struct domain *d)
{
	uint64_t half = d->env->policy->sync_ns / 2;

	return half && half < CHUNK_AGE_NS ? half : CHUNK_AGE_NS;
}

/* Takes events until the ring is empty, a chunk's worth, or a snapshot event. */
static int drain(struct domain *d, bool *ret_more)
{
	uint64_t head = __atomic_load_n(&d->shared->head, __ATOMIC_ACQUIRE), begin = d->tail;

	if (head - d->tail > d->config.ring_len)
		return -EBADMSG;
	while (d->tail != head && d->tail - begin < DRAIN_BYTES) {
		const struct event *event;
		size_t taken;

		if (d->log_len + EVENT_MAX_LEN > PACK_MAX_RUN)
			write_log(d);
		taken = copy_event(d, d->tail, head);
		if (!taken)
			return -EBADMSG;
		event = (const struct event *)(d->log + d->log_len);
		look_at_event(d, event, d->next_event);
		count_ticks(d, event->ticks);
		d->tail += taken;
		d->log_bytes += taken;
		d->next_event++;
		if (!(event->flags & EVENT_CONTINUED))
			d->whole_event = d->next_event;
		if (d->log_is_whole) {
			if (!d->log_events)
				d->log_first_ns = d->last_event_ns;
			d->log_len += event->len;
			d->log_events++;
		}
		if (event->kind == EVENT_SNAPSHOT) {
			__atomic_store_n(&d->shared->tail, d->tail, __ATOMIC_RELEASE);
			snapshot_begins(d);
		}
	}
	__atomic_store_n(&d->shared->tail, d->tail, __ATOMIC_RELEASE);
	if (d->tail != begin) {
		(void) __atomic_add_fetch(&d->shared->producer_waits, 1, __ATOMIC_SEQ_CST);
		wake_word(&d->shared->producer_waits);
		d->drained_ns = now_ns();
	}
	*ret_more = d->tail != head;
	return 0;
}

void cut_log(struct domain *d)
{
	write_log(d);
	if (d->log_is_whole)
		(void) store_log_cut(d->env->store, d->id);
}

static void restart_log(struct domain *d)
{
	if (d->log_is_whole)
		return;
	/* From here on it can be replayed again, once the snapshot is whole. */
	if (store_log_restart(d->env->store, d->id) == 0)
		d->log_is_whole = true;
}

void begin_window(struct domain *d)
{
	/* A file would be made to be removed: without a snapshot nothing can replay what was before it. */
	if (d->log_is_whole && !d->was_forked && d->log_events == d->next_event) {
		d->log_len = 0;
		d->log_events = 0;
		return;
	}
	cut_log(d);
	restart_log(d);
}

/* -- work ------------------------------------------------------------------------------------------ */

static bool anybody_runs(const struct domain *d)
{
	return load(&d->shared->baton) != 0;
}

/* A wanted snapshot waits for an entry into the agent. A thread that makes none is kicked. */
void kick_holder(struct domain *d)
{
	uint32_t holder = load(&d->shared->baton) & 0x7fffffff, was, expected;
	struct agent_slot *slot;
	siginfo_t info = { 0 };

	if (holder == 0 || holder > MAX_THREADS)
		return;
	slot = &d->shared->slots[holder - 1];
	was = expected = load(&slot->status);
	if ((was != SLOT_USER && was != SLOT_KEEPS) ||
	    !__atomic_compare_exchange_n(&slot->status, &expected, SLOT_KICKED, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	info.si_signo = KICK_SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_value.sival_ptr = (void *)KICK_MAGIC;
	expected = SLOT_KICKED;
	/*
	 * Its numbers are of its own namespace; where that isn't ours it isn't kicked. The
	 * thread group is ours to say: the service could name anybody's.
	 */
	if (!d->same_pids || syscall(SYS_rt_tgsigqueueinfo, d->pid, load(&slot->tid), KICK_SIGNAL, &info) < 0)
		(void) __atomic_compare_exchange_n(&slot->status, &expected, was, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void want_snapshot(struct domain *d, uint32_t flags, uint64_t now)
{
	d->shared->snapshot_flags_wanted = flags;
	(void) __atomic_fetch_or(&d->shared->attention, ATTENTION_SNAPSHOT, __ATOMIC_SEQ_CST);
	d->snapshot_wanted_ns = now;
	d->snapshot_is_wanted = true;
}

/* A child's window begins in its parent's, and that goes on. */
static bool depends_on_parent(const struct domain *d)
{
	/* Others take pages of a sleeper's that are handed over, while it is looked at. */
	return d->was_forked && !d->snapshots && !d->capture && !d->commit_ns && d->log_is_whole && !d->sleeper_failed &&
	       !d->directory && !passing(d);
}

static void schedule_snapshots(struct domain *d, uint64_t now)
{
	bool pending;

	if (now >= d->next_snapshot_ns && depends_on_parent(d) && !anybody_runs(d))
		snapshot_of_sleeper(d);
	pending = load(&d->shared->attention) & ATTENTION_SNAPSHOT;
	if (!pending)
		d->snapshot_is_wanted = false;
	if (d->snapshot_is_wanted && now - d->snapshot_wanted_ns >= KICK_AFTER_NS) {
		kick_holder(d);
		d->snapshot_wanted_ns = now;
	}
	if (!pending && now >= d->next_snapshot_ns && !d->capture && !snapshot_can_wait(d, now) &&
	    snapshot_is_affordable(d)) {
		/* Nothing has happened since the last: it would be the same again. */
		if (d->next_event != d->snapshot_event) {
			want_snapshot(d, 0, now);
			snapshot_is_asked_for(d, now);
		}
		d->snapshot_due_ns = d->next_snapshot_ns = now + snapshot_interval_ns(d);
	}
	if (!d->log_is_whole && now >= d->retry_ns && !pending) {
		d->retry_ns = now + RETRY_NS;
		if (!passing(d))
			want_snapshot(d, 0, now);
	}
}

void domain_ask_freeze(struct domain *d)
{
	want_snapshot(d, EVENT_FREEZE, now_ns());
}

/* Sleeps until any event, naps while events come. The agent looks at this word. */
static void arm_wakeup(struct domain *d, uint64_t now)
{
	bool busy = now < d->drained_ns + 4 * NAP_NS;	/* it may have been drained since */

	__atomic_store_n(&d->shared->consumer_sleeps, busy ? 2 : 1, __ATOMIC_SEQ_CST);
	d->nap = busy;
}

static int news(struct domain *d)
{
	uint32_t exec_state;
	int result = 0;

	if (d->freeze_is_ready)
		result |= DOMAIN_FROZEN;
	if (load(&d->shared->obituary.state) == OBITUARY_WRITTEN && !d->obituary_told) {
		memcpy(&d->obituary, &d->shared->obituary, sizeof(d->obituary));
		d->obituary_told = true;
	}
	if (d->obituary_told && !d->released)
		result |= DOMAIN_DYING;
	if (load(&d->shared->spare_state) == SPARE_ASKED)
		result |= DOMAIN_FORKS;
	if (births_are_known(d))
		result |= DOMAIN_BORE;
	if (domain_pages_are_wanted(d))
		result |= DOMAIN_WANTS_PAGES;
	exec_state = load(&d->shared->exec_state);
	if (exec_state == EXEC_ASKED && !d->exec_taken)
		result |= DOMAIN_EXECS;
	else if (exec_state == EXEC_FAILED)
		result |= DOMAIN_EXEC_FAILED;
	return result;
}

/* Others of the service needn't scan what it has scanned. */
static void hand_on_scans(struct domain *d)
{
	uint32_t n = load(&d->shared->known.n_images), uid;

	if (n == d->known_seen)
		return;
	d->known_seen = n;
	/* One that is another user's by now has had the memory of both. */
	if (known_uid(d->pid, &uid) == 0 && uid == d->uid)
		known_learn(d->env->known, &d->shared->known, uid);
}

int domain_work(struct domain *d, bool *ret_more)
{
	uint64_t now = now_ns(), ignored;
	bool more = false, passes = false;
	int r;

	(void) !read(d->wake_fd, &ignored, sizeof(ignored));
	__atomic_store_n(&d->shared->beat_ns, now, __ATOMIC_RELAXED);
	if (d->broken)
		return 0;
	r = drain(d, &more);
	if (r < 0) {
		d->broken = true;
		domain_pass(d);
		return DOMAIN_BROKEN;
	}
	if (passing(d) && !d->seen_passing) {
		d->seen_passing = passes = true;
		write_log(d);
		d->gaps++;
	}
	if (!more && d->log_events && now - d->log_first_ns > chunk_age(d))
		write_log(d);
	/* Of one that dies it may not be wanted any more: who looks at its end sees to it. */
	if (d->obituary_told || load(&d->shared->obituary.state) != OBITUARY_WRITTEN)
		more |= snapshot_work(d, STEP_BYTES);
	schedule_snapshots(d, now);
	snapshot_watch_kept(d, now);
	plan_stubs(d);
	hold_read_files(d);
	hand_on_scans(d);
	/* Not by the clock: while a crash is looked at, what led to it doesn't grow old. */
	store_trim(d->env->store, d->last_event_ns);
	r = news(d) | (passes ? DOMAIN_PASSES : 0);
	if (!more) {
		arm_wakeup(d, now);
		/* What came between the look and the arming. */
		more = __atomic_load_n(&d->shared->head, __ATOMIC_SEQ_CST) != d->tail;
	}
	*ret_more = more;
	return r;
}

uint64_t domain_deadline(const struct domain *d)
{
	uint64_t deadline = UINT64_MAX, now = now_ns();
	bool idle = !d->nap && !anybody_runs(d);
	bool in_snapshot = d->capture || (load(&d->shared->attention) & ATTENTION_SNAPSHOT);

	if (d->broken)
		return UINT64_MAX;
	if (d->nap)
		deadline = now + NAP_NS;
	if (d->log_events && d->log_first_ns + chunk_age(d) < deadline)
		deadline = d->log_first_ns + chunk_age(d);
	/* A service that sleeps needs no snapshots, and we no wake-ups. One at a time. */
	if (((!idle && !in_snapshot) || depends_on_parent(d)) && d->next_snapshot_ns < deadline)
		deadline = d->next_snapshot_ns;
	if (d->commit_ns && d->commit_ns < deadline)
		deadline = d->commit_ns;
	if (d->snapshot_is_wanted && !idle && now + KICK_AFTER_NS < deadline)
		deadline = now + KICK_AFTER_NS;
	if (!d->log_is_whole && !in_snapshot && d->retry_ns < deadline)
		deadline = d->retry_ns;
	return deadline;
}

/* -- execs, the end -------------------------------------------------------------------------------- */

static bool exec_goes_on(struct domain *d, uint32_t from, uint32_t to)
{
	bool done = __atomic_compare_exchange_n(&d->shared->exec_state, &from, to, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

	wake_word(&d->shared->exec_state);
	return done;
}

/*
 * The service could name anybody's thread, and we may trace more than it may. A child that
 * vfork(2) made is its parent's thread to the agent.
 */
static bool is_thread_of(pid_t tid, pid_t pid)
{
	char path[64];

	(void) snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
	return access(path, F_OK) == 0 || parent_of(tid) == pid;
}

pid_t domain_take_exec(struct domain *d)
{
	pid_t tid = (pid_t)load(&d->shared->exec_tid);

	d->exec_taken = false;
	if (!is_thread_of(tid, d->pid)) {
		(void) exec_goes_on(d, EXEC_ASKED, EXEC_NATIVE);
		(void) exec_goes_on(d, EXEC_FAILED, EXEC_NONE);
		return 0;
	}
	d->exec_taken = load(&d->shared->exec_state) == EXEC_ASKED;
	return tid;
}

bool domain_exec_ready(struct domain *d, pid_t tid, bool ready)
{
	d->exec_taken = false;
	/* It may have given up, and another thread asked since. */
	return tid == (pid_t)load(&d->shared->exec_tid) &&
	       exec_goes_on(d, EXEC_ASKED, ready ? EXEC_READY : EXEC_NATIVE);
}

void domain_exec_over(struct domain *d, pid_t tid)
{
	if (tid == (pid_t)load(&d->shared->exec_tid))
		(void) exec_goes_on(d, EXEC_FAILED, EXEC_NONE);
}

void domain_drain(struct domain *d)
{
	bool more = true;

	while (more && !d->broken && drain(d, &more) == 0)
		;
}

void domain_flush(struct domain *d)
{
	domain_drain(d);
	/* Without its first snapshot nothing of it can be replayed, nor of its children. */
	while (!d->snapshots && snapshot_work(d, SNAPSHOT_ALL))
		;
	write_log(d);
}

void domain_release(struct domain *d)
{
	d->released = true;
	__atomic_store_n(&d->shared->obituary.state, OBITUARY_READ, __ATOMIC_SEQ_CST);
	wake_word(&d->shared->obituary.state);
}

void domain_pass(struct domain *d)
{
	__atomic_store_n(&d->shared->mode, MODE_PASS, __ATOMIC_SEQ_CST);
	(void) __atomic_fetch_or(&d->shared->attention, ATTENTION_PASS, __ATOMIC_SEQ_CST);
	wake_word(&d->shared->baton);
	wake_word(&d->shared->producer_waits);
	wake_word(&d->shared->obituary.state);
}

void domain_finish(struct domain *d, enum domain_end end)
{
	d->end = end;
	/* Who says by itself that it ends still has its turn to end. */
	if (end == DOMAIN_EXECED || end == DOMAIN_KILLED)
		domain_leave_directory(d);
	domain_flush(d);
	while (snapshot_work(d, SNAPSHOT_ALL))
		;
	snapshot_drop_kept(d);
	forks_are_left(d);
	cut_log(d);
}

static bool freezes(const struct domain *d)
{
	return d->freeze_is_ready || ((d->capture || d->capture_is_due) && (d->capture_flags & EVENT_FREEZE));
}

bool domain_is_wanted(struct domain *d)
{
	domain_drain(d);
	return d->n_births || freezes(d);
}

void domain_forget(struct domain *d, enum domain_end end)
{
	d->end = end;
	snapshot_drop(d);
	d->log_len = 0;
	d->log_events = 0;
	d->log_is_whole = false;
}

/* -- looking at it ----------------------------------------------------------------------------------- */

bool domain_has_execed(const struct domain *d)
{
	return d->last_kind == EVENT_EXEC;
}

uint32_t domain_id(const struct domain *d) { return d->id; }
pid_t domain_pid(const struct domain *d) { return d->pid; }
uint32_t domain_tid(const struct domain *d, uint32_t slot)
{
	return slot < MAX_THREADS ? load(&d->shared->slots[slot].tid) : 0;
}

int domain_wake_fd(const struct domain *d) { return d->wake_fd; }
int domain_pidfd(const struct domain *d) { return d->pidfd; }
pid_t domain_parent(const struct domain *d) { return d->parent; }
enum domain_end domain_end(const struct domain *d) { return d->end; }
const struct agent_config *domain_config(const struct domain *d) { return &d->config; }
const char *domain_exe(const struct domain *d) { return d->exe; }

const struct obituary *domain_obituary(const struct domain *d)
{
	return d->obituary_told ? &d->obituary : NULL;
}

void domain_get_status(const struct domain *d, struct domain_status *ret_status)
{
	*ret_status = (struct domain_status){
		.events = d->whole_event,
		.log_bytes = d->log_bytes,
		.last_event_ns = d->last_event_ns,
		.threads = d->threads,
		.snapshots = d->snapshots,
		.snapshots_failed = d->snapshots_failed,
		.snapshots_skipped = d->snapshots_skipped,
		.snapshot_method = d->snapshot_method,
		.snapshot_pages = d->snapshot_pages,
		.snapshot_pages_read = d->snapshot_pages_read,
		.snapshot_pages_written = d->snapshot_pages_written,
		.snapshot_work_ns = d->snapshot_work_ns,
		.snapshot_error = d->snapshot_error,
		.longest_stall_ns = d->shared->snapshot_longest_ns,
		.snapshot_interval_ns = snapshot_interval_ns(d),
		.stalls = d->shared->n_stalls,
		.stalled_ns = d->shared->stalled_ns,
		.kicks = d->shared->n_kicks,
		.longest_wait_ns = d->shared->longest_wait_ns,
		.longest_turn_wait_ns = d->shared->longest_turn_wait_ns,
		.async_events = d->async_events,
		.gaps = d->gaps,
		.passing = passing(d),
		.missing_files = d->missing_files,
	};
	memcpy(ret_status->refused, d->shared->refused, sizeof(ret_status->refused));
	memcpy(ret_status->sites_left, d->shared->sites_left, sizeof(ret_status->sites_left));
	ret_status->calls_32_bit = d->shared->calls_32_bit;
	ret_status->code_made = d->shared->code_made != 0;
	ret_status->forks_left = d->shared->forks_left;
	ret_status->stubs = (unsigned)d->n_stubs;
	ret_status->stubs_refused = (unsigned)d->n_refused_stubs;
	ret_status->by_turns = domain_takes_turns(d);
}
