/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/pack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	TABLE_BITS = 12,
	TABLE = 1 << TABLE_BITS,
	MAX_TYPES = 255,
	MAX_CHECKS = 256,
	MAX_CLOCK = EVENT_CLOCK_TIME,
	FEW_CHANGES = 12,	/* bytes of outputs that are told one by one */
	LONG_TICKS = 0xff,	/* in PACK_TICKS: two bytes follow */
	TYPE_LEN = 6,
};

/* An event's byte in PACK_OPS. */
enum op {
	/* Its check: */
	OP_CHECK = 3,
	CHECK_FOLLOWS = 0,	/* that which followed on the type's last one */
	CHECK_AFTER = 1,	/* which followed on the event before */
	CHECK_KNOWN = 2,
	CHECK_NEW = 3,
	/* Its result isn't what the same question got the last time. */
	OP_RESULT = 1 << 2,
	/* Its outputs: */
	OP_OUTPUTS = 3 << 3,
	OUTPUTS_SAME = 0 << 3,	/* as with that question and result the last time */
	OUTPUTS_AFTER = 1 << 3,	/* as of this type's event that followed on the event before */
	OUTPUTS_CHANGED = 2 << 3, /* the same but for a few bytes */
	OUTPUTS_NEW = 3 << 3,
	/* A clock's reading: instead of all that. */
	OP_CLOCK = 1 << 5,
	CLOCK_TICKS = 1 << 0,
	/* Its type isn't the one that followed on the last few. */
	OP_TYPE = 1 << 7,
};

/* Positions in the run, + 1; 0: there was none. */
struct tables {
	uint64_t types[MAX_TYPES];
	unsigned n_types;
	uint32_t recent;		/* the last four types' numbers */
	uint8_t next_type[TABLE];	/* by those */
	struct {
		uint32_t newest, check;
	} of_type[MAX_TYPES + 1];	/* by number */
	uint64_t before;		/* the newest event that is no reading of a clock: a hash */
	uint32_t follows[TABLE];	/* by type, and check of its event before */
	uint32_t after[TABLE];		/* by type and `before' */
	uint32_t asked[TABLE];		/* by type and check */
	uint32_t answered[TABLE];	/* by type, check and result */
	uint32_t checks[MAX_CHECKS];
	unsigned n_checks;		/* only grows */
	uint8_t number_of_check[TABLE];	/* the packer's only */
	uint64_t clocks[MAX_CLOCK + 1];	/* the last readings */
};

static unsigned hash(uint64_t value)
{
	return (unsigned)(value * UINT64_C(0x9e3779b97f4a7c15) >> (64 - TABLE_BITS));
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	return (a ^ b) * UINT64_C(0xff51afd7ed558ccd) + (b >> 29);
}

static struct event *event_at(uint8_t *run, uint32_t place)
{
	return place ? (struct event *)(run + place - 1) : NULL;
}

static size_t outputs_len(const struct event *event)
{
	return event->len - sizeof(*event);
}

/* Kind, flags, thread and number. */
static uint64_t type_of(const struct event *event)
{
	uint64_t type = 0;

	memcpy(&type, &event->kind, TYPE_LEN);
	return type;
}

static unsigned likely_type(const struct tables *t)
{
	return t->next_type[hash(t->recent)];
}

static unsigned add_type(struct tables *t, uint64_t type)
{
	/* With so many the last place is taken again and again. */
	if (t->n_types < MAX_TYPES)
		t->n_types++;
	t->types[t->n_types - 1] = type;
	t->of_type[t->n_types].newest = 0;
	return t->n_types;
}

static void learn_type(struct tables *t, unsigned number)
{
	t->next_type[hash(t->recent)] = (uint8_t)number;
	t->recent = t->recent << 8 | number;
}

/* Where in the tables the events are that foretell this one, as far as it is known. */
static uint32_t *follows_of(struct tables *t, unsigned type)
{
	return &t->follows[hash(mix(type, t->of_type[type].check))];
}

static uint32_t *after_of(struct tables *t, unsigned type)
{
	return &t->after[hash(mix(type, t->before))];
}

static uint32_t *asked_of(struct tables *t, unsigned type, uint32_t check)
{
	return &t->asked[hash(mix(type, check))];
}

static uint32_t *answered_of(struct tables *t, unsigned type, const struct event *event)
{
	return &t->answered[hash(mix(mix(type, event->check), (uint64_t)event->result))];
}

/* That got the same question, or was of the type at least. */
static struct event *same_question(struct tables *t, uint8_t *run, unsigned type, uint32_t check)
{
	struct event *event = event_at(run, *asked_of(t, type, check));

	return event && event->check == check ? event : event_at(run, t->of_type[type].newest);
}

static struct event *same_answer(struct tables *t, uint8_t *run, unsigned type,
				 const struct event *event)
{
	struct event *other = event_at(run, *answered_of(t, type, event));

	return other ? other : same_question(t, run, type, event->check);
}

static uint64_t foretold_result(const struct event *like)
{
	return like ? (uint64_t)like->result : 0;
}

static void add_check(struct tables *t, uint32_t check)
{
	t->checks[t->n_checks++ % MAX_CHECKS] = check;
}

/* All of @event is known. */
static void learn(struct tables *t, unsigned type, const struct event *event, size_t at)
{
	uint32_t place = (uint32_t)at + 1;
	uint64_t begin[2] = { 0 };
	size_t len = outputs_len(event);

	*follows_of(t, type) = place;
	*after_of(t, type) = place;
	*asked_of(t, type, event->check) = place;
	*answered_of(t, type, event) = place;
	t->of_type[type].newest = place;
	t->of_type[type].check = event->check;
	memcpy(begin, event + 1, len < sizeof(begin) ? len : sizeof(begin));
	t->before = mix(mix(mix(type, event->check), begin[0]), begin[1]);
}

/* -- clocks ----------------------------------------------------------------------------------- */

struct clock {
	unsigned column;
	int64_t unit;		/* of its readings, in nanoseconds */
};

static struct clock clock_of(unsigned nr)
{
	enum { REALTIME = 0, MONOTONIC = 1 };

	switch (nr) {
	case EVENT_CLOCK_TIMEOFDAY:
		return (struct clock){ PACK_CLOCKS, 1000 };
	case MONOTONIC:
		return (struct clock){ PACK_CLOCKS + 2, 1 };
	case REALTIME:
		return (struct clock){ PACK_CLOCKS + 4, 1 };
	default:
		return (struct clock){ PACK_CLOCKS + 6, nr == EVENT_CLOCK_TIME ? 1000000000 : 1 };
	}
}

/* -- packing ---------------------------------------------------------------------------------- */

struct packer {
	struct tables tables;
	uint8_t *run;
	uint8_t *ends[PACK_N_COLUMNS];	/* of what the columns have so far */
	uint8_t *columns[PACK_N_COLUMNS];
	uint8_t *data;			/* put together */
	uint8_t *memory;
};

/* What an event adds to a column at most. */
static const uint8_t column_bytes[PACK_N_COLUMNS] = {
	[PACK_OPS] = 1, [PACK_TYPES] = 1, [PACK_CHECKS] = 1, [PACK_NEW] = TYPE_LEN + 4,
	[PACK_RESULTS] = 10, [PACK_TICKS] = 3, [PACK_LENGTHS] = 2, [PACK_PLACES] = 1 + 3 * FEW_CHANGES,
	[PACK_CHANGES] = FEW_CHANGES, [PACK_OUTPUTS] = 0,
	[PACK_CLOCKS] = 1, 9, 1, 9, 1, 9, 1, 9,
};

static size_t column_room(unsigned column)
{
	return column == PACK_OUTPUTS ? PACK_MAX_RUN : PACK_MAX_EVENTS * column_bytes[column];
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

static void put_ticks(struct packer *p, uint16_t ticks)
{
	if (ticks < LONG_TICKS) {
		put(p, PACK_TICKS, ticks);
		return;
	}
	put(p, PACK_TICKS, LONG_TICKS);
	put_bytes(p, PACK_TICKS, &ticks, sizeof(ticks));
}

/* Returns its number. */
static unsigned pack_type(struct packer *p, uint64_t type, uint8_t *op)
{
	struct tables *t = &p->tables;
	unsigned number = likely_type(t);

	if (number && t->types[number - 1] == type)
		return number;
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

/* False: that is no reading as the agent writes them. */
static bool pack_clock(struct packer *p, const struct event *event, uint8_t *op)
{
	const struct clock clock = clock_of(event->nr);
	int64_t since;

	if (event->kind != EVENT_CLOCK || event->nr > MAX_CLOCK || outputs_len(event) || event->check)
		return false;
	since = (int64_t)((uint64_t)event->result - p->tables.clocks[event->nr]);
	if (since % clock.unit)
		return false;
	put_split(p, clock.column, clock.column + 1, zigzag(since / clock.unit));
	p->tables.clocks[event->nr] = (uint64_t)event->result;
	*op |= OP_CLOCK;
	if (event->ticks) {
		*op |= CLOCK_TICKS;
		put_ticks(p, event->ticks);
	}
	return true;
}

static uint8_t pack_check(struct packer *p, unsigned type, uint32_t check)
{
	struct tables *t = &p->tables;
	const struct event *like = event_at(p->run, *follows_of(t, type));
	uint8_t *number = &t->number_of_check[hash(check)];

	if (like && like->check == check)
		return CHECK_FOLLOWS;
	like = event_at(p->run, *after_of(t, type));
	if (like && like->check == check)
		return CHECK_AFTER;
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

static uint8_t pack_outputs(struct packer *p, unsigned type, const struct event *event)
{
	const struct event *like = same_answer(&p->tables, p->run, type, event), *after;
	uint16_t places[FEW_CHANGES];
	unsigned n;

	if (has_outputs_of(event, like))
		return OUTPUTS_SAME;
	after = event_at(p->run, *after_of(&p->tables, type));
	if (after && has_outputs_of(event, after))
		return OUTPUTS_AFTER;
	if (like && like->len == event->len && find_changes(event, like, places, &n)) {
		put_changes(p, event, like, places, n);
		return OUTPUTS_CHANGED;
	}
	put_varint(p, PACK_LENGTHS, outputs_len(event) / 8);
	put_bytes(p, PACK_OUTPUTS, event + 1, outputs_len(event));
	return OUTPUTS_NEW;
}

static void pack_event(struct packer *p, size_t at)
{
	const struct event *event = (const struct event *)(p->run + at);
	uint8_t op = 0;
	unsigned type = pack_type(p, type_of(event), &op);

	learn_type(&p->tables, type);
	if (!pack_clock(p, event, &op)) {
		uint64_t differs;

		op |= pack_check(p, type, event->check);
		differs = (uint64_t)event->result -
			  foretold_result(same_question(&p->tables, p->run, type, event->check));
		if (differs) {
			op |= OP_RESULT;
			put_varint(p, PACK_RESULTS, zigzag((int64_t)differs));
		}
		op |= pack_outputs(p, type, event);
		put_ticks(p, event->ticks);
		learn(&p->tables, type, event, at);
	}
	put(p, PACK_OPS, op);
}

static uint8_t *add_varint(uint8_t *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

void pack(struct packer *p, const void *events, size_t len, struct packed *ret_packed)
{
	uint8_t *to = p->data;

	assert(len <= PACK_MAX_RUN);
	memset(&p->tables, 0, sizeof(p->tables));
	memcpy(p->ends, p->columns, sizeof(p->ends));
	p->run = (uint8_t *)(uintptr_t)events;
	for (size_t at = 0; at < len; at += ((const struct event *)(p->run + at))->len)
		pack_event(p, at);

	*to++ = PACK_VERSION;
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

/* -- unpacking -------------------------------------------------------------------------------- */

struct unpacker {
	struct tables tables;
	uint8_t *run;
	size_t len, room;		/* of what has been unpacked; of the whole */
	const uint8_t *at[PACK_N_COLUMNS], *ends[PACK_N_COLUMNS];
	bool bad;
};

struct unpacker *unpacker_free(struct unpacker *u)
{
	if (u) {
		free(u->run);
		free(u);
	}
	return NULL;
}

int unpacker_new(struct unpacker **ret_unpacker)
{
	struct unpacker *u = calloc(1, sizeof(*u));

	if (u)
		u->run = malloc(PACK_MAX_RUN);
	if (!u || !u->run) {
		(void) unpacker_free(u);
		return -ENOMEM;
	}
	*ret_unpacker = u;
	return 0;
}

/* What isn't there is zero, and the run is bad. */
static void get_bytes(struct unpacker *u, unsigned column, void *to, size_t len)
{
	if (len > (size_t)(u->ends[column] - u->at[column])) {
		u->bad = true;
		memset(to, 0, len);
		return;
	}
	memcpy(to, u->at[column], len);
	u->at[column] += len;
}

static uint8_t get(struct unpacker *u, unsigned column)
{
	uint8_t byte;

	get_bytes(u, column, &byte, 1);
	return byte;
}

static uint64_t get_split(struct unpacker *u, unsigned first, unsigned rest)
{
	uint8_t byte = get(u, first);
	uint64_t value = byte & 0x7f;

	for (unsigned shift = 7; byte & 0x80 && shift < 64; shift += 7) {
		byte = get(u, rest);
		value |= (uint64_t)(byte & 0x7f) << shift;
	}
	u->bad |= byte >> 7;
	return value;
}

static uint64_t get_varint(struct unpacker *u, unsigned column)
{
	return get_split(u, column, column);
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1 ^ -(value & 1));
}

static uint16_t get_ticks(struct unpacker *u)
{
	uint16_t ticks = get(u, PACK_TICKS);

	if (ticks == LONG_TICKS)
		get_bytes(u, PACK_TICKS, &ticks, sizeof(ticks));
	return ticks;
}

static unsigned unpack_type(struct unpacker *u, uint8_t op)
{
	struct tables *t = &u->tables;
	unsigned number = op & OP_TYPE ? get(u, PACK_TYPES) : likely_type(t);
	uint64_t type = 0;

	if (op & OP_TYPE && number == 0) {
		get_bytes(u, PACK_NEW, &type, TYPE_LEN);
		return add_type(t, type);
	}
	if (number == 0 || number > t->n_types) {
		u->bad = true;
		return 0;
	}
	return number;
}

static void unpack_clock(struct unpacker *u, struct event *event, uint8_t op)
{
	const struct clock clock = clock_of(event->nr);
	uint64_t since;

	if (event->nr > MAX_CLOCK) {
		u->bad = true;
		return;
	}
	since = (uint64_t)unzigzag(get_split(u, clock.column, clock.column + 1));
	u->tables.clocks[event->nr] += since * (uint64_t)clock.unit;
	event->result = (int64_t)u->tables.clocks[event->nr];
	if (op & CLOCK_TICKS)
		event->ticks = get_ticks(u);
}

static uint32_t unpack_check(struct unpacker *u, unsigned type, uint8_t op)
{
	struct tables *t = &u->tables;
	const struct event *like;
	uint32_t check;

	switch (op & OP_CHECK) {
	case CHECK_KNOWN:
		return t->checks[get(u, PACK_CHECKS)];
	case CHECK_NEW:
		get_bytes(u, PACK_NEW, &check, sizeof(check));
		add_check(t, check);
		return check;
	case CHECK_FOLLOWS:
		like = event_at(u->run, *follows_of(t, type));
		break;
	default:
		like = event_at(u->run, *after_of(t, type));
	}
	u->bad |= !like;
	return like ? like->check : 0;
}

static void unpack_changes(struct unpacker *u, struct event *event)
{
	uint8_t *outputs = (uint8_t *)(event + 1);
	uint64_t place = 0;

	for (unsigned n = get(u, PACK_PLACES); n && !u->bad; n--) {
		place += get_varint(u, PACK_PLACES);
		if (place >= outputs_len(event)) {
			u->bad = true;
			return;
		}
		outputs[place] = (uint8_t)(outputs[place] + get(u, PACK_CHANGES));
	}
}

/* NULL: there is none, and they are new or nothing. */
static const struct event *outputs_like(struct unpacker *u, unsigned type, const struct event *event,
					uint8_t op)
{
	switch (op & OP_OUTPUTS) {
	case OUTPUTS_NEW:
		return NULL;
	case OUTPUTS_AFTER:
		return event_at(u->run, *after_of(&u->tables, type));
	default:
		return same_answer(&u->tables, u->run, type, event);
	}
}

/* And with them the event's length. */
static void unpack_outputs(struct unpacker *u, unsigned type, struct event *event, uint8_t op)
{
	const struct event *like = outputs_like(u, type, event, op);
	uint64_t words = like ? outputs_len(like) / 8 : 0;

	if ((op & OP_OUTPUTS) == OUTPUTS_NEW)
		words = get_varint(u, PACK_LENGTHS);
	if (words > (u->room - u->len - sizeof(*event)) / 8) {
		u->bad = true;
		return;
	}
	event->len = (uint32_t)(sizeof(*event) + words * 8);
	if (like)
		memcpy(event + 1, like + 1, words * 8);
	else
		get_bytes(u, PACK_OUTPUTS, event + 1, words * 8);
	if ((op & OP_OUTPUTS) == OUTPUTS_CHANGED)
		unpack_changes(u, event);
}

static void unpack_event(struct unpacker *u)
{
	struct event *event = (struct event *)(u->run + u->len);
	uint8_t op = get(u, PACK_OPS);
	unsigned type = unpack_type(u, op);

	u->bad |= u->room - u->len < sizeof(*event);
	if (u->bad)
		return;
	learn_type(&u->tables, type);
	*event = (struct event){ .len = sizeof(*event) };
	memcpy(&event->kind, &u->tables.types[type - 1], TYPE_LEN);
	if (op & OP_CLOCK) {
		unpack_clock(u, event, op);
	} else {
		event->check = unpack_check(u, type, op);
		event->result = (int64_t)foretold_result(
			same_question(&u->tables, u->run, type, event->check));
		if (op & OP_RESULT)
			event->result = (int64_t)((uint64_t)event->result +
						  (uint64_t)unzigzag(get_varint(u, PACK_RESULTS)));
		unpack_outputs(u, type, event, op);
		event->ticks = get_ticks(u);
		if (!u->bad)
			learn(&u->tables, type, event, u->len);
	}
	u->len += event->len;
}

/* The lengths at the run's beginning. */
static uint64_t take_varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *at < end && shift < 28; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	return UINT64_MAX;
}

static int find_columns(struct unpacker *u, const uint8_t *at, const uint8_t *end)
{
	uint64_t room = take_varint(&at, end), lens[PACK_N_COLUMNS];

	if (room > PACK_MAX_RUN)
		return -EBADMSG;
	u->room = room;
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++)
		lens[i] = take_varint(&at, end);
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++) {
		if (lens[i] > (uint64_t)(end - at))
			return -EBADMSG;
		u->at[i] = at;
		u->ends[i] = at += lens[i];
	}
	return at == end ? 0 : -EBADMSG;
}

int unpack(struct unpacker *u, const void *data, size_t len, const void **ret_events,
	   size_t *ret_len)
{
	const uint8_t *at = data, *end = at + len;

	if (len == 0)
		return -EBADMSG;
	if (*at != PACK_VERSION)
		return -EPROTONOSUPPORT;
	if (find_columns(u, at + 1, end) < 0)
		return -EBADMSG;
	memset(&u->tables, 0, sizeof(u->tables));
	u->len = 0;
	u->bad = false;
	while (u->at[PACK_OPS] < u->ends[PACK_OPS] && !u->bad)
		unpack_event(u);
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++)
		u->bad |= u->at[i] != u->ends[i];
	if (u->bad || u->len != u->room)
		return -EBADMSG;
	*ret_events = u->run;
	*ret_len = u->len;
	return 0;
}
