/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Incidents as rows of a listing: from the files alone, with or without a daemon. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "daemon/protocol.h"
#include "ringstore/incident.h"

/* "2026-11-22T19:16:27Z" */
static struct json_object *time_json(int64_t real_ns)
{
	time_t seconds = real_ns / 1000000000;
	char text[32] = "";
	struct tm utc;

	if (real_ns > 0 && gmtime_r(&seconds, &utc))
		(void) strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_object_new_string(text);
}

int incident_row(const char *store, const char *id, struct json_object **ret_row)
{
	struct json_object *manifest, *row;
	struct incident *incident;
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), "%s/incidents/%s", store, id) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	r = incident_open(path, &incident);
	if (r < 0)
		return r;
	manifest = json_tokener_parse(incident_manifest(incident));
	row = json_object_new_object();
	(void) json_object_object_add(row, "id", json_object_new_string(id));
	json_copy_member(manifest, "service", row);
	json_copy_member(manifest, "trigger", row);
	(void) json_object_object_add(row, "time", time_json(json_number(manifest, "real_ns")));
	(void) json_object_object_add(row, "bytes", json_object_new_uint64(incident_bytes(incident)));
	(void) json_object_object_add(row, "path", json_object_new_string(path));
	(void) json_object_put(manifest);
	(void) incident_close(incident);
	*ret_row = row;
	return 0;
}

int incident_rows(const char *store, struct json_object *rows)
{
	char **ids;
	size_t n;
	int r = incident_list(store, &ids, &n);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < n; i++) {
		struct json_object *row;

		/* One that is removed meanwhile, or damaged, isn't there to be listed. */
		if (incident_row(store, ids[i], &row) == 0)
			(void) json_object_array_add(rows, row);
	}
	(void) incident_free_ids(ids, n);
	return 0;
}
