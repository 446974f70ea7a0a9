/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/gdb-objects.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "replay/internal.h"
#include "replay/session-internal.h"

enum {
	MAX_AUXV = 64,		/* entries; kernels have about 25 */
	MAX_LIBRARIES = 4096,
	MAX_DYNAMIC = 512,	/* entries of a dynamic section */
};

static bool read_all(const struct session *s, uint64_t address, void *to, size_t len)
{
	return session_read(s, address, to, len) == (ssize_t)len;
}

static bool is_agents(const struct session *s, uint64_t address)
{
	return address - s->config.base < AGENT_REGION;
}

/* -- the auxiliary vector ----------------------------------------------------------------------- */

static bool is_vector(const Elf64_auxv_t *v, size_t n, size_t *ret_n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].a_type == AT_NULL) {
			*ret_n = i + 1;
			return i > 8;
		}
		if (v[i].a_type > 64)
			return false;
	}
	return false;
}

/*
 * The kernel puts it at the top of the stack and begins it with the vDSO's address, which
 * is known. It is looked for in the mapping's last pages first.
 */
static int find_auxv(const struct session *s, uint64_t start, uint64_t end, Elf64_auxv_t *v, size_t *ret_n)
{
	enum { STEP = 1 << 16, OVERLAP = MAX_AUXV * sizeof(*v) };
	static uint64_t const key = AT_SYSINFO_EHDR;
	autoclean(freep) uint64_t *words = malloc(STEP + OVERLAP);

	if (!words)
		return -ENOMEM;
	for (uint64_t top = end; top > start;) {
		uint64_t at = top - start > STEP ? top - STEP : start;
		size_t len = (size_t)(top - at) + (end - top < OVERLAP ? (size_t)(end - top) : OVERLAP);
		ssize_t n = session_read(s, at, words, len);

		for (size_t i = n > 0 ? (size_t)n / 8 : 0; i-- > 1;) {
			if (words[i] != s->config.vdso || words[i - 1] != key)
				continue;
			memset(v, 0xff, MAX_AUXV * sizeof(*v));
			(void) session_read(s, at + (i - 1) * 8, v, MAX_AUXV * sizeof(*v));
			if (is_vector(v, MAX_AUXV, ret_n))
				return 0;
		}
		top = at;
	}
	return -ENOENT;
}

static int read_auxv(const struct session *s, Elf64_auxv_t *v, size_t *ret_n)
{
	for (size_t i = s->n_rows; i-- > 0;) {
		const struct image_map *row = &s->rows[i];

		if (le32_get(row->kind) == IMAGE_STACK &&
		    find_auxv(s, le64_get(row->start), le64_get(row->end), v, ret_n) == 0)
			return 0;
	}
	return -ENOENT;
}

int gdb_auxv(const struct session *s, char **ret_bytes, size_t *ret_len)
{
	Elf64_auxv_t v[MAX_AUXV];
	size_t n;
	int r = read_auxv(s, v, &n);
	char *bytes;

	if (r < 0)
		return r;
	bytes = malloc(n * sizeof(*v));
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, v, n * sizeof(*v));
	*ret_bytes = bytes;
	*ret_len = n * sizeof(*v);
	return 0;
}

/* -- libraries -------------------------------------------------------------------------------------- */

static uint64_t auxv_value(const Elf64_auxv_t *v, size_t n, uint64_t type)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].a_type == type)
			return v[i].a_un.a_val;
	return 0;
}

/* The dynamic section of the program, from its headers in memory. */
static uint64_t find_dynamic(const struct session *s, const Elf64_auxv_t *v, size_t n)
{
	uint64_t at = auxv_value(v, n, AT_PHDR), dynamic = 0, bias = 0;
	uint64_t n_headers = auxv_value(v, n, AT_PHNUM);
	bool has_dynamic = false;

	for (uint64_t i = 0; i < n_headers && i < 256; i++) {
		Elf64_Phdr header;

		if (!read_all(s, at + i * sizeof(header), &header, sizeof(header)))
			return 0;
		if (header.p_type == PT_PHDR)
			bias = at - header.p_vaddr;
		if (header.p_type == PT_DYNAMIC) {
			dynamic = header.p_vaddr;
			has_dynamic = true;
		}
	}
	return has_dynamic ? dynamic + bias : 0;
}

struct debug_head {	/* struct r_debug of link.h, as the program has it */
	int32_t version, pad;
	uint64_t map;
};

struct link_entry {	/* struct link_map */
	uint64_t addr, name, ld, next, prev;
};

/* The dynamic linker's list. 0: there is none, or not yet. */
static uint64_t first_link(const struct session *s, uint64_t dynamic)
{
	struct debug_head head;
	Elf64_Dyn entry;

	for (int i = 0; dynamic && i < MAX_DYNAMIC; i++) {
		if (!read_all(s, dynamic + (uint64_t)i * sizeof(entry), &entry, sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			return 0;
		if (entry.d_tag == DT_DEBUG)
			return entry.d_un.d_ptr && read_all(s, entry.d_un.d_ptr, &head, sizeof(head)) ?
				       head.map : 0;
	}
	return 0;
}

static void read_string(const struct session *s, uint64_t address, char *to, size_t size)
{
	ssize_t n = session_read(s, address, to, size - 1);

	to[n > 0 ? n : 0] = '\0';
}

static void put_escaped(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (strchr("<>&\"'", *text))
			(void) fprintf(to, "&#%d;", *text);
		else
			(void) fputc(*text, to);
	}
}

static void put_libraries(const struct session *s, uint64_t link, FILE *to)
{
	struct link_entry entry;
	char name[4096];

	if (!link) {
		(void) fputs("<library-list-svr4 version=\"1.0\"/>", to);
		return;
	}
	(void) fprintf(to, "<library-list-svr4 version=\"1.0\" main-lm=\"0x%" PRIx64 "\">", link);
	for (int i = 0; link && i < MAX_LIBRARIES && read_all(s, link, &entry, sizeof(entry)); i++) {
		/* The first is the program itself; of the vDSO debuggers hear otherwise. */
		if (i > 0 && entry.ld - s->config.vdso >= AGENT_VDSO_LEN) {
			read_string(s, entry.name, name, sizeof(name));
			(void) fputs("<library name=\"", to);
			put_escaped(to, name);
			(void) fprintf(to, "\" lm=\"0x%" PRIx64 "\" l_addr=\"0x%" PRIx64 "\" l_ld=\"0x%" PRIx64
				       "\" lmid=\"0x0\"/>", link, entry.addr, entry.ld);
		}
		link = entry.next;
	}
	(void) fputs("</library-list-svr4>", to);
}

int gdb_libraries(const struct session *s, char **ret_xml, size_t *ret_len)
{
	Elf64_auxv_t v[MAX_AUXV];
	size_t n;
	int r = read_auxv(s, v, &n);
	FILE *to;

	if (r < 0)
		return r;
	to = open_memstream(ret_xml, ret_len);
	if (!to)
		return -ENOMEM;
	put_libraries(s, first_link(s, find_dynamic(s, v, n)), to);
	return fclose(to) == 0 ? 0 : -ENOMEM;
}

/* -- mappings ------------------------------------------------------------------------------------------ */

static const char *recorded_path(const struct session *s, uint64_t dev, uint64_t ino)
{
	struct json_object *list = json_list(s->window->manifest, "files");

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *row = json_object_array_get_idx(list, i);

		if (json_count(row, "dev") == dev && json_count(row, "ino") == ino)
			return json_text(row, "path");
	}
	return "";
}

/* The replay maps copies: which recorded file is behind the one that the kernel names? */
static const char *path_behind(const struct session *s, dev_t dev, uint64_t ino)
{
	for (size_t i = 0; i < s->n_files; i++) {
		struct stat st;

		if (fstat(s->files[i].fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino)
			return recorded_path(s, s->files[i].dev, s->files[i].ino);
	}
	return "";
}

static void put_mapping(const struct session *s, const char *line, FILE *to)
{
	uint64_t start, end, offset, ino;
	unsigned major, minor;
	char prot[8];
	const char *name;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %x:%x %" SCNu64, &start, &end, prot,
		   &offset, &major, &minor, &ino) != 7 ||
	    is_agents(s, start))
		return;
	name = ino ? path_behind(s, makedev(major, minor), ino) : "";
	if (start == s->config.vdso)
		name = "[vdso]";
	(void) fprintf(to, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " %02x:%02x %" PRIu64 " %s\n", start,
		       end, prot, offset, major, minor, ino, name);
}

int gdb_maps(const struct session *s, char **ret_text, size_t *ret_len)
{
	autoclean(fclosep) FILE *file = NULL;
	char path[64], line[4096 + 128];
	FILE *to;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", s->pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	to = open_memstream(ret_text, ret_len);
	if (!to)
		return -ENOMEM;
	while (fgets(line, sizeof(line), file))
		put_mapping(s, line, to);
	return fclose(to) == 0 ? 0 : -ENOMEM;
}
