/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/pack.h"
#include "tests/unit/test-store-util.h"

enum { READ = 0, WRITE = 1, EPOLL_WAIT = 232, MONOTONIC = 1 };

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
static size_t round_trip(void)
{
	struct packed packed;
	const void *events;
	size_t len;
	void *copy;

	pack(packer, run.data, run.len, &packed);
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
	assert_in_range(round_trip(), 0, 5000 * 16);
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
	pack(packer, run.data, run.len, &packed);
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

/* As logs were before they were packed, for one. */
static void test_other_versions_are_refused(void **state)
{
	const struct event event = { .len = sizeof(event), .kind = EVENT_START };
	const void *events;
	size_t len;

	(void) state;
	assert_int_equal(unpack(unpacker, &event, sizeof(event), &events, &len), -EPROTONOSUPPORT);
}

#define WITH_PACKER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PACKER(test_what_repeats_is_small),
		WITH_PACKER(test_nothing),
		WITH_PACKER(test_runs_stand_by_themselves),
		WITH_PACKER(test_anything),
		WITH_PACKER(test_clocks),
		WITH_PACKER(test_outputs),
		WITH_PACKER(test_it_grows_by_a_quarter_at_most),
		WITH_PACKER(test_damage),
		WITH_PACKER(test_other_versions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
