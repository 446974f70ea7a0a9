/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pages of snapshots, each content once.
 *
 * A page that is as it was in the domain's snapshot before (the base), or that equals any
 * page of it or of the snapshot in the making, is named by its place in a pages file; only
 * others are written, into new files. A file stays as long as a snapshot needs any of it.
 *
 * So that a few pages which never change don't hold files that are dead otherwise, a
 * snapshot in the making leaves some of these: it takes what it needs of them elsewhere, and
 * once the snapshots in front of it have gone they go, too. It leaves those of which the base
 * needs less than a half (of young ones, a quarter), and writes no more pages for it than the
 * one before had new: so what is written stays in proportion to what has changed, and what is
 * held to what is needed. It leaves all files of which the disk may have lost something, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "ringstore/page-run.h"
#include "ringstore/store-internal.h"

enum {
	CHUNK_PAGES_MAX = 256,		/* a megabyte: compresses well, and is read for one page of it */
	ROWS_MAX = 1 << 16,		/* of a table's chunk */
	LEFT_MIN = 256,			/* pages that may be written for files that are left */
	FILES_MANY = 128,		/* besides those that are full: then small ones are left */
};
static_assert(CHUNK_PAGES_MAX * SNAPSHOT_PAGE <= CHUNK_MAX_RAW, "a chunk of pages is a chunk");
static_assert(ROWS_MAX * sizeof(struct page_run) <= CHUNK_MAX_RAW, "a chunk of rows, too");

struct page_index {		/* pages by their hash: open addressing */
	uint32_t *ids;		/* id + 1: of the base's entries, and behind them of the new ones */
	size_t size, n;
};

struct page_writer {
	struct store *store;
	struct domain *domain;
	uint64_t event, mono_ns;
	struct page_set *base;	/* NULL: there is none */
	struct page_set *set;
	size_t at;		/* in the base: behind the entry that was looked up last */
	struct page_index index;
	struct page_entry *new;	/* those that were written */
	uint32_t n_written, new_size;
	uint32_t *used;		/* by slot: is the file in set->files? */
	size_t n_used;
	struct page_file *file;	/* being written, or NULL */
	struct chunk_writer *chunks;	/* of @file */
	uint8_t *bytes;		/* its next chunk */
	uint32_t n_bytes;	/* in pages */
};

/* Like logs, in pieces: a part of a large snapshot can go. */
static uint64_t page_file_max_len(const struct store *store)
{
	uint64_t len = store->limits.max_bytes / 256;

	return len < (64 << 10) ? 64 << 10 : len > (32 << 20) ? 32 << 20 : len;
}

/* Files and sets. */

static void page_file_free(struct domain *domain, struct page_file *file)
{
	domain->page_files[file->slot] = NULL;
	domain->n_page_files--;
	free(file->chunks);
	free(file);
}

static void page_file_drop(struct store *store, struct domain *domain, struct page_file *file)
{
	char path[NAME_PATH_SIZE];

	(void) name_path(path, domain->id, NAME_PAGES, file->number);
	store_discard(store, store->live_fd, path, file->blob, OWNER_LIVE);
	page_file_free(domain, file);
}

bool page_file_is_in(const struct page_file *file, uint64_t from)
{
	return file && file->is_needed && file->last_event >= from;
}

static void drop_entries(struct store *store, struct page_set *set)
{
	store->page_memory -= set->size * sizeof(*set->entries);
	free(MOVE(set->entries));
	set->n_entries = set->size = 0;
}

static void page_set_free(struct store *store, struct page_set *set)
{
	drop_entries(store, set);
	free(set->files);
	free(set);
}

struct page_set *page_set_unref(struct store *store, struct domain *domain, struct page_set *set)
{
	if (!set || --set->n_refs)
		return NULL;
	for (size_t i = 0; i < set->n_files; i++)
		if (--set->files[i]->n_users == 0)
			page_file_drop(store, domain, set->files[i]);
	page_set_free(store, set);
	return NULL;
}

static struct page_set *begin_reading(struct page_set *set)
{
	if (set) {
		set->n_refs++;
		set->n_readers++;
	}
	return set;
}

static void end_reading(struct store *store, struct domain *domain, struct page_set *set)
{
	if (!set)
		return;
	if (--set->n_readers == 0)
		drop_entries(store, set);
	(void) page_set_unref(store, domain, set);
}

void pages_set_base(struct store *store, struct domain *domain, struct page_set *set, uint64_t event)
{
	struct page_set *old = domain->base;

	domain->base = begin_reading(set);
	domain->base_event = event;
	end_reading(store, domain, old);
	for (size_t i = 0; i < domain->n_page_slots; i++)
		if (domain->page_files[i])
			domain->page_files[i]->n_live = 0;
	for (size_t i = 0; set && i < set->n_entries; i++)
		if (!(set->entries[i].key & SNAPSHOT_ZERO))
			domain->page_files[set->entries[i].slot]->n_live++;
}

void pages_forget(struct store *store, struct domain *domain)
{
	for (size_t i = 0; i < domain->n_snapshots; i++)
		if (domain->snapshots[i].pages && domain->snapshots[i].pages != domain->base)
			page_set_free(store, domain->snapshots[i].pages);
	if (domain->base)
		page_set_free(store, domain->base);
	for (size_t i = 0; i < domain->n_page_slots; i++) {
		if (!domain->page_files[i])
			continue;
		(void) blob_release(store, domain->page_files[i]->blob, OWNER_LIVE);
		page_file_free(domain, domain->page_files[i]);
	}
	free(domain->page_files);
}

/* What a snapshot leaves. */

/* Little of it is needed, or it is one of many that are small. */
static bool is_worth_leaving(const struct domain *domain, const struct page_file *file, size_t n_small,
			     uint64_t max_len)
{
	if (file->is_left || !file->n_live)
		return false;
	/* What stands in the window needs it: it doesn't go at once, and may die by itself. */
	if (file->event >= domain->snapshots[0].event)
		return file->n_live < file->n_pages / 4;
	return file->n_live < file->n_pages / 2 || (n_small > FILES_MANY && file->len < max_len / 2);
}

static struct page_file *least_live(const struct domain *domain, size_t n_small, uint64_t max_len)
{
	struct page_file *best = NULL;

	for (size_t i = 0; i < domain->n_page_slots; i++) {
		struct page_file *file = domain->page_files[i];

		if (file && is_worth_leaving(domain, file, n_small, max_len) &&
		    (!best || file->n_live < best->n_live))
			best = file;
	}
	return best;
}

static size_t count_small(const struct domain *domain, uint64_t max_len)
{
	size_t n = 0;

	for (size_t i = 0; i < domain->n_page_slots; i++)
		n += domain->page_files[i] && domain->page_files[i]->len < max_len / 2;
	return n;
}

static void leave_files(const struct store *store, const struct domain *domain)
{
	uint64_t max_len = page_file_max_len(store);
	uint32_t left = domain->pages_written > LEFT_MIN ? domain->pages_written : LEFT_MIN;
	size_t n_small = count_small(domain, max_len);
	struct page_file *file;

	for (size_t i = 0; i < domain->n_page_slots; i++)
		if (domain->page_files[i])
			domain->page_files[i]->is_left = sync_lost(store, domain->page_files[i]->round);
	while (domain->n_snapshots && (file = least_live(domain, n_small, max_len)) &&
	       file->n_live <= left) {
		file->is_left = true;
		left -= file->n_live;
		n_small -= file->len < max_len / 2;
	}
}

/* Beginning and ending. */

int page_writer_new(struct store *store, struct domain *domain, uint64_t event, uint64_t mono_ns,
		    struct page_writer **ret_writer)
{
	struct page_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	writer->set = calloc(1, sizeof(*writer->set));
	if (!writer->set) {
		free(writer);
		return -ENOMEM;
	}
	writer->set->n_refs = 1;
	writer->store = store;
	writer->domain = domain;
	writer->event = event;
	writer->mono_ns = mono_ns;
	writer->base = begin_reading(domain->base);
	leave_files(store, domain);
	*ret_writer = writer;
	return 0;
}

struct page_writer *page_writer_free(struct page_writer *writer)
{
	if (!writer)
		return NULL;
	if (writer->chunks)
		chunk_writer_abort(writer->chunks);
	(void) page_set_unref(writer->store, writer->domain, writer->set);
	end_reading(writer->store, writer->domain, writer->base);
	free(writer->index.ids);
	free(writer->new);
	free(writer->used);
	free(writer->bytes);
	free(writer);
	return NULL;
}

struct page_set *page_writer_take(struct page_writer *writer, uint64_t *ret_round)
{
	struct page_set *set = writer->set;

	writer->domain->pages_written = writer->n_written;
	for (size_t i = 0; i < set->n_files; i++) {
		set->files[i]->is_needed = true;
		if (set->files[i]->last_event < writer->event)
			set->files[i]->last_event = writer->event;
		if (set->files[i]->round < *ret_round)
			*ret_round = set->files[i]->round;
	}
	return set->n_entries ? MOVE(writer->set) : NULL;
}

void page_writer_count(const struct page_writer *writer, uint64_t *ret_pages, uint64_t *ret_written)
{
	*ret_pages = writer->set->n_entries;
	*ret_written = writer->n_written;
}

/* Entries. */

static int resize_entries(struct store *store, struct page_set *set, size_t size)
{
	struct page_entry *entries = reallocarray(set->entries, size, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	store->page_memory += (size - set->size) * sizeof(*entries);
	set->entries = entries;
	set->size = size;
	return 0;
}

/* The set needs the file of @slot. */
static int use_file(struct page_writer *writer, uint32_t slot)
{
	struct domain *domain = writer->domain;
	struct page_set *set = writer->set;
	struct page_file **files;
	uint32_t *used;

	if (slot >= writer->n_used) {
		used = reallocarray(writer->used, domain->n_page_slots, sizeof(*used));
		if (!used)
			return -ENOMEM;
		memset(used + writer->n_used, 0, (domain->n_page_slots - writer->n_used) * sizeof(*used));
		writer->used = used;
		writer->n_used = domain->n_page_slots;
	}
	if (writer->used[slot])
		return 0;
	files = array_grow(set->files, set->n_files, sizeof(*files));
	if (!files)
		return -ENOMEM;
	set->files = files;
	files[set->n_files++] = domain->page_files[slot];
	domain->page_files[slot]->n_users++;
	writer->used[slot] = 1;
	return 0;
}

/*
 * Of a piece of memory those that are kept come first, and then the others: they are put in
 * their place at once. What comes much too late is sorted at the end.
 */
static void insert_entry(struct page_set *set, const struct page_entry *entry)
{
	enum { NEAR = 256 };
	struct page_entry *entries = set->entries;
	size_t low = set->n_entries > NEAR ? set->n_entries - NEAR : 0, high = set->n_entries;

	if (high && entries[high - 1].key > entry->key && (low == 0 || entries[low].key < entry->key)) {
		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (entries[middle].key < entry->key)
				low = middle + 1;
			else
				high = middle;
		}
		memmove(&entries[low + 1], &entries[low], (set->n_entries - low) * sizeof(*entries));
		high = low;
	}
	entries[high] = *entry;
	set->n_entries++;
}

static int add_entry(struct page_writer *writer, const struct page_entry *entry)
{
	struct page_set *set = writer->set;
	int r = 0;

	if (set->n_entries == set->size) {
		size_t hint = writer->base ? writer->base->n_entries : 0;

		r = resize_entries(writer->store, set, set->size ? set->size * 2 : hint + 1024);
	}
	if (r == 0 && !(entry->key & SNAPSHOT_ZERO))
		r = use_file(writer, entry->slot);
	if (r == 0)
		insert_entry(set, entry);
	return r;
}

static uint64_t place_of(uint64_t key)
{
	return key & ~(uint64_t)SNAPSHOT_ZERO;
}

/* The base's page at @key, or NULL. Callers mostly come in ascending order. */
static const struct page_entry *find_in_base(struct page_writer *writer, uint64_t key)
{
	const struct page_entry *entries;
	size_t low = 0, high;

	if (!writer->base)
		return NULL;
	entries = writer->base->entries;
	high = writer->base->n_entries;
	key = place_of(key);
	if (writer->at < high && place_of(entries[writer->at].key) == key)
		return &entries[writer->at++];
	if (writer->at < high && place_of(entries[writer->at].key) < key)
		low = writer->at + 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (place_of(entries[middle].key) < key)
			low = middle + 1;
		else
			high = middle;
	}
	writer->at = low;
	if (low == writer->base->n_entries || place_of(entries[low].key) != key)
		return NULL;
	return &entries[writer->at++];
}

/* Is the entry's page where it can stay? */
static bool stays(const struct page_writer *writer, const struct page_entry *entry)
{
	return !writer->domain->page_files[entry->slot]->is_left;
}

int page_writer_keep(struct page_writer *writer, uint64_t key)
{
	const struct page_entry *entry = find_in_base(writer, key);

	if (!entry)
		return STORE_PAGE_UNKNOWN;
	if (!(entry->key & SNAPSHOT_ZERO) && !stays(writer, entry))
		return STORE_PAGE_CHANGES;
	return add_entry(writer, entry);
}

/* Equal pages. */

static const struct page_entry *entry_of(const struct page_writer *writer, uint32_t id)
{
	size_t n_base = writer->base ? writer->base->n_entries : 0;

	return id < n_base ? &writer->base->entries[id] : &writer->new[id - n_base];
}

static void index_put(struct page_writer *writer, uint32_t id)
{
	struct page_index *index = &writer->index;
	size_t i = entry_of(writer, id)->hash[0] & (index->size - 1);

	while (index->ids[i])
		i = (i + 1) & (index->size - 1);
	index->ids[i] = id + 1;
	index->n++;
}

static int index_resize(struct page_writer *writer, size_t size)
{
	struct page_index *index = &writer->index, old = *index;
	uint32_t *ids = calloc(size, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	*index = (struct page_index){ .ids = ids, .size = size };
	for (size_t i = 0; i < old.size; i++)
		if (old.ids[i])
			index_put(writer, old.ids[i] - 1);
	free(old.ids);
	return 0;
}

/* Once a page is met that the base doesn't have in its place. */
static int index_base(struct page_writer *writer)
{
	size_t n = writer->base ? writer->base->n_entries : 0, size = 1024;
	int r;

	while (size < n * 2)
		size *= 2;
	r = index_resize(writer, size);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!(writer->base->entries[i].key & SNAPSHOT_ZERO))
			index_put(writer, (uint32_t)i);
	return r;
}

/* A page has been written: later ones may equal it. */
static int index_new(struct page_writer *writer, const struct page_entry *entry)
{
	size_t n_base = writer->base ? writer->base->n_entries : 0;
	struct page_entry *new;
	int r = 0;

	if (writer->n_written == writer->new_size) {
		size_t size = writer->new_size ? 2 * (size_t)writer->new_size : 1024;

		new = reallocarray(writer->new, size, sizeof(*new));
		if (!new)
			return -ENOMEM;
		writer->new = new;
		writer->new_size = (uint32_t)size;
	}
	writer->new[writer->n_written++] = *entry;
	if (writer->index.n * 2 >= writer->index.size)
		r = index_resize(writer, writer->index.size * 2);
	if (r == 0)
		index_put(writer, (uint32_t)(n_base + writer->n_written - 1));
	return r;
}

static const struct page_entry *find_equal(const struct page_writer *writer, const uint64_t hash[2])
{
	const struct page_index *index = &writer->index;

	for (size_t i = hash[0] & (index->size - 1); index->ids[i]; i = (i + 1) & (index->size - 1)) {
		const struct page_entry *entry = entry_of(writer, index->ids[i] - 1);

		if (entry->hash[0] == hash[0] && entry->hash[1] == hash[1] && stays(writer, entry))
			return entry;
	}
	return NULL;
}

/* Writing. */

static int add_slot(struct domain *domain, struct page_file *file)
{
	struct page_file **grown;
	uint32_t slot = 0;

	while (slot < domain->n_page_slots && domain->page_files[slot])
		slot++;
	if (slot == domain->n_page_slots) {
		grown = array_grow(domain->page_files, domain->n_page_slots, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		domain->page_files = grown;
		domain->n_page_slots++;
	}
	domain->page_files[slot] = file;
	domain->n_page_files++;
	file->slot = slot;
	return 0;
}

static int open_file(struct page_writer *writer)
{
	struct domain *domain = writer->domain;
	struct store *store = writer->store;
	autoclean(freep) struct page_file *file = calloc(1, sizeof(*file));
	char path[NAME_PATH_SIZE];
	int r;

	if (!writer->bytes)
		writer->bytes = malloc(CHUNK_PAGES_MAX * SNAPSHOT_PAGE);
	if (!file || !writer->bytes)
		return -ENOMEM;
	file->number = domain->next_page_file;
	file->event = writer->event;
	file->round = store->round;
	r = store_create_live(store, domain, NAME_PAGES, file->number, &writer->chunks);
	if (r)
		return r;
	domain->next_page_file++;
	file->blob = writer->chunks->blob;
	blob_hold(store, file->blob, OWNER_LIVE);
	r = add_slot(domain, file);
	if (r < 0) {
		chunk_writer_abort(MOVE(writer->chunks));
		(void) name_path(path, domain->id, NAME_PAGES, file->number);
		store_discard(store, store->live_fd, path, file->blob, OWNER_LIVE);
		return r;
	}
	writer->file = MOVE(file);
	r = use_file(writer, writer->file->slot);
	if (r < 0) {
		chunk_writer_abort(MOVE(writer->chunks));
		page_file_drop(store, domain, MOVE(writer->file));
	}
	return r;
}

static int close_file(struct page_writer *writer)
{
	writer->file = NULL;
	return chunk_writer_close(MOVE(writer->chunks));
}

static int flush(struct page_writer *writer)
{
	struct page_file *file = writer->file;
	struct chunk_info info = {
		.kind = CHUNK_PAGES,
		.first_event = file->number,
		.n_events = writer->n_bytes,
		.first_ns = writer->mono_ns,
		.last_ns = writer->mono_ns,
	};
	uint32_t *chunks;
	int r;

	chunks = array_grow(file->chunks, file->n_chunks, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	file->chunks = chunks;
	chunks[file->n_chunks] = (uint32_t)writer->chunks->len;
	r = chunk_writer_add(writer->chunks, store_live_limit(writer->store), &info, writer->bytes,
			     (size_t)writer->n_bytes * SNAPSHOT_PAGE);
	if (r)
		return r;
	file->n_chunks++;
	file->len = writer->chunks->len;
	writer->n_bytes = 0;
	return 0;
}

static int write_page(struct page_writer *writer, struct page_entry *entry, const void *bytes)
{
	struct page_file *file;
	int r;

	if (!writer->file) {
		r = open_file(writer);
		if (r)
			return r;
	}
	file = writer->file;
	entry->slot = file->slot;
	entry->page = (uint32_t)file->n_chunks * CHUNK_PAGES_MAX + writer->n_bytes;
	memcpy(writer->bytes + (size_t)writer->n_bytes * SNAPSHOT_PAGE, bytes, SNAPSHOT_PAGE);
	writer->n_bytes++;
	file->n_pages++;
	file->n_live++;
	if (writer->n_bytes < CHUNK_PAGES_MAX)
		return 0;
	r = flush(writer);
	if (r == 0 && file->len >= page_file_max_len(writer->store))
		r = close_file(writer);
	return r;
}

int page_writer_add(struct page_writer *writer, uint64_t key, const void *bytes)
{
	struct page_entry entry = { .key = key };
	const struct page_entry *equal;
	XXH128_hash_t hash;
	int r = 0;

	if (key & SNAPSHOT_ZERO)
		return add_entry(writer, &entry);
	hash = XXH3_128bits_withSeed(bytes, SNAPSHOT_PAGE, writer->store->page_seed);
	entry.hash[0] = hash.low64;
	entry.hash[1] = hash.high64;
	equal = find_in_base(writer, key);
	if (!equal || (equal->key & SNAPSHOT_ZERO) || memcmp(equal->hash, entry.hash, sizeof(entry.hash)) != 0 ||
	    !stays(writer, equal)) {
		if (!writer->index.ids)
			r = index_base(writer);
		if (r < 0)
			return r;
		equal = find_equal(writer, entry.hash);
	}
	if (equal) {
		entry.slot = equal->slot;
		entry.page = equal->page;
		return add_entry(writer, &entry);
	}
	r = write_page(writer, &entry, bytes);
	if (r == 0)
		r = index_new(writer, &entry);
	return r ? r : add_entry(writer, &entry);
}

/* The end: where everything is. */

static int compare_entries(const void *a, const void *b)
{
	const struct page_entry *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static size_t ascending_from(const struct page_set *set, size_t i)
{
	for (i++; i < set->n_entries; i++)
		if (set->entries[i].key < set->entries[i - 1].key)
			break;
	return i;
}

/* They mostly come sorted, or a few first and then the rest. */
static int sort_entries(struct page_set *set)
{
	size_t n_first = ascending_from(set, 0), i = 0, j = n_first, to = 0;
	struct page_entry *first;

	if (n_first >= set->n_entries)
		return 0;
	if (ascending_from(set, n_first) < set->n_entries) {
		qsort(set->entries, set->n_entries, sizeof(*set->entries), compare_entries);
		return 0;
	}
	first = malloc(n_first * sizeof(*first));
	if (!first)
		return -ENOMEM;
	memcpy(first, set->entries, n_first * sizeof(*first));
	while (i < n_first)
		set->entries[to++] = j == set->n_entries || first[i].key < set->entries[j].key ?
					     first[i++] : set->entries[j++];
	free(first);
	return 0;
}

/* Does @entry go on where @before ends? Runs don't go on over the end of a chunk. */
static bool goes_on(const struct page_entry *before, const struct page_entry *entry)
{
	if (entry->key != before->key + SNAPSHOT_PAGE)
		return false;
	return (entry->key & SNAPSHOT_ZERO) ||
	       (entry->slot == before->slot && entry->page == before->page + 1 &&
		entry->page % CHUNK_PAGES_MAX != 0);
}

static struct page_run make_run(const struct domain *domain, const struct page_entry *entry, size_t n)
{
	const struct page_file *file;

	if (entry->key & SNAPSHOT_ZERO)
		return (struct page_run){ .key = le64_of(entry->key), .n_pages = le16_of((uint16_t)n) };
	file = domain->page_files[entry->slot];
	return (struct page_run){
		.key = le64_of(entry->key),
		.file = le64_of(file->number),
		.offset = le32_of(file->chunks[entry->page / CHUNK_PAGES_MAX]),
		.first = le16_of((uint16_t)(entry->page % CHUNK_PAGES_MAX)),
		.n_pages = le16_of((uint16_t)n),
	};
}

/* The entries file by file, and in each in the order in which they have come. */
static uint32_t *sort_by_files(const struct page_writer *writer)
{
	const struct page_set *set = writer->set;
	size_t n_slots = writer->domain->n_page_slots;
	autoclean(freep) size_t *next = calloc(n_slots + 2, sizeof(*next));
	uint32_t *order = malloc(set->n_entries * sizeof(*order));

	if (!next || !order) {
		free(order);
		return NULL;
	}
	/* Those of zeroes first; next[1 + slot] is where the file's begin. */
	for (size_t i = 0; i < set->n_entries; i++)
		next[set->entries[i].key & SNAPSHOT_ZERO ? 1 : set->entries[i].slot + 2]++;
	for (size_t i = 1; i < n_slots + 2; i++)
		next[i] += next[i - 1];
	for (size_t i = 0; i < set->n_entries; i++)
		order[next[set->entries[i].key & SNAPSHOT_ZERO ? 0 : set->entries[i].slot + 1]++] = (uint32_t)i;
	return order;
}

static int add_table(struct page_writer *writer,
		     int (*add)(void *userdata, unsigned kind, const void *data, size_t len),
		     void *userdata)
{
	const struct page_set *set = writer->set;
	size_t max = set->n_entries < ROWS_MAX ? set->n_entries : ROWS_MAX;
	autoclean(freep) struct page_run *rows = calloc(max, sizeof(*rows));
	autoclean(freep) uint32_t *order = sort_by_files(writer);
	struct page_run run, before = { .n_pages = le16_of(0) };
	size_t n_rows = 0, n;
	int r = 0;

	if (!rows || !order)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < set->n_entries; i += n) {
		for (n = 1; i + n < set->n_entries && n < UINT16_MAX; n++)
			if (!goes_on(&set->entries[order[i + n - 1]], &set->entries[order[i + n]]))
				break;
		run = make_run(writer->domain, &set->entries[order[i]], n);
		rows[n_rows++] = page_run_behind(&before, &run);
		before = run;
		if (n_rows == max || i + n == set->n_entries) {
			r = add(userdata, CHUNK_SNAPSHOT_TABLE, rows, n_rows * sizeof(*rows));
			before = (struct page_run){ .n_pages = le16_of(0) };
			n_rows = 0;
		}
	}
	return r;
}

static int add_needs(struct page_writer *writer,
		     int (*add)(void *userdata, unsigned kind, const void *data, size_t len),
		     void *userdata)
{
	const struct page_set *set = writer->set;
	autoclean(freep) struct page_need *rows = calloc(set->n_files + 1, sizeof(*rows));
	size_t n = set->n_files * sizeof(*rows);

	if (!rows)
		return -ENOMEM;
	if (n > CHUNK_MAX_RAW)
		return -E2BIG;
	for (size_t i = 0; i < set->n_files; i++)
		rows[i] = (struct page_need){ le64_of(set->files[i]->number), le64_of(set->files[i]->len) };
	return add(userdata, CHUNK_SNAPSHOT_FILES, rows, n);
}

int page_writer_finish(struct page_writer *writer,
		       int (*add)(void *userdata, unsigned kind, const void *data, size_t len),
		       void *userdata)
{
	int r = 0;

	if (writer->set->n_entries == 0)
		return 0;
	if (writer->n_bytes)
		r = flush(writer);
	if (r == 0 && writer->file)
		r = close_file(writer);
	if (r == 0)
		r = sort_entries(writer->set);
	if (r == 0)
		r = resize_entries(writer->store, writer->set, writer->set->n_entries);
	if (r == 0)
		r = add_needs(writer, add, userdata);
	if (r == 0)
		r = add_table(writer, add, userdata);
	return r;
}

/* What an earlier writer left. */

int pages_load_file(struct domain *domain, uint64_t number, uint64_t len, struct blob *blob)
{
	struct page_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	file->number = number;
	file->len = len;
	file->blob = blob;
	r = add_slot(domain, file);
	if (r < 0) {
		free(file);
		return r;
	}
	return 0;
}

/* They came in this order into slots that were free, so that they stand in it. */
static struct page_file *find_file(const struct domain *domain, uint64_t number)
{
	size_t low = 0, high = domain->n_page_slots;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (domain->page_files[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < domain->n_page_slots && domain->page_files[low]->number == number ?
		       domain->page_files[low] : NULL;
}

/* Nobody is going to read its entries: it holds the files, and that is all. */
int pages_load_set(struct domain *domain, uint64_t event, const struct page_need *needs, size_t n,
		   struct page_set **ret_set)
{
	struct page_set *set;

	*ret_set = NULL;
	if (n == 0)
		return 0;
	set = calloc(1, sizeof(*set));
	if (set)
		set->files = calloc(n, sizeof(*set->files));
	if (!set || !set->files) {
		free(set);
		return -ENOMEM;
	}
	set->n_refs = 1;
	for (size_t i = 0; i < n; i++) {
		struct page_file *file = find_file(domain, le64_get(needs[i].file));

		if (!file)	/* it has vanished since */
			continue;
		set->files[set->n_files++] = file;
		file->n_users++;
		file->is_needed = true;
		if (file->last_event < event)
			file->last_event = event;
	}
	*ret_set = set;
	return 0;
}

void pages_load_end(struct store *store, struct domain *domain)
{
	uint64_t newest = domain->n_snapshots ? domain->snapshots[domain->n_snapshots - 1].event : 0;

	for (size_t i = 0; i < domain->n_page_slots; i++) {
		struct page_file *file = domain->page_files[i];

		if (file->n_users == 0)
			page_file_drop(store, domain, file);
		else
			file->n_live = file->last_event == newest;
	}
}
