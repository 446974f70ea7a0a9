/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blackboxctl info: what an incident is and holds. How much it holds is counted in its
 * window, not taken from its manifest: what was lost or damaged isn't there to replay.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "daemon/protocol.h"
#include "replay/window.h"

struct info {
	struct source source;
	const char *name;
};

struct counts {
	uint64_t events, async, covered_ns, threads, bytes;
	uint64_t *async_of;	/* each domain's, in the window's order */
	unsigned snapshots;
	bool cut;
};

static void counts_deinit(struct counts *counts)
{
	free(counts->async_of);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct info *info = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = state->child_inputs[2] = &info->source;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one file or incident at a time");
		info->name = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file or incident?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* -- counting ----------------------------------------------------------------------------------- */

static void add_count(struct json_object *to, const char *key, uint64_t value)
{
	(void) json_object_object_add(to, key, json_object_new_uint64(value));
}

static int count_domain(struct window *window, const struct window_domain *d, struct counts *counts)
{
	uint64_t number;
	struct event_reader *reader;
	const struct event *event;
	int r;


	r = event_reader_open(window, d, d->begin_event, &reader);
	if (r < 0)
		return r;
	while ((r = event_reader_next(reader, &event, &number)) == 0) {
		counts->events++;
		counts->async_of[d - window->domains] += event->kind == EVENT_ASYNC;
	}
	if (r == EVENT_READER_CUT)
		counts->cut = true;
	(void) event_reader_close(reader);
	counts->async += counts->async_of[d - window->domains];
	for (size_t i = 0; i < d->n_snapshots; i++)
		counts->snapshots += d->snapshots[i] <= d->end_event;
	return r < 0 ? r : 0;
}

static int count(struct window *window, const char *path, struct counts *counts)
{
	struct json_object *domains = json_list(window->manifest, "domains");
	struct stat st;

	counts->async_of = calloc(window->n_domains, sizeof(*counts->async_of));
	if (window->n_domains && !counts->async_of)
		return -ENOMEM;
	for (size_t i = 0; i < window->n_domains; i++) {
		int r = count_domain(window, &window->domains[i], counts);

		if (r < 0)
			return r;
	}
	counts->covered_ns = window_covered_ns(window);
	for (size_t i = 0; domains && i < json_object_array_length(domains); i++)
		counts->threads += (uint64_t)json_number(json_object_array_get_idx(domains, i), "threads");
	counts->bytes = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size :
								      incident_bytes(window->incident);
	return 0;
}

/* -- as JSON ---------------------------------------------------------------------------------------- */

/* In the order of their beginnings; one that has executed several programs is there with each. */
static struct json_object *processes_json(const struct window *window, const struct counts *counts)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < window->n_domains; i++) {
		const struct window_domain *d = &window->domains[i];
		struct json_object *row = json_object_new_object();

		(void) json_object_object_add(row, "pid", json_object_new_int64(d->pid));
		(void) json_object_object_add(row, "parent", json_object_new_int64(d->parent));
		(void) json_object_object_add(row, "command", json_object_get(d->command));
		(void) json_object_object_add(row, "exe", json_object_new_string(d->exe));
		add_count(row, "events", d->end_event - d->begin_event);
		add_count(row, "async_events", counts->async_of[i]);
		(void) json_object_object_add(row, "end", json_object_new_string(d->end));
		(void) json_object_array_add(list, row);
	}
	return list;
}

static struct json_object *info_json(const struct window *window, const struct counts *counts)
{
	static const char *const copied[] = { "id", "service", "command", "trigger", "real_ns" };
	struct json_object *json = json_object_new_object(), *notes;

	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		json_copy_member(window->manifest, copied[i], json);
	(void) json_object_object_add(json, "window_seconds",
				      json_object_new_double((double)counts->covered_ns / 1e9));
	add_count(json, "events", counts->events);
	add_count(json, "async_events", counts->async);
	add_count(json, "snapshots", counts->snapshots);
	add_count(json, "processes", window->n_domains);
	(void) json_object_object_add(json, "process_list", processes_json(window, counts));
	add_count(json, "threads", counts->threads);
	add_count(json, "bytes", counts->bytes);
	json_copy_member(window->manifest, "notes", json);
	notes = json_list(json, "notes");
	if (counts->cut && notes)
		(void) json_object_array_add(notes, json_object_new_string(
			"the log is damaged: what is behind the damage can't be replayed"));
	json_copy_member(window->manifest, "policy", json);
	json_copy_member(window->manifest, "host", json);
	return json;
}

/* -- for people ---------------------------------------------------------------------------------------- */

/* Words as a shell would take them, near enough to read. */
static void show_command(struct json_object *command)
{
	for (size_t i = 0; command && i < json_object_array_length(command); i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(command, i));

		word = word ? word : "";
		(void) printf(!*word || strpbrk(word, " \t\n'\"$`\\") ? " '%s'" : " %s", word);
	}
	(void) printf("\n");
}

static void show_processes(struct json_object *list)
{
	enum { MAX_SHOWN = 40 };
	size_t n = json_object_array_length(list);

	for (size_t i = 0; n > 1 && i < n && i < MAX_SHOWN; i++) {
		struct json_object *row = json_object_array_get_idx(list, i);

		(void) printf("           %" PRId64 " of %" PRId64 ", %" PRId64 " events, %" PRId64 " async, %s:",
			      json_number(row, "pid"), json_number(row, "parent"),
			      json_number(row, "events"), json_number(row, "async_events"),
			      json_text(row, "end"));
		show_command(json_list(row, "command"));
	}
	if (n > MAX_SHOWN)
		(void) printf("           and %zu more (--json lists them all)\n", n - MAX_SHOWN);
}

static void show_text(struct json_object *json, const struct counts *counts)
{
	struct json_object *trigger = NULL, *host = NULL, *notes = json_list(json, "notes");
	char kind[64], size[16], seconds[32];

	(void) json_object_object_get_ex(json, "trigger", &trigger);
	(void) json_object_object_get_ex(json, "host", &host);
	(void) printf("incident   %s\n", json_text(json, "id"));
	(void) printf("service    %s\n", json_text(json, "service"));
	(void) printf("command   ");
	show_command(json_list(json, "command"));
	(void) printf("trigger    %s, process %" PRId64 ", thread %" PRId64 "\n",
		      trigger_text(trigger, kind, sizeof(kind)), json_number(trigger, "pid"),
		      json_number(trigger, "tid"));
	(void) printf("window     %s, %" PRIu64 " events, %u snapshots\n",
		      format_duration(counts->covered_ns, seconds), counts->events, counts->snapshots);
	(void) printf("processes  %" PRId64 ", with %" PRIu64 " threads\n", json_number(json, "processes"),
		      counts->threads);
	show_processes(json_list(json, "process_list"));
	(void) printf("async      %" PRIu64 " events\n", counts->async);
	(void) printf("size       %s\n", format_size(counts->bytes, size));
	(void) printf("host       %s, Linux %s, %s\n", json_text(host, "name"), json_text(host, "kernel"),
		      json_text(host, "cpu"));
	for (size_t i = 0; notes && i < json_object_array_length(notes); i++)
		(void) printf("note       %s\n", json_object_get_string(json_object_array_get_idx(notes, i)));
}

static int show(struct window *window, const char *path, bool as_json)
{
	autoclean(counts_deinit) struct counts counts = { 0 };
	struct json_object *json;
	int r = count(window, path, &counts);

	if (r < 0) {
		log_error("can't read the window of %s: %s", path, strerror(-r));
		return EXIT_BAD_INPUT;
	}
	json = info_json(window, &counts);
	if (as_json)
		show_json(json);
	else
		show_text(json, &counts);
	(void) json_object_put(json);
	return EXIT_DONE;
}

int verb_info(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_dir_argp, 0, NULL, 0 },
						      { &source_socket_argp, 0, NULL, 0 },
						      { &source_json_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "INCIDENT|FILE",
		.doc = "Shows what an incident, or a dump of one, is and holds.",
		.children = children,
	};
	autoclean(window_deinit) struct window window = { 0 };
	struct replay_error error;
	struct info info = { 0 };
	char path[PATH_MAX];

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &info))
		return EXIT_BAD_INPUT;
	if (source_find(&info.source, info.name, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	if (window_open(path, &window, &error) < 0) {
		log_error("%s", error.text);
		return EXIT_BAD_INPUT;
	}
	return show(&window, path, info.source.json);
}
