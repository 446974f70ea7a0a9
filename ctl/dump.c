/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl dump: an incident as one portable file. */
#include <limits.h>

#include "common/log.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "replay/check.h"
#include "ringstore/incident.h"

struct dump {
	struct source source;
	const char *name, *output;
	unsigned flags;
};

/* -- what is left out ------------------------------------------------------------------------- */

enum { OPT_EXCLUDE_FILES = 0x2000, OPT_STRIP };

static const struct argp_option content_options[] = {
	{ "exclude-files", OPT_EXCLUDE_FILES, NULL, 0,
	  "Leave programs and libraries out: who replays it must have the same", 0 },
	{ "strip", OPT_STRIP, NULL, 0,
	  "Leave debug information out of them, and see that it replays without", 0 },
	{ 0 },
};

static error_t parse_content(int key, char *arg, struct argp_state *state)
{
	unsigned *flags = state->input;

	(void) arg;
	switch (key) {
	case OPT_EXCLUDE_FILES:
		*flags |= INCIDENT_DUMP_EXCLUDE_FILES;
		break;
	case OPT_STRIP:
		*flags |= INCIDENT_DUMP_STRIP;
		break;
	case ARGP_KEY_INIT:
	case ARGP_KEY_FINI:
	case ARGP_KEY_END:
	case ARGP_KEY_SUCCESS:
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

const struct argp dump_content_argp = { .options = content_options, .parser = parse_content };

/* -- options ---------------------------------------------------------------------------------- */

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write FILE; only you can read it: it holds what was in memory", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct dump *dump = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &dump->source;
		state->child_inputs[2] = &dump->flags;
		break;
	case 'o':
		dump->output = arg;
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

static void on_progress(uint64_t event, uint64_t end, void *userdata)
{
	(void) userdata;
	show_progress("checking the dump", event, end);
}

/*
 * What isn't loaded may be mapped nevertheless: by the program itself. Only a replay knows.
 */
static bool is_exact(const char *path)
{
	const struct check_options options = { .progress = on_progress };
	struct check_result result;
	struct replay_error error;
	struct window window;
	int r = window_open(path, &window, &error);

	if (r < 0)
		return false;
	r = check_window(&window, 0, &options, &result, &error);
	end_progress();
	window_deinit(&window);
	return r == 0;
}

int dump_incident(const char *path, const char *output, unsigned flags)
{
	int status = write_dump(path, output, flags);

	if (status == EXIT_DONE && flags == INCIDENT_DUMP_STRIP && !is_exact(output)) {
		log_notice("%s doesn't replay without debug information, and is written with it", output);
		status = write_dump(path, output, 0);
	}
	return status;
}

int verb_dump(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_dir_argp, 0, NULL, 0 },
						      { &source_socket_argp, 0, NULL, 0 },
						      { &dump_content_argp, 0, NULL, 0 }, { 0 } };
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
	return dump_incident(path, dump.output, dump.flags);
}
