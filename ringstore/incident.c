/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/incident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/hash.h"
#include "ringstore/incident-internal.h"
#include "ringstore/manifest.h"
#include "ringstore/names.h"

/* Opening. */

static int read_manifest(int dir_fd, char **ret_manifest)
{
	autoclean(freep) char *text = NULL;
	autoclean(closep) int fd = -1;
	uint64_t len;
	ssize_t n;
	int r;

	r = tree_open_file(dir_fd, NAME_MANIFEST, &fd, &len);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	if (len > MANIFEST_MAX)
		return -EBADMSG;
	text = malloc(len + 1);
	if (!text)
		return -ENOMEM;
	n = tree_pread(fd, text, len, 0);
	if (n < 0)
		return (int)n;
	if ((uint64_t)n != len)
		return -EBADMSG;
	text[len] = '\0';
	r = manifest_unseal(text, &len);
	if (r == 0)
		r = manifest_check(text, len);
	if (r < 0)
		return r;
	*ret_manifest = MOVE(text);
	return 0;
}

int incident_open_as(const char *path, const char *id, struct incident **ret_incident)
{
	autoclean(incident_closep) struct incident *incident = calloc(1, sizeof(*incident));
	int r;

	if (!incident)
		return -ENOMEM;
	incident->dir_fd = -1;
	r = tree_open_dir(AT_FDCWD, path, &incident->dir_fd);
	if (r < 0)
		return r == -ENOTDIR || r == -ELOOP ? -EBADMSG : r;
	incident->path = strdup(path);
	incident->id = strdup(id);
	if (!incident->path || !incident->id)
		return -ENOMEM;
	r = read_manifest(incident->dir_fd, &incident->manifest);
	if (r == 0)
		r = tree_bytes(incident->dir_fd, &incident->bytes);
	if (r < 0)
		return r;
	*ret_incident = MOVE(incident);
	return 0;
}

int incident_open(const char *path, struct incident **ret_incident)
{
	/* The name that it has, however it was reached: "." is one too. */
	autoclean(freep) char *real = realpath(path, NULL);

	if (!real)
		return -errno;
	return incident_open_as(path, strrchr(real, '/') + 1, ret_incident);
}

struct incident *incident_close(struct incident *incident)
{
	if (!incident)
		return NULL;
	if (incident->dir_fd >= 0)
		(void) close(incident->dir_fd);
	if (incident->temporary)
		(void) tree_remove(AT_FDCWD, incident->path);
	free(incident->path);
	free(incident->id);
	free(incident->manifest);
	free(incident);
	return NULL;
}

const char *incident_manifest(const struct incident *incident)
{
	return incident->manifest;
}

const char *incident_path(const struct incident *incident)
{
	return incident->path;
}

const char *incident_id(const struct incident *incident)
{
	return incident->id;
}

uint64_t incident_bytes(const struct incident *incident)
{
	return incident->bytes;
}

/* What is in it. */

static int compare_domains(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int domains_in(int dir_fd, uint32_t **ret_domains, size_t *ret_n)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	uint32_t *domains;
	size_t n = 0;
	int r;

	r = tree_names(dir_fd, &names);
	if (r < 0)
		return r;
	domains = calloc(names.n + 1, sizeof(*domains));
	if (!domains)
		return -ENOMEM;
	for (size_t i = 0; i < names.n; i++)
		n += name_to_domain(names.names[i], &domains[n]);
	qsort(domains, n, sizeof(*domains), compare_domains);	/* "10" stood before "9" */
	*ret_domains = domains;
	*ret_n = n;
	return 0;
}

int incident_domains(struct incident *incident, uint32_t **ret_domains, size_t *ret_n)
{
	return domains_in(incident->dir_fd, ret_domains, ret_n);
}

static int open_domain(const struct incident *incident, uint32_t domain, int *ret_fd)
{
	char name[NAME_DOMAIN_SIZE];

	return tree_open_dir(incident->dir_fd, name_domain(name, domain), ret_fd);
}

/* The events of the files with that @prefix, ascending as their names are. */
static int list_events(int dir_fd, const char *prefix, uint64_t **ret_events, size_t *ret_n)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	uint64_t *events;
	size_t n = 0;
	int r;

	r = tree_names(dir_fd, &names);
	if (r < 0)
		return r;
	events = calloc(names.n + 1, sizeof(*events));
	if (!events)
		return -ENOMEM;
	for (size_t i = 0; i < names.n; i++)
		n += name_to_event(names.names[i], prefix, &events[n]);
	*ret_events = events;
	*ret_n = n;
	return 0;
}

/* 1 if the domain in @dir_fd has a whole snapshot at @event, 0 if not. */
static int has_snapshot(int dir_fd, uint32_t domain, uint64_t event)
{
	autoclean(closep) int fd = -1;
	char name[NAME_EVENT_SIZE];
	uint64_t len;
	int r;

	r = tree_open_file(dir_fd, name_event(name, NAME_SNAPSHOT, event), &fd, &len);
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	return snapshot_is_whole(fd, len, dir_fd, domain, event);
}

int incident_snapshots(struct incident *incident, uint32_t domain, uint64_t **ret_events,
		       size_t *ret_n)
{
	autoclean(freep) uint64_t *events = NULL;
	autoclean(closep) int fd = -1;
	size_t n = 0, n_whole = 0;
	int r;

	r = open_domain(incident, domain, &fd);
	if (r == 0)
		r = list_events(fd, NAME_SNAPSHOT, &events, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		r = has_snapshot(fd, domain, events[i]);
		if (r < 0)
			return r;
		if (r)
			events[n_whole++] = events[i];
	}
	*ret_events = MOVE(events);
	*ret_n = n_whole;
	return 0;
}

int incident_read_log(struct incident *incident, uint32_t domain, uint64_t event,
		      struct chunk_reader **ret_reader)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	autoclean(freep) uint64_t *events = NULL;
	autoclean(closep) int fd = -1;
	size_t n = 0, first = 0;
	int r;

	r = open_domain(incident, domain, &fd);
	if (r == 0)
		r = list_events(fd, NAME_LOG, &events, &n);
	if (r < 0)
		return r;
	while (first < n && events[first] <= event)
		first++;
	if (first-- == 0)
		return -ENOENT;
	memmove(events, events + first, (n - first) * sizeof(*events));
	r = chunk_reader_new_log(MOVE_FD(fd), domain, MOVE(events), n - first, &reader);
	if (r < 0)
		return r;
	r = chunk_reader_seek(reader, event);
	if (r == INCIDENT_END)
		return -ENOENT;
	if (r < 0)
		return r;
	*ret_reader = MOVE(reader);	/* damage in front of @event: the reader will say so */
	return 0;
}

static int read_file(struct incident *incident, uint32_t domain, enum stream stream,
		     const char *name, uint64_t event, struct chunk_reader **ret_reader)
{
	autoclean(closep) int dir_fd = -1;
	uint64_t len;
	int fd, r;

	r = open_domain(incident, domain, &dir_fd);
	if (r == 0)
		r = tree_open_file(dir_fd, name, &fd, &len);
	return r < 0 ? r : chunk_reader_new(stream, fd, MOVE_FD(dir_fd), domain, event, ret_reader);
}

int incident_read_snapshot(struct incident *incident, uint32_t domain, uint64_t event,
			   struct chunk_reader **ret_reader)
{
	char name[NAME_EVENT_SIZE];

	return read_file(incident, domain, STREAM_SNAPSHOT, name_event(name, NAME_SNAPSHOT, event),
			 event, ret_reader);
}

int incident_read_final(struct incident *incident, uint32_t domain,
			struct chunk_reader **ret_reader)
{
	return read_file(incident, domain, STREAM_FINAL, NAME_FINAL, 0, ret_reader);
}

/* Adds those names in the directory @name that format.h knows. */
static int add_members(int dir_fd, const char *name, struct tree_names *members)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	autoclean(closep) int fd = -1;
	int r;

	r = tree_open_dir(dir_fd, name, &fd);
	if (r == 0)
		r = tree_names(fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		autoclean(freep) char *path = NULL;

		if (asprintf(&path, "%s/%s", name, names.names[i]) < 0)
			path = NULL;
		if (!path)
			return -ENOMEM;
		if (name_is_member(path))
			r = tree_names_add(members, path);
	}
	return r;
}

int incident_members(int dir_fd, struct tree_names *ret_members)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 }, members = { 0 };
	uint32_t domain;
	int r;

	r = tree_names(dir_fd, &names);
	if (r == 0)
		r = tree_names_add(&members, NAME_MANIFEST);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (strcmp(names.names[i], NAME_FILES) == 0 ||
		    name_to_domain(names.names[i], &domain))
			r = add_members(dir_fd, names.names[i], &members);
	if (r < 0)
		return r;
	*ret_members = members;
	members = (struct tree_names){ 0 };
	return 0;
}

/* Mapped files. */

static bool is_zero(const char *data, size_t len)
{
	return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/*
 * Copies the content into @fd and checks its hash. Zeros become holes, so that the few
 * bytes which stand for gigabytes of them cost no memory.
 */
static int copy_content(struct chunk_reader *reader, int fd, const char *hash)
{
	autoclean(content_hash_freep) struct content_hash *state = content_hash_new();
	char found[NAME_HASH_SIZE];
	struct chunk_view view;
	uint64_t len = 0, data = 0;
	int r;

	if (!state)
		return -ENOMEM;
	while ((r = chunk_reader_next(reader, &view)) == 0) {
		if (view.len > INCIDENT_FILE_MAX_WITH_HOLES - len)
			return -EBADMSG;
		content_hash_add(state, view.data, view.len);
		if (!is_zero(view.data, view.len)) {
			if (view.len > INCIDENT_FILE_MAX - data)
				return -EBADMSG;
			data += view.len;
			r = tree_pwrite(fd, view.data, view.len, len);
			if (r < 0)
				return r;
		}
		len += view.len;
	}
	if (r != INCIDENT_END)
		return r < 0 ? r : -EBADMSG;
	content_hash_format(state, found);
	if (strcmp(found, hash) != 0)
		return -EBADMSG;
	return ftruncate(fd, (off_t)len) < 0 ? -errno : 0;
}

int incident_open_file(struct incident *incident, const char *hash, int *ret_fd)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	autoclean(closep) int dir_fd = -1, fd = -1;
	uint64_t len;
	int stored, r;

	if (!name_is_hash(hash))
		return -EINVAL;
	r = tree_open_dir(incident->dir_fd, NAME_FILES, &dir_fd);
	if (r == 0)
		r = tree_open_file(dir_fd, hash, &stored, &len);
	if (r == 0)
		r = chunk_reader_new(STREAM_FILE, stored, -1, 0, 0, &reader);
	if (r < 0)
		return r;
	fd = memfd_create(hash, MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = copy_content(reader, fd, hash);
	if (r < 0)
		return r;
	*ret_fd = MOVE_FD(fd);
	return 0;
}

static int copy_same(int in, int out, uint64_t len, const char *hash)
{
	autoclean(content_hash_freep) struct content_hash *state = content_hash_new();
	enum { PIECE = 1 << 20 };
	autoclean(freep) char *buffer = malloc(PIECE);
	char found[NAME_HASH_SIZE];

	if (!state || !buffer)
		return -ENOMEM;
	for (uint64_t done = 0; done < len;) {
		size_t want = len - done < PIECE ? (size_t)(len - done) : PIECE;
		ssize_t n = tree_pread(in, buffer, want, done);
		int r;

		if (n != (ssize_t)want)
			return n < 0 ? (int)n : -ESTALE;
		content_hash_add(state, buffer, want);
		r = is_zero(buffer, want) ? 0 : tree_pwrite(out, buffer, want, done);
		if (r < 0)
			return r;
		done += want;
	}
	content_hash_format(state, found);
	if (strcmp(found, hash) != 0)
		return -ESTALE;
	return ftruncate(out, (off_t)len) < 0 ? -errno : 0;
}

int incident_open_same(const char *path, uint64_t len, const char *hash, int *ret_fd)
{
	/* A copy: what was compared is what is replayed, whoever writes to the file meanwhile. */
	autoclean(closep) int in = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), out = -1;
	struct stat st;
	int r;

	if (!name_is_hash(hash))
		return -EINVAL;
	if (in < 0 || fstat(in, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != len || len > INCIDENT_FILE_MAX_WITH_HOLES)
		return -ESTALE;
	out = memfd_create(hash, MFD_CLOEXEC);
	if (out < 0)
		return -errno;
	r = copy_same(in, out, len, hash);
	if (r < 0)
		return r;
	*ret_fd = MOVE_FD(out);
	return 0;
}

/* The incidents of a store. */

int incident_time(int incidents_fd, const char *id, struct timespec *ret_time)
{
	autoclean(closep) int fd = -1;
	struct stat st;
	int r;

	r = tree_open_dir(incidents_fd, id, &fd);
	if (r < 0)
		return r;
	if (fstatat(fd, NAME_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOENT;
	*ret_time = st.st_mtim;
	return 0;
}

int incident_order(const struct timespec *a_time, const char *a_id, const struct timespec *b_time,
		   const char *b_id)
{
	if (a_time->tv_sec != b_time->tv_sec)
		return a_time->tv_sec < b_time->tv_sec ? -1 : 1;
	if (a_time->tv_nsec != b_time->tv_nsec)
		return a_time->tv_nsec < b_time->tv_nsec ? -1 : 1;
	return strcmp(a_id, b_id);
}

struct listed {
	struct timespec time;
	char *id;
};

static int compare_listed(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return incident_order(&x->time, x->id, &y->time, y->id);
}

static int open_incidents(const char *store_dir, int *ret_fd)
{
	autoclean(closep) int fd = -1;
	int r;

	r = tree_open_dir(AT_FDCWD, store_dir, &fd);
	return r < 0 ? r : tree_open_dir(fd, NAME_INCIDENTS, ret_fd);
}

/* Moves the ids of whole incidents out of @names, oldest first. */
static int sort_ids(int fd, struct tree_names *names, char ***ret_ids, size_t *ret_n)
{
	autoclean(freep) struct listed *listed = calloc(names->n + 1, sizeof(*listed));
	char **ids = calloc(names->n + 1, sizeof(*ids));
	size_t n = 0;

	if (!listed || !ids) {
		free(ids);
		return -ENOMEM;
	}
	for (size_t i = 0; i < names->n; i++)
		if (name_is_incident_id(names->names[i]) &&
		    incident_time(fd, names->names[i], &listed[n].time) == 0)
			listed[n++].id = MOVE(names->names[i]);
	qsort(listed, n, sizeof(*listed), compare_listed);
	for (size_t i = 0; i < n; i++)
		ids[i] = listed[i].id;
	*ret_ids = ids;
	*ret_n = n;
	return 0;
}

int incident_list(const char *store_dir, char ***ret_ids, size_t *ret_n)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	autoclean(closep) int fd = -1;
	int r;

	r = open_incidents(store_dir, &fd);
	if (r == 0)
		r = tree_names(fd, &names);
	return r < 0 ? r : sort_ids(fd, &names, ret_ids, ret_n);
}

char **incident_free_ids(char **ids, size_t n)
{
	for (size_t i = 0; ids && i < n; i++)
		free(ids[i]);
	free(ids);
	return NULL;
}

int incident_remove_at(int incidents_fd, const char *id)
{
	autoclean(closep) int fd = -1;
	int r;

	r = tree_open_dir(incidents_fd, id, &fd);
	if (r < 0)
		return r;
	/* On disk before the rest goes: nobody may find half of it after a power cut. */
	if (unlinkat(fd, NAME_MANIFEST, 0) == 0)
		(void) fsync(fd);
	else if (errno != ENOENT)
		return -errno;
	return tree_remove(incidents_fd, id);
}

int incident_remove(const char *store_dir, const char *id)
{
	autoclean(closep) int fd = -1;
	struct timespec time;
	int r;

	if (!name_is_incident_id(id))
		return -EINVAL;
	r = open_incidents(store_dir, &fd);
	if (r == 0)
		r = incident_time(fd, id, &time);	/* a freeze under way isn't ours to end */
	return r < 0 ? r : incident_remove_at(fd, id);
}
