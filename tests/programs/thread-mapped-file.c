/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread writes records to a file, another finds them in its mapping as they come. */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "check.h"

enum { N_RECORDS = 200, RECORD_LEN = 3000 };

static int fd;

static void *writes(void *unused)
{
	unsigned char record[RECORD_LEN];

	for (unsigned i = 1; i <= N_RECORDS; i++) {
		memset(record, (int)i, sizeof(record));
		CHECK(pwrite(fd, record, sizeof(record), 4096) == sizeof(record));
		CHECK(pwrite(fd, &i, sizeof(i), 0) == sizeof(i));
	}
	return unused;
}

int main(void)
{
	volatile unsigned *count;
	const volatile unsigned char *record;
	unsigned seen = 0, changes = 0;
	pthread_t thread;

	fd = temporary_file(8192);
	count = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(count != MAP_FAILED);
	record = (const volatile unsigned char *)count + 4096;
	CHECK(pthread_create(&thread, NULL, writes, NULL) == 0);
	while (seen < N_RECORDS) {
		unsigned now = *count;

		changes += now != seen;
		CHECK(now >= seen && now <= N_RECORDS);
		seen = now;
		(void) sched_yield();
	}
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(record[0] == N_RECORDS && record[RECORD_LEN - 1] == N_RECORDS && changes > 0);
	(void) fprintf(stderr, "%u changes seen\n", changes);
	return 0;
}
