/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * manifest - incident.json: its text, and the checksum in front of it
 *
 * The store gives the object that its caller wrote one more member, the first: "xxh3",
 * the XXH3-64 of the caller's own text. Readers check it and take it out again, so that
 * nobody else sees it. Manifests without one are read too.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* What a manifest may be at most, in bytes. */
#define MANIFEST_MAX (16u << 20)

/*
 * Whether @text of @len bytes is a manifest: a JSON object, whose "format", if there
 * is one, isn't above STORE_FORMAT_VERSION, and whose "needs", a list of features that
 * its reader must know, names none that we don't. 0, -EBADMSG, -EPROTONOSUPPORT, -ENOMEM.
 */
int manifest_check(const char *text, size_t len);

/* @text, a manifest, with its checksum. The caller frees it. 0 or -ENOMEM. */
int manifest_seal(const char *text, char **ret_sealed);

/*
 * Checks the checksum of @text, which ends with a zero byte, and takes it out. -EBADMSG: it
 * is wrong; the text is what it would be all the same.
 */
int manifest_unseal(char *text, size_t *len);

/*
 * Makes @sealed the incident.json in @dir_fd, with @time, all at once and on the disk: it is
 * written to a temporary name, synced, and renamed.
 */
int manifest_write(int dir_fd, const char *sealed, const struct timespec *time);
