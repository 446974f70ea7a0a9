/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's log, as it is inside a service, on a ring of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "recorder/agent/agent.h"

/* The whole image, of which the vDSO is the beginning. */
extern const uint8_t agent_image[];

enum { RING_LEN = 1 << 16 };

const struct agent_config agent_config = {
	.base = AGENT_BASE,
	.role = AGENT_RECORD,
	.ring_len = RING_LEN,
	.tick_shift = 4,
};

static struct thread thread = { .slot = 3 };
static unsigned n_wakes, n_waits;

/* -- what log.c needs of the rest of the agent ------------------------------------------ */

/* Called when the ring is full: makes room, or doesn't. */
static bool (*on_full)(void);

void wake_recorder(void)
{
	n_wakes++;
}

bool wait_for_recorder(uint32_t *word, uint32_t value, uint64_t bound_ns)
{
	(void) word;
	(void) value;
	(void) bound_ns;
	n_waits++;
	return on_full && on_full();
}

void go_pass(void)
{
	shared()->mode = MODE_PASS;
}

/* Nothing can be read below the first megabyte. */
size_t copy_user(void *to, const void *from, size_t len)
{
	if ((uintptr_t)from < 1 << 20)
		return 0;
	memcpy(to, from, len);
	return len;
}

/* -- a recorder that understands ------------------------------------------------------------ */

static uint8_t *group;		/* the outputs of the event that was read last, put together */
static size_t group_len;
static unsigned n_groups;

static const struct event *ring_event(uint64_t position)
{
	return (const struct event *)(agent_config.base + AGENT_RING + position % RING_LEN);
}

static void take(const struct event *event)
{
	size_t len = event->len - sizeof(*event);

	if (event->kind != EVENT_MORE)
		group_len = 0;
	group = realloc(group, group_len + len + 1);
	assert_non_null(group);
	memcpy(group + group_len, event + 1, len);
	group_len += len;
	if (!(event->flags & EVENT_CONTINUED))
		n_groups++;
}

/* Reads all that has been published. */
static bool drain(void)
{
	struct agent_shared *s = shared();

	while (s->tail != s->head) {
		const struct event *event = ring_event(s->tail);

		if (event->len & 1) {
			s->tail += sizeof(struct event_reading);
			continue;
		}

		assert_in_range(event->len, sizeof(*event), EVENT_MAX_LEN);
		assert_int_equal(event->len % 8, 0);
		assert_in_range(s->head - s->tail, event->len, RING_LEN);
		assert_in_range(event->kind, 1, EVENT_N - 1);
		assert_int_equal(event->thread, thread.slot);
		take(event);
		s->tail += event->len;
	}
	return true;
}

/* -- the ring ----------------------------------------------------------------------------------- */

static void map(uint64_t at, size_t len, int fd, off_t offset)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	assert_ptr_equal(mmap((void *)(agent_config.base + at), len, PROT_READ | PROT_WRITE,
			      flags | MAP_FIXED, fd, offset), (void *)(agent_config.base + at));
}

static int set_up(void **state)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);

	(void) state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SHARED_CONTROL_LEN + RING_LEN), 0);
	map(AGENT_SHARED, SHARED_CONTROL_LEN, fd, 0);
	map(AGENT_RING, RING_LEN, fd, SHARED_CONTROL_LEN);
	map(AGENT_RING + RING_LEN, RING_LEN, fd, SHARED_CONTROL_LEN);
	map(AGENT_PROCESS, ALIGN_UP(sizeof(struct agent_process), (size_t)PAGE), -1, 0);
	(void) close(fd);
	shared()->mode = MODE_RECORD;
	process()->last_tsc = read_tsc();
	n_wakes = n_waits = n_groups = 0;
	on_full = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void) state;
	free(group);
	group = NULL;
	return 0;
}

static void write_group(const uint8_t *bytes, size_t len)
{
	assert_non_null(log_begin(&thread, EVENT_SYSCALL, 0, 1, 2, 3));
	log_add(&thread, bytes, len);
	log_end(&thread);
}

/* -- tests ------------------------------------------------------------------------------------------ */

static void test_event_is_as_written(void **state)
{
	const struct event *event = ring_event(0);

	(void) state;
	log_event(&thread, EVENT_CLOCK, EVENT_AT_ENTRY, 228, 0xabcdef01, -7);
	assert_int_equal(shared()->head, sizeof(*event));
	assert_int_equal(event->len, sizeof(*event));
	assert_int_equal(event->kind, EVENT_CLOCK);
	assert_int_equal(event->flags, EVENT_AT_ENTRY);
	assert_int_equal(event->thread, 3);
	assert_int_equal(event->nr, 228);
	assert_int_equal(event->check, 0xabcdef01);
	assert_int_equal(event->result, -7);
}

static void test_outputs_of_any_length(void **state)
{
	static uint8_t bytes[5 * RING_LEN];

	(void) state;
	on_full = drain;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37 + i / 251);
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = i % 50 == 0 ? (size_t)random() % sizeof(bytes) : (size_t)random() % 3000;

		write_group(bytes, len);
		(void) drain();
		assert_int_equal(n_groups, i + 1);
		/* The end is padded. */
		assert_in_range(group_len, len, len + 7);
		assert_memory_equal(group, bytes, len);
	}
	assert_true(n_waits > 0);
}

static void test_unreadable_outputs_are_zeroes(void **state)
{
	static const uint8_t zeroes[100];

	(void) state;
	assert_non_null(log_begin(&thread, EVENT_SYSCALL, 0, 1, 2, 3));
	log_add_user(&thread, 4096, sizeof(zeroes));
	log_end(&thread);
	(void) drain();
	assert_in_range(group_len, sizeof(zeroes), sizeof(zeroes) + 7);
	assert_memory_equal(group, zeroes, sizeof(zeroes));
}

/* Nobody makes room: what was published stays whole, and the service goes on. */
static void test_full_ring_passes(void **state)
{
	static const uint8_t bytes[3 * RING_LEN];
	uint64_t head;

	(void) state;
	while (shared()->mode == MODE_RECORD) {
		head = shared()->head;
		log_event(&thread, EVENT_CLOCK, 0, 0, 0, 0);
	}
	assert_int_equal(shared()->head, head);
	assert_null(log_begin(&thread, EVENT_CLOCK, 0, 0, 0, 0));
	log_add(&thread, bytes, sizeof(bytes));
	log_end(&thread);
	assert_int_equal(shared()->head, head);
	(void) drain();
	assert_int_equal(n_groups, head / sizeof(struct event));
}

static void test_pass_in_the_middle_of_outputs(void **state)
{
	static const uint8_t bytes[3 * RING_LEN];

	(void) state;
	assert_non_null(log_begin(&thread, EVENT_SYSCALL, 0, 1, 2, 3));
	log_add(&thread, bytes, sizeof(bytes));
	log_end(&thread);
	assert_int_equal(shared()->mode, MODE_PASS);
	/* The part that was published says that more was to come: it is no whole group. */
	(void) drain();
	assert_int_equal(n_groups, 0);
}

static void test_wakes_who_sleeps(void **state)
{
	(void) state;
	shared()->consumer_sleeps = 0;
	log_event(&thread, EVENT_CLOCK, 0, 0, 0, 0);
	assert_int_equal(n_wakes, 0);
	shared()->consumer_sleeps = 1;
	log_event(&thread, EVENT_CLOCK, 0, 0, 0, 0);
	assert_int_equal(n_wakes, 1);
	/* A nap ends when a quarter of the ring is full. */
	shared()->consumer_sleeps = 2;
	while (shared()->head <= RING_LEN / 4 - sizeof(struct event))
		log_event(&thread, EVENT_CLOCK, 0, 0, 0, 0);
	assert_int_equal(n_wakes, 1);
	log_event(&thread, EVENT_CLOCK, 0, 0, 0, 0);
	assert_int_equal(n_wakes, 2);
}

static uint64_t ticks_of(const struct event *event)
{
	return event->ticks & 0x8000 ? (uint64_t)(event->ticks & 0x7fff) << 10 : event->ticks;
}

/* What events say of the time adds up to what has passed. */
static void test_ticks_add_up(void **state)
{
	uint64_t begin = process()->last_tsc, sum = 0, end;

	(void) state;
	for (unsigned i = 0; i < 200; i++) {
		uint64_t at = shared()->head;

		/* From nothing to more than the fine form can say. */
		for (uint64_t until = read_tsc() + (i % 20 == 0 ? 2000000 : i * 10); read_tsc() < until; )
			;
		log_event(&thread, EVENT_CLOCK, 0, 0, 0, 0);
		sum += ticks_of(ring_event(at)) << agent_config.tick_shift;
		(void) drain();
	}
	end = process()->last_tsc;
	assert_int_equal(sum, end - begin);
	assert_int_equal(shared()->tsc, end);
}

/* While the TSC is trapped the log must not read it. The time is caught up with behind it. */
static void test_trapped_tsc_isn_t_read(void **state)
{
	(void) state;
	process()->tsc_trapped = 1;
	log_event(&thread, EVENT_SYSCALL, 0, 0, 0, 0);
	assert_int_equal(ring_event(0)->ticks, 0);
	process()->tsc_trapped = 0;
	log_event(&thread, EVENT_SYSCALL, 0, 0, 0, 0);
	assert_int_not_equal(ring_event(sizeof(struct event))->ticks, 0);
}

/* -- readings of clocks ----------------------------------------------------------------------------- */

#define ON_ANY_STACK __attribute__((no_sanitize("address", "undefined")))

typedef int vdso_function(long, void *);

static uint8_t *vdso;			/* the vDSO, its slots filled in */
static long kernels_clock;		/* what the kernel was asked, and says */
static struct timespec64 kernels_time;
static unsigned n_asked;		/* the agent, and what it was told */
static struct timespec64 told;
static unsigned told_clock;

ON_ANY_STACK static int real_clock_gettime(long clock, struct timespec64 *time)
{
	kernels_clock = clock;
	*time = kernels_time;
	return 0;
}

ON_ANY_STACK static int real_gettimeofday(struct timespec64 *time, void *zone)
{
	*time = kernels_time;
	return zone != NULL;
}

ON_ANY_STACK static int ask_agent(void)
{
	n_asked++;
	thread.vdso_result[0] = 11;
	thread.vdso_result[1] = 22;
	return 0;
}

ON_ANY_STACK static int tell_agent(unsigned clock, uint64_t sec, uint64_t fraction)
{
	n_asked++;
	told_clock = clock;
	told = (struct timespec64){ (int64_t)sec, (int64_t)fraction };
	return 0;
}

static int set_up_vdso(void **state)
{
	static uint8_t stack[1 << 16] __attribute__((aligned(16)));
	const uint64_t slots[VDSO_N_SLOTS] = {
		[VDSO_AGENT_CLOCK_GETTIME] = (uint64_t)ask_agent,
		[VDSO_AGENT_GETTIMEOFDAY] = (uint64_t)ask_agent,
		[VDSO_REAL_CLOCK_GETTIME] = (uint64_t)real_clock_gettime,
		[VDSO_REAL_GETTIMEOFDAY] = (uint64_t)real_gettimeofday,
		[VDSO_AGENT_READING] = (uint64_t)tell_agent,
		[VDSO_SHARED] = (uint64_t)shared(),
		[VDSO_PROCESS] = (uint64_t)process(),
		[VDSO_RING] = agent_config.base + AGENT_RING,
		[VDSO_RING_MASK] = RING_LEN - 1,
	};

	(void) set_up(state);
	vdso = mmap(NULL, AGENT_VDSO_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(vdso, MAP_FAILED);
	memcpy(vdso, agent_image, AGENT_VDSO_LEN);
	memcpy(vdso + VDSO_vdso_slots, slots, sizeof(slots));
	assert_int_equal(mprotect(vdso, AGENT_VDSO_LEN, PROT_READ | PROT_EXEC), 0);
	thread.native = VDSO_QUICK;
	thread.reading_tag = thread.slot << 16;
	thread.stack_top = (uint64_t)(stack + sizeof(stack));
	thread.pending = 0;
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &thread), 0);
	kernels_time = (struct timespec64){ 1795712451, 987654321 };
	n_asked = 0;
	/* The first tells how long the others may be quick. */
	assert_true(log_clock(&thread, 1, 1, 2));
	return 0;
}

static int tear_down_vdso(void **state)
{
	(void) munmap(vdso, AGENT_VDSO_LEN);
	return tear_down(state);
}

static struct timespec64 ask(uint64_t function, long clock)
{
	struct timespec64 time = { 0, 0 };

	assert_int_equal(((vdso_function *)(vdso + function))(clock, &time), 0);
	return time;
}

static struct timespec64 ask_clock(long clock)
{
	return ask(VDSO_vdso_functions, clock);
}

static const struct event_reading *reading_at(uint64_t position)
{
	return (const struct event_reading *)ring_event(position);
}

static void test_reading_is_as_the_kernel_says(void **state)
{
	static const unsigned clocks[] = { 0, 1, 4, 5, 6, 7, 11 };

	(void) state;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		uint64_t at = shared()->head;
		struct timespec64 time = ask_clock(clocks[i]);

		assert_int_equal(kernels_clock, clocks[i]);
		assert_memory_equal(&time, &kernels_time, sizeof(time));
		assert_int_equal(shared()->head, at + sizeof(struct event_reading));
		assert_int_equal(process()->head, shared()->head);
		assert_int_equal(reading_at(at)->tag, 3 << 16 | clocks[i] << 1 | 1);
		assert_int_equal(reading_at(at)->fraction, kernels_time.nsec);
		assert_int_equal(reading_at(at)->sec, kernels_time.sec);
		assert_int_equal(shared()->n_events, i + 2);
	}
	assert_int_equal(n_asked, 0);
}

static void test_time_of_day(void **state)
{
	struct timespec64 time = { 0, 0 };
	uint64_t at = shared()->head;
	int (*gettimeofday)(void *, void *) = (int (*)(void *, void *))(vdso + VDSO_vdso_gettimeofday);
	uint8_t zone[8];

	(void) state;
	assert_int_equal(gettimeofday(&time, NULL), 0);
	assert_memory_equal(&time, &kernels_time, sizeof(time));
	assert_int_equal(reading_at(at)->tag, 3 << 16 | EVENT_CLOCK_TIMEOFDAY << 1 | 1);
	assert_int_equal(reading_at(at)->fraction, kernels_time.nsec);
	assert_int_equal(gettimeofday(NULL, NULL), 0);
	assert_int_equal(shared()->head, at + 2 * sizeof(struct event_reading));
	assert_int_equal(n_asked, 0);
	assert_int_equal(gettimeofday(&time, zone), 0);
	assert_int_equal(n_asked, 1);
	assert_int_equal(time.sec, 11);
}

/* Each reason is there alone; then the agent gets what was read, and the log nothing. */
static void test_what_is_of_note_is_the_agents(void **state)
{
	struct {
		uint32_t *word, value;
	} reasons[] = {
		{ &shared()->attention, ATTENTION_WANT },
		{ &thread.pending, 10 },
		{ &shared()->consumer_sleeps, 1 },
	};
	uint64_t head = shared()->head;

	(void) state;
	for (unsigned i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		struct timespec64 time;

		*reasons[i].word = reasons[i].value;
		time = ask_clock(7);
		*reasons[i].word = 0;
		assert_int_equal(n_asked, i + 1);
		assert_int_equal(told_clock, 7);
		assert_memory_equal(&told, &kernels_time, sizeof(told));
		assert_memory_equal(&time, &kernels_time, sizeof(time));
		assert_int_equal(shared()->head, head);
	}
	shared()->consumer_sleeps = 2;
	(void) ask_clock(7);
	assert_int_equal(n_asked, sizeof(reasons) / sizeof(*reasons));
	assert_int_equal(shared()->head, head + sizeof(struct event_reading));
}

/* Clocks that only the kernel has, and threads that aren't quick. */
static void test_other_readings_are_the_agents(void **state)
{
	static const long clocks[] = { -1, 2, 3, 8, 9, 10, 12, 31, 32, 33, 64, 1L << 30 };
	uint64_t head = shared()->head;
	unsigned n = 0;

	(void) state;
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		assert_int_equal(ask_clock(clocks[i]).nsec, 22);
		assert_int_equal(n_asked, ++n);
	}
	thread.native = VDSO_ASKS;
	assert_int_equal(ask_clock(1).nsec, 22);
	assert_int_equal(n_asked, ++n);
	thread.native = VDSO_NATIVE;
	assert_int_equal(ask_clock(1).nsec, kernels_time.nsec);
	assert_int_equal(n_asked, n);
	assert_int_equal(shared()->head, head);
}

/* There is room, a nap goes on, and from time to time the time is told: all that by the agent. */
static void test_quick_readings_end(void **state)
{
	(void) state;
	for (unsigned round = 0; round < 100; round++) {
		uint64_t begin = shared()->head;

		while (!n_asked) {
			(void) ask_clock(1);
			assert_in_range(shared()->head - shared()->tail, 1, RING_LEN / 4 + 16);
			assert_in_range(shared()->head - begin, 0, 4096 + 16);
		}
		n_asked = 0;
		if (shared()->head - shared()->tail >= RING_LEN / 4)
			shared()->tail = shared()->head;
		begin = shared()->head;
		assert_true(log_clock(&thread, 1, 5, 6));
		assert_int_equal(ring_event(begin)->len, sizeof(struct event));
		assert_int_equal(ring_event(begin)->result, 5000000006);
		assert_int_not_equal(ring_event(begin)->ticks, 0);
	}
}

/* The ring ends in the middle of one. */
static void test_reading_wraps(void **state)
{
	uint64_t at = RING_LEN - 8;

	(void) state;
	shared()->tail = shared()->head = process()->head = at - sizeof(struct event);
	assert_true(log_clock(&thread, 1, 5, 6));
	assert_int_equal(shared()->head, at);
	(void) ask_clock(6);
	assert_int_equal(n_asked, 0);
	assert_int_equal(shared()->head, at + sizeof(struct event_reading));
	assert_int_equal(reading_at(at)->fraction, kernels_time.nsec);
	assert_int_equal(*(int64_t *)ring_event(0), kernels_time.sec);
}

#define ON_A_RING(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_VDSO(test) cmocka_unit_test_setup_teardown(test, set_up_vdso, tear_down_vdso)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_RING(test_event_is_as_written),
		ON_A_RING(test_outputs_of_any_length),
		ON_A_RING(test_unreadable_outputs_are_zeroes),
		ON_A_RING(test_full_ring_passes),
		ON_A_RING(test_pass_in_the_middle_of_outputs),
		ON_A_RING(test_wakes_who_sleeps),
		ON_A_RING(test_ticks_add_up),
		ON_A_RING(test_trapped_tsc_isn_t_read),
		WITH_VDSO(test_reading_is_as_the_kernel_says),
		WITH_VDSO(test_time_of_day),
		WITH_VDSO(test_what_is_of_note_is_the_agents),
		WITH_VDSO(test_other_readings_are_the_agents),
		WITH_VDSO(test_quick_readings_end),
		WITH_VDSO(test_reading_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
