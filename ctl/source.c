/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/source.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "daemon/protocol.h"
#include "recorder/recover.h"

/* -- options ---------------------------------------------------------------------------------- */

enum { OPT_DIR = 0x1000, OPT_SOCKET, OPT_JSON };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct source *source = state->input;

	switch (key) {
	case OPT_DIR:
		source->dir = arg;
		break;
	case OPT_SOCKET:
		source->socket = arg;
		break;
	case OPT_JSON:
		source->json = true;
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

static const struct argp_option dir_options[] = {
	{ "dir", OPT_DIR, "DIR", 0, "Look in the store DIR, as made by `record --dir DIR'", 0 }, { 0 },
};
static const struct argp_option socket_options[] = {
	{ "socket", OPT_SOCKET, "PATH", 0, "Ask the blackboxd that listens at PATH", 0 }, { 0 },
};
static const struct argp_option json_options[] = {
	{ "json", OPT_JSON, NULL, 0, "Write JSON", 0 }, { 0 },
};

const struct argp source_dir_argp = { .options = dir_options, .parser = parse_option };
const struct argp source_socket_argp = { .options = socket_options, .parser = parse_option };
const struct argp source_json_argp = { .options = json_options, .parser = parse_option };

/* -- incidents ---------------------------------------------------------------------------------- */

/* With what a recorder has left that is gone: if we may, it becomes an incident first. */
static int list_store(const char *store, struct json_object *rows)
{
	struct json_object *news = NULL;
	int r;

	(void) recover_store(store, &news);
	(void) json_object_put(news);
	r = incident_rows(store, rows);

	if (r < 0)
		log_error("can't list the incidents in %s: %s", store, strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Of each store below @parent, which needn't be there. */
static int list_below(const char *parent, struct json_object *rows)
{
	autoclean(closedirp) DIR *dir = opendir(parent);
	struct dirent *entry;
	char store[PATH_MAX];
	int status = EXIT_DONE;

	if (!dir && errno != ENOENT) {
		log_error("can't read %s: %s", parent, strerror(errno));
		return EXIT_FAILED;
	}
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    snprintf(store, sizeof(store), "%s/%s", parent, entry->d_name) < (int)sizeof(store) &&
		    list_store(store, rows) != EXIT_DONE)
			status = EXIT_FAILED;
	return status;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(json_text(*(struct json_object *const *)a, "id"),
		      json_text(*(struct json_object *const *)b, "id"));
}

/* An id begins with its time. */
static int list_all(const struct source *source, struct json_object *rows)
{
	struct json_object *question = json_object_new_object(), *answer;
	struct control_error error;
	char user[PATH_MAX];
	int status = EXIT_DONE, r;

	(void) json_object_object_add(question, "do", json_object_new_string("list"));
	r = control_ask(source->socket, question, &answer, &error);
	if (r == 0) {
		for (size_t i = 0; i < json_object_array_length(answer); i++)
			(void) json_object_array_add(rows, json_object_get(json_object_array_get_idx(answer, i)));
		(void) json_object_put(answer);
	} else if (source->socket || !error.no_daemon) {
		log_error("%s", error.text);
		status = EXIT_FAILED;
	} else {
		status = list_below(STATEDIR, rows);
	}
	if (!source->socket && user_state_dir(user, sizeof(user)) == 0)
		(void) list_below(user, rows);
	json_object_array_sort(rows, by_id);
	return status;
}

int source_list(const struct source *source, struct json_object **ret_rows)
{
	struct json_object *rows = json_object_new_array();
	autoclean(closedirp) DIR *dir = NULL;
	int status;

	if (source->dir) {
		dir = opendir(source->dir);
		if (!dir)
			log_error("can't read the store %s: %s", source->dir, strerror(errno));
		status = dir ? list_store(source->dir, rows) : EXIT_BAD_INPUT;
	} else {
		status = list_all(source, rows);
	}
	*ret_rows = rows;
	return status;
}

int source_find(const struct source *source, const char *name, char *path, size_t size)
{
	return find_incident_at(source->dir, source->socket, name, path, size);
}

int source_ask(const struct source *source, const char *verb, const char *service,
	       struct json_object **ret_rows)
{
	struct json_object *question = json_object_new_object();
	struct control_error error;

	(void) json_object_object_add(question, "do", json_object_new_string(verb));
	if (service)
		(void) json_object_object_add(question, "service", json_object_new_string(service));
	if (control_ask(source->socket, question, ret_rows, &error) == 0)
		return EXIT_DONE;
	log_error("%s", error.text);
	return error.bad_input ? EXIT_BAD_INPUT : EXIT_FAILED;
}

/* -- showing --------------------------------------------------------------------------------------- */

void show_json(struct json_object *json)
{
	(void) printf("%s\n", json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY |
							     JSON_C_TO_STRING_NOSLASHESCAPE));
}

const char *trigger_text(struct json_object *trigger, char *text, size_t size)
{
	const char *signal = json_text(trigger, "signal_name");

	(void) snprintf(text, size, "%s%s%s", json_text(trigger, "kind"), *signal ? " " : "", signal);
	return text;
}
