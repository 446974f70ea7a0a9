/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/parse.h"

struct row {
	const char *text;
	int result;
	uint64_t value;
};

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static void sizes(void **state)
{
	static const struct row rows[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "64M", 0, 64 << 20 },
		{ "1.5K", 0, 1536 },
		{ "2 GiB", 0, UINT64_C(2) << 30 },
		{ "", -EINVAL },
		{ "M", -EINVAL },
		{ "-1", -EINVAL },
		{ "+1", -EINVAL },
		{ " 1", -EINVAL },
		{ "0x10", -EINVAL },
		{ "nan", -EINVAL },
		{ "1X", -EINVAL },
		{ "64M ", -EINVAL },
		{ "99999999999T", -ERANGE },
		{ "1e999", -ERANGE },
	};
	(void) state;

	for (size_t i = 0; i < N(rows); i++) {
		uint64_t value = 7;

		assert_int_equal(parse_size(rows[i].text, &value), rows[i].result);
		assert_int_equal(value, rows[i].result ? 7 : rows[i].value);
	}
}

static void durations(void **state)
{
	static const struct row rows[] = {
		{ "30", 0, UINT64_C(30000000000) },
		{ "0", 0, 0 },
		{ "1.5s", 0, 1500000000 },
		{ "250ms", 0, 250000000 },
		{ "2min", 0, UINT64_C(120000000000) },
		{ "1 h", 0, UINT64_C(3600000000000) },
		{ "10us", 0, 10000 },
		{ "all", -EINVAL },
		{ "5 5s", -EINVAL },
		{ "1y", -EINVAL },
		{ "999999999999d", -ERANGE },
	};
	(void) state;

	for (size_t i = 0; i < N(rows); i++) {
		uint64_t value = 7;

		assert_int_equal(parse_duration(rows[i].text, &value), rows[i].result);
		assert_int_equal(value, rows[i].result ? 7 : rows[i].value);
	}
}

static void signals(void **state)
{
	static const struct row rows[] = {
		{ "SEGV", 0, SIGSEGV },
		{ "SIGUSR2", 0, SIGUSR2 },
		{ "11", 0, 11 },
		{ "64", 0, 64 },
		{ "0", -EINVAL },
		{ "65", -EINVAL },
		{ "SEGVX", -EINVAL },
		{ "segv", -EINVAL },
		{ "RTMIN+999", -EINVAL },
		{ "RTMIN+-1", -EINVAL },
		{ "RTMIN+9223372036854775807", -EINVAL },
	};
	char buffer[16];
	(void) state;

	for (size_t i = 0; i < N(rows); i++) {
		int value = 7;

		assert_int_equal(parse_signal(rows[i].text, &value), rows[i].result);
		assert_int_equal(value, rows[i].result ? 7 : (int)rows[i].value);
	}
	for (int i = 1; i <= 64; i++) {
		int value = 0;

		assert_int_equal(parse_signal(signal_name(i, buffer), &value), 0);
		assert_int_equal(value, i);
	}
}

static void formats(void **state)
{
	char size[16], duration[32];
	(void) state;

	assert_string_equal(format_size(812, size), "812B");
	assert_string_equal(format_size(64 << 20, size), "64.0M");
	assert_string_equal(format_size(UINT64_MAX, size), "16.0E");
	assert_string_equal(format_duration(250000000, duration), "250ms");
	assert_string_equal(format_duration(UINT64_C(250000000000), duration), "4min 10s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
		cmocka_unit_test(signals),
		cmocka_unit_test(formats),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
