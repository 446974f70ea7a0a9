/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl freeze: an incident of the window as it is now; the service goes on. */
#include <stdio.h>

#include "common/json.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "daemon/protocol.h"

struct freeze_request {
	struct source source;
	const char *service;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct freeze_request *f = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &f->source;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one service at a time");
		f->service = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which service?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int verb_freeze(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_socket_argp, 0, NULL, 0 },
						      { &source_json_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "SERVICE",
		.doc = "Makes an incident of a service's window now, and prints its name. "
		       "The service goes on, recorded.",
		.children = children,
	};
	struct freeze_request f = { 0 };
	struct json_object *rows;
	int status;

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &f))
		return EXIT_BAD_INPUT;
	status = source_ask(&f.source, "freeze", f.service, &rows);
	if (status != EXIT_DONE)
		return status;
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (f.source.json)
			show_json(row);
		else
			(void) printf("%s\n", json_text(row, "id"));
	}
	(void) json_object_put(rows);
	return status;
}
