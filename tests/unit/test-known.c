/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What scans have found: handed on to processes of the same user, whatever a process writes there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/known.h"

enum { SIZE = 1 << 20, ALICE = 1000, BOB = 1001 };

/* The parts of a test: what a process has, what the recorder has, what the next process gets. */
struct facts {
	struct known_facts of, all, to;
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct facts));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static struct known_image *add_image(struct known_facts *facts, uint64_t ino, uint32_t n)
{
	struct known_image *image = &facts->images[facts->n_images++];

	image->id = (struct image_id){ 1, ino, SIZE, 2, 3 };
	image->first = facts->n_sites;
	image->n = n;
	image->left[SITE_CPUID] = (uint32_t)ino;
	for (uint32_t i = 0; i < n; i++)
		facts->sites[facts->n_sites++] =
			(struct agent_site){ .address = 16 * i + ino, .kind = SITE_RDTSC, .len = 2, .byte = 0x0f };
	return image;
}

static void goes_to_the_same_user(void **state)
{
	struct facts *f = *state;

	add_image(&f->of, 7, 3);
	add_image(&f->of, 8, 0);
	known_learn(&f->all, &f->of, ALICE);
	known_learn(&f->all, &f->of, ALICE);	/* nothing new */
	assert_int_equal(f->all.n_images, 2);
	known_copy(&f->all, &f->to, BOB);
	assert_int_equal(f->to.n_images, 0);
	known_copy(&f->all, &f->to, ALICE);
	assert_int_equal(f->to.n_images, 2);
	assert_int_equal(f->to.n_sites, 3);
	assert_int_equal(f->to.images[0].left[SITE_CPUID], 7);
	assert_int_equal(f->to.sites[2].address, 32 + 7);
}

static void users_have_their_own(void **state)
{
	struct facts *f = *state;
	struct known_image *image = add_image(&f->of, 7, 1);

	known_learn(&f->all, &f->of, ALICE);
	image->left[SITE_CPUID] = 99;
	known_learn(&f->all, &f->of, BOB);
	known_copy(&f->all, &f->to, BOB);
	assert_int_equal(f->to.n_images, 1);
	assert_int_equal(f->to.images[0].left[SITE_CPUID], 99);
}

static void a_file_that_changed_is_another(void **state)
{
	struct facts *f = *state;
	struct known_image *image = add_image(&f->of, 7, 1);

	known_learn(&f->all, &f->of, ALICE);
	image->id.ctime_ns++;
	known_learn(&f->all, &f->of, ALICE);
	assert_int_equal(f->all.n_images, 2);
}

/* The memory is the process's. */
static void nonsense_is_refused(void **state)
{
	struct facts *f = *state;
	struct known_image *image = add_image(&f->of, 7, 2);
	const struct agent_site good = f->of.sites[1];

	for (unsigned i = 0; i < 6; i++) {
		f->of.sites[1] = good;
		image->first = 0;
		image->n = 2;
		switch (i) {
		case 0: image->first = KNOWN_SITES + 1; break;
		case 1: image->n = KNOWN_SITES + 1; break;
		case 2: image->first = UINT32_MAX; break;
		case 3: f->of.sites[1].kind = SITE_N; break;
		case 4: f->of.sites[1].address = SIZE; break;
		default: f->of.sites[1].at = good.len; break;
		}
		known_learn(&f->all, &f->of, ALICE);
		assert_int_equal(f->all.n_images, 0);
		assert_int_equal(f->all.n_sites, 0);
	}
	f->of.sites[1] = good;
	f->of.n_images = UINT32_MAX;	/* the others are empty ones */
	known_learn(&f->all, &f->of, ALICE);
	assert_in_range(f->all.n_images, 1, KNOWN_IMAGES);
}

static void full_is_full(void **state)
{
	static const uint32_t sites[] = { 0, KNOWN_SITES / KNOWN_IMAGES };
	struct facts *f = *state;

	for (size_t i = 0; i < sizeof(sites) / sizeof(sites[0]); i++) {
		memset(f, 0, sizeof(*f));
		for (uint64_t ino = 1; ino <= KNOWN_IMAGES; ino++)
			add_image(&f->of, ino, sites[i]);
		known_learn(&f->all, &f->of, ALICE);
		assert_int_equal(f->all.n_images, KNOWN_IMAGES);
		assert_int_equal(f->all.n_sites, KNOWN_IMAGES * sites[i]);
		known_learn(&f->all, &f->of, BOB);
		assert_int_equal(f->all.n_images, KNOWN_IMAGES);
		known_copy(&f->all, &f->to, ALICE);
		known_copy(&f->all, &f->to, ALICE);
		assert_int_equal(f->to.n_images, KNOWN_IMAGES);
	}
}

static void sites_run_out(void **state)
{
	struct facts *f = *state;

	add_image(&f->of, 7, KNOWN_SITES);
	known_learn(&f->all, &f->of, ALICE);
	known_learn(&f->all, &f->of, BOB);
	assert_int_equal(f->all.n_images, 1);
	assert_int_equal(f->all.n_sites, KNOWN_SITES);
}

static void knows_the_user(void **state)
{
	uint32_t uid = UINT32_MAX;
	(void) state;

	assert_int_equal(known_uid(getpid(), &uid), 0);
	assert_int_equal(uid, geteuid());
	assert_true(known_uid(0x7ffffff0, &uid) < 0);
}

/* -- the file ---------------------------------------------------------------------------------- */

static char dir[] = "/tmp/test-known-XXXXXX", path[sizeof(dir) + 8];

static void make_dir(void)
{
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	(void) snprintf(path, sizeof(path), "%s/known", dir);
}

static void remove_dir(void)
{
	(void) unlink(path);
	assert_int_equal(rmdir(dir), 0);	/* no other files are left there */
}

static void comes_back(void **state)
{
	struct facts *f = *state;

	make_dir();
	known_load(path, &f->all);
	assert_int_equal(f->all.n_images, 0);
	assert_true(f->all.cpuid.n > 10);	/* asked, as there is no file */
	add_image(&f->of, 7, 3);
	known_learn(&f->all, &f->of, ALICE);
	known_save(path, &f->all);
	known_load(path, &f->to);
	assert_memory_equal(&f->to, &f->all, sizeof(f->all));
	remove_dir();
}

static void recorders_add_to_it(void **state)
{
	struct facts *f = *state;

	make_dir();
	add_image(&f->of, 7, 3)->uid = ALICE;
	add_image(&f->all, 8, 2)->uid = BOB;
	known_save(path, &f->of);
	known_save(path, &f->all);
	known_load(path, &f->to);
	assert_int_equal(f->to.n_images, 2);
	assert_int_equal(f->to.n_sites, 5);
	remove_dir();
}

/* Until the file is full; then it is begun anew, and doesn't stay as it is for ever. */
static void full_it_is_begun_anew(void **state)
{
	struct facts *f = *state;

	make_dir();
	for (uint32_t i = 0; i < KNOWN_IMAGES * 3 / 4; i++)
		add_image(&f->of, 100 + i, 1)->uid = ALICE;
	known_save(path, &f->of);
	known_load(path, &f->all);
	assert_int_equal(f->all.n_images, KNOWN_IMAGES * 3 / 4);
	add_image(&f->all, 7, 1)->uid = ALICE;
	known_save(path, &f->all);
	f->to.n_images = f->to.n_sites = 0;
	known_load(path, &f->to);
	assert_int_equal(f->to.n_images, 0);
	add_image(&f->to, 7, KNOWN_SITES * 3 / 4)->uid = ALICE;
	known_save(path, &f->to);
	f->all.n_images = f->all.n_sites = 0;
	known_load(path, &f->all);
	assert_int_equal(f->all.n_images, 1);
	add_image(&f->all, 8, 1)->uid = ALICE;
	known_save(path, &f->all);
	f->to.n_images = f->to.n_sites = 0;
	known_load(path, &f->to);
	assert_int_equal(f->to.n_images, 0);
	add_image(&f->to, 8, 1)->uid = ALICE;
	known_save(path, &f->to);
	remove_dir();
}

static void another_processor_is_asked(void **state)
{
	struct facts *f = *state;

	make_dir();
	known_ask_processor(&f->all);
	for (uint32_t i = 0; i < f->all.cpuid.n; i++)
		if (f->all.cpuid.rows[i].leaf == 7)
			f->all.cpuid.rows[i].regs[1] ^= 1;
	known_save(path, &f->all);
	known_load(path, &f->to);
	known_ask_processor(&f->of);
	assert_memory_equal(&f->to.cpuid, &f->of.cpuid, sizeof(f->of.cpuid));
	remove_dir();
}

static void damaged_is_made_again(void **state)
{
	struct facts *f = *state;
	struct stat st;
	uint8_t byte;
	int fd;

	make_dir();
	add_image(&f->all, 7, 3);
	known_save(path, &f->all);
	assert_int_equal(stat(path, &st), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (off_t at = 0; at < st.st_size; at += at < 256 ? 1 : 101) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		f->to.n_images = f->to.n_sites = 0;
		known_load(path, &f->to);
		assert_int_equal(f->to.n_images, 0);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	(void) close(fd);
	known_load(path, &f->to);
	assert_int_equal(f->to.n_images, 1);
	remove_dir();
}

static void what_others_could_write_is_nothing(void **state)
{
	struct facts *f = *state;

	make_dir();
	add_image(&f->all, 7, 3);
	known_save(path, &f->all);
	assert_int_equal(chmod(path, 0620), 0);
	known_load(path, &f->to);
	assert_int_equal(f->to.n_images, 0);
	remove_dir();
}

#define ON_FACTS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_FACTS(goes_to_the_same_user),
		ON_FACTS(users_have_their_own),
		ON_FACTS(a_file_that_changed_is_another),
		ON_FACTS(nonsense_is_refused),
		ON_FACTS(full_is_full),
		ON_FACTS(sites_run_out),
		cmocka_unit_test(knows_the_user),
		ON_FACTS(comes_back),
		ON_FACTS(recorders_add_to_it),
		ON_FACTS(full_it_is_begun_anew),
		ON_FACTS(another_processor_is_asked),
		ON_FACTS(damaged_is_made_again),
		ON_FACTS(what_others_could_write_is_nothing),
	};

	return cmocka_run_group_tests_name("known", tests, NULL, NULL);
}
