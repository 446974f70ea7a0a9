/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A disk that is full, or may not be filled: a small file system of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "ringstore/io.h"
#include "ringstore/store-internal.h"
#include "tests/unit/test-store-util.h"

static const unsigned io_modes[] = { 0, IO_PWRITE };

static struct store_status status_of(struct store *store)
{
	struct store_status status;

	store_get_status(store, &status);
	return status;
}

static void full_disk_with(const char *dir, unsigned io_mode)
{
	struct store_limits limits = limits_of(64 << 20, UINT64_MAX, 90);
	static const char zeros[4096];
	struct incident *incident;
	struct store *store;
	uint64_t event = 0, end;
	char path[PATH_SIZE];
	int fd, r = 0;

	assert_int_equal(store_open_with(dir, &limits, io_mode, &store), 0);
	assert_int_equal(snapshot(store, 1, 0, 0, 1, 1000), 0);
	for (; r == 0 && event < 10000; event++) {
		r = append(store, 1, event, 1, event, 20000);
		if (event % 30 == 29)
			(void) store_log_cut(store, 1);
	}
	assert_int_equal(r, STORE_NO_ROOM);
	assert_int_equal(status_of(store).last_error, -ENOSPC);
	assert_int_equal(append(store, 1, event, 1, event, 100), STORE_NO_ROOM);

	/* The disk is still full, and of others' doing. */
	assert_int_equal(store_log_restart(store, 1), 0);
	fd = open(path_of(path, "%s/ballast", dir), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	(void) close(fd);
	r = append(store, 1, 5000, 1, 5000, 20000);
	if (r == 0)
		r = store_log_cut(store, 1);
	assert_int_equal(r, STORE_NO_ROOM);
	assert_int_equal(snapshot(store, 1, 5000, 5000, 1, 1000), STORE_NO_ROOM);
	assert_int_equal(freeze(store, "none"), STORE_NO_ROOM);
	assert_false(exists("%s/incidents/none", dir));

	/* And by itself it goes on. */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_log_restart(store, 1), 0);
	assert_int_equal(snapshot(store, 1, 6000, 6000, 1, 1000), 0);
	for (event = 6000; event < 6030; event++)
		assert_int_equal(append(store, 1, event, 1, event, 20000), 0);
	(void) store_flush(store);
	assert_int_equal(freeze(store, "after"), 0);
	incident = open_incident(dir, "after");
	assert_int_equal(read_snapshot(incident, 1, 6000, 1), INCIDENT_END);
	assert_int_equal(read_log(incident, 1, 6000, &end), INCIDENT_END);
	assert_int_equal(end, 6030);
	assert_null(incident_close(incident));
	assert_null(store_close(store));
}

static void full_disk(void **state)
{
	for (size_t i = 0; i < N(io_modes); i++) {
		assert_int_equal(mount("tmpfs", *state, "tmpfs", 0, "size=2m"), 0);
		full_disk_with(*state, io_modes[i]);
		assert_int_equal(umount(*state), 0);
	}
}

static uint64_t free_bytes(const char *dir)
{
	struct statvfs st;

	assert_int_equal(statvfs(dir, &st), 0);
	return st.f_bavail * st.f_frsize;
}

static void fill_with(const char *path, size_t len)
{
	autoclean(freep) char *zeros = calloc(1, len);

	assert_non_null(zeros);
	write_file(path, zeros, len);
}

/* The window gives way to others, as far as it can; what can't succeed costs nothing. */
static void keep_free_with(const char *dir, unsigned io_mode)
{
	enum { KEEP = 4 << 20, OTHERS = 2 << 20 };
	struct store_limits limits = limits_of(16 << 20, UINT64_MAX, 50);
	uint64_t event = 0, before;
	char path[PATH_SIZE];
	struct store *store;

	limits.keep_free_bytes = KEEP;
	assert_int_equal(store_open_with(dir, &limits, io_mode, &store), 0);
	for (; event < 400; event++) {
		if (event % 10 == 0)
			assert_int_equal(snapshot(store, 1, event, event, 1, 1000), 0);
		assert_int_equal(append(store, 1, event, 1, event, 20000), 0);
		if (event % 10 == 9)
			assert_int_equal(store_log_cut(store, 1), 0);
		assert_true(free_bytes(dir) >= KEEP);
	}
	assert_true(status_of(store).bytes_live > 2 << 20);
	assert_true(free_bytes(dir) < KEEP + (1 << 20));
	assert_int_equal(freeze(store, "kept"), 0);
	assert_int_equal(store_flush(store), 0);
	assert_true(free_bytes(dir) >= KEEP);

	fill_with(path_of(path, "%s/others", dir), OTHERS);
	assert_true(free_bytes(dir) < KEEP);
	before = status_of(store).bytes_live + status_of(store).bytes_incidents;
	for (unsigned i = 0; i < 200; i++, event++) {
		int r = append(store, 1, event, 1, event, 20000);

		/* What the incident holds isn't to be had. */
		if (r == STORE_NO_ROOM)
			break;
		assert_int_equal(r, 0);
	}
	assert_true(free_bytes(dir) < KEEP);
	assert_int_equal(status_of(store).bytes_live + status_of(store).bytes_incidents, before);
	assert_true(exists("%s/incidents/kept/incident.json", dir));

	assert_int_equal(incident_remove(dir, "kept"), 0);
	assert_int_equal(store_log_restart(store, 1), 0);
	assert_int_equal(snapshot(store, 1, event, event, 1, 1000), 0);
	for (unsigned i = 0; i < 400; i++, event++) {
		if (event % 10 == 0)
			assert_int_equal(snapshot(store, 1, event, event, 1, 1000), i ? 0 : -EEXIST);
		assert_int_equal(append(store, 1, event, 1, event, 20000), 0);
		if (event % 10 == 9)
			assert_int_equal(store_log_cut(store, 1), 0);
		assert_true(free_bytes(dir) >= KEEP);
	}
	assert_true(status_of(store).bytes_live > 1 << 20);
	assert_null(store_close(store));
}

static void keep_free(void **state)
{
	for (size_t i = 0; i < N(io_modes); i++) {
		assert_int_equal(mount("tmpfs", *state, "tmpfs", 0, "size=8m"), 0);
		keep_free_with(*state, io_modes[i]);
		assert_int_equal(umount(*state), 0);
	}
}

/* What was recorded in front of the failure is frozen, and ends, but isn't damaged. */
static void full_disk_keeps_the_log(void **state)
{
	struct store_limits limits = limits_of(64 << 20, UINT64_MAX, 90);
	static const char zeros[64 << 10];
	char path[PATH_SIZE];

	for (size_t i = 0; i < N(io_modes); i++) {
		struct incident *incident;
		struct store *store;
		uint64_t event = 0, end;
		int r = 0;

		assert_int_equal(mount("tmpfs", *state, "tmpfs", 0, "size=1m"), 0);
		assert_int_equal(store_open_with(*state, &limits, io_modes[i], &store), 0);
		write_file(path_of(path, "%s/ballast", (char *)*state), zeros, sizeof(zeros));
		for (; r == 0 && event < 1000; event++)
			r = append(store, 1, event, 1, event, 20000);
		assert_int_equal(r, STORE_NO_ROOM);
		assert_int_equal(unlink(path), 0);	/* a freeze wants some room as well */
		assert_int_equal(freeze(store, "full"), 0);
		incident = open_incident(*state, "full");
		assert_int_equal(read_log(incident, 1, 0, &end), INCIDENT_END);
		assert_in_range(end, 40, event);
		assert_null(incident_close(incident));
		assert_null(store_close(store));
		assert_int_equal(umount(*state), 0);
	}
}

#define IN_DIR(test)                                                                          \
	(struct CMUnitTest) cmocka_unit_test_setup_teardown(test, setup_dir, teardown_dir)

int main(void)
{
	const char *no_mount = cannot_mount();
	const struct CMUnitTest tests[] = {
		unless(no_mount, IN_DIR(full_disk)),
		unless(no_mount, IN_DIR(full_disk_keeps_the_log)),
		unless(no_mount, IN_DIR(keep_free)),
	};

	return cmocka_run_group_tests_name("store-disk", tests, NULL, NULL);
}
