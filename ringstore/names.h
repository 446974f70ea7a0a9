/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * names - the file names of format.h, made and understood
 *
 * Each thing has one spelling, so that two names never mean the same file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_LIVE "live"
#define NAME_INCIDENTS "incidents"
#define NAME_LOCK "lock"
#define NAME_ABOUT "about"
#define NAME_LOG "log"
#define NAME_SNAPSHOT "snap"
#define NAME_PAGES "pages"
#define NAME_FINAL "final"
#define NAME_FILES "files"
#define NAME_MANIFEST "incident.json"

/* What is being written, in files/ and beside the manifest; who is killed leaves it. */
#define NAME_NEW_FILE ".new"
#define NAME_NEW_MANIFEST ".manifest"

/* "4294967295", "pages.0123456789abcdef", and both with a slash between. */
enum { NAME_DOMAIN_SIZE = 11, NAME_EVENT_SIZE = 23, NAME_PATH_SIZE = 40, NAME_HASH_SIZE = 33 };

/* "7", "7/log.0000000000000010", "7/final". Each returns its buffer. */
const char *name_domain(char buffer[static NAME_DOMAIN_SIZE], uint32_t domain);
const char *name_event(char buffer[static NAME_EVENT_SIZE], const char *prefix, uint64_t event);
const char *name_path(char buffer[static NAME_PATH_SIZE], uint32_t domain, const char *prefix,
		      uint64_t event);
const char *name_final_path(char buffer[static NAME_PATH_SIZE], uint32_t domain);
const char *name_file_path(char buffer[static NAME_PATH_SIZE], const char *hash);

bool name_to_domain(const char *name, uint32_t *ret_domain);

/* Only names with that @prefix (NAME_LOG, NAME_SNAPSHOT, NAME_PAGES). */
bool name_to_event(const char *name, const char *prefix, uint64_t *ret_event);

/* [A-Za-z0-9._-], not starting with a dot: safe in a path, a shell and a unit's name. */
bool name_is_incident_id(const char *name);
bool name_is_hash(const char *name);

/* One of those. */
bool name_is_temporary(const char *name);

/* What a directory of an incident may hold besides the manifest. */
bool name_is_in_domain(const char *name);

/* A path of format.h, relative to the incident: the only ones that a dump may bring. */
bool name_is_member(const char *path);
