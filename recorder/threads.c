/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/threads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/image.h"
#include "recorder/xstate.h"

static int read_at(int mem, uint64_t address, void *to, size_t len)
{
	ssize_t n = pread(mem, to, len, (off_t)address);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EBADMSG;
}

static int read_vector_hash(int mem, const struct xstate_layout *layout, uint64_t frame, uint64_t *ret_hash)
{
	uint8_t state[XSTATE_HASHED_MAX];
	uint64_t fpstate;
	ssize_t n;
	int r;

	r = read_at(mem, frame + UCONTEXT_FPSTATE, &fpstate, sizeof(fpstate));
	if (r < 0)
		return r;
	/* The area may end before the buffer does, with the slot. */
	memset(state, 0, sizeof(state));
	n = pread(mem, state, sizeof(state), (off_t)fpstate);
	if (n < XSAVE_EXTENDED)
		return n < 0 ? -errno : -EBADMSG;
	*ret_hash = xstate_hash(layout, state);
	return 0;
}

int thread_read(int mem, const struct agent_config *config, uint32_t slot, struct thread_view *view)
{
	uint64_t base = config->base;
	struct thread record;
	uint64_t address = base + AGENT_SLOTS + slot * SLOT_LEN + SLOT_THREAD;
	uint64_t frame;
	int r;

	r = read_at(mem, address, &record, sizeof(record));
	if (r < 0)
		return r;
	if (record.canary != THREAD_CANARY || record.state == THREAD_ENDED)
		return 0;
	frame = (uint64_t)record.frame;
	*view = (struct thread_view){
		.slot = slot,
		.tid = record.tid,
		.state = record.state,
		.record = address,
		.frame = frame,
		.fs_base = record.fs_base,
	};
	if (frame - base >= AGENT_REGION)
		return -EBADMSG;
	r = read_at(mem, frame + UCONTEXT_REGS, view->regs, sizeof(view->regs));
	if (r == 0)
		r = read_vector_hash(mem, &config->xstate, frame, &view->vector_hash);
	return r < 0 ? r : 1;
}

int threads_read(int mem, const struct agent_config *config, struct thread_view **ret_threads, size_t *ret_n)
{
	autoclean(freep) struct thread_view *threads = NULL;
	uint64_t n_slots;
	size_t n = 0;
	int r;

	r = read_at(mem, config->base + AGENT_PROCESS + offsetof(struct agent_process, n_slots_mapped),
		    &n_slots, sizeof(n_slots));
	if (r < 0)
		return r;
	if (n_slots == 0 || n_slots > MAX_THREADS)
		return -EBADMSG;
	threads = calloc(n_slots, sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_slots; i++) {
		r = thread_read(mem, config, i, &threads[n]);
		if (r < 0)
			return r;
		n += (size_t)r;
	}
	*ret_threads = MOVE(threads);
	*ret_n = n;
	return 0;
}

struct dead_stack dead_stack_below(uint64_t sp, uint64_t map_start, uint32_t kind)
{
	enum { RED_ZONE = 128, OTHERS_REACH = 256 << 10 };
	uint64_t end = sp - map_start > RED_ZONE ? sp - RED_ZONE : map_start, start = map_start;

	if (kind != IMAGE_STACK && end - start > OTHERS_REACH)
		start = (end - OTHERS_REACH) & ~(uint64_t)(IMAGE_PAGE - 1);
	return (struct dead_stack){ start, end };
}

bool dead_stack_clear(const struct dead_stack *dead, size_t n, uint64_t address, uint8_t *bytes)
{
	for (size_t i = 0; i < n; i++) {
		if (address < dead[i].start || address >= dead[i].end)
			continue;
		if (dead[i].end - address >= IMAGE_PAGE)
			return true;
		memset(bytes, 0, dead[i].end - address);
	}
	return false;
}
