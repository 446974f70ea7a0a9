/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdbserver - a replay under gdb: its remote protocol on one side, a session on the other
 *
 * Memory and registers can be read but not written: what the program did is done. A place
 * in the replay is an event's number and an instruction behind it.
 */
#pragma once

#include "replay/session.h"
#include "replay/window.h"

struct gdbserver;

struct gdbserver_options {
	bool from_start;	/* stand at the window's start, else at its end */
	int stop_fd;		/* readable: give up; -1: never */
	/* Called now and then on the way to the end; may be NULL. */
	void (*progress)(uint64_t event, uint64_t end_event, void *userdata);
	void *userdata;
};

/*
 * Rebuilds @domain and brings it where gdb is to find it. 0, -EILSEQ: the replay diverged
 * on the way, -ECANCELED: stop_fd; another negative errno, with @ret_error.
 */
int gdbserver_open(struct window *window, const struct window_domain *domain,
		   const struct gdbserver_options *options, struct gdbserver **ret_server,
		   struct replay_error *ret_error);
struct gdbserver *gdbserver_close(struct gdbserver *server);

/* Serves gdb on the socket @fd until it detaches, ends or closes it. 0 or a negative errno. */
int gdbserver_serve(struct gdbserver *server, int fd);
