/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl enable: a drop-in by which a unit's command runs under recording. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "ctl/unit.h"

/* A template is a page or two. */
enum { TEMPLATE_MAX = 16384 };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	const char **unit = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one unit at a time");
		*unit = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which unit?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int parse_unit(int argc, char **argv, const char *doc, const char **ret_unit)
{
	const struct argp argp = { .parser = parse_option, .args_doc = "UNIT", .doc = doc };

	argp_err_exit_status = EXIT_BAD_INPUT;
	return argp_parse(&argp, argc, argv, 0, NULL, ret_unit) ? -EINVAL : 0;
}

int open_bus(sd_bus **ret_bus)
{
	int r = sd_bus_open_system(ret_bus);

	if (r < 0)
		log_error("can't reach systemd over D-Bus: %s", strerror(-r));
	return r;
}

int remove_dropin(const struct unit *unit)
{
	autoclean(freep) char *path = NULL;

	if (unit_dropin_path(unit, &path) < 0)
		return -ENOMEM;
	if (unlink(path) < 0) {
		int r = -errno;

		if (r != -ENOENT)
			log_error("can't remove %s: %s", path, strerror(-r));
		return r;
	}
	*strrchr(path, '/') = '\0';
	(void) rmdir(path);	/* others may have drop-ins there */
	return 0;
}

/* -- writing ------------------------------------------------------------------------------------ */

static int read_template(char text[static TEMPLATE_MAX])
{
	static const char path[] = PKGDATADIR "/dropin.conf";
	autoclean(fclosep) FILE *file = fopen(path, "re");
	size_t n;

	if (!file) {
		log_error("can't read %s: %s", path, strerror(errno));
		return -errno;
	}
	n = fread(text, 1, TEMPLATE_MAX - 1, file);
	text[n] = '\0';
	return 0;
}

/* The whole of it or nothing: systemd may read at any time. */
static int write_file(const char *path, const char *text)
{
	autoclean(freep) char *temporary = NULL, *dir = strdup(path);
	autoclean(closep) int fd = -1;
	size_t len = strlen(text);
	int r;

	if (!dir || asprintf(&temporary, "%s.new", path) < 0)
		return -ENOMEM;
	*strrchr(dir, '/') = '\0';
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0 && rename(temporary, path) == 0 ? 0 :
														  -errno;
	if (r < 0)
		(void) unlink(temporary);
	return r;
}

static int write_dropin(const struct unit *unit, const char *launcher)
{
	autoclean(freep) char *path = NULL, *text = NULL;
	char template[TEMPLATE_MAX];
	int r = read_template(template);

	if (r < 0)
		return r;
	r = unit_dropin(unit, launcher, template, &text);
	if (r == 0)
		r = unit_dropin_path(unit, &path);
	if (r == 0)
		r = write_file(path, text);
	if (r < 0)
		log_error("can't write the drop-in of %s: %s", unit->id, strerror(-r));
	return r;
}

/* -- enabling ------------------------------------------------------------------------------------- */

/* A drop-in that sorts behind ours may have the last word. */
static int check_effect(sd_bus *bus, const struct unit *unit, const char *launcher)
{
	autoclean(unit_deinit) struct unit now = { 0 };
	int r = unit_load(bus, unit->id, &now);

	if (r == 0 && (!now.path || strcmp(now.path, launcher) != 0)) {
		log_error("%s is not enabled: another drop-in sets its ExecStart=; `systemctl cat %s' shows "
			  "which", unit->id, unit->id);
		r = -EBUSY;
	}
	if (r < 0 && remove_dropin(unit) == 0)
		(void) unit_reload(bus);
	return r;
}

/* The unit as it is without us: what enabled it before may be of an older ExecStart=. */
static int load_bare(sd_bus *bus, const char *name, struct unit *ret_unit)
{
	autoclean(unit_deinit) struct unit unit = { 0 };
	int r = unit_load(bus, name, &unit);

	if (r < 0)
		return r;
	r = remove_dropin(&unit);
	if (r == -ENOENT) {
		*ret_unit = unit;
		unit = (struct unit){ 0 };
		return 0;
	}
	if (r == 0)
		r = unit_reload(bus);
	return r < 0 ? r : unit_load(bus, name, ret_unit);
}

static int enable(sd_bus *bus, const char *name)
{
	static const char launcher[] = LIBEXECDIR "/blackbox-launch";
	autoclean(unit_deinit) struct unit unit = { 0 };
	int r = load_bare(bus, name, &unit);

	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? EXIT_BAD_INPUT : EXIT_FAILED;
	if (unit.obstacle) {
		log_error("%s can't be recorded: %s", unit.id, unit.obstacle);
		return EXIT_FAILED;
	}
	if (access(launcher, X_OK) < 0) {
		log_error("can't run %s: %s; is blackbox installed?", launcher, strerror(errno));
		return EXIT_FAILED;
	}
	if (strcmp(unit.type, "forking") == 0)
		log_warning("%s is of Type=forking: only its first process is recorded, which soon ends",
			    unit.id);
	r = write_dropin(&unit, launcher);
	if (r == 0)
		r = unit_reload(bus);
	if (r == 0)
		r = check_effect(bus, &unit, launcher);
	if (r < 0)
		return EXIT_FAILED;
	(void) printf("%s is recorded from its next start on: systemctl restart %s\n", unit.id, unit.id);
	return EXIT_DONE;
}

int verb_enable(int argc, char **argv)
{
	const char *unit = NULL;
	sd_bus *bus;
	int status;

	if (parse_unit(argc, argv, "Has a service of systemd recorded from its next start on, by a drop-in "
		       "beside its unit file. Enable it again when its ExecStart= has changed.", &unit) < 0)
		return EXIT_BAD_INPUT;
	if (open_bus(&bus) < 0)
		return EXIT_FAILED;
	status = enable(bus, unit);
	(void) sd_bus_flush_close_unref(bus);
	return status;
}
