/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* symbols - the names of flags and constants in system calls' arguments */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "recorder/sysdesc.h"

/*
 * Prints an argument of @kind as strace would: O_RDONLY|O_CLOEXEC. False: values of that
 * kind have no names.
 */
bool symbols_print(FILE *to, enum sysarg_kind kind, uint64_t value);

/* Sets of bits that are no arguments by themselves. */
void symbols_print_poll(FILE *to, uint32_t events);
void symbols_print_epoll(FILE *to, uint32_t events);
/* A number of <errno.h>: "ENOENT", or NULL. */
const char *symbols_errno(int error);
