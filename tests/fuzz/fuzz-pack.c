/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A packed run of the log. What is a run of events is packed and unpacked once more. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/pack.h"
#include "tests/fuzz/fuzz.h"

static bool are_whole(const uint8_t *events, size_t len)
{
	size_t at = 0;

	while (at < len && len - at >= sizeof(struct event)) {
		const struct event *event = (const struct event *)(events + at);

		if (event->len < sizeof(*event) || event->len % 8 || event->len > EVENT_MAX_LEN ||
		    event->len > len - at)
			return false;
		at += event->len;
	}
	return at == len;
}

static void pack_again(const void *events, size_t len)
{
	struct packer *packer;
	struct unpacker *unpacker;
	struct packed packed;
	const void *again;
	size_t again_len;

	if (packer_new(&packer) < 0 || unpacker_new(&unpacker) < 0)
		abort();
	pack(packer, 900 << 10, events, len, &packed);
	if (packed.len > PACK_MAX_LEN ||
	    unpack(unpacker, packed.data, packed.len, &again, &again_len) != 0 || again_len != len ||
	    memcmp(again, events, len) != 0)
		abort();
	(void) packer_free(packer);
	(void) unpacker_free(unpacker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct unpacker *unpacker;
	const void *events;
	size_t events_len;

	if (unpacker_new(&unpacker) < 0)
		abort();
	if (unpack(unpacker, data, len, &events, &events_len) == 0 && are_whole(events, events_len))
		pack_again(events, events_len);
	(void) unpacker_free(unpacker);
	return 0;
}
