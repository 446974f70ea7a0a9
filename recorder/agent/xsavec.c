/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xsavec - what XSAVEC stores, the same in each run
 *
 * The dynamic linker's resolver keeps the vector registers on the stack while it looks for
 * a symbol. XSAVEC leaves out what is in its initial state, and says so in its header;
 * which registers it takes for that may depend on when the processor was last taken from
 * the thread. Those bytes stay on the stack, so a replay's would differ. Here everything
 * that was asked for is stored: Intel SDM volume 1, 13.10.
 */
#include "recorder/agent/agent.h"
#include "recorder/xstate.h"

#define COMPACTED (UINT64_C(1) << 63)
enum { X87 = 1, SSE = 2 };

static bool store(uint64_t to, const uint8_t *fpstate, uint32_t offset, uint32_t len)
{
	return copy_to_user(to + offset, fpstate + offset, len);
}

/* x87 and SSE lie where they do in the standard format. */
static bool store_legacy(uint64_t to, const uint8_t *fpstate, uint64_t what)
{
	if ((what & X87) && (!store(to, fpstate, FXSAVE_FCW, FXSAVE_MXCSR - FXSAVE_FCW) ||
			     !store(to, fpstate, FXSAVE_ST, FXSAVE_XMM - FXSAVE_ST)))
		return false;
	if ((what & SSE) && !store(to, fpstate, FXSAVE_MXCSR, FXSAVE_ST - FXSAVE_MXCSR))
		return false;
	return !(what & SSE) || store(to, fpstate, FXSAVE_XMM, FXSAVE_XMM_END - FXSAVE_XMM);
}

static bool store_extended(uint64_t to, const uint8_t *fpstate, uint64_t what)
{
	const struct xstate_layout *layout = &agent_config.xstate;
	uint64_t at = to + XSAVE_EXTENDED;

	for (unsigned i = 2; i < XSTATE_COMPONENTS; i++) {
		if (!(what >> i & 1))
			continue;
		if (layout->aligned >> i & 1)
			at = to + ALIGN_UP(at - to, (uint64_t)64);
		if (!copy_to_user(at, fpstate + layout->offset[i], layout->size[i]))
			return false;
		at += layout->size[i];
	}
	return true;
}

bool xsavec_store(struct ucontext *context, uint64_t to)
{
	uint64_t what = (uint32_t)context->regs[REG_RAX_] | context->regs[REG_RDX_] << 32, header[2];

	if (xstate_sw(context->fpstate)->magic1 != XSTATE_MAGIC1 || to % 64)
		return false;
	what &= xstate_sw(context->fpstate)->xfeatures;
	xstate_write_out(&agent_config.xstate, context->fpstate);
	header[0] = what;
	header[1] = COMPACTED | what;
	return store_legacy(to, context->fpstate, what) &&
	       copy_to_user(to + XSAVE_BV, header, sizeof(header)) &&
	       store_extended(to, context->fpstate, what);
}
