/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gdb - runs gdb on a replay */
#pragma once

#include <stdbool.h>

#include "replay/window.h"

/*
 * Replays @domain, starts gdb with @args (NULL-terminated, or NULL) on it, and serves it
 * until it ends. 0 and gdb's exit status; -ENOEXEC: gdb isn't installed; -ECANCELED: we
 * were told to end; -EILSEQ: the replay diverged; another negative errno. @ret_error says
 * what it was.
 */
int gdb_run(struct window *window, const struct window_domain *domain, bool from_start, char **args,
	    int *ret_status, struct replay_error *ret_error);
