/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* syscall-names - the table of system calls, for programs that print */
#pragma once

#include "recorder/sysdesc.h"

/* NULL for a number that no row has. */
const char *syscall_name(long number);
const struct sysdesc *syscall_row(long number);

/* The number of a call, or -1. */
long syscall_number(const char *name);
