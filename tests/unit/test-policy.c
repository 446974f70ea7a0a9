/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/autoclean.h"
#include "tests/unit/policy-fixture.h"

static void defaults(void **state)
{
	autoclean(policy_deinit) struct policy policy;
	(void) state;

	policy_init(&policy);
	assert_null(policy.name);
	assert_null(policy.command);
	assert_null(policy.unit);
	assert_int_equal(policy.window_ns, 30 * S);
	assert_int_equal(policy.ring_bytes, 256 * M);
	assert_int_equal(policy.snapshot_interval_ns, 2 * S);
	assert_int_equal(policy.triggers, TRIGGER_CRASH | TRIGGER_KILLED);
	assert_int_equal(policy.freeze_signals, 0);
	assert_int_equal(policy.instructions, INSTRUCTIONS_TSC | INSTRUCTIONS_CPUID |
						     INSTRUCTIONS_RANDOM | INSTRUCTIONS_VSYSCALL);
	assert_int_equal(policy.placement, PLACEMENT_TURNS);
	assert_int_equal(policy.stall_ns, 100 * MS);
	assert_int_equal(policy.crash_hold_ns, 250 * MS);
	assert_int_equal(policy.sync_ns, 1 * S);
	assert_int_equal(policy.keep_incidents, 5);
	assert_int_equal(policy.incidents_percent, 50);
	assert_int_equal(policy.incidents_rate, 0);
	assert_int_equal(policy.keep_free, 0);
	assert_int_equal(policy.log_buffer_bytes, 8 * M);
}

static void set_values(void **state)
{
	(void) state;

	for (size_t i = 0; i < n_values; i++) {
		const struct value_row *row = &values[i];
		autoclean(policy_deinit) struct policy policy, untouched;
		struct policy_error error = { "" };

		policy_init(&policy);
		policy_init(&untouched);
		assert_int_equal(policy_set(&policy, row->key, row->text, &error), row->result);
		if (row->result == 0) {
			assert_field(&policy, row);
			assert_string_equal(error.text, "");
			continue;
		}
		assert_message(&error, "", row->key, row->string);
		assert_same_numbers(&policy, &untouched);
		assert_null(policy.name);
		assert_null(policy.unit);
	}
}

static void every_key_has_values(void **state)
{
	(void) state;

	for (size_t i = 0; i < policy_n_keys; i++) {
		unsigned n_good = 0, n_bad = 0;

		for (size_t j = 0; j < n_values; j++) {
			if (strcmp(values[j].key, policy_keys[i].name) != 0)
				continue;
			n_good += values[j].result == 0;
			n_bad += values[j].result < 0;
		}
		if (!(policy_keys[i].places & PLACE_TEXT) ||
		    policy_keys[i].type->shape == SHAPE_WORDS)
			assert_int_equal(n_good + n_bad, 0);
		else if (n_good == 0 || n_bad == 0)
			fail_msg("%s is not tested", policy_keys[i].name);
	}
}

static void set_replaces_strings(void **state)
{
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error;
	(void) state;

	policy_init(&policy);
	assert_int_equal(policy_set(&policy, "name", "one", &error), 0);
	assert_int_equal(policy_set(&policy, "name", "two", &error), 0);
	assert_string_equal(policy.name, "two");
	assert_int_equal(policy_set(&policy, "name", "/", &error), -EINVAL);
	assert_string_equal(policy.name, "two");
}

static void set_refuses(void **state)
{
	static const struct {
		const char *key;
		int result;
		const char *message;
	} rows[] = {
		{ "state-dir", -ENOENT, "\"state-dir\"" NO_KEY },
		{ "max-use", -ENOENT, "\"max-use\"" NO_KEY },
		{ "services", -ENOENT, "\"services\"" NO_KEY },
		{ "", -ENOENT, "\"\"" NO_KEY },
		{ "rign", -ENOENT, "\"rign\" is not a key; is ring meant?" },
		{ "snapshto-intervla", -ENOENT,
		  "\"snapshto-intervla\" is not a key; is snapshot-interval meant?" },
		{ "wnig", -ENOENT, "\"wnig\"" NO_KEY },
		{ "log-buf", -ENOENT, "\"log-buf\"" NO_KEY },
		{ "command", -EINVAL, "command: " WANT_WORDS },
	};
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error;
	(void) state;

	policy_init(&policy);
	for (size_t i = 0; i < N(rows); i++) {
		assert_int_equal(policy_set(&policy, rows[i].key, "x", &error), rows[i].result);
		assert_string_equal(error.text, rows[i].message);
	}
}

static void checks(void **state)
{
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error = { "" };
	(void) state;

	policy_init(&policy);
	assert_int_equal(policy_check(&policy, &error), 0);
	policy.snapshot_interval_ns = policy.window_ns;
	assert_int_equal(policy_check(&policy, &error), 0);
	policy.snapshot_interval_ns++;
	assert_int_equal(policy_check(&policy, &error), -EINVAL);
	assert_string_equal(error.text,
			    "snapshot-interval: 30.0s is longer than the window of 30.0s");
	policy.window_ns = UINT64_MAX;
	assert_int_equal(policy_check(&policy, &error), 0);
	policy.incidents_rate = 4;
	assert_int_equal(policy_check(&policy, &error), 0);
	policy.incidents_rate = policy.keep_incidents;
	assert_int_equal(policy_check(&policy, &error), -EINVAL);
	assert_string_equal(error.text, "incidents-rate: 5 is not less than keep-incidents, 5");
}

static void copies(void **state)
{
	static const char text[] = "services: [{name: a, command: [b, c, '']}, {name: d, unit: "
				   "e.service, stall: 1s}]";
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	autoclean(policy_deinit) struct policy a, d;
	(void) state;

	load_good(text, &set);
	assert_int_equal(policy_copy(&set.services[0], &a), 0);
	assert_int_equal(policy_copy(&set.services[1], &d), 0);
	memset(set.services[0].name, 'x', 1);
	memset(set.services[0].command[1], 'x', 1);
	policy_set_deinit(&set);

	assert_string_equal(a.name, "a");
	assert_string_equal(a.command[0], "b");
	assert_string_equal(a.command[1], "c");
	assert_string_equal(a.command[2], "");
	assert_null(a.command[3]);
	assert_null(a.unit);
	assert_string_equal(d.name, "d");
	assert_string_equal(d.unit, "e.service");
	assert_null(d.command);
	assert_int_equal(d.stall_ns, 1 * S);
	assert_int_equal(d.ring_bytes, 256 * M);
}

static void copies_without_memory(void **state)
{
	static const char text[] = "services: [{command: [b, c], name: d}, " OK "]\n";
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	unsigned n_failed = 0;
	int r;
	(void) state;

	load_good(text, &set);
	for (size_t i = 0; i < set.n_services; i++) {
		do {
			autoclean(policy_deinit) struct policy copy = { 0 };

			fail_allocation_after(n_failed++);
			r = policy_copy(&set.services[i], &copy);
			fail_allocation_after(UINT_MAX);
			assert_int_equal(r, copy.name ? 0 : -ENOMEM);
		} while (r < 0);
		n_failed = 0;
	}
}

static void sets_without_memory(void **state)
{
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error;
	int r;
	(void) state;

	policy_init(&policy);
	fail_allocation_after(0);
	r = policy_set(&policy, "name", "a", &error);
	fail_allocation_after(UINT_MAX);
	assert_int_equal(r, -ENOMEM);
	assert_string_equal(error.text, "name: out of memory");
	assert_null(policy.name);
}

/* The part of the manual page about @key: up to the next key or heading. */
static char *manual_of(const char *page, const char *key)
{
	autoclean(freep) char *item = NULL;
	const char *begin, *end, *heading;
	char *manual = NULL;

	assert_return_code(asprintf(&item, "\n.It Ic %s : ", key), errno);
	begin = strstr(page, item);
	if (!begin)
		fail_msg("blackbox-policy(5) doesn't say what %s is", key);
	end = strstr(begin + 1, "\n.It Ic ");
	heading = strstr(begin + 1, "\n.Sh ");
	if (!end || heading < end)
		end = heading;
	assert_return_code(asprintf(&manual, "%.*s", (int)(end - begin) + 1, begin), errno);
	return manual;
}

static void manual_says_all(void **state)
{
	autoclean(freep) char *page = read_source("man/blackbox-policy.5");
	size_t n_items = 0;
	(void) state;

	for (size_t i = 0; i < policy_n_keys; i++) {
		const struct policy_key *key = &policy_keys[i];
		autoclean(freep) char *manual = manual_of(page, key->name);

		assert_says(manual, "\nDefault: %s.\n", key->initial);
		assert_says(manual, "t least %s", key->min);
		assert_says(manual, "t most %s.\n", key->max);
		assert_says(manual, " | Cm %s\n", key->word);
		if (!key->initial)
			assert_null(strstr(manual, "Default:"));
	}
	for (const char *c = page; (c = strstr(c, "\n.It Ic ")); c++)
		n_items++;
	assert_int_equal(n_items, policy_n_keys);
}

static void manual_and_message_name_triggers(void **state)
{
	static const char *const names[] = { "crash", "killed", "exit-status", "exit" };
	autoclean(freep) char *page = read_source("man/blackbox-policy.5");
	autoclean(freep) char *manual = manual_of(page, "triggers");
	uint64_t all = 0;
	(void) state;

	for (size_t i = 0; i < N(names); i++) {
		uint64_t bit = 0;

		assert_int_equal(policy_type_triggers.parse(names[i], &bit), 0);
		assert_says(manual, "\n.It Cm %s\n", names[i]);
		assert_non_null(strstr(policy_type_triggers.accepts, names[i]));
		all |= bit;
	}
	assert_int_equal(all, 2 * TRIGGER_EXIT - 1);
}

static void set_key(const char *key, const char *text, void *userdata)
{
	struct policy_error error;

	assert_int_equal(policy_set(userdata, key, text, &error), 0);
}

/* What policy_each() writes, policy_set() reads back: a recorder gets its policy so. */
static void text_round_trip(void **state)
{
	static const char *const values[][2] = {
		{ "name", "redis" },		  { "window", "all" },
		{ "ring", "64M" },		  { "snapshot-interval", "1.5s" },
		{ "triggers", "crash,exit" },	  { "freeze-signals", "USR2,RTMIN+3,HUP" },
		{ "stall", "0" },		  { "crash-hold", "none" },
		{ "incidents-share", "90" },	  { "log-buffer", "64K" },
		{ "instructions", "cpuid,vsyscall" },
		{ "placement", "none" },
		{ "stubs", "100" },
		{ "chaos", "7" },
	};
	autoclean(policy_deinit) struct policy from = { 0 }, to = { 0 };
	(void) state;

	policy_init(&from);
	policy_init(&to);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		set_key(values[i][0], values[i][1], &from);
	policy_each(&from, set_key, &to);
	assert_string_equal(to.name, "redis");
	assert_int_equal(to.window_ns, UINT64_MAX);
	assert_int_equal(to.ring_bytes, 64 << 20);
	assert_int_equal(to.snapshot_interval_ns, 1500000000);
	assert_int_equal(to.triggers, TRIGGER_CRASH | TRIGGER_EXIT);
	assert_int_equal(to.freeze_signals, from.freeze_signals);
	assert_int_equal(to.stall_ns, 0);
	assert_int_equal(to.crash_hold_ns, UINT64_MAX);
	assert_int_equal(to.incidents_percent, 90);
	assert_int_equal(to.log_buffer_bytes, 65536);
	assert_int_equal(to.instructions, INSTRUCTIONS_CPUID | INSTRUCTIONS_VSYSCALL);
	assert_int_equal(to.placement, 0);
	assert_int_equal(to.chaos_seed, 7);
	assert_int_equal(to.keep_incidents, from.keep_incidents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_round_trip),
		cmocka_unit_test(defaults),
		cmocka_unit_test(set_values),
		cmocka_unit_test(every_key_has_values),
		cmocka_unit_test(set_replaces_strings),
		cmocka_unit_test(set_refuses),
		cmocka_unit_test(checks),
		cmocka_unit_test(copies),
		cmocka_unit_test(copies_without_memory),
		cmocka_unit_test(sets_without_memory),
		cmocka_unit_test(manual_says_all),
		cmocka_unit_test(manual_and_message_name_triggers),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
