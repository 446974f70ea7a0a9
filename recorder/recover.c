/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/recover.h"

#include "recorder/event.h"

uint32_t recover_open_tail(const void *data, size_t len, uint32_t n_events)
{
	const uint8_t *bytes = data;
	uint32_t n = 0, n_whole = 0;

	while (n < n_events && len >= sizeof(struct event)) {
		const struct event *event = (const struct event *)bytes;

		if (event->len < sizeof(*event) || event->len % 8 || event->len > len)
			break;	/* not an event: whoever reads it will say so */
		n++;
		if (!(event->flags & EVENT_CONTINUED))
			n_whole = n;
		bytes += event->len;
		len -= event->len;
	}
	return n_events - n_whole;
}
