/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What siginfo_t says of signals that come from kill, sigqueue, tgkill, a timer and a child. */
#include <sys/wait.h>

#include "check.h"

/* volatile: the compiler believes that kill(2) runs no code of ours. */
static volatile siginfo_t got;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) context;
	CHECK(info->si_signo == signal);
	got = *info;
}

static void from_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
				  .sigev_value.sival_int = 77 };
	struct itimerspec soon = { .it_value.tv_nsec = 1000000 };
	timer_t timer;

	got.si_code = 0;
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &soon, NULL) == 0);
	while (got.si_code != SI_TIMER)
		sleep_ms(1);
	CHECK(got.si_value.sival_int == 77);
	CHECK(timer_delete(timer) == 0);
}

static void from_child(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(9);
	while (got.si_signo != SIGCHLD)
		sleep_ms(1);
	CHECK(got.si_code == CLD_EXITED && got.si_pid == child && got.si_status == 9);
	CHECK(waitpid(child, NULL, 0) == child);
}

int main(void)
{
	handle_info(SIGUSR1, seen, 0);
	handle_info(SIGCHLD, seen, SA_RESTART);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(got.si_code == SI_USER && got.si_pid == getpid() && got.si_uid == getuid());
	CHECK(sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 5 }) == 0);
	CHECK(got.si_code == SI_QUEUE && got.si_value.sival_int == 5 && got.si_pid == getpid());
	CHECK(raise(SIGUSR1) == 0);
	CHECK(got.si_code == SI_TKILL && got.si_pid == getpid());
	from_timer();
	from_child();
	return 0;
}
