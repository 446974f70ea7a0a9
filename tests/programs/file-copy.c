/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel copies by itself: sendfile, splice, tee, vmsplice, copy_file_range. */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "check.h"

enum { LEN = 20000 };

static char bytes[LEN], back[LEN];

static void check_back(const char *want, ssize_t len)
{
	CHECK(memcmp(back, want, (size_t)len) == 0);
	memset(back, 0, sizeof(back));
}

static void through_pipe(int from, int to)
{
	int one[2], two[2];
	loff_t at = 1000;
	struct iovec out = { bytes, 500 }, in[] = { { back, 100 }, { back + 100, 400 } };

	CHECK(pipe(one) == 0 && pipe(two) == 0);
	CHECK(splice(from, &at, one[1], NULL, 3000, 0) == 3000 && at == 4000);
	CHECK(tee(one[0], two[1], 3000, 0) == 3000);
	at = 7;
	CHECK(ftruncate(to, 0) == 0);
	CHECK(splice(one[0], NULL, to, &at, 3000, SPLICE_F_MOVE) == 3000 && at == 3007);
	CHECK(pread(to, back, 3000, 7) == 3000);
	check_back(bytes + 1000, 3000);
	CHECK(read(two[0], back, 3000) == 3000);
	check_back(bytes + 1000, 3000);
	FAILS(splice(one[0], NULL, to, &at, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK(vmsplice(one[1], &out, 1, 0) == 500);
	CHECK(vmsplice(one[0], in, 2, 0) == 500);
	check_back(bytes, 500);
}

int main(void)
{
	int from = temporary_file(0), to = temporary_file(0), end[2];
	uint64_t random = 7;
	off_t at = 5;
	loff_t in = 100, out = 0;

	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (char)next_random(&random);
	CHECK(write(from, bytes, LEN) == LEN);
	CHECK(sendfile(to, from, &at, LEN) == LEN - 5 && at == LEN);
	CHECK(pread(to, back, LEN, 0) == LEN - 5);
	check_back(bytes + 5, LEN - 5);
	CHECK(lseek(from, 10, SEEK_SET) == 10 && pipe(end) == 0);
	CHECK(sendfile(end[1], from, NULL, 50) == 50 && lseek(from, 0, SEEK_CUR) == 60);
	CHECK(read(end[0], back, LEN) == 50);
	check_back(bytes + 10, 50);
	CHECK(copy_file_range(from, &in, to, &out, 5000, 0) == 5000 && in == 5100 && out == 5000);
	CHECK(pread(to, back, 5000, 0) == 5000);
	check_back(bytes + 100, 5000);
	through_pipe(from, to);
	return 0;
}
