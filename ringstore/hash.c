/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

struct content_hash {
	XXH3_state_t *state;	/* wants an alignment that only xxhash's allocation has */
};

struct content_hash *content_hash_new(void)
{
	struct content_hash *hash = calloc(1, sizeof(*hash));

	if (!hash)
		return NULL;
	hash->state = XXH3_createState();
	if (!hash->state)
		return content_hash_free(hash);
	(void) XXH3_128bits_reset(hash->state);
	return hash;
}

struct content_hash *content_hash_free(struct content_hash *hash)
{
	if (hash) {
		(void) XXH3_freeState(hash->state);
		free(hash);
	}
	return NULL;
}

void content_hash_add(struct content_hash *hash, const void *data, size_t len)
{
	(void) XXH3_128bits_update(hash->state, data, len);
}

void content_hash_format(const struct content_hash *hash, char ret_text[static NAME_HASH_SIZE])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(hash->state));
	for (size_t i = 0; i < sizeof(canonical.digest); i++)
		(void) snprintf(ret_text + 2 * i, 3, "%02x", canonical.digest[i]);
}
