/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image - a process's memory, as snapshots and final states keep it
 *
 * A snapshot's chunks (ringstore/format.h): HEAD is one struct image_head, MAPS is rows
 * of struct image_map and behind them the paths that they name, PAGES are runs of pages.
 * Final states (CHUNK_FINAL) begin with the same head and maps, and instead of pages
 * have their hashes.
 *
 * A page that isn't listed is as the mapping makes it: zero where it is anonymous, the
 * file's where it is of a file. Shared rows of one device and inode are one memory: what
 * is mapped twice is listed once.
 */
#pragma once

#include <assert.h>

#include "common/le.h"
#include "recorder/event.h"

#define IMAGE_PAGE 4096

enum image_map_kind {
	IMAGE_ANONYMOUS = 1,	/* private memory */
	IMAGE_FILE,		/* private mapping of a file */
	IMAGE_SHARED,		/* shared memory, of whatever; pages are listed in full */
	IMAGE_AGENT,		/* the agent's arena: its content is kept, but not compared */
	IMAGE_STACK,		/* private memory that grows down */
	IMAGE_OBJECT,		/* private mapping of a file that changes: its bytes are listed, too */
};

enum image_flags {
	IMAGE_HAS_DEATH = 1 << 0,	/* death_... are set: a thread's last words */
	IMAGE_INCOMPLETE = 1 << 1,	/* pages were left out, for want of time */
};

struct image_head {
	le32 abi;		/* AGENT_ABI of the agent */
	le32 flags;		/* enum image_flags */
	le64 agent_hash;	/* agent_image_hash(): replay needs the same */
	le64 event;		/* the image stands before this event */
	le64 mono_ns, real_ns;	/* CLOCK_MONOTONIC, CLOCK_REALTIME */
	le64 base, vdso, ring_len;
	le64 entry;		/* of the program, or of its interpreter */
	le64 interpreter_start, interpreter_end;
	le32 tick_shift, cpu;	/* cpu: where the program began */
	le64 stack_limit;	/* RLIMIT_STACK */
	le64 n_missing;		/* IMAGE_INCOMPLETE: pages left out */
	/*
	 * Not 0: this is no image. The process was forked by that domain, and began as what it
	 * was before fork_event.
	 */
	le32 fork_domain, reserved;
	le64 fork_event;
	le32 death_thread, death_signal;
	le64 death_regs[N_REGS];
};
static_assert(sizeof(struct image_head) == 280, "on-disk layout");

struct image_map {
	le64 start, end;
	le64 offset;		/* in the file */
	le32 prot;		/* PROT_... */
	le32 kind;		/* enum image_map_kind */
	/*
	 * Of the file, as fstat(2) has it; all 0: none. Of IMAGE_SHARED and IMAGE_OBJECT, what
	 * the agent knows it by (struct mapped_object), and IMAGE_ANY_SIZE if it can't be told.
	 */
	le64 dev, ino, size, mtime_ns;
	le32 path, path_len;	/* in the text behind the rows */
};
static_assert(sizeof(struct image_map) == 72, "on-disk layout");

#define IMAGE_ANY_SIZE UINT64_MAX

/* The payload of CHUNK_SNAPSHOT_MAPS: this, the rows, the text. */
struct image_maps {
	le32 n_maps;
	le32 text_len;
};

/*
 * The payload of CHUNK_SNAPSHOT_PAGES: this, n addresses, then the bytes of those pages
 * whose address hasn't IMAGE_ZERO set.
 */
struct image_pages {
	le32 n_pages;
	le32 reserved;
};
#define IMAGE_ZERO 1
#define IMAGE_BEHIND 2		/* of the file behind an IMAGE_OBJECT, not of the mapping */

/* In CHUNK_FINAL, behind the chunk with struct image_head and the one with the maps. */
struct image_hash {
	le64 address;
	le64 xxh3;		/* XXH3-64 of the page's bytes */
};

/* The chunks of CHUNK_FINAL say what they are. */
enum final_kind {
	FINAL_HEAD = 1, FINAL_MAPS, FINAL_HASHES, FINAL_THREADS,
	FINAL_OTHERS,		/* addresses (le64) of pages that were another process's by then */
};

struct final_chunk {
	le32 kind;
	le32 n;			/* of FINAL_HASHES, FINAL_THREADS, FINAL_OTHERS: how many */
};

struct image_thread {
	le32 slot, tid;
	le64 fs_base;
	le64 regs[N_REGS];
	le64 vector_hash;	/* xstate_hash() */
};
static_assert(sizeof(struct image_thread) == 168, "on-disk layout");
