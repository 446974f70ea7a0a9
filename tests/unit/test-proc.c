/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/proc.h"

/* A file of /proc with @text. */
static int make_file(const char *text, size_t len, char rest[static 32])
{
	int fd = memfd_create("test-proc", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	(void) snprintf(rest, 32, "/fd/%d", fd);
	return fd;
}

static void expect_lines(const char *text, size_t len, const char *const *lines)
{
	autoclean(proc_closep) struct proc_file file;
	char rest[32];
	autoclean(closep) int fd = make_file(text, len, rest);
	char *line;

	assert_int_equal(proc_open(&file, 0, rest), 0);
	for (; *lines; lines++) {
		line = proc_line(&file);
		assert_non_null(line);
		assert_string_equal(line, *lines);
	}
	assert_null(proc_line(&file));
	assert_null(proc_line(&file));
}

static void lines(void **state)
{
	static const char text[] = "one\n\ntwo words\nlast";

	(void) state;
	expect_lines(text, strlen(text), (const char *[]){ "one", "", "two words", "last", NULL });
	expect_lines(text, 4, (const char *[]){ "one", NULL });
	expect_lines(text, 0, (const char *[]){ NULL });
}

/* Of each length around the buffer's; what is behind it isn't lost. */
static void long_lines_are_cut(void **state)
{
	(void) state;
	for (size_t n = PROC_LINE_MAX - 3; n < 3 * PROC_LINE_MAX; n += n < PROC_LINE_MAX + 3 ? 1 : 977) {
		autoclean(freep) char *text = malloc(n + 16), *first = malloc(n + 1);

		assert_true(text && first);
		memset(text, 'x', n);
		memcpy(first, text, n);
		first[n < PROC_LINE_MAX ? n : PROC_LINE_MAX] = '\0';
		memcpy(text + n, "\nnext\nend", 9);
		expect_lines(text, n + 9, (const char *[]){ first, "next", "end", NULL });
		expect_lines(text, n, (const char *[]){ first, NULL });
	}
}

static void numbers_and_words(void **state)
{
	char text[] = "7f00-7fff r-xp 1a 08:01 42   /a b";
	char *at = text;
	uint64_t n;

	(void) state;
	assert_true(proc_number(&at, 16, &n));
	assert_int_equal(n, 0x7f00);
	assert_false(proc_number(&at, 16, &n));
	assert_false(proc_skip(&at, "+"));
	assert_true(proc_skip(&at, "-"));
	assert_true(proc_number(&at, 16, &n));
	assert_int_equal(n, 0x7fff);
	assert_true(proc_skip_word(&at));
	assert_true(proc_number(&at, 16, &n));
	assert_int_equal(n, 0x1a);
	assert_true(proc_skip_word(&at));
	assert_true(proc_number(&at, 10, &n));
	assert_int_equal(n, 42);
	assert_false(proc_number(&at, 10, &n));
	assert_string_equal(at, "   /a b");
	assert_true(proc_skip_word(&at));
	assert_true(proc_skip_word(&at));
	assert_false(proc_skip_word(&at));
}

static void texts(void **state)
{
	char text[12], *at = text;

	(void) state;
	put_number(&at, text + sizeof(text), 0);
	put_text(&at, text + sizeof(text), " is ");
	put_number(&at, text + sizeof(text), 1234567890123);
	assert_string_equal(text, "0 is 123456");
	assert_true(proc_path(text, sizeof(text), 12, "/x"));
	assert_string_equal(text, "/proc/12/x");
	assert_false(proc_path(text, sizeof(text), 12345, "/x"));
}

static void who_is_gone_has_no_files(void **state)
{
	struct proc_file file;

	(void) state;
	assert_true(proc_open(&file, INT32_MAX, "/maps") < 0);
	assert_int_equal(file.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(long_lines_are_cut),
		cmocka_unit_test(numbers_and_words),
		cmocka_unit_test(texts),
		cmocka_unit_test(who_is_gone_has_no_files),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
