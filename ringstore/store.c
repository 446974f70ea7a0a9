/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/store.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "ringstore/load.h"
#include "ringstore/store-internal.h"
#include "ringstore/tree.h"

int store_disk_error(struct store *store, int error)
{
	if (error == -ENOMEM)
		return error;
	store->last_error = error;
	return STORE_NO_ROOM;
}

/* Opening: what is there already. */

static int compare_inodes(const void *a, const void *b)
{
	const struct blob *x = a, *y = b;

	return (x->ino > y->ino) - (x->ino < y->ino);
}

static void no_free(void *node)
{
	(void) node;
}

static int find_blob(struct load *load, const struct stat *st, struct blob **ret_blob)
{
	struct blob *blob = blob_new(st->st_ino), **node;

	if (!blob)
		return -ENOMEM;
	node = tsearch(blob, load->inodes, compare_inodes);
	if (!node) {
		free(blob);
		return -ENOMEM;
	}
	if (*node != blob)
		free(blob);
	else
		blob_resize(load->store, blob, tree_file_bytes((uint64_t)st->st_size));
	*ret_blob = *node;
	return 0;
}

int load_blob(struct load *load, int fd, struct blob **ret_blob)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? -errno : find_blob(load, &st, ret_blob);
}

static int load_one(int dir_fd, const char *name, const struct stat *st, void *userdata)
{
	struct load *load = userdata;
	struct blob *blob;
	int r;

	(void) dir_fd;
	if (S_ISDIR(st->st_mode)) {
		store_charge_dir(load->store, &load->pinned->dir_bytes,
				 load->pinned->dir_bytes + tree_dir_bytes(st),
				 load->pinned->owner);
		return 0;
	}
	r = find_blob(load, st, &blob);
	if (r < 0)
		return r;
	/* Held, so that it goes if nobody takes it. */
	blob_hold(load->store, blob, OWNER_LIVE);
	if (name_is_hash(name))
		blob_set_mapped(load->store, blob);
	r = pinned_add(load->store, load->pinned, blob);
	(void) blob_release(load->store, blob, OWNER_LIVE);
	return r;
}

int load_tree(struct load *load, int dir_fd, const char *name)
{
	autoclean(closep) int fd = -1;
	struct stat st;
	int r;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISDIR(st.st_mode)) {
		r = tree_open_dir(dir_fd, name, &fd);
		if (r == 0)
			r = tree_walk(fd, load_one, load);
		if (r < 0)
			return r;
	}
	return load_one(dir_fd, name, &st, load);
}

/* What somebody didn't get done with. */
static int remove_temporary(int incidents_fd, const char *id)
{
	autoclean(closep) int fd = -1;
	int r;

	r = tree_open_dir(incidents_fd, id, &fd);
	if (r == 0)
		r = tree_remove(fd, NAME_NEW_MANIFEST);
	return r == 0 ? tree_remove(fd, NAME_FILES "/" NAME_NEW_FILE) : r;
}

static int load_incident(struct load *load, const char *id, const struct timespec *time)
{
	struct store *store = load->store;
	struct pinned *pinned;
	int r;

	r = remove_temporary(store->incidents_fd, id);
	if (r == 0)
		r = pinned_new(id, &pinned);
	if (r < 0)
		return r;
	pinned->whole = true;
	pinned->time = *time;
	r = store_add_incident(store, pinned);
	if (r < 0) {
		(void) pinned_free(store, pinned);
		return r;
	}
	load->pinned = pinned;
	return load_tree(load, store->incidents_fd, id);
}

/* One name in incidents/: an incident, or what a freeze left that didn't end, or foreign. */
static int load_name(struct load *load, const char *name)
{
	struct store *store = load->store;
	struct timespec time;
	struct stat st;
	int r;

	if (fstatat(store->incidents_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode) || !name_is_incident_id(name)) {
		load->pinned = &store->foreign;
		return load_tree(load, store->incidents_fd, name);
	}
	r = incident_time(store->incidents_fd, name, &time);
	if (r == -ENOENT)
		return tree_remove(store->incidents_fd, name);
	return r < 0 ? r : load_incident(load, name, &time);
}

static int compare_pinned(const void *a, const void *b)
{
	const struct pinned *x = *(struct pinned *const *)a, *y = *(struct pinned *const *)b;

	return incident_order(&x->time, x->id, &y->time, y->id);
}

static int load_names(struct load *load)
{
	autoclean(tree_names_deinit) struct tree_names incidents = { 0 }, others = { 0 };
	struct store *store = load->store;
	int r;

	r = tree_names(store->incidents_fd, &incidents);
	for (size_t i = 0; r == 0 && i < incidents.n; i++)
		r = load_name(load, incidents.names[i]);
	if (r == 0)
		r = tree_names(store->dir_fd, &others);
	load->pinned = &store->foreign;
	for (size_t i = 0; r == 0 && i < others.n; i++)
		if (strcmp(others.names[i], NAME_LIVE) != 0 &&
		    strcmp(others.names[i], NAME_INCIDENTS) != 0)
			r = load_tree(load, store->dir_fd, others.names[i]);
	return r == 0 ? load_live(load) : r;
}

/* Fills the account with all that is below our directory. */
static int load(struct store *store)
{
	void *inodes = NULL;
	struct load load = { .store = store, .inodes = &inodes };
	int r;

	store_charge_dir_at(store, store->dir_fd, ".", &store->foreign.dir_bytes);
	store_charge_dir_at(store, store->dir_fd, NAME_LIVE, &store->live_dir_bytes);
	store_charge_dir_at(store, store->dir_fd, NAME_INCIDENTS, &store->incidents_dir_bytes);
	r = load_names(&load);
	tdestroy(inodes, no_free);
	if (r == 0)
		load_live_end(store);
	if (r == 0 && store->n_incidents)
		qsort(store->incidents, store->n_incidents, sizeof(struct pinned *),
		      compare_pinned);
	return r;
}

static struct store *store_new(const struct store_limits *limits)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store) {
		store->dir_fd = store->lock_fd = store->live_fd = store->incidents_fd = -1;
		store->limits = *limits;
		store->round = 1;
		(void) !getrandom(&store->page_seed, sizeof(store->page_seed), GRND_NONBLOCK);
		store->foreign.owner = OWNER_LIVE;
	}
	return store;
}

static int lock_store(struct store *store)
{
	store->lock_fd = openat(store->dir_fd, NAME_LOCK,
				O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (store->lock_fd < 0)
		return -errno;
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

static int make_dirs(struct store *store)
{
	int r;

	r = tree_make_dir(store->dir_fd, NAME_LIVE, &store->live_fd);
	if (r == 0)
		r = tree_make_dir(store->dir_fd, NAME_INCIDENTS, &store->incidents_fd);
	sync_note_dir(store, store->dir_fd, ".");
	return r;
}

static void store_closep(struct store **store)
{
	(void) store_close(*store);
}

int store_open_with(const char *dir, const struct store_limits *limits, unsigned io_flags,
		    struct store **ret_store)
{
	autoclean(store_closep) struct store *store = NULL;
	int r;

	if (limits->max_bytes < STORE_MIN_BYTES || limits->incidents_percent < 1 ||
	    limits->incidents_percent > 90)
		return -EINVAL;
	store = store_new(limits);
	if (!store)
		return -ENOMEM;
	r = chunk_encoder_new(&store->encoder);
	if (r == 0)
		r = io_new(io_flags, &store->io);
	if (r == 0)
		r = tree_make_dir(AT_FDCWD, dir, &store->dir_fd);
	if (r == 0)
		r = lock_store(store);
	if (r == 0)
		r = make_dirs(store);
	if (r == 0)
		r = load(store);
	if (r < 0)
		return r;
	(void) store_make_share(store, 0, false);	/* the limit may have been lowered */
	*ret_store = MOVE(store);
	return 0;
}

int store_open(const char *dir, const struct store_limits *limits, struct store **ret_store)
{
	return store_open_with(dir, limits, 0, ret_store);
}

static struct domain *domain_free(struct store *store, struct domain *domain)
{
	for (size_t i = 0; i < domain->n_logs; i++)
		(void) blob_release(store, domain->logs[i].blob, OWNER_LIVE);
	for (size_t i = 0; i < domain->n_snapshots; i++)
		(void) blob_release(store, domain->snapshots[i].blob, OWNER_LIVE);
	pages_forget(store, domain);
	free(domain->logs);
	free(domain->snapshots);
	free(domain->about);
	free(domain);
	return NULL;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void) close(fd);
}

void store_unlock(struct store *store)
{
	close_fd(store->lock_fd);
	store->lock_fd = -1;
}

struct store *store_close(struct store *store)
{
	if (!store)
		return NULL;
	for (size_t i = 0; i < store->n_domains; i++) {
		(void) store_seal_log(store, store->domains[i]);
		(void) domain_free(store, store->domains[i]);
	}
	if (store->about)
		(void) chunk_writer_close(MOVE(store->about));
	if (store->about_blob)
		(void) blob_release(store, store->about_blob, OWNER_LIVE);
	store_sync_end(store);
	for (size_t i = 0; i < store->n_incidents; i++)
		(void) pinned_free(store, store->incidents[i]);
	pinned_deinit(store, &store->foreign);
	free(store->domains);
	free(store->incidents);
	(void) io_free(store->io);
	(void) chunk_encoder_free(store->encoder);
	close_fd(store->incidents_fd);
	close_fd(store->live_fd);
	close_fd(store->lock_fd);	/* another writer may come now */
	close_fd(store->dir_fd);
	free(store);
	return NULL;
}

void store_get_status(struct store *store, struct store_status *ret_status)
{
	struct store_status status = {
		.bytes_written = store->bytes_written,
		.page_memory = store->page_memory,
		.writer = io_name(store->io),
		.last_error = store->last_error,
	};
	uint64_t oldest_ns = UINT64_MAX, newest_ns = 0;

	store_refresh_incidents(store);
	for (size_t i = 0; i < store->n_domains; i++) {
		const struct domain *domain = store->domains[i];

		status.n_snapshots += (unsigned)domain->n_snapshots;
		if (!domain->n_snapshots)
			continue;
		if (domain->snapshots[0].mono_ns < oldest_ns)
			oldest_ns = domain->snapshots[0].mono_ns;
		if (domain->last_ns > newest_ns)
			newest_ns = domain->last_ns;
	}
	for (size_t i = 0; i < store->n_incidents; i++)
		status.n_incidents += store->incidents[i]->whole;
	status.bytes_incidents = store->bytes_incidents;
	status.bytes_mapped = store->bytes_mapped;
	status.bytes_live = store->bytes - store->bytes_incidents;
	if (oldest_ns < newest_ns)
		status.window_ns = newest_ns - oldest_ns;
	*ret_status = status;
}

uint64_t store_begin_ns(const struct store *store)
{
	uint64_t begin_ns = UINT64_MAX;

	for (size_t i = 0; i < store->n_domains; i++) {
		const struct domain *domain = store->domains[i];

		if (domain->n_logs && domain->logs[0].first_ns < begin_ns)
			begin_ns = domain->logs[0].first_ns;
		if (domain->n_snapshots && domain->snapshots[0].mono_ns < begin_ns)
			begin_ns = domain->snapshots[0].mono_ns;
	}
	return begin_ns;
}

/* Domains. */

/* The index of @id, or where it would have to stand. */
static size_t domain_place(const struct store *store, uint32_t id)
{
	size_t low = 0, high = store->n_domains;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (store->domains[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct domain *store_find_domain(const struct store *store, uint32_t id)
{
	size_t i = domain_place(store, id);

	return i < store->n_domains && store->domains[i]->id == id ? store->domains[i] : NULL;
}

int store_get_domain(struct store *store, uint32_t id, struct domain **ret_domain)
{
	struct domain *domain = store_find_domain(store, id), **grown;
	size_t i = domain_place(store, id);

	if (domain) {
		*ret_domain = domain;
		return 0;
	}
	grown = array_grow(store->domains, store->n_domains, sizeof(struct domain *));
	if (!grown)
		return -ENOMEM;
	store->domains = grown;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return -ENOMEM;
	domain->id = id;
	memmove(grown + i + 1, grown + i, (store->n_domains - i) * sizeof(*grown));
	grown[i] = domain;
	store->n_domains++;
	*ret_domain = domain;
	return 0;
}

void store_forget_if_empty(struct store *store, struct domain *domain)
{
	char name[NAME_DOMAIN_SIZE];

	if (!domain->ended || domain->n_logs || domain->n_snapshots || domain->n_writers)
		return;
	if (unlinkat(store->live_fd, name_domain(name, domain->id), AT_REMOVEDIR) == 0 ||
	    errno == ENOENT)
		store_charge_dir(store, &domain->dir_bytes, 0, OWNER_LIVE);
	else if (errno != ENOTEMPTY)
		return;		/* asked again at the next trim */
	else			/* somebody's else */
		store->foreign.dir_bytes += domain->dir_bytes;
	array_remove(store->domains, &store->n_domains, sizeof(struct domain *),
		     domain_place(store, domain->id));
	(void) domain_free(store, domain);
}

void store_domain_end(struct store *store, uint32_t id)
{
	struct domain *domain = store_find_domain(store, id);

	if (!domain)
		return;
	(void) store_seal_log(store, domain);
	domain->ended = true;
	store_forget_if_empty(store, domain);
}

bool store_has_domain(const struct store *store, uint32_t id)
{
	const struct domain *domain = store_find_domain(store, id);

	return domain && (domain->n_logs || domain->n_snapshots);
}

uint64_t store_log_end(const struct store *store, uint32_t id)
{
	const struct domain *domain = store_find_domain(store, id);

	uint64_t end = domain && domain->n_logs ? domain->logs[domain->n_logs - 1].end_event : 0;

	/* What was logged before the first snapshot has no file. */
	if (domain && domain->n_snapshots && domain->snapshots[domain->n_snapshots - 1].event > end)
		end = domain->snapshots[domain->n_snapshots - 1].event;
	return end;
}

static void discard_live(struct store *store, struct chunk_writer *writer, const char *path)
{
	struct blob *blob = writer->blob;

	blob_hold(store, blob, OWNER_LIVE);
	chunk_writer_abort(writer);
	store_discard(store, store->live_fd, path, blob, OWNER_LIVE);
}

int store_create_live(struct store *store, struct domain *domain, const char *prefix,
		      uint64_t event, struct chunk_writer **ret_writer)
{
	char name[NAME_DOMAIN_SIZE], path[NAME_PATH_SIZE];
	bool is_new;
	int r;

	/* Two names at most: the file's, and that of the domain's directory. */
	r = store_make_room(store, TREE_BLOCK + 2 * TREE_DIR_GROWTH, store_live_limit(store));
	if (r)
		return r;
	(void) name_domain(name, domain->id);
	is_new = mkdirat(store->live_fd, name, 0700) == 0;
	if (!is_new && errno != EEXIST)
		return store_disk_error(store, -errno);
	store_charge_dir_at(store, store->dir_fd, NAME_LIVE, &store->live_dir_bytes);
	r = chunk_writer_new(store, store->live_fd, name_path(path, domain->id, prefix, event),
			     domain->id, OWNER_LIVE, ret_writer);
	store_charge_dir_at(store, store->live_fd, name, &domain->dir_bytes);
	if (r)
		return r == -EEXIST ? r : store_disk_error(store, r);
	sync_note_dir(store, store->live_fd, name);
	if (is_new)
		sync_note_dir(store, store->dir_fd, NAME_LIVE);
	/* A snapshot says it for its pages. */
	if (!domain->about || strcmp(prefix, NAME_PAGES) == 0)
		return 0;
	r = about_write(store, *ret_writer, domain->about);
	if (r)
		discard_live(store, MOVE(*ret_writer), path);
	return r;
}

/* Logs. */

/*
 * Files are evicted whole, and are on their way to the disk only when they are
 * whole, so that a log without snapshots is cut now and then too.
 */
static uint64_t log_max_len(const struct store *store)
{
	uint64_t len = store->limits.max_bytes / 64;

	return len < (64 << 10) ? 64 << 10 : len > (4 << 20) ? 4 << 20 : len;
}

static void note_time(struct store *store, uint64_t mono_ns)
{
	if (mono_ns > store->now_ns)
		store->now_ns = mono_ns;
}

static int open_log(struct store *store, struct domain *domain, const struct log_run *run)
{
	struct live_log *grown;
	int r;

	grown = array_grow(domain->logs, domain->n_logs, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	domain->logs = grown;
	r = store_create_live(store, domain, NAME_LOG, run->first_event, &domain->writer);
	if (r)
		return r < 0 ? store_disk_error(store, r) : r;
	domain->logs[domain->n_logs++] = (struct live_log){
		.first_event = run->first_event,
		.end_event = run->first_event,
		.first_ns = run->first_ns,
		.blob = domain->writer->blob,
	};
	blob_hold(store, domain->writer->blob, OWNER_LIVE);
	return 0;
}

int store_seal_log(struct store *store, struct domain *domain)
{
	const struct live_log *log;
	char path[NAME_PATH_SIZE];
	int r;

	if (!domain->writer)
		return 0;
	r = chunk_writer_close(MOVE(domain->writer));
	if (r)
		domain->gap = true;

	log = &domain->logs[domain->n_logs - 1];
	if (log->blob->bytes == 0 || log->end_event == log->first_event) {	/* nothing came of it */
		(void) name_path(path, domain->id, NAME_LOG, log->first_event);
		store_discard(store, store->live_fd, path, log->blob, OWNER_LIVE);
		domain->n_logs--;
	}
	return r;
}

static int append(struct store *store, struct domain *domain, const struct log_run *run)
{
	struct chunk_info info = {
		.kind = CHUNK_LOG,
		.first_event = run->first_event,
		.n_events = run->n_events,
		.first_ns = run->first_ns,
		.last_ns = run->last_ns,
		.ends = run->ends,
		.n_ends = run->n_ends,
	};
	int r = 0;

	if (domain->writer && domain->writer->len >= log_max_len(store))
		r = store_seal_log(store, domain);
	if (r == 0 && !domain->writer)
		r = open_log(store, domain, run);
	if (r == 0)
		r = chunk_writer_add(domain->writer, store_live_limit(store), &info, run->data,
				     run->len);
	if (r)
		return r;
	domain->next_event = run->first_event + run->n_events;
	if (run->last_ns > domain->last_ns)
		domain->last_ns = run->last_ns;
	domain->started = true;
	domain->logs[domain->n_logs - 1].end_event = domain->next_event;
	return 0;
}

static bool is_sane(const struct log_run *run)
{
	return run->n_events > 0 && run->first_event < UINT64_MAX - run->n_events &&
	       run->first_ns <= run->last_ns && run->len <= CHUNK_MAX_RAW;
}

int store_log_append(struct store *store, uint32_t domain_id, const struct log_run *run)
{
	struct domain *domain;
	int r;

	if (!is_sane(run))
		return -EINVAL;
	r = store_get_domain(store, domain_id, &domain);
	if (r < 0)
		return r;
	if (domain->gap)
		return STORE_NO_ROOM;
	if (domain->ended || (domain->started && run->first_event != domain->next_event))
		return -EINVAL;

	note_time(store, run->last_ns);
	r = append(store, domain, run);
	if (r == 0)
		(void) store_trim_domain(store, domain);
	if (r > 0) {
		domain->gap = true;
		(void) store_seal_log(store, domain);
	}
	return r;
}

int store_log_cut(struct store *store, uint32_t domain_id)
{
	struct domain *domain = store_find_domain(store, domain_id);

	return domain ? store_seal_log(store, domain) : 0;
}

int store_log_restart(struct store *store, uint32_t domain_id)
{
	struct domain *domain = store_find_domain(store, domain_id);
	int r;

	if (!domain)
		return 0;
	domain->gap = true;	/* if the disk won't let go of the old files, it stays */
	(void) store_seal_log(store, domain);
	r = store_drop_before(store, domain, UINT64_MAX);
	if (r)
		return r;
	domain->generation++;
	domain->started = false;
	domain->gap = false;
	return 0;
}

void store_trim(struct store *store, uint64_t mono_ns)
{
	note_time(store, mono_ns);
	(void) store_trim_all(store);
}

int store_flush(struct store *store)
{
	int r = io_flush(store->io);

	if (r < 0)
		(void) store_disk_error(store, r);
	return r;
}
