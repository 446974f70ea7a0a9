/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture - reading the memory of a process that holds still
 *
 * The process is a snapshot's child, or a recorded process that waits for us. It is read
 * from outside, by /proc/PID/{maps,pagemap,mem}, in steps, so that the caller can do
 * other work in between. What must be read first is read first: shared memory, which the
 * program may change meanwhile, and what stands in file mappings, which the child wants
 * to let go of.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/files.h"
#include "recorder/image.h"
#include "recorder/threads.h"

enum capture_outcome {		/* > 0: expected, the caller must handle it */
	CAPTURE_DONE = 1,	/* everything has been read */
};

/* What the memory is for. A negative errno of either ends the capture. */
struct capture_sink {
	/* Once, first. @text holds the rows' paths. */
	int (*maps)(void *userdata, const struct image_map *rows, size_t n, const char *text,
		    size_t text_len);
	/*
	 * Pages, each with its address (IMAGE_ZERO set: a page of zeroes where the mapping has
	 * other content; it has no bytes. IMAGE_BEHIND set: the file's page behind a private
	 * mapping). @bytes holds the others' one after another.
	 */
	int (*pages)(void *userdata, const struct image_map *map, const uint64_t *addresses, size_t n,
		     const uint8_t *bytes);
	/*
	 * The page at @address is what it was in the process that capture_compare() has named.
	 * Returns enum capture_keep. NULL: all pages are wanted.
	 */
	int (*keep)(void *userdata, const struct image_map *map, uint64_t address);
	/*
	 * Of shared memory page frames say nothing: sets @same for those of the @n pages from @address
	 * on that are what they were, which are given to @keep then. NULL: none is known to be.
	 */
	void (*compare_shared)(void *userdata, const struct image_map *map, uint64_t address, size_t n,
			       bool *same);
	void *userdata;
	bool wants_behind;	/* pages with IMAGE_BEHIND, too */
};

enum capture_keep {
	CAPTURE_KEPT = 0,	/* it isn't read */
	CAPTURE_READ = 1,
};

struct capture;

/*
 * Begins to read process @pid, whose agent has @config. Mapped files are opened into @files.
 * Calls sink->maps. The caller ends it with capture_close(); @files and the sink's userdata
 * must live until then.
 */
int capture_open(pid_t pid, const struct agent_config *config, struct files *files,
		 const struct capture_sink *sink, struct capture **ret_capture);
struct capture *capture_close(struct capture *capture);

/*
 * From now on private pages for which the process has the same page frames as the one whose
 * pagemap @before is aren't read, but given to sink->keep. That one must be a fork of the
 * same process, and hold still. Without CAP_SYS_ADMIN the kernel shows no frames.
 */
void capture_compare(struct capture *capture, int before);

/* The pagemap; it is the caller's then. */
int capture_take_pagemap(struct capture *capture);

/* Whether the kernel shows frames, as far as has been read; and pages that were read. */
bool capture_sees_frames(const struct capture *capture);
uint64_t capture_pages_read(const struct capture *capture);

/* Reads about @max_bytes more. 0, CAPTURE_DONE or a negative errno. */
int capture_step(struct capture *capture, size_t max_bytes);

/* All that can't wait has been read: the next step begins with private anonymous memory. */
bool capture_urgent_is_done(const struct capture *capture);

/* The mappings that aren't private anonymous memory: what a snapshot's child lets go of. */
size_t capture_held_mappings(const struct capture *capture, struct agent_range *to, size_t max);

/* Private mappings of files, runs of them as one. */
size_t capture_file_mappings(const struct capture *capture, struct agent_range *to, size_t max);

/* The mappings of files that couldn't be opened, for the notes; 0 if all could. */
unsigned capture_missing_files(const struct capture *capture);

/* The process's threads; they live as long as @capture. */
const struct thread_view *capture_threads(const struct capture *capture, size_t *ret_n);

/*
 * The dead parts of the threads' stacks: all of a main stack below, of others a piece (a
 * program's own stacks may lie in one mapping with its data). The caller frees the array.
 */
int capture_dead_stacks(const struct capture *capture, struct dead_stack **ret_dead, size_t *ret_n);

/* How many pages the mappings that haven't been read could have. */
uint64_t capture_pages_left(const struct capture *capture);
