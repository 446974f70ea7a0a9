/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gdb-registers - a stopped thread's registers in gdb's order, and the description of it
 *
 * General registers are in the saved context, FP and SIMD in the XSAVE area that it points
 * at. Which SIMD registers there are depends on the processor.
 */
#pragma once

#include "replay/rsp.h"
#include "replay/session.h"

/* The target description: XML, in @ret_xml, which the caller frees. */
int gdb_describe(char **ret_xml);

/* All registers of @view, as hex digits. 0 or a negative errno. */
int gdb_registers(const struct session *session, const struct thread_view *view,
		  struct rsp_text *to);

/* One of them, by gdb's number. -ENOENT: there is no such register. */
int gdb_register(const struct session *session, const struct thread_view *view, uint64_t number,
		 struct rsp_text *to);
