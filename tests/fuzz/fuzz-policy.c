/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes as a daemon's file, as the file of one command, and as KEY:VALUE of a command
 * line: each is refused with a message, or what it gives keeps what policy.h says.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"
#include "policies/policy-internal.h"
#include "tests/fuzz/fuzz.h"

/* assert() is gone in a build with -DNDEBUG. */
static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void expect_policy(const struct policy *policy)
{
	struct policy_error error;

	expect(policy_check(policy, &error) == 0);
	expect(policy->ring_bytes >= 1 << 20);
	expect(policy->stall_ns <= UINT64_C(10000000000));
	expect(policy->keep_incidents >= 1 && policy->keep_incidents <= 1000);
	expect(policy->incidents_percent >= 1 && policy->incidents_percent <= 90);
	expect((policy->log_buffer_bytes & (policy->log_buffer_bytes - 1)) == 0);
	expect(policy->triggers < TRIGGER_EXIT << 1);
}

static void expect_error(int r, const struct policy_error *error)
{
	expect(r == -EINVAL);
	expect(strncmp(error->text, "p.yaml:", 7) == 0);
	for (const char *c = error->text; *c; c++)
		expect(*c >= ' ' && *c <= '~');
}

static void load_set(const char *text, size_t len)
{
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	struct policy_error error = { "" };
	int r;

	r = policy_load_text("p.yaml", text, len, &set, &error);
	if (r < 0) {
		expect_error(r, &error);
		return;
	}
	expect(set.state_dir[0] == '/');
	expect(set.n_services <= POLICY_MAX_SERVICES);
	for (size_t i = 0; i < set.n_services; i++) {
		expect_policy(&set.services[i]);
		expect(set.services[i].name && !strchr(set.services[i].name, '/'));
		expect(!set.services[i].command != !set.services[i].unit);
		expect(!set.services[i].command || *set.services[i].command[0]);
	}
}

static void load_single(const char *text, size_t len)
{
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error = { "" };
	int r;

	policy_init(&policy);
	r = policy_load_single_text("p.yaml", text, len, &policy, &error);
	if (r < 0)
		expect_error(r, &error);
	expect_policy(&policy);
}

static void set_one(const char *text, size_t len)
{
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error = { "" };
	char key[512] = "", *value;
	int r;

	policy_init(&policy);
	memcpy(key, text, len < sizeof(key) ? len : sizeof(key) - 1);
	value = strchr(key, ':');
	if (!value)
		return;
	*value++ = '\0';
	r = policy_set(&policy, key, value + strspn(value, " "), &error);
	expect(r == 0 || r == -EINVAL || r == -ERANGE || r == -ENOENT);
	expect(!error.text[0] == !r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_set((const char *)data, size);
	load_single((const char *)data, size);
	set_one((const char *)data, size);
	return 0;
}
