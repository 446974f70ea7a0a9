/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state - what a process was at one event, to hold a replay against it
 *
 * It is made of a snapshot, or of the last state that was hashed when a process died.
 * Compared are the registers of every thread, FP and SIMD included, the mappings, and
 * every page of memory but the agent's own and dead stack.
 */
#pragma once

#include <stdint.h>

#include "replay/session.h"
#include "replay/window.h"

struct state;

/* Of the snapshot of @domain at @event. -ENOENT: there is none. */
int state_of_snapshot(struct window *window, const struct window_domain *domain, uint64_t event,
		      struct state **ret_state, struct replay_error *ret_error);

/* In which the window ended. -ENOENT: none was taken. */
int state_of_end(struct window *window, const struct window_domain *domain,
		 struct state **ret_state, struct replay_error *ret_error);

struct state *state_free(struct state *state);

/* Pages that weren't hashed, for want of time. */
uint64_t state_missing_pages(const struct state *state);

/*
 * Compares a stopped session with it. 0, or -EILSEQ with the first difference in
 * @ret_error; another negative errno if it can't be compared.
 */
int state_compare(const struct state *state, struct session *session,
		  struct replay_error *ret_error);
