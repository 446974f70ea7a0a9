/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "tests/unit/test-store-util.h"

struct fixture {
	char *dir;		/* store/, dump, and tmp/, where dumps are unpacked */
	char dump[PATH_SIZE], tmp[PATH_SIZE], store[PATH_SIZE];
	char hash[33];
};

static int setup(void **state)
{
	struct store_limits limits = limits_of(8 << 20, UINT64_MAX, 50);
	struct fixture *f = calloc(1, sizeof(*f));
	struct store *store;
	struct freeze *begun;
	int fd;

	f->dir = make_tmp_dir();
	(void) path_of(f->dump, "%s/dump", f->dir);
	(void) path_of(f->tmp, "%s/tmp", f->dir);
	assert_int_equal(mkdir(f->tmp, 0700), 0);
	assert_int_equal(store_open(path_of(f->store, "%s/store", f->dir), &limits, &store), 0);
	for (unsigned domain = 1; domain < 12; domain += 9) {
		assert_int_equal(snapshot(store, domain, 0, 0, 2, 5000), 0);
		for (unsigned event = 0; event < 9; event++) {
			assert_int_equal(append(store, domain, event, 1, event, 4000), 0);
			if (event % 3 == 2)
				assert_int_equal(store_log_cut(store, domain), 0);
		}
	}
	assert_int_equal(store_freeze_begin(store, "an-incident", &begun), 0);
	assert_int_equal(freeze_add_final(begun, 10, "final", 5), 0);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(freeze_add_file(begun, fd, f->hash), 0);
	(void) close(fd);
	assert_int_equal(freeze_commit(begun, "{ \"format\": 1 }"), 0);
	assert_null(store_close(store));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	remove_tmp_dir(f->dir);
	free(f);
	return 0;
}

struct progress {
	uint64_t done, total;
	unsigned n_calls;
};

static void note_progress(uint64_t done, uint64_t total, void *userdata)
{
	struct progress *progress = userdata;

	assert_in_range(done, progress->done + 1, total);
	progress->done = done;
	progress->total = total;
	progress->n_calls++;
}

static void dump_it(const struct fixture *f)
{
	struct incident *incident = open_incident(f->store, "an-incident");
	struct progress progress = { 0 };

	assert_int_equal(incident_dump(incident, f->dump, 0, note_progress, &progress), 0);
	assert_int_equal(progress.done, progress.total);
	assert_true(progress.n_calls > 5);
	assert_null(incident_close(incident));
}

/* Both directories have the same files with the same content. */
static void check_same(const char *a, const char *b)
{
	char command[3 * PATH_SIZE];

	assert_in_range(snprintf(command, sizeof(command), "diff -r '%s' '%s'", a, b), 1,
			sizeof(command) - 1);
	assert_int_equal(system(command), 0);
}

static unsigned n_in_tmp(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(f->tmp, &st), 0);
	return count_files(f->tmp) + (unsigned)st.st_nlink - 2;
}

/* The name of a device or a pipe is not for a dump to have; a link's file is. */
static void dump_over_others(void **state)
{
	struct fixture *f = *state;
	struct incident *incident = open_incident(f->store, "an-incident");
	char path[PATH_SIZE];
	struct stat st;

	assert_int_equal(mkfifo(path_of(path, "%s/pipe", f->dir), 0600), 0);
	assert_int_equal(incident_dump(incident, path, 0, NULL, NULL), -EOPNOTSUPP);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(incident_dump(incident, f->tmp, 0, NULL, NULL), -EISDIR);

	dump_it(f);
	assert_int_equal(symlink("dump", path_of(path, "%s/link", f->dir)), 0);
	assert_int_equal(truncate(f->dump, 0), 0);
	assert_int_equal(incident_dump(incident, path, 0, NULL, NULL), 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(f->dump, &st), 0);
	assert_true(st.st_size > 0);
	assert_null(incident_close(incident));
}

static void dump_and_reopen(void **state)
{
	struct fixture *f = *state;
	char original[PATH_SIZE], path[PATH_SIZE];
	struct incident *incident;
	uint32_t *domains;
	uint64_t end;
	size_t n;
	mode_t mask = umask(0);
	int fd;

	dump_it(f);
	assert_true(is_private(f->dump));
	assert_int_equal(incident_open_dump(f->dump, f->tmp, &incident), 0);
	(void) umask(mask);
	assert_string_equal(incident_id(incident), "an-incident");
	assert_string_equal(incident_manifest(incident), "{ \"format\": 1 }");
	check_same(path_of(original, "%s/incidents/an-incident", f->store),
		   incident_path(incident));
	assert_true(is_private(incident_path(incident)));
	assert_true(is_private(path_of(path, "%s/10", incident_path(incident))));
	assert_true(is_private(path_of(path, "%s/10/final", incident_path(incident))));
	assert_int_equal(incident_domains(incident, &domains, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(domains[1], 10);
	free(domains);
	assert_int_equal(read_log(incident, 10, 0, &end), INCIDENT_END);
	assert_int_equal(end, 9);
	assert_int_equal(read_snapshot(incident, 1, 0, 2), INCIDENT_END);
	assert_int_equal(incident_open_file(incident, f->hash, &fd), 0);
	(void) close(fd);

	/* A dump of a dump is one as well. */
	assert_int_equal(incident_dump(incident, path_of(path, "%s/again", f->dir), 0, NULL, NULL), 0);
	assert_int_equal(n_in_tmp(f) > 0, 1);
	assert_null(incident_close(incident));
	assert_int_equal(n_in_tmp(f), 0);
	assert_int_equal(incident_open_dump(path, f->tmp, &incident), 0);
	assert_string_equal(incident_id(incident), "an-incident");
	check_same(original, incident_path(incident));
	assert_null(incident_close(incident));
}

/* tar(1) can list it: the operator's way to see what is about to be sent. */
static void tar_lists_it(void **state)
{
	struct fixture *f = *state;
	char command[2 * PATH_SIZE], line[128];
	FILE *tar;

	dump_it(f);
	(void) snprintf(command, sizeof(command), "zstd -dc < '%s' | tar -tf -", f->dump);
	tar = popen(command, "re");
	assert_non_null(tar);
	assert_non_null(fgets(line, sizeof(line), tar));
	assert_string_equal(line, "blackbox-incident\n");
	assert_non_null(fgets(line, sizeof(line), tar));
	assert_string_equal(line, "incident.json\n");
	while (fgets(line, sizeof(line), tar))
		;
	assert_int_equal(pclose(tar), 0);
}

/* What can't be written leaves nothing, and what stood there before stands there still. */
static void dumps_that_fail(void **state)
{
	struct fixture *f = *state;
	struct incident *incident = open_incident(f->store, "an-incident");
	char path[PATH_SIZE];
	unsigned before;

	assert_int_equal(incident_dump(incident, path_of(path, "%s/no/dump", f->dir), 0, NULL, NULL),
			 -ENOENT);
	(void) path_of(path, "%s/", f->dir);
	assert_int_equal(incident_dump(incident, path, 0, NULL, NULL), -EISDIR);
	before = count_files(f->dir);
	assert_int_equal(incident_dump(incident, f->tmp, 0, NULL, NULL), -EISDIR);
	assert_int_equal(count_files(f->dir), before);

	write_file(f->dump, "precious", 8);
	assert_int_equal(unlink(path_of(path, "%s/incidents/an-incident/incident.json", f->store)),
			 0);
	assert_int_equal(incident_dump(incident, f->dump, 0, NULL, NULL), -ENOENT);
	assert_int_equal(count_files(f->dir), before);
	{
		size_t len;
		autoclean(freep) char *content = read_whole_file(f->dump, &len);

		assert_int_equal(len, 8);
		assert_memory_equal(content, "precious", 8);
	}
	assert_null(incident_close(incident));
}

/* Each file is marked, and its content is taken from elsewhere only if it is the same. */
static void without_files(void **state)
{
	struct fixture *f = *state;
	struct incident *incident = open_incident(f->store, "an-incident");
	char path[PATH_SIZE], manifest[PATH_SIZE];
	struct stat st;
	int fd;

	free(incident->manifest);
	assert_true(asprintf(&incident->manifest, "{ \"format\": 1, \"notes\": [], \"files\": "
			     "[{ \"hash\": \"%s\" }, { \"path\": \"/unknown\" }, 5] }", f->hash) > 0);
	assert_int_equal(incident_dump(incident, f->dump, INCIDENT_DUMP_EXCLUDE_FILES, NULL, NULL), 0);
	assert_null(incident_close(incident));
	assert_int_equal(incident_open_dump(f->dump, f->tmp, &incident), 0);
	assert_int_equal(access(path_of(path, "%s/files", incident_path(incident)), F_OK), -1);
	(void) snprintf(manifest, sizeof(manifest), "\"hash\":\"%s\",\n      \"excluded\":true", f->hash);
	assert_non_null(strstr(incident_manifest(incident), manifest));
	assert_non_null(strstr(incident_manifest(incident), "1 files were left out"));
	assert_int_equal(incident_open_file(incident, f->hash, &fd), -ENOENT);
	assert_null(incident_close(incident));

	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(incident_open_same("/proc/self/exe", (uint64_t)st.st_size, f->hash, &fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), st.st_size);
	(void) close(fd);
	assert_int_equal(incident_open_same("/proc/self/exe", (uint64_t)st.st_size - 1, f->hash, &fd), -ESTALE);
	assert_int_equal(incident_open_same("/proc/self/exe", (uint64_t)st.st_size,
					    "0123456789abcdef0123456789abcdef", &fd), -ESTALE);
	assert_int_equal(incident_open_same(f->dir, 0, f->hash, &fd), -ESTALE);
	assert_int_equal(incident_open_same("/dev/null", 0, f->hash, &fd), -ESTALE);
	assert_int_equal(incident_open_same("/nowhere", 0, f->hash, &fd), -ENOENT);
	assert_int_equal(incident_open_same("/proc/self/exe", 0, "../hash", &fd), -EINVAL);
}

static void full_disk(void **state)
{
	struct fixture *f = *state;
	struct incident *incident;
	char path[PATH_SIZE];

	assert_int_equal(mount("tmpfs", f->tmp, "tmpfs", 0, "size=16k"), 0);
	dump_it(f);
	incident = open_incident(f->store, "an-incident");
	assert_int_equal(incident_dump(incident, path_of(path, "%s/dump", f->tmp), 0, NULL, NULL),
			 -ENOSPC);
	assert_int_equal(n_in_tmp(f), 0);
	assert_null(incident_close(incident));
	assert_int_equal(incident_open_dump(f->dump, f->tmp, &incident), -ENOSPC);
	assert_int_equal(n_in_tmp(f), 0);
	assert_int_equal(umount(f->tmp), 0);
}

/* Archives that we didn't write. */

#define HEAD_NAME "blackbox-incident"
#define TEXT(files, bytes) HEAD_NAME " 1\nid x\nfiles " files "\nbytes " bytes "\n"

/* Members: a head of any text, a good one, and the least manifest. */
#define AS_HEAD(text) { HEAD_NAME, text, -1 }
#define HEAD(files, bytes) AS_HEAD(TEXT(files, bytes))
#define NAME "incident.json"
#define MANIFEST { NAME, "{}", -1 }

struct member {
	const char *name;
	const char *content;
	int64_t size;		/* -1: of the content */
	unsigned type;		/* 0: AE_IFREG */
	const char *link;
	bool hard;
};

static void add_member(struct archive *archive, const struct member *member)
{
	struct archive_entry *entry = archive_entry_new();
	bool regular = !member->type || member->type == AE_IFREG;
	size_t len = member->content && regular ? strlen(member->content) : 0;

	archive_entry_set_pathname(entry, member->name);
	archive_entry_set_filetype(entry, member->type ? member->type : AE_IFREG);
	archive_entry_set_perm(entry, 0666);
	archive_entry_set_size(entry, member->size >= 0 ? member->size : (int64_t)len);
	if (member->link && member->hard)
		archive_entry_set_hardlink(entry, member->link);
	else if (member->link)
		archive_entry_set_symlink(entry, member->link);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	if (len > 0)
		assert_int_equal(archive_write_data(archive, member->content, len), len);
	archive_entry_free(entry);
}

static void write_archive(const struct fixture *f, const struct member *members, size_t n,
			  bool compressed)
{
	struct archive *archive = archive_write_new();

	assert_int_equal(archive_write_set_format_pax_restricted(archive), ARCHIVE_OK);
	if (compressed)
		assert_int_equal(archive_write_add_filter_zstd(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(archive, f->dump), ARCHIVE_OK);
	for (size_t i = 0; i < n && members[i].name; i++)
		add_member(archive, &members[i]);
	(void) archive_write_close(archive);
	assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
}

static int open_it(const struct fixture *f)
{
	struct incident *incident;
	int r;

	r = incident_open_dump(f->dump, f->tmp, &incident);
	if (r == 0)
		assert_null(incident_close(incident));
	assert_int_equal(n_in_tmp(f), 0);	/* whatever it was */
	return r;
}

static void foreign_archives(void **state)
{
	static const struct {
		struct member members[4];
		int result;
	} rows[] = {
		{ { HEAD("1", "2"), MANIFEST }, 0 },
		{ { MANIFEST }, -EBADMSG },
		{ { HEAD("1", "2") }, -EBADMSG },
		{ { HEAD("0", "0") }, -EBADMSG },
		{ { AS_HEAD(HEAD_NAME " 3\nwhatever\n") }, -EPROTONOSUPPORT },
		{ { AS_HEAD(HEAD_NAME " 0\nid x\nfiles 1\nbytes 2\n"), MANIFEST }, -EBADMSG },
		{ { AS_HEAD(""), MANIFEST }, -EBADMSG },
		{ { AS_HEAD(HEAD_NAME " 1\n") }, -EBADMSG },
		{ { AS_HEAD(HEAD_NAME " 1\nid ..\nfiles 1\nbytes 2\n"), MANIFEST }, -EBADMSG },
		{ { AS_HEAD(TEXT("1", "2") " "), MANIFEST }, -EBADMSG },
		{ { HEAD("-1", "2"), MANIFEST }, -EBADMSG },
		{ { HEAD("99999999", "2"), MANIFEST }, -EBADMSG },
		{ { HEAD("1", "18446744073709551615"), MANIFEST }, -ENOSPC },
		{ { HEAD("1", "1000000000000000"), MANIFEST }, -ENOSPC },
		{ { HEAD("1", "1"), MANIFEST }, -EBADMSG },
		{ { HEAD("1", "3"), MANIFEST }, -EBADMSG },
		{ { HEAD("2", "2"), MANIFEST }, -EBADMSG },
		{ { HEAD("1", "2"), { NAME, "[]", -1 } }, -EBADMSG },
		{ { HEAD("1", "13"), { NAME, "{\"format\":99}", -1 } }, -EPROTONOSUPPORT },
		{ { HEAD("2", "4"), MANIFEST, MANIFEST }, -EBADMSG },
		{ { HEAD("1", "2"), AS_HEAD("{}") }, -EBADMSG },
		{ { { HEAD_NAME, TEXT("1", "0"), -1, AE_IFDIR } }, -EBADMSG },

		/* names */
#define NAMED(name) { { HEAD("2", "3"), MANIFEST, { name, "x", -1 } }, -EBADMSG }
		NAMED("../evil"),
		NAMED("/tmp/blackbox-evil"),
		NAMED("./incident.json"),
		NAMED("1/../../evil"),
		NAMED("files/../../evil"),
		NAMED("other"),
		NAMED("1/other"),
		NAMED("1"),
		NAMED("01/final"),
		NAMED("1/log.0/1"),

		/* types */
#define TYPED(type, link, hard)                                                                    \
	{ { HEAD("2", "2"), MANIFEST, { "1/final", NULL, 0, type, link, hard } }, -EBADMSG }
		TYPED(AE_IFLNK, "/etc/passwd", false),
		TYPED(AE_IFLNK, "../incident.json", false),
		TYPED(AE_IFREG, "incident.json", true),
		TYPED(AE_IFIFO, NULL, false),
		TYPED(AE_IFDIR, NULL, false),
		TYPED(AE_IFCHR, NULL, false),
		{ { HEAD("2", "2"), MANIFEST, { "1", NULL, 0, AE_IFDIR } }, -EBADMSG },
		{ { HEAD("2", "2"), { "1", NULL, 0, AE_IFLNK, "/tmp" }, { "1/final", "{}", -1 } },
		  -EBADMSG },
		{ { { HEAD_NAME, TEXT("2", "2"), -1, AE_IFLNK, "/tmp" }, MANIFEST }, -EBADMSG },
		{ { HEAD("1", "0"), { NAME, NULL, 0, AE_IFLNK, "/etc/passwd" } }, -EBADMSG },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N(rows); i++) {
		int r;

		write_archive(f, rows[i].members, N(rows[i].members), true);
		r = open_it(f);
		if (r != rows[i].result)
			fail_msg("row %zu: %d instead of %d", i, r, rows[i].result);
	}
	assert_false(exists("/tmp/blackbox-evil"));
	assert_false(exists("%s/evil", f->dir));
}

/* Formats that aren't ours. */
static void other_formats(void **state)
{
	static const struct member good[] = { HEAD("1", "2"), MANIFEST };
	struct fixture *f = *state;
	struct archive *archive;

	write_archive(f, good, N(good), false);
	assert_int_equal(open_it(f), 0);	/* tar alone is as good */

	archive = archive_write_new();
	assert_int_equal(archive_write_set_format_zip(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(archive, f->dump), ARCHIVE_OK);
	add_member(archive, &good[0]);
	add_member(archive, &good[1]);
	assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
	assert_int_equal(open_it(f), -EBADMSG);

	write_file(f->dump, "", 0);
	assert_int_equal(open_it(f), -EBADMSG);
	write_file(f->dump, "not an archive, but long enough to be looked at", 48);
	assert_int_equal(open_it(f), -EBADMSG);
	assert_int_equal(unlink(f->dump), 0);
	assert_int_equal(open_it(f), -ENOENT);
	assert_int_equal(mkdir(f->dump, 0700), 0);
	assert_int_equal(open_it(f), -EISDIR);
}

/* Gives the third member, of the tar at f->dump, another size in its header. */
static void lie_about_size(const struct fixture *f, uint64_t size)
{
	static const struct member members[] = {
		HEAD("2", "1000000"),
		MANIFEST,
		{ "1/final", "x", -1 },
	};
	enum { HEADER = 2 * 1024, SIZE = 124, SUM = 148 };	/* ustar */
	autoclean(freep) uint8_t *tar = NULL;
	unsigned sum = 0;
	size_t len;

	write_archive(f, members, N(members), false);
	tar = read_whole_file(f->dump, &len);
	assert_memory_equal(tar + HEADER, "1/final", 8);
	memset(tar + HEADER + SIZE, 0, 12);
	tar[HEADER + SIZE] = 0x80;			/* binary: octal ends at 8 GB */
	for (unsigned i = 0; i < 8; i++)
		tar[HEADER + SIZE + 4 + i] = (uint8_t)(size >> (56 - 8 * i));
	memset(tar + HEADER + SUM, ' ', 8);
	for (unsigned i = 0; i < 512; i++)
		sum += tar[HEADER + i];
	(void) snprintf((char *)tar + HEADER + SUM, 8, "%06o", sum);
	write_file(f->dump, tar, len);
}

static void sizes_that_lie(void **state)
{
	static const uint64_t sizes[] = { 0, 2, 600, 999998, 999999, 1000000, INT64_MAX / 2,
					  INT64_MAX, UINT64_MAX };
	struct fixture *f = *state;

	for (size_t i = 0; i < N(sizes); i++) {
		lie_about_size(f, sizes[i]);
		assert_int_equal(open_it(f), -EBADMSG);
	}
}

/* GNU and pax know files with holes: gigabytes that cost the sender nothing. */
static void sparse_member(void **state)
{
	static const struct member members[] = {
		HEAD("2", "1048578"),
		MANIFEST,
	};
	struct fixture *f = *state;
	struct archive *archive = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	assert_int_equal(archive_write_set_format_pax(archive), ARCHIVE_OK);
	assert_int_equal(archive_write_open_filename(archive, f->dump), ARCHIVE_OK);
	add_member(archive, &members[0]);
	add_member(archive, &members[1]);
	archive_entry_set_pathname(entry, "1/final");
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_size(entry, 1 << 20);
	archive_entry_sparse_add_entry(entry, (1 << 20) - 16, 16);
	assert_int_equal(archive_write_header(archive, entry), ARCHIVE_OK);
	archive_entry_free(entry);
	{
		static char zeros[1 << 20];

		(void) archive_write_data(archive, zeros, sizeof(zeros));
	}
	assert_int_equal(archive_write_free(archive), ARCHIVE_OK);
	assert_int_equal(open_it(f), -EBADMSG);
}

static void truncated(void **state)
{
	struct fixture *f = *state;
	autoclean(freep) uint8_t *whole = NULL;
	size_t len, step;

	dump_it(f);
	whole = read_whole_file(f->dump, &len);
	step = len / 200 + 1;
	for (size_t cut = 0; cut < len; cut += cut < 100 || cut > len - 100 ? 1 : step) {
		int r;

		write_file(f->dump, whole, cut);
		r = open_it(f);
		if (r != -EBADMSG)
			fail_msg("cut at %zu of %zu: %d", cut, len, r);
	}
	/* Bytes that flip are refused, or found when the chunks are read: never a crash. */
	for (size_t at = 0; at < len; at += step / 2 + 1) {
		whole[at] ^= 0x10;
		write_file(f->dump, whole, len);
		whole[at] ^= 0x10;
		(void) open_it(f);
	}
}

#define DUMPED(test)                                                                               \
	(struct CMUnitTest) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const char *no_mount = cannot_mount(), *no_tar = NULL;

	if (system("tar --version >/dev/null 2>&1 && zstd --version >/dev/null 2>&1") != 0)
		no_tar = "there is no tar or no zstd here";

	const struct CMUnitTest tests[] = {
		DUMPED(dump_and_reopen),
		DUMPED(dump_over_others),
		unless(no_tar, DUMPED(tar_lists_it)),
		DUMPED(dumps_that_fail),
		DUMPED(without_files),
		unless(no_mount, DUMPED(full_disk)),
		DUMPED(foreign_archives),
		DUMPED(other_formats),
		DUMPED(sizes_that_lie),
		DUMPED(sparse_member),
		DUMPED(truncated),
	};

	return cmocka_run_group_tests_name("incident-dump", tests, NULL, NULL);
}
