/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* capget and capset, of all versions of the structure; membarrier. */
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "check.h"

int main(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[3];
	long commands;

	memset(data, 0xee, sizeof(data));
	CHECK(syscall(SYS_capget, &header, data) == 0 && data[2].effective == 0xeeeeeeee);
	CHECK(data[1].effective != 0xeeeeeeee);
	CHECK(syscall(SYS_capset, &header, data) == 0);
	header.version = _LINUX_CAPABILITY_VERSION_1;
	memset(data, 0xee, sizeof(data));
	CHECK(syscall(SYS_capget, &header, data) == 0 && data[1].effective == 0xeeeeeeee);
	/* An unknown one is told the version there is. */
	header.version = 1;
	FAILS(syscall(SYS_capget, &header, data), EINVAL);
	CHECK(header.version == _LINUX_CAPABILITY_VERSION_3);
	CHECK(syscall(SYS_capget, (header.version = 2, &header), NULL) == 0 && header.version != 2);

	commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	if (commands < 0) {
		CHECK(errno == ENOSYS || errno == EPERM);
		return 0;
	}
	FAILS(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
	CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
	FAILS(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
	return 0;
}
