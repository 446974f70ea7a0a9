/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * place - what an instruction's arrival looks like, so that replay knows it again
 *
 * There are no performance counters to say how far a thread had come. Instead we keep
 * registers and hash what they and the code ahead point at: in replay, the first
 * arrival at the same instruction with all of this equal is the place. Registers and
 * stack alone don't tell a loop's rounds apart (`incl counter(%rip)`), so the operands
 * of the instructions ahead are included, and, because a round may leave all of that as it
 * was and count far away, what can be reached from there by following pointers. Too much in
 * the hash does no harm: at the same place all of the program's memory is equal.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/decode.h"
#include "recorder/xstate.h"

enum {
	FLAG_TRAP = 1 << 8, FLAG_RESUME = 1 << 16,
	STACK_BELOW = 128,	/* the red zone */
	STACK_ABOVE = 256,
	FRAME_BELOW = 256, FRAME_ABOVE = 128, FRAME_NEAR = 1 << 20,
	OPERAND = 16, INSTRUCTIONS = 64,
	BLOCKS = 80,		/* what pointers lead to */
	MADV_COLD_ = 20,
	GATHERED = STACK_BELOW + STACK_ABOVE + FRAME_BELOW + FRAME_ABOVE + INSTRUCTIONS * OPERAND +
		   BLOCKS * ASYNC_BLOCK,
};

struct gathered {
	struct event_async *place;
	bool is_over;		/* a page turned out to be unreadable: from the beginning */
	size_t len;
	uint8_t bytes[GATHERED] __attribute__((aligned(8)));
	uint32_t n_blocks;
	uint64_t blocks[BLOCKS];	/* where they are */
};

/* The first patch of the replayer's that begins before @end and ends behind @address, or NULL. */
static const struct replay_patch *next_patch(uint64_t address, uint64_t end)
{
	const struct agent_shared *s = shared();
	const struct replay_patch *first = NULL;

	for (uint32_t i = 0; i < s->n_patches && i < MAX_REPLAY_PATCHES; i++) {
		const struct replay_patch *patch = &s->patches[i];

		if (patch->address < end && patch->address + patch->len > address &&
		    (!first || patch->address < first->address))
			first = patch;
	}
	return first;
}

/* As much as can be read, as the program has it: without the traps that a replay has set. */
static size_t read_program(void *where, uint64_t address, size_t len)
{
	uint8_t *to = where;
	uint64_t at = address, end = address + len;
	const struct replay_patch *patch;

	while (at < end && agent_replays() && (patch = next_patch(at, end)) != NULL) {
		size_t before = patch->address > at ? patch->address - at : 0, n;

		n = copy_user(to + (at - address), (const void *)at, before);
		if (n < before)
			return at + n - address;
		for (at += n; at < end && at < patch->address + patch->len; at++)
			to[at - address] = patch->bytes[at - patch->address];
	}
	return at - address + copy_user(to + (at - address), (const void *)at, end - at);
}

/*
 * The agent's own memory isn't the program's. And devices aren't read: that may do things, and
 * a replay has none.
 */
static bool is_readable(const struct event_async *place, uint64_t address, size_t len)
{
	for (unsigned i = 0; i < ASYNC_UNREADABLE && place->unreadable[i]; i++)
		if (place->unreadable[i] < address + len && address < place->unreadable[i] + PAGE)
			return false;
	return address + len >= address && !range_is_ours(address, len) && !mapped_is_device(address, len);
}

/*
 * Below the stack nothing is mapped, and who reads there lets it grow down to that place, as far as
 * its limit goes: the program didn't, and a replay reads at other places, too. To ask the kernel to
 * put the page aside tells whether there is one.
 */
static bool would_grow_stack(const struct event_async *place, uint64_t address)
{
	const struct agent_config *c = &agent_config;
	uint64_t below = c->vdso < c->stack ? c->vdso : c->interpreter.start;

	return address >= below && address < c->stack && address - (place->regs[REG_RSP_] - STACK_BELOW) >= FRAME_NEAR &&
	       agent_syscall(NR_madvise, ALIGN_DOWN(address, (uint64_t)PAGE), PAGE, MADV_COLD_) == -ENOMEM_;
}

/*
 * Not in the page cache? To read a hole of a tmpfs takes room there, which is the program's,
 * and to read a page from the disk takes time.
 */
static bool is_absent(uint64_t address)
{
	uint8_t resident = 1;

	return agent_config.see_pages && !process()->pages_unseen &&
	       agent_syscall(NR_mincore, ALIGN_DOWN(address, (uint64_t)PAGE), 1, &resident) == 0 &&
	       !(resident & 1);
}

/* Of a file's memory: what isn't there, or, if that @failed, can't be read, is left out. */
static void leave_out(struct gathered *g, uint64_t address, bool failed)
{
	uint64_t *unreadable = g->place->unreadable;
	uint8_t byte;

	if (g->is_over || agent_replays() || !is_readable(g->place, address, 1) || !mapped_at(address) ||
	    (failed ? copy_from_user(&byte, address, 1) : !is_absent(address)))
		return;
	for (unsigned i = 0; i < ASYNC_UNREADABLE; i++) {
		if (unreadable[i])
			continue;
		unreadable[i] = ALIGN_DOWN(address, (uint64_t)PAGE);
		g->is_over = true;
		return;
	}
}

static void leave_out_ends(struct gathered *g, uint64_t address, size_t len, bool failed)
{
	leave_out(g, address, failed);
	if ((address ^ (address + len - 1)) & ~(uint64_t)(PAGE - 1))
		leave_out(g, address + len - 1, failed);
}

/*
 * A pointer that leads nowhere costs a signal, and a replay comes to it at each arrival. Of what begins
 * in such a page nothing can be read.
 */
static uint64_t *known_unreadable(uint64_t address)
{
	uint64_t hash = address / PAGE * UINT64_C(0x9e3779b97f4a7c15);

	return &shared()->search.unreadable[(hash >> 32) % SEARCH_UNREADABLE];
}

static size_t read_where_it_can_be(void *to, uint64_t address, size_t len)
{
	uint64_t page = address / PAGE, *unreadable = known_unreadable(address);
	size_t n;

	if (!agent_replays())
		return read_program(to, address, len);
	if (*unreadable == page && page)
		return 0;
	n = read_program(to, address, len);
	if (n == 0)
		*unreadable = page;
	return n;
}

/* Returns how many bytes were read. */
static size_t read_operand(struct gathered *g, void *to, uint64_t address, size_t len)
{
	size_t n = 0;

	leave_out_ends(g, address, len, false);
	if (!g->is_over && is_readable(g->place, address, len) && !would_grow_stack(g->place, address))
		n = read_where_it_can_be(to, address, len);
	if (n < len)
		leave_out_ends(g, address, len, true);
	return n;
}

static void gather(struct gathered *g, uint64_t address, size_t len)
{
	if (g->len + len <= sizeof(g->bytes))
		g->len += read_operand(g, g->bytes + g->len, address, len);
}

/* Each for itself, too: a replay can compare that without a trap. */
static void gather_blocks(struct gathered *g, uint64_t address, unsigned n)
{
	struct event_async *place = g->place;

	for (; n; n--, address += ASYNC_BLOCK) {
		size_t before = g->len;

		gather(g, address, ASYNC_BLOCK);
		if (g->len - before != ASYNC_BLOCK || place->n_blocks == ASYNC_BLOCKS)
			continue;
		place->blocks[place->n_blocks] = address;
		place->block_checks[place->n_blocks++] = async_check(g->bytes + before);
	}
}

static void gather_stack(struct gathered *g, const uint64_t *regs)
{
	uint64_t sp = regs[REG_RSP_], bp = regs[REG_RBP_];

	gather_blocks(g, sp - STACK_BELOW, (STACK_BELOW + STACK_ABOVE) / ASYNC_BLOCK);
	if (bp - sp < FRAME_NEAR)
		gather_blocks(g, bp - FRAME_BELOW, (FRAME_BELOW + FRAME_ABOVE) / ASYNC_BLOCK);
}

/* The first few words are kept with their values: replay can compare those without a trap. */
static void keep_word(struct gathered *g, uint64_t address)
{
	struct event_async *place = g->place;
	uint8_t bytes[sizeof(uint64_t)];
	uint64_t value;

	if (place->n_operands == ASYNC_OPERANDS ||
	    read_operand(g, bytes, address, sizeof(bytes)) != sizeof(bytes))
		return;
	memcpy(&value, bytes, sizeof(value));
	for (uint32_t i = 0; i < place->n_operands; i++)
		if (place->operands[i].address == address)
			return;
	place->operands[place->n_operands].address = address;
	place->operands[place->n_operands++].value = value;
}

/*
 * The memory operands of the instructions ahead, with the registers as they are now, or as
 * they will be where a pointer is loaded.
 */
static void gather_operands(struct gathered *g)
{
	uint64_t regs[N_REGS], ip = g->place->regs[REG_RIP_], fs = this_thread()->fs_base;

	memcpy(regs, g->place->regs, sizeof(regs));
	for (int i = 0; i < INSTRUCTIONS; i++) {
		uint8_t code[16] = { 0 };
		struct instruction in;

		if (read_program(code, ip, 15) == 0 || !decode(code, ip, regs, fs, &in))
			return;
		if (in.has_operand) {
			gather(g, in.operand, OPERAND);
			keep_word(g, in.operand);
		}
		if (in.loads)
			(void) read_operand(g, &regs[in.loads - 1], in.operand, sizeof(uint64_t));
		switch (in.flow) {
		case FLOW_NEXT:
			ip += in.len;
			break;
		case FLOW_JUMP:
			ip = in.target;
			break;
		case FLOW_BRANCH:	/* backward: a loop; its body lies behind us */
			ip = in.target < ip ? in.target : ip + in.len;
			break;
		case FLOW_END:
			return;
		}
	}
}

/*
 * A block where @pointer leads to, once, and the word there. Not what a stack once was: that
 * may have anything.
 */
static void follow(struct gathered *g, uint64_t pointer)
{
	uint64_t at = ALIGN_DOWN(pointer, (uint64_t)ASYNC_BLOCK);

	if (pointer < PAGE || pointer >> 47 || g->n_blocks == BLOCKS ||
	    g->place->regs[REG_RSP_] - STACK_BELOW - at < FRAME_NEAR)
		return;
	for (uint32_t i = 0; i < g->n_blocks; i++)
		if (g->blocks[i] == at)
			return;
	g->blocks[g->n_blocks++] = at;
	gather_blocks(g, at, 1);
	keep_word(g, ALIGN_DOWN(pointer, (uint64_t)sizeof(uint64_t)));
}

/* The pointers in what was gathered from @begin on, up to @end. */
static void follow_words(struct gathered *g, size_t begin, size_t end)
{
	for (size_t at = begin; at + sizeof(uint64_t) <= end; at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, g->bytes + at, sizeof(word));
		follow(g, word);
	}
}

/*
 * The pointers in the registers, in the operands ahead and on the stack; in what they lead to;
 * and so on. There isn't room for all: what the code is about to use comes first.
 */
static void gather_pointees(struct gathered *g, size_t operands)
{
	size_t pointees = g->len, end;

	for (int i = 0; i < REG_RIP_; i++)
		if (i != REG_RSP_)
			follow(g, g->place->regs[i]);
	follow_words(g, operands, pointees);
	follow_words(g, STACK_BELOW, operands);
	for (size_t done = pointees; done < g->len; done = end) {
		end = g->len;
		follow_words(g, done, end);
	}
}

/* Returns whether that is all; else once more, without what can't be read. */
static bool look(const struct ucontext *context, struct event_async *place)
{
	struct gathered g;
	size_t operands;

	g.place = place;
	g.is_over = false;
	g.len = g.n_blocks = 0;
	gather_stack(&g, context->regs);
	operands = g.len;
	gather_operands(&g);
	gather_pointees(&g, operands);
	place->memory_hash = hash_bytes(g.bytes, g.len);
	return !g.is_over;
}

void place_compute(const struct ucontext *context, struct event_async *place)
{
	memset(place, 0, sizeof(*place));
	if (agent_replays())
		memcpy(place->unreadable, shared()->search.place.unreadable, sizeof(place->unreadable));
	memcpy(place->regs, context->regs, sizeof(place->regs));
	place->regs[REG_EFL_] &= ~(uint64_t)(FLAG_TRAP | FLAG_RESUME);
	place->vector_hash = xstate_hash(&agent_config.xstate, context->fpstate);
	xstate_low_words(context->fpstate, place->vectors);
	(void) read_program(place->code, place->regs[REG_RIP_] - ASYNC_CODE, ASYNC_CODE);
	(void) read_program(place->code + ASYNC_CODE, place->regs[REG_RIP_], ASYNC_CODE);
	do {
		place->n_operands = place->n_blocks = 0;
		memset(place->operands, 0, sizeof(place->operands));
	} while (!look(context, place));
}
