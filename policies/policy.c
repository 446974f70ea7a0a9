/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "policies/policy-internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"
#include "common/parse.h"

#define FIELD(member) offsetof(struct policy, member), sizeof(((struct policy *)0)->member)
#define SET_FIELD(member) \
	offsetof(struct policy_set, member), sizeof(((struct policy_set *)0)->member)

/*
 * The keys. Why the limits: a ring holds at least one snapshot and some log of a
 * small process; a snapshot is a fork, which costs milliseconds; stall is counted
 * per 10 s; a log buffer is indexed by masks, and each domain has its own.
 */
const struct policy_key policy_keys[] = {
	{ "name", PLACE_SERVICE | PLACE_TEXT, &policy_type_name, FIELD(name) },
	{ "command", PLACE_SERVICE | PLACE_TEXT, &policy_type_command, FIELD(command) },
	{ "unit", PLACE_SERVICE | PLACE_TEXT, &policy_type_unit, FIELD(unit) },
	{ "window", PLACE_EVERY, &policy_type_duration, FIELD(window_ns),
	  .initial = "30s", .min = "1ms", .word = "all", .word_value = UINT64_MAX },
	{ "ring", PLACE_EVERY, &policy_type_size, FIELD(ring_bytes),
	  .initial = "256M", .min = "1M" },
	{ "snapshot-interval", PLACE_EVERY, &policy_type_duration, FIELD(snapshot_interval_ns),
	  .initial = "2s", .min = "1ms" },
	{ "snapshot-memory", PLACE_EVERY, &policy_type_size, FIELD(snapshot_memory),
	  .initial = "256M", .min = "1M", .word = "none", .word_value = 0 },
	{ "triggers", PLACE_EVERY, &policy_type_triggers, FIELD(triggers),
	  .initial = "crash, killed", .word = "none" },
	{ "freeze-signals", PLACE_EVERY, &policy_type_signals, FIELD(freeze_signals),
	  .initial = "none", .word = "none" },
	{ "stall", PLACE_EVERY, &policy_type_duration, FIELD(stall_ns),
	  .initial = "100ms", .max = "10s" },
	{ "crash-hold", PLACE_EVERY, &policy_type_duration, FIELD(crash_hold_ns),
	  .initial = "250ms", .word = "none", .word_value = UINT64_MAX },
	{ "sync-interval", PLACE_EVERY, &policy_type_duration, FIELD(sync_ns),
	  .initial = "1s", .word = "none" },
	{ "instructions", PLACE_EVERY, &policy_type_instructions, FIELD(instructions),
	  .initial = "tsc, cpuid, random, vsyscall", .word = "none" },
	{ "placement", PLACE_EVERY, &policy_type_placement, FIELD(placement),
	  .initial = "turns", .word = "none" },
	{ "stubs", PLACE_EVERY, &policy_type_count, FIELD(stub_after),
	  .initial = "16", .min = "1", .max = "1000000", .word = "none" },
	{ "keep-incidents", PLACE_EVERY, &policy_type_count, FIELD(keep_incidents),
	  .initial = "5", .min = "1", .max = "1000" },
	{ "incidents-share", PLACE_EVERY, &policy_type_percent, FIELD(incidents_percent),
	  .initial = "50", .min = "1", .max = "90" },
	{ "incidents-rate", PLACE_EVERY, &policy_type_count, FIELD(incidents_rate),
	  .initial = "none", .min = "1", .max = "999", .word = "none" },
	{ "keep-free", PLACE_EVERY, &policy_type_share, FIELD(keep_free),
	  .initial = "none", .word = "none" },
	{ "log-buffer", PLACE_EVERY, &policy_type_power_of_two, FIELD(log_buffer_bytes),
	  .initial = "8M", .min = "64K", .max = "1G" },
	{ "chaos", PLACE_EVERY, &policy_type_count, FIELD(chaos_seed),
	  .initial = "none", .min = "1", .word = "none" },
	{ "state-dir", PLACE_TOP, &policy_type_path, SET_FIELD(state_dir),
	  .of_set = true, .initial = STATEDIR },
	{ "max-use", PLACE_TOP, &policy_type_share, SET_FIELD(max_use),
	  .of_set = true, .initial = "none", .min = "1M", .word = "none" },
	{ "services", PLACE_TOP, &policy_type_services, SET_FIELD(services), .of_set = true },
};

const size_t policy_n_keys = sizeof(policy_keys) / sizeof(policy_keys[0]);
static_assert(sizeof(policy_keys) / sizeof(policy_keys[0]) <= POLICY_MAX_KEYS, "keys fit a set");

const struct policy_key *policy_key_find(const char *name)
{
	for (size_t i = 0; i < policy_n_keys; i++)
		if (strcmp(policy_keys[i].name, name) == 0)
			return &policy_keys[i];
	return NULL;
}

/* Longer words are too far from every key: the longest has 17 letters. */
#define NEAREST_MAX 24

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * How many letters have to be added, taken away, changed, or swapped with their
 * neighbour, to make @to of @from; both are shorter than NEAREST_MAX. d[i][j] is
 * the distance of the first i letters of @from to the first j of @to.
 */
static unsigned distance(const char *from, const char *to)
{
	unsigned d[NEAREST_MAX][NEAREST_MAX];
	size_t i, j;

	d[0][0] = 0;
	for (j = 1; to[j - 1]; j++)
		d[0][j] = (unsigned)j;
	for (i = 1; from[i - 1]; i++) {
		d[i][0] = (unsigned)i;
		for (j = 1; to[j - 1]; j++) {
			d[i][j] = d[i - 1][j - 1] + (from[i - 1] != to[j - 1]);
			d[i][j] = least(d[i][j], least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[i - 1][j - 1];
}

/* The key in @place that @name is a slip of the pen for, a third of it at most, or NULL. */
static const struct policy_key *nearest(const char *name, enum policy_place place)
{
	const struct policy_key *best = NULL;
	unsigned best_distance = 3;	/* more slips than two are another word */

	if (strlen(name) >= NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < policy_n_keys; i++) {
		unsigned d = distance(name, policy_keys[i].name);

		if (!(policy_keys[i].places & place) || d >= best_distance || 3 * d > strlen(name))
			continue;
		best = &policy_keys[i];
		best_distance = d;
	}
	return best;
}

int policy_key_unknown(const char *name, enum policy_place place, struct policy_error *ret_error)
{
	const struct policy_key *meant = nearest(name, place);
	char quoted[POLICY_QUOTED];

	(void) policy_quote(name, strlen(name), quoted);
	if (meant)
		(void) policy_fail(ret_error, "%s is not a key; is %s meant?", quoted, meant->name);
	else
		(void) policy_fail(ret_error, "%s is not a key; blackbox-policy(5) lists them",
				   quoted);
	return -ENOENT;
}

int policy_keys_init(bool of_set, void *object)
{
	struct policy_error error;
	int r;

	for (size_t i = 0; i < policy_n_keys; i++) {
		const struct policy_key *key = &policy_keys[i];

		if (key->of_set != of_set || !key->initial)
			continue;
		r = policy_key_set(key, object, key->initial, &error);
		if (r < 0)
			return r;
	}
	return 0;
}

void policy_init(struct policy *policy)
{
	int r;

	*policy = (struct policy){ 0 };
	r = policy_keys_init(false, policy);
	assert(r == 0); /* they are our own, and none is a string */
	(void) r;
}

void policy_deinit(struct policy *policy)
{
	free(policy->unit);
	policy_free_words(policy->command);
	free(policy->name);
	*policy = (struct policy){ 0 };
}

struct policy policy_take(struct policy *policy)
{
	struct policy taken = *policy;

	*policy = (struct policy){ 0 };
	return taken;
}

static int copy_string(const char *from, char **ret_to)
{
	char *to = from ? strdup(from) : NULL;

	if (from && !to)
		return -ENOMEM;
	*ret_to = to;
	return 0;
}

static int copy_words(char **from, char ***ret_to)
{
	autoclean(policy_words_deinit) struct policy_words to = { 0 };
	int r;

	for (; from && *from; from++) {
		r = policy_words_append(&to, *from);
		if (r < 0)
			return r;
	}
	*ret_to = MOVE(to.list);
	return 0;
}

int policy_copy(const struct policy *from, struct policy *ret_to)
{
	autoclean(policy_deinit) struct policy to = *from;
	int r;

	to.name = NULL;
	to.command = NULL;
	to.unit = NULL;
	r = copy_string(from->name, &to.name);
	if (r == 0)
		r = copy_words(from->command, &to.command);
	if (r == 0)
		r = copy_string(from->unit, &to.unit);
	if (r < 0)
		return r;

	*ret_to = policy_take(&to);
	return 0;
}

int policy_set(struct policy *policy, const char *key, const char *value,
	       struct policy_error *ret_error)
{
	const struct policy_key *row = policy_key_find(key);

	if (!row || !(row->places & PLACE_TEXT))
		return policy_key_unknown(key, PLACE_TEXT, ret_error);
	return policy_key_set(row, policy, value, ret_error);
}

static int check_interval(const struct policy *policy, struct policy_error *ret_error)
{
	char interval[32], window[32];

	if (policy->snapshot_interval_ns <= policy->window_ns)
		return 0;
	return policy_fail(ret_error, "snapshot-interval: %s is longer than the window of %s",
			   format_duration(policy->snapshot_interval_ns, interval),
			   format_duration(policy->window_ns, window));
}

/* It is counted in those that are kept: the newest, and the first of all. */
static int check_rate(const struct policy *policy, struct policy_error *ret_error)
{
	if (policy->incidents_rate < policy->keep_incidents)
		return 0;
	return policy_fail(ret_error, "incidents-rate: %u is not less than keep-incidents, %u",
			   policy->incidents_rate, policy->keep_incidents);
}

int policy_check_keys(const struct policy *policy, const char *ret_keys[static 2],
		      struct policy_error *ret_error)
{
	static const struct {
		const char *keys[2];
		int (*check)(const struct policy *policy, struct policy_error *ret_error);
	} rules[] = {
		{ { "window", "snapshot-interval" }, check_interval },
		{ { "keep-incidents", "incidents-rate" }, check_rate },
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int r = rules[i].check(policy, ret_error);

		if (r < 0) {
			ret_keys[0] = rules[i].keys[0];
			ret_keys[1] = rules[i].keys[1];
			return r;
		}
	}
	return 0;
}

int policy_check(const struct policy *policy, struct policy_error *ret_error)
{
	const char *keys[2];

	return policy_check_keys(policy, keys, ret_error);
}

void policy_each(const struct policy *policy,
		 void (*visit)(const char *key, const char *text, void *userdata), void *userdata)
{
	/* All 64 signals, the longest list. */
	char text[64 * 16];

	for (size_t i = 0; i < policy_n_keys; i++)
		if ((policy_keys[i].places & PLACE_TEXT) &&
		    policy_key_text(&policy_keys[i], policy, text, sizeof(text)))
			visit(policy_keys[i].name, text, userdata);
}
