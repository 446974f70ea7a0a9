/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdb-objects - what a debugger asks about a process that isn't in its registers
 *
 * All of it is read from the replayed program's memory and mappings, and each string is
 * the caller's to free. What the program has overwritten is gone: then there is less.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "replay/session.h"

/* The auxiliary vector, as the program was given it. -ENOENT: no longer on its stack. */
int gdb_auxv(const struct session *session, char **ret_bytes, size_t *ret_len);

/* The loaded libraries: XML for qXfer:libraries-svr4. */
int gdb_libraries(const struct session *session, char **ret_xml, size_t *ret_len);

/* As /proc/PID/maps, without what is the agent's, and with the recorded files' names. */
int gdb_maps(const struct session *session, char **ret_text, size_t *ret_len);
