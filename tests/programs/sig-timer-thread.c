/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGEV_THREAD: glibc's helper thread runs a function at each expiry. */
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

static atomic_int n_expired;
static pthread_t main_thread;

static void expired(union sigval value)
{
	CHECK(value.sival_int == 31 && !pthread_equal(pthread_self(), main_thread));
	n_expired++;
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = expired,
				  .sigev_value.sival_int = 31 };
	struct itimerspec every = { { 0, 5000000 }, { 0, 5000000 } };
	timer_t timer;

	main_thread = pthread_self();
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &every, NULL) == 0);
	while (n_expired < 5)
		sleep_ms(2);
	CHECK(timer_delete(timer) == 0);
	(void) puts("expired");
	return 0;
}
