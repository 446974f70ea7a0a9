/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify-internal - what scan.c, verify.c and repair.c share */
#pragma once

#include <json-c/json.h>

#include "ringstore/incident-internal.h"
#include "ringstore/scan.h"
#include "ringstore/verify.h"

void verify_fault(struct verify *verify, const char *path, uint64_t offset, const char *what);

/* So many bytes more have been read. */
void verify_progress(struct verify *verify, uint64_t bytes);
void verify_chunk(struct verify *verify, uint64_t bytes);

/*
 * Opens the file @name, which is @path to those who are told. 0; 1: there is none to be
 * read, which has been told if it is a fault; or a negative errno.
 */
int verify_open(struct verify *verify, int dir_fd, const char *name, const char *path, int *ret_fd,
		uint64_t *ret_len);

/*
 * The file @path of @len bytes has been read to the reader's @outcome: tells what is wrong.
 * 0, or the negative errno for which verifying can't go on.
 */
int verify_outcome(struct verify *verify, const char *path, const struct chunk_reader *reader,
		   int outcome, uint64_t len);

/*
 * Something can't be read: that is a fault of it, and 0, unless it is ours, like want of memory.
 */
int verify_unreadable(struct verify *verify, const char *path, uint64_t offset, int error);

/* scan.c, scan-pages.c: the files of a domain, while they are being read. */
struct scan_walk {
	int dir_fd;
	uint32_t domain;
	const char *name;	/* of the directory, to those who are told */
	const char *path;	/* of the file */
	struct verify *verify;
	struct scan *scan;
};

/* The file @name, to those who are told. NULL: no memory. The caller frees it. */
char *scan_path(const struct scan_walk *walk, const char *name);

/* All pages files: which of their chunks are sound. 0 or a negative errno, as below. */
int scan_pages_files(struct scan_walk *walk);

/*
 * @view is such a chunk of the snapshot @file. If what it speaks of isn't there or isn't sound,
 * @file->why says so afterwards.
 */
int scan_needs(struct scan_walk *walk, struct scan_file *file, const struct chunk_reader *reader,
	       const struct chunk_view *view);
int scan_table(struct scan_walk *walk, struct scan_file *file, const struct chunk_reader *reader,
	       const struct chunk_view *view);

/* What is sound of an incident, by its parts. */
struct verify_domain {
	uint32_t id;
	struct scan scan;
	bool has_final, final_sound;
};

struct incident_parts {
	struct json_object *manifest;	/* NULL: it can't be read */
	bool manifest_sound;
	struct verify_domain *domains;
	size_t n_domains;
	struct tree_names bad_files;	/* names in files/ whose content isn't what they say */
};

/*
 * Reads all of the incident in @dir_fd, which is @name ("": the top) to those who are told.
 * @manifest: what it would be; NULL: it is there.
 */
int verify_parts(int dir_fd, const char *name, struct verify *verify, struct json_object *manifest,
		 struct incident_parts *ret_parts);
void incident_parts_deinit(struct incident_parts *parts);

/* The row of @domain in the manifest, or NULL. */
struct json_object *manifest_domain(struct json_object *manifest, uint32_t domain);

/* Takes the lock of the store @dir_fd as its readers do. 1: somebody writes there. */
int verify_lock(int dir_fd, int *ret_lock_fd);
