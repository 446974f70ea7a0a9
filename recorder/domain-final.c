/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state in which a domain ends: hashes of its memory, and its threads, for a replay to compare. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xxhash.h>

#include "common/autoclean.h"
#include "recorder/domain-internal.h"
#include "ringstore/format.h"

struct final_sink {
	struct domain *d;
	struct final_state *final;
	struct dead_stack *dead;
	size_t n_dead;
	struct image_hash hashes[4096];
	size_t n_hashes;
	struct image_map *shared;	/* mappings of shared memory */
	size_t n_shared;
};

void final_state_deinit(struct final_state *final)
{
	for (size_t i = 0; i < final->n_pieces; i++)
		free(final->pieces[i].bytes);
	free(final->pieces);
	*final = (struct final_state){ 0 };
}

/* Takes over @bytes, which begin with room for struct final_chunk. */
static int add_piece(struct final_state *final, uint8_t *bytes, size_t len, uint32_t kind, size_t n)
{
	struct final_chunk head = { le32_of(kind), le32_of((uint32_t)n) };
	struct final_piece *pieces = realloc(final->pieces, (final->n_pieces + 1) * sizeof(*pieces));

	if (!pieces) {
		free(bytes);
		return -ENOMEM;
	}
	memcpy(bytes, &head, sizeof(head));
	final->pieces = pieces;
	pieces[final->n_pieces++] = (struct final_piece){ bytes, len };
	return 0;
}

static int final_maps(void *userdata, const struct image_map *rows, size_t n, const char *text,
		      size_t text_len)
{
	struct final_sink *sink = userdata;
	size_t len;
	uint8_t *bytes = snapshot_maps(rows, n, text, text_len, sizeof(struct final_chunk), &len);

	sink->shared = calloc(n + 1, sizeof(*sink->shared));
	if (!sink->shared) {
		free(bytes);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		if (le32_get(rows[i].kind) == IMAGE_SHARED && le32_get(rows[i].prot))
			sink->shared[sink->n_shared++] = rows[i];
	return bytes ? add_piece(sink->final, bytes, len, FINAL_MAPS, 0) : -ENOMEM;
}

static int flush_hashes(struct final_sink *sink)
{
	size_t n = sink->n_hashes * sizeof(sink->hashes[0]), len = sizeof(struct final_chunk) + n;
	uint8_t *bytes;

	if (!n)
		return 0;
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes + sizeof(struct final_chunk), sink->hashes, n);
	n = sink->n_hashes;
	sink->n_hashes = 0;
	return add_piece(sink->final, bytes, len, FINAL_HASHES, n);
}

static int final_pages(void *userdata, const struct image_map *map, const uint64_t *addresses,
		       size_t n, const uint8_t *bytes)
{
	static const uint8_t zeroes[IMAGE_PAGE];
	struct final_sink *sink = userdata;
	uint8_t copy[IMAGE_PAGE];

	if (le32_get(map->kind) == IMAGE_AGENT)
		return 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t address = addresses[i] & ~(uint64_t)IMAGE_ZERO;
		int r;

		memcpy(copy, addresses[i] & IMAGE_ZERO ? zeroes : bytes, IMAGE_PAGE);
		bytes += addresses[i] & IMAGE_ZERO ? 0 : IMAGE_PAGE;
		if (dead_stack_clear(sink->dead, sink->n_dead, address, copy))
			continue;
		sink->hashes[sink->n_hashes++] = (struct image_hash){
			le64_of(address), le64_of(XXH3_64bits(copy, sizeof(copy))) };
		if (sink->n_hashes < sizeof(sink->hashes) / sizeof(sink->hashes[0]))
			continue;
		r = flush_hashes(sink);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Once all is read: what others have taken from a process that sleeps, or dies, may have changed. */
static int add_others_pages(struct final_sink *sink)
{
	for (size_t i = 0; i < sink->n_shared; i++) {
		const struct image_map *map = &sink->shared[i];
		size_t max = (le64_get(map->end) - le64_get(map->start)) / IMAGE_PAGE, n;
		autoclean(freep) uint64_t *others = calloc(max + 1, sizeof(*others));
		uint8_t *bytes;
		int r;

		n = others ? domain_others_pages(sink->d, map, others, max) : 0;
		if (others && !n)
			continue;
		bytes = others ? malloc(sizeof(struct final_chunk) + n * sizeof(le64)) : NULL;
		if (!bytes)
			return -ENOMEM;
		for (size_t j = 0; j < n; j++) {
			le64 address = le64_of(others[j]);

			memcpy(bytes + sizeof(struct final_chunk) + j * sizeof(address), &address, sizeof(address));
		}
		r = add_piece(sink->final, bytes, sizeof(struct final_chunk) + n * sizeof(le64), FINAL_OTHERS, n);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_threads(struct final_sink *sink, const struct capture *capture)
{
	size_t n, len;
	const struct thread_view *threads = capture_threads(capture, &n);
	struct image_thread *rows;
	uint8_t *bytes;

	len = sizeof(struct final_chunk) + n * sizeof(*rows);
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	rows = (struct image_thread *)(bytes + sizeof(struct final_chunk));
	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct image_thread){
			.slot = le32_of(threads[i].slot),
			.tid = le32_of(threads[i].tid),
			.fs_base = le64_of(threads[i].fs_base),
			.vector_hash = le64_of(threads[i].vector_hash),
		};
		for (size_t j = 0; j < N_REGS; j++)
			rows[i].regs[j] = le64_of(threads[i].regs[j]);
	}
	return add_piece(sink->final, bytes, len, FINAL_THREADS, n);
}

static int add_head(struct final_sink *sink, uint64_t event, const struct obituary *death)
{
	struct image_head head = snapshot_head(sink->d, event, sink->d->last_event_ns);
	size_t len = sizeof(struct final_chunk) + sizeof(head);
	uint8_t *bytes = malloc(len);

	if (!bytes)
		return -ENOMEM;
	if (death) {
		head.flags = le32_of(IMAGE_HAS_DEATH);
		head.death_thread = le32_of(death->thread);
		head.death_signal = le32_of(death->signal);
		for (size_t i = 0; i < N_REGS; i++)
			head.death_regs[i] = le64_of(death->regs[i]);
	}
	if (sink->final->n_missing) {
		head.flags = le32_of(le32_get(head.flags) | IMAGE_INCOMPLETE);
		head.n_missing = le64_of(sink->final->n_missing);
	}
	memcpy(bytes + sizeof(struct final_chunk), &head, sizeof(head));
	return add_piece(sink->final, bytes, len, FINAL_HEAD, 0);
}

int domain_read_final(struct domain *d, uint64_t event, const struct obituary *death,
		      uint64_t bound_ns, struct final_state *ret_final)
{
	struct final_state final = { 0 };
	autoclean(freep) struct final_sink *sink = calloc(1, sizeof(*sink));
	const struct capture_sink calls = { final_maps, final_pages, NULL, NULL, sink, false };
	struct capture *capture = NULL;
	uint64_t begin = now_ns();
	int r;

	if (!sink)
		return -ENOMEM;
	sink->d = d;
	sink->final = &final;
	domain_look_at_shares(d);
	r = capture_open(living_task(d), &d->config, d->env->files, &calls, &capture);
	if (r == 0)
		r = capture_dead_stacks(capture, &sink->dead, &sink->n_dead);
	while (r == 0) {
		r = capture_step(capture, 4 << 20);
		/* The dying process looks at this: we are at work. */
		__atomic_store_n(&d->shared->beat_ns, now_ns(), __ATOMIC_RELAXED);
		if (r == 0 && now_ns() - begin > bound_ns) {
			final.n_missing = capture_pages_left(capture);
			break;
		}
	}
	if (r >= 0)
		r = flush_hashes(sink);
	if (r >= 0)
		r = add_others_pages(sink);
	if (r >= 0)
		r = add_threads(sink, capture);
	if (r >= 0)
		r = add_head(sink, event, death);
	free(sink->dead);
	free(sink->shared);
	(void) capture_close(capture);
	if (r < 0) {
		final_state_deinit(&final);
		return r;
	}
	*ret_final = final;
	return 0;
}
