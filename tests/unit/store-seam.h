/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store-seam - every call by which the store changes or reads the disk, in a test's hands
 *
 * The linker leads the calls of the whole program through here (store_seam_wraps in
 * tests/Makemodule.am). A test may have one fail, and hears what has been done. Writes are
 * seen only where the store is opened with IO_PWRITE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum seam_call {
	SEAM_OPEN,	/* without O_CREAT */
	SEAM_CREATE,
	SEAM_READ,
	SEAM_WRITE,
	SEAM_TRUNCATE,
	SEAM_SYNC,	/* fsync, fdatasync */
	SEAM_MKDIR,
	SEAM_LINK,
	SEAM_RENAME,
	SEAM_UNLINK,	/* of files and directories */
	SEAM_N
};

struct seam_event {
	enum seam_call call;
	int fd;			/* of the file, or of the directory of @name */
	const char *name;
	int to_fd;		/* SEAM_LINK, SEAM_RENAME */
	const char *to_name;
	const void *data;	/* SEAM_WRITE */
	size_t len;
	uint64_t offset;	/* or the length, of SEAM_TRUNCATE */
};

struct seam {
	/*
	 * Before each call: 0, a negative errno with which it is to fail, or, of reads and writes,
	 * how many of the bytes it may do. NULL: nothing fails.
	 */
	long (*before)(const struct seam_event *event);
	/* After each that has succeeded, with the length that it had; any thread. */
	void (*after)(const struct seam_event *event);
	bool no_sync;		/* the disk isn't asked: for tests that know what it would have kept */
};

/* NULLs for nothing. */
extern struct seam seam;
