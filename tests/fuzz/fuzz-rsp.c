/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The reader of gdb's packets, fed in pieces whose lengths the input says. */
#include <assert.h>
#include <stdlib.h>

#include "replay/rsp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rsp_reader *reader = malloc(sizeof(*reader));
	enum rsp_item item;

	if (!reader)
		return 0;
	rsp_reader_init(reader);
	while (len) {
		size_t piece = data[0] % len + 1, n = rsp_reader_add(reader, data, piece);

		data += n;
		len -= n;
		while ((item = rsp_reader_next(reader)) != RSP_NEED_MORE)
			assert(item != RSP_PACKET || (reader->len <= RSP_MAX_PACKET && !reader->data[reader->len]));
	}
	free(reader);
	return 0;
}
