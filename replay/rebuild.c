/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a snapshot to a process that stands where the recorded one stood. */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "recorder/inject.h"
#include "recorder/rebuild.h"
#include "replay/internal.h"
#include "replay/session-internal.h"
#include "ringstore/format.h"


/* -- reading the snapshot ------------------------------------------------------------------------ */

static int read_head(struct session *s, const struct chunk_view *chunk, struct replay_error *ret_error)
{
	if (chunk->len < sizeof(s->head_of_image))
		return replay_fail(ret_error, -EBADMSG, "the snapshot's head is too short");
	memcpy(&s->head_of_image, chunk->data, sizeof(s->head_of_image));
	if (le32_get(s->head_of_image.abi) != AGENT_ABI ||
	    le64_get(s->head_of_image.agent_hash) != agent_image_hash())
		return replay_fail(ret_error, -ENOTSUP,
				   "recorded by another build of blackbox (agent %016" PRIx64 ", this one has "
				   "%016" PRIx64 "): replay it with that one",
				   le64_get(s->head_of_image.agent_hash), agent_image_hash());
	return 0;
}

static bool row_is_good(const struct image_map *row, size_t text_len)
{
	uint64_t start = le64_get(row->start), end = le64_get(row->end);

	return start < end && (start | end) % IMAGE_PAGE == 0 && end <= UINT64_C(0x7ffffffff000) &&
	       le32_get(row->path) <= text_len && le32_get(row->path_len) <= text_len - le32_get(row->path);
}

static int read_maps(struct session *s, const struct chunk_view *chunk, struct replay_error *ret_error)
{
	const struct image_maps *counts = chunk->data;
	size_t rows_len;

	if (chunk->len < sizeof(*counts))
		return replay_fail(ret_error, -EBADMSG, "the snapshot's mappings are damaged");
	s->n_rows = le32_get(counts->n_maps);
	s->text_len = le32_get(counts->text_len);
	rows_len = s->n_rows * sizeof(*s->rows);
	if (chunk->len != sizeof(*counts) + rows_len + s->text_len)
		return replay_fail(ret_error, -EBADMSG, "the snapshot's mappings are damaged");
	s->rows = malloc(rows_len + 1);
	s->text = malloc(s->text_len + 1);
	if (!s->rows || !s->text)
		return -ENOMEM;
	memcpy(s->rows, counts + 1, rows_len);
	memcpy(s->text, (const uint8_t *)(counts + 1) + rows_len, s->text_len);
	for (size_t i = 0; i < s->n_rows; i++)
		if (!row_is_good(&s->rows[i], s->text_len))
			return replay_fail(ret_error, -EBADMSG, "the snapshot's mapping %zu makes no sense", i);
	return 0;
}

static int read_layout(struct session *s, struct chunk_reader **ret_reader,
		       struct replay_error *ret_error)
{
	struct chunk_view chunk;
	int r;

	r = incident_read_snapshot(s->window->incident, s->options.domain->id, s->options.snapshot,
				   ret_reader);
	if (r < 0)
		return replay_fail(ret_error, r, "there is no snapshot at event %" PRIu64, s->options.snapshot);
	r = chunk_reader_next(*ret_reader, &chunk);
	if (r != 0 || chunk.kind != CHUNK_SNAPSHOT_HEAD)
		return replay_fail(ret_error, -EBADMSG, "the snapshot has no head");
	r = read_head(s, &chunk, ret_error);
	if (r < 0)
		return r;
	r = chunk_reader_next(*ret_reader, &chunk);
	if (r != 0 || chunk.kind != CHUNK_SNAPSHOT_MAPS)
		return replay_fail(ret_error, -EBADMSG, "the snapshot has no mappings");
	return read_maps(s, &chunk, ret_error);
}

/* -- the plan ------------------------------------------------------------------------------------------ */

static bool is_object(const struct image_map *row)
{
	uint32_t kind = le32_get(row->kind);

	return kind == IMAGE_SHARED || kind == IMAGE_OBJECT;
}

static struct session_object *find_object(const struct session *s, const struct image_map *row)
{
	for (size_t i = 0; i < s->n_objects; i++)
		if (s->objects[i].dev == le64_get(row->dev) && s->objects[i].ino == le64_get(row->ino))
			return &s->objects[i];
	return NULL;
}

/* Up to where the rows of what @row maps reach: a file whose size couldn't be told. */
static uint64_t reach(const struct session *s, const struct image_map *row)
{
	uint64_t size = 0;

	for (size_t i = 0; i < s->n_rows; i++) {
		const struct image_map *other = &s->rows[i];
		uint64_t end = le64_get(other->offset) + le64_get(other->end) - le64_get(other->start);

		if (is_object(other) && le64_get(other->dev) == le64_get(row->dev) &&
		    le64_get(other->ino) == le64_get(row->ino) && end > size)
			size = end;
	}
	return size;
}

/* One memory for each file that is mapped shared or may change, however often it is mapped. */
static int make_objects(struct session *s, struct replay_error *ret_error)
{
	s->objects = calloc(s->n_rows + 1, sizeof(*s->objects));
	if (!s->objects)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_rows; i++) {
		const struct image_map *row = &s->rows[i];
		uint64_t size = le64_get(row->size);
		struct session_object *object = &s->objects[s->n_objects];

		if (!is_object(row) || find_object(s, row))
			continue;
		if (size == IMAGE_ANY_SIZE)
			size = reach(s, row);
		/* Mappings show the last page as a whole. */
		size = (size + IMAGE_PAGE - 1) / IMAGE_PAGE * IMAGE_PAGE;
		*object = (struct session_object){ le64_get(row->dev), le64_get(row->ino), size, -1 };
		object->fd = (int)syscall(SYS_memfd_create, "mapped", MFD_CLOEXEC);
		if (object->fd < 0)
			return replay_fail(ret_error, -errno, "no memory in the place of a mapped file: %s",
					   strerror(errno));
		s->n_objects++;
		if (ftruncate(object->fd, (off_t)size) < 0)
			return replay_fail(ret_error, -errno, "a mapped file of %" PRIu64 " bytes: %s", size,
					   strerror(errno));
	}
	return 0;
}

static int plan_row(const struct session *s, const struct image_map *row, struct rebuild_map *map,
		     struct replay_error *ret_error)
{
	uint32_t kind = le32_get(row->kind), prot = le32_get(row->prot);

	*map = (struct rebuild_map){
		.start = le64_get(row->start),
		.end = le64_get(row->end),
		.prot = prot,
		.flags = MAP_FIXED | MAP_NORESERVE | MAP_PRIVATE | MAP_ANONYMOUS,
		.fd = -1,
	};
	switch (kind) {
	case IMAGE_FILE:
		map->fd = session_file(s, row);
		if (map->fd < 0) {
			const struct replay_file file = { le64_get(row->dev), le64_get(row->ino),
							  le64_get(row->size), le64_get(row->mtime_ns),
							  -1, 0 };

			return session_lacks_file(s, &file, ret_error);
		}
		map->flags = MAP_FIXED | MAP_NORESERVE | MAP_PRIVATE;
		map->offset = le64_get(row->offset);
		break;
	case IMAGE_SHARED:
	case IMAGE_OBJECT:
		map->flags = MAP_FIXED | MAP_NORESERVE | (kind == IMAGE_SHARED ? MAP_SHARED : MAP_PRIVATE);
		map->fd = find_object(s, row)->fd;
		map->offset = le64_get(row->offset);
		map->is_object = true;
		map->dev = le64_get(row->dev);
		map->ino = le64_get(row->ino);
		break;
	case IMAGE_STACK:
		map->flags |= MAP_GROWSDOWN | MAP_STACK;
		break;
	}
	return 0;
}

static int make_plan(struct session *s, struct rebuild_plan **ret_plan, size_t *ret_len,
		     struct replay_error *ret_error)
{
	size_t len = sizeof(struct rebuild_plan) + s->n_rows * sizeof(struct rebuild_map);
	autoclean(freep) struct rebuild_plan *plan = calloc(1, len);

	if (!plan)
		return -ENOMEM;
	if (len > AGENT_REBUILD_PLAN_MAX)
		return replay_fail(ret_error, -E2BIG, "the snapshot has too many mappings (%zu)", s->n_rows);
	plan->n_maps = (uint32_t)s->n_rows;
	for (size_t i = 0; i < s->n_rows; i++) {
		int r = plan_row(s, &s->rows[i], &plan->maps[i], ret_error);

		if (r < 0)
			return r;
	}
	*ret_len = len;
	*ret_plan = MOVE(plan);
	return 0;
}

/* -- the fence ------------------------------------------------------------------------------------------- */

/*
 * What a recorded program's process may ask of the kernel: the agent's own calls. It can
 * open nothing, connect to nothing, start nothing but threads, and (@forks) processes that
 * have the same fence.
 */
static int raise_fence(bool forks)
{
	static const int allowed[] = {
		SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
		SCMP_SYS(futex), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
		SCMP_SYS(rt_sigprocmask), SCMP_SYS(sigaltstack), SCMP_SYS(exit),
		SCMP_SYS(exit_group), SCMP_SYS(clock_gettime), SCMP_SYS(mmap),
		/* Memory in the place of files: it has no other descriptors to write to. */
		SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(pwrite64),
		/* And files, to read from. */
		SCMP_SYS(pread64),
		SCMP_SYS(close), SCMP_SYS(gettid),
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* Threads, not processes. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM,
					     CLONE_THREAD | CLONE_VM));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, 59 /* PR_SET_SYSCALL_USER_DISPATCH */));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_TSC));
	if (r == 0 && forks)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG));
	if (r == 0 && forks)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_EQ, CLONE_PARENT | SIGCHLD));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2,
				     SCMP_A0(SCMP_CMP_EQ, 0), SCMP_A1(SCMP_CMP_EQ, RLIMIT_STACK));
	if (r == 0)
		r = seccomp_load(filter);	/* sets no_new_privs */
	seccomp_release(filter);
	return r;
}

/* -- the child ---------------------------------------------------------------------------------------------- */

__attribute__((noreturn)) static void child_failed(int step)
{
	_exit(100 + step);
}

static void map_fixed(uint64_t at, size_t len, int prot, int flags, int fd, off_t offset, int step)
{
	if (mmap((void *)at, len, prot, flags | MAP_FIXED_NOREPLACE, fd, offset) != (void *)at)
		child_failed(step);
}

/* The dynamic linker asks CPUID, whose answer depends on the processor that it runs on. */
static void run_on(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void) sched_setaffinity(0, sizeof(set), &set);
}

/* The kernel writes there at each preemption, and kills who has unmapped it. */
static void unregister_rseq(void)
{
	enum { UNREGISTER = 1, MIN_LEN = 32 };
	unsigned len = __rseq_size > MIN_LEN ? __rseq_size : MIN_LEN;

	if (__rseq_size)
		(void) syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, len, UNREGISTER,
			       RSEQ_SIG);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/*
 * All descriptors but those that it maps: of them it can write to memory only, and what is
 * the replayer's, too, is sealed.
 */
static void close_others(const struct session *s)
{
	int keep[s->n_files + s->n_objects + MAX_FORK_DEPTH];
	size_t n = 0;
	unsigned from = 0;

	for (size_t i = 0; i < s->n_files; i++)
		keep[n++] = s->files[i].fd;
	for (size_t i = 0; i < s->n_objects; i++)
		keep[n++] = s->objects[i].fd;
	for (size_t i = 0; s->rings && i < MAX_FORK_DEPTH; i++)
		keep[n++] = s->rings->fds[i];
	qsort(keep, n, sizeof(keep[0]), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] > 0 && (unsigned)keep[i] > from &&
		    syscall(SYS_close_range, from, (unsigned)keep[i] - 1, 0) < 0)
			child_failed(9);
		from = (unsigned)keep[i] + 1;
	}
	if (syscall(SYS_close_range, from, ~0U, 0) < 0)
		child_failed(9);
}

/* As many as there may be. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void) setrlimit(RLIMIT_NOFILE, &limit);
}

__attribute__((noreturn)) static void child(struct session *s, const uint8_t *image, size_t image_len,
					    const struct rebuild_plan *plan, size_t plan_len)
{
	const struct agent_config *c = &s->config;
	const struct rlimit stack = { le64_get(s->head_of_image.stack_limit), RLIM_INFINITY };
	uint64_t at = c->base + AGENT_IMAGE, sp = c->base + AGENT_REBUILD_STACK_TOP;

	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void) setsid();
	(void) prctl(PR_SET_NAME, "bb-replay");
	unregister_rseq();
	if (setrlimit(RLIMIT_STACK, &stack) < 0) {
		const struct rlimit soft = { stack.rlim_cur, stack.rlim_cur };

		(void) setrlimit(RLIMIT_STACK, &soft);
	}
	run_on(le32_get(s->head_of_image.cpu));

	map_fixed(at, image_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, 1);
	memcpy((void *)at, image, image_len);
	if (mprotect((void *)at, image_len, PROT_READ | PROT_EXEC) < 0)
		child_failed(2);
	map_fixed(c->base + AGENT_SHARED, SHARED_CONTROL_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, s->memfd, 0,
		  3);
	for (int i = 0; i < 2; i++)
		map_fixed(c->base + AGENT_RING + (uint64_t)i * c->ring_len, c->ring_len,
			  PROT_READ | PROT_WRITE, MAP_SHARED, s->memfd, SHARED_CONTROL_LEN, 4);
	map_fixed(sp - AGENT_REBUILD_STACK_LEN, AGENT_REBUILD_STACK_LEN, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, 5);
	map_fixed(c->base + AGENT_REBUILD_RECORD, IMAGE_PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, 6);
	map_fixed(c->base + AGENT_REBUILD_PLAN, AGENT_REBUILD_PLAN_MAX, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, 7);
	memcpy((void *)(c->base + AGENT_REBUILD_PLAN), plan, plan_len);
	close_others(s);
	raise_descriptor_limit();
	if (raise_fence(s->rings != NULL) < 0)
		child_failed(8);
	__asm__ volatile("mov %0, %%rsp\n\tjmp *%1" ::"r"(sp), "r"(at + agent_image_entries()->rebuild)
			 : "memory");
	__builtin_unreachable();
}

/* -- the parent ------------------------------------------------------------------------------------------------ */

int session_map(struct session *s)
{
	uint64_t len = REPLAY_RING_LEN;
	uint8_t *ring;

	s->shared = mmap(NULL, SHARED_CONTROL_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, s->memfd, 0);
	if (s->shared == MAP_FAILED) {
		s->shared = NULL;
		return -errno;
	}
	ring = mmap(NULL, 2 * len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ring == MAP_FAILED)
		return -errno;
	s->ring = ring;
	for (unsigned i = 0; i < 2; i++)
		if (mmap(ring + i * len, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, s->memfd,
			 SHARED_CONTROL_LEN) == MAP_FAILED)
			return -errno;
	memset(s->shared, 0, sizeof(*s->shared));
	s->shared->abi = AGENT_ABI;
	s->shared->mode = MODE_RECORD;
	s->shared->stop_at_events = s->options.stop_at_events;
	if (s->options.events_from > s->options.snapshot)
		s->shared->stop_events_from = s->options.events_from - s->options.snapshot;
	s->shared->stop_at_writes = s->options.stop_at_writes;
	s->shared->stop_at_signals = s->options.stop_at_signals;
	s->shared->stop_at_forks = s->options.stop_at_forks;
	s->shared->ends_asleep = window_ends_asleep(s->options.domain);
	return 0;
}

static int make_memory(struct session *s)
{
	s->memfd = (int)syscall(SYS_memfd_create, "blackbox-replay", MFD_CLOEXEC);
	if (s->memfd < 0 || ftruncate(s->memfd, (off_t)(SHARED_CONTROL_LEN + REPLAY_RING_LEN)) < 0)
		return -errno;
	return session_map(s);
}

/* Below it, and above the rest, there is room for it to grow; 0: it isn't there any more. */
static uint64_t stack_end(const struct session *s)
{
	for (size_t i = s->n_rows; i-- > 0;)
		if (le32_get(s->rows[i].kind) == IMAGE_STACK)
			return le64_get(s->rows[i].end);
	return 0;
}

static void make_config(struct session *s)
{
	const struct image_head *head = &s->head_of_image;

	s->config = (struct agent_config){
		.magic = AGENT_CONFIG_MAGIC,
		.abi = AGENT_ABI,
		.role = AGENT_REPLAY,
		.base = le64_get(head->base),
		.vdso = le64_get(head->vdso),
		.ring_len = REPLAY_RING_LEN,
		.shared_len = SHARED_CONTROL_LEN,
		.tick_shift = le32_get(head->tick_shift),
		.entry = le64_get(head->entry),
		.stack = stack_end(s),
		.interpreter = { le64_get(head->interpreter_start), le64_get(head->interpreter_end) },
	};
	xstate_learn(&s->config.xstate);
}

static bool region_is_sane(const struct agent_config *c)
{
	return c->base >= AGENT_BASE && c->base < UINT64_C(0x7f0000000000) && c->base % IMAGE_PAGE == 0 &&
	       c->vdso % IMAGE_PAGE == 0 && c->vdso < UINT64_C(0x7ffffffff000);
}

static int fork_child(struct session *s, const struct rebuild_plan *plan, size_t plan_len)
{
	size_t len = (size_t)(agent_image_end - agent_image);
	autoclean(freep) uint8_t *image = malloc(len);
	char path[64];

	if (!image)
		return -ENOMEM;
	agent_image_prepare(&s->config, NULL, image);
	s->pid = fork();
	if (s->pid < 0)
		return -errno;
	if (s->pid == 0)
		child(s, image, len, plan, plan_len);
	(void) snprintf(path, sizeof(path), "/proc/%d/mem", s->pid);
	s->mem = open(path, O_RDWR | O_CLOEXEC);
	return s->mem < 0 ? -errno : 0;
}

/* The row that @address lies in; @hint is where the last one was. */
static const struct image_map *row_of(const struct session *s, uint64_t address, size_t *hint)
{
	for (size_t i = 0; i < s->n_rows; i++) {
		const struct image_map *row = &s->rows[(*hint + i) % s->n_rows];

		if (address < le64_get(row->start) || address >= le64_get(row->end))
			continue;
		*hint = (*hint + i) % s->n_rows;
		return row;
	}
	return NULL;
}

/* To the process, or to what it has mapped there. @address is as in struct image_pages. */
static int write_page(struct session *s, uint64_t address, const uint8_t *bytes, size_t *hint)
{
	uint64_t at = address & ~(uint64_t)(IMAGE_ZERO | IMAGE_BEHIND);
	const struct image_map *row = row_of(s, at, hint);
	struct session_object *object;
	size_t len = IMAGE_PAGE;
	int fd = s->mem;

	if (!row)
		return -EBADMSG;
	if (le32_get(row->kind) == IMAGE_SHARED ||
	    (le32_get(row->kind) == IMAGE_OBJECT && (address & IMAGE_BEHIND))) {
		object = find_object(s, row);
		fd = object->fd;
		at = le64_get(row->offset) + (at - le64_get(row->start));
		len = at >= object->size ? 0 : object->size - at < len ? object->size - at : len;
	}
	return pwrite(fd, bytes, len, (off_t)at) == (ssize_t)len ? 0 : -EFAULT;
}

/* One chunk of pages into the process. */
static int write_pages(struct session *s, const struct chunk_view *chunk)
{
	static const uint8_t zeroes[IMAGE_PAGE];
	const struct image_pages *head = chunk->data;
	size_t n, used, hint = 0;
	const le64 *addresses;
	const uint8_t *bytes;

	if (chunk->len < sizeof(*head))
		return -EBADMSG;
	n = le32_get(head->n_pages);
	if (n > (chunk->len - sizeof(*head)) / sizeof(le64))
		return -EBADMSG;
	addresses = (const le64 *)(head + 1);
	bytes = (const uint8_t *)(addresses + n);
	used = sizeof(*head) + n * sizeof(le64);
	for (size_t i = 0; i < n; i++) {
		uint64_t address = le64_get(addresses[i]);
		const uint8_t *from = zeroes;
		int r;

		if (!(address & IMAGE_ZERO)) {
			if (chunk->len - used < IMAGE_PAGE)
				return -EBADMSG;
			from = bytes;
			bytes += IMAGE_PAGE;
			used += IMAGE_PAGE;
		}
		r = write_page(s, address, from, &hint);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_memory(struct session *s, struct chunk_reader *reader, struct replay_error *ret_error)
{
	struct chunk_view chunk;
	int r;

	while ((r = chunk_reader_next(reader, &chunk)) == 0) {
		if (chunk.kind != CHUNK_SNAPSHOT_PAGES)
			continue;
		r = write_pages(s, &chunk);
		if (r < 0)
			return replay_fail(ret_error, r, "the snapshot's pages are damaged");
	}
	if (r != INCIDENT_END)
		return replay_fail(ret_error, r < 0 ? r : -EBADMSG, "the snapshot is damaged");
	return 0;
}

static int wait_ready(struct session *s, struct replay_error *ret_error)
{
	int status;

	for (;;) {
		const struct timespec look_again = { 0, 10000000 };
		uint32_t rings = __atomic_load_n(&s->shared->producer_waits, __ATOMIC_ACQUIRE);

		switch (__atomic_load_n(&s->shared->stop, __ATOMIC_ACQUIRE)) {
		case STOP_READY:
			return 0;
		case STOP_FAILED:
			return replay_fail(ret_error, -(int)s->shared->stop_signal,
					   "the mapping at %" PRIx64 " can't be made again: %s%s",
					   s->shared->stop_address, strerror((int)s->shared->stop_signal),
					   s->shared->stop_signal == ENOMEM ? " (see vm.max_map_count)" : "");
		}
		(void) syscall(SYS_futex, &s->shared->producer_waits, FUTEX_WAIT, rings, &look_again, NULL, 0);
		if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
			s->dead = true;
			return replay_fail(ret_error, -EIO, "the replaying process can't be set up (status %x)",
					   status);
		}
	}
}

int rebuild(struct session *s, struct replay_error *ret_error)
{
	struct chunk_reader *reader = NULL;
	autoclean(freep) struct rebuild_plan *plan = NULL;
	size_t plan_len = 0;
	int r;

	r = read_layout(s, &reader, ret_error);
	if (r == 0) {
		make_config(s);
		r = region_is_sane(&s->config) ? make_memory(s) :
			replay_fail(ret_error, -EBADMSG, "the snapshot's addresses make no sense");
	}
	if (r == 0)
		r = session_open_files(s);
	if (r == 0 && s->options.stop_at_forks)
		r = fork_rings_open(s);
	if (r == 0)
		r = make_objects(s, ret_error);
	if (r == 0)
		r = make_plan(s, &plan, &plan_len, ret_error);
	if (r == 0)
		r = fork_child(s, plan, plan_len);
	if (r == 0)
		r = wait_ready(s, ret_error);
	if (r == 0)
		r = write_memory(s, reader, ret_error);
	(void) chunk_reader_close(reader);
	return r;
}

/* -- opening ---------------------------------------------------------------------------------------------------- */

static void session_closep(struct session **s)
{
	(void) session_close(*s);
}

static int open_snapshot(struct window *window, const struct session_options *options,
			 struct session **ret_session, struct replay_error *ret_error)
{
	autoclean(session_closep) struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return replay_fail(ret_error, -ENOMEM, "out of memory");
	*ret_error = (struct replay_error){ "" };
	s->window = window;
	s->options = *options;
	s->mem = s->memfd = -1;
	r = rebuild(s, ret_error);
	if (r == 0)
		r = event_reader_open(window, options->domain, options->snapshot, &s->events);
	if (r < 0)
		return ret_error->text[0] ? r : replay_fail(ret_error, r, "can't rebuild the process: %s",
							    strerror(-r));
	*ret_session = MOVE(s);
	return 0;
}

int session_open(struct window *window, const struct session_options *options,
		 struct session **ret_session, struct replay_error *ret_error)
{
	if (options->snapshot == 0 && options->domain->fork_domain)
		return session_open_forked(window, options, ret_session, ret_error);
	return open_snapshot(window, options, ret_session, ret_error);
}
