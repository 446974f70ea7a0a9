/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/autoclean.h"

struct objects {
	struct mapped_object *objects;
	struct mapped_range *ranges;
	uint32_t n_objects, n_ranges;
};

struct objects *objects_free(struct objects *objects)
{
	if (!objects)
		return NULL;
	free(objects->objects);
	free(objects->ranges);
	free(objects);
	return NULL;
}

static void objects_freep(struct objects **objects)
{
	(void) objects_free(*objects);
}

static int read_at(int mem, uint64_t address, void *to, size_t len)
{
	ssize_t n = pread(mem, to, len, (off_t)address);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EBADMSG;
}

int objects_read(int mem, uint64_t base, struct objects **ret_objects)
{
	autoclean(objects_freep) struct objects *objects = calloc(1, sizeof(*objects));
	uint64_t process = base + AGENT_PROCESS;
	int r;

	if (!objects)
		return -ENOMEM;
	r = read_at(mem, process + offsetof(struct agent_process, n_objects), &objects->n_objects,
		    sizeof(objects->n_objects));
	if (r == 0)
		r = read_at(mem, process + offsetof(struct agent_process, n_ranges), &objects->n_ranges,
			    sizeof(objects->n_ranges));
	if (r < 0)
		return r;
	if (objects->n_objects > MAX_MAPPED_OBJECTS || objects->n_ranges > MAX_MAPPED_RANGES)
		return -EBADMSG;
	objects->objects = calloc(objects->n_objects + 1, sizeof(*objects->objects));
	objects->ranges = calloc(objects->n_ranges + 1, sizeof(*objects->ranges));
	if (!objects->objects || !objects->ranges)
		return -ENOMEM;
	r = read_at(mem, process + offsetof(struct agent_process, objects), objects->objects,
		    objects->n_objects * sizeof(*objects->objects));
	if (r == 0)
		r = read_at(mem, process + offsetof(struct agent_process, ranges), objects->ranges,
			    objects->n_ranges * sizeof(*objects->ranges));
	if (r < 0)
		return r;
	*ret_objects = MOVE(objects);
	return 0;
}

static const struct mapped_range *range_at(const struct objects *objects, uint64_t address)
{
	for (uint32_t i = 0; i < objects->n_ranges; i++) {
		const struct mapped_range *range = &objects->ranges[i];

		if (address >= range->start && address < range->end &&
		    range->object < objects->n_objects)
			return range;
	}
	return NULL;
}

const struct mapped_object *objects_at(const struct objects *objects, uint64_t address)
{
	const struct mapped_range *range = range_at(objects, address);

	return range ? &objects->objects[range->object] : NULL;
}

uint64_t objects_prot_end(const struct objects *objects, uint64_t address, uint64_t end)
{
	const struct mapped_range *range = range_at(objects, address);

	return range && range->end > address && range->end < end ? range->end : end;
}

uint32_t objects_prot(const struct objects *objects, uint64_t address, uint32_t prot)
{
	const struct mapped_range *range = range_at(objects, address);

	return prot && range && (range->flags & MAPPED_SHARED) &&
			       (objects->objects[range->object].flags & MAPPED_BY_TURNS) ?
		       range->flags >> MAPPED_PROT_SHIFT : prot;
}
