/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/known.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/autoclean.h"

int known_uid(pid_t pid, uint32_t *ret_uid)
{
	char path[64], line[256];
	autoclean(fclosep) FILE *file = NULL;

	(void) snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "Uid: %*u %u", ret_uid) == 1)
			return 0;
	return -ENOENT;
}

static bool has(const struct known_images *all, const struct image_id *id, uint32_t uid)
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
static void add(struct known_images *all, struct known_image image, const struct agent_site *sites)
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

void known_learn(struct known_images *all, const struct known_images *of, uint32_t uid)
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

void known_copy(const struct known_images *all, struct known_images *to, uint32_t uid)
{
	uint32_t n = __atomic_load_n(&all->n_images, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n; i++) {
		const struct known_image *image = &all->images[i];

		if (image->uid == uid)
			add(to, *image, all->sites + image->first);
	}
}
