/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the text of a value to the field of a policy, and what is said when it can't be. */
#include "policies/policy-internal.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/parse.h"

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* The store makes directories of this name, and adds to it for incidents: NAME_MAX is 255. */
#define NAME_MAX_LEN 128

/* systemd's own limit, UNIT_NAME_MAX less the end. */
#define UNIT_MAX_LEN 255

/* The rest of PATH_MAX is for what the stores put below. */
#define PATH_MAX_LEN (PATH_MAX / 2)

/* Room for the longest word there is, "SIGRTMIN+30". */
#define BIT_WORD_SIZE 16

int policy_fail(struct policy_error *ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void) vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
	va_end(args);
	return -EINVAL;
}

const char *policy_quote(const char *text, size_t len, char buffer[static POLICY_QUOTED])
{
	const char *end = text + (len > POLICY_QUOTED_BYTES ? POLICY_QUOTED_BYTES : len);
	char *to = buffer;

	*to++ = '"';
	for (; text < end; text++) {
		if (*text >= ' ' && *text <= '~')
			*to++ = *text;
		else
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
	}
	(void) strcpy(to, len > POLICY_QUOTED_BYTES ? "...\"" : "\"");
	return buffer;
}

/* Digits only: strtoull() alone also takes blanks and signs. */
static int parse_digits(const char *text, const char **ret_end, uint64_t *ret_value)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno == ERANGE)
		return -ERANGE;
	*ret_end = end;
	*ret_value = value;
	return 0;
}

static int parse_count(const char *text, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	int r;

	r = parse_digits(text, &end, &value);
	if (r < 0)
		return r;
	if (*end)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int parse_percent(const char *text, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	int r;

	r = parse_digits(text, &end, &value);
	if (r < 0)
		return r;
	if (*end && strcmp(end, "%") != 0)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* A size, or a part of a file system: "10%". */
static int parse_share(const char *text, uint64_t *ret_value)
{
	size_t len = strlen(text);
	bool is_part = len && text[len - 1] == '%';
	uint64_t value;
	int r = is_part ? parse_percent(text, &value) : parse_size(text, &value);

	if (r < 0)
		return r;
	if (is_part ? value < 1 || value > 100 : value & POLICY_PERCENT)
		return -ERANGE;
	*ret_value = is_part ? POLICY_PERCENT | value : value;
	return 0;
}

uint64_t policy_bytes(uint64_t value, const char *path)
{
	struct statvfs st;

	if (!(value & POLICY_PERCENT))
		return value;
	/* Of what is there, used or not: a part of what is free would be less and less. */
	if (statvfs(path, &st) < 0)
		return 0;
	return st.f_blocks / 100 * (value & ~POLICY_PERCENT) * st.f_frsize;
}

int policy_parse_bytes(const char *text, const char *path, uint64_t *ret_bytes)
{
	uint64_t value;
	int r = parse_share(text, &value);

	if (r < 0)
		return r;
	*ret_bytes = policy_bytes(value, path);
	return 0;
}

static int parse_power_of_two(const char *text, uint64_t *ret_value)
{
	uint64_t value;
	int r;

	r = parse_size(text, &value);
	if (r < 0)
		return r;
	if (value & (value - 1))
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* In the order of the bits of enum policy_trigger. */
static const char *const trigger_names[] = { "crash", "killed", "exit-status", "exit" };
#define N_TRIGGERS (sizeof(trigger_names) / sizeof(trigger_names[0]))
static_assert(TRIGGER_EXIT == 1 << (N_TRIGGERS - 1), "a name for each trigger");

static int parse_bit(const char *const *names, size_t n_names, const char *text, uint64_t *ret_value)
{
	for (size_t i = 0; i < n_names; i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*ret_value = UINT64_C(1) << i;
		return 0;
	}
	return -EINVAL;
}

static int parse_trigger(const char *text, uint64_t *ret_value)
{
	return parse_bit(trigger_names, N_TRIGGERS, text, ret_value);
}

static const char *trigger_name(unsigned bit, char buffer[static 16])
{
	(void) buffer;
	return bit < N_TRIGGERS ? trigger_names[bit] : NULL;
}

/* In the order of the bits of enum policy_instructions. */
static const char *const instruction_names[] = { "tsc", "cpuid", "random", "vsyscall" };
#define N_INSTRUCTIONS (sizeof(instruction_names) / sizeof(instruction_names[0]))
static_assert(INSTRUCTIONS_VSYSCALL == 1 << (N_INSTRUCTIONS - 1), "a name for each");

static int parse_instructions(const char *text, uint64_t *ret_value)
{
	return parse_bit(instruction_names, N_INSTRUCTIONS, text, ret_value);
}

static const char *instructions_name(unsigned bit, char buffer[static 16])
{
	(void) buffer;
	return bit < N_INSTRUCTIONS ? instruction_names[bit] : NULL;
}

/* In the order of the bits of enum policy_placement. */
static const char *const placement_names[] = { "turns" };
#define N_PLACEMENTS (sizeof(placement_names) / sizeof(placement_names[0]))
static_assert(PLACEMENT_TURNS == 1 << (N_PLACEMENTS - 1), "a name for each");

static int parse_placement(const char *text, uint64_t *ret_value)
{
	return parse_bit(placement_names, N_PLACEMENTS, text, ret_value);
}

static const char *placement_name(unsigned bit, char buffer[static 16])
{
	(void) buffer;
	return bit < N_PLACEMENTS ? placement_names[bit] : NULL;
}

static const char *signal_of_bit(unsigned bit, char buffer[static 16])
{
	return signal_name((int)bit + 1, buffer);
}

/* The agent sees signals where they are delivered; these two the kernel acts on by itself. */
static int parse_catchable_signal(const char *text, uint64_t *ret_value)
{
	int signal, r;

	r = parse_signal(text, &signal);
	if (r < 0)
		return r;
	if (signal == SIGKILL || signal == SIGSTOP)
		return -EINVAL;
	*ret_value = UINT64_C(1) << (signal - 1);
	return 0;
}

static bool consists_of(const char *text, size_t len, const char *accepted)
{
	return strspn(text, accepted) >= len;
}

/* The first letter keeps out ".", ".." and what a command line would take for an option. */
static bool valid_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= NAME_MAX_LEN && consists_of(text, 1, ALPHANUMERIC) &&
	       consists_of(text, len, ALPHANUMERIC ":-_.@");
}

/* A template ("redis@.service") is refused: it never runs, only its instances do. */
static bool valid_unit(const char *text)
{
	static const char suffix[] = ".service";
	size_t len = strlen(text), stem = len - (sizeof(suffix) - 1);

	return len >= sizeof(suffix) && len <= UNIT_MAX_LEN && strcmp(text + stem, suffix) == 0 &&
	       text[0] != '.' && text[stem - 1] != '@' &&
	       consists_of(text, len, ALPHANUMERIC ":-_.\\@");
}

static bool valid_path(const char *text)
{
	return text[0] == '/' && strlen(text) <= PATH_MAX_LEN;
}

const struct policy_type policy_type_size = {
	SHAPE_NUMBER, "a size", "examples: 64M, 1.5G", .parse = parse_size,
};

const struct policy_type policy_type_share = {
	SHAPE_NUMBER, "a size or a percentage", "examples: 64M, 1.5G, 10%", .parse = parse_share,
};

const struct policy_type policy_type_power_of_two = {
	SHAPE_NUMBER, "a size that is a power of two", "examples: 1M, 8M",
	.parse = parse_power_of_two,
};

const struct policy_type policy_type_duration = {
	SHAPE_NUMBER, "a duration", "examples: 250ms, 30s, 5min", .parse = parse_duration,
	.suffix = "ns",
};

const struct policy_type policy_type_count = {
	SHAPE_NUMBER, "a number", "example: 5", .parse = parse_count,
};

const struct policy_type policy_type_percent = {
	SHAPE_NUMBER, "a percentage", "examples: 50, 50%", .parse = parse_percent,
};

const struct policy_type policy_type_triggers = {
	SHAPE_BITS, "a trigger", "crash, killed, exit-status or exit", .parse = parse_trigger,
	.name = trigger_name,
};

const struct policy_type policy_type_instructions = {
	SHAPE_BITS, "a kind of instructions", "tsc, cpuid, random or vsyscall",
	.parse = parse_instructions, .name = instructions_name,
};

const struct policy_type policy_type_placement = {
	SHAPE_BITS, "a kind of processes", "turns", .parse = parse_placement, .name = placement_name,
};

const struct policy_type policy_type_signals = {
	SHAPE_BITS, "a signal that can be caught", "examples: USR2, SIGTERM, RTMIN+3",
	.parse = parse_catchable_signal, .name = signal_of_bit,
};

const struct policy_type policy_type_name = {
	SHAPE_STRING, "a name", "letters, digits and :-_.@, the first a letter or digit, up to 128",
	.valid = valid_name,
};

const struct policy_type policy_type_unit = {
	SHAPE_STRING, "the name of a service unit",
	"examples: redis-server.service, getty@tty1.service", .valid = valid_unit,
};

const struct policy_type policy_type_path = {
	SHAPE_STRING, "an absolute path", "example: /var/lib/blackbox", .valid = valid_path,
};

const struct policy_type policy_type_command = {
	SHAPE_WORDS, "a list of words",
	"example: [redis-server, --port, \"6379\"]; no shell splits them",
};

const struct policy_type policy_type_services = {
	SHAPE_SERVICES, "a list", "each item is a service and begins with - name:",
};

static void *field_of(const struct policy_key *key, void *object)
{
	return (char *)object + key->offset;
}

void policy_key_store_number(const struct policy_key *key, void *object, uint64_t value)
{
	void *field = field_of(key, object);

	if (key->size == sizeof(uint64_t))
		*(uint64_t *)field = value;
	else
		*(unsigned *)field = (unsigned)value;
}

static uint64_t load_number(const struct policy_key *key, const void *object)
{
	const void *field = (const char *)object + key->offset;

	return key->size == sizeof(uint64_t) ? *(const uint64_t *)field : *(const unsigned *)field;
}

static void bits_text(const struct policy_key *key, uint64_t bits, char *text, size_t size)
{
	char buffer[16];
	size_t used = 0;

	text[0] = '\0';
	for (unsigned bit = 0; bit < 64; bit++) {
		const char *name = bits >> bit & 1 ? key->type->name(bit, buffer) : NULL;

		if (name && used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "," : "", name);
	}
}

bool policy_key_text(const struct policy_key *key, const void *object, char *text, size_t size)
{
	const char *string;
	uint64_t value;

	switch (key->type->shape) {
	case SHAPE_STRING:
		string = *(char *const *)((const char *)object + key->offset);
		if (string)
			(void) snprintf(text, size, "%s", string);
		return string != NULL;
	case SHAPE_NUMBER:
	case SHAPE_BITS:
		break;
	default:
		return false;
	}
	value = load_number(key, object);
	if (key->word && value == key->word_value)
		(void) snprintf(text, size, "%s", key->word);
	else if (key->type->shape == SHAPE_BITS)
		bits_text(key, value, text, size);
	else if (key->type == &policy_type_share && (value & POLICY_PERCENT))
		(void) snprintf(text, size, "%" PRIu64 "%%", value & ~POLICY_PERCENT);
	else
		(void) snprintf(text, size, "%" PRIu64 "%s", value,
				key->type->suffix ? key->type->suffix : "");
	return true;
}

void policy_key_store_words(const struct policy_key *key, void *object, char **list)
{
	char ***field = field_of(key, object);

	policy_free_words(*field);
	*field = list;
}

int policy_words_append(struct policy_words *words, const char *word)
{
	char **list = reallocarray(words->list, words->n + 2, sizeof(*list));

	if (!list)
		return -ENOMEM;
	words->list = list;
	words->list[words->n] = strdup(word); /* if NULL, the list ends here as it did */
	if (!words->list[words->n])
		return -ENOMEM;
	words->list[++words->n] = NULL;
	return 0;
}

void policy_words_deinit(struct policy_words *words)
{
	policy_free_words(words->list);
}

void policy_free_words(char **list)
{
	for (char **word = list; word && *word; word++)
		free(*word);
	free(list);
}

int policy_key_want(const struct policy_key *key, struct policy_error *ret_error)
{
	return policy_fail(ret_error, "%s: %s is wanted (%s)", key->name, key->type->what,
			   key->type->accepts);
}

static int fail_value(const struct policy_key *key, const char *text, size_t len,
		      struct policy_error *ret_error)
{
	bool also = key->word && key->type->shape == SHAPE_NUMBER;
	char quoted[POLICY_QUOTED];

	return policy_fail(ret_error, "%s: %s is not %s (%s%s%s)", key->name,
			   policy_quote(text, len, quoted), key->type->what, key->type->accepts,
			   also ? "; or " : "", also ? key->word : "");
}

static int fail_range(const struct policy_key *key, const char *text, const char *how,
		      const char *limit, struct policy_error *ret_error)
{
	char quoted[POLICY_QUOTED];

	(void) policy_fail(ret_error, "%s: %s is %s%s", key->name,
			   policy_quote(text, strlen(text), quoted), how, limit);
	return -ERANGE;
}

/* A limit is a row's own text; one that doesn't parse would show in the first test. */
static uint64_t limit_of(const struct policy_key *key, const char *limit, uint64_t otherwise)
{
	uint64_t value = otherwise;
	int r;

	r = limit ? key->type->parse(limit, &value) : 0;
	assert(r == 0);
	(void) r;
	return value;
}

static int set_number(const struct policy_key *key, void *object, const char *text,
		      struct policy_error *ret_error)
{
	uint64_t value;
	int r;

	r = key->type->parse(text, &value);
	if (r == -ERANGE)
		return fail_range(key, text, "out of range", "", ret_error);
	if (r < 0)
		return fail_value(key, text, strlen(text), ret_error);
	if (value < limit_of(key, key->min, 0))
		return fail_range(key, text, "too little: at least ", key->min, ret_error);
	if (value > limit_of(key, key->max, UINT64_MAX))
		return fail_range(key, text, "too much: at most ", key->max, ret_error);

	policy_key_store_number(key, object, value);
	return 0;
}

int policy_key_add_bit(const struct policy_key *key, const char *text, size_t len, uint64_t *bits,
		       struct policy_error *ret_error)
{
	char word[BIT_WORD_SIZE];
	uint64_t bit;

	if (len >= sizeof(word))
		return fail_value(key, text, len, ret_error);
	memcpy(word, text, len);
	word[len] = '\0';
	if (key->type->parse(word, &bit) < 0)
		return fail_value(key, text, len, ret_error);
	*bits |= bit;
	return 0;
}

/* Words with commas between, and blanks before if people like them. */
static int set_bits(const struct policy_key *key, void *object, const char *text,
		    struct policy_error *ret_error)
{
	uint64_t bits = 0;
	size_t len;
	int r;

	for (;; text += len + 1) {
		text += strspn(text, " ");
		len = strcspn(text, ",");
		r = policy_key_add_bit(key, text, len, &bits, ret_error);
		if (r < 0)
			return r;
		if (!text[len])
			break;
	}
	policy_key_store_number(key, object, bits);
	return 0;
}

static int set_string(const struct policy_key *key, void *object, const char *text,
		      struct policy_error *ret_error)
{
	char **field = field_of(key, object), *copy;

	if (!key->type->valid(text))
		return fail_value(key, text, strlen(text), ret_error);
	copy = strdup(text);
	if (!copy) {
		(void) policy_fail(ret_error, "%s: out of memory", key->name);
		return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

int policy_key_set(const struct policy_key *key, void *object, const char *text,
		   struct policy_error *ret_error)
{
	if (key->word && strcmp(text, key->word) == 0) {
		policy_key_store_number(key, object, key->word_value);
		return 0;
	}

	switch (key->type->shape) {
	case SHAPE_NUMBER:
		return set_number(key, object, text, ret_error);
	case SHAPE_BITS:
		return set_bits(key, object, text, ret_error);
	case SHAPE_STRING:
		return set_string(key, object, text, ret_error);
	case SHAPE_WORDS:
	case SHAPE_SERVICES:
		break;
	}
	return policy_key_want(key, ret_error);
}
