/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * explore - is this code? The answer for images that have no table of their functions
 *
 * What a call instruction leads to begins a function, and so does the image's entry. What
 * is reached from there, by going on or by a direct branch, is code. A byte that only
 * looks like a call leads somewhere by chance, hardly ever to the few bytes before a find.
 */
#pragma once

#include "recorder/agent/agent.h"

/* The top bits of the bytes of @word that equal @byte, and perhaps of some above the first. */
static inline uint64_t equal_bytes(uint64_t word, uint8_t byte)
{
	uint64_t ones = UINT64_C(0x0101010101010101), x = word ^ ones * byte;

	return (x - ones) & ~x & (ones << 7);
}

#define MAX_DOUBTS 64

/* Finds of a scan, by address ascending. */
struct doubts {
	unsigned n;
	struct agent_site sites[MAX_DOUBTS];
	uint64_t functions[MAX_DOUBTS];	/* the nearest that begins before it; 0: none */
	bool proven[MAX_DOUBTS], refuted[MAX_DOUBTS];
};

/* Proves those that can be. The image's code is in @n_segments; execution begins at @entry. */
void doubts_settle(struct doubts *doubts, const struct agent_range *segments, unsigned n_segments,
		   uint64_t entry);
