/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/known.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/autoclean.h"
#include "recorder/cpuid.h"
#include "recorder/proc.h"

int known_uid(pid_t pid, uint32_t *ret_uid)
{
	autoclean(proc_closep) struct proc_file file;
	char *line;
	int r = proc_open(&file, pid, "/status");

	while (r == 0 && (line = proc_line(&file))) {
		uint64_t uid;

		if (!proc_skip(&line, "Uid:") || !proc_skip_word(&line) || !proc_number(&line, 10, &uid))
			continue;
		*ret_uid = (uint32_t)uid;
		return 0;
	}
	return r < 0 ? r : -ENOENT;
}

/* Not 1, 0xb and 0x1f: they tell on which processor they are asked for. */
void known_ask_processor(struct known_facts *facts)
{
	static const struct {
		uint32_t leaf, n;
	} leaves[] = {
		{ 0, 1 }, { 2, 1 }, { 4, 5 }, { 6, 1 }, { 7, 3 }, { 0xd, 2 }, { 0x14, 2 }, { 0x15, 1 }, { 0x16, 1 },
		{ 0x19, 1 }, { 0x80000000, 1 }, { 0x80000001, 1 }, { 0x80000002, 1 }, { 0x80000003, 1 },
		{ 0x80000004, 1 }, { 0x80000005, 1 }, { 0x80000006, 1 }, { 0x80000007, 1 }, { 0x80000008, 1 },
		{ 0x8000001d, 5 },
	};
	struct cpuid_table *table = &facts->cpuid;

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		for (uint32_t j = 0; j < leaves[i].n && table->n < CPUID_ROWS; j++) {
			struct cpuid_row *row = &table->rows[table->n++];

			row->leaf = leaves[i].leaf;
			row->subleaf = j;
			cpuid_ask(row->leaf, row->subleaf, row->regs);
		}
}

static bool has(const struct known_facts *all, const struct image_id *id, uint32_t uid)
{
	for (uint32_t i = 0; i < all->n_images; i++)
		if (all->images[i].uid == uid && memcmp(&all->images[i].id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

static bool is_sane(const struct agent_site *site, const struct image_id *id)
{
	return site->kind < SITE_N && site->len <= 15 && site->at < site->len && site->address < id->size;
}

/* @image was copied: it isn't changed while it is looked at. */
static void add(struct known_facts *all, struct known_image image, const struct agent_site *sites)
{
	uint32_t first = all->n_sites;

	if (all->n_images == KNOWN_IMAGES || image.n > KNOWN_SITES - first)
		return;
	memcpy(all->sites + first, sites, image.n * sizeof(*sites));
	for (uint32_t i = 0; i < image.n; i++)
		if (!is_sane(&all->sites[first + i], &image.id))
			return;
	image.first = first;
	all->images[all->n_images] = image;
	all->n_sites = first + image.n;
	__atomic_store_n(&all->n_images, all->n_images + 1, __ATOMIC_RELEASE);
}

void known_learn(struct known_facts *all, const struct known_facts *of, uint32_t uid)
{
	uint32_t n = __atomic_load_n(&of->n_images, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n && i < KNOWN_IMAGES; i++) {
		struct known_image image = of->images[i];

		image.uid = uid;
		if (image.first <= KNOWN_SITES && image.n <= KNOWN_SITES - image.first &&
		    !has(all, &image.id, uid))
			add(all, image, of->sites + image.first);
	}
}

void known_add(struct known_facts *all, const struct known_facts *of)
{
	for (uint32_t i = 0; i < of->n_images && i < KNOWN_IMAGES; i++) {
		const struct known_image *image = &of->images[i];

		if (image->first <= KNOWN_SITES && image->n <= KNOWN_SITES - image->first &&
		    !has(all, &image->id, image->uid))
			add(all, *image, of->sites + image->first);
	}
}

void known_copy(const struct known_facts *all, struct known_facts *to, uint32_t uid)
{
	uint32_t n = __atomic_load_n(&all->n_images, __ATOMIC_ACQUIRE);

	to->cpuid = all->cpuid;
	for (uint32_t i = 0; i < n; i++) {
		const struct known_image *image = &all->images[i];

		if (image->uid == uid)
			add(to, *image, all->sites + image->first);
	}
}
