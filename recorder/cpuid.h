/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cpuid - the instruction (Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E) */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline void cpuid_ask(uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(ret[0]), "=b"(ret[1]), "=c"(ret[2]), "=d"(ret[3])
			 : "a"(leaf), "c"(subleaf));
}

/* If not, ECX has no meaning. Those that aren't known may have. */
static inline bool cpuid_has_subleaves(uint32_t leaf)
{
	return !(leaf <= 3 || leaf == 5 || leaf == 6 || leaf == 9 || leaf == 0xa || leaf == 0x15 || leaf == 0x16 ||
		 leaf == 0x19 || (leaf >= 0x80000000 && leaf <= 0x80000008));
}
