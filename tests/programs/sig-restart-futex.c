/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* With SA_RESTART, a futex wait without a timeout goes on behind the handler. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "check.h"

static uint32_t word;
static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

static void *let_go(void *unused)
{
	while (!n_alarms)
		sleep_ms(5);
	while (syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0) != 1)
		sleep_ms(5);
	return unused;
}

int main(void)
{
	pthread_t thread;

	handle(SIGALRM, on_alarm, SA_RESTART);
	block(SIG_BLOCK, SIGALRM);
	CHECK(pthread_create(&thread, NULL, let_go, NULL) == 0);
	block(SIG_UNBLOCK, SIGALRM);
	alarm_in(10, 0);
	CHECK(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0);
	CHECK(n_alarms == 1);
	CHECK(pthread_join(thread, NULL) == 0);
	return 0;
}
