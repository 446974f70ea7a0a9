/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "daemon/protocol.h"
#include "ringstore/incident.h"

/* -- options -------------------------------------------------------------------------------------- */

unsigned long positive_number(const struct argp_state *state, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value == 0 || value > INT_MAX)
		argp_error(state, "\"%s\" is not a positive number", text);
	return value;
}

/* -- places --------------------------------------------------------------------------------------- */

int make_dirs(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int user_state_dir(char *path, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && state[0] == '/')
		n = snprintf(path, size, "%s/blackbox", state);
	else if (home && home[0] == '/')
		n = snprintf(path, size, "%s/.local/state/blackbox", home);
	else
		n = snprintf(path, size, "/var/tmp/blackbox-%u", getuid());
	if (n >= (int)size)
		return -ENAMETOOLONG;
	return make_dirs(path);
}

/* Looks for the incident @id in the store @store. */
static bool in_store(const char *store, const char *id, char *path, size_t size)
{
	char manifest[PATH_MAX];

	if (snprintf(path, size, "%s/incidents/%s", store, id) >= (int)size ||
	    snprintf(manifest, sizeof(manifest), "%s/incident.json", path) >= (int)sizeof(manifest))
		return false;
	return access(manifest, F_OK) == 0;
}

/* In each store below @parent. */
static bool below(const char *parent, const char *id, char *path, size_t size)
{
	autoclean(closedirp) DIR *dir = opendir(parent);
	struct dirent *entry;
	char store[PATH_MAX];

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' &&
		    snprintf(store, sizeof(store), "%s/%s", parent, entry->d_name) < (int)sizeof(store) &&
		    in_store(store, id, path, size))
			return true;
	return false;
}

/* A daemon may have another state directory than the usual one. */
static bool in_daemon(const char *socket, const char *id, char *path, size_t size)
{
	struct json_object *question = json_object_new_object(), *rows;
	struct control_error error;
	bool found;

	(void) json_object_object_add(question, "do", json_object_new_string("find"));
	(void) json_object_object_add(question, "incident", json_object_new_string(id));
	if (control_ask(socket, question, &rows, &error) < 0)
		return false;
	found = json_object_array_length(rows) == 1 &&
		snprintf(path, size, "%s", json_text(json_object_array_get_idx(rows, 0), "path")) <
			(int)size;
	(void) json_object_put(rows);
	return found;
}

static bool in_any_store(const char *dir, const char *socket, const char *id, char *path, size_t size)
{
	char user[PATH_MAX];

	if (dir)
		return in_store(dir, id, path, size);
	if (!socket && below(STATEDIR, id, path, size))
		return true;
	if (!socket && user_state_dir(user, sizeof(user)) == 0 && below(user, id, path, size))
		return true;
	return in_daemon(socket, id, path, size);
}

int find_incident_at(const char *dir, const char *socket, const char *name, char *path, size_t size)
{
	struct stat st;

	if (stat(name, &st) == 0) {
		if (snprintf(path, size, "%s", name) >= (int)size)
			return -ENAMETOOLONG;
		return 0;
	}
	if (!strchr(name, '/') && in_any_store(dir, socket, name, path, size))
		return 0;
	log_error("%s: no such file or incident%s%s; `blackboxctl list' shows those there are", name,
		  dir ? " in " : "", dir ? dir : "");
	return -ENOENT;
}

int find_incident(const char *dir, const char *name, char *path, size_t size)
{
	return find_incident_at(dir, NULL, name, path, size);
}

/* -- progress --------------------------------------------------------------------------------------- */

void show_progress(const char *what, unsigned long long done, unsigned long long total)
{
	if (isatty(STDERR_FILENO))
		(void) fprintf(stderr, "\r%s: %3llu%%\033[K", what, total ? 100 * done / total : 100);
}

void end_progress(void)
{
	if (isatty(STDERR_FILENO))
		(void) fprintf(stderr, "\r\033[K");
}

/* -- dumps ------------------------------------------------------------------------------------------ */

static void on_dump_progress(uint64_t done, uint64_t total, void *userdata)
{
	(void) userdata;
	show_progress("writing the dump", done, total);
}

int write_dump(const char *path, const char *output, unsigned flags)
{
	struct incident *incident;
	int r = incident_open(path, &incident);

	if (r < 0) {
		log_error("can't open the incident %s: %s", path,
			  r == -EBADMSG ? "it isn't one, or is damaged" :
			  r == -EPROTONOSUPPORT ? "a newer version of blackbox wrote it" : strerror(-r));
		return EXIT_BAD_INPUT;
	}
	r = incident_dump(incident, output, flags, on_dump_progress, NULL);
	end_progress();
	(void) incident_close(incident);
	if (r < 0)
		log_error("can't write %s: %s", output, r == -EOPNOTSUPP ?
			  "a dump takes the place of a file, not of a device or a pipe" : strerror(-r));
	return r < 0 ? EXIT_FAILED : EXIT_DONE;
}
