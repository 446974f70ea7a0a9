/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/policy-fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/autoclean.h"

/* The linker gives us these in place of libpolicies' allocations: the n-th one fails. */
static unsigned n_until_failure = UINT_MAX;

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_reallocarray(void *array, size_t n, size_t size);
void *__wrap_reallocarray(void *array, size_t n, size_t size);

void fail_allocation_after(unsigned n)
{
	n_until_failure = n;
}

char *__wrap_strdup(const char *text)
{
	return n_until_failure-- ? __real_strdup(text) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return n_until_failure-- ? __real_calloc(n, size) : NULL;
}

void *__wrap_reallocarray(void *array, size_t n, size_t size)
{
	return n_until_failure-- ? __real_reallocarray(array, n, size) : NULL;
}

const struct value_row values[] = {
	{ "name", "redis", 0, 0, "redis" },
	{ "name", "9:a-b_c.d@e", 0, 0, "9:a-b_c.d@e" },
	{ "name", A64 A64, 0, 0, A64 A64 },
	{ "name", A64 A64 "a", -EINVAL, 0, "\"" A40 "...\"" NOT_NAME },
	{ "name", "", -EINVAL, 0, "\"\"" NOT_NAME },
	{ "name", "..", -EINVAL, 0, "\"..\"" NOT_NAME },
	{ "name", "-x", -EINVAL, 0, "\"-x\"" NOT_NAME },
	{ "name", "a/b", -EINVAL, 0, "\"a/b\"" NOT_NAME },
	{ "name", "a b", -EINVAL, 0, "\"a b\"" NOT_NAME },
	{ "name", "caf\xc3\xa9", -EINVAL, 0, "\"caf\\xc3\\xa9\"" NOT_NAME },
	{ "unit", "redis-server.service", 0, 0, "redis-server.service" },
	{ "unit", "a@b\\x2d.service", 0, 0, "a@b\\x2d.service" },
	{ "unit", "redis", -EINVAL, 0, "\"redis\"" NOT_UNIT },
	{ "unit", ".service", -EINVAL, 0, "\".service\"" NOT_UNIT },
	{ "unit", ".a.service", -EINVAL, 0, "\".a.service\"" NOT_UNIT },
	{ "unit", "a@.service", -EINVAL, 0, "\"a@.service\"" NOT_UNIT },
	{ "unit", "../a.service", -EINVAL, 0, "\"../a.service\"" NOT_UNIT },
	{ "unit", "a.socket", -EINVAL, 0, "\"a.socket\"" NOT_UNIT },
	{ "unit", A64 A64 A64 A64 ".service", -EINVAL, 0, "\"" A40 "...\"" NOT_UNIT },
	{ "window", "1min", 0, 60 * S },
	{ "window", "1ms", 0, MS },
	{ "window", "all", 0, UINT64_MAX },
	{ "window", "none", -EINVAL, 0, "\"none\"" NOT_DURATION "; or all)" },
	{ "window", "0", -ERANGE, 0, "\"0\" is too little: at least 1ms" },
	{ "window", "99999999999d", -ERANGE, 0, "\"99999999999d\" is out of range" },
	{ "ring", "1M", 0, M },
	{ "ring", "1.5G", 0, 1536 * M },
	{ "ring", "64Q", -EINVAL, 0, "\"64Q\"" NOT_SIZE },
	{ "ring", "-1M", -EINVAL, 0, "\"-1M\"" NOT_SIZE },
	{ "ring", "1023K", -ERANGE, 0, "\"1023K\" is too little: at least 1M" },
	{ "ring", "999999999T", -ERANGE, 0, "\"999999999T\" is out of range" },
	{ "snapshot-interval", "500ms", 0, 500 * MS },
	{ "snapshot-interval", "all", -EINVAL, 0, "\"all\"" NOT_DURATION ")" },
	{ "snapshot-interval", "0s", -ERANGE, 0, "\"0s\" is too little: at least 1ms" },
	{ "snapshot-memory", "64M", 0, 64 * M },
	{ "snapshot-memory", "none", 0, 0 },
	{ "snapshot-memory", "64Q", -EINVAL, 0, "\"64Q\"" " is not a size (examples: 64M, 1.5G; or none)" },
	{ "snapshot-memory", "1K", -ERANGE, 0, "\"1K\" is too little: at least 1M" },
	{ "triggers", "crash", 0, TRIGGER_CRASH },
	{ "triggers", "killed,exit-status, exit", 0,
	  TRIGGER_KILLED | TRIGGER_EXIT_STATUS | TRIGGER_EXIT },
	{ "triggers", "none", 0, 0 },
	{ "triggers", "crsh", -EINVAL, 0, "\"crsh\"" NOT_TRIGGER },
	{ "triggers", "crash,none", -EINVAL, 0, "\"none\"" NOT_TRIGGER },
	{ "triggers", "crash exit", -EINVAL, 0, "\"crash exit\"" NOT_TRIGGER },
	{ "triggers", "crash,", -EINVAL, 0, "\"\"" NOT_TRIGGER },
	{ "triggers", "signal:USR2-and-more", -EINVAL, 0, "\"signal:USR2-and-more\"" NOT_TRIGGER },
	{ "freeze-signals", "USR2", 0, BIT(SIGUSR2) },
	{ "freeze-signals", "SIGUSR1, 64, HUP", 0, BIT(SIGUSR1) | BIT(64) | BIT(SIGHUP) },
	{ "freeze-signals", "SIGRTMIN+30", 0, BIT(64) },
	{ "freeze-signals", "none", 0, 0 },
	{ "freeze-signals", "KILL", -EINVAL, 0, "\"KILL\"" NOT_SIGNAL },
	{ "freeze-signals", "19", -EINVAL, 0, "\"19\"" NOT_SIGNAL },
	{ "freeze-signals", "0", -EINVAL, 0, "\"0\"" NOT_SIGNAL },
	{ "freeze-signals", "USR3", -EINVAL, 0, "\"USR3\"" NOT_SIGNAL },
	{ "freeze-signals", "RTMIN+9223372036854775807", -EINVAL, 0,
	  "\"RTMIN+9223372036854775807\"" NOT_SIGNAL },
	{ "sync-interval", "250ms", 0, 250 * MS },
	{ "sync-interval", "none", 0, 0 },
	{ "sync-interval", "0", 0, 0 },
	{ "sync-interval", "often", -EINVAL, 0, "\"often\"" NOT_DURATION "; or none)" },
	{ "stall", "0", 0, 0 },
	{ "stall", "10s", 0, 10 * S },
	{ "stall", "10.001s", -ERANGE, 0, "\"10.001s\" is too much: at most 10s" },
	{ "stall", "soon", -EINVAL, 0, "\"soon\"" NOT_DURATION ")" },
	{ "crash-hold", "0", 0, 0 },
	{ "crash-hold", "2s", 0, 2 * S },
	{ "crash-hold", "none", 0, UINT64_MAX },
	{ "crash-hold", "all", -EINVAL, 0, "\"all\"" NOT_DURATION "; or none)" },
	{ "keep-incidents", "1", 0, 1 },
	{ "keep-incidents", "1000", 0, 1000 },
	{ "keep-incidents", "0", -ERANGE, 0, "\"0\" is too little: at least 1" },
	{ "keep-incidents", "1001", -ERANGE, 0, "\"1001\" is too much: at most 1000" },
	{ "keep-incidents", "4294967297", -ERANGE, 0, "\"4294967297\" is too much: at most 1000" },
	{ "keep-incidents", "18446744073709551616", -ERANGE, 0,
	  "\"18446744073709551616\" is out of range" },
	{ "keep-incidents", "+5", -EINVAL, 0, "\"+5\" is not a number (example: 5)" },
	{ "keep-incidents", "5.0", -EINVAL, 0, "\"5.0\" is not a number (example: 5)" },
	{ "keep-incidents", "5%", -EINVAL, 0, "\"5%\" is not a number (example: 5)" },
	{ "incidents-share", "1", 0, 1 },
	{ "incidents-share", "90%", 0, 90 },
	{ "incidents-share", "0", -ERANGE, 0, "\"0\" is too little: at least 1" },
	{ "incidents-share", "91%", -ERANGE, 0, "\"91%\" is too much: at most 90" },
	{ "incidents-share", "18446744073709551616", -ERANGE, 0,
	  "\"18446744073709551616\" is out of range" },
	{ "incidents-share", "half", -EINVAL, 0,
	  "\"half\" is not a percentage (examples: 50, 50%)" },
	{ "incidents-share", "50%%", -EINVAL, 0,
	  "\"50%%\" is not a percentage (examples: 50, 50%)" },
	{ "incidents-rate", "4", 0, 4 },
	{ "incidents-rate", "none", 0, 0 },
	{ "incidents-rate", "0", -ERANGE, 0, "\"0\" is too little: at least 1" },
	{ "incidents-rate", "1000", -ERANGE, 0, "\"1000\" is too much: at most 999" },
	{ "keep-free", "1G", 0, 1024 * M },
	{ "keep-free", "none", 0, 0 },
	{ "keep-free", "15%", 0, POLICY_PERCENT | 15 },
	{ "keep-free", "100%", 0, POLICY_PERCENT | 100 },
	{ "keep-free", "0%", -ERANGE, 0, "\"0%\" is out of range" },
	{ "keep-free", "101%", -ERANGE, 0, "\"101%\" is out of range" },
	{ "keep-free", "x%", -EINVAL, 0,
	  "\"x%\" is not a size or a percentage (examples: 64M, 1.5G, 10%; or none)" },
	{ "instructions", "cpuid", 0, INSTRUCTIONS_CPUID },
	{ "instructions", "tsc, random,vsyscall", 0,
	  INSTRUCTIONS_TSC | INSTRUCTIONS_RANDOM | INSTRUCTIONS_VSYSCALL },
	{ "instructions", "none", 0, 0 },
	{ "instructions", "rdtsc", -EINVAL, 0, "\"rdtsc\"" NOT_INSTRUCTIONS },
	{ "placement", "turns", 0, PLACEMENT_TURNS },
	{ "placement", "none", 0, 0 },
	{ "placement", "threads", -EINVAL, 0, "\"threads\" is not a kind of processes (turns)" },
	{ "stubs", "1", 0, 1 },
	{ "stubs", "none", 0, 0 },
	{ "stubs", "0", -ERANGE, 0, "\"0\" is too little: at least 1" },
	{ "stubs", "1000001", -ERANGE, 0, "\"1000001\" is too much: at most 1000000" },
	{ "log-buffer", "64K", 0, 65536 },
	{ "log-buffer", "1G", 0, 1024 * M },
	{ "log-buffer", "3M", -EINVAL, 0, "\"3M\"" NOT_POWER },
	{ "log-buffer", "x", -EINVAL, 0, "\"x\"" NOT_POWER },
	{ "log-buffer", "32K", -ERANGE, 0, "\"32K\" is too little: at least 64K" },
	{ "log-buffer", "0", -ERANGE, 0, "\"0\" is too little: at least 64K" },
	{ "log-buffer", "2G", -ERANGE, 0, "\"2G\" is too much: at most 1G" },
	{ "log-buffer", "999999999T", -ERANGE, 0, "\"999999999T\" is out of range" },
	{ "chaos", "1", 0, 1 },
	{ "chaos", "18446744073709551615", 0, UINT64_MAX },
	{ "chaos", "none", 0, 0 },
	{ "chaos", "0", -ERANGE, 0, "\"0\" is too little: at least 1" },
	{ "chaos", "x", -EINVAL, 0, "\"x\" is not a number (example: 5; or none)" },
};

const size_t n_values = N(values);

uint64_t number_of(const struct policy *policy, const struct policy_key *key)
{
	const char *field = (const char *)policy + key->offset;

	return key->size == sizeof(uint64_t) ? *(const uint64_t *)field : *(const unsigned *)field;
}

static const char *string_of(const struct policy *policy, const struct policy_key *key)
{
	return *(char *const *)((const char *)policy + key->offset);
}

void assert_field(const struct policy *policy, const struct value_row *row)
{
	const struct policy_key *key = policy_key_find(row->key);

	assert_non_null(key);
	if (row->string)
		assert_string_equal(string_of(policy, key), row->string);
	else
		assert_int_equal(number_of(policy, key), row->number);
}

void assert_message(const struct policy_error *error, const char *place, const char *key,
		    const char *message)
{
	char expected[600];

	(void) snprintf(expected, sizeof(expected), "%s%s: %s", place, key, message);
	assert_string_equal(error->text, expected);
}

void assert_same_numbers(const struct policy *a, const struct policy *b)
{
	for (size_t i = 0; i < policy_n_keys; i++) {
		const struct policy_key *key = &policy_keys[i];

		if (key->of_set)
			continue;
		if (key->type->shape == SHAPE_NUMBER || key->type->shape == SHAPE_BITS)
			assert_int_equal(number_of(a, key), number_of(b, key));
	}
}

struct pages {
	char *map;
	size_t len;
};

static void pages_deinit(struct pages *pages)
{
	(void) munmap(pages->map, pages->len);
}

/* A copy of @text that ends where the next page can't be read. */
static const char *guarded(const char *text, size_t len, struct pages *ret_pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (len + page - 1) / page * page;
	char *map = mmap(NULL, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + used, page, PROT_NONE), 0);
	*ret_pages = (struct pages){ map, used + page };
	return memcpy(map + used - len, text, len);
}

int load_bytes(const char *text, size_t len, struct policy_set *set, struct policy_error *error)
{
	autoclean(pages_deinit) struct pages pages;

	return policy_load_text("p.yaml", guarded(text, len, &pages), len, set, error);
}

int load_single_bytes(const char *text, size_t len, struct policy *policy,
		      struct policy_error *error)
{
	autoclean(pages_deinit) struct pages pages;

	return policy_load_single_text("p.yaml", guarded(text, len, &pages), len, policy, error);
}

void load_good(const char *text, struct policy_set *set)
{
	struct policy_error error = { "" };

	if (load_bytes(text, strlen(text), set, &error) != 0)
		fail_msg("%s", error.text);
}

void load_bad(const char *text, size_t len, const char *message)
{
	struct policy_set set = { 0 };
	struct policy_error error = { "" };

	assert_int_equal(load_bytes(text, len, &set, &error), -EINVAL);
	assert_string_equal(error.text, message);
	assert_null(set.services);
	assert_null(set.state_dir);
}

char *read_source(const char *name)
{
	const char *top = getenv("top_srcdir");
	autoclean(freep) char *path = NULL;
	autoclean(fclosep) FILE *file = NULL;
	char *text = NULL;
	size_t size = 0;

	assert_return_code(asprintf(&path, "%s/%s", top ? top : ".", name), errno);
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	assert_return_code(getdelim(&text, &size, '\0', file), errno);
	return text;
}

void assert_says(const char *text, const char *format, const char *value)
{
	autoclean(freep) char *expected = NULL;

	if (!value)
		return;
	assert_return_code(asprintf(&expected, format, value), errno);
	if (!strstr(text, expected))
		fail_msg("\"%s\" is missing in: %s", expected, text);
}

