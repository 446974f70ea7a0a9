/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The account of the disk, and what is given up to keep the bound.
 *
 * A domain can be cut at each of its snapshots: the logs and snapshots in front of
 * it go, and what is left replays from there. Under pressure the domain whose next
 * cut gives up the oldest things is cut, again and again; a live domain's newest
 * snapshot and the log behind it stay. Incidents give way only to incidents.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "ringstore/store-internal.h"
#include "ringstore/tree.h"

void *array_grow(void *array, size_t n, size_t size)
{
	if (n & (n - 1))	/* grown in powers of two, this isn't full */
		return array;
	return reallocarray(array, n ? n * 2 : 1, size);
}

void array_remove(void *array, size_t *n, size_t size, size_t index)
{
	char *place = (char *)array + index * size;

	memmove(place, place + size, (*n - index - 1) * size);
	(*n)--;
}

/* Blobs and directories. */

struct blob *blob_new(ino_t ino)
{
	struct blob *blob = calloc(1, sizeof(*blob));

	if (blob)
		blob->ino = ino;
	return blob;
}

/* @more may be negative. */
static void add_to_incidents(struct store *store, const struct blob *blob, uint64_t more)
{
	store->bytes_incidents += more;
	if (blob->is_mapped)
		store->bytes_mapped += more;
}

void blob_set_mapped(struct store *store, struct blob *blob)
{
	if (!blob->is_mapped && blob->n_owners[OWNER_INCIDENT])
		store->bytes_mapped += blob->bytes;
	blob->is_mapped = true;
}

void blob_resize(struct store *store, struct blob *blob, uint64_t bytes)
{
	store->bytes += bytes - blob->bytes;
	if (blob->n_owners[OWNER_INCIDENT])
		add_to_incidents(store, blob, bytes - blob->bytes);
	blob->bytes = bytes;
}

void blob_hold(struct store *store, struct blob *blob, enum owner owner)
{
	if (owner == OWNER_INCIDENT && blob->n_owners[owner] == 0)
		add_to_incidents(store, blob, blob->bytes);
	blob->n_owners[owner]++;
}

struct blob *blob_release(struct store *store, struct blob *blob, enum owner owner)
{
	blob->n_owners[owner]--;
	if (owner == OWNER_INCIDENT && blob->n_owners[owner] == 0)
		add_to_incidents(store, blob, -blob->bytes);
	if (!blob->n_owners[OWNER_LIVE] && !blob->n_owners[OWNER_INCIDENT]) {
		store->bytes -= blob->bytes;
		free(blob);
	}
	return NULL;
}

void store_discard(struct store *store, int dir_fd, const char *name, struct blob *blob,
		   enum owner owner)
{
	if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT) {
		(void) store_disk_error(store, -errno);
		if (pinned_add(store, &store->foreign, blob) < 0)
			return;		/* held for ever: better than uncounted */
	}
	(void) blob_release(store, blob, owner);
}

void store_charge_dir(struct store *store, uint64_t *charged, uint64_t bytes, enum owner owner)
{
	store->bytes += bytes - *charged;
	if (owner == OWNER_INCIDENT)
		store->bytes_incidents += bytes - *charged;
	*charged = bytes;
}

void store_charge_dir_at(struct store *store, int dir_fd, const char *name, uint64_t *charged)
{
	struct stat st;

	/* If it can't be asked, it is at least as large as before. */
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		store_charge_dir(store, charged, tree_dir_bytes(&st), OWNER_LIVE);
}

/* Limits. */

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

/* A manifest names the mapped files and the notes: some kilobytes, rarely hundreds. */
static uint64_t manifest_reserve(const struct store *store)
{
	return clamp(store->limits.max_bytes / 128, 16 << 10, 512 << 10);
}

/* Hashes of the final pages: eight bytes for each page of a process. */
static uint64_t finals_reserve(const struct store *store)
{
	return clamp(store->limits.max_bytes / 64, 16 << 10, 4 << 20);
}

uint64_t store_freeze_need(const struct store *store)
{
	/* incidents/ID in its parent and itself, files/ in it, the manifest */
	uint64_t bytes = TREE_DIR_GROWTH + tree_dir_bytes_for(store->n_domains + 2) +
			 tree_dir_bytes_for(1) + manifest_reserve(store);

	for (size_t i = 0; i < store->n_domains; i++)
		bytes += domain_frozen_dir_bytes(store->domains[i]);
	return bytes;
}

/*
 * A service dies when its ring is full as a rule, and a freeze can't evict what it
 * is about to pin. So that it can begin, recording leaves it some room.
 */
uint64_t store_live_limit(const struct store *store)
{
	uint64_t reserve = store_freeze_need(store) + finals_reserve(store);
	uint64_t most = store->limits.max_bytes / 4;

	return store->limits.max_bytes - (reserve < most ? reserve : most);
}

uint64_t store_freeze_limit(const struct store *store)
{
	return store->limits.max_bytes - manifest_reserve(store);
}

uint64_t store_share(const struct store *store)
{
	return store->limits.max_bytes / 100 * store->limits.incidents_percent;
}

/*
 * The files that a small service maps, libc among them, are more than its window is. All of its
 * incidents have them in common, so half of what the share leaves is theirs, too: else the
 * first incident's would take the place of all others.
 */
uint64_t store_counted(const struct store *store, uint64_t bytes, uint64_t mapped)
{
	uint64_t apart = (store->limits.max_bytes - store_share(store)) / 2;

	return bytes - (mapped < apart ? mapped : apart);
}

/*
 * What the store may take, so that others find as much free as they are to: less than it has if
 * that is missing. What is written and hasn't come to the file system yet isn't counted: little.
 * What @limit leaves of the bound, for a freeze that is to come, it leaves of this, too.
 */
static uint64_t limit_by_disk(const struct store *store, uint64_t limit)
{
	uint64_t keep = store->limits.keep_free_bytes, reserve = store->limits.max_bytes - limit;
	uint64_t blocks, most;
	struct statvfs st;

	if (!keep || fstatvfs(store->dir_fd, &st) < 0 || !st.f_frsize)
		return limit;
	/* By blocks: the product may be any number. */
	blocks = keep / st.f_frsize + 1;
	if (st.f_bavail >= blocks) {
		blocks = st.f_bavail - blocks;
		if (blocks >= store->limits.max_bytes / st.f_frsize)
			return limit;
		most = store->bytes + blocks * st.f_frsize;
	} else {
		blocks -= st.f_bavail;
		most = blocks <= store->bytes / st.f_frsize ? store->bytes - blocks * st.f_frsize : 0;
	}
	most = most > reserve ? most - reserve : 0;
	return most < limit ? most : limit;
}

static bool fits(const struct store *store, uint64_t need, uint64_t limit)
{
	return need <= limit && store->bytes <= limit - need;
}

/* Giving up live files. */

static int drop_live(struct store *store, const struct domain *domain, const char *prefix,
		     uint64_t event, struct blob *blob)
{
	char path[NAME_PATH_SIZE];

	if (unlinkat(store->live_fd, name_path(path, domain->id, prefix, event), 0) < 0 &&
	    errno != ENOENT)
		return store_disk_error(store, -errno);
	(void) blob_release(store, blob, OWNER_LIVE);
	return 0;
}

/* The logs that may go: not the one that is being written. */
static size_t n_sealed(const struct domain *domain)
{
	return domain->n_logs - (domain->writer != NULL);
}

int store_drop_before(struct store *store, struct domain *domain, uint64_t event)
{
	int r;

	/* Snapshots first: one without the log behind it would look usable. */
	while (domain->n_snapshots && domain->snapshots[0].event < event) {
		r = drop_live(store, domain, NAME_SNAPSHOT, domain->snapshots[0].event,
			      domain->snapshots[0].blob);
		if (r)
			return r;
		(void) page_set_unref(store, domain, domain->snapshots[0].pages);
		array_remove(domain->snapshots, &domain->n_snapshots,
			     sizeof(*domain->snapshots), 0);
	}
	if (!domain->n_snapshots)
		pages_set_base(store, domain, NULL, 0);
	while (n_sealed(domain) && domain->logs[0].end_event <= event) {
		r = drop_live(store, domain, NAME_LOG, domain->logs[0].first_event,
			      domain->logs[0].blob);
		if (r)
			return r;
		array_remove(domain->logs, &domain->n_logs, sizeof(*domain->logs), 0);
	}
	return 0;
}

/* All of it. Of what was left nobody knows whether it had ended: its newest segment stays. */
static bool may_go(const struct domain *domain)
{
	return domain->ended && !domain->is_left;
}

/*
 * The next thing to give up if the domain had only what stands at and behind
 * @from: all in front of @ret_event, which is as old as @ret_age_ns. False: what
 * is left is needed.
 */
static bool domain_next_cut(const struct domain *domain, uint64_t from, uint64_t *ret_event,
			    uint64_t *ret_age_ns)
{
	const struct live_snapshot *snapshot = domain->snapshots;
	const struct live_snapshot *end = snapshot + domain->n_snapshots;
	const struct live_log *log = domain->logs, *logs_end = log + n_sealed(domain);

	while (snapshot < end && snapshot->event < from)
		snapshot++;
	while (log < logs_end && log->end_event <= from)
		log++;

	if (snapshot < end && log < logs_end && log->end_event <= snapshot->event) {
		/* No snapshot in front of this log: it can't be replayed. */
		*ret_event = snapshot->event;
		*ret_age_ns = 0;
		return true;
	}
	if (snapshot + 1 < end) {
		*ret_event = snapshot[1].event;
		*ret_age_ns = snapshot->mono_ns;
		return true;
	}
	if (!may_go(domain) || (snapshot == end && log == logs_end))
		return false;
	*ret_event = UINT64_MAX;
	*ret_age_ns = snapshot < end ? snapshot->mono_ns : log->first_ns;
	return true;
}

struct domain *store_oldest_cut(const struct store *store, enum view view, uint64_t *ret_event)
{
	struct domain *oldest = NULL;
	uint64_t oldest_age = 0;

	for (size_t i = 0; i < store->n_domains; i++) {
		struct domain *domain = store->domains[i];
		uint64_t from = view == VIEW_FREEZE ? domain->freeze_from : 0, event, age;

		if (!domain_next_cut(domain, from, &event, &age) || (oldest && age >= oldest_age))
			continue;
		oldest = domain;
		oldest_age = age;
		*ret_event = event;
	}
	return oldest;
}

static int evict_oldest(struct store *store)
{
	uint64_t event;
	struct domain *domain = store_oldest_cut(store, VIEW_DISK, &event);
	int r;

	if (!domain)
		return STORE_NO_ROOM;
	r = store_drop_before(store, domain, event);
	if (r == 0)
		store_forget_if_empty(store, domain);
	return r;
}

static uint64_t unpinned(const struct blob *blob)
{
	return blob->n_owners[OWNER_INCIDENT] ? 0 : blob->bytes;
}

/* What evict_oldest() would free of @domain, time after time. */
static uint64_t evictable(const struct domain *domain)
{
	uint64_t keep = 0, bytes = 0;

	if (may_go(domain)) {
		keep = UINT64_MAX;
		bytes = domain->n_writers ? 0 : domain->dir_bytes;
	} else if (domain->n_snapshots) {
		keep = domain->snapshots[domain->n_snapshots - 1].event;
	}
	for (size_t i = 0; i < domain->n_snapshots && domain->snapshots[i].event < keep; i++)
		bytes += unpinned(domain->snapshots[i].blob);
	for (size_t i = 0; i < domain->n_page_slots; i++)
		if (domain->page_files[i] && (may_go(domain) || domain->page_files[i]->n_live == 0))
			bytes += unpinned(domain->page_files[i]->blob);
	for (size_t i = 0; i < n_sealed(domain) && domain->logs[i].end_event <= keep; i++)
		bytes += unpinned(domain->logs[i].blob);
	return bytes;
}

int store_make_room(struct store *store, uint64_t need, uint64_t limit)
{
	uint64_t most = 0;
	int r;

	limit = limit_by_disk(store, limit);
	if (fits(store, need, limit))
		return 0;
	r = store_trim_all(store);
	if (r)
		return r;
	store_refresh_incidents(store);

	/* What can't succeed mustn't cost the window. */
	for (size_t i = 0; i < store->n_domains; i++)
		most += evictable(store->domains[i]);
	if (need > limit || store->bytes - most > limit - need)
		return STORE_NO_ROOM;
	while (r == 0 && !fits(store, need, limit))
		r = evict_oldest(store);
	return r;
}

/* The window. */

int store_trim_domain(struct store *store, struct domain *domain)
{
	uint64_t oldest_ns, event = 0;

	if (store->now_ns < store->limits.window_ns)
		return 0;
	oldest_ns = store->now_ns - store->limits.window_ns;

	if (may_go(domain) && domain->last_ns <= oldest_ns)
		event = UINT64_MAX;
	/* One that isn't on the disk yet can't take the place of those that are. */
	for (size_t i = domain->n_snapshots; i > 0 && !event; i--)
		if (domain->snapshots[i - 1].mono_ns <= oldest_ns &&
		    sync_has(store, domain->snapshots[i - 1].first_round, domain->snapshots[i - 1].round))
			event = domain->snapshots[i - 1].event;
	return event ? store_drop_before(store, domain, event) : 0;
}

int store_trim_all(struct store *store)
{
	int r;

	for (size_t i = store->n_domains; i > 0; i--) {	/* backwards: one may go */
		r = store_trim_domain(store, store->domains[i - 1]);
		if (r)
			return r;
		store_forget_if_empty(store, store->domains[i - 1]);
	}
	return 0;
}

/* Incidents. */

int pinned_new(const char *id, struct pinned **ret_pinned)
{
	struct pinned *pinned = calloc(1, sizeof(*pinned));

	if (!pinned)
		return -ENOMEM;
	pinned->owner = OWNER_INCIDENT;
	pinned->id = strdup(id);
	if (!pinned->id) {
		free(pinned);
		return -ENOMEM;
	}
	*ret_pinned = pinned;
	return 0;
}

int pinned_add(struct store *store, struct pinned *pinned, struct blob *blob)
{
	struct blob **grown = array_grow(pinned->blobs, pinned->n_blobs, sizeof(struct blob *));

	if (!grown)
		return -ENOMEM;
	pinned->blobs = grown;
	pinned->blobs[pinned->n_blobs++] = blob;
	blob_hold(store, blob, pinned->owner);
	return 0;
}

void pinned_deinit(struct store *store, struct pinned *pinned)
{
	for (size_t i = 0; i < pinned->n_blobs; i++)
		(void) blob_release(store, pinned->blobs[i], pinned->owner);
	store_charge_dir(store, &pinned->dir_bytes, 0, pinned->owner);
	free(pinned->blobs);
	free(pinned->id);
}

struct pinned *pinned_free(struct store *store, struct pinned *pinned)
{
	if (pinned) {
		pinned_deinit(store, pinned);
		free(pinned);
	}
	return NULL;
}

int store_add_incident(struct store *store, struct pinned *pinned)
{
	struct pinned **grown = array_grow(store->incidents, store->n_incidents,
					   sizeof(struct pinned *));

	if (!grown)
		return -ENOMEM;
	store->incidents = grown;
	store->incidents[store->n_incidents++] = pinned;
	return 0;
}

void store_forget_incident(struct store *store, struct pinned *pinned)
{
	size_t i = 0;

	while (i < store->n_incidents && store->incidents[i] != pinned)
		i++;
	if (i < store->n_incidents)
		array_remove(store->incidents, &store->n_incidents, sizeof(*store->incidents), i);
	(void) pinned_free(store, pinned);
}

int store_remove_incident(struct store *store, struct pinned *pinned)
{
	int r = incident_remove_at(store->incidents_fd, pinned->id);

	if (r < 0 && r != -ENOENT)
		return store_disk_error(store, r);
	store_forget_incident(store, pinned);
	return 0;
}

void store_refresh_incidents(struct store *store)
{
	for (size_t i = store->n_incidents; i > 0; i--) {	/* backwards: one may go */
		struct pinned *pinned = store->incidents[i - 1];

		if (pinned->whole &&
		    faccessat(store->incidents_fd, pinned->id, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno == ENOENT)
			store_forget_incident(store, pinned);
	}
}

unsigned store_count_incidents(struct store *store, time_t from_s, time_t to_s)
{
	unsigned n = 0;

	store_refresh_incidents(store);
	for (size_t i = 0; i < store->n_incidents; i++) {
		time_t time_s = store->incidents[i]->time.tv_sec;

		n += store->incidents[i]->whole && time_s >= from_s && time_s <= to_s;
	}
	return n;
}

bool store_may_push_out(const struct store *store, size_t incident)
{
	/* The first stays: of a service that dies in a loop, it shows how that began. */
	return incident > 0 && store->incidents[incident]->whole;
}

int store_make_share(struct store *store, uint64_t need, bool is_mapped)
{
	uint64_t share = store_share(store);

	while (store_counted(store, store->bytes_incidents + need,
			     store->bytes_mapped + (is_mapped ? need : 0)) > share) {
		size_t i = 0;
		int r;

		while (i < store->n_incidents && !store_may_push_out(store, i))
			i++;
		if (i == store->n_incidents)
			return STORE_NO_ROOM;
		r = store_remove_incident(store, store->incidents[i]);
		if (r)
			return r;
	}
	return 0;
}
