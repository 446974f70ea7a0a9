/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Incidents as one file. Unpacking takes the archive for an attacker's: a name that
 * isn't in format.h, a type other than a regular file, a second file of a name, or a
 * byte more than was announced ends it. What was announced must fit on the disk
 * before the first byte is written.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "ringstore/hash.h"
#include "ringstore/incident-internal.h"
#include "ringstore/manifest.h"
#include "ringstore/names.h"
#include "ringstore/strip.h"

#define NAME_HEAD "blackbox-incident"

enum {
	COPY_SIZE = 256 << 10,
	/* No store holds more: each takes a block of it. A bound on inodes, not on bytes. */
	MAX_FILES = 1 << 20,
};

struct head {			/* the first member */
	unsigned version;
	char id[NAME_MAX + 1];
	uint64_t n_files, bytes;	/* of the members behind it */
};

/* Five lines of text, and an id: what it can be at most. */
enum { HEAD_SIZE = NAME_MAX + 160 };

static void format_lines(const struct head *head, char text[static HEAD_SIZE])
{
	(void) snprintf(text, HEAD_SIZE,
			NAME_HEAD " %u\nid %s\nfiles %" PRIu64 "\nbytes %" PRIu64 "\n",
			head->version, head->id, head->n_files, head->bytes);
}

/* With their checksum: nothing else would notice an id that has become another. */
static void format_head(const struct head *head, char text[static HEAD_SIZE])
{
	size_t len;

	format_lines(head, text);
	len = strlen(text);
	(void) snprintf(text + len, HEAD_SIZE - len, "xxh3 %016" PRIx64 "\n",
			XXH3_64bits(text, len));
}

/* scanf is lenient; we aren't. Dumps were without the checksum once. */
static bool is_formatted(const struct head *head, const char *text)
{
	char again[HEAD_SIZE];

	format_lines(head, again);
	if (strcmp(text, again) == 0)
		return true;
	format_head(head, again);
	return strcmp(text, again) == 0;
}

static int parse_head(const char *text, struct head *ret_head)
{
	struct head head;

	if (sscanf(text, NAME_HEAD " %u\n", &head.version) != 1)
		return -EBADMSG;
	if (head.version > STORE_FORMAT_VERSION)
		return -EPROTONOSUPPORT;
	if (sscanf(text, NAME_HEAD " %u id %255s files %" SCNu64 " bytes %" SCNu64, &head.version,
		   head.id, &head.n_files, &head.bytes) != 4)
		return -EBADMSG;
	if (!is_formatted(&head, text) || head.version == 0 || !name_is_incident_id(head.id) ||
	    head.n_files > MAX_FILES)
		return -EBADMSG;
	*ret_head = head;
	return 0;
}

static void free_entry(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

/* Writing. */

static void free_writer(struct archive **archive)
{
	(void) archive_write_free(*archive);
}

/* A mapped file that the dump has in another form. */
struct replaced {
	char hash[NAME_HASH_SIZE], new_hash[NAME_HASH_SIZE];
	int fd;			/* of its chunks; -1: it stays as it is */
};

struct dump {
	struct archive *archive;
	char *buffer;		/* COPY_SIZE */
	char *manifest;		/* in the place of incident.json; NULL: that itself */
	struct replaced *replaced;
	size_t n_replaced;
	incident_progress progress;
	void *userdata;
	uint64_t done, total;
};

static int write_error(struct archive *archive)
{
	int error = archive_errno(archive);

	return error > 0 ? -error : -EIO;
}

static int write_header(struct dump *dump, const char *name, uint64_t size,
			const struct timespec *time)
{
	autoclean(free_entry) struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return -ENOMEM;
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_mtime(entry, time->tv_sec, 0);
	return archive_write_header(dump->archive, entry) == ARCHIVE_OK
		       ? 0
		       : write_error(dump->archive);
}

static int write_data(struct dump *dump, const char *data, size_t len)
{
	la_ssize_t n = archive_write_data(dump->archive, data, len);

	if (n < 0)
		return write_error(dump->archive);
	return (size_t)n == len ? 0 : -EIO;
}

static void add_progress(struct dump *dump, size_t len)
{
	dump->done += len;
	if (dump->progress)
		dump->progress(dump->done, dump->total, dump->userdata);
}

/* The manifest that says what the dump is without. */
static int write_manifest(struct dump *dump, int dir_fd)
{
	size_t len = strlen(dump->manifest);
	struct stat st;
	int r;

	if (fstatat(dir_fd, NAME_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = write_header(dump, NAME_MANIFEST, len, &st.st_mtim);
	if (r == 0)
		r = write_data(dump, dump->manifest, len);
	if (r == 0)
		add_progress(dump, len);
	return r;
}

static const struct replaced *find_replaced(const struct dump *dump, const char *name)
{
	char path[NAME_PATH_SIZE];

	for (size_t i = 0; i < dump->n_replaced; i++)
		if (dump->replaced[i].fd >= 0 && strcmp(name, name_file_path(path, dump->replaced[i].hash)) == 0)
			return &dump->replaced[i];
	return NULL;
}

static int write_content(struct dump *dump, int fd, const char *name)
{
	struct stat st;
	uint64_t len;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	len = (uint64_t)st.st_size;
	r = write_header(dump, name, len, &st.st_mtim);
	for (uint64_t offset = 0; r == 0 && offset < len;) {
		size_t want = len - offset < COPY_SIZE ? (size_t)(len - offset) : COPY_SIZE;
		ssize_t n = tree_pread(fd, dump->buffer, want, offset);

		if (n != (ssize_t)want)
			return n < 0 ? (int)n : -EIO;	/* they don't shrink by themselves */
		r = write_data(dump, dump->buffer, want);
		offset += want;
		add_progress(dump, want);
	}
	return r;
}

static int write_file(struct dump *dump, int dir_fd, const char *name)
{
	const struct replaced *replaced = find_replaced(dump, name);
	autoclean(closep) int fd = -1;
	char path[NAME_PATH_SIZE];
	uint64_t len;
	int r;

	if (replaced)
		return write_content(dump, replaced->fd, name_file_path(path, replaced->new_hash));
	r = tree_open_file(dir_fd, name, &fd, &len);
	return r < 0 ? r : write_content(dump, fd, name);
}

static bool is_new_manifest(const struct dump *dump, const char *name)
{
	return dump->manifest && strcmp(name, NAME_MANIFEST) == 0;
}

static int count_bytes(const struct dump *dump, int dir_fd, const struct tree_names *members,
		       uint64_t *ret_bytes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < members->n; i++) {
		const struct replaced *replaced = find_replaced(dump, members->names[i]);
		struct stat st;

		if ((replaced ? fstat(replaced->fd, &st) :
				fstatat(dir_fd, members->names[i], &st, AT_SYMLINK_NOFOLLOW)) < 0)
			return -errno;
		bytes += is_new_manifest(dump, members->names[i]) ? strlen(dump->manifest) :
								     (uint64_t)st.st_size;
	}
	*ret_bytes = bytes;
	return 0;
}

static int write_head(struct dump *dump, const struct incident *incident, size_t n_files)
{
	struct head head = {
		.version = STORE_FORMAT_VERSION,
		.n_files = n_files,
		.bytes = dump->total,
	};
	char text[HEAD_SIZE];
	struct stat st;
	size_t len;
	int r;

	if (!name_is_incident_id(incident->id) || n_files > MAX_FILES)
		return -EINVAL;
	(void) snprintf(head.id, sizeof(head.id), "%s", incident->id);
	if (fstatat(incident->dir_fd, NAME_MANIFEST, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	format_head(&head, text);
	len = strlen(text);
	r = write_header(dump, NAME_HEAD, len, &st.st_mtim);
	return r < 0 ? r : write_data(dump, text, len);
}

/* -- without the mapped files, or without parts of them -- */

static void put_json(struct json_object **object)
{
	(void) json_object_put(*object);
}

/* Marks each file that the incident has, and says in the notes what that means. */
static void mark_excluded(struct json_object *manifest)
{
	struct json_object *rows = json_list(manifest, "files"), *notes = json_list(manifest, "notes");
	unsigned n = 0;
	char text[160];

	for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (!name_is_hash(json_text(row, "hash")) || json_object_object_get(row, "excluded"))
			continue;
		(void) json_object_object_add(row, "excluded", json_object_new_boolean(true));
		n++;
	}
	(void) snprintf(text, sizeof(text), "%u files were left out of this dump: a replay "
			"needs them where they were, with the same content", n);
	if (notes && n)
		(void) json_object_array_add(notes, json_object_new_string(text));
}

static void free_encoder(struct chunk_encoder **encoder)
{
	(void) chunk_encoder_free(*encoder);
}

/* As freeze_add_file() does: the content as chunks, and its hash. */
static int encode_content(int in, int out, char *buffer, char ret_hash[static NAME_HASH_SIZE])
{
	autoclean(content_hash_freep) struct content_hash *state = content_hash_new();
	autoclean(free_encoder) struct chunk_encoder *encoder = NULL;
	autoclean(freep) void *stored = malloc(chunk_max_stored(COPY_SIZE));
	struct chunk_info info = { .kind = CHUNK_FILE };
	uint64_t len = 0;
	int r = chunk_encoder_new(&encoder);

	if (!state || !stored)
		return -ENOMEM;
	for (uint64_t offset = 0; r == 0; info.seq++) {
		ssize_t n = tree_pread(in, buffer, COPY_SIZE, offset);
		size_t n_stored;

		if (n <= 0) {
			content_hash_format(state, ret_hash);
			return (int)n;
		}
		content_hash_add(state, buffer, (size_t)n);
		n_stored = chunk_encode(encoder, &info, buffer, (size_t)n, stored);
		r = tree_pwrite(out, stored, n_stored, len);
		len += n_stored;
		offset += (uint64_t)n;
	}
	return r;
}

static int strip_file(struct dump *dump, struct incident *incident, struct replaced *replaced)
{
	autoclean(closep) int content = -1, chunks = -1;
	bool changed;
	int r;

	r = incident_open_file(incident, replaced->hash, &content);
	if (r == 0)
		r = strip_elf(content, &changed);
	if (r < 0 || !changed)
		return r;
	chunks = memfd_create("stripped", MFD_CLOEXEC);
	if (chunks < 0)
		return -errno;
	r = encode_content(content, chunks, dump->buffer, replaced->new_hash);
	if (r == 0)
		replaced->fd = MOVE_FD(chunks);
	return r;
}

static int add_replaced(struct dump *dump, struct incident *incident, const char *hash,
			const struct replaced **ret_replaced)
{
	struct replaced *grown;
	int r;

	for (size_t i = 0; i < dump->n_replaced; i++) {
		if (strcmp(dump->replaced[i].hash, hash) != 0)
			continue;
		*ret_replaced = &dump->replaced[i];
		return 0;
	}
	grown = reallocarray(dump->replaced, dump->n_replaced + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	dump->replaced = grown;
	grown += dump->n_replaced++;
	*grown = (struct replaced){ .fd = -1 };
	(void) snprintf(grown->hash, sizeof(grown->hash), "%s", hash);
	r = strip_file(dump, incident, grown);
	*ret_replaced = grown;
	/* One that can't be read goes into the dump as it is: not ours to judge. */
	return r == -ENOENT || r == -EBADMSG ? 0 : r;
}

/* A program may have read what would be gone. */
static bool is_read(struct json_object *rows, const char *hash)
{
	struct json_object *read;

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (strcmp(json_text(row, "hash"), hash) == 0 && json_object_object_get_ex(row, "read", &read) &&
		    json_object_get_boolean(read))
			return true;
	}
	return false;
}

static int strip_files(struct dump *dump, struct incident *incident, struct json_object *manifest)
{
	struct json_object *rows = json_list(manifest, "files");
	const struct replaced *replaced;

	for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		const char *hash = json_text(row, "hash");
		int r = 0;

		if (!name_is_hash(hash) || is_read(rows, hash))
			continue;
		r = add_replaced(dump, incident, hash, &replaced);
		if (r < 0)
			return r;
		if (replaced->fd < 0)
			continue;
		(void) json_object_object_add(row, "hash", json_object_new_string(replaced->new_hash));
		(void) json_object_object_add(row, "stripped", json_object_new_boolean(true));
	}
	return 0;
}

static int change_manifest(struct dump *dump, struct incident *incident, unsigned flags,
			   char **ret_sealed)
{
	autoclean(put_json) struct json_object *manifest = json_tokener_parse(incident->manifest);
	const char *text;
	int r = 0;

	if (!manifest)
		return -EBADMSG;
	if (flags & INCIDENT_DUMP_EXCLUDE_FILES)
		mark_excluded(manifest);
	else
		r = strip_files(dump, incident, manifest);
	if (r < 0)
		return r;
	text = json_object_to_json_string_ext(manifest, JSON_C_TO_STRING_PRETTY);
	return text ? manifest_seal(text, ret_sealed) : -ENOMEM;
}

static void drop_files(struct tree_names *members)
{
	size_t n = 0;

	for (size_t i = 0; i < members->n; i++) {
		if (strncmp(members->names[i], NAME_FILES "/", sizeof(NAME_FILES)) == 0)
			free(members->names[i]);
		else
			members->names[n++] = members->names[i];
	}
	members->n = n;
}

static int write_members(struct dump *dump, const struct incident *incident, unsigned flags)
{
	autoclean(tree_names_deinit) struct tree_names members = { 0 };
	int r;

	r = incident_members(incident->dir_fd, &members);
	if (r == 0 && (flags & INCIDENT_DUMP_EXCLUDE_FILES))
		drop_files(&members);
	if (r == 0)
		r = count_bytes(dump, incident->dir_fd, &members, &dump->total);
	if (r == 0)
		r = write_head(dump, incident, members.n);
	for (size_t i = 0; r == 0 && i < members.n; i++)
		r = is_new_manifest(dump, members.names[i]) ?
			    write_manifest(dump, incident->dir_fd) :
			    write_file(dump, incident->dir_fd, members.names[i]);
	return r;
}

static void dump_deinit(struct dump *dump)
{
	for (size_t i = 0; i < dump->n_replaced; i++)
		if (dump->replaced[i].fd >= 0)
			(void) close(dump->replaced[i].fd);
	free(dump->replaced);
	free(dump->manifest);
}

/* Writes the archive to @fd. */
static int write_archive(struct incident *incident, int fd, unsigned flags,
			 incident_progress progress, void *userdata)
{
	autoclean(free_writer) struct archive *archive = archive_write_new();
	autoclean(freep) char *buffer = archive ? malloc(COPY_SIZE) : NULL;
	autoclean(dump_deinit) struct dump dump = {
		.archive = archive,
		.buffer = buffer,
		.progress = progress,
		.userdata = userdata,
	};
	int r;

	if (!archive)
		return -errno;
	if (!buffer)
		return -ENOMEM;
	if (flags) {
		r = change_manifest(&dump, incident, flags, &dump.manifest);
		if (r < 0)
			return r;
	}
	/* Restricted: pax where ustar won't do. Level 1: the chunks are compressed already. */
	if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
	    archive_write_add_filter_zstd(archive) != ARCHIVE_OK ||
	    archive_write_set_options(archive, "zstd:compression-level=1") != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(archive, fd) != ARCHIVE_OK)
		return write_error(archive);
	r = write_members(&dump, incident, flags);
	if (r == 0 && archive_write_close(archive) != ARCHIVE_OK)
		r = write_error(archive);
	return r;
}

/* Opens a new file beside the final one, under a name that nobody else has. */
static int create_beside(int dir_fd, const char *base, char name[static NAME_MAX + 1])
{
	for (unsigned tries = 0; tries < 100; tries++) {
		uint32_t random;
		int fd;

		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return -EIO;
		(void) snprintf(name, NAME_MAX + 1, ".%.200s.%08" PRIx32, base, random);
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			    0600);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* The directory of @path, wherever it lies, and the name in it. */
static int open_parent(const char *path, int *ret_fd, const char **ret_base)
{
	const char *slash = strrchr(path, '/');
	autoclean(freep) char *parent = NULL;
	int fd;

	parent = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	if (!parent)
		return -ENOMEM;
	*ret_base = slash ? slash + 1 : path;
	if (!**ret_base)
		return -EISDIR;
	/* The user's own path: its links are meant to be followed. */
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/*
 * The file behind @path's links, which is the one that is replaced. Never a device: to
 * root, /dev/null is a name like any other.
 */
static int resolve_output(const char *path, char **ret_path)
{
	autoclean(freep) char *real = realpath(path, NULL);
	struct stat st;

	if (!real && errno != ENOENT)
		return -errno;
	if (real && lstat(real, &st) < 0)
		return -errno;
	if (real && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EOPNOTSUPP;
	if (!real)
		real = strdup(path);
	if (!real)
		return -ENOMEM;
	*ret_path = MOVE(real);
	return 0;
}

int incident_dump(struct incident *incident, const char *path, unsigned flags,
		  incident_progress progress, void *userdata)
{
	autoclean(closep) int dir_fd = -1, fd = -1;
	autoclean(freep) char *output = NULL;
	char name[NAME_MAX + 1];
	const char *base;
	int r;

	r = resolve_output(path, &output);
	if (r < 0)
		return r;
	r = open_parent(output, &dir_fd, &base);
	if (r < 0)
		return r;
	fd = create_beside(dir_fd, base, name);
	if (fd < 0)
		return fd;
	r = write_archive(incident, fd, flags, progress, userdata);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir_fd, name, dir_fd, base) < 0)
		r = -errno;
	if (r < 0) {
		(void) unlinkat(dir_fd, name, 0);
		return r;
	}
	/* EINVAL: there are file systems that can't sync a directory, and needn't. */
	if (fsync(dir_fd) < 0 && errno != EINVAL) {
		r = -errno;
		(void) unlinkat(dir_fd, base, 0);
	}
	return r;
}

/* Reading. */

static void free_reader(struct archive **archive)
{
	(void) archive_read_free(*archive);
}

struct unpack {
	struct archive *archive;
	int dir_fd;
	struct head left;	/* what is still to come */
};

/* What libarchive can't make sense of is not a dump; what it couldn't read may be one. */
static int read_error(struct archive *archive)
{
	int error = archive_errno(archive);

	return error == ENOMEM || error == EIO || error == EISDIR ? -error : -EBADMSG;
}

static int next_entry(struct unpack *unpack, struct archive_entry **ret_entry)
{
	int r = archive_read_next_header(unpack->archive, ret_entry);

	if (r == ARCHIVE_EOF)
		return INCIDENT_END;
	return r == ARCHIVE_OK ? 0 : read_error(unpack->archive);
}

/* A regular file with a size, and no more. */
static bool is_plain(struct archive_entry *entry)
{
	return archive_entry_pathname(entry) && archive_entry_filetype(entry) == AE_IFREG &&
	       !archive_entry_hardlink(entry) && !archive_entry_symlink(entry) &&
	       archive_entry_sparse_count(entry) == 0 && archive_entry_size_is_set(entry) &&
	       archive_entry_size(entry) >= 0;
}

static int read_head(struct unpack *unpack)
{
	struct archive_entry *entry;
	char text[HEAD_SIZE + 1];
	la_ssize_t n;
	int r;

	r = next_entry(unpack, &entry);
	if (r)
		return r < 0 ? r : -EBADMSG;
	if (!is_plain(entry) || strcmp(archive_entry_pathname(entry), NAME_HEAD) != 0 ||
	    archive_entry_size(entry) > HEAD_SIZE)
		return -EBADMSG;
	n = archive_read_data(unpack->archive, text, HEAD_SIZE);
	if (n < 0)
		return read_error(unpack->archive);
	text[n] = '\0';
	return parse_head(text, &unpack->left);
}

static int check_space(const struct unpack *unpack)
{
	struct statvfs st;

	if (fstatvfs(unpack->dir_fd, &st) < 0)
		return -errno;
	/* By division: what is announced may be any number. */
	return unpack->left.bytes / st.f_frsize >= st.f_bavail ? -ENOSPC : 0;
}

/* Makes the member's directory if it is the first in it, and the file. */
static int create_member(struct unpack *unpack, const char *path)
{
	const char *slash = strchr(path, '/');
	char name[NAME_DOMAIN_SIZE];
	int fd;

	if (slash) {
		(void) snprintf(name, sizeof(name), "%.*s", (int)(slash - path), path);
		if (mkdirat(unpack->dir_fd, name, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	fd = openat(unpack->dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return errno == EEXIST ? -EBADMSG : -errno;
	return fd;
}

static int copy_member(struct unpack *unpack, int fd, uint64_t size)
{
	uint64_t done = 0;

	for (;;) {
		const void *data;
		la_int64_t offset;
		size_t len;
		int r;

		r = archive_read_data_block(unpack->archive, &data, &len, &offset);
		if (r == ARCHIVE_EOF)
			return done == size ? 0 : -EBADMSG;
		if (r != ARCHIVE_OK)
			return read_error(unpack->archive);
		if ((uint64_t)offset != done || len > size - done)
			return -EBADMSG;
		r = tree_pwrite(fd, data, len, done);
		if (r < 0)
			return r;
		done += len;
	}
}

static int unpack_member(struct unpack *unpack, struct archive_entry *entry)
{
	autoclean(closep) int fd = -1;
	uint64_t size;

	if (!is_plain(entry) || !name_is_member(archive_entry_pathname(entry)))
		return -EBADMSG;
	size = (uint64_t)archive_entry_size(entry);
	if (unpack->left.n_files == 0 || size > unpack->left.bytes)
		return -EBADMSG;
	unpack->left.n_files--;
	unpack->left.bytes -= size;
	fd = create_member(unpack, archive_entry_pathname(entry));
	return fd < 0 ? fd : copy_member(unpack, fd, size);
}

static int unpack_all(struct unpack *unpack)
{
	struct archive_entry *entry;
	int r;

	r = read_head(unpack);
	if (r == 0)
		r = check_space(unpack);
	if (r < 0)
		return r;
	while ((r = next_entry(unpack, &entry)) == 0) {
		r = unpack_member(unpack, entry);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return r;
	return unpack->left.n_files || unpack->left.bytes ? -EBADMSG : 0;
}

/* Unpacks the archive into @dir_fd; @ret_id gets its id. */
static int read_archive(int fd, int dir_fd, char ret_id[static NAME_MAX + 1])
{
	autoclean(free_reader) struct archive *archive = archive_read_new();
	struct unpack unpack = { .archive = archive, .dir_fd = dir_fd };
	int r;

	if (!archive)
		return -errno;
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(archive) != ARCHIVE_OK ||
	    archive_read_open_fd(archive, fd, COPY_SIZE) != ARCHIVE_OK)
		return read_error(archive);
	r = unpack_all(&unpack);
	if (r == 0)
		memcpy(ret_id, unpack.left.id, sizeof(unpack.left.id));
	return r;
}

/* A new directory of ours, by a name that holds wherever the process goes. */
static int make_tmp_dir(const char *tmp_dir, char **ret_path)
{
	autoclean(freep) char *real = NULL;
	autoclean(freep) char *path = NULL;

	if (!tmp_dir)
		tmp_dir = secure_getenv("TMPDIR");
	real = realpath(tmp_dir ? tmp_dir : "/var/tmp", NULL);
	if (!real)
		return -errno;
	if (asprintf(&path, "%s/blackbox-XXXXXX", real) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(path))
		return -errno;
	*ret_path = MOVE(path);
	return 0;
}

int dump_unpack(int fd, const char *tmp_dir, struct incident **ret_incident)
{
	autoclean(freep) char *path = NULL;
	autoclean(closep) int dir_fd = -1;
	char id[NAME_MAX + 1];
	int r;

	r = make_tmp_dir(tmp_dir, &path);
	if (r < 0)
		return r;
	r = tree_open_dir(AT_FDCWD, path, &dir_fd);
	if (r == 0)
		r = read_archive(fd, dir_fd, id);
	if (r == 0)
		r = incident_open_as(path, id, ret_incident);
	if (r < 0) {
		(void) tree_remove(AT_FDCWD, path);
		return r;
	}
	(*ret_incident)->temporary = true;
	return 0;
}

int incident_open_dump(const char *path, const char *tmp_dir, struct incident **ret_incident)
{
	autoclean(closep) int fd = -1;

	/* The user's own path: a link to a dump is as good as the dump. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;
	return dump_unpack(fd, tmp_dir, ret_incident);
}
