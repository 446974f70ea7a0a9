/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store-internal - what the parts of the store share
 *
 *   store.c      opening, status, and the logs
 *   left.c       what an earlier writer left, and what is said for a later one
 *   snapshot.c   the snapshots
 *   pages.c      their pages: what they share, and where it is
 *   freeze.c     incidents in the making
 *   sync.c       what has been written goes to the disk
 *   room.c       the account of the disk, and what is evicted to keep the bound
 *   writer.c     one file of chunks that is being written
 *
 * The account comes first: store->bytes is raised before anything on disk grows,
 * and lowered after it has shrunk. What a file takes is kept in its blob, which
 * lives as long as one of its links does, so that hard links count once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "ringstore/chunk.h"
#include "ringstore/format.h"
#include "ringstore/io.h"
#include "ringstore/names.h"
#include "ringstore/store.h"
#include "ringstore/tree.h"

enum owner { OWNER_LIVE, OWNER_INCIDENT };

struct blob {			/* one inode */
	ino_t ino;
	uint64_t bytes;		/* as charged: tree_file_bytes() of its length */
	unsigned n_owners[2];	/* by enum owner */
	uint64_t mark;		/* store->mark: counted in this sum already */
	bool is_mapped;		/* a mapped file's content, which incidents have in common */
};

struct live_log {
	uint64_t first_event, end_event;	/* the first that isn't in it */
	uint64_t first_ns;
	struct blob *blob;
};

struct live_snapshot {		/* a whole one */
	uint64_t event, mono_ns;
	uint64_t first_round, round;	/* of syncing, with which it is on the disk, and what it needs */
	struct blob *blob;
	struct page_set *pages;	/* NULL: it has none */
};

struct domain {
	uint32_t id;
	bool started;		/* next_event holds */
	bool gap;		/* nothing is appended before store_log_restart() */
	bool ended;
	bool is_left;		/* by an earlier writer */
	unsigned generation;	/* snapshots begun before the last restart are void */
	unsigned n_writers;	/* snapshots in the making point here */
	uint64_t next_event, last_ns;
	uint64_t dir_bytes;	/* 0: live/DOMAIN isn't there */
	uint64_t freeze_from;	/* what a freeze under way takes of it */
	struct live_log *logs;	/* ascending; the writer's is the last */
	struct live_snapshot *snapshots;	/* ascending */
	size_t n_logs, n_snapshots;
	struct chunk_writer *writer;
	char *about;		/* text that begins each of its files, or NULL */
	struct page_file **page_files;	/* by slot; NULL: free */
	size_t n_page_slots, n_page_files;
	uint64_t next_page_file;
	struct page_set *base;	/* of the newest snapshot: the next one is compared with it */
	uint64_t base_event;
	uint32_t pages_written;	/* with the newest snapshot */
};

struct pinned {			/* an incident of this store and what it pins */
	char *id;
	enum owner owner;	/* under which its blobs and directories are counted */
	bool whole;		/* has its manifest */
	struct timespec time;	/* of the manifest: the order of incidents */
	uint64_t dir_bytes;
	struct blob **blobs;
	size_t n_blobs;
};

struct store {
	int dir_fd, lock_fd, live_fd, incidents_fd;
	struct store_limits limits;
	struct io *io;
	struct chunk_encoder *encoder;
	uint64_t bytes;			/* all of it */
	uint64_t bytes_incidents;	/* of that, what incidents pin */
	uint64_t bytes_mapped;		/* of that, mapped files */
	uint64_t expected_mapped;	/* store_expect_files() */
	struct store_no_room no_room;	/* of the last freeze that found none */
	uint64_t live_dir_bytes, incidents_dir_bytes;
	uint64_t mark;
	uint64_t page_seed;		/* of the hashes of pages: nobody can make equal ones */
	uint64_t page_memory;		/* bytes of ours that remember them */
	uint64_t now_ns;		/* the latest time that a caller has told */
	uint64_t bytes_written;
	int last_error;
	struct domain **domains;	/* ascending */
	size_t n_domains;
	struct pinned **incidents;	/* oldest first */
	size_t n_incidents;
	struct pinned foreign;		/* what isn't ours, or wouldn't go: counted too */
	struct chunk_writer *about;	/* of live/about; NULL: not begun */
	struct blob *about_blob;	/* of the one that is there, or NULL */

	/* What has been written since the last round of syncing, whose number is round - 1. */
	struct sync *sync;
	int *dirty;
	size_t n_dirty;
	bool dirty_all;			/* the one in dirty stands for all of the file system */
	uint64_t dirty_since_ns, round;
	uint64_t synced_round, lost_round;	/* the last that ended; the last that failed */
};

/* store_open() with enum io_flags. */
int store_open_with(const char *dir, const struct store_limits *limits, unsigned io_flags,
		    struct store **ret_store);

/* The domain, or NULL; _get makes it. */
struct domain *store_find_domain(const struct store *store, uint32_t id);
int store_get_domain(struct store *store, uint32_t id, struct domain **ret_domain);

/*
 * The disk said no: notes it and returns STORE_NO_ROOM, whatever the reason is;
 * the caller of the store can only wait. Our own want of memory stays an errno.
 */
int store_disk_error(struct store *store, int error);

/*
 * Makes live/DOMAIN/PREFIX.EVENT for writing. 0, STORE_NO_ROOM, -EEXIST or another
 * negative errno.
 */
int store_create_live(struct store *store, struct domain *domain, const char *prefix,
		      uint64_t event, struct chunk_writer **ret_writer);

/* left.c: a chunk with what is said of a domain, or of all. 0, STORE_NO_ROOM or a negative errno. */
struct chunk_writer;
int about_write(struct store *store, struct chunk_writer *writer, const char *text);

/* Ends the log's file. On other than 0 the domain has a gap. */
int store_seal_log(struct store *store, struct domain *domain);

/* room.c */

/* Makes place for one more element; the array's new address, or NULL. */
void *array_grow(void *array, size_t n, size_t size);
void array_remove(void *array, size_t *n, size_t size, size_t index);

struct blob *blob_new(ino_t ino);
void blob_resize(struct store *store, struct blob *blob, uint64_t bytes);
void blob_hold(struct store *store, struct blob *blob, enum owner owner);
void blob_set_mapped(struct store *store, struct blob *blob);
struct blob *blob_release(struct store *store, struct blob *blob, enum owner owner);

/*
 * Removes the file @name of @blob, which @owner holds and lets go of. What can't be
 * removed stays in the account.
 */
void store_discard(struct store *store, int dir_fd, const char *name, struct blob *blob,
		   enum owner owner);

/* Replaces *@charged, what the store was charged for a directory, by @bytes. */
void store_charge_dir(struct store *store, uint64_t *charged, uint64_t bytes, enum owner owner);

/* The same with what the directory @name now takes. For those that no incident owns. */
void store_charge_dir_at(struct store *store, int dir_fd, const char *name, uint64_t *charged);

/* What a freeze takes besides the files that it links: directories and manifest. */
uint64_t store_freeze_need(const struct store *store);

/* The domain's directory in an incident. */
static inline uint64_t domain_frozen_dir_bytes(const struct domain *domain)
{
	return tree_dir_bytes_for(domain->n_logs + domain->n_snapshots + domain->n_page_files + 1);
}

/* What live files may fill: the bound less what the next freeze needs to begin. */
uint64_t store_live_limit(const struct store *store);

/* What a freeze may fill before its manifest, whose place is kept. */
uint64_t store_freeze_limit(const struct store *store);

/* Evicts until @need more bytes stay below @limit. Evicts nothing if that can't be. */
int store_make_room(struct store *store, uint64_t need, uint64_t limit);

/* Evicts what is older than the window. */
int store_trim_domain(struct store *store, struct domain *domain);
int store_trim_all(struct store *store);

/* Drops the domain's files in front of @event. UINT64_MAX: all of them. */
int store_drop_before(struct store *store, struct domain *domain, uint64_t event);

/* Takes @domain out of the store if it has ended and nothing is left, live/DOMAIN with it. */
void store_forget_if_empty(struct store *store, struct domain *domain);

/*
 * The domain that has the oldest things to give up, of what is on disk or of what a
 * freeze under way takes: all of it in front of @ret_event. NULL: what is left is
 * needed.
 */
enum view { VIEW_DISK, VIEW_FREEZE };
struct domain *store_oldest_cut(const struct store *store, enum view view, uint64_t *ret_event);

/* Incidents in the account. */
int pinned_new(const char *id, struct pinned **ret_pinned);
int pinned_add(struct store *store, struct pinned *pinned, struct blob *blob);
void pinned_deinit(struct store *store, struct pinned *pinned);
struct pinned *pinned_free(struct store *store, struct pinned *pinned);

/* The store owns it from then on. */
int store_add_incident(struct store *store, struct pinned *pinned);

/* Takes @pinned out of the account and frees it; its files are gone already. */
void store_forget_incident(struct store *store, struct pinned *pinned);

/* Removes from disk and account. */
int store_remove_incident(struct store *store, struct pinned *pinned);

/* Another process may remove incidents at any time: takes note of it. */
void store_refresh_incidents(struct store *store);

/* What incidents may pin, and what of @bytes, of which @mapped are mapped files, counts. */
uint64_t store_share(const struct store *store);
uint64_t store_counted(const struct store *store, uint64_t bytes, uint64_t mapped);

/* Pushes out older incidents until @need more bytes, of a mapped file or not, are within the share. */
int store_make_share(struct store *store, uint64_t need, bool is_mapped);

/* May give way to a newer one. */
bool store_may_push_out(const struct store *store, size_t incident);

/* sync.c: the file, or the names in a directory, will be synced with the next round. */
struct chunk_writer;
void sync_note_file(struct store *store, struct chunk_writer *writer);
void sync_note_dir(struct store *store, int dir_fd, const char *name);

/* Is what was written for the rounds @first to @last on the disk, as far as anybody wants to know? */
bool sync_has(struct store *store, uint64_t first, uint64_t last);

/* Was some of what was written from @first on lost? It isn't going to be on the disk. */
bool sync_lost(const struct store *store, uint64_t first);

/* Waits for a round under way. What hasn't been synced stays so. */
void store_sync_end(struct store *store);

/* pages.c */

struct page_file {		/* a pages file of a domain */
	uint64_t number;
	uint64_t event;		/* of the snapshot that it was written with */
	struct blob *blob;
	uint32_t slot;		/* in domain->page_files */
	uint32_t n_pages;
	uint32_t n_live;	/* of the base's pages; of an earlier writer's newest snapshot's, if any */
	unsigned n_users;	/* page sets */
	bool is_left;		/* the snapshot in the making keeps nothing in it */
	bool is_needed;		/* by whole snapshots: */
	uint64_t last_event;	/* the newest of them */
	uint64_t round;		/* of syncing, when it was begun */
	uint64_t len;
	uint32_t *chunks;	/* where each begins */
	size_t n_chunks;
};

struct page_entry {
	uint64_t key;
	uint64_t hash[2];
	uint32_t slot, page;	/* page: number of the chunk, and in it */
};

struct page_set {		/* the pages of a snapshot */
	unsigned n_refs;
	unsigned n_readers;	/* of the entries: the domain, and snapshots in the making */
	struct page_file **files;	/* each is used by us */
	size_t n_files;
	struct page_entry *entries;	/* ascending by key; NULL once nobody reads them */
	size_t n_entries, size;
};

/* Of a domain that goes; its files stay where they are. */
void pages_forget(struct store *store, struct domain *domain);

struct page_set *page_set_unref(struct store *store, struct domain *domain, struct page_set *set);

/* Makes @set (NULL: there is none) what the domain's next snapshot is compared with. */
void pages_set_base(struct store *store, struct domain *domain, struct page_set *set, uint64_t event);

/*
 * What an earlier writer left (left.c): its pages files first, ascending; then what each whole
 * snapshot has of them; and then those that none needs go.
 */
int pages_load_file(struct domain *domain, uint64_t number, uint64_t len, struct blob *blob);
int pages_load_set(struct domain *domain, uint64_t event, const struct page_need *needs, size_t n,
		   struct page_set **ret_set);
void pages_load_end(struct store *store, struct domain *domain);

/* Does a snapshot at @from or behind it need @file (NULL: no)? */
bool page_file_is_in(const struct page_file *file, uint64_t from);

struct page_writer;

/* The pages of a snapshot of @domain at @event. Pins the domain's base, not the domain. */
int page_writer_new(struct store *store, struct domain *domain, uint64_t event, uint64_t mono_ns,
		    struct page_writer **ret_writer);
struct page_writer *page_writer_free(struct page_writer *writer);

/* As store.h has them. */
void page_writer_count(const struct page_writer *writer, uint64_t *ret_pages, uint64_t *ret_written);
int page_writer_add(struct page_writer *writer, uint64_t key, const void *bytes);
int page_writer_keep(struct page_writer *writer, uint64_t key);

/*
 * All pages have come: they are handed to the kernel, and @add gets the chunks that say
 * where they are. 0, or what @add or a write returned.
 */
int page_writer_finish(struct page_writer *writer,
		       int (*add)(void *userdata, unsigned kind, const void *data, size_t len),
		       void *userdata);

/*
 * The snapshot is whole: its pages, which the caller then holds; NULL if it has none. *@ret_round
 * is the first round of syncing, not behind the one that it has, for which any were written.
 */
struct page_set *page_writer_take(struct page_writer *writer, uint64_t *ret_round);

/* writer.c */

struct chunk_writer {
	struct store *store;
	struct io_file file;
	struct blob *blob;	/* held by us under @owner; the caller holds it once more */
	enum owner owner;
	uint32_t domain;
	uint32_t seq;
	uint64_t len;
	uint64_t dirty_round;	/* of syncing, for which it is noted */
};

/*
 * Makes the file @name, which mustn't be there. Its room and that of its name has
 * been made. 0 or a negative errno.
 */
int chunk_writer_new(struct store *store, int dir_fd, const char *name, uint32_t domain,
		     enum owner owner, struct chunk_writer **ret_writer);

/* Fills in domain and seq of @info. 0, STORE_NO_ROOM, or a negative errno. */
int chunk_writer_add(struct chunk_writer *writer, uint64_t limit, struct chunk_info *info,
		     const void *data, size_t len);

/*
 * Waits for what is in flight and closes the file. If a write has failed, the file
 * is cut in front of it, and STORE_NO_ROOM returned.
 */
int chunk_writer_close(struct chunk_writer *writer);

/* Closes a file that is to be removed. */
void chunk_writer_abort(struct chunk_writer *writer);
