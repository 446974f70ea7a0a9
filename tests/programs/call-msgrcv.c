/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* msgrcv: type and text, messages that are too long, filters, the queue's own state. */
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "check.h"

struct message {
	long type;
	char text[64];
};

static int queue;

static void *sends_later(void *arg)
{
	struct message m = { 7, "from the thread" };

	sleep_ms(20);
	CHECK(msgsnd(queue, &m, 16, 0) == 0);
	return arg;
}

int main(void)
{
	struct message m = { 1, "first" }, back;
	struct msqid_ds state;
	pthread_t thread;

	queue = msgget(IPC_PRIVATE, 0600);
	CHECK(queue >= 0);
	CHECK(msgsnd(queue, &m, 6, 0) == 0);
	m = (struct message){ 5, "a longer second one" };
	CHECK(msgsnd(queue, &m, 20, 0) == 0);
	CHECK(msgctl(queue, IPC_STAT, &state) == 0 && state.msg_qnum == 2 && state.__msg_cbytes == 26);

	memset(&back, '.', sizeof(back));
	CHECK(msgrcv(queue, &back, sizeof(back.text), 5, 0) == 20);
	CHECK(back.type == 5 && strcmp(back.text, m.text) == 0 && back.text[20] == '.');
	FAILS(msgrcv(queue, &back, 3, 0, IPC_NOWAIT), E2BIG);
	memset(&back, '.', sizeof(back));
	CHECK(msgrcv(queue, &back, 3, 0, MSG_NOERROR) == 3);
	CHECK(back.type == 1 && memcmp(back.text, "fir....", 7) == 0);
	FAILS(msgrcv(queue, &back, sizeof(back.text), 0, IPC_NOWAIT), ENOMSG);

	CHECK(pthread_create(&thread, NULL, sends_later, NULL) == 0);
	CHECK(msgrcv(queue, &back, sizeof(back.text), -9, 0) == 16 && back.type == 7);
	CHECK(strcmp(back.text, "from the thread") == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
	FAILS(msgrcv(queue, &back, 1, 0, 0), EINVAL);
	return 0;
}
