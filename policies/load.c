/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From YAML to policies. libyaml's events are read one at a time against what may
 * stand there, so foreign nesting is refused where it begins, each error has its
 * place, and no tree is built that an alias could multiply.
 */
#include "policies/policy-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "common/autoclean.h"

/* Of a long path the end is shown: the message behind it has to fit as well. */
#define SHOWN_PATH 200

struct loader {
	const char *path;
	const char *text;
	size_t len;
	struct policy_error *error;
	struct policy_set *set;			/* NULL: the policy of one command */
	size_t lines[POLICY_MAX_SERVICES];	/* where each service's name stands, from 0 */
	yaml_parser_t parser;
	yaml_event_t event;			/* the one that is being looked at */
};

/* A mapping that is being read: the file as a whole, or a service. */
struct mapping {
	enum policy_place place;
	struct policy *policy;			/* what its keys set */
	uint32_t given;				/* bits: the keys that stand in it */
	yaml_mark_t at[POLICY_MAX_KEYS];	/* values: here, or above for all services */
};

static void loader_deinit(struct loader *loader)
{
	yaml_event_delete(&loader->event);
	yaml_parser_delete(&loader->parser);
}

static const char *shown_path(const char *path)
{
	size_t len = strlen(path);

	return len > SHOWN_PATH ? path + len - SHOWN_PATH : path;
}

/* "FILE:LINE:COLUMN: ..."; libyaml counts both from 0. Returns -EINVAL. */
static int __attribute__((format(printf, 3, 4)))
fail_at(struct loader *loader, yaml_mark_t mark, const char *format, ...)
{
	struct policy_error what;
	va_list args;

	va_start(args, format);
	(void) vsnprintf(what.text, sizeof(what.text), format, args);
	va_end(args);
	return policy_fail(loader->error, "%s:%zu:%zu: %.280s", shown_path(loader->path),
			   mark.line + 1, mark.column + 1, what.text);
}

/* libyaml's reader, unlike its scanner, tells bytes: count lines and UTF-8 letters. */
static yaml_mark_t mark_of(const struct loader *loader, size_t offset)
{
	yaml_mark_t mark = { 0 };

	for (size_t i = 0; i < offset && i < loader->len; i++) {
		if (loader->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)loader->text[i] & 0xc0) != 0x80) {
			mark.column++;
		}
	}
	return mark;
}

static int fail_yaml(struct loader *loader)
{
	const yaml_parser_t *parser = &loader->parser;

	switch (parser->error) {
	case YAML_MEMORY_ERROR:
		return -ENOMEM;
	case YAML_READER_ERROR:
		return fail_at(loader, mark_of(loader, parser->problem_offset),
			       "this is not UTF-8 text: %s", parser->problem);
	default:
		return fail_at(loader, parser->problem_mark, "this is not YAML: %s%s%s",
			       parser->context ?: "", parser->context ? ", " : "",
			       parser->problem);
	}
}

static const char *scalar(const struct loader *loader)
{
	return (const char *)loader->event.data.scalar.value;
}

/*
 * Steps to the next event, and refuses what is wrong wherever it stands: an alias,
 * for which there is no need, and text that a C string can't hold.
 */
static int next(struct loader *loader)
{
	const yaml_event_t *event = &loader->event;

	yaml_event_delete(&loader->event);
	if (!yaml_parser_parse(&loader->parser, &loader->event))
		return fail_yaml(loader);
	if (event->type == YAML_ALIAS_EVENT)
		return fail_at(loader, event->start_mark,
			       "aliases (*name) are refused; write the value itself");
	if (event->type == YAML_SCALAR_EVENT && strlen(scalar(loader)) != event->data.scalar.length)
		return fail_at(loader, event->start_mark, "there is a zero byte in the text");
	return 0;
}

/* A value that isn't there: "ring:" and then the end of the line. */
static bool is_nothing(const yaml_event_t *event)
{
	return event->type == YAML_SCALAR_EVENT && event->data.scalar.length == 0 &&
	       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* The place of a key in the sets and arrays of struct mapping. */
static size_t index_of(const struct policy_key *key)
{
	return (size_t)(key - policy_keys);
}

static bool given(const struct mapping *mapping, const char *name)
{
	return mapping->given >> index_of(policy_key_find(name)) & 1;
}

static yaml_mark_t place_of(const struct mapping *mapping, const char *name)
{
	return mapping->at[index_of(policy_key_find(name))];
}

/* Of two values that don't go together, the second is the one to point at. */
static yaml_mark_t later_of(const struct mapping *mapping, const char *a, const char *b)
{
	yaml_mark_t at_a = place_of(mapping, a), at_b = place_of(mapping, b);

	return at_a.index > at_b.index ? at_a : at_b;
}

static void *object_of(const struct loader *loader, const struct mapping *mapping,
		       const struct policy_key *key)
{
	return key->of_set ? (void *)loader->set : (void *)mapping->policy;
}

/* Passes on what the setters say, with its place. */
static int placed(struct loader *loader, yaml_mark_t mark, int r, const struct policy_error *what)
{
	if (r == -ENOMEM || r >= 0)
		return r;
	return fail_at(loader, mark, "%s", what->text);
}

static int fail_shape(struct loader *loader, const struct policy_key *key)
{
	struct policy_error what;
	int r;

	r = policy_key_want(key, &what);
	return placed(loader, loader->event.start_mark, r, &what);
}

/* Only services may be empty: people comment out the last of them. */
static int load_nothing(struct loader *loader, const struct policy_key *key)
{
	if (key->type->shape == SHAPE_SERVICES)
		return 0;
	return fail_at(loader, loader->event.start_mark, "%s: there is no value", key->name);
}

static int load_scalar(struct loader *loader, struct mapping *mapping, const struct policy_key *key)
{
	struct policy_error what;
	int r;

	r = policy_key_set(key, object_of(loader, mapping, key), scalar(loader), &what);
	return placed(loader, loader->event.start_mark, r, &what);
}

static int load_bits(struct loader *loader, struct mapping *mapping, const struct policy_key *key)
{
	struct policy_error what;
	uint64_t bits = 0;
	int r;

	for (;;) {
		r = next(loader);
		if (r < 0)
			return r;
		if (loader->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (loader->event.type != YAML_SCALAR_EVENT)
			return fail_shape(loader, key);
		r = policy_key_add_bit(key, scalar(loader), strlen(scalar(loader)), &bits, &what);
		if (r < 0)
			return placed(loader, loader->event.start_mark, r, &what);
	}
	policy_key_store_number(key, object_of(loader, mapping, key), bits);
	return 0;
}

static int load_words(struct loader *loader, struct mapping *mapping, const struct policy_key *key)
{
	autoclean(policy_words_deinit) struct policy_words words = { 0 };
	yaml_mark_t begin = loader->event.start_mark;
	int r;

	for (;;) {
		r = next(loader);
		if (r < 0)
			return r;
		if (loader->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (loader->event.type != YAML_SCALAR_EVENT)
			return fail_shape(loader, key);
		if (words.n == POLICY_MAX_WORDS)
			return fail_at(loader, loader->event.start_mark,
				       "%s: has more than %d words", key->name, POLICY_MAX_WORDS);
		r = policy_words_append(&words, scalar(loader));
		if (r < 0)
			return r;
	}
	if (words.n == 0 || !*words.list[0])
		return fail_at(loader, begin, "%s: its first word names no program", key->name);
	policy_key_store_words(key, object_of(loader, mapping, key), MOVE(words.list));
	return 0;
}

static int load_services(struct loader *loader, const struct mapping *defaults,
			 const struct policy_key *key);

static int load_value(struct loader *loader, struct mapping *mapping, const struct policy_key *key)
{
	if (is_nothing(&loader->event))
		return load_nothing(loader, key);
	if (loader->event.type == YAML_SCALAR_EVENT)
		return load_scalar(loader, mapping, key);
	if (loader->event.type != YAML_SEQUENCE_START_EVENT)
		return fail_shape(loader, key);

	switch (key->type->shape) {
	case SHAPE_BITS:
		return load_bits(loader, mapping, key);
	case SHAPE_WORDS:
		return load_words(loader, mapping, key);
	case SHAPE_SERVICES:
		return load_services(loader, mapping, key);
	case SHAPE_NUMBER:
	case SHAPE_STRING:
		break;
	}
	return fail_shape(loader, key);
}

static int fail_misplaced(struct loader *loader, const struct mapping *mapping,
			  const struct policy_key *key)
{
	const char *why = mapping->place == PLACE_SINGLE ?
				  "has no place in the policy of one command" :
			  key->of_set ? "stands at top level, not in a service" :
					"stands in a service, not at top level";

	return fail_at(loader, loader->event.start_mark, "%s: %s", key->name, why);
}

/* Finds the row of the key that is the current event, and checks that it may stand here. */
static int load_key(struct loader *loader, const struct mapping *mapping,
		    const struct policy_key **ret_key)
{
	yaml_mark_t mark = loader->event.start_mark;
	const struct policy_key *key;
	struct policy_error what;
	int r;

	if (loader->event.type != YAML_SCALAR_EVENT)
		return fail_at(loader, mark, "a key is wanted here, such as ring: 64M");
	key = policy_key_find(scalar(loader));
	if (!key) {
		r = policy_key_unknown(scalar(loader), mapping->place, &what);
		return placed(loader, mark, r, &what);
	}
	if (!(key->places & mapping->place))
		return fail_misplaced(loader, mapping, key);
	if (given(mapping, key->name))
		return fail_at(loader, mark, "%s: stands here already, in line %zu", key->name,
			       place_of(mapping, key->name).line + 1);
	if (!key->of_set && mapping->place == PLACE_TOP && given(mapping, "services"))
		return fail_at(loader, mark,
			       "%s: is the default of no service here; move it above services",
			       key->name);
	*ret_key = key;
	return 0;
}

/* From the mapping's begin, which is the current event, to its end. */
static int load_mapping(struct loader *loader, struct mapping *mapping)
{
	const struct policy_key *key;
	int r;

	for (;;) {
		r = next(loader);
		if (r < 0)
			return r;
		if (loader->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		r = load_key(loader, mapping, &key);
		if (r < 0)
			return r;
		r = next(loader);
		if (r < 0)
			return r;
		mapping->given |= UINT32_C(1) << index_of(key);
		mapping->at[index_of(key)] = loader->event.start_mark;
		r = load_value(loader, mapping, key);
		if (r < 0)
			return r;
	}
}

static int check_values(struct loader *loader, const struct mapping *mapping)
{
	const char *keys[2];
	struct policy_error what;
	int r;

	r = policy_check_keys(mapping->policy, keys, &what);
	return r < 0 ? placed(loader, later_of(mapping, keys[0], keys[1]), r, &what) : 0;
}

static bool same(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Two services of one name would share a store; of one unit, a process. */
static int check_unique(struct loader *loader, const struct mapping *mapping)
{
	const struct policy *service = mapping->policy;

	for (size_t i = 0; i < loader->set->n_services; i++) {
		const struct policy *other = &loader->set->services[i];
		const char *key = same(service->name, other->name) ? "name" :
				  same(service->unit, other->unit) ? "unit" :
								     NULL;

		if (key)
			return fail_at(loader, place_of(mapping, key),
				       "%s: is that of the service in line %zu already", key,
				       loader->lines[i] + 1);
	}
	return 0;
}

static int check_service(struct loader *loader, const struct mapping *mapping, yaml_mark_t begin)
{
	int r;

	if (!given(mapping, "name"))
		return fail_at(loader, begin, "this service has no name");
	if (given(mapping, "command") && given(mapping, "unit"))
		return fail_at(loader, later_of(mapping, "command", "unit"),
			       "a service has a command or a unit, not both");
	if (!given(mapping, "command") && !given(mapping, "unit"))
		return fail_at(loader, begin,
			       "service %s has no command and no unit; it needs one of them",
			       mapping->policy->name);
	r = check_unique(loader, mapping);
	if (r < 0)
		return r;
	return check_values(loader, mapping);
}

/* A service begins as a copy of the defaults that stand above, with their places. */
static int load_service(struct loader *loader, const struct mapping *defaults)
{
	autoclean(policy_deinit) struct policy service = { 0 };
	struct mapping mapping = *defaults;
	yaml_mark_t begin = loader->event.start_mark;
	struct policy_set *set = loader->set;
	int r;

	r = policy_copy(defaults->policy, &service);
	if (r < 0)
		return r;
	mapping.place = PLACE_SERVICE;
	mapping.policy = &service;
	mapping.given = 0;

	r = load_mapping(loader, &mapping);
	if (r < 0)
		return r;
	r = check_service(loader, &mapping, begin);
	if (r < 0)
		return r;
	loader->lines[set->n_services] = place_of(&mapping, "name").line;
	set->services[set->n_services++] = policy_take(&service);
	return 0;
}

static int load_services(struct loader *loader, const struct mapping *defaults,
			 const struct policy_key *key)
{
	struct policy *services = calloc(POLICY_MAX_SERVICES, sizeof(*services));
	struct policy_set *set = loader->set;
	int r;

	if (!services)
		return -ENOMEM;
	set->services = services;
	for (;;) {
		r = next(loader);
		if (r < 0)
			return r;
		if (loader->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (loader->event.type != YAML_MAPPING_START_EVENT)
			return fail_shape(loader, key);
		if (set->n_services == POLICY_MAX_SERVICES)
			return fail_at(loader, loader->event.start_mark,
				       "services: there are more than %d", POLICY_MAX_SERVICES);
		r = load_service(loader, defaults);
		if (r < 0)
			return r;
	}
}

static int load_root(struct loader *loader, struct mapping *mapping)
{
	int r;

	r = next(loader);
	if (r < 0 || is_nothing(&loader->event))
		return r;
	if (loader->event.type != YAML_MAPPING_START_EVENT)
		return fail_at(loader, loader->event.start_mark,
			       "keys and values are wanted, such as ring: 64M");
	return load_mapping(loader, mapping);
}

/* A stream of no document, which is nothing but comments, or of one. */
static int load_stream(struct loader *loader, struct mapping *mapping)
{
	int r;

	r = next(loader); /* the begin of the stream */
	if (r < 0)
		return r;
	r = next(loader);
	if (r < 0 || loader->event.type == YAML_STREAM_END_EVENT)
		return r;
	r = load_root(loader, mapping);
	if (r < 0)
		return r;
	r = next(loader); /* the end of the document */
	if (r < 0)
		return r;
	r = next(loader);
	if (r < 0)
		return r;
	if (loader->event.type != YAML_STREAM_END_EVENT)
		return fail_at(loader, loader->event.start_mark,
			       "a second document begins here; one is accepted");
	return 0;
}

static int load(struct loader *loader, struct mapping *mapping)
{
	if (!yaml_parser_initialize(&loader->parser))
		return -ENOMEM;
	/* Else libyaml guesses UTF-16 from the first bytes. */
	yaml_parser_set_encoding(&loader->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&loader->parser, (const unsigned char *)loader->text,
				     loader->len);
	return load_stream(loader, mapping);
}

/* What has no line in the file: it isn't there, or memory is short. Returns @r. */
static int fail_file(const char *path, int r, struct policy_error *ret_error)
{
	(void) policy_fail(ret_error, "%s: %s", shown_path(path), strerror(-r));
	return r;
}

int policy_load_text(const char *path, const char *text, size_t len, struct policy_set *ret_set,
		     struct policy_error *ret_error)
{
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	autoclean(loader_deinit) struct loader loader = {
		.path = path, .text = text, .len = len, .error = ret_error, .set = &set,
	};
	struct mapping mapping = { .place = PLACE_TOP, .policy = &set.defaults };
	int r;

	policy_init(&set.defaults);
	r = policy_keys_init(true, &set);
	if (r == 0)
		r = load(&loader, &mapping);
	if (r == -ENOMEM)
		return fail_file(path, r, ret_error);
	if (r < 0)
		return r;

	*ret_set = set;
	set = (struct policy_set){ 0 };
	return 0;
}

int policy_load_single_text(const char *path, const char *text, size_t len, struct policy *policy,
			    struct policy_error *ret_error)
{
	autoclean(policy_deinit) struct policy loaded = { 0 };
	autoclean(loader_deinit) struct loader loader = {
		.path = path, .text = text, .len = len, .error = ret_error,
	};
	struct mapping mapping = { .place = PLACE_SINGLE, .policy = &loaded };
	int r;

	r = policy_copy(policy, &loaded);
	if (r == 0)
		r = load(&loader, &mapping);
	if (r == 0)
		r = check_values(&loader, &mapping);
	if (r == -ENOMEM)
		return fail_file(path, r, ret_error);
	if (r < 0)
		return r;

	policy_deinit(policy);
	*policy = policy_take(&loaded);
	return 0;
}

/* All of a file, which may be a pipe, unless it is too long. */
static int read_file(const char *path, char **ret_text, size_t *ret_len)
{
	autoclean(freep) char *text = malloc(POLICY_MAX_FILE_BYTES + 1);
	autoclean(closep) int fd = -1;
	size_t len = 0;
	ssize_t n;

	if (!text)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		n = read(fd, text + len, POLICY_MAX_FILE_BYTES + 1 - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += (size_t)n;
	} while (n != 0 && len <= POLICY_MAX_FILE_BYTES);
	if (len > POLICY_MAX_FILE_BYTES)
		return -EFBIG;

	*ret_text = MOVE(text);
	*ret_len = len;
	return 0;
}

int policy_load(const char *path, struct policy_set *ret_set, struct policy_error *ret_error)
{
	autoclean(freep) char *text = NULL;
	size_t len = 0;
	int r;

	r = read_file(path, &text, &len);
	if (r < 0)
		return fail_file(path, r, ret_error);
	return policy_load_text(path, text, len, ret_set, ret_error);
}

int policy_load_single(const char *path, struct policy *policy, struct policy_error *ret_error)
{
	autoclean(freep) char *text = NULL;
	size_t len = 0;
	int r;

	r = read_file(path, &text, &len);
	if (r < 0)
		return fail_file(path, r, ret_error);
	return policy_load_single_text(path, text, len, policy, ret_error);
}

void policy_set_deinit(struct policy_set *set)
{
	for (size_t i = 0; i < set->n_services; i++)
		policy_deinit(&set->services[i]);
	free(set->services);
	free(set->state_dir);
	policy_deinit(&set->defaults);
	*set = (struct policy_set){ 0 };
}
