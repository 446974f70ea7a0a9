/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover - what is left of a recording whose recorder is gone
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * How many of the @n_events in a log chunk, the last ones, are of no use without those behind
 * them: a call whose outputs are cut off. For struct verify.
 */
uint32_t recover_open_tail(const void *data, size_t len, uint32_t n_events);
