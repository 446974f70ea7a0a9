/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * autoclean - cleanup at scope exit, and handing ownership on
 *
 * autoclean(f) calls f(&variable) when the variable goes out of scope. f takes
 * NULL or invalid values without complaint. MOVE() takes the value out of a
 * variable, so that its cleanup finds nothing: the last line of a constructor
 * is `*ret_x = MOVE(x)`.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define autoclean(f) __attribute__((cleanup(f)))

#define MOVE(pointer)                                                          \
	({                                                                     \
		__typeof__(pointer) moved_ = (pointer);                        \
		(pointer) = NULL;                                              \
		moved_;                                                        \
	})

#define MOVE_FD(fd)                                                            \
	({                                                                     \
		int moved_ = (fd);                                             \
		(fd) = -1;                                                     \
		moved_;                                                        \
	})

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

/* Keeps errno, so that `return -errno` works after the scope has ended. */
static inline void closep(int *fd)
{
	if (*fd >= 0)
		(void) close(*fd);
}

static inline void fclosep(FILE **file)
{
	if (*file)
		(void) fclose(*file);
}

static inline void closedirp(DIR **dir)
{
	if (*dir)
		(void) closedir(*dir);
}
