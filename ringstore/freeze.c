/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Incidents in the making.
 *
 * A freeze only adds links, so that it is quick and takes next to no room. What it
 * links counts against the share of incidents from then on. If the window is more
 * than the share, the incident gets the newest part of it: some of the way to a
 * crash is better than nothing. It leaves room in the share for the mapped files;
 * and the first incident, which no later one may push out, leaves half of it to
 * those that come, where it can.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/hash.h"
#include "ringstore/incident-internal.h"
#include "ringstore/manifest.h"
#include "ringstore/store-internal.h"
#include "ringstore/tree.h"

/* Mapped files are compressed in pieces of this size. */
enum { FILE_RUN = 1 << 20 };

#define PATH_NEW_FILE NAME_FILES "/" NAME_NEW_FILE

struct final {			/* the final chunks of a domain */
	uint32_t domain;
	struct chunk_writer *writer;	/* NULL: lost for want of room */
	struct blob *blob;
};

struct freeze {
	struct store *store;
	struct pinned *pinned;
	int dir_fd;
	uint64_t dir_bytes, files_bytes;	/* of pinned->dir_bytes: itself, and files/ */
	struct final *finals;
	size_t n_finals;
	struct blob *manifest;	/* its place in the account; NULL: none yet */
	bool is_published;	/* there is one */
};

/* Choosing what is pinned. */

static uint64_t count_once(struct store *store, struct blob *blob)
{
	if (blob->mark == store->mark)
		return 0;
	blob->mark = store->mark;
	return blob->bytes;
}

static uint64_t count_window(struct store *store, const struct domain *domain)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < domain->n_snapshots; i++)
		if (domain->snapshots[i].event >= domain->freeze_from)
			bytes += count_once(store, domain->snapshots[i].blob);
	for (size_t i = 0; i < domain->n_page_slots; i++)
		if (page_file_is_in(domain->page_files[i], domain->freeze_from))
			bytes += count_once(store, domain->page_files[i]->blob);
	for (size_t i = 0; i < domain->n_logs; i++)
		if (domain->logs[i].end_event > domain->freeze_from)
			bytes += count_once(store, domain->logs[i].blob);
	return bytes;
}

/* Incidents, but for the @n_pushed oldest that may be pushed out. */
static uint64_t count_incidents(struct store *store, size_t n_pushed, uint64_t *ret_mapped)
{
	uint64_t bytes = 0, mapped = 0;

	store->mark++;
	for (size_t i = 0; i < store->n_incidents; i++) {
		const struct pinned *pinned = store->incidents[i];

		if (n_pushed > 0 && store_may_push_out(store, i)) {
			n_pushed--;
			continue;
		}
		bytes += pinned->dir_bytes;
		for (size_t j = 0; j < pinned->n_blobs; j++) {
			uint64_t more = count_once(store, pinned->blobs[j]);

			bytes += more;
			mapped += pinned->blobs[j]->is_mapped ? more : 0;
		}
	}
	*ret_mapped = mapped;
	return bytes;
}

/* Those that the first incident brings: compressed, they are about half. */
static uint64_t expected(const struct store *store)
{
	return store->bytes_mapped ? 0 : store->expected_mapped / 2;
}

/* What counts against the share if those went and we came, with @mapped more of mapped files. */
static uint64_t count_pinned(struct store *store, size_t n_pushed, uint64_t mapped)
{
	uint64_t shared, bytes = count_incidents(store, n_pushed, &shared) + mapped;

	for (size_t i = 0; i < store->n_domains; i++)
		bytes += count_window(store, store->domains[i]);
	return store_freeze_need(store) + store_counted(store, bytes, shared + mapped);
}

static void note_no_room(struct store *store, size_t n_pushed)
{
	uint64_t mapped, incidents = count_incidents(store, n_pushed, &mapped);
	struct store_no_room *no_room = &store->no_room;

	no_room->share = store_share(store);
	no_room->incidents = incidents - mapped;
	no_room->mapped = store_counted(store, incidents, mapped) - no_room->incidents;
	no_room->least = count_pinned(store, n_pushed, 0) - no_room->incidents - no_room->mapped;
}

void store_get_no_room(const struct store *store, struct store_no_room *ret_no_room)
{
	*ret_no_room = store->no_room;
}

void store_expect_files(struct store *store, uint64_t bytes)
{
	store->expected_mapped = bytes;
}

/* Leaves out of the incident what would be evicted next. False: the rest is needed. */
static bool shorten(struct store *store)
{
	uint64_t event;
	struct domain *domain = store_oldest_cut(store, VIEW_FREEZE, &event);

	if (domain)
		domain->freeze_from = event;
	return domain;
}

static size_t count_pushable(const struct store *store)
{
	size_t n = 0;

	for (size_t i = 0; i < store->n_incidents; i++)
		n += store_may_push_out(store, i);
	return n;
}

/* Sets what the incident takes of each domain, and pushes out others for it. */
static int choose(struct store *store)
{
	uint64_t share = store_share(store), mapped = expected(store);
	uint64_t files = store_counted(store, mapped, mapped);
	uint64_t aim = store->n_incidents ? share - share / 8 : (share + (files < share ? files : share)) / 2;
	size_t n_pushable = count_pushable(store), n_pushed = 0;
	int r = 0;

	for (size_t i = 0; i < store->n_domains; i++)
		store->domains[i]->freeze_from = 0;
	while (n_pushed < n_pushable && count_pinned(store, n_pushed, mapped) > aim)
		n_pushed++;
	while (count_pinned(store, n_pushed, mapped) > aim && shorten(store))
		;
	/* Of what an earlier writer left, some domains are better than none; with files or without. */
	for (size_t i = 0; i < store->n_domains && count_pinned(store, n_pushed, 0) > share; i++)
		store->domains[i]->is_left = false;
	while (count_pinned(store, n_pushed, 0) > share && shorten(store))
		;
	if (count_pinned(store, n_pushed, 0) > share) {
		note_no_room(store, n_pushed);
		return STORE_NO_ROOM;
	}

	for (size_t i = 0; r == 0 && n_pushed > 0;) {
		if (!store_may_push_out(store, i)) {
			i++;
			continue;
		}
		r = store_remove_incident(store, store->incidents[i]);
		n_pushed--;
	}
	return r;
}

/* Linking. */

/* Replaces *@part, a part of the incident's directories, by what @name takes or @least. */
static void charge_dir(struct freeze *freeze, const char *name, uint64_t least, uint64_t *part)
{
	struct pinned *pinned = freeze->pinned;
	uint64_t bytes = least;
	struct stat st;

	if (fstatat(freeze->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    tree_dir_bytes(&st) > bytes)
		bytes = tree_dir_bytes(&st);
	store_charge_dir(freeze->store, &pinned->dir_bytes, pinned->dir_bytes + bytes - *part,
			 pinned->owner);
	*part = bytes;
}

static int link_live(struct freeze *freeze, const struct domain *domain, const char *prefix,
		     uint64_t event, struct blob *blob)
{
	char path[NAME_PATH_SIZE];
	int r;

	(void) name_path(path, domain->id, prefix, event);
	if (linkat(freeze->store->live_fd, path, freeze->dir_fd, path, 0) < 0) {
		r = store_disk_error(freeze->store, -errno);
		/* Someone has removed it below us: the rest is worth having all the more. */
		return errno == ENOENT ? 0 : r;
	}
	r = pinned_add(freeze->store, freeze->pinned, blob);
	if (r < 0)
		(void) unlinkat(freeze->dir_fd, path, 0);
	return r;
}

static bool has_window(const struct domain *domain)
{
	return (domain->n_logs &&
		domain->logs[domain->n_logs - 1].end_event > domain->freeze_from) ||
	       (domain->n_snapshots &&
		domain->snapshots[domain->n_snapshots - 1].event >= domain->freeze_from);
}

static int link_domain(struct freeze *freeze, const struct domain *domain)
{
	char name[NAME_DOMAIN_SIZE];
	uint64_t bytes = 0;
	int r = 0;

	if (!has_window(domain))
		return 0;
	if (mkdirat(freeze->dir_fd, name_domain(name, domain->id), 0700) < 0)
		return store_disk_error(freeze->store, -errno);
	for (size_t i = 0; r == 0 && i < domain->n_page_slots; i++)
		if (page_file_is_in(domain->page_files[i], domain->freeze_from))
			r = link_live(freeze, domain, NAME_PAGES, domain->page_files[i]->number,
				      domain->page_files[i]->blob);
	for (size_t i = 0; r == 0 && i < domain->n_snapshots; i++)
		if (domain->snapshots[i].event >= domain->freeze_from)
			r = link_live(freeze, domain, NAME_SNAPSHOT, domain->snapshots[i].event,
				      domain->snapshots[i].blob);
	for (size_t i = 0; r == 0 && i < domain->n_logs; i++)
		if (domain->logs[i].end_event > domain->freeze_from)
			r = link_live(freeze, domain, NAME_LOG, domain->logs[i].first_event,
				      domain->logs[i].blob);
	charge_dir(freeze, name, domain_frozen_dir_bytes(domain), &bytes);
	return r;
}

static int freeze_new(struct store *store, const char *id, struct freeze **ret_freeze)
{
	struct freeze *freeze = calloc(1, sizeof(*freeze));
	int r = -ENOMEM;

	if (!freeze)
		return -ENOMEM;
	freeze->store = store;
	freeze->dir_fd = -1;
	if (pinned_new(id, &freeze->pinned) == 0)
		r = store_add_incident(store, freeze->pinned);
	if (r < 0) {
		(void) pinned_free(store, freeze->pinned);
		free(freeze);
		return r;
	}
	*ret_freeze = freeze;
	return 0;
}

static int make_directory(struct freeze *freeze)
{
	struct store *store = freeze->store;
	int r;

	if (mkdirat(store->incidents_fd, freeze->pinned->id, 0700) < 0)
		return store_disk_error(store, -errno);
	store_charge_dir_at(store, store->dir_fd, NAME_INCIDENTS, &store->incidents_dir_bytes);
	r = tree_open_dir(store->incidents_fd, freeze->pinned->id, &freeze->dir_fd);
	if (r < 0) {
		(void) unlinkat(store->incidents_fd, freeze->pinned->id, AT_REMOVEDIR);
		return store_disk_error(store, r);
	}
	charge_dir(freeze, ".", tree_dir_bytes_for(store->n_domains + 2), &freeze->dir_bytes);
	return 0;
}

static void freeze_abortp(struct freeze **freeze)
{
	(void) freeze_abort(*freeze);
}

int store_freeze_begin(struct store *store, const char *id, struct freeze **ret_freeze)
{
	autoclean(freeze_abortp) struct freeze *freeze = NULL;
	int r;

	if (!name_is_incident_id(id))
		return -EINVAL;
	store->no_room = (struct store_no_room){ 0 };
	store_refresh_incidents(store);
	if (faccessat(store->incidents_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	/* A log whose last writes failed is frozen as far as it goes. */
	for (size_t i = 0; i < store->n_domains; i++)
		(void) store_seal_log(store, store->domains[i]);
	r = choose(store);
	if (r == 0)
		r = store_make_room(store, store_freeze_need(store), store->limits.max_bytes);
	if (r == 0)
		r = freeze_new(store, id, &freeze);
	if (r == 0)
		r = make_directory(freeze);
	for (size_t i = 0; r == 0 && i < store->n_domains; i++)
		r = link_domain(freeze, store->domains[i]);
	if (r)
		return r;
	*ret_freeze = MOVE(freeze);
	return 0;
}

/* Final chunks. */

/*
 * Adds a chunk to a file that only this incident has. Older incidents make way if it
 * would go over their share.
 */
static int add_chunk(struct freeze *freeze, struct chunk_writer *writer, unsigned kind,
		     const void *data, size_t len)
{
	uint64_t most = tree_file_bytes(writer->len + chunk_max_stored(len)) - writer->blob->bytes;
	struct chunk_info info = { .kind = kind };
	struct store *store = freeze->store;
	int r;

	r = store_make_share(store, most, kind == CHUNK_FILE);
	return r ? r : chunk_writer_add(writer, store_freeze_limit(store), &info, data, len);
}

/* Makes the file @path, held by the caller too. */
static int create_file(struct freeze *freeze, const char *path, uint32_t domain,
		       struct chunk_writer **ret_writer)
{
	struct store *store = freeze->store;
	int r;

	r = store_make_room(store, TREE_BLOCK + TREE_DIR_GROWTH, store_freeze_limit(store));
	if (r)
		return r;
	r = chunk_writer_new(store, freeze->dir_fd, path, domain, OWNER_INCIDENT, ret_writer);
	if (r < 0)
		return store_disk_error(store, r);
	blob_hold(store, (*ret_writer)->blob, OWNER_INCIDENT);
	return 0;
}

static int make_subdirectory(struct freeze *freeze, const char *name, uint64_t *part)
{
	struct store *store = freeze->store;
	int r;

	if (faccessat(freeze->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	r = store_make_room(store, TREE_BLOCK + TREE_DIR_GROWTH, store_freeze_limit(store));
	if (r)
		return r;
	if (mkdirat(freeze->dir_fd, name, 0700) < 0)
		return store_disk_error(store, -errno);
	charge_dir(freeze, name, 0, part);
	charge_dir(freeze, ".", 0, &freeze->dir_bytes);
	return 0;
}

/* The final file without its end would look whole to nobody: it goes. */
static void drop_final(struct freeze *freeze, struct final *final)
{
	char path[NAME_PATH_SIZE];

	if (final->writer)
		chunk_writer_abort(MOVE(final->writer));
	if (final->blob)
		store_discard(freeze->store, freeze->dir_fd, name_final_path(path, final->domain),
			      MOVE(final->blob), OWNER_INCIDENT);
}

static int new_final(struct freeze *freeze, uint32_t domain, struct final **ret_final)
{
	char name[NAME_DOMAIN_SIZE], path[NAME_PATH_SIZE];
	struct final *grown, *final;
	uint64_t bytes = 0;
	int r;

	grown = array_grow(freeze->finals, freeze->n_finals, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	freeze->finals = grown;
	final = &grown[freeze->n_finals++];
	*final = (struct final){ .domain = domain };
	*ret_final = final;
	r = make_subdirectory(freeze, name_domain(name, domain), &bytes);
	if (r)
		return r;
	r = create_file(freeze, name_final_path(path, domain), domain, &final->writer);
	if (r == 0)
		final->blob = final->writer->blob;
	return r;
}

int freeze_add_final(struct freeze *freeze, uint32_t domain, const void *data, size_t len)
{
	struct final *final = NULL;
	int r = 0;

	if (len == 0 || len > CHUNK_MAX_RAW)
		return -EINVAL;
	for (size_t i = 0; i < freeze->n_finals && !final; i++)
		if (freeze->finals[i].domain == domain)
			final = &freeze->finals[i];
	if (!final)
		r = new_final(freeze, domain, &final);
	if (r == 0 && !final->writer)
		return STORE_NO_ROOM;	/* an earlier part was lost */
	if (r == 0)
		r = add_chunk(freeze, final->writer, CHUNK_FINAL, data, len);
	if (r && final)
		drop_final(freeze, final);
	return r;
}

static int end_final(struct freeze *freeze, struct final *final)
{
	int r;

	if (!final->writer)
		return 0;
	r = add_chunk(freeze, final->writer, CHUNK_FINAL, NULL, 0);
	if (r == 0)
		r = chunk_writer_close(MOVE(final->writer));
	if (r == 0)
		r = pinned_add(freeze->store, freeze->pinned, final->blob);
	if (r == 0)
		final->blob = blob_release(freeze->store, final->blob, OWNER_INCIDENT);
	else
		drop_final(freeze, final);
	return r < 0 ? r : 0;	/* without its finals the incident is still good */
}

/* Mapped files. */

/* A run in a hole needn't be read, which would give each of its pages memory. */
static bool is_in_hole(int fd, uint64_t offset)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);
	struct stat st;

	if (data < 0 && errno == ENXIO && fstat(fd, &st) == 0)
		data = st.st_size;
	return data >= 0 && (uint64_t)data >= offset + FILE_RUN;
}

/*
 * Reads @fd from its begin to its end, into @writer if there is one, and hashes it.
 * STORE_NO_ROOM: the file is too large for us.
 */
static int read_content(struct freeze *freeze, int fd, struct chunk_writer *writer,
			char hash[static NAME_HASH_SIZE])
{
	autoclean(content_hash_freep) struct content_hash *state = content_hash_new();
	autoclean(freep) void *buffer = malloc(FILE_RUN);
	uint64_t data = 0;

	if (!state || !buffer)
		return -ENOMEM;
	for (uint64_t offset = 0;; offset += FILE_RUN) {
		ssize_t n = FILE_RUN;
		int r = 0;

		if (is_in_hole(fd, offset)) {
			memset(buffer, 0, FILE_RUN);
		} else {
			n = tree_pread(fd, buffer, FILE_RUN, offset);
			if (n < 0)
				return (int)n;
			data += (size_t)n;
		}
		if (data > INCIDENT_FILE_MAX || offset + (size_t)n > INCIDENT_FILE_MAX_WITH_HOLES)
			return STORE_NO_ROOM;
		content_hash_add(state, buffer, (size_t)n);
		if (writer && n > 0)
			r = add_chunk(freeze, writer, CHUNK_FILE, buffer, (size_t)n);
		if (r)
			return r;
		if (n < FILE_RUN)
			break;
	}
	content_hash_format(state, hash);
	return 0;
}

static bool has_file(const struct freeze *freeze, const char *path)
{
	return faccessat(freeze->dir_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The blob that has just been linked from @pinned; new to us if another process put it there. */
static struct blob *find_blob(struct freeze *freeze, const struct pinned *pinned, const char *path)
{
	struct blob *blob;
	struct stat st;

	if (fstatat(freeze->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	for (size_t i = 0; i < pinned->n_blobs; i++)
		if (pinned->blobs[i]->ino == st.st_ino)
			return pinned->blobs[i];
	blob = blob_new(st.st_ino);
	if (blob) {
		blob_set_mapped(freeze->store, blob);
		blob_resize(freeze->store, blob, tree_file_bytes((uint64_t)st.st_size));
	}
	return blob;
}

/* Links files/HASH from an incident that has it. STORE_NO_ROOM: none has. */
static int link_file(struct freeze *freeze, const char *path)
{
	struct store *store = freeze->store;

	for (size_t i = 0; i < store->n_incidents; i++) {
		const struct pinned *pinned = store->incidents[i];
		autoclean(closep) int fd = -1;
		struct blob *blob;
		int r = -ENOMEM;

		if (!pinned->whole || tree_open_dir(store->incidents_fd, pinned->id, &fd) < 0 ||
		    linkat(fd, path, freeze->dir_fd, path, 0) < 0)
			continue;
		blob = find_blob(freeze, pinned, path);
		if (blob) {
			blob_hold(store, blob, OWNER_INCIDENT);
			r = pinned_add(store, freeze->pinned, blob);
			(void) blob_release(store, blob, OWNER_INCIDENT);
		}
		if (r < 0)
			(void) unlinkat(freeze->dir_fd, path, 0);
		return r;
	}
	return STORE_NO_ROOM;
}

/* Writes the content under a temporary name: its hash is known for sure only then. */
static int copy_file(struct freeze *freeze, int fd, char hash[static NAME_HASH_SIZE])
{
	struct store *store = freeze->store;
	struct chunk_writer *writer;
	char path[NAME_PATH_SIZE];
	struct blob *blob;
	int r;

	r = create_file(freeze, PATH_NEW_FILE, 0, &writer);
	if (r)
		return r;
	blob = writer->blob;
	blob_set_mapped(store, blob);
	r = read_content(freeze, fd, writer, hash);
	if (r)
		chunk_writer_abort(writer);
	else
		r = chunk_writer_close(writer);
	if (r == 0)
		r = pinned_add(store, freeze->pinned, blob);
	if (r == 0 && renameat(freeze->dir_fd, PATH_NEW_FILE, freeze->dir_fd,
			       name_file_path(path, hash)) < 0)
		r = store_disk_error(store, -errno);
	if (r)
		store_discard(store, freeze->dir_fd, PATH_NEW_FILE, blob, OWNER_INCIDENT);
	else
		(void) blob_release(store, blob, OWNER_INCIDENT);
	return r;
}

int freeze_add_file(struct freeze *freeze, int fd, char ret_hash[static 33])
{
	char hash[NAME_HASH_SIZE], path[NAME_PATH_SIZE];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = read_content(freeze, fd, NULL, hash);
	if (r == 0)
		r = make_subdirectory(freeze, NAME_FILES, &freeze->files_bytes);
	if (r)
		return r;
	if (!has_file(freeze, name_file_path(path, hash))) {
		r = link_file(freeze, path);
		if (r > 0)
			r = copy_file(freeze, fd, hash);
		charge_dir(freeze, NAME_FILES, 0, &freeze->files_bytes);
		if (r)
			return r;
	}
	memcpy(ret_hash, hash, sizeof(hash));
	return 0;
}

int freeze_dir(const struct freeze *freeze)
{
	return freeze->dir_fd;
}

/* The end. */

/* Later than all others, whatever the clock says: the order of incidents is kept in it. */
static struct timespec manifest_time(const struct store *store)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < store->n_incidents; i++) {
		const struct timespec *time = &store->incidents[i]->time;

		if (!store->incidents[i]->whole || time->tv_sec < now.tv_sec ||
		    (time->tv_sec == now.tv_sec && time->tv_nsec < now.tv_nsec))
			continue;
		now = *time;
		if (++now.tv_nsec == 1000000000) {
			now.tv_nsec = 0;
			now.tv_sec++;
		}
	}
	return now;
}

/* The place of the manifest in the account; of one that takes another's place, for both. */
static int charge_manifest(struct freeze *freeze, size_t len)
{
	struct store *store = freeze->store;
	struct blob *blob = freeze->manifest;
	uint64_t bytes = tree_file_bytes(len);
	int r;

	r = store_make_room(store, bytes + TREE_DIR_GROWTH, store->limits.max_bytes);
	if (r)
		return r;
	if (blob) {
		blob_resize(store, blob, blob->bytes + bytes);
		return 0;
	}
	blob = blob_new(0);	/* nobody links to it: it needs no number */
	if (!blob)
		return -ENOMEM;
	blob_resize(store, blob, bytes);
	blob_hold(store, blob, OWNER_INCIDENT);
	r = pinned_add(store, freeze->pinned, blob);
	(void) blob_release(store, blob, OWNER_INCIDENT);
	if (r == 0)
		freeze->manifest = blob;
	return r;
}

static int write_manifest(struct freeze *freeze, const char *text)
{
	struct store *store = freeze->store;
	autoclean(freep) char *sealed = NULL;
	int r;

	r = manifest_seal(text, &sealed);
	if (r < 0)
		return r;
	r = charge_manifest(freeze, strlen(sealed));
	if (r)
		return r;
	freeze->pinned->time = manifest_time(store);
	r = manifest_write(freeze->dir_fd, sealed, &freeze->pinned->time);
	if (r == 0 && (fsync(store->incidents_fd) < 0 || fsync(store->dir_fd) < 0))
		r = -errno;
	if (r < 0)
		return store_disk_error(store, r);
	blob_resize(store, freeze->manifest, tree_file_bytes(strlen(sealed)));
	freeze->is_published = true;
	return 0;
}

int freeze_publish(struct freeze *freeze, const char *manifest)
{
	return manifest_check(manifest, strlen(manifest)) < 0 ? -EINVAL : write_manifest(freeze, manifest);
}

/* The newest stands last, whichever freeze was begun first. */
static void move_to_end(struct store *store, struct pinned *pinned)
{
	size_t i = 0;

	while (store->incidents[i] != pinned)
		i++;
	array_remove(store->incidents, &store->n_incidents, sizeof(struct pinned *), i);
	store->incidents[store->n_incidents++] = pinned;
}

static void freeze_free(struct freeze *freeze)
{
	if (freeze->dir_fd >= 0)
		(void) close(freeze->dir_fd);
	free(freeze->finals);
	free(freeze);
}

int freeze_commit(struct freeze *freeze, const char *manifest)
{
	struct store *store = freeze->store;
	int r = 0;

	if (manifest_check(manifest, strlen(manifest)) < 0)
		r = -EINVAL;
	for (size_t i = 0; r == 0 && i < freeze->n_finals; i++)
		r = end_final(freeze, &freeze->finals[i]);
	if (r == 0) {
		/*
		 * A disk that can't be trusted is no reason to throw away what it may
		 * have kept: readers check every chunk.
		 */
		int synced = tree_sync(freeze->dir_fd);

		if (synced < 0)
			(void) store_disk_error(store, synced);
		/* All else is on disk: only now may the incident have its manifest. */
		r = write_manifest(freeze, manifest);
	}
	if (r && !freeze->is_published) {
		(void) freeze_abort(freeze);
		return r;
	}
	freeze->pinned->whole = true;
	move_to_end(store, freeze->pinned);
	freeze_free(freeze);
	return r;
}

struct freeze *freeze_abort(struct freeze *freeze)
{
	struct store *store;
	int r;

	if (!freeze)
		return NULL;
	store = freeze->store;
	for (size_t i = 0; i < freeze->n_finals; i++)
		drop_final(freeze, &freeze->finals[i]);
	/* What can't be removed stays in the account, and goes when the store is next opened. */
	r = incident_remove_at(store->incidents_fd, freeze->pinned->id);
	if (r < 0 && r != -ENOENT)
		(void) store_disk_error(store, r);
	else
		store_forget_incident(store, freeze->pinned);
	freeze_free(freeze);
	return NULL;
}
