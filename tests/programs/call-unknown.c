/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers without a call, and calls that we refuse, are answered as by a kernel without them. */
#include <sys/syscall.h>

#include "check.h"

int main(void)
{
	uint8_t params[120] = { 0 };
	long r;

	FAILS(syscall(600), ENOSYS);
	FAILS(syscall(335 + 50), ENOSYS);
	FAILS(syscall(-1), ENOSYS);
	FAILS(syscall(SYS_create_module), ENOSYS);
	FAILS(syscall(SYS_nfsservctl), ENOSYS);
	FAILS(syscall(0x40000000 + SYS_getpid), ENOSYS);	/* x32 */
	r = syscall(SYS_io_uring_setup, 8, params);
	CHECK(r >= 0 || errno == ENOSYS || errno == EPERM);
	r = syscall(SYS_userfaultfd, 0);
	CHECK(r >= 0 || errno == ENOSYS || errno == EPERM);
	CHECK(syscall(SYS_bpf, 999, params, 4) == -1);
	CHECK(errno == EINVAL || errno == EPERM || errno == ENOSYS);
	return 0;
}
