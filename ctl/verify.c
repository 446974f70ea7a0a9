/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl verify: reads all of a store, an incident or a dump, and names each fault. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "common/parse.h"
#include "ctl/ctl.h"
#include "ctl/source.h"
#include "ringstore/verify.h"

/* What takes no longer needs no progress. */
enum { QUIET_S = 1 };

struct verification {
	struct source source;
	const char *name;
	struct json_object *faults;	/* an array; NULL: for people */
	struct timespec begin;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct verification *v = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->child_inputs[1] = state->child_inputs[2] = &v->source;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one store, incident or file at a time");
		v->name = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which store, incident or file?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void on_fault(const char *path, uint64_t offset, const char *what, void *userdata)
{
	struct verification *v = userdata;
	struct json_object *row;

	if (!v->faults) {
		end_progress();
		(void) printf("%s, offset %" PRIu64 ": %s\n", path, offset, what);
		return;
	}
	row = json_object_new_object();
	(void) json_object_object_add(row, "path", json_object_new_string(path));
	(void) json_object_object_add(row, "offset", json_object_new_uint64(offset));
	(void) json_object_object_add(row, "what", json_object_new_string(what));
	(void) json_object_array_add(v->faults, row);
}

static void on_progress(uint64_t done, uint64_t total, void *userdata)
{
	const struct verification *v = userdata;
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - v->begin.tv_sec > QUIET_S)
		show_progress("verifying", done, total);
}

static void show_counts(const struct verify *result)
{
	char size[16];

	if (result->live_in_use)
		(void) printf("somebody records there: only the incidents were read\n");
	(void) printf("read: %" PRIu64 " files, %" PRIu64 " chunks, %s; %" PRIu64 " faults\n",
		      result->n_files, result->n_chunks, format_size(result->bytes, size),
		      result->n_faults);
}

static void show_result_json(struct verification *v, const struct verify *result)
{
	struct json_object *json = json_object_new_object();

	(void) json_object_object_add(json, "files", json_object_new_uint64(result->n_files));
	(void) json_object_object_add(json, "chunks", json_object_new_uint64(result->n_chunks));
	(void) json_object_object_add(json, "bytes", json_object_new_uint64(result->bytes));
	(void) json_object_object_add(json, "incidents", json_object_new_int64(result->n_incidents));
	(void) json_object_object_add(json, "in_use", json_object_new_boolean(result->live_in_use));
	(void) json_object_object_add(json, "faults", v->faults);
	show_json(json);
	(void) json_object_put(json);
}

static int verify(struct verification *v, const char *path)
{
	struct verify result = { .fault = on_fault, .progress = on_progress, .userdata = v };
	int r;

	if (v->source.json)
		v->faults = json_object_new_array();
	(void) clock_gettime(CLOCK_MONOTONIC, &v->begin);
	r = verify_path(path, &result);
	end_progress();
	if (r < 0) {
		log_error("can't verify %s: %s", path,
			  r == -EBADMSG ? "it is neither a store, an incident nor a dump" :
			  r == -EPROTONOSUPPORT ? "a newer version of blackbox wrote it" : strerror(-r));
		(void) json_object_put(v->faults);
		return r == -EBADMSG || r == -EPROTONOSUPPORT || r == -ENOENT ? EXIT_BAD_INPUT : EXIT_FAILED;
	}
	if (v->faults)
		show_result_json(v, &result);
	else
		show_counts(&result);
	return result.n_faults ? EXIT_BAD_INPUT : EXIT_DONE;
}

int verb_verify(int argc, char **argv)
{
	static const struct argp_child children[] = { { &source_dir_argp, 0, NULL, 0 },
						      { &source_socket_argp, 0, NULL, 0 },
						      { &source_json_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "DIR|INCIDENT|FILE",
		.doc = "Reads all of a store, an incident or a dump, and names each fault.\v"
		       "The status is 2 if there is any. Nothing is changed.",
		.children = children,
	};
	struct verification v = { 0 };
	char path[PATH_MAX];

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &v))
		return EXIT_BAD_INPUT;
	if (source_find(&v.source, v.name, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	return verify(&v, path);
}
