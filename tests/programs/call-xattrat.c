/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes: of all forms of the calls, into buffers of all sizes. */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "check.h"

#ifndef SYS_getxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#endif

struct args {
	uint64_t value;
	uint32_t size, flags;
};

static char name[] = "/tmp/blackbox-test-XXXXXX";

static void by_directory(void)
{
	char value[16];
	struct args args = { (uint64_t)(uintptr_t)"newer", 5, 0 };

	if (syscall(SYS_setxattrat, AT_FDCWD, name, 0, "user.b", &args, sizeof(args)) < 0) {
		CHECK(errno == ENOSYS);
		return;
	}
	memset(value, '.', sizeof(value));
	args = (struct args){ (uint64_t)(uintptr_t)value, sizeof(value), 0 };
	CHECK(syscall(SYS_getxattrat, AT_FDCWD, name, 0, "user.b", &args, sizeof(args)) == 5);
	CHECK(memcmp(value, "newer...", 8) == 0);
	args.size = 2;
	FAILS(syscall(SYS_getxattrat, AT_FDCWD, name, 0, "user.b", &args, sizeof(args)), ERANGE);
	args.size = 0;
	CHECK(syscall(SYS_getxattrat, AT_FDCWD, name, 0, "user.b", &args, sizeof(args)) == 5);
	FAILS(syscall(SYS_getxattrat, AT_FDCWD, name, 0, "user.b", &args, 3), EINVAL);
	CHECK(syscall(SYS_listxattrat, AT_FDCWD, name, 0, value, sizeof(value)) == 14);
}

int main(void)
{
	char value[32], list[32];
	int fd = mkstemp(name);

	CHECK(fd >= 0);
	if (fsetxattr(fd, "user.a", "value", 5, XATTR_CREATE) < 0) {
		CHECK(errno == EOPNOTSUPP || errno == EPERM);
		puts("no attributes here");
		return unlink(name);
	}
	puts("attributes");
	memset(value, '.', sizeof(value));
	CHECK(getxattr(name, "user.a", value, sizeof(value)) == 5 && memcmp(value, "value.", 6) == 0);
	CHECK(lgetxattr(name, "user.a", NULL, 0) == 5);
	FAILS(fgetxattr(fd, "user.a", value, 2), ERANGE);
	FAILS(fgetxattr(fd, "user.none", value, sizeof(value)), ENODATA);
	CHECK(listxattr(name, list, sizeof(list)) == 7 && strcmp(list, "user.a") == 0);
	by_directory();
	CHECK(removexattr(name, "user.a") == 0 && unlink(name) == 0);
	return 0;
}
