/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy-internal - the table of keys, as the setter, the loader and the tests see it
 *
 * A row says where a key may stand, what its values are and which field they go
 * to. Defaults and limits are text, in the spelling of the files: the same words
 * are parsed, shown in errors and looked for in the manual page.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policies/policy.h"

/* Bits of policy_key.places. */
enum policy_place {
	PLACE_TOP = 1 << 0,	/* top level of a daemon's file */
	PLACE_SERVICE = 1 << 1,	/* one of the services there */
	PLACE_SINGLE = 1 << 2,	/* the file of one command */
	PLACE_TEXT = 1 << 3,	/* policy_set() */
	PLACE_EVERY = PLACE_TOP | PLACE_SERVICE | PLACE_SINGLE | PLACE_TEXT,
};

enum policy_shape {
	SHAPE_NUMBER,		/* one value, into an unsigned or a uint64_t */
	SHAPE_BITS,		/* words in any order, a bit each, into the same */
	SHAPE_STRING,		/* into a char * */
	SHAPE_WORDS,		/* strings in order, into a char **; a file can give them */
	SHAPE_SERVICES,		/* mappings, which only a file can give */
};

struct policy_type {
	enum policy_shape shape;
	const char *what;	/* `"64Q" is not a size (examples: 64M, 1.5G)` */
	const char *accepts;
	int (*parse)(const char *text, uint64_t *ret_value); /* a number, or the bit of a word */
	bool (*valid)(const char *text);		     /* of a string */
	const char *suffix;	/* of a number as it is kept, for policy_each() */
	const char *(*name)(unsigned bit, char buffer[static 16]); /* the word of a bit, or NULL */
};

struct policy_key {
	const char *name;
	unsigned places;
	const struct policy_type *type;
	size_t offset, size;	/* of the field */
	bool of_set;		/* which is one of struct policy_set, not of struct policy */
	const char *initial;	/* the default, or NULL */
	const char *min, *max;	/* NULL: as the type has it */
	const char *word;	/* a value beside those of the type: it stands for word_value */
	uint64_t word_value;
};

/* A set of keys is a uint32_t. */
#define POLICY_MAX_KEYS 32

/* policy.c: the table */
extern const struct policy_key policy_keys[];
extern const size_t policy_n_keys;

const struct policy_key *policy_key_find(const char *name);

/* -ENOENT; @ret_error says that @name is no key, and which of those in @place it may mean. */
int policy_key_unknown(const char *name, enum policy_place place, struct policy_error *ret_error);

/* Sets the keys of struct policy or of struct policy_set to their defaults. 0 or -ENOMEM. */
int policy_keys_init(bool of_set, void *object);

/* policy_check(), and which two keys don't fit each other, if it fails. */
int policy_check_keys(const struct policy *policy, const char *ret_keys[static 2],
		      struct policy_error *ret_error);

/* Moves a policy out of a variable that policy_deinit() ends. */
struct policy policy_take(struct policy *policy);

/* value.c: from text to fields */
extern const struct policy_type policy_type_size, policy_type_share, policy_type_power_of_two, policy_type_duration,
	policy_type_count, policy_type_percent, policy_type_triggers, policy_type_signals,
	policy_type_instructions, policy_type_placement,
	policy_type_name, policy_type_unit, policy_type_path, policy_type_command,
	policy_type_services;

/* Writes the field of @key so that policy_key_set() reads it back; false: it has no value. */
bool policy_key_text(const struct policy_key *key, const void *object, char *text, size_t size);

/* Sets the field of @key in @object, its struct, to what @text says. As policy_set(). */
int policy_key_set(const struct policy_key *key, void *object, const char *text,
		   struct policy_error *ret_error);

/* Adds to @bits what the @len bytes at @text stand for. For SHAPE_BITS. */
int policy_key_add_bit(const struct policy_key *key, const char *text, size_t len, uint64_t *bits,
		       struct policy_error *ret_error);
void policy_key_store_number(const struct policy_key *key, void *object, uint64_t value);

/* Takes @list over. */
void policy_key_store_words(const struct policy_key *key, void *object, char **list);

/* A list that is being made. @list is NULL, or ends with NULL. */
struct policy_words {
	char **list;
	size_t n;
};

/* Appends a copy of @word. 0 or -ENOMEM. */
int policy_words_append(struct policy_words *words, const char *word);
void policy_words_deinit(struct policy_words *words);
void policy_free_words(char **list);

/* -EINVAL; @ret_error says what @key wants, for a value of another shape. */
int policy_key_want(const struct policy_key *key, struct policy_error *ret_error);

/* Writes a message and returns -EINVAL, for `return policy_fail(...)`. */
int policy_fail(struct policy_error *ret_error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Two quotes, 40 bytes of up to 4 characters each, an ellipsis and the end. */
#define POLICY_QUOTED_BYTES 40
#define POLICY_QUOTED (2 + 4 * POLICY_QUOTED_BYTES + 3 + 1)

/*
 * Foreign text in quotes: nothing in it can drive a terminal, and it is cut where
 * it is long. Writes into @buffer and returns it.
 */
const char *policy_quote(const char *text, size_t len, char buffer[static POLICY_QUOTED]);

/* load.c: as policy_load() and policy_load_single(), of bytes in memory; @path is shown only */
int policy_load_text(const char *path, const char *text, size_t len, struct policy_set *ret_set,
		     struct policy_error *ret_error);
int policy_load_single_text(const char *path, const char *text, size_t len, struct policy *policy,
			    struct policy_error *ret_error);
