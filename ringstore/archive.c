/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libarchive, loaded when an archive is first made or read. Linked, it and what it needs are
 * half of the time that blackboxctl takes to start, also to start a recording.
 *
 * The functions that dump.c calls stand here by their names: each jumps on to libarchive's.
 * The one that is missing here is missed by the linker.
 */
#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

/* Before libarchive is there, what has got no archive can still be called to free it. */
__attribute__((used)) static int not_loaded(void)
{
	return ARCHIVE_OK;
}

#define EACH(DO) \
	DO(archive_entry_filetype) DO(archive_entry_free) DO(archive_entry_hardlink) \
	DO(archive_entry_new) DO(archive_entry_pathname) DO(archive_entry_set_filetype) \
	DO(archive_entry_set_mtime) DO(archive_entry_set_pathname) DO(archive_entry_set_perm) \
	DO(archive_entry_set_size) DO(archive_entry_size) DO(archive_entry_size_is_set) \
	DO(archive_entry_sparse_count) DO(archive_entry_symlink) DO(archive_errno) \
	DO(archive_read_data) DO(archive_read_data_block) DO(archive_read_free) \
	DO(archive_read_next_header) DO(archive_read_open_fd) DO(archive_read_support_filter_zstd) \
	DO(archive_read_support_format_tar) DO(archive_write_add_filter_zstd) DO(archive_write_close) \
	DO(archive_write_data) DO(archive_write_free) DO(archive_write_header) \
	DO(archive_write_open_fd) DO(archive_write_set_bytes_in_last_block) \
	DO(archive_write_set_format_pax_restricted) DO(archive_write_set_options)

/* Arguments and results pass through untouched. */
#define JUMP(name)                                                        \
	__attribute__((used)) static void *to_##name = (void *)not_loaded; \
	__asm__(".pushsection .text\n"                                     \
		".globl " #name "\n"                                       \
		".type " #name ", @function\n"                             \
		#name ": jmp *to_" #name "(%rip)\n"                        \
		".popsection\n");
EACH(JUMP)

static const struct {
	const char *name;
	void **to;
} jumps[] = {
#define ROW(name) { #name, &to_##name },
	EACH(ROW)
};

/* The functions that everything else begins with: NULL, and errno, if there is no libarchive. */
static void *begin(const char *name)
{
	void *library = dlopen(ARCHIVE_SONAME, RTLD_NOW | RTLD_NODELETE), *found;

	for (size_t i = 0; library && i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		found = dlsym(library, jumps[i].name);
		if (!found)
			library = NULL;
		else
			*jumps[i].to = found;
	}
	found = library ? dlsym(library, name) : NULL;
	if (!found)
		errno = ELIBACC;
	return found;
}

struct archive *archive_write_new(void)
{
	struct archive *(*libarchive_s)(void) = (struct archive *(*)(void))begin("archive_write_new");

	return libarchive_s ? libarchive_s() : NULL;
}

struct archive *archive_read_new(void)
{
	struct archive *(*libarchive_s)(void) = (struct archive *(*)(void))begin("archive_read_new");

	return libarchive_s ? libarchive_s() : NULL;
}
