/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"

#define INTERPRETER "ld-linux-x86-64.so.2"

/* -- the manifest's files ---------------------------------------------------------------------- */

struct file {
	struct json_object *row;
	const char *path, *hash;	/* hash: of the content, or "" */
	uint64_t dev, ino, size, mtime_ns;
};

static struct json_object *files_of(struct window *window, size_t *ret_n)
{
	struct json_object *list = json_list(window->manifest, "files");

	*ret_n = list ? json_object_array_length(list) : 0;
	return list;
}

/* False: no name to go by. The manifest is foreign: a path that climbs isn't followed. */
static bool get_file(struct json_object *list, size_t i, struct file *ret)
{
	struct json_object *row = json_object_array_get_idx(list, i);

	*ret = (struct file){
		.row = row,
		.path = json_text(row, "path"), .hash = json_text(row, "hash"),
		.dev = json_count(row, "dev"), .ino = json_count(row, "ino"),
		.size = json_count(row, "size"), .mtime_ns = json_count(row, "mtime_ns"),
	};
	return ret->path[0] == '/' && !strstr(ret->path, "/..") && !strstr(ret->path, "//");
}

static bool is_here(const struct file *file)
{
	struct stat st;

	return stat(file->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == file->dev &&
	       st.st_ino == file->ino && (uint64_t)st.st_size == file->size &&
	       (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec == file->mtime_ns;
}

static bool all_are_here(struct json_object *list, size_t n)
{
	struct file file;

	for (size_t i = 0; i < n; i++)
		if (get_file(list, i, &file) && *file.hash && !is_here(&file))
			return false;
	return true;
}

/* -- the directory ------------------------------------------------------------------------------- */

static int make_parents(char *path, size_t from)
{
	for (char *p = path + from + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

static int copy_file(struct window *window, const struct file *file, const char *to)
{
	autoclean(closep) int in = -1;
	autoclean(closep) int out = -1;
	int r = window_open_file(window, file->row, &in);
	ssize_t n;

	if (r < 0)	/* gdb goes on without it */
		return r == -ENOENT || r == -ESTALE ? 0 : r;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0)
		return -errno;
	while ((n = sendfile(out, in, NULL, 1 << 30)) > 0)
		;
	return n < 0 ? -errno : 0;
}

static int put_file(struct window *window, const struct file *file, const char *root)
{
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s%s", root, file->path) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = make_parents(path, strlen(root));
	if (r < 0)
		return r;
	if (is_here(file))
		return symlink(file->path, path) < 0 && errno != EEXIST ? -errno : 0;
	return *file->hash ? copy_file(window, file, path) : 0;
}

/* A link at @name below @root; what is there already stays. */
static void link_to(const char *root, const char *name, const char *target)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s%s", root, name) < (int)sizeof(path) &&
	    make_parents(path, strlen(root)) == 0)
		(void) symlink(target, path);
}

/* Programs name their libraries and their interpreter as /lib and /lib64, which are links today. */
static void put_links(struct json_object *list, size_t n, const char *root)
{
	static const char *const names[] = { "lib", "lib64", "bin", "sbin" };
	char target[PATH_MAX];
	struct file file;

	for (size_t i = 0; i < n; i++) {
		const char *base;

		if (!get_file(list, i, &file))
			continue;
		base = strrchr(file.path, '/') + 1;
		if (strcmp(base, INTERPRETER) == 0 &&
		    snprintf(target, sizeof(target), "%s%s", root, file.path) < (int)sizeof(target))
			link_to(root, "/usr/lib64/" INTERPRETER, target);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[16];

		(void) snprintf(name, sizeof(name), "/%s", names[i]);
		(void) snprintf(target, sizeof(target), "usr/%s", names[i]);
		link_to(root, name, target);
	}
}

int sysroot_make(struct window *window, const struct window_domain *domain, const char *dir,
		 char *root, char *exe, size_t size)
{
	size_t n;
	struct json_object *list = files_of(window, &n);

	root[0] = '\0';
	if (snprintf(exe, size, "%s", domain->exe) >= (int)size)
		return -ENAMETOOLONG;
	if (all_are_here(list, n))
		return 0;
	if (snprintf(root, size, "%s/root", dir) >= (int)size ||
	    snprintf(exe, size, "%s%s", root, domain->exe) >= (int)size)
		return -ENAMETOOLONG;
	if (mkdir(root, 0700) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		struct file file;
		int r = get_file(list, i, &file) ? put_file(window, &file, root) : 0;

		if (r < 0)
			return r;
	}
	put_links(list, n, root);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void) st;
	(void) type;
	(void) ftw;
	(void) remove(path);
	return 0;
}

void sysroot_remove(const char *dir)
{
	(void) nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
