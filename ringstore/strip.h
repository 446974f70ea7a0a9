/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* strip - an executable or library without what only debuggers read */
#pragma once

#include <stdbool.h>

/*
 * Takes the debug sections out of the ELF file @fd, a memory file: all other bytes stay, and
 * where they are; of those that are loaded, up to the ends of their pages, none changes. A file
 * that is nothing of the kind, or makes no sense, stays as it is. 0 or a negative errno.
 */
int strip_elf(int fd, bool *ret_changed);
