/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keeps what is sound of an incident. First the files are cut, then the manifest is made to
 * say what is left: killed in between, it is repaired again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "ringstore/manifest.h"
#include "ringstore/names.h"
#include "ringstore/verify-internal.h"

struct repair {
	struct verify *verify;
	const char *name;	/* of the incident, to who is told; "" at the top */
	int dir_fd;
	struct incident_parts parts;
	struct json_object *notes;	/* of the manifest, once it is to be changed */
};

static void repair_deinit(struct repair *repair)
{
	incident_parts_deinit(&repair->parts);
}

static void note(struct repair *repair, const char *text)
{
	struct json_object *manifest = repair->parts.manifest;

	if (!repair->notes) {
		repair->notes = json_list(manifest, "notes");
		if (!repair->notes) {
			repair->notes = json_object_new_array();
			(void) json_object_object_add(manifest, "notes", repair->notes);
		}
	}
	(void) json_object_array_add(repair->notes, json_object_new_string(text));
}

static void tell_cut(struct repair *repair, const char *file, uint64_t from, uint64_t to, const char *why)
{
	struct verify *verify = repair->verify;
	char path[512];

	verify->n_cuts++;
	(void) snprintf(path, sizeof(path), "%s%s%s", repair->name, *repair->name ? "/" : "", file);
	if (verify->cut)
		verify->cut(path, from, to, why, verify->userdata);
}

static int remove_file(struct repair *repair, const char *file, const char *why)
{
	if (unlinkat(repair->dir_fd, file, 0) < 0 && errno != ENOENT)
		return -errno;
	tell_cut(repair, file, 0, UINT64_MAX, why);
	return 0;
}

static int cut_file(struct repair *repair, const char *file, uint64_t len, const char *why)
{
	autoclean(closep) int fd = -1;

	if (len == 0)
		return remove_file(repair, file, why);
	fd = openat(repair->dir_fd, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || ftruncate(fd, (off_t)len) < 0 || fsync(fd) < 0)
		return -errno;
	tell_cut(repair, file, len, UINT64_MAX, why);
	return 0;
}

static const char *why(const struct scan_file *file)
{
	return file->why ? file->why : "it isn't of the longest window that is sound";
}

static int cut_logs(struct repair *repair, const struct verify_domain *part,
		    const struct scan_window *window)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < part->scan.n_logs; i++) {
		const struct scan_file *log = &part->scan.logs[i];
		bool kept = i >= window->first_log && i < window->first_log + window->n_logs;
		char path[NAME_PATH_SIZE];

		(void) name_path(path, part->id, NAME_LOG, log->event);
		if (!kept)
			r = remove_file(repair, path, why(log));
		else if (!log->sound)
			r = cut_file(repair, path, log->sound_len, why(log));
	}
	return r;
}

static int cut_snapshots(struct repair *repair, const struct verify_domain *part,
			 const struct scan_window *window)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < part->scan.n_snapshots; i++) {
		const struct scan_file *snapshot = &part->scan.snapshots[i];
		char path[NAME_PATH_SIZE];

		if (!scan_holds(&part->scan, window, snapshot))
			r = remove_file(repair, name_path(path, part->id, NAME_SNAPSHOT, snapshot->event),
					why(snapshot));
	}
	return r;
}

/* Is any of the pages file needed by a snapshot that is kept? */
static bool is_needed(const struct verify_domain *part, const struct scan_window *window,
		      const struct scan_pages *pages)
{
	for (size_t i = 0; i < part->scan.n_snapshots; i++) {
		const struct scan_file *snapshot = &part->scan.snapshots[i];

		for (size_t j = 0; j < snapshot->n_files; j++)
			if (snapshot->files[j] == pages->number && scan_holds(&part->scan, window, snapshot))
				return true;
	}
	return false;
}

/* Chunks of zeroes take all of the place, or nothing is changed if that is too small for one. */
static int write_hole(int fd, uint32_t domain, uint64_t number, uint64_t from, uint64_t to)
{
	const struct chunk_info info = { .kind = CHUNK_HOLE, .domain = domain, .first_event = number };
	uint64_t n = (to - from + CHUNK_MAX_RAW - 1) / CHUNK_MAX_RAW;
	autoclean(freep) void *zeroes = calloc(1, CHUNK_MAX_RAW);
	autoclean(freep) void *chunk = malloc(chunk_max_stored(CHUNK_MAX_RAW));
	int r = 0;

	if (!zeroes || !chunk)
		return -ENOMEM;
	for (; r == 0 && to - from >= sizeof(struct chunk); n--) {
		/* Of one size about, so that none is left over that is too small. */
		uint64_t len = n > 1 ? (to - from) / n / 8 * 8 : to - from;

		r = tree_pwrite(fd, chunk, chunk_encode(NULL, &info, zeroes, len - sizeof(struct chunk), chunk), from);
		from += len;
	}
	return r;
}

/*
 * What is damaged in a pages file of which the rest is needed becomes a hole, for what stands
 * behind it must stay where it is. At the end, what can't be a chunk goes.
 */
static int fill_gap(struct repair *repair, uint32_t domain, const struct scan_pages *pages,
		    const struct scan_gap *gap, const char *path)
{
	autoclean(closep) int fd = openat(repair->dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t to = gap->to / 8 * 8;
	int r;

	if (to - gap->from < sizeof(struct chunk))
		to = gap->from;
	if (fd < 0)
		return -errno;
	r = write_hole(fd, domain, pages->number, gap->from, to);
	if (r < 0)
		return r;
	if ((gap->to == pages->len && ftruncate(fd, (off_t)to) < 0) || fsync(fd) < 0)
		return -errno;
	tell_cut(repair, path, gap->from, gap->to == pages->len && to == gap->from ? UINT64_MAX : gap->to, gap->why);
	return 0;
}

static int cut_pages(struct repair *repair, const struct verify_domain *part,
		     const struct scan_window *window)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < part->scan.n_pages; i++) {
		const struct scan_pages *pages = &part->scan.pages[i];
		char path[NAME_PATH_SIZE];

		(void) name_path(path, part->id, NAME_PAGES, pages->number);
		if (!is_needed(part, window, pages)) {
			r = remove_file(repair, path, "no snapshot that is kept needs pages of it");
			continue;
		}
		for (size_t j = 0; r == 0 && j < pages->n_gaps; j++)
			r = fill_gap(repair, part->id, pages, &pages->gaps[j], path);
	}
	return r;
}

/* The window of @row ends before @end now: what was known of its end is of no use. */
static int shorten(struct repair *repair, struct json_object *row, const struct verify_domain *part,
		   uint64_t end)
{
	uint64_t before = json_count(row, "end_event");
	char path[NAME_PATH_SIZE], text[160];

	(void) json_object_object_add(row, "end_event", json_object_new_uint64(end));
	(void) json_object_object_add(row, "end", json_object_new_string("freeze"));
	(void) json_object_object_add(row, "final", json_object_new_boolean(false));
	(void) snprintf(text, sizeof(text), "repaired: the window of process %" PRId64 " ends %" PRIu64
			" events earlier than it was frozen", json_number(row, "pid"), before - end);
	note(repair, text);
	if (!part->has_final)
		return 0;
	return remove_file(repair, name_final_path(path, part->id),
			   "it is of an end that the window doesn't reach any more");
}

static bool is_true(struct json_object *row, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(row, key, &value) && json_object_get_boolean(value);
}

/* Without the hashes of its end, or with damaged ones. */
static int drop_final(struct repair *repair, struct json_object *row,
		      const struct verify_domain *part)
{
	char path[NAME_PATH_SIZE];
	int r = 0;

	if (part->has_final)
		r = remove_file(repair, name_final_path(path, part->id), "it is damaged");
	if (r < 0 || !is_true(row, "final"))
		return r;
	(void) json_object_object_add(row, "final", json_object_new_boolean(false));
	note(repair, "repaired: the hashes of the last state are lost: a replay doesn't compare it");
	return 0;
}

static int repair_domain(struct repair *repair, const struct verify_domain *part)
{
	struct json_object *row = manifest_domain(repair->parts.manifest, part->id);
	struct scan_window window = scan_longest(&part->scan);
	uint64_t cuts = repair->verify->n_cuts;
	char text[160];
	int r;

	r = cut_logs(repair, part, &window);
	if (r == 0)
		r = cut_snapshots(repair, part, &window);
	/* Behind those who need them: killed in between, only what nobody needs is left over. */
	if (r == 0)
		r = cut_pages(repair, part, &window);
	if (row && !json_object_object_get_ex(row, "end_event", NULL))
		(void) json_object_object_add(row, "end_event", json_object_new_uint64(window.end));
	if (r == 0 && row && json_count(row, "end_event") > window.end)
		r = shorten(repair, row, part, window.end);
	else if (r == 0 && !part->final_sound)
		r = drop_final(repair, row, part);
	if (r == 0 && repair->verify->n_cuts > cuts && !window.has_snapshot) {
		(void) snprintf(text, sizeof(text), "repaired: process %" PRId64 " has no sound snapshot left, "
				"and can't be replayed", json_number(row, "pid"));
		note(repair, text);
	}
	return r;
}

/* Rows of files whose content isn't there: a replay takes them from where they were. */
static void forget_hashes(struct repair *repair)
{
	struct json_object *rows = json_list(repair->parts.manifest, "files");
	char file[NAME_PATH_SIZE], text[512];

	for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *hash = json_text(row, "hash");

		if (!name_is_hash(hash) ||
		    faccessat(repair->dir_fd, name_file_path(file, hash), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		(void) snprintf(text, sizeof(text), "repaired: the content of %.400s is lost: the replay needs "
				"it where it was", json_text(row, "path"));
		json_object_object_del(row, "hash");
		note(repair, text);
	}
}

static int write_manifest(struct repair *repair)
{
	const char *text = json_object_to_json_string_ext(repair->parts.manifest, JSON_C_TO_STRING_PRETTY);
	autoclean(freep) char *sealed = NULL;
	struct stat st;
	int r;

	if (fstatat(repair->dir_fd, NAME_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = manifest_seal(text, &sealed);
	/* Its time is the incident's place among others. */
	return r < 0 ? r : manifest_write(repair->dir_fd, sealed, &st.st_mtim);
}

/* Cuts the files, and changes the manifest in memory. */
static int repair_parts(struct repair *repair)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < repair->parts.n_domains; i++)
		r = repair_domain(repair, &repair->parts.domains[i]);
	for (size_t i = 0; r == 0 && i < repair->parts.bad_files.n; i++) {
		char path[NAME_PATH_SIZE];

		r = remove_file(repair, name_file_path(path, repair->parts.bad_files.names[i]),
				"its content isn't what it was");
	}
	if (r == 0)
		forget_hashes(repair);
	return r;
}

int repair_window(int dir_fd, struct verify *verify, struct json_object *manifest)
{
	autoclean(repair_deinit) struct repair repair = {
		.verify = verify, .name = "", .dir_fd = dir_fd,
	};
	int r;

	r = verify_parts(dir_fd, "", verify, manifest, &repair.parts);
	return r < 0 ? r : repair_parts(&repair);
}

static int repair_at(int dir_fd, const char *name, struct verify *verify)
{
	autoclean(repair_deinit) struct repair repair = {
		.verify = verify, .name = name, .dir_fd = dir_fd,
	};
	int r;

	verify->n_incidents++;
	r = verify_parts(dir_fd, name, verify, NULL, &repair.parts);
	if (r < 0)
		return r;
	if (!repair.parts.manifest)
		return -EBADMSG;
	r = repair_parts(&repair);
	if (r < 0)
		return r;
	if (!repair.parts.manifest_sound)
		note(&repair, "repaired: " NAME_MANIFEST " was damaged: what it says may be wrong");
	return repair.notes ? write_manifest(&repair) : 0;
}

int repair_incident(const char *path, struct verify *verify)
{
	autoclean(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : repair_at(fd, "", verify);
}

static int repair_one(int incidents_fd, const char *id, struct verify *verify)
{
	autoclean(freep) char *name = NULL;
	autoclean(closep) int fd = -1;
	int r;

	if (!name_is_incident_id(id) || tree_open_dir(incidents_fd, id, &fd) < 0 ||
	    faccessat(fd, NAME_MANIFEST, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;	/* not an incident */
	if (asprintf(&name, NAME_INCIDENTS "/%s", id) < 0) {
		name = NULL;
		return -ENOMEM;
	}
	r = repair_at(fd, name, verify);
	if (r != -EBADMSG && r != -EPROTONOSUPPORT)
		return r;
	/* The others may be well. */
	verify->n_failed++;
	return 0;
}

int repair_store(const char *path, struct verify *verify)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	autoclean(closep) int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	int r;

	if (dir_fd < 0)
		return -errno;
	r = tree_open_dir(dir_fd, NAME_INCIDENTS, &fd);
	if (r == 0)
		r = tree_names(fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = repair_one(fd, names.names[i], verify);
	return r;
}
