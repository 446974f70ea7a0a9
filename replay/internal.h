/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal - what the files of replay/ share */
#pragma once

#include "replay/window.h"

/* Fills @ret_error, and returns @error. */
int replay_fail(struct replay_error *ret_error, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
