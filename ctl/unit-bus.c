/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What systemd says of a unit, over D-Bus. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "ctl/unit.h"

#define MANAGER "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"
#define UNIT_INTERFACE "org.freedesktop.systemd1.Unit"

/* What blackbox-launch does: a filter that kills one of these would kill the service. */
static const char *const launcher_calls[] = { "socket", "connect", "sendto", "poll", "recvfrom", "close",
					      "write", "newfstatat", "readlink", "execve" };

/*
 * The agent keeps a program on one processor until its dynamic linker has asked CPUID,
 * whose answer tells processors apart: without, a replay from the start may differ.
 */
static const char *const agent_calls[] = { "sched_setaffinity", "sched_getaffinity", "getcpu" };

static void bus_errorp(sd_bus_error *error)
{
	sd_bus_error_free(error);
}

static void messagep(sd_bus_message **message)
{
	(void) sd_bus_message_unref(*message);
}

static int fail(const char *what, const char *unit, int r, const sd_bus_error *error)
{
	log_error("can't %s%s%s: %s", what, unit ? " " : "", unit ? unit : "",
		  error && error->message ? error->message : strerror(-r));
	return r;
}

/* The first obstacle stands. */
__attribute__((format(printf, 2, 3)))
static int set_obstacle(struct unit *unit, const char *format, ...)
{
	va_list args;
	int n;

	if (unit->obstacle)
		return 0;
	va_start(args, format);
	n = vasprintf(&unit->obstacle, format, args);
	va_end(args);
	if (n >= 0)
		return 0;
	unit->obstacle = NULL;
	return -ENOMEM;
}

/* -- its command --------------------------------------------------------------------------------- */

static int read_flags(sd_bus_message *m, struct unit *unit)
{
	static const struct { const char *flag, *prefix; } known[] = {
		{ "ignore-failure", "-" }, { "no-env-expand", ":" }, { "privileged", "+" },
		{ "no-setuid", "!" }, { "ambient", "!!" },
	};
	const char *flag;
	int r = sd_bus_message_enter_container(m, 'a', "s");

	while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &flag)) > 0) {
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(known[i].flag, flag) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			r = set_obstacle(unit, "its ExecStart= has a prefix that blackbox doesn't know (%s)", flag);
		else
			(void) strncat(unit->prefix, known[i].prefix, sizeof(unit->prefix) - strlen(unit->prefix) - 1);
	}
	return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_command(sd_bus_message *m, struct unit *unit)
{
	const char *path;
	int r = sd_bus_message_read_basic(m, 's', &path);

	if (r < 0)
		return r;
	unit->path = strdup(path);
	if (!unit->path)
		return -ENOMEM;
	r = sd_bus_message_read_strv(m, &unit->argv);
	if (r < 0)
		return r;
	if (!unit->argv && !(unit->argv = calloc(1, sizeof(char *))))
		return -ENOMEM;
	r = read_flags(m, unit);
	return r < 0 ? r : sd_bus_message_skip(m, "ttttuii");
}

static int read_commands(sd_bus *bus, const char *path, struct unit *unit, sd_bus_error *error)
{
	autoclean(messagep) sd_bus_message *m = NULL;
	int r = sd_bus_get_property(bus, "org.freedesktop.systemd1", path, SERVICE_INTERFACE, "ExecStartEx",
				    error, &m, "a(sasasttttuii)");

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'a', "(sasasttttuii)");
	while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sasasttttuii")) > 0) {
		if (unit->n_commands++ == 0)
			r = read_command(m, unit);
		else
			r = sd_bus_message_skip(m, "sasasttttuii");
		if (r >= 0)
			r = sd_bus_message_exit_container(m);
	}
	if (r >= 0 && unit->n_commands != 1)
		r = set_obstacle(unit, "it has %zu ExecStart= commands; services with one can be recorded",
				 unit->n_commands);
	return r;
}

/* -- what it forbids ------------------------------------------------------------------------------- */

static bool has(char **list, const char *word)
{
	for (; list && *list; list++)
		/* "name:errno" is a call that fails. */
		if (strncmp(*list, word, strlen(word)) == 0 &&
		    ((*list)[strlen(word)] == '\0' || (*list)[strlen(word)] == ':'))
			return true;
	return false;
}

static void free_words(char ***words)
{
	for (char **word = *words; word && *word; word++)
		free(*word);
	free(*words);
}

/* A property (bas): a list of what is allowed, or of what isn't. */
static int read_filter(sd_bus *bus, const char *path, const char *property, bool *ret_allows,
		       char ***ret_words, sd_bus_error *error)
{
	autoclean(messagep) sd_bus_message *m = NULL;
	int r = sd_bus_get_property(bus, "org.freedesktop.systemd1", path, SERVICE_INTERFACE, property,
				    error, &m, "(bas)");
	int allows = 0;

	if (r >= 0)
		r = sd_bus_message_enter_container(m, 'r', "bas");
	if (r >= 0)
		r = sd_bus_message_read_basic(m, 'b', &allows);
	if (r >= 0)
		r = sd_bus_message_read_strv(m, ret_words);
	*ret_allows = allows != 0;
	return r;
}

static void want_calls(struct unit *unit, bool allows, char **calls)
{
	size_t len = 0;

	for (size_t i = 0; calls && i < sizeof(agent_calls) / sizeof(agent_calls[0]); i++)
		if (has(calls, agent_calls[i]) != allows)
			len += (size_t)snprintf(unit->wanted_calls + len, sizeof(unit->wanted_calls) - len,
						"%s%s", len ? " " : "", agent_calls[i]);
}

static int check_filters(sd_bus *bus, const char *path, struct unit *unit, sd_bus_error *error)
{
	autoclean(free_words) char **calls = NULL, **families = NULL;
	bool allows;
	int r = read_filter(bus, path, "SystemCallFilter", &allows, &calls, error);

	for (size_t i = 0; r >= 0 && calls && i < sizeof(launcher_calls) / sizeof(launcher_calls[0]); i++)
		if (has(calls, launcher_calls[i]) != allows)
			r = set_obstacle(unit, "its SystemCallFilter= forbids %s, which the launcher needs",
					 launcher_calls[i]);
	if (r >= 0)
		want_calls(unit, allows, calls);
	if (r >= 0)
		r = read_filter(bus, path, "RestrictAddressFamilies", &allows, &families, error);
	if (r >= 0 && (families || allows) && has(families, "AF_UNIX") != allows)
		r = set_obstacle(unit, "its RestrictAddressFamilies= lacks AF_UNIX, by which the launcher "
				 "reaches blackboxd; add it with `systemctl edit %s'", unit->id);
	return r;
}

static int check_root(sd_bus *bus, const char *path, struct unit *unit, sd_bus_error *error)
{
	static const char *const properties[] = { "RootDirectory", "RootImage" };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < 2; i++) {
		autoclean(freep) char *value = NULL;

		r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, SERVICE_INTERFACE,
					       properties[i], error, &value);
		if (r >= 0 && *value)
			r = set_obstacle(unit, "its %s= hides the launcher from it", properties[i]);
	}
	return r;
}

static int read_rest(sd_bus *bus, const char *path, struct unit *unit, sd_bus_error *error)
{
	autoclean(free_words) char **no_exec = NULL;
	int r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, SERVICE_INTERFACE,
					   "Type", error, &unit->type);

	if (r >= 0)
		r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, SERVICE_INTERFACE,
					       "SyslogIdentifier", error, &unit->syslog_identifier);
	if (r >= 0)
		r = sd_bus_get_property_strv(bus, "org.freedesktop.systemd1", path, SERVICE_INTERFACE,
					     "NoExecPaths", error, &no_exec);
	unit->limits_paths = no_exec && *no_exec;
	if (r >= 0)
		r = check_filters(bus, path, unit, error);
	if (r >= 0)
		r = check_root(bus, path, unit, error);
	return r;
}

/* -- the unit --------------------------------------------------------------------------------------- */

static int check_loaded(sd_bus *bus, const char *path, const char *name, struct unit *unit,
			sd_bus_error *error)
{
	autoclean(freep) char *state = NULL;
	int r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, UNIT_INTERFACE,
					   "LoadState", error, &state);

	if (r >= 0)
		r = sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path, UNIT_INTERFACE, "Id",
					       error, &unit->id);
	if (r < 0)
		return fail("ask systemd about", name, r, error);
	if (strcmp(state, "loaded") == 0)
		return 0;
	log_error("%s: systemd has no such unit to run (%s)", name, state);
	return -ENOENT;
}

int unit_load(sd_bus *bus, const char *name, struct unit *ret_unit)
{
	autoclean(bus_errorp) sd_bus_error error = SD_BUS_ERROR_NULL;
	autoclean(messagep) sd_bus_message *m = NULL;
	autoclean(unit_deinit) struct unit unit = { 0 };
	char full[300];
	const char *path;
	int r;

	if (snprintf(full, sizeof(full), strchr(name, '.') ? "%s" : "%s.service", name) >= (int)sizeof(full) ||
	    strlen(full) < 9 || strcmp(full + strlen(full) - 8, ".service") != 0) {
		log_error("%s: only services can be recorded", name);
		return -EINVAL;
	}
	r = sd_bus_call_method(bus, MANAGER, "LoadUnit", &error, &m, "s", full);
	if (r >= 0)
		r = sd_bus_message_read(m, "o", &path);
	if (r < 0)
		return fail("ask systemd about", full, r, &error);
	r = check_loaded(bus, path, full, &unit, &error);
	if (r < 0)
		return r;
	r = read_commands(bus, path, &unit, &error);
	if (r >= 0)
		r = read_rest(bus, path, &unit, &error);
	if (r < 0)
		return fail("ask systemd about", full, r, &error);
	*ret_unit = unit;
	unit = (struct unit){ 0 };
	return 0;
}

int unit_reload(sd_bus *bus)
{
	autoclean(bus_errorp) sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(bus, MANAGER, "Reload", &error, NULL, NULL);

	return r < 0 ? fail("have systemd read its units again", NULL, r, &error) : 0;
}
