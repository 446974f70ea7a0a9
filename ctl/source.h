/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* source - the options that say where a verb looks, and how it shows what it finds */
#pragma once

#include <argp.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

struct source {
	const char *dir;	/* a store; NULL: blackboxd's, and those of `record' */
	const char *socket;	/* blackboxd's; NULL: the usual */
	bool json;
};

/* As children of a verb's argp, each with a struct source as input. */
extern const struct argp source_dir_argp, source_socket_argp, source_json_argp;

/*
 * The rows of all incidents: of the store, else of blackboxd's services, or without
 * it of those in STATEDIR, and of what `record' recorded. The caller puts them.
 * Returns an exit status, with the error said.
 */
int source_list(const struct source *source, struct json_object **ret_rows);

/* The path of an incident or dump, as find_incident(); -ENOENT with the error said. */
int source_find(const struct source *source, const char *name, char *path, size_t size);

/* Asks blackboxd, about the service if one is named. An exit status, with the error said. */
int source_ask(const struct source *source, const char *verb, const char *service,
	       struct json_object **ret_rows);

/* Writes JSON to standard output, as a line of its own or several. */
void show_json(struct json_object *json);

/* "crash SIGSEGV"; for tables and sentences. */
const char *trigger_text(struct json_object *trigger, char *text, size_t size);
