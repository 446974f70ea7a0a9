/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What recorders left that were killed with the machine, or while no blackboxd was there. The
 * recorder of a service that starts finds what the one before it left; this is for those that
 * don't start.
 */
#include <dirent.h>
#include <stdio.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "daemon/blackboxd.h"
#include "recorder/recover.h"

/* What starts with the machine has begun by then. */
#define PATIENCE_US UINT64_C(5000000)

/* A store's service; one that the configuration doesn't name is a unit's. */
static struct service *service_of(struct daemon *daemon, const char *name)
{
	struct service *service = service_by_name(daemon, name);
	char store[PATH_MAX], unit[256];

	if (service)
		return service;
	if (snprintf(store, sizeof(store), "%s/%s", daemon->state_dir, name) >= (int)sizeof(store) ||
	    !recover_is_wanted(store) ||
	    snprintf(unit, sizeof(unit), "%s.service", name) >= (int)sizeof(unit) ||
	    launch_add_unit(daemon, unit, &service) < 0)
		return NULL;
	return service;
}

static int on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct daemon *daemon = userdata;
	autoclean(closedirp) DIR *dir = opendir(daemon->state_dir);
	struct dirent *entry;

	(void) usec;
	while (dir && (entry = readdir(dir))) {
		struct service *service = entry->d_name[0] != '.' ? service_of(daemon, entry->d_name) : NULL;

		if (service)
			service_recover(service);
	}
	(void) sd_event_source_disable_unref(source);
	return 0;
}

int recover_later(struct daemon *daemon)
{
	sd_event_source *source;

	return sd_event_add_time_relative(daemon->event, &source, CLOCK_MONOTONIC, PATIENCE_US, 0, on_time,
					  daemon);
}
