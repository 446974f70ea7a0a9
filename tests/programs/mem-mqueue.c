/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POSIX message queues: by priority, timed, notified by a signal. */
#include <fcntl.h>
#include <mqueue.h>

#include "check.h"

static volatile sig_atomic_t n_notified;

static void on_notify(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	CHECK(info->si_code == SI_MESGQ && info->si_value.sival_int == 77);
	n_notified++;
}

int main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 20 }, now;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
				  .sigev_value.sival_int = 77 };
	struct timespec past = { 1, 0 };
	char name[64], buffer[20];
	unsigned priority;
	mqd_t queue;

	(void) snprintf(name, sizeof(name), "/blackbox-test-%d", (int)getpid());
	queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
	CHECK(queue >= 0 && mq_unlink(name) == 0);
	handle_info(SIGUSR1, on_notify, 0);
	CHECK(mq_notify(queue, &event) == 0);
	CHECK(mq_send(queue, "low", 3, 1) == 0 && n_notified == 1);
	CHECK(mq_send(queue, "high", 4, 9) == 0 && mq_send(queue, "low2", 4, 1) == 0);
	FAILS(mq_send(queue, "x", 1, 1), EAGAIN);
	CHECK(mq_getattr(queue, &now) == 0 && now.mq_curmsgs == 3 && now.mq_msgsize == 20);
	CHECK(mq_receive(queue, buffer, sizeof(buffer), &priority) == 4 && priority == 9);
	FAILS(mq_receive(queue, buffer, 5, &priority), EMSGSIZE);
	CHECK(mq_timedreceive(queue, buffer, sizeof(buffer), &priority, &past) == 3);
	CHECK(memcmp(buffer, "lowh", 4) == 0 && priority == 1);
	CHECK(mq_receive(queue, buffer, sizeof(buffer), NULL) == 4);
	attr.mq_flags = 0;
	CHECK(mq_setattr(queue, &attr, &now) == 0 && (now.mq_flags & O_NONBLOCK));
	FAILS(mq_timedreceive(queue, buffer, sizeof(buffer), NULL, &past), ETIMEDOUT);
	CHECK(mq_close(queue) == 0);
	return 0;
}
