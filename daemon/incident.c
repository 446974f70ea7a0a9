/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens to an incident when it has been made: the journal hears, old ones go. */
/* Where in our source an entry was made says nothing to who reads it. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "daemon/blackboxd.h"
#include "daemon/protocol.h"
#include "ringstore/incident.h"

/* As in systemd/blackbox.catalog. */
#define MESSAGE_ID_INCIDENT "a147d2fd66f0470fbbbfa180ebc7d394"

/* The first incident of a series isn't pushed out by those behind it for so long. */
enum { FIRST_STAYS_S = 24 * 3600 };

/* "crash, SIGSEGV in process 123" */
static void describe(struct json_object *trigger, char *text, size_t size)
{
	const char *kind = json_text(trigger, "kind"), *signal = json_text(trigger, "signal_name");

	(void) snprintf(text, size, "%s%s%s, process %d", kind, *signal ? ", " : "", signal,
			(int)json_number(trigger, "pid"));
}

/* The text of a field is its own allocation. */
static void add_field(struct iovec *fields, int *n, const char *key, const char *text)
{
	char *field;
	int len = asprintf(&field, "%s=%s", key, text);

	if (len >= 0)
		fields[(*n)++] = (struct iovec){ field, (size_t)len };
}

static int say_in_journal(const struct service *s, const char *id, struct json_object *trigger,
			  const char *what)
{
	struct iovec fields[12];
	char text[512];
	int n = 0, r;

	(void) snprintf(text, sizeof(text), "Incident %s of %s (%s)", id, s->policy.name, what);
	add_field(fields, &n, "MESSAGE", text);
	add_field(fields, &n, "MESSAGE_ID", MESSAGE_ID_INCIDENT);
	add_field(fields, &n, "PRIORITY", "4");
	add_field(fields, &n, "INCIDENT", id);
	add_field(fields, &n, "SERVICE", s->policy.name);
	add_field(fields, &n, "TRIGGER", json_text(trigger, "kind"));
	if (*json_text(trigger, "signal_name"))
		add_field(fields, &n, "SIGNAL", json_text(trigger, "signal_name"));
	add_field(fields, &n, "PID", json_text(trigger, "pid"));
	add_field(fields, &n, "DIR", s->store);
	if (s->policy.unit) {
		add_field(fields, &n, "UNIT", s->policy.unit);
		/* So `journalctl -u' of the unit shows it. */
		add_field(fields, &n, "OBJECT_SYSTEMD_UNIT", s->policy.unit);
	}
	r = sd_journal_sendv(fields, n);
	for (int i = 0; i < n; i++)
		free(fields[i].iov_base);
	return r;
}

static time_t age_of(const struct service *s, const char *id)
{
	char path[PATH_MAX + 256];
	struct stat st;

	(void) snprintf(path, sizeof(path), "%s/incidents/%s/incident.json", s->store, id);
	return stat(path, &st) == 0 ? time(NULL) - st.st_mtime : FIRST_STAYS_S;
}

/*
 * A service that dies in a loop keeps the incident that shows how it began, the oldest,
 * for a day; but for that, the oldest goes first.
 */
static void remove_surplus(const struct service *s)
{
	unsigned keep = s->policy.keep_incidents;
	char **ids;
	size_t n, first;

	if (incident_list(s->store, &ids, &n) < 0)
		return;
	first = n > keep && keep > 1 && age_of(s, ids[0]) < FIRST_STAYS_S ? 1 : 0;
	for (size_t i = first; n - (i - first) > keep && i < n; i++) {
		int r = incident_remove(s->store, ids[i]);

		if (r < 0 && r != -ENOENT)
			log_error("can't remove incident %s: %s", ids[i], strerror(-r));
		else
			log_info("incident %s of %s is removed: more than %u aren't kept", ids[i],
				 s->policy.name, keep);
	}
	(void) incident_free_ids(ids, n);
}

void incident_made(struct service *s, struct json_object *news)
{
	const char *id = json_text(news, "id");
	struct json_object *trigger = NULL;
	char what[128];

	(void) json_object_object_get_ex(news, "trigger", &trigger);
	describe(trigger, what, sizeof(what));
	/* Without a journal, libsystemd says 0 all the same. */
	if (access("/run/systemd/journal/socket", F_OK) < 0 || say_in_journal(s, id, trigger, what) < 0)
		log_warning("incident %s of %s (%s)", id, s->policy.name, what);
	remove_surplus(s);
}
