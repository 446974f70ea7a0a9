/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "ringstore/names.h"
#include "tests/unit/test-store-util.h"

static void domains(void **state)
{
	static const char *const bad[] = { "",	 "a",	       "01",	      "00",  "-1",
					   "+1", " 1",	       "1 ",	      "0x1", "1/2",
					   "4294967296", "99999999999" };
	static const uint32_t good[] = { 0, 1, 9, 10, 4294967295 };
	(void) state;

	for (size_t i = 0; i < N(bad); i++) {
		uint32_t domain = 7;

		assert_false(name_to_domain(bad[i], &domain));
		assert_int_equal(domain, 7);
	}
	for (size_t i = 0; i < N(good); i++) {
		char name[NAME_DOMAIN_SIZE];
		uint32_t domain;

		assert_true(name_to_domain(name_domain(name, good[i]), &domain));
		assert_int_equal(domain, good[i]);
	}
}

static void events(void **state)
{
	static const char *const bad[] = { "log", "log.", "log.1", "log.000000000000000g",
					   "log.000000000000000A", "log.00000000000000001",
					   "snap.0000000000000001", "xlog.0000000000000001",
					   "log 0000000000000001", "log.+00000000000001" };
	static const uint64_t good[] = { 0, 1, 0xabcdef, UINT64_MAX };
	(void) state;

	for (size_t i = 0; i < N(bad); i++) {
		uint64_t event = 7;

		assert_false(name_to_event(bad[i], NAME_LOG, &event));
		assert_int_equal(event, 7);
	}
	for (size_t i = 0; i < N(good); i++) {
		char name[NAME_EVENT_SIZE];
		uint64_t event;

		assert_true(name_to_event(name_event(name, NAME_SNAPSHOT, good[i]), NAME_SNAPSHOT,
					  &event));
		assert_int_equal(event, good[i]);
	}
}

static void ids(void **state)
{
	static const char *const bad[] = { "",	"..",  ".",   "a/b", "/",
					   ".x", "a b", "a\n", "\xc3\xa4" };
	static const char *const good[] = { "a", "2024-06-01T12.00.00_redis", "-", "_", "0" };
	char name[300];
	(void) state;

	for (size_t i = 0; i < N(bad); i++)
		assert_false(name_is_incident_id(bad[i]));
	for (size_t i = 0; i < N(good); i++)
		assert_true(name_is_incident_id(good[i]));
	memset(name, 'a', sizeof(name));
	name[255] = '\0';
	assert_true(name_is_incident_id(name));
	name[255] = 'a';
	name[256] = '\0';
	assert_false(name_is_incident_id(name));
}

static void members(void **state)
{
	static const char *const bad[] = {
		"", "/", ".", "..", "incident.json/", "/incident.json", "./incident.json",
		"../incident.json", "incident.json.", "files", "files/",
		"files/0123456789abcdef0123456789abcde", "files/0123456789abcdef0123456789ABCDEF",
		"files/../incident.json", "files/0123456789abcdef0123456789abcdef/",
		"files//0123456789abcdef0123456789abcdef", "1", "1/", "1/log", "01/final",
		"1/final/", "1//final", "1/../final", "../1/final", "1/log.0", "1/other",
		"4294967296/final", "99999999999999999999/final", "1/1/final",
		"1/log.0000000000000000/log.0000000000000000", "1/.new",
	};
	static const char *const good[] = {
		"incident.json", "files/0123456789abcdef0123456789abcdef", "0/final", "1/final",
		"4294967295/log.0000000000000000", "7/snap.ffffffffffffffff",
	};
	(void) state;

	for (size_t i = 0; i < N(bad); i++)
		assert_false(name_is_member(bad[i]));
	for (size_t i = 0; i < N(good); i++)
		assert_true(name_is_member(good[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains),
		cmocka_unit_test(events),
		cmocka_unit_test(ids),
		cmocka_unit_test(members),
	};

	return cmocka_run_group_tests_name("store-names", tests, NULL, NULL);
}
