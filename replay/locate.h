/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * locate - finding the place of an asynchronous event
 *
 * A thread was preempted at an instruction that it may pass a million times. The
 * recorded registers and hashes tell the right arrival; the work is to compare at every
 * arrival without paying for a trap each time. So the instruction is displaced into a
 * pad, behind a few compares of registers and memory operands with the recorded values;
 * only when all are equal does it trap into the agent, which compares everything. Each
 * false alarm adds the compare that would have told it.
 *
 * Where five bytes can't be taken safely, a one-byte trap stands at the instruction.
 */
#pragma once

#include "replay/session.h"

/* At STOP_ASYNC: sets the trap. 0 is never returned: -EAGAIN to go on, or an error. */
int locate_begin(struct session *session, struct replay_error *ret_error);

/* At STOP_ARRIVED: a false alarm. */
int locate_retune(struct session *session, struct replay_error *ret_error);

/*
 * Takes what stands in the program's way out of it, so that breakpoints can be changed,
 * and puts it back: perhaps elsewhere. Nothing where nothing is looked for.
 */
void locate_lift(struct session *session);
int locate_lay(struct session *session);

/*
 * An address in the pad: where in the program that is. locate_is_between(): nowhere; the
 * thread must be stepped on before it is looked at. locate_is_check(): it does what isn't
 * the program's. locate_is_entry(): it has only come from the program to the pad.
 */
uint64_t locate_visible(const struct session *session, uint64_t ip);
bool locate_is_between(const struct session *session, uint64_t ip);
bool locate_is_check(const struct session *session, uint64_t ip);
bool locate_is_entry(const struct session *session, uint64_t ip);

/*
 * At a debug register's trap, for those that @hits says: the program itself, at @ip, has read or
 * written what the search has changed. The replay isn't right any more.
 */
bool locate_is_seen(const struct session *session, unsigned hits, uint64_t ip);

/* Puts the program's bytes over ours in what was read. */
void locate_hide(const struct session *session, uint64_t address, uint8_t *bytes, size_t len);

/* At STOP_FOUND: takes everything away again. */
void locate_end(struct session *session);

/* What is to be said of a search when the replay has diverged; "" if none was on. */
void locate_tell_missed(const struct session *session, char *text, size_t size);

void locate_free(struct session *session);
