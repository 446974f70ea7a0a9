/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * on-fork - memory that a forked child doesn't get, or gets wiped: madvise(2)'s MADV_DONTFORK
 * and MADV_WIPEONFORK
 *
 * The kernel isn't told, because a snapshot is a fork, too, and needs all memory. The child
 * does it to itself, before its first instruction.
 *
 * All of it needs the baton. In MODE_PASS the table isn't kept: a child has the memory.
 */
#include "recorder/agent/agent.h"

enum {
	MADV_DONTNEED_ = 4, MADV_DONTFORK_ = 10, MADV_DOFORK_ = 11, MADV_WIPEONFORK_ = 18,
	MADV_KEEPONFORK_ = 19,
};

static void delete(uint32_t i)
{
	struct agent_process *p = process();

	p->on_fork[i] = p->on_fork[--p->n_on_fork];
}

static void add(uint64_t start, uint64_t end, uint32_t what)
{
	struct agent_process *p = process();

	if (p->n_on_fork == MAX_ON_FORK)
		note_refused(NR_madvise);
	else
		p->on_fork[p->n_on_fork++] = (struct on_fork_range){ start, end, what, 0 };
}

/* @what: bits; 0: all. */
static void forget(uint64_t start, uint64_t end, uint32_t what)
{
	struct agent_process *p = process();

	for (uint32_t i = p->n_on_fork; i-- > 0; ) {
		struct on_fork_range range = p->on_fork[i];

		if (range.end <= start || range.start >= end || (what && range.what != what))
			continue;
		delete(i);
		if (range.start < start)
			add(range.start, start, range.what);
		if (range.end > end)
			add(end, range.end, range.what);
	}
}

void on_fork_forget(uint64_t start, uint64_t len)
{
	if (process()->n_on_fork)
		forget(start, start + ALIGN_UP(len, (uint64_t)PAGE), 0);
}

uint32_t on_fork_at(uint64_t address)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_on_fork; i++)
		if (p->on_fork[i].start <= address && p->on_fork[i].end > address)
			return p->on_fork[i].what;
	return 0;
}

void on_fork_add(uint64_t start, uint64_t len, uint32_t what)
{
	add(start, start + ALIGN_UP(len, (uint64_t)PAGE), what);
}

bool on_fork_is_advice(long advice)
{
	return advice == MADV_DONTFORK_ || advice == MADV_DOFORK_ || advice == MADV_WIPEONFORK_ ||
	       advice == MADV_KEEPONFORK_;
}

/* What the kernel says of it, who forgets it again. */
long on_fork_try(uint64_t start, uint64_t len, long advice)
{
	long result = agent_syscall(NR_madvise, start, len, advice);

	if (result == 0 && advice == MADV_DONTFORK_)
		(void) agent_syscall(NR_madvise, start, len, MADV_DOFORK_);
	if (result == 0 && advice == MADV_WIPEONFORK_)
		(void) agent_syscall(NR_madvise, start, len, MADV_KEEPONFORK_);
	return result;
}

void on_fork_advise(uint64_t start, uint64_t len, long advice)
{
	uint64_t end = start + ALIGN_UP(len, (uint64_t)PAGE);
	bool wipes = advice == MADV_WIPEONFORK_ || advice == MADV_KEEPONFORK_;
	uint32_t what = wipes ? ON_FORK_WIPE : ON_FORK_UNMAP;

	forget(start, end, what);
	if (advice == MADV_DONTFORK_ || advice == MADV_WIPEONFORK_)
		add(start, end, what);
}

void on_fork_in_child(void)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_on_fork; i++)
		if (p->on_fork[i].what == ON_FORK_WIPE)
			(void) agent_syscall(NR_madvise, p->on_fork[i].start,
					     p->on_fork[i].end - p->on_fork[i].start, MADV_DONTNEED_);
	for (uint32_t i = 0; i < p->n_on_fork; ) {
		struct on_fork_range range = p->on_fork[i];

		if (range.what != ON_FORK_UNMAP) {
			i++;
			continue;
		}
		delete(i);
		(void) agent_syscall(NR_munmap, range.start, range.end - range.start);
		sites_forget(range.start, range.end - range.start);
		stubs_forget(range.start, range.end - range.start);
		mapped_remove(range.start, range.end - range.start);
		i = 0;		/* others may have moved */
	}
}
