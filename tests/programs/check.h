/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check - what the programs share
 *
 * Each program does one thing that services do, and looks at it itself: it exits 0 only
 * if all went as the manual says. tests/cases/programs.t runs each natively, recorded and
 * replayed. What a program prints to its standard output is the same in each run; what may
 * vary goes to its standard error, and is the same in a recorded run and its replay. One
 * that ends otherwise than with status 0 says `expect: STATUS' in a comment.
 */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* In any thread and in handlers: nothing here takes a lock. */
#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			int error_ = errno;                                                \
			(void) dprintf(2, "%s:%d: %s: not so (errno %d)\n", __FILE__,      \
				       __LINE__, #condition, error_);                      \
			_exit(1);                                                          \
		}                                                                          \
	} while (0)

/* The call fails, and for this reason. */
#define FAILS(call, error)                                                                 \
	do {                                                                               \
		errno = 0;                                                                 \
		CHECK((call) == -1 && errno == (error));                                   \
	} while (0)

static inline uint64_t now_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void sleep_ms(unsigned ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static inline void handle(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK(sigaction(signal, &action, NULL) == 0);
}

static inline void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO };

	CHECK(sigaction(signal, &action, NULL) == 0);
}

/* SIGALRM in @ms, and then again every @every_us. */
static inline void alarm_in(unsigned ms, unsigned every_us)
{
	struct itimerval timer = {
		.it_value = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 },
		.it_interval = { every_us / 1000000, every_us % 1000000 },
	};

	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static inline void block(int how, int signal)
{
	sigset_t set;

	(void) sigemptyset(&set);
	(void) sigaddset(&set, signal);
	CHECK(sigprocmask(how, &set, NULL) == 0);
}

static inline bool is_blocked(int signal)
{
	sigset_t set;

	CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	return sigismember(&set, signal) == 1;
}

/* A file without a name, of @len zero bytes. */
static inline int temporary_file(off_t len)
{
	char name[] = "/tmp/blackbox-test-XXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0 && unlink(name) == 0 && ftruncate(fd, len) == 0);
	return fd;
}

/* A number that depends on each byte. */
static inline uint64_t mix(uint64_t state, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		state = (state ^ bytes[i]) * UINT64_C(0x100000001b3);
	return state;
}

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
