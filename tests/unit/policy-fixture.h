/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy-fixture - what the tests of policies share: values, and loading from memory
 */
#pragma once

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policies/policy-internal.h"

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))
#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define M UINT64_C(1048576)
#define BIT(signal) (UINT64_C(1) << ((signal) - 1))

/* libpolicies' next allocations but @n work, and then one fails; UINT_MAX: all work. */
void fail_allocation_after(unsigned n);

/* What policy_set() and a file make of a value: a field, or a message behind "KEY: ". */
struct value_row {
	const char *key;
	const char *text;
	int result;
	uint64_t number;
	const char *string;	/* of the field, or the message */
};

extern const struct value_row values[];
extern const size_t n_values;

/* Parts of the messages. */
#define NOT_SIZE " is not a size (examples: 64M, 1.5G)"
#define NOT_POWER " is not a size that is a power of two (examples: 1M, 8M)"
#define NOT_DURATION " is not a duration (examples: 250ms, 30s, 5min"
#define NOT_INSTRUCTIONS " is not a kind of instructions (tsc, cpuid, random or vsyscall)"
#define NOT_TRIGGER " is not a trigger (crash, killed, exit-status or exit)"
#define NOT_SIGNAL " is not a signal that can be caught (examples: USR2, SIGTERM, RTMIN+3)"
#define NOT_NAME \
	" is not a name (letters, digits and :-_.@, the first a letter or digit, up to 128)"
#define NOT_UNIT \
	" is not the name of a service unit (examples: redis-server.service, getty@tty1.service)"
#define NO_KEY " is not a key; blackbox-policy(5) lists them"
#define NO_PLACE ": has no place in the policy of one command"
#define WANT_TRIGGER "a trigger is wanted (crash, killed, exit-status or exit)"
#define WANT_PATH "an absolute path is wanted (example: /var/lib/blackbox)"
#define WANT_WORDS \
	"a list of words is wanted " \
	"(example: [redis-server, --port, \"6379\"]; no shell splits them)"
#define WANT_SERVICES "a list is wanted (each item is a service and begins with - name:)"
#define NO_ALIAS "aliases (*name) are refused; write the value itself"
#define NO_CONTROL "this is not UTF-8 text: control characters are not allowed"
#define BAD_UTF8 "this is not UTF-8 text: invalid leading UTF-8 octet"

/* One service that is right, for what stands around it. */
#define OK "{name: a, unit: a.service}"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

uint64_t number_of(const struct policy *policy, const struct policy_key *key);
void assert_field(const struct policy *policy, const struct value_row *row);
void assert_same_numbers(const struct policy *a, const struct policy *b);

/* "PLACEKEY: MESSAGE" */
void assert_message(const struct policy_error *error, const char *place, const char *key,
		    const char *message);

/* The loaders, of text that ends where the next page can't be read. */
int load_bytes(const char *text, size_t len, struct policy_set *set, struct policy_error *error);
int load_single_bytes(const char *text, size_t len, struct policy *policy,
		      struct policy_error *error);
void load_good(const char *text, struct policy_set *set);
void load_bad(const char *text, size_t len, const char *message);

/* All of a file of the source tree. */
char *read_source(const char *name);

/* Fails where @text doesn't contain what @format makes of @value, unless that is NULL. */
void assert_says(const char *text, const char *format, const char *value)
	__attribute__((format(printf, 2, 0)));
