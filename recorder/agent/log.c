/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log - events into the ring
 *
 * The ring is mapped twice, one behind the other, so an event is contiguous wherever
 * it begins. It is seen by the recorder once `head` has passed it: a thread that is
 * killed while it writes leaves nothing half-written behind.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	TSC_TIMED = 64,		/* of so many readings of the TSC in a row one tells how time goes by */
	UNTIMED_LEN = 4096,	/* of readings, before one tells how time goes by */
	TICKS_FINE = 0x8000,	/* below: 2^tick_shift cycles; from here on 1024 times as many */
	TICKS_COARSE_SHIFT = 10,
	PADDING = 8,		/* bytes that are written behind an event at most */
	EVENT_ROOM = EVENT_MAX_LEN + PADDING,
};

static uint8_t *ring_at(uint64_t position)
{
	return (uint8_t *)agent_config.base + AGENT_RING + (position & (agent_config.ring_len - 1));
}

/* The recorder only ever makes more of it, and isn't asked as long as there is some. */
static inline bool room(uint64_t end)
{
	struct agent_process *p = process();

	if (end > p->room_until)
		p->room_until = load_acquire(&shared()->tail) + agent_config.ring_len;
	return end <= p->room_until;
}

uint64_t log_room(void)
{
	struct agent_process *p = process();

	p->room_until = load_acquire(&shared()->tail) + agent_config.ring_len;
	return p->room_until - p->head;
}

/* Waits for the recorder to make room up to @end. False: there is none, and the mode is pass. */
__attribute__((noinline, cold)) static bool make_room(uint64_t end)
{
	struct agent_shared *s = shared();

	for (;;) {
		uint32_t turn = load_acquire(&s->producer_waits);

		if (room(end))
			return true;
		if (load_relaxed(&s->consumer_sleeps))
			wake_recorder();
		if (!wait_for_recorder(&s->producer_waits, turn, 0) && !room(end)) {
			go_pass();
			return false;
		}
	}
}

/* Cycles since the event before, in event.ticks' floating form; what it can't say is kept. */
static inline uint16_t ticks_since_last(void)
{
	struct agent_process *p = process();
	unsigned shift = agent_config.tick_shift;
	uint64_t now, ticks;

	if (unlikely(p->tsc_trapped))	/* for us too; the time is caught up with later */
		return 0;
	now = read_tsc();
	if (unlikely(now <= p->last_tsc))
		return 0;
	ticks = (now - p->last_tsc) >> shift;
	if (!unlikely(ticks >= TICKS_FINE)) {
		p->last_tsc += ticks << shift;
		return (uint16_t)ticks;
	}
	ticks = MIN(ticks >> TICKS_COARSE_SHIFT, TICKS_FINE - 1);
	p->last_tsc += ticks << TICKS_COARSE_SHIFT << shift;
	return (uint16_t)(TICKS_FINE | ticks);
}

/* A recorder that sleeps wants each event; one that naps, only a ring that fills. */
static inline bool recorder_waits(const struct agent_shared *s, uint64_t head)
{
	uint32_t sleeps = load_relaxed(&s->consumer_sleeps);

	return sleeps == 1 || (sleeps == 2 && head - load_relaxed(&s->tail) > agent_config.ring_len / 4);
}

static inline void publish(uint64_t head)
{
	struct agent_shared *s = shared();

	s->tsc = process()->last_tsc;
	s->n_events++;
	store_release(&s->head, head);
	if (unlikely(recorder_waits(s, head)))
		wake_recorder();
}

/* The event being written begins at process()->head and has log_used bytes so far. */
static inline struct event *open_event(const struct thread *thread, enum event_kind kind)
{
	struct agent_process *p = process();
	struct event *event;

	if (!room(p->head + EVENT_ROOM) && !make_room(p->head + EVENT_ROOM)) {
		p->log_used = 0;
		return NULL;
	}
	event = (struct event *)ring_at(p->head);
	event->len = 0;
	event->kind = (uint8_t)kind;
	event->flags = 0;
	event->thread = (uint16_t)thread->slot;
	event->nr = 0;
	/* A reading of the TSC is to be cheap, and it tells the time anyway. */
	event->ticks = kind != EVENT_TSC || shared()->n_events % TSC_TIMED == 0 ? ticks_since_last() : 0;
	event->check = 0;
	event->result = 0;
	p->log_used = sizeof(*event);
	return event;
}

static inline void close_event(struct event *event, uint64_t used, unsigned flags)
{
	struct agent_process *p = process();
	const uint64_t zeros = 0;

	/* Zeros up to its end, and behind it: to look first at what is there takes a cache miss. */
	__builtin_memcpy((uint8_t *)event + used, &zeros, sizeof(zeros));
	used = ALIGN_UP(used, (uint64_t)PADDING);
	p->log_used = 0;
	/* What it is made of may be what one has written who isn't recorded. */
	if (unlikely(directory_is_lost())) {
		go_pass();
		return;
	}
	event->len = (uint32_t)used;
	event->flags = (uint8_t)flags;
	p->head += used;
	publish(p->head);
}

/* The one that is being written. */
static void close_open_event(unsigned flags)
{
	struct agent_process *p = process();
	struct event *event = (struct event *)ring_at(p->head);

	close_event(event, p->log_used, event->flags | flags);
}

struct event *log_begin(struct thread *thread, enum event_kind kind, unsigned flags, unsigned nr,
			uint32_t check, int64_t result)
{
	struct event *event;

	if (passing())
		return NULL;
	event = open_event(thread, kind);
	if (!event)
		return NULL;
	event->flags = (uint8_t)flags;
	event->nr = (uint16_t)nr;
	event->check = check;
	event->result = result;
	return event;
}

/* Room for up to @want bytes in the present event, or in the one that continues it. */
static uint8_t *payload(struct thread *thread, size_t want, size_t *ret_len)
{
	struct agent_process *p = process();

	if (p->log_used == EVENT_MAX_LEN) {
		close_open_event(EVENT_CONTINUED);
		if (!open_event(thread, EVENT_MORE))
			return NULL;
	}
	*ret_len = MIN(want, EVENT_MAX_LEN - p->log_used);
	return ring_at(p->head) + p->log_used;
}

/* Nearly always all is in one event. */
static uint8_t *fits(size_t len)
{
	struct agent_process *p = process();

	if (!p->log_used || len > EVENT_MAX_LEN - p->log_used)
		return NULL;
	p->log_used += len;
	return ring_at(p->head) + p->log_used - len;
}

void log_add(struct thread *thread, const void *data, size_t len)
{
	struct agent_process *p = process();
	uint8_t *place = fits(len);

	if (place) {
		memcpy(place, data, len);
		return;
	}
	while (len && p->log_used) {
		size_t n;
		uint8_t *to = payload(thread, len, &n);

		if (!to)
			return;
		memcpy(to, data, n);
		p->log_used += n;
		data = (const uint8_t *)data + n;
		len -= n;
	}
}

static void copy_or_clear(uint8_t *to, uint64_t address, size_t len)
{
	size_t copied = copy_user(to, (const void *)address, len);

	if (copied < len)
		memset(to + copied, 0, len - copied);
}

void log_add_user(struct thread *thread, uint64_t address, size_t len)
{
	struct agent_process *p = process();

	while (len && p->log_used) {
		size_t n;
		uint8_t *to = payload(thread, len, &n);

		if (!to)
			return;
		copy_or_clear(to, address, n);
		p->log_used += n;
		address += n;
		len -= n;
	}
}

void log_add_output(struct thread *thread, uint64_t address, uint32_t len)
{
	uint8_t *place = fits(sizeof(len) + (size_t)len);

	if (place) {
		memcpy(place, &len, sizeof(len));
		copy_or_clear(place + sizeof(len), address, len);
		return;
	}
	log_add(thread, &len, sizeof(len));
	log_add_user(thread, address, len);
}

void log_end(struct thread *thread)
{
	(void) thread;
	if (process()->log_used)
		close_open_event(0);
}

__attribute__((noinline, cold)) static void log_call_in_pieces(struct thread *thread, unsigned nr, uint32_t check,
							       int64_t result, uint64_t output, uint32_t len)
{
	if (!log_begin(thread, EVENT_SYSCALL, 0, nr, check, result))
		return;
	if (output)
		log_add_output(thread, output, len);
	log_end(thread);
}

void log_call(struct thread *thread, unsigned nr, uint32_t check, int64_t result, uint64_t output, uint32_t len)
{
	struct agent_process *p = process();
	struct event *event = (struct event *)ring_at(p->head);
	uint64_t used = sizeof(*event);

	/* As a rule it is in one piece, and there is room. */
	if (unlikely(p->head + EVENT_ROOM > p->room_until ||
		     len > EVENT_MAX_LEN - sizeof(*event) - sizeof(len) || passing())) {
		log_call_in_pieces(thread, nr, check, result, output, len);
		return;
	}
	p->log_used = used;
	*event = (struct event){ .kind = EVENT_SYSCALL, .thread = (uint16_t)thread->slot, .nr = (uint16_t)nr,
				 .ticks = ticks_since_last(), .check = check, .result = result };
	if (output) {
		memcpy(event + 1, &len, sizeof(len));
		copy_or_clear((uint8_t *)(event + 1) + sizeof(len), output, len);
		used += sizeof(len) + len;
	}
	close_event(event, used, 0);
}

void log_event(struct thread *thread, enum event_kind kind, unsigned flags, unsigned nr,
	       uint32_t check, int64_t result)
{
	if (log_begin(thread, kind, flags, nr, check, result))
		log_end(thread);
}

bool log_reading(const struct thread *thread, enum event_kind kind, unsigned nr, uint32_t check, int64_t result)
{
	struct agent_process *p = process();
	struct agent_shared *s = shared();
	struct event *event = (struct event *)ring_at(p->head);

	/* The fields at once: it may be read as often as anything else together. */
	if (s->n_events % TSC_TIMED == 0 || p->head + sizeof(*event) > p->room_until ||
	    recorder_waits(s, p->head) || directory_is_lost())
		return false;
	*event = (struct event){ .len = sizeof(*event), .kind = (uint8_t)kind, .thread = (uint16_t)thread->slot,
				 .nr = (uint16_t)nr, .check = check, .result = result };
	p->head += sizeof(*event);
	s->n_events++;
	store_release(&s->head, p->head);
	return true;
}

bool log_has_room(void)
{
	return room(process()->head + EVENT_ROOM);
}

/* Until then the recorder isn't to be woken from a nap, time needn't be told, and there is room. */
static uint64_t readings_until(void)
{
	const struct agent_process *p = process();
	uint64_t nap = load_relaxed(&shared()->tail) + agent_config.ring_len / 4;

	return MIN(MIN(nap, p->room_until - sizeof(struct event_reading)), p->head + UNTIMED_LEN);
}

bool log_clock(struct thread *thread, unsigned clock, uint64_t sec, uint64_t fraction)
{
	uint64_t nsec = clock == EVENT_CLOCK_TIMEOFDAY ? fraction * 1000 : fraction;

	if (!log_has_room())
		return false;
	log_event(thread, EVENT_CLOCK, 0, clock, 0, (int64_t)(sec * 1000000000 + nsec));
	/* Who shares memory has to look whether it still may log. */
	process()->readings_until = process()->member ? 0 : readings_until();
	return true;
}
