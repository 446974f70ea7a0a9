/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one blackboxd leaves to the next: systemd keeps the sockets of its recorders,
 * sd_pid_notify_with_fds(3), and gives them to what it starts again. The names say whose
 * they are: "service;NAME" for one of the configuration, else "unit;UNIT". They can't
 * have a colon, and neither names nor units have a semicolon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "daemon/blackboxd.h"

/* More isn't a name to systemd. */
enum { NAME_MAX_LEN = 255 };

static void swap(char *text, char from, char to)
{
	for (char *p = strchr(text, ';') + 1; *p; p++)
		if (*p == from)
			*p = to;
}

static bool is_configured(const struct service *s)
{
	const struct policy_set *set = &s->daemon->policies;

	for (size_t i = 0; i < set->n_services; i++)
		if (strcmp(set->services[i].name, s->policy.name) == 0)
			return true;
	return false;
}

void service_store_link(const struct service *s)
{
	char name[NAME_MAX_LEN + 1], message[NAME_MAX_LEN + 64];
	int n;

	if (is_configured(s) || !s->policy.unit)
		n = snprintf(name, sizeof(name), "service;%s", s->policy.name);
	else
		n = snprintf(name, sizeof(name), "unit;%s", s->policy.unit);
	if (n >= (int)sizeof(name))
		return;
	swap(name, ':', ';');
	(void) snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s", name);
	/* systemd drops it by itself when the recorder has gone. */
	(void) sd_pid_notify_with_fds(0, 0, message, &s->link.socket, 1);
}

/* The service of a stored name; one that the configuration has no more isn't anybody's. */
static struct service *service_of(struct daemon *daemon, char *name)
{
	struct service *s = NULL;
	char *value = strchr(name, ';');

	if (!value)
		return NULL;
	swap(name, ';', ':');
	*value++ = '\0';
	if (strcmp(name, "service") == 0)
		return service_by_name(daemon, value);
	s = service_by_unit(daemon, value);
	if (!s && strcmp(name, "unit") == 0 && launch_add_unit(daemon, value, &s) < 0)
		return NULL;
	return s;
}

void inherit_services(struct daemon *daemon)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		struct service *s = service_of(daemon, names[i]);

		/* Its recorder goes on by itself. */
		if (!s || s->link.socket >= 0) {
			(void) close(fd);
			continue;
		}
		service_inherit(s, fd);
	}
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}
