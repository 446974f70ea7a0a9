/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * objects - the agent's table of mapped files, read from a process's arena
 *
 * While the process holds still, as for threads.h. The bytes are the process's own and not
 * to be trusted; every number is bounded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "recorder/abi.h"

struct objects;

/* Reads it through @mem, a descriptor of /proc/PID/mem. */
int objects_read(int mem, uint64_t base, struct objects **ret_objects);
struct objects *objects_free(struct objects *objects);

/* The object that is mapped at @address, or NULL. */
const struct mapped_object *objects_at(const struct objects *objects, uint64_t address);
/*
 * The program's protection of what is mapped at @address with @prot: of what is shared by turns
 * the agent keeps track by a lesser one.
 */
uint32_t objects_prot(const struct objects *objects, uint64_t address, uint32_t prot);
/* How far that is the same, at most to @end. */
uint64_t objects_prot_end(const struct objects *objects, uint64_t address, uint64_t end);
