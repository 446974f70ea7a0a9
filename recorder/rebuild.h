/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rebuild - the plan by which a process becomes the recorded one
 *
 * The replayer writes it, agent/rebuild.c carries it out. Pages are written by the
 * replayer afterwards, from outside.
 */
#pragma once

#include <stdint.h>

/* Where the plan is mapped, and a page for the agent before it has a thread record. */
#define AGENT_REBUILD_PLAN AGENT_REAL_VDSO
#define AGENT_REBUILD_RECORD (AGENT_SHARED - (UINT64_C(64) << 10))
#define AGENT_REBUILD_STACK_TOP (AGENT_REBUILD_RECORD - (UINT64_C(64) << 10))
#define AGENT_REBUILD_STACK_LEN (UINT64_C(256) << 10)
#define AGENT_REBUILD_PLAN_MAX (UINT64_C(4) << 20)

struct rebuild_map {
	uint64_t start, end;
	uint32_t prot, flags;	/* of mmap(2), MAP_FIXED among them */
	int32_t fd;		/* in the replaying process, or -1 */
	uint32_t is_object;	/* it is the memory in the place of this object: */
	uint64_t offset;
	uint64_t dev, ino;
};

struct rebuild_plan {
	uint32_t n_maps;
	uint32_t reserved;
	struct rebuild_map maps[];
};
