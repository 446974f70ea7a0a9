/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "recorder/loop.h"

enum { MAX_SEEN = 64 };

struct fixture {
	struct loop *loop;
	int fds[2];
	char seen[MAX_SEEN + 1];	/* who was called, in order */
	unsigned n, stop_at;
};

struct one {
	struct fixture *f;
	struct source *source, *other;
	char name;
	bool again, always;
};

static uint64_t now(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .stop_at = 1 };
	assert_int_equal(loop_new(&f.loop), 0);
	for (int i = 0; i < 2; i++)
		f.fds[i] = eventfd(1, EFD_CLOEXEC);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++)
		(void) close(f->fds[i]);
	(void) loop_free(f->loop);
	return 0;
}

static void called(void *userdata)
{
	struct one *one = userdata;
	struct fixture *f = one->f;

	f->seen[f->n++] = one->name;
	if (one->again)
		source_later(one->source, true);
	if (one->always)
		source_at(one->source, 1);
	one->other = source_free(one->other);
	if (f->n == f->stop_at)
		loop_stop(f->loop);
}

/* Both are readable, and stay so: they take turns. */
static void descriptors_take_turns(void **state)
{
	struct fixture *f = *state;
	struct one a = { .f = f, .name = 'a' }, b = { .f = f, .name = 'b' };

	f->stop_at = 4;
	assert_int_equal(loop_add_fd(f->loop, f->fds[0], called, &a, &a.source), 0);
	assert_int_equal(loop_add_fd(f->loop, f->fds[1], called, &b, &b.source), 0);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->seen, "abab");
	(void) source_free(a.source);
	(void) source_free(b.source);
}

static void a_callback_frees_another(void **state)
{
	struct fixture *f = *state;
	struct one a = { .f = f, .name = 'a' }, b = { .f = f, .name = 'b' };

	f->stop_at = 3;
	assert_int_equal(loop_add_fd(f->loop, f->fds[0], called, &a, &a.source), 0);
	assert_int_equal(loop_add_fd(f->loop, f->fds[1], called, &b, &b.source), 0);
	a.other = b.source;
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->seen, "aaa");
	(void) source_free(a.source);
}

static void times_come_in_order(void **state)
{
	struct fixture *f = *state;
	struct one a = { .f = f, .name = 'a' }, b = { .f = f, .name = 'b' }, never = { .f = f, .name = '-' };
	uint64_t begin = now();

	f->stop_at = 2;
	assert_int_equal(loop_add(f->loop, called, &a, &a.source), 0);
	assert_int_equal(loop_add(f->loop, called, &never, &never.source), 0);
	assert_int_equal(loop_add(f->loop, called, &b, &b.source), 0);
	source_at(a.source, begin + 3000000);
	source_at(a.source, begin + 12000000);	/* put off */
	source_at(never.source, begin + 1000000);
	source_at(never.source, UINT64_MAX);
	source_at(b.source, begin + 6000000);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->seen, "ba");
	assert_true(now() - begin >= 12000000);
	(void) source_free(a.source);
	(void) source_free(b.source);
	(void) source_free(never.source);
}

/* A time that has come isn't one any more; those that were put off to the same one all come. */
static void a_time_comes_once(void **state)
{
	struct fixture *f = *state;
	struct one a = { .f = f, .name = 'a' }, b = { .f = f, .name = 'b' }, c = { .f = f, .name = 'c' };
	uint64_t begin = now();

	f->stop_at = 3;
	assert_int_equal(loop_add(f->loop, called, &a, &a.source), 0);
	assert_int_equal(loop_add(f->loop, called, &b, &b.source), 0);
	assert_int_equal(loop_add(f->loop, called, &c, &c.source), 0);
	source_at(a.source, begin);
	source_at(b.source, begin);
	source_at(c.source, begin + 2000000);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->seen, "abc");
	(void) source_free(a.source);
	(void) source_free(b.source);
	(void) source_free(c.source);
}

static void a_time_that_is_always_over_leaves_others_theirs(void **state)
{
	struct fixture *f = *state;
	struct one a = { .f = f, .name = 'a' }, t = { .f = f, .name = 't', .always = true };

	f->stop_at = 6;
	assert_int_equal(loop_add(f->loop, called, &t, &t.source), 0);
	assert_int_equal(loop_add_fd(f->loop, f->fds[0], called, &a, &a.source), 0);
	source_at(t.source, 1);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->seen, "tatata");
	(void) source_free(t.source);
	(void) source_free(a.source);
}

static void and_so_does_it_to_work_that_is_left(void **state)
{
	struct fixture *f = *state;
	struct one left = { .f = f, .name = 'L' }, t = { .f = f, .name = 't', .always = true };

	f->stop_at = 3;
	assert_int_equal(loop_add(f->loop, called, &t, &t.source), 0);
	assert_int_equal(loop_add(f->loop, called, &left, &left.source), 0);
	source_at(t.source, 1);
	source_later(left.source, true);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->seen, "tLt");
	(void) source_free(t.source);
	(void) source_free(left.source);
}

/* What is left is done when nothing else is to do; and sometimes also if there always is. */
static void work_that_is_left_waits_but_not_for_ever(void **state)
{
	struct fixture *f = *state;
	struct one a = { .f = f, .name = 'a' }, left = { .f = f, .name = 'L', .again = true };
	unsigned n_left = 0;

	f->stop_at = MAX_SEEN;
	assert_int_equal(loop_add(f->loop, called, &left, &left.source), 0);
	assert_int_equal(loop_add_fd(f->loop, f->fds[0], called, &a, &a.source), 0);
	source_later(left.source, true);
	assert_int_equal(loop_run(f->loop), 0);
	assert_int_equal(f->seen[0], 'a');
	for (unsigned i = 0; i < f->n; i++)
		n_left += f->seen[i] == 'L';
	assert_int_equal(n_left, 1);
	(void) source_free(a.source);
	(void) source_free(left.source);
}

static void those_with_work_left_take_turns(void **state)
{
	struct fixture *f = *state;
	struct one a = { .f = f, .name = 'a', .again = true }, b = { .f = f, .name = 'b', .again = true },
		   c = { .f = f, .name = 'c' };

	f->stop_at = 4;
	assert_int_equal(loop_add(f->loop, called, &a, &a.source), 0);
	assert_int_equal(loop_add(f->loop, called, &b, &b.source), 0);
	assert_int_equal(loop_add(f->loop, called, &c, &c.source), 0);
	source_later(a.source, true);
	source_later(b.source, true);
	source_later(c.source, true);
	source_later(c.source, false);
	assert_int_equal(loop_run(f->loop), 0);
	assert_string_equal(f->seen, "abab");
	(void) source_free(a.source);
	(void) source_free(b.source);
	(void) source_free(c.source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(descriptors_take_turns),
		TEST(a_callback_frees_another),
		TEST(times_come_in_order),
		TEST(a_time_comes_once),
		TEST(a_time_that_is_always_over_leaves_others_theirs),
		TEST(and_so_does_it_to_work_that_is_left),
		TEST(work_that_is_left_waits_but_not_for_ever),
		TEST(those_with_work_left_take_turns),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
