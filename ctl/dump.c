/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl dump: an incident as one portable file. */
#include <limits.h>

#include "ctl/ctl.h"
#include "ctl/source.h"
#include "ringstore/incident.h"

struct dump {
	struct source source;
	const char *name, *output;
	unsigned flags;
};

enum { OPT_EXCLUDE_FILES = 256 };

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write FILE; only you can read it: it holds what was in memory", 0 },
	{ "exclude-files", OPT_EXCLUDE_FILES, NULL, 0,
	  "Leave programs and libraries out: who replays it must have the same", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct dump *dump = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &dump->source;
		break;
	case 'o':
		dump->output = arg;
		break;
	case OPT_EXCLUDE_FILES:
		dump->flags |= INCIDENT_DUMP_EXCLUDE_FILES;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one incident at a time");
		dump->name = arg;
		break;
	case ARGP_KEY_END:
		if (!dump->name)
			argp_error(state, "which incident?");
		if (!dump->output)
			argp_error(state, "-o FILE is wanted");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int verb_dump(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_dir_argp, 0, NULL, 0 },
						      { &source_socket_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "INCIDENT",
		.doc = "Writes an incident, with all that a replay elsewhere needs, as one file.\v"
		       "A dump holds what passed through the service's memory: keys, passwords, data.",
		.children = children,
	};
	struct dump dump = { 0 };
	char path[PATH_MAX];

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &dump))
		return EXIT_BAD_INPUT;
	if (source_find(&dump.source, dump.name, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	return write_dump(path, dump.output, dump.flags);
}
