/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hash - XXH64, inlined: the library itself can't be linked here */
#include "recorder/agent/agent.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include <xxhash.h>

uint64_t hash_bytes(const void *data, size_t len)
{
	return XXH64(data, len, 0);
}

static bool add_user(XXH64_state_t *state, uint64_t user, uint64_t len, void *piece, size_t piece_len)
{
	while (len) {
		size_t n = MIN(len, piece_len);

		if (copy_user(piece, (const void *)user, n) != n)
			return false;
		(void) XXH64_update(state, piece, n);
		user += n;
		len -= n;
	}
	return true;
}

bool hash_spans(const struct call *call, uint64_t len, void *piece, size_t piece_len, uint64_t *ret_hash)
{
	struct thread *thread = this_thread();
	uint32_t watch_hit = thread->watch_hit;
	bool all = true;
	XXH64_state_t state;

	(void) XXH64_reset(&state, 0);
	for (uint32_t i = 0; i < call->n_spans && len && all; i++) {
		uint64_t n = MIN(len, call->spans[i].capacity);

		all = add_user(&state, call->spans[i].user, n, piece, piece_len);
		len -= n;
	}
	thread->watch_hit = watch_hit;	/* what it reads isn't the program's access */
	if (all && !len)
		*ret_hash = XXH64_digest(&state);
	return all && !len;
}
