/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pages-held - which pages of shared memory the process has, and what it may do with them */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum { PROT_RW = 3, PROT_READ_ = 1, PROT_WRITE_ = 2, MAP_PRIVATE_ANON_FIXED = 0x32 };

static uint64_t *bits_of(const struct mapped_object *object)
{
	uint64_t index = (uint64_t)(object - process()->objects);

	return (uint64_t *)(agent_config.base + AGENT_HELD + index * AGENT_HELD_LEN);
}

static uint64_t bits_len(uint64_t n_pages)
{
	return ALIGN_UP((n_pages + 7) / 8, (uint64_t)PAGE);
}

bool pages_held(const struct mapped_object *object, uint64_t page)
{
	return !(object->flags & MAPPED_HANDED) || page >= object->n_pages ||
	       (bits_of(object)[page / 64] >> page % 64 & 1);
}

bool pages_none_of_64(const struct mapped_object *object, uint64_t page)
{
	return (object->flags & MAPPED_HANDED) && !bits_of(object)[page / 64];
}

void pages_set_held(const struct mapped_object *object, uint64_t page, bool held)
{
	uint64_t bit = UINT64_C(1) << page % 64, *word = &bits_of(object)[page / 64];

	*word = held ? *word | bit : *word & ~bit;
}

uint64_t pages_held_run(const struct mapped_object *object, uint64_t page, uint64_t *ret_end)
{
	while (page < object->n_pages && !pages_held(object, page))
		page++;
	for (*ret_end = page; *ret_end < object->n_pages && pages_held(object, *ret_end);)
		++*ret_end;
	return page;
}

bool pages_begin_handing(struct mapped_object *object, uint64_t n_pages)
{
	uint64_t len = bits_len(n_pages), at = (uint64_t)bits_of(object);

	if (object->flags & MAPPED_HANDED)
		return true;
	if (len > AGENT_HELD_LEN || agent_syscall(NR_mmap, at, len, PROT_RW, MAP_PRIVATE_ANON_FIXED, -1,
						  0) != (long)at)
		return false;
	memset(bits_of(object), 0xff, len);
	object->n_pages = n_pages;
	object->flags |= MAPPED_HANDED;
	process()->n_handed++;
	return true;
}

uint64_t pages_of(const struct mapped_object *object)
{
	const struct agent_process *p = process();
	uint64_t end = object->size;

	for (uint32_t i = 0; i < p->n_ranges; i++) {
		const struct mapped_range *range = &p->ranges[i];

		if (mapped_object_of(range) == object)
			end = MAX(end, range->offset + (range->end - range->start));
	}
	return (end + PAGE - 1) / PAGE;
}

uint32_t pages_program_prot(const struct mapped_range *range)
{
	return range->flags >> MAPPED_PROT_SHIFT;
}

/* What may be written can be read, too: without its right to write it isn't one that is another's. */
uint32_t pages_protection(const struct mapped_range *range, enum page_access access)
{
	uint32_t prot = pages_program_prot(range);

	switch (access) {
	case ACCESS_FULL:
		return prot;
	case ACCESS_READ:
		return prot & PROT_WRITE_ ? (prot & ~(uint32_t)PROT_WRITE_) | PROT_READ_ : prot;
	default:
		return 0;
	}
}

bool pages_protect(const struct mapped_object *object, uint64_t page, uint64_t n, enum page_access access)
{
	struct agent_process *p = process();
	bool done = true;

	for (uint32_t i = 0; i < p->n_ranges; i++) {
		const struct mapped_range *range = &p->ranges[i];
		uint64_t begin = MAX(page * PAGE, range->offset);
		uint64_t end = MIN((page + n) * PAGE, range->offset + (range->end - range->start));

		if (mapped_object_of(range) != object || !(range->flags & MAPPED_SHARED) || begin >= end)
			continue;
		done &= agent_syscall(NR_mprotect, range->start + (begin - range->offset), end - begin,
				      pages_protection(range, access)) == 0;
	}
	return done;
}

bool pages_drop(struct mapped_object *object, uint64_t page, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		pages_set_held(object, page + i, false);
	return pages_protect(object, page, n, ACCESS_NONE);
}

uint64_t pages_address(const struct mapped_object *object, uint64_t page)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_ranges; i++) {
		const struct mapped_range *range = &p->ranges[i];

		if (mapped_object_of(range) == object && (range->flags & MAPPED_SHARED) &&
		    page * PAGE - range->offset < range->end - range->start && pages_program_prot(range))
			return range->start + (page * PAGE - range->offset);
	}
	return 0;
}

void pages_end_handing(struct mapped_object *object)
{
	(void) agent_syscall(NR_munmap, bits_of(object), bits_len(object->n_pages));
	process()->n_handed--;
	object->flags &= ~(uint32_t)(MAPPED_HANDED | MAPPED_BY_TURNS);
}
