/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * loop - what the recorder waits for: descriptors, times, and work that is left
 *
 * A recorder is started with each command that is recorded, and sd-event comes with six libraries:
 * to load them takes longer than the command may. Here is the little of it that a recorder needs.
 *
 * One thread per loop. A callback does one thing and returns; it may free any source, its own too.
 * A descriptor's source is freed before the descriptor is closed. Work that is left waits until
 * there is nothing else to do, but not for ever.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct source;

typedef void source_callback(void *userdata);

/* Returns 0 or a negative errno. Its sources are freed before it. */
int loop_new(struct loop **ret_loop);
struct loop *loop_free(struct loop *loop);

/* Until a callback calls loop_stop(), or an error: a negative errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* @callback whenever @fd is readable, or hung up. */
int loop_add_fd(struct loop *loop, int fd, source_callback *callback, void *userdata,
		struct source **ret_source);
/* @callback once each time that source_at() has named comes, or that source_later() asks for. */
int loop_add(struct loop *loop, source_callback *callback, void *userdata, struct source **ret_source);

/* Nanoseconds of CLOCK_MONOTONIC; UINT64_MAX: never. */
void source_at(struct source *source, uint64_t ns);
/* As soon as there is nothing else to do, or not any more. */
void source_later(struct source *source, bool wanted);

struct source *source_free(struct source *source);	/* NULL is fine; returns NULL */
