/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysroot - where gdb finds the recorded executable and its libraries
 *
 * If all of them are on this machine as they were, it is this machine. If not, it is a
 * directory with the incident's copies, and links to those that are the same here.
 */
#pragma once

#include <stddef.h>

#include "replay/window.h"

/*
 * Fills @root (empty: this machine) and @exe; a directory is made inside of @dir. 0 or a
 * negative errno.
 */
int sysroot_make(struct window *window, const struct window_domain *domain, const char *dir,
		 char *root, char *exe, size_t size);

/* Removes @dir with all that is in it. */
void sysroot_remove(const char *dir);
