/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "common/autoclean.h"
#include "ringstore/store-internal.h"

struct snapshot_writer {
	struct store *store;
	struct domain *domain;
	unsigned generation;	/* the domain's when this was begun */
	uint64_t event, mono_ns;
	uint64_t first_round;	/* of syncing */
	struct chunk_writer *chunks;	/* NULL once closed */
	struct blob *blob;
	struct page_writer *pages;
	int outcome;		/* of the first call that failed: it can't become whole */
};

int store_snapshot_begin(struct store *store, uint32_t domain_id, uint64_t event, uint64_t mono_ns,
			 struct snapshot_writer **ret_writer)
{
	autoclean(freep) struct snapshot_writer *writer = NULL;
	struct domain *domain;
	int r;

	if (event == UINT64_MAX)
		return -EINVAL;
	r = store_get_domain(store, domain_id, &domain);
	if (r < 0)
		return r;
	if (domain->gap)
		return STORE_NO_ROOM;
	writer = calloc(1, sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	domain->n_writers++;	/* pins the domain: making room may take those that have ended */
	r = page_writer_new(store, domain, event, mono_ns, &writer->pages);
	if (r == 0)
		r = store_create_live(store, domain, NAME_SNAPSHOT, event, &writer->chunks);
	if (r) {
		(void) page_writer_free(writer->pages);
		domain->n_writers--;
		return r;
	}
	writer->blob = writer->chunks->blob;
	blob_hold(store, writer->blob, OWNER_LIVE);
	writer->store = store;
	writer->domain = domain;
	writer->generation = domain->generation;
	writer->event = event;
	writer->mono_ns = mono_ns;
	writer->first_round = store->round;
	*ret_writer = MOVE(writer);
	return 0;
}

/* After a restart no log leads on from this snapshot. */
static bool is_void(struct snapshot_writer *writer)
{
	if (writer->generation != writer->domain->generation)
		writer->outcome = STORE_NO_ROOM;
	return writer->outcome;
}

static int add_chunk(void *userdata, unsigned kind, const void *data, size_t len)
{
	struct snapshot_writer *writer = userdata;
	struct chunk_info info = {
		.kind = kind,
		.first_event = writer->event,
		.first_ns = writer->mono_ns,
		.last_ns = writer->mono_ns,
	};

	if (!is_void(writer))
		writer->outcome = chunk_writer_add(writer->chunks, store_live_limit(writer->store),
						   &info, data, len);
	return writer->outcome;
}

int snapshot_writer_add(struct snapshot_writer *writer, unsigned kind, const void *data,
			size_t len)
{
	if (kind < CHUNK_SNAPSHOT_HEAD || kind > CHUNK_SNAPSHOT_PAGES || len > CHUNK_MAX_RAW)
		return -EINVAL;
	return add_chunk(writer, kind, data, len);
}

int snapshot_writer_page(struct snapshot_writer *writer, uint64_t key, const void *bytes)
{
	if (!is_void(writer))
		writer->outcome = page_writer_add(writer->pages, key, bytes);
	return writer->outcome;
}

int snapshot_writer_keep(struct snapshot_writer *writer, uint64_t key)
{
	int r;

	if (is_void(writer))
		return writer->outcome;
	r = page_writer_keep(writer->pages, key);
	if (r < 0)
		writer->outcome = r;
	return r;
}

bool snapshot_writer_base(const struct snapshot_writer *writer, uint64_t *ret_event)
{
	*ret_event = writer->domain->base_event;
	return writer->domain->base && writer->generation == writer->domain->generation;
}

void snapshot_writer_count(const struct snapshot_writer *writer, uint64_t *ret_pages,
			   uint64_t *ret_written)
{
	page_writer_count(writer->pages, ret_pages, ret_written);
}

/* Among the domain's snapshots: one begun earlier may be done later. */
static void insert(struct domain *domain, const struct live_snapshot *snapshot)
{
	size_t i = domain->n_snapshots++;

	for (; i > 0 && domain->snapshots[i - 1].event > snapshot->event; i--)
		domain->snapshots[i] = domain->snapshots[i - 1];
	domain->snapshots[i] = *snapshot;
}

/* Place for one more snapshot is made first: then nothing fails once the file is whole. */
static int finish(struct snapshot_writer *writer)
{
	struct domain *domain = writer->domain;
	struct live_snapshot *grown;
	int r;

	grown = array_grow(domain->snapshots, domain->n_snapshots, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	domain->snapshots = grown;
	/* The end comes when all that it speaks for has been handed to the kernel. */
	r = is_void(writer) ? writer->outcome : page_writer_finish(writer->pages, add_chunk, writer);
	if (r == 0)
		r = add_chunk(writer, CHUNK_SNAPSHOT_END, NULL, 0);
	return r ? r : chunk_writer_close(MOVE(writer->chunks));
}

int snapshot_writer_commit(struct snapshot_writer *writer)
{
	struct domain *domain = writer->domain;
	struct store *store = writer->store;
	struct page_set *pages;
	int r;

	r = finish(writer);
	if (r) {
		(void) snapshot_writer_abort(writer);
		return r;
	}
	pages = page_writer_take(writer->pages, &writer->first_round);
	insert(domain, &(struct live_snapshot){
		.event = writer->event,
		.mono_ns = writer->mono_ns,
		.first_round = writer->first_round,
		.round = store->round,
		.blob = writer->blob,
		.pages = pages,
	});
	if (domain->snapshots[domain->n_snapshots - 1].event == writer->event)
		pages_set_base(store, domain, pages, writer->event);
	(void) page_writer_free(writer->pages);
	if (writer->mono_ns > domain->last_ns)
		domain->last_ns = writer->mono_ns;
	domain->n_writers--;
	free(writer);
	(void) store_trim_domain(store, domain);
	return 0;
}

struct snapshot_writer *snapshot_writer_abort(struct snapshot_writer *writer)
{
	char path[NAME_PATH_SIZE];
	struct domain *domain;

	if (!writer)
		return NULL;
	domain = writer->domain;
	if (writer->chunks)
		chunk_writer_abort(writer->chunks);
	(void) page_writer_free(writer->pages);
	(void) name_path(path, domain->id, NAME_SNAPSHOT, writer->event);
	store_discard(writer->store, writer->store->live_fd, path, writer->blob, OWNER_LIVE);
	domain->n_writers--;
	store_forget_if_empty(writer->store, domain);
	free(writer);
	return NULL;
}
