/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "recorder/pack-model.h"

struct packer {
	struct tables tables;
	bool steady[MAX_TYPES + 1];	/* what foretold its last event's check was the one before */
	uint8_t number_of_check[TABLE];	/* in tables.checks */
	uint8_t *ends[PACK_N_COLUMNS];	/* of what the columns have so far */
	uint8_t *columns[PACK_N_COLUMNS];
	uint8_t *data;			/* put together */
	uint8_t *memory;
};

/* What an event adds to a column at most. */
static const uint8_t column_bytes[PACK_N_COLUMNS] = {
	[PACK_OPS ... PACK_TYPES - 1] = 1, [PACK_TYPES] = 1, [PACK_CHECKS] = 1, [PACK_NEW] = TYPE_LEN + 4,
	[PACK_RESULTS] = 10, [PACK_TICKS ... PACK_LENGTHS - 1] = 3, [PACK_LENGTHS] = 2,
	[PACK_PLACES] = 1 + 3 * FEW_CHANGES, [PACK_CHANGES] = FEW_CHANGES,
	[PACK_CLOCKS ... PACK_CLOCKS_REST - 1] = 1, [PACK_CLOCKS_REST ... PACK_N_COLUMNS - 1] = 9,
};

static size_t column_room(unsigned column)
{
	switch (column) {
	case PACK_OUTPUTS:
		return PACK_MAX_RUN;
	case PACK_READY:
		return PACK_MAX_RUN / sizeof(struct ready);
	case PACK_NEW:
		return PACK_MAX_RUN + PACK_MAX_EVENTS * column_bytes[column];
	default:
		return PACK_MAX_EVENTS * column_bytes[column];
	}
}

struct packer *packer_free(struct packer *p)
{
	if (p) {
		free(p->memory);
		free(p);
	}
	return NULL;
}

int packer_new(struct packer **ret_packer)
{
	struct packer *p = calloc(1, sizeof(*p));
	size_t room = PACK_MAX_LEN;

	if (!p)
		return -ENOMEM;
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++)
		room += column_room(i);
	/* Most of it will never be touched, and so never be memory. */
	p->memory = malloc(room);
	if (!p->memory) {
		(void) packer_free(p);
		return -ENOMEM;
	}
	p->data = p->memory;
	room = PACK_MAX_LEN;
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++) {
		p->columns[i] = p->memory + room;
		room += column_room(i);
	}
	*ret_packer = p;
	return 0;
}

static void put(struct packer *p, unsigned column, uint64_t byte)
{
	*p->ends[column]++ = (uint8_t)byte;
}

static void put_bytes(struct packer *p, unsigned column, const void *bytes, size_t len)
{
	memcpy(p->ends[column], bytes, len);
	p->ends[column] += len;
}

/* The first byte of a varint to one column, the others to another. */
static void put_split(struct packer *p, unsigned first, unsigned rest, uint64_t value)
{
	unsigned column = first;

	for (; value >= 0x80; value >>= 7, column = rest)
		put(p, column, value | 0x80);
	put(p, column, value);
}

static void put_varint(struct packer *p, unsigned column, uint64_t value)
{
	put_split(p, column, column, value);
}

/* The sign last, so that what is near to 0 is small. */
static uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static void put_ticks(struct packer *p, unsigned type, uint16_t ticks)
{
	unsigned column = ticks_column(&p->tables, type);
	unsigned more = ticks + LESS_TICKS - foretold_ticks(&p->tables);

	put(p, column, more < LONG_TICKS ? more : LONG_TICKS);
	if (more >= LONG_TICKS)
		put_bytes(p, column, &ticks, sizeof(ticks));
	learn_ticks(&p->tables, ticks);
}

/* Returns its number. */
static unsigned pack_type(struct packer *p, unsigned likely, uint64_t type, uint8_t *op)
{
	struct tables *t = &p->tables;
	unsigned number;

	if (likely && t->types[likely - 1] == type)
		return likely;
	*op |= OP_TYPE;
	for (number = 1; number <= t->n_types; number++) {
		if (t->types[number - 1] != type)
			continue;
		put(p, PACK_TYPES, number);
		return number;
	}
	put(p, PACK_TYPES, 0);
	put_bytes(p, PACK_NEW, &type, TYPE_LEN);
	return add_type(t, type);
}

static inline __attribute__((always_inline)) bool
pack_reading(struct packer *p, unsigned type, const struct event *event, const struct clock clock,
	     uint8_t *op)
{
	struct tables *t = &p->tables;
	int64_t since = (int64_t)((uint64_t)event->result - foretold_reading(t, event->nr, &clock));

	if (since % clock.unit)
		return false;
	put_split(p, first_column(t, &clock), PACK_CLOCKS_REST + clock.number, zigzag(since / clock.unit));
	learn_reading(t, event->nr, &clock, (uint64_t)event->result);
	*op |= OP_CLOCK;
	if (event->ticks) {
		*op |= CLOCK_TICKS;
		put_ticks(p, type, event->ticks);
	}
	return true;
}

/* False: that is no reading as the agent writes them. */
static bool pack_clock(struct packer *p, unsigned type, const struct event *event, uint8_t *op)
{
	if (event->kind != EVENT_CLOCK || event->nr > MAX_CLOCK || outputs_len(event) || event->check)
		return false;
	/* The usual ones by themselves: the compiler knows how to divide by a constant. */
	switch (event->nr) {
	case EVENT_CLOCK_TIMEOFDAY:
		return pack_reading(p, type, event, clock_of(EVENT_CLOCK_TIMEOFDAY), op);
	case CLOCK_MONOTONIC:
		return pack_reading(p, type, event, clock_of(CLOCK_MONOTONIC), op);
	default:
		return pack_reading(p, type, event, clock_of(event->nr), op);
	}
}

static uint8_t pack_check(struct packer *p, unsigned type, const struct places *places,
			  uint32_t check)
{
	struct tables *t = &p->tables;
	bool is_after = has_check(event_at(t, *places->after), check);
	uint8_t *number;

	if (is_after && !p->steady[type])
		return CHECK_AFTER;
	p->steady[type] = has_check(event_at(t, *places->follows), check);
	if (p->steady[type])
		return CHECK_FOLLOWS;
	if (is_after)
		return CHECK_AFTER;
	number = &p->number_of_check[hash(check)];
	if (t->checks[*number] == check) {
		put(p, PACK_CHECKS, *number);
		return CHECK_KNOWN;
	}
	*number = (uint8_t)(t->n_checks % MAX_CHECKS);
	add_check(t, check);
	put_bytes(p, PACK_NEW, &check, sizeof(check));
	return CHECK_NEW;
}

static bool has_outputs_of(const struct event *event, const struct event *like)
{
	if (!like)
		return outputs_len(event) == 0;
	return like->len == event->len && memcmp(like + 1, event + 1, outputs_len(event)) == 0;
}

/* False: they differ in more. */
static bool find_changes(const struct event *event, const struct event *like,
			 uint16_t places[FEW_CHANGES], unsigned *ret_n)
{
	const uint8_t *now = (const uint8_t *)(event + 1), *was = (const uint8_t *)(like + 1);
	size_t len = outputs_len(event), few = len / 4 < FEW_CHANGES ? len / 4 : FEW_CHANGES;

	*ret_n = 0;
	for (size_t i = 0; i < len; i += 8) {
		if (memcmp(now + i, was + i, 8) == 0)
			continue;
		for (size_t j = i; j < i + 8; j++) {
			if (now[j] == was[j])
				continue;
			if (*ret_n == few)
				return false;
			places[(*ret_n)++] = (uint16_t)j;
		}
	}
	return true;
}

static void put_changes(struct packer *p, const struct event *event, const struct event *like,
			const uint16_t *places, unsigned n)
{
	const uint8_t *now = (const uint8_t *)(event + 1), *was = (const uint8_t *)(like + 1);
	unsigned behind = 0;

	put(p, PACK_PLACES, n);
	for (unsigned i = 0; i < n; i++) {
		put_varint(p, PACK_PLACES, places[i] - behind);
		put(p, PACK_CHANGES, now[places[i]] - was[places[i]]);
		behind = places[i];
	}
}

static void pack_ready(struct packer *p, const struct event *event)
{
	const struct ready *ready = ready_of(event);

	for (int64_t i = 0; i < event->result; i++) {
		unsigned place = place_of_ready(&p->tables, &ready[i]);

		put(p, PACK_READY, place);
		if (place == NEW_READY)
			put_bytes(p, PACK_NEW, &ready[i], sizeof(ready[i]));
		learn_ready(&p->tables, place, &ready[i]);
	}
}

static uint8_t pack_outputs(struct packer *p, unsigned type, const struct event *like,
			    const struct event *after, const struct event *event)
{
	uint16_t places[FEW_CHANGES];
	unsigned n;

	if (tells_ready(event)) {
		pack_ready(p, event);
		return OUTPUTS_CHANGED;
	}
	like = likely_answer(&p->tables, type, like, event);
	if (has_outputs_of(event, like))
		return OUTPUTS_SAME;
	if (after && has_outputs_of(event, after))
		return OUTPUTS_AFTER;
	if (like && like->len == event->len && !is_of_wait(event->kind, event->nr) &&
	    find_changes(event, like, places, &n)) {
		put_changes(p, event, like, places, n);
		return OUTPUTS_CHANGED;
	}
	put_varint(p, PACK_LENGTHS, outputs_len(event) / 8);
	put_bytes(p, PACK_OUTPUTS, event + 1, outputs_len(event));
	return OUTPUTS_NEW;
}

static void pack_event(struct packer *p, const struct event *event)
{
	struct tables *t = &p->tables;
	uint8_t op = 0, *next_type = next_type_of(t);
	unsigned column = ops_column(t, *next_type), type = pack_type(p, *next_type, type_of(event), &op);

	learn_type(t, next_type, type);
	if (!pack_clock(p, type, event, &op)) {
		const struct places places = places_of(t, type);
		const struct event *like;
		uint64_t differs;

		op |= pack_check(p, type, &places, event->check);
		like = likely(t, type, &places, op & OP_CHECK, event->check);
		differs = (uint64_t)event->result - foretold_result(like);
		if (differs) {
			op |= OP_RESULT;
			put_varint(p, PACK_RESULTS, zigzag((int64_t)differs));
		}
		op |= pack_outputs(p, type, like, event_at(t, *places.after), event);
		put_ticks(p, type, event->ticks);
		learn(t, type, places, event);
	}
	put(p, column, op);
}

static uint8_t *add_varint(uint8_t *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

void pack(struct packer *p, uint32_t tick, const void *events, size_t len,
	  struct packed *ret_packed)
{
	const uint8_t *at = events, *end = at + len;
	uint8_t *to = p->data;

	assert(len <= PACK_MAX_RUN);
	tables_reset(&p->tables, events, PACK_VERSION, tick);
	memcpy(p->ends, p->columns, sizeof(p->ends));
	memset(p->steady, 0, sizeof(p->steady));
	memset(p->number_of_check, 0, sizeof(p->number_of_check));
	while (at < end) {
		const struct event *event = (const struct event *)at;

		pack_event(p, event);
		at += event->len;
	}

	*to++ = PACK_VERSION;
	to = add_varint(to, tick);
	to = add_varint(to, len);
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++)
		to = add_varint(to, (uint64_t)(p->ends[i] - p->columns[i]));
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++) {
		memcpy(to, p->columns[i], (size_t)(p->ends[i] - p->columns[i]));
		to += p->ends[i] - p->columns[i];
		ret_packed->ends[i] = (size_t)(to - p->data);
	}
	ret_packed->data = p->data;
	ret_packed->len = (size_t)(to - p->data);
}
