/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known - what the agents' scans of images have found (struct known_images), gathered and handed on
 *
 * The recorder gathers, in memory that the injector reads; the injector hands on. What comes from a
 * process is only given to others of its user, which can do to each other what they like.
 */
#pragma once

#include <sys/types.h>

#include "recorder/abi.h"

/* The effective user that @pid is now. 0 or a negative errno: it is gone. */
int known_uid(pid_t pid, uint32_t *ret_uid);

/* Adds those of @of, which its process may change meanwhile, that @all hasn't. */
void known_learn(struct known_images *all, const struct known_images *of, uint32_t uid);

/* Into the shared memory of a process that hasn't begun. */
void known_copy(const struct known_images *all, struct known_images *to, uint32_t uid);
