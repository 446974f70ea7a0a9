/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timers on the processor time of the process and of threads, each for its own thread. */
#include <pthread.h>
#include <sys/syscall.h>

#include "check.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static __thread volatile sig_atomic_t n_mine;
static volatile sig_atomic_t n_process;

static void mine(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	CHECK(info->si_code == SI_TIMER && info->si_value.sival_int == (int)syscall(SYS_gettid));
	n_mine++;
}

static void processes(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	CHECK(info->si_code == SI_TIMER);
	n_process++;
}

static void *compute(void *unused)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1,
				  .sigev_value.sival_int = tid, .sigev_notify_thread_id = tid };
	struct itimerspec when = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;

	CHECK(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &when, NULL) == 0);
	while (n_mine < 3)
		;
	CHECK(timer_delete(timer) == 0);
	return unused;
}

int main(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2 };
	struct itimerspec when = { { 0, 5000000 }, { 0, 5000000 } };
	pthread_t threads[3];
	timer_t timer;

	handle_info(SIGRTMIN + 1, mine, 0);
	handle_info(SIGRTMIN + 2, processes, SA_RESTART);
	CHECK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &when, NULL) == 0);
	for (size_t i = 0; i < N_OF(threads); i++)
		CHECK(pthread_create(&threads[i], NULL, compute, NULL) == 0);
	for (size_t i = 0; i < N_OF(threads); i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	while (n_process < 2)
		;
	return 0;
}
