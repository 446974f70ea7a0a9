/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "tests/unit/policy-fixture.h"

/* What a file does with a value is what policy_set() does with it. */
static void single_values(void **state)
{
	(void) state;

	for (size_t i = 0; i < n_values; i++) {
		const struct value_row *row = &values[i];
		autoclean(policy_deinit) struct policy policy = { 0 }, untouched = { 0 };
		struct policy_error error = { "" };
		char text[400], place[32];
		int len, r;

		if (!(policy_key_find(row->key)->places & PLACE_SINGLE))
			continue;
		policy_init(&policy);
		policy_init(&untouched);
		policy.window_ns = untouched.window_ns = UINT64_MAX;
		policy.snapshot_interval_ns = untouched.snapshot_interval_ns = MS;
		len = snprintf(text, sizeof(text), "# comment\n%s: '%s'\n", row->key, row->text);
		(void) snprintf(place, sizeof(place), "p.yaml:2:%zu: ", strlen(row->key) + 3);
		r = load_single_bytes(text, (size_t)len, &policy, &error);
		if (row->result == 0) {
			assert_int_equal(r, 0);
			assert_field(&policy, row);
			continue;
		}
		assert_int_equal(r, -EINVAL);
		assert_message(&error, place, row->key, row->string);
		assert_same_numbers(&policy, &untouched);
	}
}

static void single_keeps_the_rest(void **state)
{
	static const char good[] = "stall: 1s\ntriggers: [exit]\nfreeze-signals: []\n";
	static const char bad[] = "stall: 2s\nring: x\n";
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error;
	(void) state;

	policy_init(&policy);
	assert_int_equal(policy_set(&policy, "name", "mine", &error), 0);
	assert_int_equal(policy_set(&policy, "ring", "2M", &error), 0);
	assert_int_equal(policy_set(&policy, "freeze-signals", "USR2", &error), 0);
	assert_int_equal(load_single_bytes(good, sizeof(good) - 1, &policy, &error), 0);
	assert_int_equal(load_single_bytes(bad, sizeof(bad) - 1, &policy, &error), -EINVAL);
	assert_int_equal(load_single_bytes("", 0, &policy, &error), 0);
	assert_string_equal(policy.name, "mine");
	assert_int_equal(policy.ring_bytes, 2 * M);
	assert_int_equal(policy.stall_ns, 1 * S);
	assert_int_equal(policy.triggers, TRIGGER_EXIT);
	assert_int_equal(policy.freeze_signals, 0);
}

static void single_refuses(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{ "name: x\n", "p.yaml:1:1: name" NO_PLACE },
		{ "services: []\n", "p.yaml:1:1: services" NO_PLACE },
		{ "state-dir: /x\n", "p.yaml:1:1: state-dir" NO_PLACE },
		{ "window: 1s\n",
		  "p.yaml:1:9: snapshot-interval: 2.0s is longer than the window of 1.0s" },
		{ "incidents-rate: 7\nring: 1M\nkeep-incidents: 6\n",
		  "p.yaml:3:17: incidents-rate: 7 is not less than keep-incidents, 6" },
		{ "unti: x\n", "p.yaml:1:1: \"unti\"" NO_KEY },
	};
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error;
	(void) state;

	policy_init(&policy);
	for (size_t i = 0; i < N(rows); i++) {
		assert_int_equal(load_single_bytes(rows[i].text, strlen(rows[i].text), &policy,
						   &error),
				 -EINVAL);
		assert_string_equal(error.text, rows[i].message);
	}
}

static void loads_services(void **state)
{
	static const char text[] = "state-dir: /srv/black box\n"
				   "max-use: 1G\n"
				   "keep-free: 2G\n"
				   "ring: 64M\n"
				   "triggers:\n"
				   "  - exit-status\n"
				   "  - crash\n"
				   "services:\n"
				   "  - name: redis\n"
				   "    unit: redis-server.service\n"
				   "    ring: 128M\n"
				   "    freeze-signals: [USR2, RTMIN+1]\n"
				   "  - { name: web, command: [/usr/bin/web, \"a b\", '', 80] }\n"
				   "  - command: [other]\n"
				   "    triggers: []\n"
				   "    name: other\n";
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	(void) state;

	load_good(text, &set);
	assert_string_equal(set.state_dir, "/srv/black box");
	assert_int_equal(set.max_use, 1024 * M);
	assert_int_equal(set.services[1].keep_free, 2048 * M);
	assert_int_equal(set.n_services, 3);

	assert_string_equal(set.services[0].name, "redis");
	assert_string_equal(set.services[0].unit, "redis-server.service");
	assert_null(set.services[0].command);
	assert_int_equal(set.services[0].ring_bytes, 128 * M);
	assert_int_equal(set.services[0].freeze_signals, BIT(SIGUSR2) | BIT(SIGRTMIN + 1));
	assert_int_equal(set.services[0].triggers, TRIGGER_CRASH | TRIGGER_EXIT_STATUS);

	assert_null(set.services[1].unit);
	assert_string_equal(set.services[1].command[0], "/usr/bin/web");
	assert_string_equal(set.services[1].command[1], "a b");
	assert_string_equal(set.services[1].command[2], "");
	assert_string_equal(set.services[1].command[3], "80");
	assert_null(set.services[1].command[4]);
	assert_int_equal(set.services[1].ring_bytes, 64 * M);
	assert_int_equal(set.services[1].freeze_signals, 0);

	assert_int_equal(set.services[2].triggers, 0);
	assert_int_equal(set.services[2].stall_ns, 100 * MS);
}

static void loads_little(void **state)
{
	static const char *const texts[] = {
		"", "\n", "# only this\n", "---\n", "--- # nothing\n...\n", "{}", "services:\n",
		"services: []", "\xef\xbb\xbfservices: []\n", "%YAML 1.1\n--- {services: []}\n",
		"? services\n: []\n", "ring: &size 64M\nservices: !!seq []\n",
	};
	(void) state;

	for (size_t i = 0; i < N(texts); i++) {
		autoclean(policy_set_deinit) struct policy_set set = { 0 };

		load_good(texts[i], &set);
		assert_int_equal(set.n_services, 0);
		assert_string_equal(set.state_dir, "/var/lib/blackbox");
		assert_int_equal(set.max_use, 0);
	}
}

static const struct {
	const char *text, *message;
} refused[] = {
	/* Keys */
	{ "rign: 64M\n", "p.yaml:1:1: \"rign\" is not a key; is ring meant?" },
	{ "ring: 64M\n\n  \nstate_dir: /x\n",
	  "p.yaml:4:1: \"state_dir\" is not a key; is state-dir meant?" },
	{ "serivces: []\n", "p.yaml:1:1: \"serivces\" is not a key; is services meant?" },
	{ "services:\n  - name: a\n    comand: [b]\n",
	  "p.yaml:3:5: \"comand\" is not a key; is command meant?" },
	{ "services:\n  - serivces: a\n", "p.yaml:2:5: \"serivces\"" NO_KEY },
	{ "me: a\n", "p.yaml:1:1: \"me\"" NO_KEY },
	{ "snapshot-interval-and-window: 1s\n",
	  "p.yaml:1:1: \"snapshot-interval-and-window\"" NO_KEY },
	{ "<<: {ring: 64M}\n", "p.yaml:1:1: \"<<\"" NO_KEY },
	{ "\"\\e[31m\": 1\n", "p.yaml:1:1: \"\\x1b[31m\"" NO_KEY },
	{ "[a]: 1\n", "p.yaml:1:1: a key is wanted here, such as ring: 64M" },
	{ "? {a: b}\n: 1\n", "p.yaml:1:3: a key is wanted here, such as ring: 64M" },
	{ "name: a\n", "p.yaml:1:1: name: stands in a service, not at top level" },
	{ "services:\n- {name: a, services: []}\n",
	  "p.yaml:2:13: services: stands at top level, not in a service" },
	{ "services:\n- {state-dir: /x}\n",
	  "p.yaml:2:4: state-dir: stands at top level, not in a service" },
	{ "ring: 64M\nstall: 1s\nring: 64M\n",
	  "p.yaml:3:1: ring: stands here already, in line 1" },
	{ "services: [{name: a,\nname: a}]\n",
	  "p.yaml:2:1: name: stands here already, in line 1" },
	{ "services: [" OK "]\nservices: []\n",
	  "p.yaml:2:1: services: stands here already, in line 1" },
	{ "services: []\nring: 64M\n",
	  "p.yaml:2:1: ring: is the default of no service here; move it above services" },

	/* Values */
	{ "# a\n\nring:  \"64Q\"\n",
	  "p.yaml:3:8: ring: \"64Q\" is not a size (examples: 64M, 1.5G)" },
	{ "services:\n  - name: \xc3\xa4\n", "p.yaml:2:11: name: \"\\xc3\\xa4\"" NOT_NAME },
	{ "services: [ {name: a, unit: \"\xc3\xa4\", ring: x} ]\n",
	  "p.yaml:1:29: unit: \"\\xc3\\xa4\"" NOT_UNIT },
	{ "ring:\n", "p.yaml:1:6: ring: there is no value" },
	{ "ring: ''\n", "p.yaml:1:7: ring: \"\" is not a size (examples: 64M, 1.5G)" },
	{ "ring: ~\n", "p.yaml:1:7: ring: \"~\" is not a size (examples: 64M, 1.5G)" },
	{ "ring: [64M]\n", "p.yaml:1:7: ring: a size is wanted (examples: 64M, 1.5G)" },
	{ "ring: {a: b}\n", "p.yaml:1:7: ring: a size is wanted (examples: 64M, 1.5G)" },
	{ "ring: \"64M\\0\"\n", "p.yaml:1:7: there is a zero byte in the text" },
	{ "\"ring\\0\": 64M\n", "p.yaml:1:1: there is a zero byte in the text" },
	{ "triggers: [crash,\n  crsh]\n", "p.yaml:2:3: triggers: \"crsh\"" NOT_TRIGGER },
	{ "triggers: [[crash]]\n", "p.yaml:1:12: triggers: " WANT_TRIGGER },
	{ "triggers: [signal: USR2]\n", "p.yaml:1:12: triggers: " WANT_TRIGGER },
	{ "triggers: {crash: 1}\n", "p.yaml:1:11: triggers: " WANT_TRIGGER },
	{ "freeze-signals:\n- USR2\n- STOP\n",
	  "p.yaml:3:3: freeze-signals: \"STOP\"" NOT_SIGNAL },
	{ "freeze-signals: [none]\n", "p.yaml:1:18: freeze-signals: \"none\"" NOT_SIGNAL },
	{ "services:\n- {max-use: 1G}\n",
	  "p.yaml:2:4: max-use: stands at top level, not in a service" },
	{ "max-use: 1K\n", "p.yaml:1:10: max-use: \"1K\" is too little: at least 1M" },
	{ "state-dir: lib\n",
	  "p.yaml:1:12: state-dir: \"lib\" is not an absolute path "
	  "(example: /var/lib/blackbox)" },
	{ "state-dir: [/x]\n", "p.yaml:1:12: state-dir: " WANT_PATH },

	/* Commands */
	{ "services: [{name: a, command: a b}]\n", "p.yaml:1:31: command: " WANT_WORDS },
	{ "services: [{name: a, command: {a: b}}]\n", "p.yaml:1:31: command: " WANT_WORDS },
	{ "services: [{name: a, command: [a, [b]]}]\n",
	  "p.yaml:1:35: command: " WANT_WORDS },
	{ "services: [{name: a, command: []}]\n",
	  "p.yaml:1:31: command: its first word names no program" },
	{ "services: [{name: a, command: ['', b]}]\n",
	  "p.yaml:1:31: command: its first word names no program" },
	{ "services: [{name: a, command: [b, \"c\\0d\"]}]\n",
	  "p.yaml:1:35: there is a zero byte in the text" },

	/* Services */
	{ "services: a\n", "p.yaml:1:11: services: " WANT_SERVICES },
	{ "services: {name: a}\n", "p.yaml:1:11: services: " WANT_SERVICES },
	{ "services:\n  - a\n", "p.yaml:2:5: services: " WANT_SERVICES },
	{ "services:\n  -\n", "p.yaml:2:4: services: " WANT_SERVICES },
	{ "services:\n  - unit: a.service\n", "p.yaml:2:5: this service has no name" },
	{ "services: [" OK ", {}]\n", "p.yaml:1:40: this service has no name" },
	{ "services:\n  - ring: 64M\n    name: a\n",
	  "p.yaml:2:5: service a has no command and no unit; it needs one of them" },
	{ "services:\n- unit: a.service\n  command: [a]\n  name: a\n",
	  "p.yaml:3:12: a service has a command or a unit, not both" },
	{ "services:\n- command: [a]\n  unit: a.service\n  name: a\n",
	  "p.yaml:3:9: a service has a command or a unit, not both" },
	{ "services:\n- " OK
	  "\n- {name: b, unit: b.service}\n- unit: c.service\n  name: b\n",
	  "p.yaml:5:9: name: is that of the service in line 3 already" },
	{ "services:\n- " OK "\n- {name: b, unit: a.service}\n",
	  "p.yaml:3:19: unit: is that of the service in line 2 already" },

	/* Values that don't go together: the later one is pointed at */
	{ "window: 1s\nservices:\n- " OK "\n",
	  "p.yaml:1:9: snapshot-interval: 2.0s is longer than the window of 1.0s" },
	{ "window: 5s\nservices:\n- name: a\n  snapshot-interval: 6s\n  unit: a.service\n",
	  "p.yaml:4:22: snapshot-interval: 6.0s is longer than the window of 5.0s" },
	{ "snapshot-interval: 5s\nservices:\n- name: a\n  window: 4s\n  unit: a.service\n",
	  "p.yaml:4:11: snapshot-interval: 5.0s is longer than the window of 4.0s" },

	/* YAML */
	{ "- ring: 64M\n", "p.yaml:1:1: keys and values are wanted, such as ring: 64M" },
	{ "ring\n", "p.yaml:1:1: keys and values are wanted, such as ring: 64M" },
	{ "ring: 64M\n---\nring: 64M\n",
	  "p.yaml:2:1: a second document begins here; one is accepted" },
	{ "ring: &a 64M\nlog-buffer: *a\n", "p.yaml:2:13: " NO_ALIAS },
	{ "ring: *a\n", "p.yaml:1:7: " NO_ALIAS },
	{ "*a\n", "p.yaml:1:1: " NO_ALIAS },
	{ "services: [*a]\n", "p.yaml:1:12: " NO_ALIAS },
	{ "ring: 64M\n\tstall: 1s\n",
	  "p.yaml:2:1: this is not YAML: while scanning a plain scalar, "
	  "found a tab character that violates indentation" },
	{ "ring: [64M\n", "p.yaml:1:7: ring: a size is wanted (examples: 64M, 1.5G)" },
	{ "triggers: [crash\n",
	  "p.yaml:2:1: this is not YAML: while parsing a flow sequence, "
	  "did not find expected ',' or ']'" },
	{ "ring: 64M\nsta\xc3\xa4 \xff\n", "p.yaml:2:6: " BAD_UTF8 },
	{ "ring: \x01\n", "p.yaml:1:7: " NO_CONTROL },
	{ "\xff\xfe#\n", "p.yaml:1:1: " BAD_UTF8 },
};

static void refuses(void **state)
{
	(void) state;

	for (size_t i = 0; i < N(refused); i++)
		load_bad(refused[i].text, strlen(refused[i].text), refused[i].message);
	load_bad("ring: 6\0", 8, "p.yaml:1:8: " NO_CONTROL);
}

/* Without memory a file is refused as a whole, whichever allocation fails. */
static void without_memory(void **state)
{
	static const char text[] = "services: [" OK ", {command: [b, 'c'], name: d}]\n";
	static const char message[] = "p.yaml: Cannot allocate memory";
	unsigned n_failed;
	int r = -ENOMEM;
	(void) state;

	for (n_failed = 0; r < 0; n_failed++) {
		autoclean(policy_set_deinit) struct policy_set set = { 0 };
		struct policy_error error = { "" };

		fail_allocation_after(n_failed);
		r = policy_load_text("p.yaml", text, sizeof(text) - 1, &set, &error);
		fail_allocation_after(UINT_MAX);
		assert_int_equal(r, error.text[0] ? -ENOMEM : 0);
		assert_string_equal(error.text, r < 0 ? message : "");
		assert_int_equal(set.n_services, r < 0 ? 0 : 2);
	}
	assert_in_range(n_failed, 9, 20);
}

#define TABS "\\x09\\x09\\x09\\x09\\x09\\x09\\x09\\x09\\x09\\x09"

/* Of a path and a value that are long, both ends of the message are there. */
static void long_messages(void **state)
{
	char path[PATH_MAX], message[512], text[300] = "ring: ";
	struct policy_set set;
	struct policy_error error;
	(void) state;

	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	memset(text + 6, '\t', sizeof(text) - 7);
	text[6] = '"';
	memcpy(text + sizeof(text) - 2, "\"", 2);
	(void) snprintf(message, sizeof(message),
			"%s:1:7: ring: \"" TABS TABS TABS TABS "...\"" NOT_SIZE,
			path + sizeof(path) - 1 - 200);
	assert_int_equal(policy_load_text(path, text, strlen(text), &set, &error), -EINVAL);
	assert_string_equal(error.text, message);
}

/* "BEGIN[item, item, ...]END" with @n items that @format makes of their number. */
static char *many(const char *begin, unsigned n, const char *format, const char *end)
	__attribute__((format(printf, 3, 0)));

static char *many(const char *begin, unsigned n, const char *format, const char *end)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	(void) fprintf(file, "%s[\n", begin);
	for (unsigned i = 0; i < n; i++) {
		(void) fprintf(file, format, i, i);
		(void) fputs(",\n", file);
	}
	(void) fprintf(file, "]%s\n", end);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void many_services(void **state)
{
	static const char service[] = "{name: a%u, unit: a%u.service}";
	autoclean(freep) char *most = many("services: ", POLICY_MAX_SERVICES, service, "");
	autoclean(freep) char *more = many("services: ", POLICY_MAX_SERVICES + 1, service, "");
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	(void) state;

	load_good(most, &set);
	assert_int_equal(set.n_services, POLICY_MAX_SERVICES);
	assert_string_equal(set.services[POLICY_MAX_SERVICES - 1].name, "a999");
	load_bad(more, strlen(more), "p.yaml:1002:1: services: there are more than 1000");
}

static void many_words(void **state)
{
	static const char begin[] = "services: [{name: a, command: ", word[] = "w%u";
	autoclean(freep) char *most = many(begin, POLICY_MAX_WORDS, word, "}]");
	autoclean(freep) char *more = many(begin, POLICY_MAX_WORDS + 1, word, "}]");
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	(void) state;

	load_good(most, &set);
	assert_string_equal(set.services[0].command[POLICY_MAX_WORDS - 1], "w1023");
	assert_null(set.services[0].command[POLICY_MAX_WORDS]);
	load_bad(more, strlen(more), "p.yaml:1026:1: command: has more than 1024 words");
}

/* Nesting is refused where it begins, however deep it would go. */
static void deep_nesting(void **state)
{
	static char text[POLICY_MAX_FILE_BYTES];
	(void) state;

	memset(text, '[', sizeof(text));
	load_bad(text, sizeof(text), "p.yaml:1:1: keys and values are wanted, such as ring: 64M");
	memcpy(text, "services: [", 11);
	load_bad(text, sizeof(text),
		 "p.yaml:1:12: services: " WANT_SERVICES);
}

/* A file of @text with @len bytes behind it; the caller unlinks and frees the path. */
static char *write_file(const char *text, size_t len)
{
	const char *tmp = getenv("TMPDIR");
	autoclean(closep) int fd = -1;
	char *path;

	assert_return_code(asprintf(&path, "%s/test-policy-XXXXXX", tmp ? tmp : "/tmp"), errno);
	fd = mkostemp(path, O_CLOEXEC);
	assert_return_code(fd, errno);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_return_code(ftruncate(fd, (off_t)len), errno);
	return path;
}

static void loads_files(void **state)
{
	static const char text[] = "services: [" OK "]\n";
	autoclean(freep) char *path = write_file(text, strlen(text));
	autoclean(freep) char *wrong = NULL;
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error;
	(void) state;

	policy_init(&policy);
	assert_int_equal(policy_load(path, &set, &error), 0);
	assert_int_equal(set.n_services, 1);
	assert_int_equal(policy_load_single(path, &policy, &error), -EINVAL);
	assert_return_code(asprintf(&wrong, "%s:1:1: services" NO_PLACE,
				    path),
			   errno);
	assert_string_equal(error.text, wrong);
	assert_return_code(unlink(path), errno);
}

/* As a shell gives it: `--policy <(...)`. */
static void loads_pipes(void **state)
{
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error;
	char path[32];
	int fds[2];
	(void) state;

	policy_init(&policy);
	assert_return_code(pipe2(fds, O_CLOEXEC), errno);
	(void) snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	assert_int_equal(write(fds[1], "stall: 1s", 9), 9);
	assert_return_code(close(fds[1]), errno);
	assert_int_equal(policy_load_single(path, &policy, &error), 0);
	assert_int_equal(policy.stall_ns, 1 * S);
	assert_return_code(close(fds[0]), errno);
}

static void file_sizes(void **state)
{
	autoclean(freep) char *most = write_file("#", 1), *more = NULL, *wrong = NULL;
	autoclean(policy_set_deinit) struct policy_set set = { 0 };
	autoclean(freep) char *comment = malloc(POLICY_MAX_FILE_BYTES + 1);
	struct policy_error error;
	(void) state;

	assert_non_null(comment);
	memset(comment, '#', POLICY_MAX_FILE_BYTES);
	comment[POLICY_MAX_FILE_BYTES] = '\0';
	assert_return_code(unlink(most), errno);
	free(most);
	most = write_file(comment, POLICY_MAX_FILE_BYTES);
	more = write_file(comment, POLICY_MAX_FILE_BYTES + 1);

	assert_int_equal(policy_load(most, &set, &error), 0);
	assert_int_equal(policy_load(more, &set, &error), -EFBIG);
	assert_return_code(asprintf(&wrong, "%s: File too large", more), errno);
	assert_string_equal(error.text, wrong);
	assert_return_code(unlink(most), errno);
	assert_return_code(unlink(more), errno);
}

static void unreadable_files(void **state)
{
	autoclean(policy_deinit) struct policy policy;
	struct policy_set set;
	struct policy_error error;
	(void) state;

	policy_init(&policy);
	assert_int_equal(policy_load("/nonexistent/p.yaml", &set, &error), -ENOENT);
	assert_string_equal(error.text, "/nonexistent/p.yaml: No such file or directory");
	assert_int_equal(policy_load("/", &set, &error), -EISDIR);
	assert_string_equal(error.text, "/: Is a directory");
	assert_int_equal(policy_load_single("/", &policy, &error), -EISDIR);
	assert_string_equal(error.text, "/: Is a directory");
}

/* Takes the "#" from what isn't a sentence: those have one blank behind it. */
static void uncomment(char *text)
{
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += line != text;
		if (line[0] == '#' && line[1] && line[1] != '\n' &&
		    (line[1] != ' ' || line[2] == ' '))
			memmove(line, line + 1, strlen(line));
	}
}

static void shipped_configuration(void **state)
{
	autoclean(freep) char *text = read_source("policies/blackbox.yaml");
	autoclean(policy_set_deinit) struct policy_set shipped = { 0 }, set = { 0 };
	autoclean(policy_deinit) struct policy defaults;
	char *services;
	(void) state;

	load_good(text, &shipped);
	assert_int_equal(shipped.n_services, 0);

	uncomment(text);
	load_good(text, &set);
	assert_int_equal(set.n_services, 2);
	assert_string_equal(set.state_dir, shipped.state_dir);

	/* What stands above the services is the defaults, all of them. */
	services = strstr(text, "\nservices:");
	assert_non_null(services);
	*services = '\0';
	for (size_t i = 0; i < policy_n_keys; i++)
		if (policy_keys[i].initial)
			assert_says(text, "\n%s: ", policy_keys[i].name);
	policy_set_deinit(&set);
	(void) strcpy(services, "\nservices: [" OK "]");
	load_good(text, &set);
	policy_init(&defaults);
	assert_same_numbers(&set.services[0], &defaults);
}

static void shipped_examples(void **state)
{
	autoclean(freep) char *text = read_source("policies/redis.yaml");
	autoclean(policy_deinit) struct policy policy;
	struct policy_error error = { "" };
	(void) state;

	policy_init(&policy);
	if (load_single_bytes(text, strlen(text), &policy, &error) != 0)
		fail_msg("%s", error.text);
	assert_int_equal(policy.window_ns, 120 * S);
}

/* Whatever one wrong bit makes of a policy, it loads, or it is refused with a place. */
static void bit_flips(void **state)
{
	static const char text[] = "ring: 64M\nservices:\n- name: a\n  command: [b, 'c']\n"
				   "  triggers: [crash]\n  freeze-signals: [USR2]\n";
	char flipped[sizeof(text)];
	(void) state;

	for (size_t bit = 0; bit < 8 * (sizeof(text) - 1); bit++) {
		autoclean(policy_set_deinit) struct policy_set set = { 0 };
		struct policy_error error = { "" };

		memcpy(flipped, text, sizeof(text));
		flipped[bit / 8] = (char)(flipped[bit / 8] ^ 1 << bit % 8);
		if (load_bytes(flipped, sizeof(text) - 1, &set, &error) != 0)
			assert_int_equal(strncmp(error.text, "p.yaml:", 7), 0);
	}
}

/* Every length of a policy, as an editor that died may leave it. */
static void truncations(void **state)
{
	static const char text[] = "ring: 64M\nservices:\n- name: a\n  command: [b, \"c\\n\"]\n";
	(void) state;

	for (size_t len = 0; len < sizeof(text); len++) {
		autoclean(policy_set_deinit) struct policy_set set = { 0 };
		struct policy_error error = { "" };

		if (load_bytes(text, len, &set, &error) != 0)
			assert_int_equal(strncmp(error.text, "p.yaml:", 7), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single_values),
		cmocka_unit_test(single_keeps_the_rest),
		cmocka_unit_test(single_refuses),
		cmocka_unit_test(loads_services),
		cmocka_unit_test(loads_little),
		cmocka_unit_test(refuses),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(long_messages),
		cmocka_unit_test(many_services),
		cmocka_unit_test(many_words),
		cmocka_unit_test(deep_nesting),
		cmocka_unit_test(loads_files),
		cmocka_unit_test(loads_pipes),
		cmocka_unit_test(file_sizes),
		cmocka_unit_test(unreadable_files),
		cmocka_unit_test(shipped_configuration),
		cmocka_unit_test(shipped_examples),
		cmocka_unit_test(bit_flips),
		cmocka_unit_test(truncations),
	};

	return cmocka_run_group_tests_name("policy-load", tests, NULL, NULL);
}
