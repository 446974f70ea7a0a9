/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/objects.h"

enum { BATCH = 256 };		/* pages handed to the sink at once */

#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_FILE (UINT64_C(1) << 61)	/* of a file, or shared anonymous */
#define PAGEMAP_FRAME ((UINT64_C(1) << 55) - 1)	/* or the place in a swap area; 0: not shown */

struct capture {
	struct capture_sink sink;
	pid_t pid;
	int mem, pagemap;
	int before;			/* pagemap of another, or -1; not ours */
	bool sees_frames;
	uint64_t n_read;
	int shared;			/* of mapping shared_map - 1, or -1 */
	size_t shared_map;
	uint64_t base, vdso;

	struct image_map *maps;
	size_t n_maps, n_urgent;	/* the first n_urgent are read first */
	char *text;
	size_t text_len;
	struct thread_view *threads;
	size_t n_threads;
	struct objects *objects;
	unsigned missing_files;

	size_t map;			/* where the reading is */
	uint64_t at;
	bool has_twins;			/* the present mapping's object has others, too */

	uint64_t addresses[BATCH];
	size_t n_addresses;
	uint8_t *bytes;			/* BATCH pages */
	size_t n_bytes;
};

struct capture *capture_close(struct capture *c)
{
	if (!c)
		return NULL;
	closep(&c->mem);
	closep(&c->pagemap);
	closep(&c->shared);
	free(c->maps);
	free(c->text);
	free(c->threads);
	c->objects = objects_free(c->objects);
	free(c->bytes);
	free(c);
	return NULL;
}

static void capture_closep(struct capture **c)
{
	(void) capture_close(*c);
}

static int open_proc(pid_t pid, const char *name, int *ret_fd)
{
	char path[96];
	int fd;

	(void) snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* -- mappings --------------------------------------------------------------------------------- */

/* One line of /proc/PID/maps. */
struct line {
	uint64_t start, end, offset, ino;
	unsigned major, minor;
	char perms[5];
	const char *path;
};

static bool parse_line(char *text, struct line *ret)
{
	int path = 0;

	if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &ret->start,
		   &ret->end, ret->perms, &ret->offset, &ret->major, &ret->minor, &ret->ino, &path) < 7)
		return false;
	text[strcspn(text, "\n")] = '\0';
	ret->path = path ? text + path : "";
	return ret->start < ret->end;
}

static bool inside(const struct line *line, uint64_t start, uint64_t len)
{
	return line->start >= start && line->end <= start + len;
}

/* What replay makes by itself, or what nobody can read. */
static bool is_left_out(const struct capture *c, const struct line *line)
{
	if (inside(line, c->base, AGENT_REGION))
		return !inside(line, c->base + AGENT_PROCESS, AGENT_SCRATCH - AGENT_PROCESS);
	return inside(line, c->vdso, AGENT_VDSO_LEN) || strncmp(line->path, "[vvar", 5) == 0 ||
	       strcmp(line->path, "[vdso]") == 0 || strcmp(line->path, "[vsyscall]") == 0;
}

/* A large file that is only read: replay maps it privately from the incident's copy. */
static bool is_by_reference(const struct line *line, const struct mapped_object *object)
{
	return !object && line->perms[1] != 'w' && line->path[0] == '/' &&
	       strncmp(line->path, "/dev/", 5) != 0 && strncmp(line->path, "/memfd:", 7) != 0 &&
	       strncmp(line->path, "/SYSV", 5) != 0;
}

static uint32_t kind_of(const struct capture *c, const struct line *line,
			const struct mapped_object *object)
{
	if (inside(line, c->base, AGENT_REGION))
		return IMAGE_AGENT;
	if (line->perms[3] == 's' && !is_by_reference(line, object))
		return IMAGE_SHARED;
	/* What is private of /dev/zero has a name, and is no file's. */
	if (line->ino && strcmp(line->path, "/dev/zero") != 0)
		return object && (object->flags & MAPPED_CHANGES) ? IMAGE_OBJECT : IMAGE_FILE;
	return strcmp(line->path, "[stack]") == 0 ? IMAGE_STACK : IMAGE_ANONYMOUS;
}

static uint32_t prot_of(const struct line *line)
{
	return (line->perms[0] == 'r' ? PROT_READ : 0) | (line->perms[1] == 'w' ? PROT_WRITE : 0) |
	       (line->perms[2] == 'x' ? PROT_EXEC : 0);
}

static int add_text(struct capture *c, const char *path, struct image_map *row)
{
	size_t len = strlen(path);
	char *text;

	if (len == 0)
		return 0;
	text = realloc(c->text, c->text_len + len);
	if (!text)
		return -ENOMEM;
	memcpy(text + c->text_len, path, len);
	c->text = text;
	row->path = le32_of((uint32_t)c->text_len);
	row->path_len = le32_of((uint32_t)len);
	c->text_len += len;
	return 0;
}

static bool is_same_object(const struct image_map *a, const struct image_map *b)
{
	uint32_t kind = le32_get(b->kind);

	return (kind == IMAGE_SHARED || kind == IMAGE_OBJECT) &&
	       le64_get(a->ino) == le64_get(b->ino) && le64_get(a->dev) == le64_get(b->dev);
}

/* The file behind a mapping, if it is one: opening a device may do things. Not permitted: false. */
static bool stat_mapped(const struct capture *c, uint64_t start, uint64_t end, struct stat *ret)
{
	char path[96];

	(void) snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, c->pid, start, end);
	return stat(path, ret) == 0 && S_ISREG(ret->st_mode);
}

static int open_mapped(const struct capture *c, uint64_t start, uint64_t end)
{
	char name[64];
	struct stat st;
	int fd = -1;

	(void) snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, start, end);
	if (stat_mapped(c, start, end, &st))
		(void) open_proc(c->pid, name, &fd);
	return fd;
}

/*
 * Which mappings are one memory, and how large that is. What processes share is often many
 * mappings, one behind another.
 */
static void identify(const struct capture *c, const struct line *line,
		     const struct mapped_object *object, struct image_map *row)
{
	struct stat st;

	row->dev = le64_of(object ? object->dev : makedev(line->major, line->minor));
	row->ino = le64_of(object ? object->ino : line->ino);
	row->size = le64_of(object ? object->size : IMAGE_ANY_SIZE);
	if (row > c->maps && is_same_object(row, row - 1))
		row->size = row[-1].size;
	else if (stat_mapped(c, line->start, line->end, &st))
		row->size = le64_of((uint64_t)st.st_size);
}

static int add_map(struct capture *c, pid_t pid, struct files *files, const struct line *line)
{
	const struct mapped_object *object = objects_at(c->objects, line->start);
	uint32_t kind = kind_of(c, line, object);
	struct image_map *maps, *row;

	maps = realloc(c->maps, (c->n_maps + 1) * sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	c->maps = maps;
	row = &maps[c->n_maps++];
	*row = (struct image_map){
		.start = le64_of(line->start),
		.end = le64_of(line->end),
		.offset = le64_of(line->offset),
		.prot = le32_of(objects_prot(c->objects, line->start, prot_of(line))),
		.kind = le32_of(kind),
	};
	if (kind == IMAGE_FILE) {
		const struct mapped_file *file =
			files_of_mapping(files, pid, line->start, line->end,
					 makedev(line->major, line->minor), line->ino, line->path);

		if (file) {
			row->dev = le64_of(file->id.dev);
			row->ino = le64_of(file->id.ino);
			row->size = le64_of(file->id.size);
			row->mtime_ns = le64_of(file->id.mtime_ns);
		} else {
			c->missing_files++;
		}
	} else if (kind == IMAGE_SHARED || kind == IMAGE_OBJECT) {
		identify(c, line, object, row);
	}
	return add_text(c, line->path, row);
}

/* What the program has protected in different ways may be one mapping, as the agent protects it. */
static int add_maps(struct capture *c, pid_t pid, struct files *files, const struct line *line)
{
	const struct mapped_object *object = objects_at(c->objects, line->start);
	struct line piece = *line;
	int r = 0;

	if (!object || !(object->flags & MAPPED_BY_TURNS))
		return add_map(c, pid, files, line);
	for (; r == 0 && piece.start < line->end; piece.start = piece.end) {
		piece.end = objects_prot_end(c->objects, piece.start, line->end);
		piece.offset = line->offset + (piece.start - line->start);
		r = add_map(c, pid, files, &piece);
	}
	return r;
}

/* What the service waits for: it changes under the child, and the child's hold on it shows. */
static bool is_urgent(const struct image_map *row)
{
	uint32_t kind = le32_get(row->kind);

	return kind == IMAGE_SHARED || kind == IMAGE_OBJECT;
}

static int urgent_first(const void *a, const void *b)
{
	const struct image_map *x = a, *y = b;
	uint64_t i = le64_get(x->start), j = le64_get(y->start);

	if (is_urgent(x) != is_urgent(y))
		return is_urgent(x) ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int read_maps(struct capture *c, pid_t pid, struct files *files)
{
	char path[64];
	autoclean(freep) char *text = NULL;
	autoclean(fclosep) FILE *file = NULL;
	size_t size = 0;
	int r;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (getline(&text, &size, file) > 0) {
		struct line line;

		if (!parse_line(text, &line))
			return -EBADMSG;
		if (is_left_out(c, &line))
			continue;
		r = add_maps(c, pid, files, &line);
		if (r < 0)
			return r;
	}
	if (c->n_maps == 0)
		return -ESRCH;	/* it is dead: a zombie has no maps */
	qsort(c->maps, c->n_maps, sizeof(c->maps[0]), urgent_first);
	while (c->n_urgent < c->n_maps && is_urgent(&c->maps[c->n_urgent]))
		c->n_urgent++;
	return 0;
}

int capture_open(pid_t pid, const struct agent_config *config, struct files *files,
		 const struct capture_sink *sink, struct capture **ret_capture)
{
	autoclean(capture_closep) struct capture *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->mem = c->pagemap = c->shared = c->before = -1;
	c->pid = pid;
	c->sink = *sink;
	c->base = config->base;
	c->vdso = config->vdso;
	c->bytes = malloc(BATCH * IMAGE_PAGE);
	if (!c->bytes)
		return -ENOMEM;
	r = open_proc(pid, "mem", &c->mem);
	if (r < 0)
		return r;
	r = open_proc(pid, "pagemap", &c->pagemap);
	if (r < 0)
		return r;
	r = objects_read(c->mem, config->base, &c->objects);
	if (r < 0)
		return r;
	r = read_maps(c, pid, files);
	if (r < 0)
		return r;
	r = threads_read(c->mem, config, &c->threads, &c->n_threads);
	if (r < 0)
		return r;
	r = sink->maps(sink->userdata, c->maps, c->n_maps, c->text, c->text_len);
	if (r < 0)
		return r;
	c->at = le64_get(c->maps[0].start);
	*ret_capture = MOVE(c);
	return 0;
}

/* -- pages ---------------------------------------------------------------------------------------- */

/*
 * A shared mapping of a file that has a name: what others wrote may not be mapped here
 * yet. The page tables say nothing of shared memory anyway: a fork copies none for it.
 */
static bool shows_a_file(const struct capture *c, const struct image_map *map)
{
	const char *path = c->text + le32_get(map->path);
	size_t len = le32_get(map->path_len);
	static const char *const unnamed[] = { "/dev/zero", "/memfd:", "/SYSV" };

	if (le32_get(map->kind) != IMAGE_SHARED || len == 0)
		return false;
	for (size_t i = 0; i < sizeof(unnamed) / sizeof(unnamed[0]); i++)
		if (len >= strlen(unnamed[i]) && memcmp(path, unnamed[i], strlen(unnamed[i])) == 0)
			return false;
	return true;
}

/* Anonymous shared memory is a file, too, and that one knows its holes. */
static void open_shared(struct capture *c, const struct image_map *map)
{
	if (c->shared_map == c->map + 1)
		return;
	if (c->shared >= 0 && is_same_object(map, &c->maps[c->shared_map - 1])) {
		c->shared_map = c->map + 1;
		return;
	}
	c->shared_map = c->map + 1;
	closep(&c->shared);
	c->shared = open_mapped(c, le64_get(map->start), le64_get(map->end));
}

/* The first page from @address on that isn't in a hole of the shared memory at @map. */
static uint64_t skip_hole(struct capture *c, const struct image_map *map, uint64_t address)
{
	uint64_t start = le64_get(map->start), offset = le64_get(map->offset);
	off_t data;

	open_shared(c, map);
	if (c->shared < 0)
		return address;
	data = lseek(c->shared, (off_t)(offset + address - start), SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? UINT64_MAX : address;
	return start + ((uint64_t)data - offset) / IMAGE_PAGE * IMAGE_PAGE;
}

static uint64_t offset_behind(const struct image_map *map)
{
	return le64_get(map->offset) + le64_get(map->end) - le64_get(map->start);
}

/* Some page of it is mapped elsewhere, too. */
static bool has_twins(const struct capture *c, const struct image_map *map)
{
	for (size_t i = 0; i < c->n_urgent; i++)
		if (i != c->map && is_same_object(map, &c->maps[i]) &&
		    le64_get(map->offset) < offset_behind(&c->maps[i]) &&
		    le64_get(c->maps[i].offset) < offset_behind(map))
			return true;
	return false;
}

/*
 * Is this page of shared memory read by another mapping of it? The first one does, in the
 * order of addresses, or a shared one instead of a private one.
 */
static bool is_read_elsewhere(const struct capture *c, const struct image_map *map,
			      uint64_t address)
{
	uint64_t offset = le64_get(map->offset) + (address - le64_get(map->start));

	for (size_t i = 0; c->has_twins && i < c->n_urgent; i++) {
		const struct image_map *other = &c->maps[i];
		uint32_t kind = le32_get(other->kind);

		if (!is_same_object(map, other) ||
		    offset - le64_get(other->offset) >= le64_get(other->end) - le64_get(other->start))
			continue;
		if (i < c->map ? kind == IMAGE_SHARED || le32_get(map->kind) == IMAGE_OBJECT :
				 kind == IMAGE_SHARED && le32_get(map->kind) == IMAGE_OBJECT)
			return true;
	}
	return false;
}

/* Does the page hold what the mapping alone wouldn't give? */
static bool is_wanted(uint64_t entry, uint32_t kind)
{
	if (kind == IMAGE_SHARED)
		return true;
	if (!(entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)))
		return false;
	return (kind != IMAGE_FILE && kind != IMAGE_OBJECT) || !(entry & PAGEMAP_FILE);
}

static bool is_zero(const uint8_t *bytes)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, IMAGE_PAGE - 1) == 0;
}

static int flush(struct capture *c, const struct image_map *map)
{
	int r = 0;

	if (c->n_addresses)
		r = c->sink.pages(c->sink.userdata, map, c->addresses, c->n_addresses, c->bytes);
	c->n_addresses = 0;
	c->n_bytes = 0;
	return r;
}

/*
 * Do the two have one page here? A frame that both map now has what both had at the fork:
 * nobody writes to it, for the kernel copies it for who wants to. @again is @before, read
 * once more: the kernel may move pages, and give a frame to another meanwhile.
 */
static bool is_same_page(uint64_t before, uint64_t entry, uint64_t again)
{
	const uint64_t looked_at = PAGEMAP_PRESENT | PAGEMAP_SWAPPED | PAGEMAP_FILE | PAGEMAP_FRAME;

	return (entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) && (entry & PAGEMAP_FRAME) &&
	       !(entry & PAGEMAP_FILE) && ((before ^ entry) & looked_at) == 0 && ((again ^ entry) & looked_at) == 0;
}

/* Takes out of @entries, of @n pages, those that are kept. */
static int keep_pages(struct capture *c, const struct image_map *map, const uint64_t *before,
		      uint64_t *entries, size_t n)
{
	uint64_t again[BATCH];
	ssize_t got = pread(c->before, again, n * 8, (off_t)(c->at / IMAGE_PAGE * 8));

	/* It has ended: nothing is known. */
	if (got != (ssize_t)(n * 8))
		return 0;
	for (size_t i = 0; i < n; i++) {
		int r;

		if (!is_same_page(before[i], entries[i], again[i]))
			continue;
		r = c->sink.keep(c->sink.userdata, map, c->at + i * IMAGE_PAGE);
		if (r < 0)
			return r;
		if (r == CAPTURE_KEPT)
			entries[i] = 0;
	}
	return 0;
}

/* The pagemap of the next @n pages, less those that are kept. */
static int read_entries(struct capture *c, const struct image_map *map, uint64_t *entries, size_t n)
{
	uint32_t kind = le32_get(map->kind);
	off_t at = (off_t)(c->at / IMAGE_PAGE * 8);
	uint64_t before[BATCH];
	bool compares = c->before >= 0 && kind != IMAGE_SHARED && kind != IMAGE_OBJECT;
	ssize_t got;

	if (compares && pread(c->before, before, n * 8, at) != (ssize_t)(n * 8))
		compares = false;
	got = pread(c->pagemap, entries, n * 8, at);
	if (got != (ssize_t)(n * 8))
		return got < 0 ? -errno : -ESRCH;
	for (size_t i = 0; i < n && !c->sees_frames; i++)
		c->sees_frames = (entries[i] & PAGEMAP_PRESENT) && (entries[i] & PAGEMAP_FRAME);
	return compares ? keep_pages(c, map, before, entries, n) : 0;
}

/* Adds a page that has been read to the batch: zeroes are only listed where it matters. */
static void add_page(struct capture *c, uint64_t address, uint32_t kind, const uint8_t *bytes)
{
	if (!is_zero(bytes)) {
		memmove(c->bytes + c->n_bytes, bytes, IMAGE_PAGE);
		c->n_bytes += IMAGE_PAGE;
		c->addresses[c->n_addresses++] = address;
	} else if (kind == IMAGE_FILE || kind == IMAGE_OBJECT) {
		c->addresses[c->n_addresses++] = address | IMAGE_ZERO;
	}
}

/* Reads a run of wanted pages, which fits into the batch. */
static int read_run(struct capture *c, uint64_t start, size_t pages, uint32_t kind)
{
	uint8_t *to = c->bytes + c->n_bytes;
	size_t len = pages * IMAGE_PAGE, done = 0;

	while (done < len) {
		ssize_t n = pread(c->mem, to + done, len - done, (off_t)(start + done));

		/* Behind the end of a shared file there is nothing. */
		if (n <= 0 && kind == IMAGE_SHARED)
			return 0;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;	/* an unreadable page is never a zero page */
		done += (size_t)n;
	}
	c->n_read += pages;
	for (size_t i = 0; i < pages; i++)
		add_page(c, start + i * IMAGE_PAGE, kind, to + i * IMAGE_PAGE);
	return 0;
}

/* What the file has at a page of a private mapping; @entry tells if the mapping shows it. */
static void read_behind(struct capture *c, const struct image_map *map, uint64_t address,
			uint64_t entry)
{
	uint8_t *page = c->bytes + c->n_bytes;
	uint64_t offset = le64_get(map->offset) + (address - le64_get(map->start));
	ssize_t n = -1;

	if (is_read_elsewhere(c, map, address))
		return;
	open_shared(c, map);
	if (c->shared >= 0)
		n = pread(c->shared, page, IMAGE_PAGE, (off_t)offset);
	else if (!is_wanted(entry, IMAGE_OBJECT))
		n = pread(c->mem, page, IMAGE_PAGE, (off_t)address);
	if (n <= 0)	/* behind its end */
		return;
	memset(page + n, 0, (size_t)(IMAGE_PAGE - n));
	add_page(c, address | IMAGE_BEHIND, IMAGE_SHARED, page);
}

/* Of a private mapping of a file that changes: pages of its own, and the file's. */
static int read_object(struct capture *c, const struct image_map *map, const uint64_t *entries,
		       size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t address = c->at + i * IMAGE_PAGE;
		int r = is_wanted(entries[i], IMAGE_OBJECT) ? read_run(c, address, 1, IMAGE_OBJECT) : 0;

		if (r < 0)
			return r;
		if (c->sink.wants_behind)
			read_behind(c, map, address, entries[i]);
	}
	c->at += n * IMAGE_PAGE;
	return flush(c, map);
}

/* Shared memory that another process has: nothing here depends on what is in it now. */
static bool is_anothers(const struct capture *c, const struct image_map *map)
{
	const struct mapped_object *object;

	if (le32_get(map->kind) != IMAGE_SHARED || le32_get(map->prot) != PROT_NONE)
		return false;
	object = objects_at(c->objects, le64_get(map->start));
	return object && (object->flags & MAPPED_HANDED);
}

/* The next batch's worth of the present mapping. */
static int read_batch(struct capture *c, const struct image_map *map)
{
	uint64_t entries[BATCH], end = le64_get(map->end);
	size_t n = (end - c->at) / IMAGE_PAGE, i = 0;
	uint32_t kind = le32_get(map->kind);
	bool has_holes = kind == IMAGE_SHARED && !shows_a_file(c, map), same[BATCH] = { false };
	int r;

	if (is_anothers(c, map)) {
		c->at = end;
		return 0;
	}
	if (c->at == le64_get(map->start) && (kind == IMAGE_SHARED || kind == IMAGE_OBJECT))
		c->has_twins = has_twins(c, map);
	if (has_holes) {
		uint64_t data = skip_hole(c, map, c->at);

		c->at = data < end ? data : end;
		n = (end - c->at) / IMAGE_PAGE;
	}
	if (n > BATCH)
		n = BATCH;
	if (kind == IMAGE_OBJECT && n > BATCH / 2)
		n = BATCH / 2;
	r = read_entries(c, map, entries, n);
	if (r < 0)
		return r;
	if (kind == IMAGE_OBJECT)
		return read_object(c, map, entries, n);
	if (kind == IMAGE_SHARED && c->sink.compare_shared)
		c->sink.compare_shared(c->sink.userdata, map, c->at, n, same);
	while (i < n) {
		size_t run;

		r = same[i] ? c->sink.keep(c->sink.userdata, map, c->at + i * IMAGE_PAGE) : CAPTURE_READ;
		if (r < 0)
			return r;
		if (r == CAPTURE_KEPT) {
			i++;
			continue;
		}
		if (has_holes) {
			uint64_t skipped = (skip_hole(c, map, c->at + i * IMAGE_PAGE) - c->at) / IMAGE_PAGE;

			i = skipped < n ? skipped : n;
		}
		if (i < n && kind == IMAGE_SHARED && is_read_elsewhere(c, map, c->at + i * IMAGE_PAGE)) {
			i++;
			continue;
		}
		run = i;
		/* Each page of a shared mapping for itself: one may be behind the file's end. */
		while (run < n && is_wanted(entries[run], kind) &&
		       (kind != IMAGE_SHARED || run == i))
			run++;
		if (run > i) {
			r = read_run(c, c->at + i * IMAGE_PAGE, run - i, kind);
			if (r < 0)
				return r;
		}
		i = run > i && kind == IMAGE_SHARED ? run : run + 1;
	}
	c->at += n * IMAGE_PAGE;
	return flush(c, map);
}

int capture_step(struct capture *c, size_t max_bytes)
{
	uint64_t begin = c->n_read;

	/* To look at an entry is a small part of reading a page. */
	for (size_t n = 0; (c->n_read - begin) * IMAGE_PAGE + n * BATCH * 64 < max_bytes; n++) {
		const struct image_map *map;
		int r;

		while (c->map < c->n_maps && c->at >= le64_get(c->maps[c->map].end)) {
			c->map++;
			if (c->map < c->n_maps)
				c->at = le64_get(c->maps[c->map].start);
			if (c->map == c->n_urgent)
				return c->map == c->n_maps ? CAPTURE_DONE : 0;
		}
		if (c->map == c->n_maps)
			return CAPTURE_DONE;
		map = &c->maps[c->map];
		r = read_batch(c, map);
		if (r < 0)
			return r;
	}
	return 0;
}

bool capture_urgent_is_done(const struct capture *c)
{
	return c->map >= c->n_urgent;
}

size_t capture_held_mappings(const struct capture *c, struct agent_range *to, size_t max)
{
	size_t n = c->n_urgent < max ? c->n_urgent : max;

	for (size_t i = 0; i < n; i++)
		to[i] = (struct agent_range){ le64_get(c->maps[i].start), le64_get(c->maps[i].end) };
	return n;
}

size_t capture_file_mappings(const struct capture *c, struct agent_range *to, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_maps; i++) {
		uint64_t start = le64_get(c->maps[i].start), end = le64_get(c->maps[i].end);

		if (le32_get(c->maps[i].kind) != IMAGE_FILE)
			continue;
		if (n && to[n - 1].end == start)
			to[n - 1].end = end;
		else if (n < max)
			to[n++] = (struct agent_range){ start, end };
	}
	return n;
}

void capture_compare(struct capture *c, int before)
{
	c->before = before;
}

int capture_take_pagemap(struct capture *c)
{
	return MOVE_FD(c->pagemap);
}

bool capture_sees_frames(const struct capture *c)
{
	return c->sees_frames;
}

uint64_t capture_pages_read(const struct capture *c)
{
	return c->n_read;
}

unsigned capture_missing_files(const struct capture *c)
{
	return c->missing_files;
}

const struct thread_view *capture_threads(const struct capture *c, size_t *ret_n)
{
	*ret_n = c->n_threads;
	return c->threads;
}

int capture_dead_stacks(const struct capture *c, struct dead_stack **ret_dead, size_t *ret_n)
{
	struct dead_stack *dead = calloc(c->n_threads + 1, sizeof(*dead));
	size_t n = 0;

	if (!dead)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_threads; i++) {
		uint64_t sp = c->threads[i].regs[REG_RSP_];

		for (size_t j = 0; j < c->n_maps; j++) {
			const struct image_map *map = &c->maps[j];

			if (sp < le64_get(map->start) || sp >= le64_get(map->end) ||
			    le32_get(map->kind) == IMAGE_AGENT)
				continue;
			dead[n++] = dead_stack_below(sp, le64_get(map->start), le32_get(map->kind));
		}
	}
	*ret_dead = dead;
	*ret_n = n;
	return 0;
}

uint64_t capture_pages_left(const struct capture *c)
{
	uint64_t n = 0;

	for (size_t i = c->map; i < c->n_maps; i++)
		n += (le64_get(c->maps[i].end) - (i == c->map ? c->at : le64_get(c->maps[i].start))) /
		     IMAGE_PAGE;
	return n;
}
