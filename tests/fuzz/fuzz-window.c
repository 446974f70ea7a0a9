/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A dump's window: its manifest, which of its processes was forked by which, their logs.
 * Inputs are dumps; what a mutation most often spoils is the tar, so they aren't compressed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "replay/window.h"
#include "ringstore/tree.h"
#include "tests/fuzz/fuzz.h"

static void read_events(struct window *window, const struct window_domain *domain)
{
	struct event_reader *reader;
	const struct event *event;
	uint64_t number;

	if (event_reader_open(window, domain, domain->begin_event, &reader) < 0)
		return;
	while (event_reader_next(reader, &event, &number) == 0)
		(void) event_reader_ns(reader);
	(void) event_reader_close(reader);
}

/* Up to who isn't forked: that it ends is what is tried. */
static void go_up(struct window *window, const struct window_domain *domain)
{
	while (domain->fork_domain) {
		const struct window_domain *parent = window_domain(window, domain->fork_domain);

		if (!parent || parent >= domain)
			abort();
		domain = parent;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	autoclean(window_deinit) struct window window = { 0 };
	autoclean(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct replay_error error;
	char path[64];

	if (fd < 0 || tree_pwrite(fd, data, len, 0) < 0)
		abort();
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (window_open(path, &window, &error) < 0)
		return 0;
	if (!window_main_domain(&window))
		abort();
	for (size_t i = 0; i < window.n_domains; i++) {
		go_up(&window, &window.domains[i]);
		read_events(&window, &window.domains[i]);
	}
	(void) window_covered_ns(&window);
	return 0;
}
