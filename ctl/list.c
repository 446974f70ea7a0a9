/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl list: incidents. */
#include <stdio.h>

#include "common/json.h"
#include "common/parse.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "daemon/protocol.h"

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = state->child_inputs[2] = state->input;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\": list takes options only", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void show_row(struct json_object *row)
{
	struct json_object *trigger = NULL;
	char kind[64], size[16];

	(void) json_object_object_get_ex(row, "trigger", &trigger);
	(void) printf("%-48s %-20s %-20s %-22s %8s\n", json_text(row, "id"), json_text(row, "service"),
		      json_text(row, "time"), trigger_text(trigger, kind, sizeof(kind)),
		      format_size((uint64_t)json_number(row, "bytes"), size));
}

int verb_list(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_dir_argp, 0, NULL, 0 },
						      { &source_socket_argp, 0, NULL, 0 },
						      { &source_json_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse_option,
		.doc = "Lists incidents, oldest first: blackboxd's, and those of `blackboxctl record'.",
		.children = children,
	};
	struct source source = { 0 };
	struct json_object *rows;
	int status;

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &source))
		return EXIT_BAD_INPUT;
	status = source_list(&source, &rows);
	if (source.json) {
		show_json(rows);
	} else if (json_object_array_length(rows) > 0) {
		(void) printf("%-48s %-20s %-20s %-22s %8s\n", "INCIDENT", "SERVICE", "TIME", "TRIGGER",
			      "SIZE");
		for (size_t i = 0; i < json_object_array_length(rows); i++)
			show_row(json_object_array_get_idx(rows, i));
	} else if (status == EXIT_DONE) {
		(void) printf("no incidents\n");
	}
	(void) json_object_put(rows);
	return status;
}
