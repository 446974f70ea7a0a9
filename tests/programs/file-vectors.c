/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* readv and writev of all forms: as many pieces as there may be, flags, positions. */
#include <sys/uio.h>

#include "check.h"

enum { N = 1024 };

int main(void)
{
	static struct iovec iov[N + 1];
	static char in[N + 1], out[N + 1];
	int fd = temporary_file(0);
	ssize_t n;

	for (int i = 0; i <= N; i++) {
		out[i] = (char)('a' + i % 26);
		iov[i] = (struct iovec){ &out[i], 1 };
	}
	CHECK(writev(fd, iov, N) == N);
	FAILS(writev(fd, iov, N + 1), EINVAL);
	for (int i = 0; i <= N; i++)
		iov[i].iov_base = &in[N - i];
	CHECK(preadv(fd, iov, N, 1) == N - 1);
	for (int i = 0; i < N - 1; i++)
		CHECK(in[N - i] == out[i + 1]);
	FAILS(readv(fd, iov, N + 1), EINVAL);
	CHECK(readv(fd, iov, 0) == 0 && lseek(fd, 0, SEEK_CUR) == N);

	iov[0] = (struct iovec){ "end", 3 };
	CHECK(pwritev2(fd, iov, 1, 0, RWF_APPEND) == 3 && lseek(fd, 0, SEEK_END) == N + 3);
	iov[0] = (struct iovec){ in, sizeof(in) };
	CHECK(lseek(fd, N, SEEK_SET) == N && preadv2(fd, iov, 1, -1, 0) == 3 && memcmp(in, "end", 3) == 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == N + 3);
	n = preadv2(fd, iov, 1, 0, RWF_NOWAIT);
	CHECK(n == N + 1 || (n < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) || n > 0);
	FAILS(preadv2(fd, iov, 1, 0, 0x40000000), EOPNOTSUPP);
	iov[0] = (struct iovec){ (void *)8, 4 };
	iov[1] = (struct iovec){ in, 4 };
	FAILS(preadv(fd, iov, 2, 0), EFAULT);
	iov[0] = (struct iovec){ in, (size_t)-1 };
	FAILS(preadv(fd, iov, 1, 0), EINVAL);
	return 0;
}
