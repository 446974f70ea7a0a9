/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/names.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"
#define HEX_DIGITS "0123456789abcdef"

const char *name_domain(char buffer[static NAME_DOMAIN_SIZE], uint32_t domain)
{
	(void) snprintf(buffer, NAME_DOMAIN_SIZE, "%" PRIu32, domain);
	return buffer;
}

const char *name_event(char buffer[static NAME_EVENT_SIZE], const char *prefix, uint64_t event)
{
	(void) snprintf(buffer, NAME_EVENT_SIZE, "%s.%016" PRIx64, prefix, event);
	return buffer;
}

const char *name_path(char buffer[static NAME_PATH_SIZE], uint32_t domain, const char *prefix,
		      uint64_t event)
{
	(void) snprintf(buffer, NAME_PATH_SIZE, "%" PRIu32 "/%s.%016" PRIx64, domain, prefix,
			event);
	return buffer;
}

const char *name_final_path(char buffer[static NAME_PATH_SIZE], uint32_t domain)
{
	(void) snprintf(buffer, NAME_PATH_SIZE, "%" PRIu32 "/" NAME_FINAL, domain);
	return buffer;
}

const char *name_file_path(char buffer[static NAME_PATH_SIZE], const char *hash)
{
	(void) snprintf(buffer, NAME_PATH_SIZE, NAME_FILES "/%.32s", hash);
	return buffer;
}

bool name_to_domain(const char *name, uint32_t *ret_domain)
{
	size_t len = strspn(name, DIGITS);
	unsigned long long value;

	if (len == 0 || len >= NAME_DOMAIN_SIZE || name[len] || (name[0] == '0' && len > 1))
		return false;
	value = strtoull(name, NULL, 10);
	if (value > UINT32_MAX)
		return false;
	*ret_domain = (uint32_t)value;
	return true;
}

bool name_to_event(const char *name, const char *prefix, uint64_t *ret_event)
{
	size_t len = strlen(prefix);

	if (strncmp(name, prefix, len) != 0 || name[len] != '.')
		return false;
	name += len + 1;
	if (strlen(name) != 16 || strspn(name, HEX_DIGITS) != 16)
		return false;
	*ret_event = strtoull(name, NULL, 16);
	return true;
}

bool name_is_incident_id(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" DIGITS
				  "._-");

	return len > 0 && len <= NAME_MAX && !name[len] && name[0] != '.';
}

bool name_is_hash(const char *name)
{
	return strlen(name) == NAME_HASH_SIZE - 1 &&
	       strspn(name, HEX_DIGITS) == NAME_HASH_SIZE - 1;
}

bool name_is_temporary(const char *name)
{
	return strcmp(name, NAME_NEW_FILE) == 0 || strcmp(name, NAME_NEW_MANIFEST) == 0;
}

bool name_is_in_domain(const char *name)
{
	uint64_t event;

	return strcmp(name, NAME_FINAL) == 0 || name_to_event(name, NAME_LOG, &event) ||
	       name_to_event(name, NAME_SNAPSHOT, &event) ||
	       name_to_event(name, NAME_PAGES, &event);
}

bool name_is_member(const char *path)
{
	const char *slash = strchr(path, '/');
	char directory[NAME_DOMAIN_SIZE];
	uint32_t domain;

	if (!slash)
		return strcmp(path, NAME_MANIFEST) == 0;
	if (slash - path >= NAME_DOMAIN_SIZE)
		return false;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = '\0';
	if (strcmp(directory, NAME_FILES) == 0)
		return name_is_hash(slash + 1);
	return name_to_domain(directory, &domain) && name_is_in_domain(slash + 1);
}
