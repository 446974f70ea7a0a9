/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "recorder/capture.h"
#include "recorder/image.h"
#include "replay/internal.h"
#include "replay/session-internal.h"
#include "ringstore/format.h"

struct page_hash {
	uint64_t address, hash;
	bool seen;
};

struct state {
	struct image_head head;
	struct image_map *rows;
	size_t n_rows;
	char *text;
	size_t text_len;
	struct page_hash *pages;
	size_t n_pages, max_pages;
	uint64_t *others;		/* addresses of pages that were another process's; ascending */
	size_t n_others;
	struct thread_view *threads;	/* state isn't kept in those of a last state */
	size_t n_threads;
	struct dead_stack *dead;
	size_t n_dead;
};

struct state *state_free(struct state *state)
{
	if (!state)
		return NULL;
	free(state->rows);
	free(state->text);
	free(state->pages);
	free(state->others);
	free(state->threads);
	free(state->dead);
	free(state);
	return NULL;
}

static void state_freep(struct state **state)
{
	(void) state_free(*state);
}

uint64_t state_missing_pages(const struct state *state)
{
	return le64_get(state->head.n_missing);
}

static int add_page(struct state *state, uint64_t address, uint64_t hash)
{
	if (state->n_pages == state->max_pages) {
		size_t max = state->max_pages ? 2 * state->max_pages : 4096;
		struct page_hash *pages = realloc(state->pages, max * sizeof(*pages));

		if (!pages)
			return -ENOMEM;
		state->pages = pages;
		state->max_pages = max;
	}
	state->pages[state->n_pages++] = (struct page_hash){ address, hash, false };
	return 0;
}

static int by_address(const void *a, const void *b)
{
	const struct page_hash *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

/* -- reading ------------------------------------------------------------------------------------ */

static int read_maps(struct state *state, const uint8_t *bytes, size_t len)
{
	struct image_maps counts;
	size_t rows_len;

	if (len < sizeof(counts))
		return -EBADMSG;
	memcpy(&counts, bytes, sizeof(counts));
	state->n_rows = le32_get(counts.n_maps);
	state->text_len = le32_get(counts.text_len);
	rows_len = state->n_rows * sizeof(struct image_map);
	if (len != sizeof(counts) + rows_len + state->text_len)
		return -EBADMSG;
	state->rows = malloc(rows_len + 1);
	state->text = malloc(state->text_len + 1);
	if (!state->rows || !state->text)
		return -ENOMEM;
	memcpy(state->rows, bytes + sizeof(counts), rows_len);
	memcpy(state->text, bytes + sizeof(counts) + rows_len, state->text_len);
	for (size_t i = 0; i < state->n_rows; i++)
		if (le32_get(state->rows[i].path) > state->text_len ||
		    le32_get(state->rows[i].path_len) > state->text_len - le32_get(state->rows[i].path))
			return -EBADMSG;
	return 0;
}

static const struct image_map *row_at(const struct state *state, uint64_t address)
{
	for (size_t i = 0; i < state->n_rows; i++)
		if (address >= le64_get(state->rows[i].start) && address < le64_get(state->rows[i].end))
			return &state->rows[i];
	return NULL;
}

static int find_dead_stacks(struct state *state)
{
	state->dead = calloc(state->n_threads + 1, sizeof(*state->dead));
	if (!state->dead)
		return -ENOMEM;
	for (size_t i = 0; i < state->n_threads; i++) {
		uint64_t sp = state->threads[i].regs[REG_RSP_];
		const struct image_map *row = row_at(state, sp);

		if (row && le32_get(row->kind) != IMAGE_AGENT)
			state->dead[state->n_dead++] =
				dead_stack_below(sp, le64_get(row->start), le32_get(row->kind));
	}
	return 0;
}

/*
 * Visits the pages of a snapshot's chunk, as the program sees them. Bytes are NULL for a
 * page of zeroes that stands where the file has something else.
 */
static int each_page(const struct chunk_view *chunk,
		     int (*visit)(void *userdata, uint64_t address, const uint8_t *bytes),
		     void *userdata)
{
	const struct image_pages *head = chunk->data;
	const uint8_t *end = (const uint8_t *)chunk->data + chunk->len, *bytes;
	const le64 *addresses = (const le64 *)(head + 1);
	size_t n;
	int r;

	if (chunk->len < sizeof(*head) ||
	    le32_get(head->n_pages) > (chunk->len - sizeof(*head)) / sizeof(le64))
		return -EBADMSG;
	n = le32_get(head->n_pages);
	bytes = (const uint8_t *)(addresses + n);
	for (size_t i = 0; i < n; i++) {
		uint64_t address = le64_get(addresses[i]);
		bool zero = address & IMAGE_ZERO;

		if (!zero && end - bytes < IMAGE_PAGE)
			return -EBADMSG;
		r = address & IMAGE_BEHIND ? 0 :
			visit(userdata, address & ~(uint64_t)IMAGE_ZERO, zero ? NULL : bytes);
		if (r < 0)
			return r;
		bytes += zero ? 0 : IMAGE_PAGE;
	}
	return 0;
}

/* Of a snapshot: the arena's pages into a sparse file, from which the threads are read. */
struct arena {
	const struct state *state;
	int fd;
};

static int keep_arena_page(void *userdata, uint64_t address, const uint8_t *bytes)
{
	struct arena *arena = userdata;
	const struct image_map *row = row_at(arena->state, address);

	if (!bytes || !row || le32_get(row->kind) != IMAGE_AGENT)
		return 0;
	return pwrite(arena->fd, bytes, IMAGE_PAGE, (off_t)address) == IMAGE_PAGE ? 0 : -EIO;
}

static int hash_page(void *userdata, uint64_t address, const uint8_t *bytes)
{
	struct state *state = userdata;
	const struct image_map *row = row_at(state, address);
	uint8_t copy[IMAGE_PAGE] = { 0 };

	if (!row)
		return -EBADMSG;
	if (le32_get(row->kind) == IMAGE_AGENT)
		return 0;
	if (bytes)
		memcpy(copy, bytes, sizeof(copy));
	if (dead_stack_clear(state->dead, state->n_dead, address, copy))
		return 0;
	return add_page(state, address, XXH3_64bits(copy, sizeof(copy)));
}

static int each_snapshot_page(struct window *window, const struct window_domain *domain,
			      uint64_t event, int (*visit)(void *, uint64_t, const uint8_t *),
			      void *userdata)
{
	struct chunk_reader *reader;
	struct chunk_view chunk;
	int r;

	r = incident_read_snapshot(window->incident, domain->id, event, &reader);
	while (r == 0) {
		r = chunk_reader_next(reader, &chunk);
		if (r == 0 && chunk.kind == CHUNK_SNAPSHOT_PAGES)
			r = each_page(&chunk, visit, userdata);
	}
	(void) chunk_reader_close(reader);
	return r == INCIDENT_END ? 0 : r < 0 ? r : -EBADMSG;
}

static int read_snapshot_layout(struct window *window, const struct window_domain *domain,
				uint64_t event, struct state *state)
{
	struct chunk_reader *reader;
	struct chunk_view chunk;
	int r;

	r = incident_read_snapshot(window->incident, domain->id, event, &reader);
	if (r < 0)
		return r;
	r = chunk_reader_next(reader, &chunk);
	if (r == 0 && chunk.kind == CHUNK_SNAPSHOT_HEAD && chunk.len >= sizeof(state->head)) {
		memcpy(&state->head, chunk.data, sizeof(state->head));
		r = chunk_reader_next(reader, &chunk);
		if (r == 0)
			r = chunk.kind == CHUNK_SNAPSHOT_MAPS ? read_maps(state, chunk.data, chunk.len) : -EBADMSG;
	} else if (r == 0) {
		r = -EBADMSG;
	}
	(void) chunk_reader_close(reader);
	return r > 0 ? -EBADMSG : r;
}

static int read_snapshot(struct window *window, const struct window_domain *domain, uint64_t event,
			 struct state *state)
{
	struct arena arena = { state, -1 };
	struct agent_config config = { 0 };
	int r;

	r = read_snapshot_layout(window, domain, event, state);
	if (r < 0)
		return r;
	arena.fd = (int)syscall(SYS_memfd_create, "blackbox-arena", MFD_CLOEXEC);
	if (arena.fd < 0 || ftruncate(arena.fd, INT64_C(1) << 47) < 0)
		return -errno;
	r = each_snapshot_page(window, domain, event, keep_arena_page, &arena);
	config.base = le64_get(state->head.base);
	xstate_learn(&config.xstate);
	if (r == 0)
		r = threads_read(arena.fd, &config, &state->threads, &state->n_threads);
	(void) close(arena.fd);
	if (r == 0)
		r = find_dead_stacks(state);
	if (r == 0)
		r = each_snapshot_page(window, domain, event, hash_page, state);
	return r;
}

int state_of_snapshot(struct window *window, const struct window_domain *domain, uint64_t event,
		      struct state **ret_state, struct replay_error *ret_error)
{
	autoclean(state_freep) struct state *state = calloc(1, sizeof(*state));
	int r;

	if (!state)
		return -ENOMEM;
	r = read_snapshot(window, domain, event, state);
	if (r == -ENOENT)
		return r;
	if (r < 0)
		return replay_fail(ret_error, r, "the snapshot at event %" PRIu64 " can't be read: %s", event,
				   strerror(-r));
	qsort(state->pages, state->n_pages, sizeof(*state->pages), by_address);
	*ret_state = MOVE(state);
	return 0;
}

static int read_final_threads(struct state *state, const uint8_t *bytes, size_t n)
{
	const struct image_thread *rows = (const struct image_thread *)bytes;

	state->threads = calloc(n + 1, sizeof(*state->threads));
	if (!state->threads)
		return -ENOMEM;
	state->n_threads = n;
	for (size_t i = 0; i < n; i++) {
		state->threads[i] = (struct thread_view){
			.slot = le32_get(rows[i].slot),
			.tid = le32_get(rows[i].tid),
			.fs_base = le64_get(rows[i].fs_base),
			.vector_hash = le64_get(rows[i].vector_hash),
		};
		for (size_t j = 0; j < N_REGS; j++)
			state->threads[i].regs[j] = le64_get(rows[i].regs[j]);
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int read_others(struct state *state, const uint8_t *bytes, size_t n)
{
	uint64_t *others = realloc(state->others, (state->n_others + n + 1) * sizeof(*others));

	if (!others)
		return -ENOMEM;
	state->others = others;
	for (size_t i = 0; i < n; i++)
		others[state->n_others++] = le64_get(((const le64 *)bytes)[i]);
	return 0;
}

static bool is_others(const struct state *state, uint64_t address)
{
	return state->n_others &&
	       bsearch(&address, state->others, state->n_others, sizeof(address), by_number);
}

static int read_final_chunk(struct state *state, const uint8_t *bytes, size_t len)
{
	struct final_chunk head;
	size_t n;
	int r = 0;

	if (len < sizeof(head))
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	bytes += sizeof(head);
	len -= sizeof(head);
	n = le32_get(head.n);
	switch (le32_get(head.kind)) {
	case FINAL_HEAD:
		if (len < sizeof(state->head))
			return -EBADMSG;
		memcpy(&state->head, bytes, sizeof(state->head));
		return 0;
	case FINAL_MAPS:
		return state->rows ? -EBADMSG : read_maps(state, bytes, len);
	case FINAL_THREADS:
		return state->threads || n > len / sizeof(struct image_thread) ?
			       -EBADMSG : read_final_threads(state, bytes, n);
	case FINAL_OTHERS:
		return n > len / sizeof(le64) ? -EBADMSG : read_others(state, bytes, n);
	case FINAL_HASHES:
		if (n > len / sizeof(struct image_hash))
			return -EBADMSG;
		for (size_t i = 0; i < n && r == 0; i++) {
			const struct image_hash *row = (const struct image_hash *)bytes + i;

			r = add_page(state, le64_get(row->address), le64_get(row->xxh3));
		}
		return r;
	default:
		return 0;
	}
}

int state_of_end(struct window *window, const struct window_domain *domain, struct state **ret_state,
		 struct replay_error *ret_error)
{
	autoclean(state_freep) struct state *state = calloc(1, sizeof(*state));
	struct chunk_reader *reader;
	struct chunk_view chunk;
	int r;

	if (!state)
		return -ENOMEM;
	r = incident_read_final(window->incident, domain->id, &reader);
	if (r == -ENOENT)
		return r;
	while (r == 0) {
		r = chunk_reader_next(reader, &chunk);
		if (r == 0)
			r = read_final_chunk(state, chunk.data, chunk.len);
	}
	if (r >= 0)
		(void) chunk_reader_close(reader);
	if (r == INCIDENT_END)
		r = find_dead_stacks(state);
	if (r != 0)
		return replay_fail(ret_error, r < 0 ? r : -EBADMSG, "the recorded last state is damaged");
	if (state->n_others)
		qsort(state->others, state->n_others, sizeof(*state->others), by_number);
	qsort(state->pages, state->n_pages, sizeof(*state->pages), by_address);
	*ret_state = MOVE(state);
	return 0;
}

/* -- comparing: threads ---------------------------------------------------------------------------- */

static const char *const register_names[N_REGS] = {
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rdi",
	"rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp", "rip", "eflags",
};

/* The trap flag is a debugger's, the resume flag the processor's at a fault. */
#define FLAGS_IGNORED (UINT64_C(0x100) | UINT64_C(0x10000))

static int compare_thread(const struct thread_view *recorded, const struct thread_view *replayed,
			  struct replay_error *ret_error)
{
	for (int i = 0; i < N_REGS; i++) {
		uint64_t difference = recorded->regs[i] ^ replayed->regs[i];

		if (i == REG_EFL_)
			difference &= ~FLAGS_IGNORED;
		if (difference)
			return replay_fail(ret_error, -EILSEQ, "thread %u, %s: recorded %" PRIx64
					   ", replayed %" PRIx64, recorded->tid, register_names[i],
					   recorded->regs[i], replayed->regs[i]);
	}
	if (recorded->fs_base != replayed->fs_base)
		return replay_fail(ret_error, -EILSEQ, "thread %u, fs_base: recorded %" PRIx64
				   ", replayed %" PRIx64, recorded->tid, recorded->fs_base, replayed->fs_base);
	if (recorded->vector_hash != replayed->vector_hash)
		return replay_fail(ret_error, -EILSEQ, "thread %u: FP or SIMD registers differ",
				   recorded->tid);
	return 0;
}

static int compare_threads(const struct state *state, struct session *session,
			   struct replay_error *ret_error)
{
	autoclean(freep) struct thread_view *threads = NULL;
	size_t n;
	int r;

	r = session_threads(session, &threads, &n);
	if (r < 0)
		return replay_fail(ret_error, r, "the replayed threads can't be read: %s", strerror(-r));
	if (n != state->n_threads)
		return replay_fail(ret_error, -EILSEQ, "recorded %zu threads, replayed %zu", state->n_threads, n);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (threads[i].slot != state->threads[i].slot)
			return replay_fail(ret_error, -EILSEQ, "recorded a thread in slot %u, replayed in %u",
					   state->threads[i].slot, threads[i].slot);
		r = compare_thread(&state->threads[i], &threads[i], ret_error);
	}
	return r;
}

/* -- comparing: memory ------------------------------------------------------------------------------- */

struct comparison {
	struct state *state;
	struct session *session;
	struct replay_error *error;
};

static int differs(struct comparison *c, uint64_t address, const char *how)
{
	const struct image_map *row = row_at(c->state, address);

	return replay_fail(c->error, -EILSEQ, "memory at %" PRIx64 " (%.*s) %s", address,
			   row ? (int)le32_get(row->path_len) : 0,
			   row ? c->state->text + le32_get(row->path) : "", how);
}

/* Merges rows that touch and are alike: where the kernel splits mappings is its affair. */
struct span {
	uint64_t start, end;
	uint32_t prot;
	bool shared;
};

static size_t merge(const struct image_map *rows, size_t n, struct span *spans)
{
	size_t n_spans = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t kind = le32_get(rows[i].kind);
		struct span span = { le64_get(rows[i].start), le64_get(rows[i].end), le32_get(rows[i].prot),
				     kind == IMAGE_SHARED };

		if (kind == IMAGE_AGENT)
			continue;
		if (n_spans && spans[n_spans - 1].end == span.start && spans[n_spans - 1].prot == span.prot &&
		    spans[n_spans - 1].shared == span.shared)
			spans[n_spans - 1].end = span.end;
		else
			spans[n_spans++] = span;
	}
	return n_spans;
}

static int by_start(const void *a, const void *b)
{
	const struct image_map *x = a, *y = b;

	return le64_get(x->start) < le64_get(y->start) ? -1 : le64_get(x->start) > le64_get(y->start);
}

static bool in_stack(const struct state *state, uint64_t address)
{
	const struct image_map *row = row_at(state, address);

	return row && le32_get(row->kind) == IMAGE_STACK;
}

static int compare_maps(void *userdata, const struct image_map *rows, size_t n, const char *text,
			size_t text_len)
{
	struct comparison *c = userdata;
	autoclean(freep) struct image_map *sorted = calloc(n + 1, sizeof(*sorted));
	autoclean(freep) struct span *replayed = calloc(n + 1, sizeof(*replayed));
	autoclean(freep) struct span *recorded = calloc(c->state->n_rows + 1, sizeof(*recorded));
	size_t n_replayed, n_recorded;

	(void) text;
	(void) text_len;
	if (!sorted || !replayed || !recorded)
		return -ENOMEM;
	memcpy(sorted, rows, n * sizeof(*rows));
	qsort(sorted, n, sizeof(*sorted), by_start);
	n_replayed = merge(sorted, n, replayed);
	qsort(c->state->rows, c->state->n_rows, sizeof(*c->state->rows), by_start);
	n_recorded = merge(c->state->rows, c->state->n_rows, recorded);
	for (size_t i = 0; i < n_recorded || i < n_replayed; i++) {
		const struct span *x = &recorded[i], *y = &replayed[i];

		/* How far the kernel had grown a stack isn't the program's doing alone. */
		if (i < n_recorded && i < n_replayed && x->end == y->end && x->prot == y->prot &&
		    x->shared == y->shared && (x->start == y->start || in_stack(c->state, x->end - 1)))
			continue;
		return replay_fail(c->error, -EILSEQ,
				   "mappings differ: recorded %" PRIx64 "-%" PRIx64 " (protection %u), replayed "
				   "%" PRIx64 "-%" PRIx64 " (protection %u)",
				   i < n_recorded ? x->start : 0, i < n_recorded ? x->end : 0, x->prot,
				   i < n_replayed ? y->start : 0, i < n_replayed ? y->end : 0, y->prot);
	}
	return 0;
}

/* A page that is as its file is needn't have been listed. */
static bool is_as_file(struct comparison *c, const struct image_map *row, uint64_t address,
		       const uint8_t *bytes)
{
	uint8_t content[IMAGE_PAGE] = { 0 };
	int fd = session_file(c->session, row);

	if (fd < 0)
		return false;
	(void) !pread(fd, content, sizeof(content),
		      (off_t)(le64_get(row->offset) + (address - le64_get(row->start))));
	return memcmp(content, bytes, sizeof(content)) == 0;
}

static int compare_page(struct comparison *c, uint64_t address, const uint8_t *bytes)
{
	struct page_hash key = { .address = address }, *recorded;
	const struct image_map *row = row_at(c->state, address);
	uint8_t copy[IMAGE_PAGE];

	memcpy(copy, bytes, sizeof(copy));
	if (dead_stack_clear(c->state->dead, c->state->n_dead, address, copy))
		return 0;
	recorded = bsearch(&key, c->state->pages, c->state->n_pages, sizeof(key), by_address);
	if (recorded) {
		recorded->seen = true;
		if (is_others(c->state, address))
			return 0;
		if (recorded->hash != XXH3_64bits(copy, sizeof(copy)))
			return differs(c, address, "differs");
		return 0;
	}
	if (state_missing_pages(c->state) || is_others(c->state, address))
		return 0;
	if (row && le32_get(row->kind) == IMAGE_FILE && is_as_file(c, row, address, bytes))
		return 0;
	for (size_t i = 0; i < sizeof(copy); i++)
		if (copy[i])
			return differs(c, address, "was untouched when recorded");
	return 0;
}

static int compare_pages(void *userdata, const struct image_map *map, const uint64_t *addresses,
			 size_t n, const uint8_t *bytes)
{
	static const uint8_t zeroes[IMAGE_PAGE];
	struct comparison *c = userdata;

	if (le32_get(map->kind) == IMAGE_AGENT)
		return 0;
	for (size_t i = 0; i < n; i++) {
		bool zero = addresses[i] & IMAGE_ZERO;
		int r = compare_page(c, addresses[i] & ~(uint64_t)IMAGE_ZERO, zero ? zeroes : bytes);

		if (r < 0)
			return r;
		bytes += zero ? 0 : IMAGE_PAGE;
	}
	return 0;
}

/* Recorded pages that the replay has not as pages of its own: zero, or the file's. */
static int compare_unseen(struct comparison *c)
{
	for (size_t i = 0; i < c->state->n_pages; i++) {
		const struct page_hash *page = &c->state->pages[i];
		uint8_t bytes[IMAGE_PAGE];

		if (page->seen || is_others(c->state, page->address))
			continue;
		if (session_read(c->session, page->address, bytes, sizeof(bytes)) != sizeof(bytes))
			return differs(c, page->address, "is missing");
		(void) dead_stack_clear(c->state->dead, c->state->n_dead, page->address, bytes);
		if (page->hash != XXH3_64bits(bytes, sizeof(bytes)))
			return differs(c, page->address, "differs (untouched in the replay)");
	}
	return 0;
}

int state_compare(const struct state *state, struct session *session, struct replay_error *ret_error)
{
	struct comparison c = { (struct state *)state, session, ret_error };
	const struct capture_sink sink = { compare_maps, compare_pages, NULL, NULL, &c, false };
	struct files *files = files_new();
	struct capture *capture = NULL;
	int r;

	if (!files)
		return -ENOMEM;
	ret_error->text[0] = '\0';
	r = compare_threads(state, session, ret_error);
	if (r == 0)
		r = capture_open(session_pid(session), session_config(session), files, &sink, &capture);
	for (size_t i = 0; i < state->n_pages; i++)
		c.state->pages[i].seen = false;
	while (r == 0)
		r = capture_step(capture, SIZE_MAX / 2);
	(void) capture_close(capture);
	(void) files_free(files);
	if (r == CAPTURE_DONE)
		r = compare_unseen(&c);
	if (r < 0 && !ret_error->text[0])
		return replay_fail(ret_error, r, "the replayed process can't be read: %s", strerror(-r));
	return r;
}
