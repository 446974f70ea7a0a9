/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl status: how blackboxd's services are recorded. */
#include <inttypes.h>
#include <stdio.h>

#include "common/json.h"
#include "common/parse.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "daemon/protocol.h"

struct status {
	struct source source;
	const char *service;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct status *s = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &s->source;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one service at a time");
		s->service = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static double seconds(struct json_object *row, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(row, key, &value) ? json_object_get_double(value) : 0;
}

static void show_row(struct json_object *row)
{
	char used[16], limit[16], window[16] = "-", disk[40] = "-", pid[16] = "-";

	if (json_number(row, "pid"))
		(void) snprintf(pid, sizeof(pid), "%" PRId64, json_number(row, "pid"));
	if (json_number(row, "bytes_limit")) {
		(void) snprintf(window, sizeof(window), "%.1fs", seconds(row, "window_seconds"));
		(void) snprintf(disk, sizeof(disk), "%s of %s",
				format_size((uint64_t)json_number(row, "bytes"), used),
				format_size((uint64_t)json_number(row, "bytes_limit"), limit));
	}
	(void) printf("%-24s %-10s %8s %8s %-18s %9" PRId64 "  %s\n", json_text(row, "service"),
		      json_text(row, "state"), pid, window, disk, json_number(row, "incidents"),
		      json_text(row, "why"));
}

/* Of one service that was asked for by name. */
static void show_turns(struct json_object *row)
{
	int64_t n = json_number(row, "by_turns");

	if (n > 1)
		(void) printf("\nshared memory: %" PRId64 " processes share so much that they run one at a time, on one "
			      "processor's worth; the longest wait for a turn %.1f ms\n", n,
			      seconds(row, "longest_turn_wait_ms"));
}

/* None, if it has never had two that could run. */
static void show_threads(struct json_object *row)
{
	if (seconds(row, "longest_wait_ms") > 0)
		(void) printf("\nthreads: they run one at a time; the longest wait of one that could run %.1f ms\n",
			      seconds(row, "longest_wait_ms"));
}

static void show_ring(struct json_object *row)
{
	if (*json_text(row, "bytes_limit_why"))
		(void) printf("\nring: %s\n", json_text(row, "bytes_limit_why"));
}

static void show_snapshots(struct json_object *row)
{
	char child[16], table[16];

	if (!json_number(row, "snapshots_taken"))
		return;
	(void) printf("\nsnapshots: %" PRId64 " each %.1fs, the longest pause %.1f ms; %" PRId64
		      " failed, of which %" PRId64 " would have been too long a pause\n",
		      json_number(row, "snapshots_taken"), seconds(row, "snapshot_interval_seconds"),
		      seconds(row, "longest_stall_ms"), json_number(row, "snapshots_failed"),
		      json_number(row, "snapshots_skipped"));
	(void) printf("  the last (%s): %" PRId64 " pages, %" PRId64 " read, %" PRId64 " written, in %.0f ms\n",
		      json_text(row, "snapshot_method"), json_number(row, "snapshot_pages"),
		      json_number(row, "snapshot_pages_read"), json_number(row, "snapshot_pages_written"),
		      seconds(row, "snapshot_ms"));
	(void) printf("  memory for the next: %s held, %s to know pages by\n",
		      format_size((uint64_t)json_number(row, "snapshot_child_bytes"), child),
		      format_size((uint64_t)json_number(row, "snapshot_table_bytes"), table));
}

static void show_stubs(struct json_object *row)
{
	struct json_object *refused;

	if (!json_object_object_get_ex(row, "refused_stubs", &refused))
		return;
	(void) printf("\nsystem calls and rdtsc: %" PRId64 " places have a stub, %" PRId64 " can't have one\n",
		      json_number(row, "stubs"), json_number(row, "stubs_refused"));
	for (size_t i = 0; i < json_object_array_length(refused); i++)
		(void) printf("  %s\n", json_object_get_string(json_object_array_get_idx(refused, i)));
}

int verb_status(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_socket_argp, 0, NULL, 0 },
						      { &source_json_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "[SERVICE]",
		.doc = "Shows how the services of blackboxd are recorded.\v"
		       "States: idle (not started), starting, recording, passing (it runs on while "
		       "recording pauses), native (it runs unrecorded, for the reason that is shown), ended.",
		.children = children,
	};
	struct status s = { 0 };
	struct json_object *rows;
	int status;

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &s))
		return EXIT_BAD_INPUT;
	status = source_ask(&s.source, "status", s.service, &rows);
	if (status != EXIT_DONE)
		return status;
	if (s.source.json) {
		show_json(rows);
	} else {
		(void) printf("%-24s %-10s %8s %8s %-18s %9s\n", "SERVICE", "STATE", "PID", "WINDOW", "DISK",
			      "INCIDENTS");
		for (size_t i = 0; i < json_object_array_length(rows); i++)
			show_row(json_object_array_get_idx(rows, i));
		if (s.service && json_object_array_length(rows) == 1) {
			show_ring(json_object_array_get_idx(rows, 0));
			show_turns(json_object_array_get_idx(rows, 0));
			show_threads(json_object_array_get_idx(rows, 0));
			show_snapshots(json_object_array_get_idx(rows, 0));
			show_stubs(json_object_array_get_idx(rows, 0));
		}
	}
	(void) json_object_put(rows);
	return status;
}
