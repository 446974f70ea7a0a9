/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pack-model - what packer and unpacker foretell of the next event
 *
 * Both keep these tables of the events so far, and keep them alike: whatever is done here is
 * done with what both know. A wrong guess costs bytes, no more. Included by the two only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "recorder/pack.h"

enum {
	TABLE_BITS = 12,
	TABLE = 1 << TABLE_BITS,
	MAX_TYPES = 255,
	MAX_CHECKS = 256,
	MAX_CLOCK = EVENT_CLOCK_TIME,
	FEW_CHANGES = 12,	/* bytes of outputs that are told one by one */
	LONG_TICKS = 0xff,	/* in PACK_TICKS: two bytes follow */
	LESS_TICKS = 16,	/* so many less than was foretold can be said in one byte */
	TYPE_LEN = 6,
	MAX_READY = 1024,
	NEW_READY = 0xff,	/* in PACK_READY: what is ready stands in PACK_NEW */
};

/* An event's byte in PACK_OPS. */
enum op {
	/* Its check: */
	OP_CHECK = 3,
	CHECK_FOLLOWS = 0,	/* that which followed on the type's last one */
	CHECK_AFTER = 1,	/* which followed on the event before, or is of who is ready */
	CHECK_KNOWN = 2,
	CHECK_NEW = 3,
	/* Its result isn't what the same question got the last time. */
	OP_RESULT = 1 << 2,
	/* Its outputs: */
	OP_OUTPUTS = 3 << 3,
	OUTPUTS_SAME = 0 << 3,	/* as foretold by question and result */
	OUTPUTS_AFTER = 1 << 3,	/* as of this type's event that followed on the event before */
	OUTPUTS_CHANGED = 2 << 3, /* the same but for a few bytes; of a wait: who is ready */
	OUTPUTS_NEW = 3 << 3,
	/* A clock's reading: instead of all that. */
	OP_CLOCK = 1 << 5,
	CLOCK_TICKS = 1 << 0,
	/* Its type isn't the one that followed on the last few. */
	OP_TYPE = 1 << 7,
};

/* As epoll_wait's outputs have it. */
struct ready {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));
static_assert(sizeof(struct ready) == 12, "the kernel's");

struct known_ready {
	struct ready ready;
	uint32_t told;		/* as how manieth */
};

/* Positions in the run, + 1; 0: there was none. */
struct tables {
	uint8_t *run;
	unsigned version;
	unsigned classes;		/* of types, a mask */
	uint64_t types[MAX_TYPES];
	unsigned n_types;
	uint32_t recent;		/* the last four types' numbers */
	bool more_ready;		/* another event of the last type is to come */
	uint8_t next_type[TABLE];	/* by those two */
	struct {
		uint32_t newest, check;
		uint32_t wait, left;	/* of who was ready then, so many have had none of the type */
	} of_type[MAX_TYPES + 1];	/* by number */
	bool backward[MAX_TYPES + 1];	/* who was ready last is the first to get one */
	uint64_t before;		/* the newest event that is no reading of a clock: a hash */
	uint32_t follows[TABLE];	/* by type, and check of its event before */
	uint32_t after[TABLE];		/* by type and `before', or who is ready */
	uint32_t asked[TABLE];		/* by type and check */
	uint32_t answered[TABLE];	/* by type, check and result */
	uint32_t checks[MAX_CHECKS];
	unsigned n_checks;		/* only grows */

	/* Who was ready, each once; who was the longest ago first. It goes round. */
	uint32_t wait, n_waited;	/* the newest event that says who is; so many */
	unsigned first_ready, n_ready;
	uint32_t n_told;		/* how many were ready so far, */
	uint32_t usual_rest;		/* and in between, until one is again: sixteen times that */

	/* One line of time, in nanoseconds from the run's begin, moved by readings and by ticks. */
	uint64_t now;
	uint32_t tick;			/* in 1/1024 ns; 0: not known */
	uint64_t tick_at;		/* when the last one was that has been counted */
	uint64_t clocks[MAX_CLOCK + 1];	/* what they are ahead of `now', or show */
	enum { AFTER_EVENT, AFTER_COARSE, AFTER_EXACT } told_by; /* what has moved it */

	struct known_ready ready[MAX_READY]; /* the last: needn't be cleared */
};

static inline void tables_reset(struct tables *t, const void *run, unsigned version, uint32_t tick)
{
	memset(t, 0, offsetof(struct tables, ready));
	t->run = (uint8_t *)(uintptr_t)run;
	t->version = version;
	t->classes = version > 1 ? PACK_N_CLASSES - 1 : 0;
	t->tick = tick;
}

static inline unsigned hash(uint64_t value)
{
	return (unsigned)(value * UINT64_C(0x9e3779b97f4a7c15) >> (64 - TABLE_BITS));
}

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	return (a ^ b) * UINT64_C(0xff51afd7ed558ccd) + (b >> 29);
}

static inline const struct event *event_at(const struct tables *t, uint32_t place)
{
	return place ? (const struct event *)(t->run + place - 1) : NULL;
}

static inline size_t outputs_len(const struct event *event)
{
	return event->len - sizeof(*event);
}

/* Kind, flags, thread and number. */
static inline uint64_t type_of(const struct event *event)
{
	uint64_t type;

	/* Eight bytes at once: to put it together from pieces takes the processor longer than all else. */
	memcpy(&type, (const uint8_t *)event + offsetof(struct event, kind), sizeof(type));
	return type & ((UINT64_C(1) << 8 * TYPE_LEN) - 1);
}

/* -- who is ready: what happens next is theirs, one after the other ------------------------------- */

static inline bool is_of_wait(unsigned kind, unsigned nr)
{
	enum { EPOLL_WAIT = 232, EPOLL_PWAIT = 281, EPOLL_PWAIT2 = 441 };

	return kind == EVENT_SYSCALL && (nr == EPOLL_WAIT || nr == EPOLL_PWAIT || nr == EPOLL_PWAIT2);
}

/* Of a wait's outputs: a length, and who is ready. */
static inline size_t wait_outputs_len(uint64_t n)
{
	return (sizeof(uint32_t) + n * sizeof(struct ready) + 7) / 8 * 8;
}

static inline const struct ready *ready_of(const struct event *wait)
{
	return (const struct ready *)((const uint8_t *)(wait + 1) + sizeof(uint32_t));
}

/* Are its outputs what its result says, to the byte? */
static inline bool tells_ready(const struct event *event)
{
	uint64_t n = (uint64_t)event->result;
	const uint8_t *begin = (const uint8_t *)(event + 1);
	uint32_t len, zero = 0;

	if (!is_of_wait(event->kind, event->nr) || n == 0 || n > PACK_MAX_RUN / sizeof(struct ready) ||
	    outputs_len(event) != wait_outputs_len(n))
		return false;
	memcpy(&len, begin, sizeof(len));
	return len == n * sizeof(struct ready) &&
	       memcmp(begin + sizeof(len) + len, &zero, outputs_len(event) - sizeof(len) - len) == 0;
}

static inline struct known_ready *ready_at(struct tables *t, unsigned place)
{
	return &t->ready[(t->first_ready + place) % MAX_READY];
}

/* NEW_READY: it isn't there, or not among the first. */
static inline unsigned place_of_ready(struct tables *t, const struct ready *ready)
{
	unsigned n = t->n_ready < NEW_READY ? t->n_ready : NEW_READY;

	for (unsigned i = 0; i < n; i++) {
		const struct ready *known = &ready_at(t, i)->ready;

		if (known->data == ready->data && known->events == ready->events)
			return i;
	}
	return NEW_READY;
}

static inline void drop_first_ready(struct tables *t)
{
	t->first_ready = (t->first_ready + 1) % MAX_READY;
	t->n_ready--;
}

/* The one at @place is the last now. Those in front are few: who was answered first asks first. */
static inline void move_ready(struct tables *t, unsigned place)
{
	struct known_ready moved = *ready_at(t, place);

	t->usual_rest += t->n_told - moved.told - t->usual_rest / 16;
	moved.told = t->n_told;
	for (unsigned i = place; i > 0; i--)
		*ready_at(t, i) = *ready_at(t, i - 1);
	t->first_ready = (t->first_ready + 1) % MAX_READY;
	*ready_at(t, t->n_ready - 1) = moved;
}

static inline void add_ready(struct tables *t, const struct ready *ready)
{
	if (t->n_ready == MAX_READY)
		drop_first_ready(t);
	*ready_at(t, t->n_ready++) = (struct known_ready){ *ready, t->n_told };
}

static inline void learn_ready(struct tables *t, unsigned place, const struct ready *ready)
{
	t->n_told++;
	if (place < t->n_ready && place != NEW_READY)
		move_ready(t, place);
	else
		add_ready(t, ready);
	/* Who is gone would be in the way of all others. */
	if (t->n_told - ready_at(t, 0)->told > t->usual_rest / 4 + 64)
		drop_first_ready(t);
}

/* So many for whom no event of the type has been yet. */
static inline uint32_t left_of(const struct tables *t, unsigned type)
{
	return t->of_type[type].wait == t->wait ? t->of_type[type].left : t->n_waited;
}

/* Of whom the next event of the type will be, when @left aren't 0. */
static inline uint64_t next_ready(const struct tables *t, unsigned type, uint32_t left)
{
	return ready_of(event_at(t, t->wait))[t->backward[type] ? left - 1 : t->n_waited - left].data;
}

/* -- types and checks, results and outputs --------------------------------------------------------- */

/* Where next_type has it. */
static inline uint8_t *next_type_of(struct tables *t)
{
	return &t->next_type[hash(t->recent + ((uint64_t)t->more_ready << 32))];
}

static inline unsigned add_type(struct tables *t, uint64_t type)
{
	/* With so many the last place is taken again and again. */
	if (t->n_types < MAX_TYPES)
		t->n_types++;
	t->types[t->n_types - 1] = type;
	t->of_type[t->n_types].newest = 0;
	return t->n_types;
}

static inline void learn_type(struct tables *t, uint8_t *next_type, unsigned number)
{
	*next_type = (uint8_t)number;
	t->recent = t->recent << 8 | number;
}

/* Where in the tables the events are that foretell this one, as far as it is known. */
struct places {
	uint32_t *follows, *after;
};

static inline uint32_t *after_of(struct tables *t, unsigned type)
{
	uint32_t left = left_of(t, type);

	return &t->after[hash(mix(type, left ? mix(0, next_ready(t, type, left)) : t->before))];
}

static inline struct places places_of(struct tables *t, unsigned type)
{
	return (struct places){ &t->follows[hash(mix(type, t->of_type[type].check))], after_of(t, type) };
}

static inline uint32_t *asked_of(struct tables *t, unsigned type, uint32_t check)
{
	return &t->asked[hash(mix(type, check))];
}

static inline uint32_t *answered_of(struct tables *t, unsigned type, const struct event *event)
{
	return &t->answered[hash(mix(mix(type, event->check), (uint64_t)event->result))];
}

/* That got the same question, or was of the type at least. */
static inline const struct event *same_question(struct tables *t, unsigned type, uint32_t check)
{
	const struct event *event = event_at(t, *asked_of(t, type, check));

	return event && event->check == check ? event : event_at(t, t->of_type[type].newest);
}

/* What the event will be like: that which foretold its check, if one did. */
static inline const struct event *likely(struct tables *t, unsigned type,
					 const struct places *places, unsigned check_op,
					 uint32_t check)
{
	if (check_op == CHECK_FOLLOWS && t->version > 1)
		return event_at(t, *places->follows);
	if (check_op == CHECK_AFTER && t->version > 1)
		return event_at(t, *places->after);
	return same_question(t, type, check);
}

static inline const struct event *likely_answer(struct tables *t, unsigned type,
						const struct event *like,
						const struct event *event)
{
	const struct event *other;

	if (like && t->version > 1 && like->check == event->check && like->result == event->result)
		return like;
	other = event_at(t, *answered_of(t, type, event));
	return other ? other : like;
}

static inline uint64_t foretold_result(const struct event *like)
{
	return like ? (uint64_t)like->result : 0;
}

static inline void add_check(struct tables *t, uint32_t check)
{
	t->checks[t->n_checks++ % MAX_CHECKS] = check;
}

static inline bool has_check(const struct event *event, uint32_t check)
{
	return event && event->check == check;
}

/* Some answer all in the order in which they have read, some the other way round. */
static inline void learn_order(struct tables *t, unsigned type, struct places *places,
			       uint32_t check)
{
	uint32_t *other;

	if (has_check(event_at(t, *places->after), check) ||
	    has_check(event_at(t, *places->follows), check) || !left_of(t, type))
		return;
	t->backward[type] = !t->backward[type];
	other = after_of(t, type);
	if (has_check(event_at(t, *other), check))
		places->after = other;
	else
		t->backward[type] = !t->backward[type];
}

/* All of @event is known. */
static inline void learn(struct tables *t, unsigned type, struct places places,
			 const struct event *event)
{
	uint32_t place = (uint32_t)((const uint8_t *)event - t->run) + 1, left = left_of(t, type);
	const uint64_t none = 0, *words = (const uint64_t *)(event + 1);
	size_t len = outputs_len(event);

	learn_order(t, type, &places, event->check);
	*places.follows = place;
	*places.after = place;
	*asked_of(t, type, event->check) = place;
	*answered_of(t, type, event) = place;
	left -= left > 0;
	t->of_type[type].newest = place;
	t->of_type[type].check = event->check;
	t->of_type[type].wait = t->wait;
	t->of_type[type].left = left;
	t->before = mix(mix(type, event->check), *(len ? words : &none));
	t->before = mix(t->before, *(len > 8 ? words + 1 : &none));
	if (tells_ready(event) && t->version > 1) {
		t->wait = place;
		t->n_waited = left = (uint32_t)event->result;
	}
	t->more_ready = left > 0;
}

/* -- time ------------------------------------------------------------------------------------------ */

struct clock {
	unsigned number;	/* of its columns */
	bool on_line;		/* goes as the others do, step by step of: */
	int64_t unit;		/* in nanoseconds */
};

static inline struct clock clock_of(unsigned nr)
{
	switch (nr) {
	case EVENT_CLOCK_TIMEOFDAY:
		return (struct clock){ 0, true, 1000 };
	case CLOCK_MONOTONIC:
		return (struct clock){ 1, true, 1 };
	case CLOCK_REALTIME:
		return (struct clock){ 2, true, 1 };
	default:
		return (struct clock){ 3, false, nr == EVENT_CLOCK_TIME ? 1000000000 : 1 };
	}
}

/* The column of a reading's first byte: how far it can be foretold depends on what was before. */
static inline unsigned first_column(const struct tables *t, const struct clock *clock)
{
	return PACK_CLOCKS + PACK_N_CLOCKS * t->told_by + clock->number;
}

static inline bool is_on_line(const struct tables *t, const struct clock *clock)
{
	return clock->on_line && t->version > 1;
}

static inline uint64_t foretold_reading(const struct tables *t, unsigned nr,
					const struct clock *clock)
{
	if (!is_on_line(t, clock))
		return t->clocks[nr];
	return (uint64_t)((int64_t)(t->clocks[nr] + t->now) / clock->unit * clock->unit);
}

/*
 * The line is moved by as little as agrees with the reading. If it was exact the clock is ahead
 * by more, or less, than was known; and if it would jump, the clock has: it was never read, say.
 * Whether it moves is a matter of chance: computed, for the processor would guess wrong.
 */
static inline void learn_reading(struct tables *t, unsigned nr, const struct clock *clock,
				 uint64_t reading)
{
	const uint64_t jump = 1000000000;
	uint64_t least = reading - t->clocks[nr], most = least + (uint64_t)clock->unit - 1;
	uint64_t then = t->now;

	if (!is_on_line(t, clock)) {
		t->clocks[nr] = reading;
		return;
	}
	then = (int64_t)(then - least) < 0 ? least : then;
	then = (int64_t)(then - most) > 0 ? most : then;
	if (then - t->now + jump > 2 * jump || (t->told_by == AFTER_EXACT && clock->unit > 1))
		t->clocks[nr] += then - t->now;
	else
		t->now = then;
	t->tick_at = (int64_t)(t->now - t->tick_at) < 0 ? t->now : t->tick_at;
	t->told_by = clock->unit == 1 || t->told_by == AFTER_EXACT ? AFTER_EXACT : AFTER_COARSE;
}

static inline uint64_t ticks_counted(uint16_t ticks)
{
	return ticks & 0x8000 ? (uint64_t)(ticks & 0x7fff) << 10 : ticks;
}

static inline uint16_t foretold_ticks(const struct tables *t)
{
	int64_t since = (int64_t)(t->now - t->tick_at);
	const int64_t most = 0x7fff;

	if (t->version == 1 || !t->tick || since <= 0)
		return 0;
	if (since > INT64_C(1) << 40)
		return (uint16_t)most;
	since = (int64_t)(((uint64_t)since << 10) / t->tick);
	return (uint16_t)(since < most ? since : most);
}

/* They are whole ones: so much time has gone by at least, and less than one more. */
static inline void learn_ticks(struct tables *t, uint16_t ticks)
{
	uint64_t tick = ((uint64_t)t->tick + 1023) >> 10;

	t->told_by = AFTER_EVENT;
	t->tick_at += ticks_counted(ticks) * t->tick >> 10;
	if ((int64_t)(t->now - t->tick_at) < 0)
		t->now = t->tick_at;
	else if (tick && t->now - t->tick_at >= tick)
		t->tick_at = t->now - (tick - 1);
}

/* -- columns that are divided by the type ---------------------------------------------------------- */

static inline unsigned ops_column(const struct tables *t, unsigned likely_type)
{
	return PACK_OPS + (likely_type & t->classes);
}

static inline unsigned ticks_column(const struct tables *t, unsigned type)
{
	return PACK_TICKS + (type & t->classes);
}
