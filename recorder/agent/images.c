/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * images - what scans have found before
 *
 * A compiler's 30 MB of code take 20 ms to scan, and are executed for each file. So what was found
 * goes to the recorder by the shared memory, and comes back in that of the service's next programs
 * of the same user. It is a matter of this process alone: who writes nonsense there gets it back.
 * A file is known by its inode, size and times; each site's byte is compared before it is changed.
 */
#include "recorder/agent/agent.h"

static bool is_id(const struct image_id *a, const struct image_id *b)
{
	return a->ino == b->ino && a->dev == b->dev && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

bool images_recall(const struct image_id *id, uint64_t base, uint32_t ret_left[SITE_N])
{
	const struct known_facts *known = &shared()->known;
	uint32_t n = MIN(load_acquire(&known->n_images), (uint32_t)KNOWN_IMAGES);
	struct agent_process *p = process();

	for (uint32_t i = 0; id->ino && i < n; i++) {
		const struct known_image *image = &known->images[i];

		if (!is_id(&image->id, id) || image->first > KNOWN_SITES || image->n > KNOWN_SITES - image->first)
			continue;
		for (uint32_t j = 0; j < image->n; j++) {
			p->found[j] = known->sites[image->first + j];
			p->found[j].address += base;
		}
		p->n_found = image->n;
		memcpy(ret_left, image->left, sizeof(image->left));
		return true;
	}
	return false;
}
static_assert(KNOWN_SITES <= MAX_SITES_OF_IMAGE, "all of an image's sites have room");

void images_remember(const struct image_id *id, uint64_t base, const uint32_t left[SITE_N])
{
	struct known_facts *known = &shared()->known;
	const struct agent_process *p = process();
	uint32_t n = known->n_images, first = known->n_sites;
	struct known_image *image = &known->images[n];

	if (!id->ino || n >= KNOWN_IMAGES || first > KNOWN_SITES || p->n_found > KNOWN_SITES - first)
		return;
	for (uint32_t i = 0; i < p->n_found; i++) {
		known->sites[first + i] = p->found[i];
		known->sites[first + i].address -= base;
	}
	*image = (struct known_image){ .id = *id, .first = first, .n = p->n_found };
	memcpy(image->left, left, sizeof(image->left));
	known->n_sites = first + p->n_found;
	store_release(&known->n_images, n + 1);
}

struct image_id images_id(long fd)
{
	struct stat64 st;

	if (agent_replays() || agent_syscall(NR_fstat, fd, &st) < 0)
		return (struct image_id){ 0 };
	return (struct image_id){ st.dev, st.ino, st.size, st.mtime * 1000000000 + st.mtime_nsec,
				  st.ctime * 1000000000 + st.ctime_nsec };
}
