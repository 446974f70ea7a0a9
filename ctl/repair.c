/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl repair: keeps what is sound of a damaged store or incident. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "recorder/recover.h"
#include "ringstore/verify.h"

struct repair {
	struct source source;
	const char *name;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct repair *repair = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = &repair->source;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one store or incident at a time");
		repair->name = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which store or incident?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void on_cut(const char *path, uint64_t from, uint64_t to, const char *why, void *userdata)
{
	(void) userdata;
	if (to != UINT64_MAX)
		(void) printf("%s: cut out from offset %" PRIu64 " to %" PRIu64 ": %s\n", path, from, to, why);
	else if (from)
		(void) printf("%s: cut at offset %" PRIu64 ": %s\n", path, from, why);
	else
		(void) printf("%s: removed: %s\n", path, why);
}

/* What a recorder left that is gone. A store that is in use has none. */
static int recover(const char *store)
{
	struct json_object *news;
	int r = recover_store(store, &news);

	if (r == 0 && news)
		(void) printf("what its recorder left is now the incident %s\n", json_text(news, "id"));
	else if (r < 0)
		log_error("what the recorder of %s left is lost: %s", store, strerror(-r));
	(void) json_object_put(news);
	return r;
}

static int repair(const char *path, enum verify_kind kind)
{
	struct verify result = { .cut = on_cut, .open_tail = recover_open_tail };
	int r;

	if (kind == VERIFY_STORE && recover(path) < 0)
		return EXIT_FAILED;
	r = kind == VERIFY_STORE ? repair_store(path, &result) : repair_incident(path, &result);
	if (r < 0 || result.n_failed) {
		log_error("can't repair %s: %s", path,
			  r == -EBADMSG || r == 0 ? "what incident.json said is lost" :
			  r == -EPROTONOSUPPORT ? "a newer version of blackbox wrote it" : strerror(-r));
		return r == -EBADMSG || r == -EPROTONOSUPPORT ? EXIT_BAD_INPUT : EXIT_FAILED;
	}
	if (!result.n_cuts)
		(void) printf("nothing was cut: %s\n", result.n_faults ? "what is wrong is in nobody's way" :
								      "nothing is damaged");
	return EXIT_DONE;
}

int verb_repair(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_dir_argp, 0, NULL, 0 },
						      { &source_socket_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "DIR|INCIDENT",
		.doc = "Cuts what is damaged out of a store's incidents, or of one incident.\v"
		       "Of each process the longest window is kept that is sound, and what is cut is named.",
		.children = children,
	};
	struct repair options = { 0 };
	enum verify_kind kind;
	char path[PATH_MAX];
	int r;

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return EXIT_BAD_INPUT;
	if (source_find(&options.source, options.name, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	r = verify_kind(path, &kind);
	if (r == 0 && kind != VERIFY_DUMP)
		return repair(path, kind);
	log_error("%s: %s", path, r < 0 && r != -EBADMSG ? strerror(-r) :
		  r < 0 ? "neither a store nor an incident" :
			  "a dump is repaired by making it again, from the incident");
	return EXIT_BAD_INPUT;
}
