/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A System V segment attached twice is one memory; it outlives each attachment. */
#include <sys/ipc.h>
#include <sys/shm.h>

#include "check.h"

enum { LEN = 20000 };

int main(void)
{
	int id = shmget(IPC_PRIVATE, LEN, IPC_CREAT | 0600);
	char *at = shmat(id, NULL, 0), *twin = shmat(id, NULL, 0), *reads = shmat(id, NULL, SHM_RDONLY);

	CHECK(id >= 0 && at != (void *)-1 && twin != (void *)-1 && reads != (void *)-1);
	CHECK(shmctl(id, IPC_RMID, NULL) == 0);
	at[LEN - 1] = 9;
	CHECK(twin[LEN - 1] == 9 && reads[LEN - 1] == 9);
	sleep_ms(25);
	twin[5000] = 5;
	CHECK(at[5000] == 5 && reads[5000] == 5 && shmdt(at) == 0);
	twin[6000] = 6;
	CHECK(reads[6000] == 6);
	sleep_ms(25);
	CHECK(shmdt(twin) == 0 && reads[6000] == 6 && reads[LEN - 1] == 9 && shmdt(reads) == 0);
	return 0;
}
