/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "ringstore/hash.h"
#include "ringstore/manifest.h"
#include "ringstore/names.h"
#include "ringstore/verify-internal.h"

static const char too_new[] = "a newer version of blackbox wrote it";

void verify_fault(struct verify *verify, const char *path, uint64_t offset, const char *what)
{
	verify->n_faults++;
	if (verify->fault)
		verify->fault(path, offset, what, verify->userdata);
}

void verify_progress(struct verify *verify, uint64_t bytes)
{
	verify->bytes += bytes;
	if (verify->progress)
		verify->progress(verify->bytes, verify->total, verify->userdata);
}

void verify_chunk(struct verify *verify, uint64_t bytes)
{
	verify->n_chunks++;
	verify_progress(verify, bytes);
}

/* A path below @name, which is "" at the top. NULL: no memory. The caller frees it. */
static char *path_below(const char *name, const char *below)
{
	char *path;

	return asprintf(&path, "%s%s%s", name, *name ? "/" : "", below) < 0 ? NULL : path;
}

int verify_unreadable(struct verify *verify, const char *path, uint64_t offset, int error)
{
	char what[128];

	if (error == -ENOMEM || error == -EMFILE || error == -ENFILE)
		return error;
	(void) snprintf(what, sizeof(what), "can't be read: %s", strerror(-error));
	verify_fault(verify, path, offset, error == -EPROTONOSUPPORT ? too_new : what);
	return 0;
}

int verify_open(struct verify *verify, int dir_fd, const char *name, const char *path, int *ret_fd,
		uint64_t *ret_len)
{
	int r = tree_open_file(dir_fd, name, ret_fd, ret_len);

	if (r == 0) {
		verify->n_files++;
		return 0;
	}
	if (r == -ENOENT)
		return 1;
	if (r == -EBADMSG)
		verify_fault(verify, path, 0, "isn't a regular file");
	else
		r = verify_unreadable(verify, path, 0, r);
	return r < 0 && r != -EBADMSG ? r : 1;
}

int verify_outcome(struct verify *verify, const char *path, const struct chunk_reader *reader,
		   int outcome, uint64_t len)
{
	uint64_t offset = chunk_reader_offset(reader), end = chunk_reader_end(reader);

	verify->n_chunks += outcome == INCIDENT_END && end > offset;	/* the one that is an end */
	verify_progress(verify, len > offset ? len - offset : 0);
	if (outcome < 0)
		return verify_unreadable(verify, path, offset, outcome);
	if (outcome == INCIDENT_DAMAGED)
		verify_fault(verify, path, offset, chunk_reader_why(reader));
	else if (end < len)
		verify_fault(verify, path, end, "something follows the end");
	return 0;
}

/* -- parts of an incident ----------------------------------------------------------------------- */

void incident_parts_deinit(struct incident_parts *parts)
{
	for (size_t i = 0; i < parts->n_domains; i++)
		scan_deinit(&parts->domains[i].scan);
	free(parts->domains);
	tree_names_deinit(&parts->bad_files);
	(void) json_object_put(parts->manifest);
	*parts = (struct incident_parts){ 0 };
}

static int check_manifest(struct verify *verify, const char *path, char *text, size_t len,
			  struct incident_parts *parts)
{
	int sealed, r;

	verify_progress(verify, len);
	sealed = manifest_unseal(text, &len);
	r = manifest_check(text, len);
	if (r == -EPROTONOSUPPORT) {
		verify_fault(verify, path, 0, too_new);
		return r;
	}
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r < 0) {
		verify_fault(verify, path, 0, "isn't a JSON object");
		return 0;
	}
	if (sealed < 0)
		verify_fault(verify, path, 0, "its checksum is wrong");
	parts->manifest = json_tokener_parse(text);
	parts->manifest_sound &= sealed == 0;
	return 0;
}

static int read_manifest(int dir_fd, const char *name, struct verify *verify,
			 struct incident_parts *parts)
{
	autoclean(freep) char *path = path_below(name, NAME_MANIFEST);
	autoclean(freep) char *text = NULL;
	autoclean(closep) int fd = -1;
	uint64_t len;
	ssize_t n;
	int r;

	if (!path)
		return -ENOMEM;
	r = verify_open(verify, dir_fd, NAME_MANIFEST, path, &fd, &len);
	if (r > 0)
		verify_fault(verify, path, 0, "is missing");
	if (r)
		return r < 0 ? r : 0;
	if (len > MANIFEST_MAX) {
		verify_fault(verify, path, MANIFEST_MAX, "is too long");
		return 0;
	}
	text = malloc(len + 1);
	if (!text)
		return -ENOMEM;
	n = tree_pread(fd, text, len, 0);
	if (n < 0)
		return verify_unreadable(verify, path, 0, (int)n);
	text[n] = '\0';
	return check_manifest(verify, path, text, (size_t)n, parts);
}

/* A log that lacks a file in its middle. */
static void check_gaps(struct verify *verify, const char *name, const struct scan *scan)
{
	for (size_t i = 0; i + 1 < scan->n_logs; i++) {
		const struct scan_file *log = &scan->logs[i], *next = &scan->logs[i + 1];
		char file[NAME_EVENT_SIZE], path[512];

		if (!log->sound || next->event == log->end_event)
			continue;
		(void) snprintf(path, sizeof(path), "%s/%s", name,
				name_event(file, NAME_LOG, next->event));
		verify_fault(verify, path, 0, "doesn't go on where the log in front of it ends");
	}
}

static int read_final(int dir_fd, uint32_t domain, const char *name, struct verify *verify,
		      struct verify_domain *part)
{
	autoclean(freep) char *path = path_below(name, NAME_FINAL);
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	struct chunk_view view;
	uint64_t len;
	int fd, r;

	if (!path)
		return -ENOMEM;
	r = verify_open(verify, dir_fd, NAME_FINAL, path, &fd, &len);
	if (r)
		return r < 0 ? r : 0;
	r = chunk_reader_new(STREAM_FINAL, fd, -1, domain, 0, &reader);
	if (r < 0)
		return r;
	while ((r = chunk_reader_next(reader, &view)) == 0)
		verify_chunk(verify, chunk_reader_end(reader) - chunk_reader_offset(reader));
	part->has_final = true;
	part->final_sound = r == INCIDENT_END && chunk_reader_end(reader) == len;
	return verify_outcome(verify, path, reader, r, len);
}

static int check_names(int dir_fd, const char *name, bool (*is_ours)(const char *name),
		       struct verify *verify)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	int r;

	r = tree_names(dir_fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		autoclean(freep) char *path = path_below(name, names.names[i]);

		if (!path)
			return -ENOMEM;
		if (!is_ours(names.names[i]) && !name_is_temporary(names.names[i]))
			verify_fault(verify, path, 0, "nothing of blackbox's has such a name");
	}
	return r;
}

static int read_domain(int dir_fd, uint32_t domain, const char *name, struct verify *verify,
		       struct verify_domain *ret_part)
{
	struct verify_domain part = { .id = domain };
	int r;

	r = check_names(dir_fd, name, name_is_in_domain, verify);
	if (r == 0)
		r = scan_domain(dir_fd, domain, name, verify, &part.scan);
	if (r == 0)
		check_gaps(verify, name, &part.scan);
	if (r == 0)
		r = read_final(dir_fd, domain, name, verify, &part);
	if (r < 0) {
		scan_deinit(&part.scan);
		return r;
	}
	*ret_part = part;
	return 0;
}

/* One of files/: its name is the hash of its content. */
static int read_file(int dir_fd, const char *hash, const char *path, struct verify *verify,
		     struct incident_parts *parts)
{
	autoclean(content_hash_freep) struct content_hash *state = content_hash_new();
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	char found[NAME_HASH_SIZE];
	struct chunk_view view;
	uint64_t len;
	int fd, outcome, r;

	if (!state)
		return -ENOMEM;
	r = verify_open(verify, dir_fd, hash, path, &fd, &len);
	if (r)
		return r < 0 ? r : 0;
	r = chunk_reader_new(STREAM_FILE, fd, -1, 0, 0, &reader);
	if (r < 0)
		return r;
	while ((outcome = chunk_reader_next(reader, &view)) == 0) {
		content_hash_add(state, view.data, view.len);
		verify_chunk(verify, chunk_reader_end(reader) - chunk_reader_offset(reader));
	}
	r = verify_outcome(verify, path, reader, outcome, len);
	content_hash_format(state, found);
	if (r == 0 && outcome == INCIDENT_END && strcmp(found, hash) != 0) {
		verify_fault(verify, path, len, "its content isn't what its name says: its end is missing, or "
			     "it is another's");
		outcome = INCIDENT_DAMAGED;
	}
	return r == 0 && outcome != INCIDENT_END ? tree_names_add(&parts->bad_files, hash) : r;
}

static int read_files(int dir_fd, const char *name, struct verify *verify,
		      struct incident_parts *parts)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	int r;

	r = check_names(dir_fd, name, name_is_hash, verify);
	if (r == 0)
		r = tree_names(dir_fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		autoclean(freep) char *path = path_below(name, names.names[i]);

		if (!path)
			return -ENOMEM;
		if (name_is_hash(names.names[i]))
			r = read_file(dir_fd, names.names[i], path, verify, parts);
	}
	return r;
}

/* A directory of the incident. */
static int read_directory(int dir_fd, const char *entry, const char *path, struct verify *verify,
			  struct incident_parts *parts)
{
	struct verify_domain *grown;
	autoclean(closep) int fd = -1;
	uint32_t domain;
	int r;

	r = tree_open_dir(dir_fd, entry, &fd);
	if (r == -ENOENT)
		return 0;
	if (r == -ENOTDIR || r == -ELOOP) {
		verify_fault(verify, path, 0, "isn't a directory");
		return 0;
	}
	if (r < 0)
		return verify_unreadable(verify, path, 0, r);
	if (!name_to_domain(entry, &domain))
		return read_files(fd, path, verify, parts);
	grown = reallocarray(parts->domains, parts->n_domains + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	parts->domains = grown;
	r = read_domain(fd, domain, path, verify, &grown[parts->n_domains]);
	parts->n_domains += r == 0;
	return r;
}

static bool is_in_incident(const char *name)
{
	uint32_t domain;

	return strcmp(name, NAME_MANIFEST) == 0 || strcmp(name, NAME_FILES) == 0 ||
	       name_to_domain(name, &domain);
}

int verify_parts(int dir_fd, const char *name, struct verify *verify, struct json_object *manifest,
		 struct incident_parts *ret_parts)
{
	autoclean(incident_parts_deinit) struct incident_parts parts = { 0 };
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	int r = 0;

	parts.manifest = json_object_get(manifest);
	parts.manifest_sound = true;
	if (!manifest)
		r = read_manifest(dir_fd, name, verify, &parts);
	if (r == 0)
		r = check_names(dir_fd, name, is_in_incident, verify);
	if (r == 0)
		r = tree_names(dir_fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		autoclean(freep) char *path = path_below(name, names.names[i]);

		if (!path)
			return -ENOMEM;
		if (is_in_incident(names.names[i]) && strcmp(names.names[i], NAME_MANIFEST) != 0)
			r = read_directory(dir_fd, names.names[i], path, verify, &parts);
	}
	if (r < 0)
		return r;
	*ret_parts = parts;
	parts = (struct incident_parts){ 0 };
	return 0;
}

/* -- what the manifest says of them --------------------------------------------------------------- */

struct json_object *manifest_domain(struct json_object *manifest, uint32_t domain)
{
	struct json_object *rows = json_list(manifest, "domains");

	for (size_t i = 0; rows && i < json_object_array_length(rows); i++)
		if (json_count(json_object_array_get_idx(rows, i), "domain") == domain)
			return json_object_array_get_idx(rows, i);
	return NULL;
}

static bool is_true(struct json_object *row, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(row, key, &value) && json_object_get_boolean(value);
}

/* The log may end early without a fault in any file: cut between two chunks. */
static void check_end(struct verify *verify, const char *name, struct json_object *manifest,
		      const struct verify_domain *part)
{
	struct json_object *row = manifest_domain(manifest, part->id);
	const struct scan *scan = &part->scan;
	const struct scan_file *last = scan->n_logs ? &scan->logs[scan->n_logs - 1] : NULL;
	char path[512], file[NAME_PATH_SIZE], what[128];
	uint64_t end = json_count(row, "end_event");

	if (last && last->sound && last->end_event < end) {
		(void) snprintf(path, sizeof(path), "%s%s%s", name, *name ? "/" : "",
				name_path(file, part->id, NAME_LOG, last->event));
		(void) snprintf(what, sizeof(what), "the log ends %" PRIu64 " events before the window does",
				end - last->end_event);
		verify_fault(verify, path, last->len, what);
	}
	if (is_true(row, "final") && !part->has_final) {
		(void) snprintf(path, sizeof(path), "%s%s%s", name, *name ? "/" : "",
				name_final_path(file, part->id));
		verify_fault(verify, path, 0, "is missing");
	}
}

/* The window is about the domain that is listed last. */
static void check_main_domain(struct verify *verify, const char *name,
			      const struct incident_parts *parts)
{
	struct json_object *rows = json_list(parts->manifest, "domains");
	size_t n = rows ? json_object_array_length(rows) : 0;
	uint64_t id = n ? json_count(json_object_array_get_idx(rows, n - 1), "domain") : 0;
	char path[512];

	for (size_t i = 0; i < parts->n_domains; i++)
		if (parts->domains[i].id == id)
			return;
	if (!n)
		return;
	(void) snprintf(path, sizeof(path), "%s%s%" PRIu64, name, *name ? "/" : "", id);
	verify_fault(verify, path, 0, "is missing: the window is about it");
}

static int check_hashes(int dir_fd, const char *name, struct verify *verify,
			struct json_object *manifest)
{
	struct json_object *rows = json_list(manifest, "files");

	for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *hash = json_text(row, "hash");
		char file[NAME_PATH_SIZE];
		autoclean(freep) char *path = NULL;

		if (!name_is_hash(hash) || is_true(row, "excluded") ||
		    faccessat(dir_fd, name_file_path(file, hash), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		path = path_below(name, file);
		if (!path)
			return -ENOMEM;
		verify_fault(verify, path, 0, "is missing");
	}
	return 0;
}

/* -- the whole ------------------------------------------------------------------------------------- */

static int verify_incident_at(int dir_fd, const char *name, struct verify *verify)
{
	autoclean(incident_parts_deinit) struct incident_parts parts = { 0 };
	int r;

	verify->n_incidents++;
	r = verify_parts(dir_fd, name, verify, NULL, &parts);
	if (r < 0)
		return r == -EPROTONOSUPPORT ? 0 : r;	/* which has been told */
	for (size_t i = 0; i < parts.n_domains; i++)
		check_end(verify, name, parts.manifest, &parts.domains[i]);
	check_main_domain(verify, name, &parts);
	return check_hashes(dir_fd, name, verify, parts.manifest);
}

int verify_lock(int dir_fd, int *ret_lock_fd)
{
	autoclean(closep) int fd = openat(dir_fd, NAME_LOCK, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 1 : -errno;
	*ret_lock_fd = MOVE_FD(fd);
	return 0;
}

static int verify_one(int incidents_fd, const char *id, struct verify *verify)
{
	autoclean(freep) char *name = path_below(NAME_INCIDENTS, id);
	autoclean(closep) int fd = -1;
	int r;

	if (!name)
		return -ENOMEM;
	r = tree_open_dir(incidents_fd, id, &fd);
	if (r == -ENOENT)
		return 0;	/* removed meanwhile */
	if (r < 0 || !name_is_incident_id(id)) {
		verify_fault(verify, name, 0, "isn't an incident");
		return 0;
	}
	if (faccessat(fd, NAME_MANIFEST, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return verify_incident_at(fd, name, verify);
	if (!verify->live_in_use)
		verify_fault(verify, name, 0, "was never finished: it has no " NAME_MANIFEST);
	return 0;
}

static int verify_incidents(int dir_fd, struct verify *verify)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	autoclean(closep) int fd = -1;
	int r;

	r = tree_open_dir(dir_fd, NAME_INCIDENTS, &fd);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = tree_names(fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = verify_one(fd, names.names[i], verify);
	return r;
}

/* All of its chunks are of a kind that may be skipped. */
static int verify_about(int live_fd, const char *path, struct verify *verify)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	struct chunk_view view;
	uint64_t len;
	int fd, r;

	r = verify_open(verify, live_fd, NAME_ABOUT, path, &fd, &len);
	if (r)
		return r < 0 ? r : 0;
	r = chunk_reader_new(STREAM_FILE, fd, -1, 0, 0, &reader);
	if (r < 0)
		return r;
	while ((r = chunk_reader_next(reader, &view)) == 0)
		;
	verify_progress(verify, chunk_reader_offset(reader));
	return verify_outcome(verify, path, reader, r, len);
}

static int verify_live(int dir_fd, struct verify *verify)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	autoclean(closep) int fd = -1;
	int r;

	r = tree_open_dir(dir_fd, NAME_LIVE, &fd);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = tree_names(fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		autoclean(freep) char *path = path_below(NAME_LIVE, names.names[i]);
		struct verify_domain part = { 0 };
		autoclean(closep) int domain_fd = -1;
		uint32_t domain;

		if (!path)
			return -ENOMEM;
		if (strcmp(names.names[i], NAME_ABOUT) == 0) {
			r = verify_about(fd, path, verify);
			continue;
		}
		if (!name_to_domain(names.names[i], &domain) ||
		    tree_open_dir(fd, names.names[i], &domain_fd) < 0) {
			verify_fault(verify, path, 0, "nothing of blackbox's has such a name");
			continue;
		}
		r = read_domain(domain_fd, domain, path, verify, &part);
		scan_deinit(&part.scan);
	}
	return r;
}

static int add_size(int dir_fd, const char *name, const struct stat *st, void *userdata)
{
	uint64_t *total = userdata;

	(void) dir_fd;
	(void) name;
	*total += S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0;
	return 0;
}

static int verify_store(int dir_fd, struct verify *verify)
{
	autoclean(closep) int lock_fd = -1;
	int r;

	r = verify_lock(dir_fd, &lock_fd);
	if (r < 0)
		return r;
	verify->live_in_use = r > 0;
	r = verify_incidents(dir_fd, verify);
	return r < 0 || verify->live_in_use ? r : verify_live(dir_fd, verify);
}

/* A dump that can't be unpacked is one fault: what is behind it can't be told. */
static int verify_dump(const char *path, struct verify *verify)
{
	autoclean(incident_closep) struct incident *incident = NULL;
	autoclean(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return -errno;
	r = dump_unpack(fd, NULL, &incident);
	if (r == -EBADMSG) {
		off_t offset = lseek(fd, 0, SEEK_CUR);

		verify_fault(verify, path, offset < 0 ? 0 : (uint64_t)offset,
			     "isn't a dump, or is damaged somewhere in front of here");
		return 0;
	}
	if (r < 0)
		return r;
	r = tree_walk(incident->dir_fd, add_size, &verify->total);
	return r < 0 ? r : verify_incident_at(incident->dir_fd, "", verify);
}

int verify_kind(const char *path, enum verify_kind *ret_kind)
{
	autoclean(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		*ret_kind = VERIFY_DUMP;
	else if (!S_ISDIR(st.st_mode))
		return -EBADMSG;
	else if (faccessat(fd, NAME_MANIFEST, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		*ret_kind = VERIFY_INCIDENT;
	else if (faccessat(fd, NAME_INCIDENTS, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		*ret_kind = VERIFY_STORE;
	else
		return -EBADMSG;
	return 0;
}

int verify_path(const char *path, struct verify *verify)
{
	autoclean(closep) int fd = -1;
	enum verify_kind kind;
	int r;

	r = verify_kind(path, &kind);
	if (r < 0)
		return r;
	if (kind == VERIFY_DUMP)
		return verify_dump(path, verify);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = tree_walk(fd, add_size, &verify->total);
	if (r < 0)
		return r;
	return kind == VERIFY_STORE ? verify_store(fd, verify) : verify_incident_at(fd, "", verify);
}
