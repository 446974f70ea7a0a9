/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/xstate.h"

#include <string.h>

#include "recorder/event.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include <xxhash.h>

/* CPUID leaf 0xd. */
struct xstate_component xstate_component(unsigned index)
{
	struct xstate_component component;
	uint32_t flags, d;

	__asm__("cpuid"
		: "=a"(component.size), "=b"(component.offset), "=c"(flags), "=d"(d)
		: "a"(0xd), "c"(index));
	component.aligned = flags >> 1 & 1;
	return component;
}

/* Where the components behind the header are; asking the processor is slow in a VM. */
struct layout {
	uint32_t offset[63], size[63];
};

static void find_components(const struct fpx_sw_bytes *sw, struct layout *ret)
{
	for (unsigned i = 2; i < 63; i++) {
		struct xstate_component c = { 0 };

		if (sw->xfeatures >> i & 1)
			c = xstate_component(i);
		ret->offset[i] = c.offset;
		ret->size[i] = c.size;
	}
}

/* What lies between components the processor leaves as it was in memory. */
static void clear_holes(uint8_t *fpstate, const struct fpx_sw_bytes *sw, const struct layout *layout)
{
	uint32_t at = XSAVE_EXTENDED;

	while (at < sw->xstate_size) {
		uint32_t next = sw->xstate_size, end = next;

		for (unsigned i = 2; i < 63; i++) {
			if (layout->offset[i] >= at && layout->offset[i] < next) {
				next = layout->offset[i];
				end = next + layout->size[i];
			}
		}
		memset(fpstate + at, 0, next - at);
		at = end;
	}
}

/*
 * Where x87 and SSE aren't in use, memory has anything. MXCSR counts always; the mask of its bits
 * isn't saved by all who save the rest, and has these on every processor with AVX.
 */
static void write_out_legacy(uint8_t *fpstate, uint64_t bv)
{
	static const uint16_t initial_fcw = 0x37f;
	static const uint32_t mask = 0xffff;
	uint32_t mxcsr;

	memcpy(&mxcsr, fpstate + FXSAVE_MXCSR, sizeof(mxcsr));
	if (!(bv & 1)) {
		memset(fpstate, 0, FXSAVE_XMM);
		memcpy(fpstate + FXSAVE_FCW, &initial_fcw, sizeof(initial_fcw));
		memcpy(fpstate + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	}
	if (!(bv & 2))
		memset(fpstate + FXSAVE_XMM, 0, FXSAVE_XMM_END - FXSAVE_XMM);
	memcpy(fpstate + FXSAVE_MXCSR_MASK, &mask, sizeof(mask));
}

void xstate_write_out(uint8_t *fpstate)
{
	const struct fpx_sw_bytes *sw = xstate_sw(fpstate);
	uint64_t *bv = xstate_bv(fpstate);
	struct layout layout;

	memset(fpstate + FXSAVE_FOP, 0, FXSAVE_FOP_END - FXSAVE_FOP);
	memset(fpstate + FXSAVE_XMM_END, 0, FXSAVE_SW - FXSAVE_XMM_END);
	if (sw->magic1 != XSTATE_MAGIC1)
		return;
	write_out_legacy(fpstate, *bv);
	find_components(sw, &layout);
	clear_holes(fpstate, sw, &layout);
	for (unsigned i = 2; i < 63; i++) {
		uint32_t size = layout.size[i], offset = layout.offset[i];

		if (!(sw->xfeatures >> i & 1) || (*bv >> i & 1))
			continue;
		if (offset >= XSAVE_EXTENDED && (uint64_t)offset + size <= sw->xstate_size)
			memset(fpstate + offset, 0, size);
	}
	*bv = sw->xfeatures;
}

void xstate_low_words(const uint8_t *fpstate, uint64_t *ret_words)
{
	const struct fpx_sw_bytes *sw = (const struct fpx_sw_bytes *)(fpstate + FXSAVE_SW);
	uint64_t bv = 3;

	if (sw->magic1 == XSTATE_MAGIC1)
		bv = *(const uint64_t *)(fpstate + XSAVE_BV);
	for (unsigned i = 0; i < ASYNC_VECTORS; i++) {
		unsigned at = xstate_word_at(i);

		ret_words[i] = 0;
		if (bv & (at < FXSAVE_XMM ? 1 : 2))
			memcpy(&ret_words[i], fpstate + at, sizeof(ret_words[i]));
	}
}

uint64_t xstate_hash(const uint8_t *fpstate)
{
	uint8_t copy[XSTATE_HASHED_MAX];
	const struct fpx_sw_bytes *sw = (const struct fpx_sw_bytes *)(fpstate + FXSAVE_SW);
	uint32_t len = FXSAVE_LEN;

	if (sw->magic1 == XSTATE_MAGIC1)
		len = sw->xstate_size < XSTATE_HASHED_MAX ? sw->xstate_size : XSTATE_HASHED_MAX;
	memcpy(copy, fpstate, len);
	if (sw->magic1 == XSTATE_MAGIC1)
		xstate_sw(copy)->xstate_size = len;
	xstate_write_out(copy);
	memset(copy + FXSAVE_XMM_END, 0, FXSAVE_LEN - FXSAVE_XMM_END);	/* the kernel's words */
	if (len >= XSAVE_EXTENDED)
		memset(copy + XSAVE_BV, 0, XSAVE_HEADER_LEN);
	return XXH64(copy, len, 0);
}
