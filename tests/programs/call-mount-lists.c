/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listmount and statmount: what is mounted, told in pieces and in too little room. */
#include <sys/syscall.h>

#include "check.h"

#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif

struct request {
	uint32_t size, spare;
	uint64_t mount, param;
};

int main(void)
{
	enum { SB_BASIC = 1, MNT_BASIC = 2, MNT_POINT = 16 };
	const uint64_t root = ~UINT64_C(0);
	struct request request = { .size = sizeof(request), .mount = root };
	uint64_t mounts[64], again[1], words[512];
	long n, m;

	memset(mounts, 0xee, sizeof(mounts));
	n = syscall(SYS_listmount, &request, mounts, 64, 0);
	if (n < 0) {
		CHECK(errno == ENOSYS || errno == EPERM || errno == ENOENT);
		puts("no lists here");
		return 0;
	}
	puts("lists");
	CHECK(n <= 64 && (n == 64 || mounts[n] == 0xeeeeeeeeeeeeeeee));
	m = syscall(SYS_listmount, &request, again, 1, 0);
	CHECK(m == (n > 0) && (!m || again[0] == mounts[0]));
	if (n > 0) {
		request.mount = mounts[0];
		request.param = SB_BASIC | MNT_BASIC | MNT_POINT;
		FAILS(syscall(SYS_statmount, &request, words, 16, 0), EOVERFLOW);
		CHECK(syscall(SYS_statmount, &request, words, sizeof(words), 0) == 0);
		CHECK((uint32_t)words[0] >= 64 && (uint32_t)words[0] <= sizeof(words));
	}
	request.mount = 1;
	CHECK(syscall(SYS_statmount, &request, words, sizeof(words), 0) == -1);
	return 0;
}
