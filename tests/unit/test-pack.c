/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "recorder/pack.h"
#include "tests/unit/test-store-util.h"

enum { READ = 0, WRITE = 1, EPOLL_WAIT = 232, EPOLL_PWAIT = 281, MONOTONIC = 1 };
enum { TICK = 900 << 10 };

struct run {
	uint8_t *data;		/* PACK_MAX_RUN */
	size_t len;
};

static struct packer *packer;
static struct unpacker *unpacker;
static struct run run;

static int set_up(void **state)
{
	(void) state;
	assert_int_equal(packer_new(&packer), 0);
	assert_int_equal(unpacker_new(&unpacker), 0);
	run = (struct run){ malloc(PACK_MAX_RUN), 0 };
	assert_non_null(run.data);
	srandom(7);
	return 0;
}

static int tear_down(void **state)
{
	(void) state;
	packer = packer_free(packer);
	unpacker = unpacker_free(unpacker);
	free(run.data);
	return 0;
}

/* Returns its outputs, @len bytes of zeroes. */
static uint8_t *add(struct event event, size_t len)
{
	struct event *to = (struct event *)(run.data + run.len);

	event.len = (uint32_t)(sizeof(event) + (len + 7) / 8 * 8);
	assert_in_range(event.len, 0, PACK_MAX_RUN - run.len);
	*to = event;
	memset(to + 1, 0, event.len - sizeof(event));
	run.len += event.len;
	return (uint8_t *)(to + 1);
}

static void add_clock(unsigned clock, int64_t ns, unsigned ticks)
{
	(void) add((struct event){ .kind = EVENT_CLOCK, .nr = (uint16_t)clock, .result = ns,
				   .ticks = (uint16_t)ticks }, 0);
}

/* What is unpacked is what was packed. Returns the packed length. */
static size_t round_trip_with(uint32_t tick)
{
	struct packed packed;
	const void *events;
	size_t len;
	void *copy;

	pack(packer, tick, run.data, run.len, &packed);
	assert_in_range(packed.len, 1, PACK_MAX_LEN);
	for (unsigned i = 1; i < PACK_N_COLUMNS; i++)
		assert_in_range(packed.ends[i], packed.ends[i - 1], packed.len);
	assert_int_equal(packed.ends[PACK_N_COLUMNS - 1], packed.len);
	copy = guarded_alloc(packed.len);
	memcpy(copy, packed.data, packed.len);
	assert_int_equal(unpack(unpacker, copy, packed.len, &events, &len), 0);
	assert_int_equal(len, run.len);
	assert_memory_equal(events, run.data, len);
	guarded_free(copy, packed.len);
	return packed.len;
}

static size_t round_trip(void)
{
	size_t len = round_trip_with(TICK);

	(void) round_trip_with(0);
	(void) round_trip_with(1);
	(void) round_trip_with(UINT32_MAX);
	return len;
}

/* How long its columns are together. */
static size_t columns_len(unsigned from, unsigned to)
{
	struct packed packed;

	pack(packer, TICK, run.data, run.len, &packed);
	return packed.ends[to] - packed.ends[from - 1];
}

/* -- tests ------------------------------------------------------------------------------------------ */

/* A server: waits, reads from one of its clients, looks at the time, answers. */
static void serve(unsigned n, unsigned clients)
{
	int64_t ns = 1234567890123456789;

	for (unsigned i = 0; i < n; i++) {
		unsigned client = (unsigned)random() % clients;
		uint8_t *outputs = add((struct event){ .kind = EVENT_SYSCALL, .nr = EPOLL_WAIT, .ticks = 7,
						       .check = 0x7886e2f3, .result = 1 }, 16);

		outputs[0] = 12;
		outputs[8] = (uint8_t)client;
		outputs = add((struct event){ .kind = EVENT_SYSCALL, .nr = READ, .ticks = 1,
					      .check = 0x12345678 * client, .result = 45 }, 49);
		memset(outputs, 'x', 45);
		ns += 9000 + random() % 1000;
		add_clock(MONOTONIC, ns, 0);
		add_clock(EVENT_CLOCK_TIMEOFDAY, ns / 1000 * 1000, 0);
		(void) add((struct event){ .kind = EVENT_SYSCALL, .nr = WRITE, .ticks = 3,
					   .check = 0x87654321 * client, .result = 5 }, 0);
	}
}

/* Beside a byte for each event there is what can't be foretold: who comes, and when. */
static void test_what_repeats_is_small(void **state)
{
	(void) state;
	serve(5000, 50);
	assert_in_range(round_trip(), 0, 5000 * 14);
}

/* A wait's event. Its outputs begin with their length, then the ready ones' events and data. */
static void add_wait(unsigned nr, const uint64_t *ready, unsigned n)
{
	uint8_t *outputs = add((struct event){ .kind = EVENT_SYSCALL, .nr = (uint16_t)nr, .check = 77,
					       .result = (int64_t)n }, 4 + 12 * n);
	const uint32_t len = 12 * n, readable = 1;

	memcpy(outputs, &len, sizeof(len));
	for (unsigned i = 0; i < n; i++) {
		memcpy(outputs + 4 + 12 * i, &readable, sizeof(readable));
		memcpy(outputs + 8 + 12 * i, &ready[i], sizeof(ready[i]));
	}
}

static void add_call(unsigned nr, uint64_t client)
{
	(void) add((struct event){ .kind = EVENT_SYSCALL, .nr = (uint16_t)nr, .result = 5,
				   .check = (uint32_t)(client * 0x12345679 + nr) }, 0);
}

/*
 * The clients come in the order in which they were answered, but for neighbours, some at once;
 * all of them are read from, and are then answered in that order or from behind.
 */
static void serve_in_turn(unsigned n, unsigned clients, uint64_t apart, bool backward)
{
	uint64_t *queue = calloc(clients, sizeof(*queue)), ready[8];

	assert_non_null(queue);
	for (unsigned i = 0; i < clients; i++)
		queue[i] = 6 + i * apart;
	for (unsigned i = 0; i < n; i++) {
		unsigned at_once = 1 + (unsigned)random() % 3;

		for (unsigned j = 0; j < at_once; j++) {
			unsigned place = (unsigned)random() % 2;

			ready[j] = queue[place];
			memmove(queue + place, queue + place + 1, (clients - place - 1) * sizeof(*queue));
			queue[clients - 1] = ready[j];
		}
		add_wait(EPOLL_WAIT, ready, at_once);
		for (unsigned j = 0; j < at_once; j++)
			add_call(READ, ready[j]);
		for (unsigned j = 0; j < at_once; j++)
			add_call(WRITE, ready[backward ? at_once - 1 - j : j]);
	}
	free(queue);
}

/* That it is the client's turn is all that is said of it. */
static void test_who_is_ready(void **state)
{
	(void) state;
	for (unsigned backward = 0; backward < 2; backward++) {
		run.len = 0;
		serve_in_turn(3000, 50, 1, backward);
		(void) round_trip();
		/* Each is new once, and at the beginning the order of answers isn't known. */
		assert_in_range(columns_len(PACK_CHECKS, PACK_NEW), 1, 50 * (12 + 8) + 500);
		assert_in_range(columns_len(PACK_CHECKS, PACK_CHECKS), 0, 300);
		assert_int_equal(columns_len(PACK_PLACES, PACK_CHANGES), 0);
		assert_in_range(columns_len(PACK_READY, PACK_READY), 3000, 9000);
	}
}

/* More than places have numbers, than are remembered; some that never come again. */
static void test_many_are_ready(void **state)
{
	static const unsigned clients[] = { 2, 250, 254, 255, 256, 700, 1023, 1024, 1025, 2000 };

	(void) state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++) {
		run.len = 0;
		serve_in_turn(2200, clients[i], UINT64_C(0x123456789), i % 2);
		serve_in_turn(1000, 3, 1, false);
		(void) round_trip();
	}
}

/* Who comes no more isn't in the way of those who do. */
static void test_those_who_left_are_forgotten(void **state)
{
	(void) state;
	for (unsigned i = 0; i < 30; i++)
		serve_in_turn(80, 20, 1000 + i, false);
	(void) round_trip();
	assert_in_range(columns_len(PACK_NEW, PACK_NEW), 0, 30 * 20 * (12 + 8) + 2000);
}

/* Waits of which the outputs aren't what the kernel gives. */
static void test_strange_waits(void **state)
{
	uint64_t ready[100] = { 0 };

	(void) state;
	for (unsigned i = 0; i < 2000; i++) {
		unsigned n = (unsigned)random() % (i % 7 ? 4 : 100);
		size_t at = run.len;
		struct event *event;

		for (unsigned j = 0; j < n; j++)
			ready[j] = (uint64_t)random() % 5;
		add_wait(i % 3 ? EPOLL_WAIT : EPOLL_PWAIT, ready, n);
		event = (struct event *)(run.data + at);
		if (random() % 4 == 0)
			((uint8_t *)event)[sizeof(*event) + (size_t)random() % (event->len - sizeof(*event))]++;
		if (random() % 4 == 0)
			event->result += random() % 3 - 1;
		if (random() % 16 == 0)
			event->result = random() % 2 ? INT64_MAX : INT64_MIN;
		if (random() % 16 == 0)
			event->thread = (uint16_t)random();
		if (random() % 4 == 0)
			add_call(READ, ready[0] % 5);
	}
	(void) round_trip();
}

static void test_nothing(void **state)
{
	(void) state;
	(void) round_trip();
}

static void test_runs_stand_by_themselves(void **state)
{
	size_t first;

	(void) state;
	serve(100, 3);
	first = round_trip();
	assert_int_equal(round_trip(), first);
}

/* The service could have written anything: of each field that differs from what is usual. */
static void test_anything(void **state)
{
	(void) state;
	for (unsigned round = 0; round < 300; round++) {
		unsigned variety = 1u << round % 17;

		run.len = 0;
		while (run.len < 20000) {
			size_t len = round % 3 == 0 ? (size_t)random() % 100 : 8 * (size_t)(random() % 3);
			uint8_t *outputs;

			outputs = add((struct event){
				.kind = (uint8_t)(random() % (round % 2 ? 256 : 5)),
				.flags = (uint8_t)(random() % 4),
				.thread = (uint16_t)(random() % variety),
				.nr = (uint16_t)(random() % variety),
				.ticks = (uint16_t)(random() % (round % 5 ? 256 : 0x10000)),
				.check = (uint32_t)((uint64_t)random() % ((uint64_t)variety * variety)),
				.result = random() % 5 ? random() % variety : (int64_t)(random() * -random()),
			}, len);
			for (size_t i = 0; i < len; i++)
				outputs[i] = random() % 8 ? 0 : (uint8_t)random();
		}
		(void) round_trip();
	}
}

/*
 * The time between two events is told by ticks, and by clocks that don't agree with them to the
 * last. What one has told needn't be told by another: of microseconds nothing is left behind
 * nanoseconds but how long it took to read them.
 */
static void test_time_is_told_once(void **state)
{
	int64_t ns = 1795712451157956000, before = ns;
	size_t first, rest;

	(void) state;
	for (unsigned i = 0; i < 3000; i++) {
		ns += 20000 + random() % 80000;
		(void) add((struct event){ .kind = EVENT_SYSCALL, .nr = READ, .check = 1,
					   .ticks = (uint16_t)((ns - before) * 1024 / TICK) }, 0);
		before += (ns - before) * 1024 / TICK * TICK / 1024;
		add_clock(EVENT_CLOCK_TIMEOFDAY, ns / 1000 * 1000, 0);
		add_clock(MONOTONIC, ns - 1795000000000000000 + 30, 0);
		add_clock(EVENT_CLOCK_TIMEOFDAY, (ns + 60) / 1000 * 1000, 0);
	}
	(void) round_trip();
	first = columns_len(PACK_CLOCKS, PACK_CLOCKS_REST - 1);
	rest = columns_len(PACK_CLOCKS_REST, PACK_N_COLUMNS - 1);
	assert_int_equal(first, 3 * 3000);
	/* Nanoseconds take two bytes, and the others one. */
	assert_in_range(rest, 0, 3000 + 100);
}

/* Readings forward and backward, of clocks that don't exist, and such as no clock gives. */
static void test_clocks(void **state)
{
	static const unsigned clocks[] = { 0, 1, 2, 6, 11, 30, EVENT_CLOCK_TIMEOFDAY, EVENT_CLOCK_TIME, 66, 65535 };
	static const int64_t values[] = { 0, 1, -1, 127, 128, 1000000000, 1795712451157956000, INT64_MAX,
					  INT64_MIN, 999, INT64_MIN + 1 };

	(void) state;
	for (unsigned round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++)
			for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++)
				add_clock(clocks[i], values[j], j % 3 ? 0 : 300 * (unsigned)j);
	(void) add((struct event){ .kind = EVENT_CLOCK, .nr = 1, .check = 1 }, 0);
	memset(add((struct event){ .kind = EVENT_CLOCK, .nr = 1 }, 8), 1, 8);
	(void) round_trip();
}

static void test_outputs(void **state)
{
	struct event event = { .kind = EVENT_SYSCALL, .nr = READ, .check = 1 };

	(void) state;
	for (unsigned n = 0; n < 60; n++) {	/* bytes that differ from the last */
		uint8_t *outputs = add(event, 12000);

		for (unsigned i = 0; i < n; i++)
			outputs[(i * 7919 + n) % 12000] = (uint8_t)(n + i + 1);
	}
	(void) add(event, 0);
	for (unsigned len = 8; len < 100; len += 8)
		memset(add(event, len), 1, len);
	(void) round_trip();
}

/* Nothing is as it was, and the run as long as can be. */
static void test_it_grows_by_a_quarter_at_most(void **state)
{
	uint64_t value = 1;

	(void) state;
	for (unsigned long i = 0; run.len + 64 <= PACK_MAX_RUN; i++) {
		struct event event = { 0 };
		size_t len = i % 4 * 8;
		uint8_t *outputs;

		for (size_t j = 4; j < sizeof(event); j++) {
			value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
			((uint8_t *)&event)[j] = (uint8_t)(value >> 56);
		}
		event.ticks |= 0xff;
		outputs = add(event, len);
		for (size_t j = 0; j < len; j++)
			outputs[j] = (uint8_t)(value >> j % 8 * 8);
	}
	assert_in_range(round_trip(), run.len, run.len + run.len / 4);
}

/* Each bit turned over, each length: refused, or some run or other. */
static void test_damage(void **state)
{
	struct packed packed;
	const void *events;
	size_t len;
	uint8_t *copy;

	(void) state;
	serve(40, 5);
	add_clock(0, 77, 1000);
	pack(packer, TICK, run.data, run.len, &packed);
	copy = guarded_alloc(packed.len);
	memcpy(copy, packed.data, packed.len);
	for (size_t i = 0; i < packed.len * 8; i++) {
		int r;

		copy[i / 8] ^= (uint8_t)(1 << i % 8);
		r = unpack(unpacker, copy, packed.len, &events, &len);
		assert_true(r == 0 || r == -EBADMSG || (r == -EPROTONOSUPPORT && i < 8));
		copy[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	guarded_free(copy, packed.len);
	for (size_t i = 0; i < packed.len; i++) {
		copy = guarded_alloc(i);
		memcpy(copy, packed.data, i);
		assert_int_equal(unpack(unpacker, copy, i, &events, &len), -EBADMSG);
		guarded_free(copy, i);
	}
}

/* A run that version 1 has packed: what it was of, by a hash. */
static void test_version_1(void **state)
{
	const char *top = getenv("top_srcdir");
	uint8_t data[32768];
	const void *events;
	char path[4096];
	size_t len;
	FILE *file;

	(void) state;
	(void) snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/pack/version-1", top ? top : ".");
	file = fopen(path, "re");
	assert_non_null(file);
	len = fread(data, 1, sizeof(data), file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(data[0], 1);
	assert_int_equal(unpack(unpacker, data, len, &events, &len), 0);
	assert_int_equal(len, 43784);
	assert_true(XXH3_64bits(events, len) == UINT64_C(0xfab08e8d7bbdc486));
}

/* As logs were before they were packed, for one. */
static void test_other_versions_are_refused(void **state)
{
	const struct event event = { .len = sizeof(event), .kind = EVENT_START };
	uint8_t bytes[sizeof(event)];
	const void *events;
	size_t len;

	(void) state;
	assert_int_equal(unpack(unpacker, &event, sizeof(event), &events, &len), -EPROTONOSUPPORT);
	memcpy(bytes, &event, sizeof(event));
	bytes[0] = 0;
	assert_int_equal(unpack(unpacker, bytes, sizeof(bytes), &events, &len), -EPROTONOSUPPORT);
	bytes[0] = PACK_VERSION + 1;
	assert_int_equal(unpack(unpacker, bytes, sizeof(bytes), &events, &len), -EPROTONOSUPPORT);
}

#define WITH_PACKER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PACKER(test_what_repeats_is_small),
		WITH_PACKER(test_who_is_ready),
		WITH_PACKER(test_many_are_ready),
		WITH_PACKER(test_those_who_left_are_forgotten),
		WITH_PACKER(test_strange_waits),
		WITH_PACKER(test_nothing),
		WITH_PACKER(test_runs_stand_by_themselves),
		WITH_PACKER(test_anything),
		WITH_PACKER(test_time_is_told_once),
		WITH_PACKER(test_clocks),
		WITH_PACKER(test_outputs),
		WITH_PACKER(test_it_grows_by_a_quarter_at_most),
		WITH_PACKER(test_damage),
		WITH_PACKER(test_version_1),
		WITH_PACKER(test_other_versions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
