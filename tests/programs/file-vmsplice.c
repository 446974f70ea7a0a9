/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmsplice, tee and splice: from memory into a pipe, on, and back into memory. */
#include <fcntl.h>
#include <sys/uio.h>

#include "check.h"

int main(void)
{
	char in[16] = "", rest[16] = "", file[16] = "";
	struct iovec out[2] = { { "one ", 4 }, { "two", 3 } }, back[2] = { { in, 5 }, { rest, 16 } };
	int a[2], b[2], fd = temporary_file(0);
	loff_t at = 3;

	CHECK(pipe(a) == 0 && pipe(b) == 0);
	CHECK(vmsplice(a[1], out, 2, 0) == 7);
	CHECK(tee(a[0], b[1], 100, 0) == 7);
	CHECK(vmsplice(b[0], back, 2, 0) == 7);
	CHECK(memcmp(in, "one t\0", 6) == 0 && memcmp(rest, "wo\0", 3) == 0);
	CHECK(splice(a[0], NULL, fd, &at, 100, SPLICE_F_MOVE) == 7 && at == 10);
	CHECK(pread(fd, file, sizeof(file), 0) == 10 && memcmp(file, "\0\0\0one two", 10) == 0);
	at = 7;
	CHECK(splice(fd, &at, a[1], NULL, 2, 0) == 2 && at == 9);
	CHECK(read(a[0], in, sizeof(in)) == 2 && memcmp(in, "tw", 2) == 0);
	FAILS(splice(a[0], NULL, b[1], NULL, 5, SPLICE_F_NONBLOCK), EAGAIN);
	FAILS(splice(fd, NULL, fd, NULL, 5, 0), EINVAL);
	FAILS(vmsplice(fd, out, 1, 0), EBADF);
	return 0;
}
