/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System V semaphores: several at once, timeouts, values of all. */
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "check.h"

union semun {
	int value;
	struct semid_ds *state;
	unsigned short *values;
	struct seminfo *info;
};

static int set;

static void *raises(void *arg)
{
	struct sembuf both[] = { { 0, 1, 0 }, { 2, 5, 0 } };

	sleep_ms(20);
	CHECK(semop(set, both, 2) == 0);
	return arg;
}

int main(void)
{
	unsigned short values[4] = { 77, 77, 77, 77 };
	struct sembuf lower[] = { { 0, -1, 0 }, { 2, -2, 0 } };
	struct timespec soon = { 0, 1000000 };
	struct semid_ds state;
	struct seminfo info;
	pthread_t thread;

	set = semget(IPC_PRIVATE, 3, 0600);
	CHECK(set >= 0);
	CHECK(semctl(set, 0, SETALL, (union semun){ .values = (unsigned short[]){ 0, 4, 0 } }) == 0);
	CHECK(semctl(set, 0, GETALL, (union semun){ .values = values }) == 0);
	CHECK(values[0] == 0 && values[1] == 4 && values[2] == 0 && values[3] == 77);
	FAILS(semtimedop(set, lower, 2, &soon), EAGAIN);
	CHECK(pthread_create(&thread, NULL, raises, NULL) == 0);
	CHECK(semop(set, lower, 2) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(semctl(set, 2, GETVAL) == 3 && semctl(set, 0, GETPID) == getpid());
	CHECK(semctl(set, 1, SETVAL, (union semun){ .value = 9 }) == 0 && semctl(set, 1, GETVAL) == 9);
	CHECK(semctl(set, 0, IPC_STAT, (union semun){ .state = &state }) == 0 && state.sem_nsems == 3);
	CHECK(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }) >= 0 && info.semmsl > 0);
	CHECK(semctl(set, 0, IPC_RMID) == 0);
	FAILS(semop(set, lower, 2), EINVAL);
	return 0;
}
