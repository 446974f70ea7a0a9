/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who a process is: ids, groups, sessions, capabilities, names, limits, priorities. */
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "check.h"

static void ids(void)
{
	uid_t r, e, s;
	gid_t groups[64];
	int n = getgroups(0, NULL);

	CHECK(getresuid(&r, &e, &s) == 0 && r == getuid() && e == geteuid());
	CHECK(getresgid(&r, &e, &s) == 0 && r == getgid() && e == getegid());
	CHECK(n >= 0 && getgroups(64, groups) == n);
	CHECK(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1) == 0 && setfsuid((uid_t)-1) == (int)geteuid());
	CHECK(getpid() == syscall(SYS_gettid) && getppid() == syscall(SYS_getppid));
	CHECK(getpgid(0) == getpgrp() && getsid(0) == syscall(SYS_getsid, getpid()));
	FAILS(getpgid(999999999), ESRCH);
}

static void capabilities(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	memset(data, 0xee, sizeof(data));
	CHECK(syscall(SYS_capget, &head, data) == 0 && (data[0].effective & ~data[0].permitted) == 0);
	CHECK(syscall(SYS_capset, &head, data) == 0);
	head.version = 1;
	FAILS(syscall(SYS_capget, &head, data), EINVAL);
	CHECK(head.version == _LINUX_CAPABILITY_VERSION_3);
}

static void names(void)
{
	char name[16] = "", text[32] = "";
	FILE *comm;
	int value = 9;

	CHECK(prctl(PR_SET_NAME, "a-longer-name-than-fits") == 0 && prctl(PR_GET_NAME, name) == 0);
	CHECK(strcmp(name, "a-longer-name-t") == 0);
	comm = fopen("/proc/self/comm", "re");
	CHECK(comm && fgets(text, sizeof(text), comm) && strcmp(text, "a-longer-name-t\n") == 0);
	CHECK(fclose(comm) == 0 && prctl(PR_GET_DUMPABLE) == 1);
	CHECK(prctl(PR_GET_PDEATHSIG, &value) == 0 && value == 0);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1);
	CHECK(prctl(PR_GET_KEEPCAPS) == 0 && prctl(PR_SET_TIMERSLACK, 60000) == 0);
	CHECK(prctl(PR_GET_TIMERSLACK) == 60000);
	FAILS(prctl(9999, 0, 0, 0, 0), EINVAL);
}

int main(void)
{
	struct rlimit limit, other;

	ids();
	capabilities();
	names();
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 100;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(prlimit(0, RLIMIT_NOFILE, NULL, &other) == 0 && other.rlim_cur == 100);
	FAILS(dup2(1, 100), EBADF);
	CHECK(dup2(1, 99) == 99);
	errno = 0;
	CHECK(getpriority(PRIO_PROCESS, 0) >= -20 && errno == 0);
	CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0 && getpriority(PRIO_PROCESS, 0) == 5);
	return 0;
}
