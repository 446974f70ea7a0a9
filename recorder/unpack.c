/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "recorder/pack-model.h"

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

static uint16_t get_ticks(struct unpacker *u, unsigned type)
{
	struct tables *t = &u->tables;
	unsigned column = ticks_column(t, type);
	uint16_t ticks = get(u, column);

	if (ticks == LONG_TICKS)
		get_bytes(u, column, &ticks, sizeof(ticks));
	else if (t->version > 1)
		ticks = (uint16_t)(ticks + foretold_ticks(t) - LESS_TICKS);
	learn_ticks(t, ticks);
	return ticks;
}

static unsigned unpack_type(struct unpacker *u, unsigned likely, uint8_t op)
{
	struct tables *t = &u->tables;
	unsigned number = op & OP_TYPE ? get(u, PACK_TYPES) : likely;
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

static void unpack_clock(struct unpacker *u, unsigned type, struct event *event, uint8_t op)
{
	struct tables *t = &u->tables;
	const struct clock clock = clock_of(event->nr);
	uint64_t since;

	if (event->nr > MAX_CLOCK) {
		u->bad = true;
		return;
	}
	since = (uint64_t)unzigzag(get_split(u, first_column(t, &clock), PACK_CLOCKS_REST + clock.number));
	event->result = (int64_t)(foretold_reading(t, event->nr, &clock) + since * (uint64_t)clock.unit);
	learn_reading(t, event->nr, &clock, (uint64_t)event->result);
	if (op & CLOCK_TICKS)
		event->ticks = get_ticks(u, type);
}

static uint32_t unpack_check(struct unpacker *u, const struct places *places, uint8_t op)
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
		like = event_at(t, *places->follows);
		break;
	default:
		like = event_at(t, *places->after);
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
static const struct event *outputs_like(struct unpacker *u, unsigned type, const struct event *like,
					const struct event *after, const struct event *event, uint8_t op)
{
	switch (op & OP_OUTPUTS) {
	case OUTPUTS_NEW:
		return NULL;
	case OUTPUTS_AFTER:
		return after;
	default:
		return likely_answer(&u->tables, type, like, event);
	}
}

static void unpack_ready(struct unpacker *u, struct event *event)
{
	uint64_t n = (uint64_t)event->result, room = u->room - u->len - sizeof(*event);
	uint32_t len = (uint32_t)(n * sizeof(struct ready));
	struct ready *ready = (struct ready *)(uintptr_t)ready_of(event);

	if (n > room / sizeof(*ready) || wait_outputs_len(n) > room) {
		u->bad = true;
		return;
	}
	event->len += (uint32_t)wait_outputs_len(n);
	memset(event + 1, 0, wait_outputs_len(n));
	memcpy(event + 1, &len, sizeof(len));
	for (; n && !u->bad; n--, ready++) {
		unsigned place = get(u, PACK_READY);

		if (place == NEW_READY)
			get_bytes(u, PACK_NEW, ready, sizeof(*ready));
		else if (place < u->tables.n_ready)
			*ready = ready_at(&u->tables, place)->ready;
		else
			u->bad = true;
		learn_ready(&u->tables, place, ready);
	}
}

/* And with them the event's length. */
static void unpack_outputs(struct unpacker *u, unsigned type, const struct event *like,
			   const struct event *after, struct event *event, uint8_t op)
{
	uint64_t words;

	if ((op & OP_OUTPUTS) == OUTPUTS_CHANGED && u->tables.version > 1 && is_of_wait(event->kind, event->nr)) {
		unpack_ready(u, event);
		return;
	}
	like = outputs_like(u, type, like, after, event, op);
	words = like ? outputs_len(like) / 8 : 0;
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
	struct tables *t = &u->tables;
	struct event *event = (struct event *)(u->run + u->len);
	uint8_t *next_type = next_type_of(t), op = get(u, ops_column(t, *next_type));
	unsigned type = unpack_type(u, *next_type, op);

	u->bad |= u->room - u->len < sizeof(*event);
	if (u->bad)
		return;
	learn_type(t, next_type, type);
	*event = (struct event){ .len = sizeof(*event) };
	memcpy(&event->kind, &t->types[type - 1], TYPE_LEN);
	if (op & OP_CLOCK) {
		unpack_clock(u, type, event, op);
	} else {
		const struct places places = places_of(t, type);
		const struct event *like;

		event->check = unpack_check(u, &places, op);
		like = likely(t, type, &places, op & OP_CHECK, event->check);
		event->result = (int64_t)foretold_result(like);
		if (op & OP_RESULT)
			event->result = (int64_t)((uint64_t)event->result +
						  (uint64_t)unzigzag(get_varint(u, PACK_RESULTS)));
		unpack_outputs(u, type, like, event_at(t, *places.after), event, op);
		event->ticks = get_ticks(u, type);
		if (!u->bad)
			learn(t, type, places, event);
	}
	u->len += event->len;
}

/* The numbers at the run's beginning. */
static uint64_t take_varint(const uint8_t **at, const uint8_t *end)
{
	uint64_t value = 0;

	for (unsigned shift = 0; *at < end && shift < 35; shift += 7) {
		uint8_t byte = *(*at)++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	return UINT64_MAX;
}

/* Version 1 had fewer of them, and in this order. */
static const uint8_t columns_of_1[] = {
	PACK_OPS, PACK_TYPES, PACK_CHECKS, PACK_NEW, PACK_RESULTS, PACK_TICKS, PACK_LENGTHS, PACK_PLACES,
	PACK_CHANGES, PACK_OUTPUTS, PACK_CLOCKS, PACK_CLOCKS_REST, PACK_CLOCKS + 1, PACK_CLOCKS_REST + 1,
	PACK_CLOCKS + 2, PACK_CLOCKS_REST + 2, PACK_CLOCKS + 3, PACK_CLOCKS_REST + 3,
};

static int find_columns(struct unpacker *u, unsigned version, const uint8_t *at, const uint8_t *end)
{
	unsigned n = version == 1 ? sizeof(columns_of_1) : PACK_N_COLUMNS;
	uint64_t room = take_varint(&at, end), lens[PACK_N_COLUMNS];

	if (room > PACK_MAX_RUN)
		return -EBADMSG;
	u->room = room;
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++)
		u->at[i] = u->ends[i] = end;
	for (unsigned i = 0; i < n; i++)
		lens[i] = take_varint(&at, end);
	for (unsigned i = 0; i < n; i++) {
		unsigned column = version == 1 ? columns_of_1[i] : i;

		if (lens[i] > (uint64_t)(end - at))
			return -EBADMSG;
		u->at[column] = at;
		u->ends[column] = at += lens[i];
	}
	return at == end ? 0 : -EBADMSG;
}

int unpack(struct unpacker *u, const void *data, size_t len, const void **ret_events,
	   size_t *ret_len)
{
	const uint8_t *at = data, *end = at + len;
	unsigned version;
	uint64_t tick;

	if (len == 0)
		return -EBADMSG;
	version = *at++;
	if (version == 0 || version > PACK_VERSION)
		return -EPROTONOSUPPORT;
	tick = version > 1 ? take_varint(&at, end) : 0;
	if (tick > UINT32_MAX || find_columns(u, version, at, end) < 0)
		return -EBADMSG;
	tables_reset(&u->tables, u->run, version, (uint32_t)tick);
	u->len = 0;
	u->bad = false;
	while (u->len < u->room && !u->bad)
		unpack_event(u);
	for (unsigned i = 0; i < PACK_N_COLUMNS; i++)
		u->bad |= u->at[i] != u->ends[i];
	if (u->bad || u->len != u->room)
		return -EBADMSG;
	*ret_events = u->run;
	*ret_len = u->len;
	return 0;
}
