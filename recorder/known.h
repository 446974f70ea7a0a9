/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * known - what isn't found out in each process anew (struct known_facts)
 *
 * The recorder gathers what the agents' scans of images have found, in memory that the injector
 * reads; the injector hands it on. What comes from a process is only given to others of its user,
 * which can do to each other what they like.
 */
#pragma once

#include <sys/types.h>

#include "recorder/abi.h"

/* The effective user that @pid is now. 0 or a negative errno: it is gone. */
int known_uid(pid_t pid, uint32_t *ret_uid);

/* Fills in what CPUID says to libraries. Takes half a millisecond in a virtual machine. */
void known_ask_processor(struct known_facts *facts);

/* Adds those images of @of, which its process may change meanwhile, that @all hasn't. */
void known_learn(struct known_facts *all, const struct known_facts *of, uint32_t uid);

/* Adds what @of has for each user, as far as @all hasn't. */
void known_add(struct known_facts *all, const struct known_facts *of);

/*
 * In a file, by the recorders of commands, for those after them, until the host is started again. A recorder's own
 * user is the only one who may write it; where there is no place for it, known_path() returns a
 * negative errno. known_load() asks the processor itself for what isn't there.
 */
int known_path(char *path, size_t size);
void known_load(const char *path, struct known_facts *facts);
void known_save(const char *path, const struct known_facts *facts);

/* Into the shared memory of a process that hasn't begun. */
void known_copy(const struct known_facts *all, struct known_facts *to, uint32_t uid);
