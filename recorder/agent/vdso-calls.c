/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdso-calls - behind the vDSO's functions, and the stubs of rdtsc: the time, logged
 *
 * They run on the agent's stack with no context saved, so nothing may happen in here
 * but a reading and its event. If there is anything else to do they say so, and the
 * vDSO makes the system call instead, which saves the context; a stub, what traps.
 */
#include "recorder/agent/agent.h"

enum { DONE = 0, MAKE_SYSTEM_CALL = 1 };
static_assert(EVENT_CLOCK_TIMEOFDAY == CLOCK_TIMEOFDAY, "asm");

typedef int real_clock_gettime(long clock, struct timespec64 *time);
typedef int real_gettimeofday(struct timespec64 *time, void *zone);
typedef long real_time(long *time);

static uint64_t real_function(unsigned slot)
{
	return ((const uint64_t *)VDSO_ADDRESS(VDSO_vdso_slots))[slot];
}

static bool is_fast_clock(long clock)
{
	return clock >= 0 && clock < 32 && (FAST_CLOCKS >> clock & 1);
}

/* A kick needn't be kept away from here: it sees whose stack this is, and comes again. */
static bool may_read(struct thread *thread)
{
	return !load_relaxed(&shared()->attention) && !thread->pending && !process()->tsc_trapped &&
	       !(chaos() && chaos_strikes(thread, 8));
}

/* @fraction of a second: nanoseconds, or what the clock counts. */
static int end_reading(struct thread *thread, unsigned clock, uint64_t sec, uint64_t fraction)
{
	if (!log_clock(thread, clock, sec, fraction))
		return MAKE_SYSTEM_CALL;
	thread->vdso_result[0] = sec;
	thread->vdso_result[1] = fraction;
	/* The next one needn't come here. */
	if (!chaos() && thread->native == VDSO_ASKS)
		thread->native = VDSO_QUICK;
	return DONE;
}

/* It has been read already, by the vDSO itself. */
int agent_reading(unsigned clock, uint64_t sec, uint64_t fraction);
int agent_reading(unsigned clock, uint64_t sec, uint64_t fraction)
{
	struct thread *thread = this_thread();

	return may_read(thread) ? end_reading(thread, clock, sec, fraction) : MAKE_SYSTEM_CALL;
}

static int replay_reading(struct thread *thread, unsigned clock)
{
	int64_t ns;

	if (!replay_clock(thread, clock, &ns))
		return MAKE_SYSTEM_CALL;
	thread->vdso_result[0] = (uint64_t)(ns / 1000000000);
	thread->vdso_result[1] = (uint64_t)(ns % 1000000000);
	return DONE;
}

int agent_clock_gettime(long clock, void *time);
int agent_clock_gettime(long clock, void *time)
{
	struct thread *thread = this_thread();
	struct timespec64 now;

	(void) time;
	clock = (int32_t)clock;
	if (!is_fast_clock(clock))
		return MAKE_SYSTEM_CALL;
	if (agent_replays())
		return replay_reading(thread, (unsigned)clock);
	if (!may_read(thread))
		return MAKE_SYSTEM_CALL;
	(void) ((real_clock_gettime *)real_function(VDSO_REAL_CLOCK_GETTIME))(clock, &now);
	return end_reading(thread, (unsigned)clock, (uint64_t)now.sec, (uint64_t)now.nsec);
}

int agent_gettimeofday(void *time, void *zone);
int agent_gettimeofday(void *time, void *zone)
{
	struct thread *thread = this_thread();
	struct timespec64 now;

	(void) time;
	if (zone)
		return MAKE_SYSTEM_CALL;
	if (agent_replays()) {
		if (replay_reading(thread, EVENT_CLOCK_TIMEOFDAY) != DONE)
			return MAKE_SYSTEM_CALL;
		thread->vdso_result[1] /= 1000;
		return DONE;
	}
	if (!may_read(thread))
		return MAKE_SYSTEM_CALL;
	(void) ((real_gettimeofday *)real_function(VDSO_REAL_GETTIMEOFDAY))(&now, NULL);
	return end_reading(thread, EVENT_CLOCK_TIMEOFDAY, (uint64_t)now.sec, (uint64_t)now.nsec);
}

int agent_time(void *time);
int agent_time(void *time)
{
	struct thread *thread = this_thread();

	(void) time;
	if (agent_replays())
		return replay_reading(thread, EVENT_CLOCK_TIME);
	if (!may_read(thread))
		return MAKE_SYSTEM_CALL;
	return end_reading(thread, EVENT_CLOCK_TIME,
			   (uint64_t)((real_time *)real_function(VDSO_REAL_TIME))(NULL), 0);
}

/* -- rdtsc and rdtscp ------------------------------------------------------------------------------ */

/* What tsc_entry has on the stack. */
struct tsc_frame {
	uint64_t rbp, r11, r10, r9, r8, rdi, rsi;
	uint64_t at;		/* where to go on: at first, at what traps */
	uint64_t rcx, flags;
};

static bool record_tsc(struct thread *thread, unsigned len, uint32_t check, uint64_t *ret_value)
{
	struct agent_process *p = process();
	uint64_t value;
	int64_t more;

	if (p->tsc_trapped || (!passing() && !may_read(thread)))
		return false;
	*ret_value = value = read_tsc();
	more = (int64_t)(value - p->tsc_read);
	if (passing())
		return true;
	if (!log_reading(thread, EVENT_TSC, len, check, more)) {
		if (!log_has_room())
			return false;
		log_event(thread, EVENT_TSC, 0, len, check, more);
	}
	p->tsc_read = value;
	return true;
}

static bool replayed_tsc(struct thread *thread, unsigned len, uint32_t check, uint64_t *ret_value)
{
	struct agent_process *p = process();
	int64_t more;

	if (!replay_tsc(thread, len, check, &more))
		return false;
	*ret_value = p->tsc_read += (uint64_t)more;
	return true;
}

uint64_t stub_tsc(struct tsc_frame *frame)
{
	enum { SECOND_OF_RDTSC = 0x31 };
	const uint8_t *trap = (const uint8_t *)frame->at;
	unsigned len = trap[1] == SECOND_OF_RDTSC ? 2 : 3;
	struct thread *thread = this_thread();
	uint64_t value = 0;
	uint32_t check;		/* before what traps, the stub has the site's address */

	memcpy(&check, trap - 8, sizeof(check));
	if (!(agent_replays() ? replayed_tsc : record_tsc)(thread, len, check, &value))
		return 0;
	frame->at += len;
	if (len == 3)
		frame->rcx = 0;	/* as answer_tsc() has it */
	return value;
}
