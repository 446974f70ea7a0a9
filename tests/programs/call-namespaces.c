/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unshare and setns: a name of its own for the machine, and back. */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>

#include "check.h"

int main(void)
{
	struct utsname before, now;
	int home = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC), fd;
	unsigned owner[2] = { 77, 77 };

	CHECK(home >= 0 && uname(&before) == 0);
	CHECK(unshare(CLONE_FS | CLONE_FILES) == 0 || errno == EPERM);
	FAILS(unshare(CLONE_PIDFD), EINVAL);
	fd = ioctl(home, NS_GET_USERNS);
	CHECK(fd >= 0 || errno == EPERM);
	if (fd >= 0 && ioctl(fd, NS_GET_OWNER_UID, owner) == 0)
		CHECK(owner[0] != 77 && owner[1] == 77);
	CHECK(ioctl(home, NS_GET_NSTYPE) == CLONE_NEWUTS);
	if (unshare(CLONE_NEWUTS) < 0) {
		CHECK(errno == EPERM || errno == ENOSPC);
		puts("no name spaces here");
		return 0;
	}
	puts("name spaces");
	CHECK(sethostname("elsewhere", 9) == 0 && uname(&now) == 0);
	CHECK(strcmp(now.nodename, "elsewhere") == 0);
	CHECK(setns(home, CLONE_NEWUTS) == 0 && uname(&now) == 0);
	CHECK(strcmp(now.nodename, before.nodename) == 0);
	return 0;
}
