/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/agent/explore.h"

#include "recorder/agent/decode.h"

enum {
	CHUNK = 2048, WINDOW = 512, LONGEST = 16,
	MAX_BLOCKS = 256, MAX_INSTRUCTIONS = 16384,
	CALL_LEN = 5,
};

struct walk {
	struct doubts *doubts;
	const struct agent_range *segment;
	uint64_t blocks[MAX_BLOCKS];	/* where branches lead; the first n_done have been walked */
	unsigned n_blocks, n_done;
	unsigned budget;		/* instructions */
	uint64_t main;			/* what the entry hands to the C library */
	uint64_t window;
	uint8_t code[WINDOW + LONGEST];
};

static const uint8_t *code_at(struct walk *w, uint64_t ip)
{
	if (!w->window || ip < w->window || ip - w->window >= WINDOW) {
		size_t n = copy_user(w->code, (const void *)ip, sizeof(w->code));

		memset(w->code + n, 0, sizeof(w->code) - n);
		w->window = ip;
	}
	return w->code + (ip - w->window);
}

static void add_block(struct walk *w, uint64_t start)
{
	if (start - w->segment->start >= w->segment->end - w->segment->start || w->n_blocks == MAX_BLOCKS)
		return;
	for (unsigned i = 0; i < w->n_blocks; i++)
		if (w->blocks[i] == start)
			return;
	w->blocks[w->n_blocks++] = start;
}

/* mov $main, %rdi or lea main(%rip), %rdi */
static void look_for_main(struct walk *w, uint64_t ip, const uint8_t *code)
{
	int32_t value;

	__builtin_memcpy(&value, code + 3, sizeof(value));
	if (code[0] != 0x48)
		return;
	if (code[1] == 0xc7 && code[2] == 0xc7)
		w->main = (uint64_t)(int64_t)value;
	else if (code[1] == 0x8d && code[2] == 0x3d)
		w->main = ip + 7 + (uint64_t)(int64_t)value;
}

static void walk_block(struct walk *w, uint64_t ip)
{
	static const uint64_t regs[N_REGS];
	struct doubts *d = w->doubts;
	unsigned next = 0;

	while (next < d->n && d->sites[next].address < ip)
		next++;
	while (w->budget && ip - w->segment->start < w->segment->end - w->segment->start) {
		const uint8_t *code = code_at(w, ip);
		struct instruction in;

		for (; next < d->n && d->sites[next].address <= ip; next++)
			*(d->sites[next].address == ip ? &d->proven[next] : &d->refuted[next]) = true;
		if (!decode(code, ip, regs, 0, &in) || !in.len)
			return;
		w->budget--;
		if (w->n_done == 0)
			look_for_main(w, ip, code);
		if (in.flow == FLOW_BRANCH || in.flow == FLOW_JUMP)
			add_block(w, in.target);
		if (in.flow == FLOW_JUMP || in.flow == FLOW_END)
			return;
		ip += in.len;
	}
}

static uint64_t walk_function(struct walk *w, uint64_t function)
{
	w->n_blocks = w->n_done = 0;
	w->budget = MAX_INSTRUCTIONS;
	w->main = 0;
	add_block(w, function);
	for (; w->n_done < w->n_blocks; w->n_done++)
		walk_block(w, w->blocks[w->n_done]);
	return w->main;
}

static void call_leads_to(struct doubts *d, uint64_t target)
{
	if (target > d->sites[d->n - 1].address)
		return;
	for (unsigned i = d->n; i-- > 0 && d->sites[i].address >= target;)
		if (target > d->functions[i])
			d->functions[i] = target;
}

static void consider_call(struct doubts *d, const struct agent_range *segment, uint64_t at,
			  const uint8_t *code)
{
	int32_t distance;
	uint64_t target;

	if (*code != 0xe8 || at + CALL_LEN > segment->end)
		return;
	__builtin_memcpy(&distance, code + 1, sizeof(distance));
	target = at + CALL_LEN + (uint64_t)(int64_t)distance;
	if (target - segment->start < segment->end - segment->start)
		call_leads_to(d, target);
}

static void find_calls(struct doubts *d, const struct agent_range *segment)
{
	uint8_t chunk[CHUNK + 8];

	for (uint64_t base = segment->start; base < segment->end; base += CHUNK) {
		memset(chunk, 0, sizeof(chunk));
		(void) copy_user(chunk, (const void *)base, MIN(segment->end - base, sizeof(chunk)));
		for (size_t i = 0; i < CHUNK; i += 8) {
			uint64_t word, hits;

			__builtin_memcpy(&word, chunk + i, 8);
			for (hits = equal_bytes(word, 0xe8); hits; hits &= hits - 1) {
				size_t j = i + (unsigned)__builtin_ctzll(hits) / 8;

				consider_call(d, segment, base + j, chunk + j);
			}
		}
	}
}

void doubts_settle(struct doubts *d, const struct agent_range *segments, unsigned n_segments,
		   uint64_t entry)
{
	struct walk walk = { .doubts = d };
	uint64_t main;

	if (d->n == 0)
		return;
	for (unsigned i = 0; i < n_segments; i++) {
		walk.segment = &segments[i];
		main = entry ? walk_function(&walk, entry) : 0;
		if (main)
			(void) walk_function(&walk, main);
		find_calls(d, &segments[i]);
		for (unsigned j = 0; j < d->n; j++)
			if (d->functions[j] && !d->proven[j] && (j == 0 || d->functions[j] != d->functions[j - 1]))
				(void) walk_function(&walk, d->functions[j]);
	}
}
