/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inject - putting the agent into a new image at exec
 *
 * blackbox-inject is a process of its own, small and locked into memory. It traces a
 * process only from just before an exec until the agent is in place, a fraction of a
 * millisecond. It changes no byte of the program and never single-steps: whenever it
 * dies, the program begins natively (hazards 5 and 6). While it injects, a timer of its
 * own is set to kill it after the policy's stall bound: a tracer that is stuck must not
 * hold the program.
 *
 * The recorder speaks with it over a socket pair (SOCK_SEQPACKET), one struct
 * inject_message a packet, its descriptor 3.
 */
#pragma once

#include <stdint.h>

#include "recorder/abi.h"

#define INJECT_FD 3
#define INJECT_KNOWN_FD 4	/* a struct known_facts, which the recorder writes */

enum inject_kind {
	INJECT_SETUP = 1,	/* recorder: config holds policy and ring size */
	INJECT_ATTACH,		/* recorder: pid (a thread's id) is about to exec */
	INJECT_ATTACHED,	/* injector: it is traced, go ahead */
	INJECT_LET_GO,		/* recorder: pid doesn't exec after all */
	INJECT_LEFT,		/* injector: it isn't traced any more */
	INJECT_DONE,		/* injector: the agent begins; config; the memfd comes along */
	INJECT_NATIVE,		/* injector: it runs unrecorded; text says why */
};

struct inject_message {
	uint32_t kind;
	int32_t pid;
	int32_t error;
	uint32_t reserved;
	struct agent_config config;
	char text[256];
};

/* The agent's image: recorder/agent/image.bin. */
extern const uint8_t agent_image[], agent_image_end[];

/* XXH3-64 of the image: recording and replay must have the same. */
uint64_t agent_image_hash(void);

/* The image's entries. */
const struct agent_entries *agent_image_entries(void);

/*
 * Fills @ret_image (as long as the image) with the image as it must be written into a
 * process that has @config: vDSO slots filled in, config in its place. @real_functions
 * are addresses of the kernel's own vDSO functions after it has been moved, or NULL.
 */
void agent_image_prepare(const struct agent_config *config, const uint64_t real_functions[3],
			 uint8_t *ret_image);
