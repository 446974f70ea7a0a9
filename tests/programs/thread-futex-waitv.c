/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* futex_waitv and its younger relatives: woken by one of several, too late, by nobody. */
#include <pthread.h>
#include <sys/syscall.h>

#include "check.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif

enum { SIZE_U32 = 2, PRIVATE = 128 };

struct waiter {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static uint32_t words[2];

static struct waiter waiter(uint32_t *word, uint32_t value)
{
	return (struct waiter){ value, (uintptr_t)word, SIZE_U32 | PRIVATE, 0 };
}

static void *wakes(void *arg)
{
	sleep_ms(20);
	__atomic_store_n(&words[1], 1, __ATOMIC_SEQ_CST);
	while (syscall(SYS_futex, &words[1], 1 | PRIVATE, 1, NULL, NULL, 0) == 0)
		sleep_ms(1);
	return arg;
}

static void younger(void)
{
	struct timespec until;

	if (syscall(SYS_futex_wake, &words[0], ~0ul >> 32, 1, SIZE_U32 | PRIVATE) < 0) {
		CHECK(errno == ENOSYS || errno == EPERM);
		return;
	}
	FAILS(syscall(SYS_futex_wait, &words[0], 99ul, ~0ul >> 32, SIZE_U32 | PRIVATE, NULL, 0), EAGAIN);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	FAILS(syscall(SYS_futex_wait, &words[0], 0ul, ~0ul >> 32, SIZE_U32 | PRIVATE, &until,
		      CLOCK_MONOTONIC), ETIMEDOUT);
	CHECK(syscall(SYS_futex_requeue, (struct waiter[]){ waiter(&words[0], 0), waiter(&words[1], 1) },
		      0, 1, 1) == 0);
}

int main(void)
{
	struct waiter waiters[2] = { waiter(&words[0], 0), waiter(&words[1], 0) };
	struct timespec until;
	pthread_t thread;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	if (syscall(SYS_futex_waitv, waiters, 2, 0, &until, CLOCK_MONOTONIC) == -1 &&
	    (errno == ENOSYS || errno == EPERM)) {
		puts("no futex_waitv here");
		return 0;
	}
	puts("futex_waitv");
	CHECK(errno == ETIMEDOUT);
	until.tv_sec += 20;
	CHECK(pthread_create(&thread, NULL, wakes, NULL) == 0);
	CHECK(syscall(SYS_futex_waitv, waiters, 2, 0, &until, CLOCK_MONOTONIC) == 1);
	CHECK(pthread_join(thread, NULL) == 0);
	FAILS(syscall(SYS_futex_waitv, waiters, 2, 0, &until, CLOCK_MONOTONIC), EAGAIN);
	FAILS(syscall(SYS_futex_waitv, waiters, 0, 0, NULL, 0), EINVAL);
	younger();
	return 0;
}
