/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash - the XXH3-128 that names the content of a mapped file
 */
#pragma once

#include <stddef.h>

#include "ringstore/names.h"

struct content_hash;

struct content_hash *content_hash_new(void);	/* NULL: no memory */
struct content_hash *content_hash_free(struct content_hash *hash);
void content_hash_add(struct content_hash *hash, const void *data, size_t len);
void content_hash_format(const struct content_hash *hash, char ret_text[static NAME_HASH_SIZE]);

static inline void content_hash_freep(struct content_hash **hash)
{
	(void) content_hash_free(*hash);
}
