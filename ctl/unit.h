/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unit - a unit's command, as systemd has it, and the drop-in that has it recorded
 *
 * systemd is asked over D-Bus, so what it says is what it would run: drop-ins read,
 * specifiers replaced, quotes gone; variables are put in when the command is run, by
 * systemd, ours as well as the unit's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

struct unit {
	char *id;		/* "redis-server.service", whatever alias it was asked by */
	char *type;		/* "notify" */
	size_t n_commands;	/* in ExecStart; what follows is of the first */
	char *path;
	char **argv;
	char prefix[8];		/* of "-+!:", as ExecStart= has them */
	char *syslog_identifier;	/* "" if it sets none */
	bool limits_paths;	/* NoExecPaths= */
	char wanted_calls[64];	/* that its SystemCallFilter= forbids the agent: words, or "" */
	char *obstacle;		/* why it can't be recorded, for people; NULL if it can */
};

void unit_deinit(struct unit *unit);

/*
 * Asks systemd for the service @name (".service" may be left out). Negative errno, with
 * the error logged.
 */
int unit_load(sd_bus *bus, const char *name, struct unit *ret_unit);

/*
 * The path of the unit's drop-in, and its text: @template with @UNIT@, @COMMAND@ and
 * @EXTRA@ filled in. The caller frees them. -ENOMEM.
 */
int unit_dropin_path(const struct unit *unit, char **ret_path);
int unit_dropin(const struct unit *unit, const char *launcher, const char *template, char **ret_text);

/*
 * A word as a unit file has it: quoted, with specifiers kept from being replaced, and
 * with variables too where @keep_dollar. The caller frees it; NULL if memory is short.
 */
char *unit_quote(const char *word, bool keep_dollar);

/* Has systemd read its unit files again. Negative errno, with the error logged. */
int unit_reload(sd_bus *bus);

/* -- what enable and disable share (enable.c): errors are logged -------------------------------- */

int parse_unit(int argc, char **argv, const char *doc, const char **ret_unit);
int open_bus(sd_bus **ret_bus);
/* -ENOENT if there is none, without a word. */
int remove_dropin(const struct unit *unit);
