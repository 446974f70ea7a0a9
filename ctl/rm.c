/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl rm: removes incidents. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "daemon/protocol.h"
#include "ringstore/incident.h"

struct removal {
	struct source source;
	char **names;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct removal *removal = state->input;

	(void) arg;
	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &removal->source;
		break;
	case ARGP_KEY_ARGS:
		removal->names = state->argv + state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which incidents?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* From the store that it is found in. */
static int remove_found(const struct source *source, const char *id)
{
	static const char below[] = "/incidents/";
	char path[PATH_MAX];
	size_t len;
	int r;

	if (strchr(id, '/')) {
		log_error("%s: rm takes names of incidents, as `blackboxctl list' shows them", id);
		return EXIT_BAD_INPUT;
	}
	if (source_find(source, id, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	len = strlen(path);
	if (len <= strlen(id) + strlen(below) ||
	    strncmp(path + len - strlen(id) - strlen(below), below, strlen(below)) != 0) {
		log_error("%s is a file, not an incident", path);
		return EXIT_BAD_INPUT;
	}
	path[len - strlen(id) - strlen(below)] = '\0';
	r = incident_remove(path, id);
	if (r < 0)
		log_error("can't remove incident %s from %s: %s", id, path, strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int remove_one(const struct source *source, const char *id)
{
	struct json_object *question, *rows;
	struct control_error error;

	if (source->dir)
		return remove_found(source, id);
	question = json_object_new_object();
	(void) json_object_object_add(question, "do", json_object_new_string("rm"));
	(void) json_object_object_add(question, "incident", json_object_new_string(id));
	if (control_ask(source->socket, question, &rows, &error) == 0) {
		(void) json_object_put(rows);
		return EXIT_DONE;
	}
	/* It may be one of `record', which blackboxd doesn't know. */
	if (!source->socket && (error.no_daemon || error.bad_input))
		return remove_found(source, id);
	log_error("%s", error.text);
	return error.bad_input ? EXIT_BAD_INPUT : EXIT_FAILED;
}

int verb_rm(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_dir_argp, 0, NULL, 0 },
						      { &source_socket_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "INCIDENT...",
		.doc = "Removes incidents. Dumps that were made of them stay.",
		.children = children,
	};
	struct removal removal = { 0 };
	int status = EXIT_DONE;

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &removal))
		return EXIT_BAD_INPUT;
	for (char **name = removal.names; *name; name++) {
		int one = remove_one(&removal.source, *name);

		if (status == EXIT_DONE)
			status = one;
	}
	return status;
}
