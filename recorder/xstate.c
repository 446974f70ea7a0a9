/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/xstate.h"

#include <string.h>

#include "recorder/event.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include <xxhash.h>

enum { XSAVE_LEAF = 0xd, XGETBV1 = 1 << 2, ALIGNED = 1 << 1 };

void xstate_learn(struct xstate_layout *ret)
{
	uint32_t a, b, flags, d;

	memset(ret, 0, sizeof(*ret));
	__asm__("cpuid" : "=a"(a), "=b"(b), "=c"(flags), "=d"(d) : "a"(XSAVE_LEAF), "c"(1));
	ret->tells_in_use = (a & XGETBV1) != 0;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	ret->components = ((uint64_t)d << 32 | a) & ((UINT64_C(1) << XSTATE_COMPONENTS) - 4);
	for (unsigned i = 2; i < XSTATE_COMPONENTS; i++) {
		if (!(ret->components >> i & 1))
			continue;
		__asm__("cpuid" : "=a"(ret->size[i]), "=b"(ret->offset[i]), "=c"(flags), "=d"(d)
			: "a"(XSAVE_LEAF), "c"(i));
		ret->aligned |= (uint32_t)((flags & ALIGNED) != 0) << i;
	}
}

/* What lies between components the processor leaves as it was in memory. */
static void clear_holes(const struct xstate_layout *layout, uint8_t *fpstate, const struct fpx_sw_bytes *sw)
{
	uint32_t at = XSAVE_EXTENDED;

	while (at < sw->xstate_size) {
		uint32_t next = sw->xstate_size, end = next;

		for (unsigned i = 2; i < XSTATE_COMPONENTS; i++) {
			if ((sw->xfeatures >> i & 1) && layout->offset[i] >= at && layout->offset[i] < next) {
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

void xstate_write_out(const struct xstate_layout *layout, uint8_t *fpstate)
{
	const struct fpx_sw_bytes *sw = xstate_sw(fpstate);
	uint64_t *bv = xstate_bv(fpstate);

	memset(fpstate + FXSAVE_FOP, 0, FXSAVE_FOP_END - FXSAVE_FOP);
	memset(fpstate + FXSAVE_XMM_END, 0, FXSAVE_SW - FXSAVE_XMM_END);
	if (sw->magic1 != XSTATE_MAGIC1)
		return;
	write_out_legacy(fpstate, *bv);
	clear_holes(layout, fpstate, sw);
	for (unsigned i = 2; i < XSTATE_COMPONENTS; i++) {
		uint32_t size = layout->size[i], offset = layout->offset[i];

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

uint64_t xstate_hash(const struct xstate_layout *layout, const uint8_t *fpstate)
{
	uint8_t copy[XSTATE_HASHED_MAX];
	const struct fpx_sw_bytes *sw = (const struct fpx_sw_bytes *)(fpstate + FXSAVE_SW);
	uint32_t len = FXSAVE_LEN;

	if (sw->magic1 == XSTATE_MAGIC1)
		len = sw->xstate_size < XSTATE_HASHED_MAX ? sw->xstate_size : XSTATE_HASHED_MAX;
	memcpy(copy, fpstate, len);
	if (sw->magic1 == XSTATE_MAGIC1)
		xstate_sw(copy)->xstate_size = len;
	xstate_write_out(layout, copy);
	memset(copy + FXSAVE_XMM_END, 0, FXSAVE_LEN - FXSAVE_XMM_END);	/* the kernel's words */
	if (len >= XSAVE_EXTENDED)
		memset(copy + XSAVE_BV, 0, XSAVE_HEADER_LEN);
	return XXH64(copy, len, 0);
}
