/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System V: shared memory attached twice, semaphores, messages by type. */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "check.h"

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
};

static void memory(void)
{
	int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
	struct shmid_ds status;
	char *at = shmat(id, NULL, 0);

	CHECK(id >= 0 && at != (void *)-1);
	at[9999] = 9;
	sleep_ms(15);
	CHECK(shmctl(id, IPC_STAT, &status) == 0 && status.shm_segsz == 10000);
	CHECK(status.shm_nattch == 1 && status.shm_cpid == getpid());
	CHECK(shmdt(at) == 0);
	FAILS(shmdt(at), EINVAL);
	at = shmat(id, NULL, SHM_RDONLY);
	CHECK(at != (void *)-1 && at[9999] == 9 && shmctl(id, IPC_RMID, NULL) == 0 && shmdt(at) == 0);
	CHECK(shmat(id, NULL, 0) == (void *)-1);
}

static void semaphores(void)
{
	unsigned short values[3] = { 1, 2, 3 }, back[3] = { 0 };
	struct sembuf two[] = { { 0, -1, IPC_NOWAIT }, { 2, 5, 0 } };
	int id = semget(IPC_PRIVATE, 3, 0600);
	struct semid_ds status;
	struct timespec soon = { 0, 5000000 };

	CHECK(id >= 0 && semctl(id, 0, SETALL, (union semun){ .array = values }) == 0);
	CHECK(semop(id, two, 2) == 0);
	FAILS(semop(id, two, 2), EAGAIN);
	two[0].sem_flg = 0;
	FAILS(semtimedop(id, two, 2, &soon), EAGAIN);
	CHECK(semctl(id, 0, GETALL, (union semun){ .array = back }) == 0);
	CHECK(back[0] == 0 && back[1] == 2 && back[2] == 8);
	CHECK(semctl(id, 1, GETVAL) == 2 && semctl(id, 2, GETPID) == getpid());
	CHECK(semctl(id, 0, IPC_STAT, (union semun){ .buf = &status }) == 0 && status.sem_nsems == 3);
	CHECK(semctl(id, 0, IPC_RMID) == 0);
	FAILS(semctl(id, 0, GETVAL), EINVAL);
}

static void messages(void)
{
	struct {
		long type;
		char text[32];
	} message = { 2, "second" };
	int id = msgget(IPC_PRIVATE, 0600);
	struct msqid_ds status;

	CHECK(id >= 0 && msgsnd(id, &message, 6, 0) == 0);
	message.type = 1;
	memcpy(message.text, "first one", 9);
	CHECK(msgsnd(id, &message, 9, 0) == 0);
	CHECK(msgctl(id, IPC_STAT, &status) == 0 && status.msg_qnum == 2);
	memset(&message, '-', sizeof(message));
	CHECK(msgrcv(id, &message, sizeof(message.text), 1, 0) == 9 && message.type == 1);
	CHECK(memcmp(message.text, "first one-", 10) == 0);
	FAILS(msgrcv(id, &message, 3, 0, IPC_NOWAIT), E2BIG);
	CHECK(msgrcv(id, &message, 3, 0, MSG_NOERROR) == 3 && memcmp(message.text, "secst", 5) == 0);
	FAILS(msgrcv(id, &message, 3, 0, IPC_NOWAIT), ENOMSG);
	CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

int main(void)
{
	memory();
	semaphores();
	messages();
	return 0;
}
