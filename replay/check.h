/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check - the whole of a window, replayed and held against what was recorded
 *
 * Every event is compared by the agent as it goes; at every snapshot on the way, and
 * where the window ends, all registers and all of memory are.
 */
#pragma once

#include <stdint.h>

#include "replay/window.h"

struct check_result {
	uint64_t events;
	unsigned processes;		/* a process that executes another program counts again */
	unsigned snapshots;		/* those in the window */
	unsigned states_compared;	/* of which so many, the end included, were compared in full */
	uint64_t missing_pages;		/* of the end: left out by the recorder, for want of time */
	size_t searches;		/* preemptions whose place was found, and how long that took */
	uint64_t search_median_ns, search_longest_ns;
};

struct check_options {
	bool repeat_output;		/* what the program wrote to descriptors 1 and 2 */
	/* Called now and then; may be NULL. */
	void (*progress)(uint64_t event, uint64_t end_event, void *userdata);
	void *userdata;
};

/*
 * Checks every process of the window, or the images of @pid (0: all), from where its part
 * begins: a forked one where its parent's replay forks it. 0: everything matched. -EILSEQ:
 * one diverged, @ret_error says which and where. Another negative errno: it can't be replayed.
 */
int check_window(struct window *window, int pid, const struct check_options *options,
		 struct check_result *ret_result, struct replay_error *ret_error);
