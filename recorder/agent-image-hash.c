/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Not all who link the image have xxhash. */
#pragma GCC diagnostic ignored "-Wunused-function"
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "recorder/inject.h"

uint64_t agent_image_hash(void)
{
	return XXH3_64bits(agent_image, (size_t)(agent_image_end - agent_image));
}
