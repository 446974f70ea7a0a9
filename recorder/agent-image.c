/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "recorder/agent/vdso-offsets.h"
#include "recorder/inject.h"

const struct agent_entries *agent_image_entries(void)
{
	return (const struct agent_entries *)(agent_image + AGENT_VDSO_LEN);
}

void agent_image_prepare(const struct agent_config *config, const uint64_t real_functions[3],
			 uint8_t *ret_image)
{
	const struct agent_entries *entries = agent_image_entries();
	uint64_t image = config->base + AGENT_IMAGE, slots[VDSO_N_SLOTS] = {
		[VDSO_AGENT_CLOCK_GETTIME] = image + entries->clock_gettime,
		[VDSO_AGENT_GETTIMEOFDAY] = image + entries->gettimeofday,
		[VDSO_AGENT_TIME] = image + entries->time,
		[VDSO_AGENT_READING] = image + entries->reading,
		[VDSO_SHARED] = config->base + AGENT_SHARED,
		[VDSO_PROCESS] = config->base + AGENT_PROCESS,
		[VDSO_RING] = config->base + AGENT_RING,
		[VDSO_RING_MASK] = config->ring_len - 1,
	};

	if (real_functions)
		memcpy(&slots[VDSO_REAL_CLOCK_GETTIME], real_functions, 3 * sizeof(slots[0]));
	memcpy(ret_image, agent_image, (size_t)(agent_image_end - agent_image));
	memcpy(ret_image + VDSO_vdso_slots, slots, sizeof(slots));
	memcpy(ret_image + entries->config, config, sizeof(*config));
}
