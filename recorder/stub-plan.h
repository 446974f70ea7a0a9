/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stub-plan - where a system call's jump can stand, and what its stub does
 *
 * agent/stubs.c tells what a stub is. Here the code before the call is decoded, and an
 * instruction is chosen that a jump can take the place of: one of at least five bytes, so that
 * nothing can lead into the jump; or several short ones that no branch of the function leads
 * to. From there to the call the code must run straight, and do the same from another place.
 * For rdtsc(p) it is preferably itself, with what is behind it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "recorder/event.h"

/*
 * Plans the stub for what is at @site, a system call (SITE_NONE) or SITE_RDTSC or SITE_RDTSCP, for
 * an address @at that is within reach. @code are the @len bytes of the function that begins at
 * @start and has @site in it, as the program has them. 0: @ret_plan is whole. -ENOTSUP: it can't be, and @ret_why says why, in a few words.
 */
int stub_plan(const uint8_t *code, size_t len, uint64_t start, uint64_t site, enum site_kind kind, uint64_t at,
	      struct event_stub *ret_plan, const char **ret_why);

/*
 * The same for a call in code that nothing tells of, made with the number @nr: that must be what an
 * instruction before it says, which no other way to decode the code denies. @code is that from
 * @start on, up to the call and with it; the instructions of the last 55 bytes must be all there, or
 * be all there is.
 */
int stub_plan_by_number(const uint8_t *code, uint64_t start, uint64_t site, uint32_t nr, uint64_t at,
			struct event_stub *ret_plan, const char **ret_why);

/*
 * Where the function that has @address in it begins and ends, by the unwind table of the image that
 * process memory @mem (/proc/PID/mem) has from @base on. -ENOENT: the table has none, or there is
 * no table; -EBADMSG: it makes no sense.
 */
int stub_function(int mem, uint64_t base, uint64_t address, uint64_t *ret_start, uint64_t *ret_end);

/*
 * Whether any direct branch of the code that @mem has from @start to @end leads to an address of
 * @from to @to: 1 or 0. Bytes that are none but might be count, too. -EFBIG, -EFAULT.
 */
int stub_is_branched_to(int mem, uint64_t start, uint64_t end, uint64_t from, uint64_t to);
