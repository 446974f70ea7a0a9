/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that locks itself out of the file system goes on working. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { CREATE = 444, ADD = 445, RESTRICT = 446, READ_FILE = 1 << 2, READ_DIR = 1 << 3 };

int main(void)
{
	uint64_t handled[1] = { READ_FILE | READ_DIR };
	struct __attribute__((packed)) {
		uint64_t allowed;
		int32_t fd;
	} below = { READ_FILE | READ_DIR, open("/dev", O_PATH | O_DIRECTORY) };
	long rules = syscall(CREATE, handled, sizeof(handled), 0);
	char byte;
	int fd;

	if (rules < 0) {
		CHECK(errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM);
		puts("no landlock here");
		return 0;
	}
	puts("locked");
	CHECK(below.fd >= 0 && syscall(ADD, rules, 1, &below, 0) == 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(RESTRICT, rules, 0) == 0);
	FAILS(open("/etc/passwd", O_RDONLY), EACCES);
	FAILS(open("/proc/self/maps", O_RDONLY), EACCES);
	fd = open("/dev/zero", O_RDONLY);
	CHECK(fd >= 0 && read(fd, &byte, 1) == 1 && byte == 0);
	FAILS(syscall(CREATE, NULL, 0, 99), EINVAL);
	return 0;
}
