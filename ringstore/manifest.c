/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "ringstore/format.h"
#include "ringstore/names.h"
#include "ringstore/tree.h"

/* {"xxh3":"0123456789abcdef",... */
#define SEAL "{\"xxh3\":\""

enum { SEAL_LEN = sizeof(SEAL) - 1, HASH_LEN = 16 };

static void free_tokener(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

static void put_json(struct json_object **object)
{
	(void) json_object_put(*object);
}

/* Those besides the version's. */
static const char *const features[] = { NEEDS_READS };

/* A manifest that needs another is too new. */
static int check_need(struct json_object *need)
{
	if (!json_object_is_type(need, json_type_string))
		return -EBADMSG;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (strcmp(json_object_get_string(need), features[i]) == 0)
			return 0;
	return -EPROTONOSUPPORT;
}

static int check_format(struct json_object *manifest)
{
	struct json_object *format, *needs;

	if (json_object_object_get_ex(manifest, "format", &format)) {
		if (!json_object_is_type(format, json_type_int))
			return -EBADMSG;
		if (json_object_get_int64(format) > STORE_FORMAT_VERSION)
			return -EPROTONOSUPPORT;
	}
	if (!json_object_object_get_ex(manifest, "needs", &needs))
		return 0;
	if (!json_object_is_type(needs, json_type_array))
		return -EBADMSG;
	for (size_t i = 0; i < json_object_array_length(needs); i++) {
		int r = check_need(json_object_array_get_idx(needs, i));

		if (r < 0)
			return r;
	}
	return 0;
}

int manifest_check(const char *text, size_t len)
{
	autoclean(free_tokener) struct json_tokener *tokener = json_tokener_new();
	autoclean(put_json) struct json_object *manifest = NULL;

	if (!tokener)
		return -ENOMEM;
	if (len > MANIFEST_MAX || memchr(text, '\0', len))
		return -EBADMSG;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	manifest = json_tokener_parse_ex(tokener, text, (int)len);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !json_object_is_type(manifest, json_type_object))
		return -EBADMSG;
	return check_format(manifest);
}

/* What may stand between the brace and the first member. */
static size_t blanks(const char *text)
{
	return strspn(text, " \t\r\n");
}

int manifest_seal(const char *text, char **ret_sealed)
{
	const char *members = text + blanks(text) + 1;	/* behind the brace */
	const char *comma = members[blanks(members)] == '}' ? "" : ",";

	if (asprintf(ret_sealed, SEAL "%016" PRIx64 "\"%s%s", XXH3_64bits(members, strlen(members)),
		     comma, members) < 0)
		return -ENOMEM;
	return 0;
}

int manifest_unseal(char *text, size_t *len)
{
	char *rest = text + SEAL_LEN + HASH_LEN;	/* the quote behind the hash */
	uint64_t xxh3;

	if (strncmp(text, SEAL, SEAL_LEN) != 0 ||
	    strspn(text + SEAL_LEN, "0123456789abcdef") != HASH_LEN || *rest != '"')
		return 0;
	xxh3 = strtoull(text + SEAL_LEN, NULL, 16);
	rest += rest[1] == ',' ? 2 : 1;
	*len -= (size_t)(rest - (text + 1));
	memmove(text + 1, rest, *len);	/* the zero byte, too */
	return XXH3_64bits(text + 1, *len - 1) == xxh3 ? 0 : -EBADMSG;
}

static int write_new(int dir_fd, const char *sealed, const struct timespec *time)
{
	const struct timespec times[2] = { *time, *time };
	autoclean(closep) int fd = -1;
	int r;

	fd = openat(dir_fd, NAME_NEW_MANIFEST,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = tree_pwrite(fd, sealed, strlen(sealed), 0);
	if (r < 0)
		return r;
	return futimens(fd, times) < 0 || fsync(fd) < 0 ? -errno : 0;
}

int manifest_write(int dir_fd, const char *sealed, const struct timespec *time)
{
	int r;

	/* One that somebody didn't get done with. */
	if (unlinkat(dir_fd, NAME_NEW_MANIFEST, 0) < 0 && errno != ENOENT)
		return -errno;
	r = write_new(dir_fd, sealed, time);
	if (r == 0 && (renameat(dir_fd, NAME_NEW_MANIFEST, dir_fd, NAME_MANIFEST) < 0 ||
		       fsync(dir_fd) < 0))
		r = -errno;
	if (r < 0)
		(void) unlinkat(dir_fd, NAME_NEW_MANIFEST, 0);
	return r;
}
