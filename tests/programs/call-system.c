/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the system says of itself: the kernel's log, its clock's state, quotas, limits. */
#include <sys/klog.h>
#include <sys/quota.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "check.h"

int main(void)
{
	struct timex timex = { 0 };
	struct dqblk quota;
	struct dqinfo info;
	struct sysinfo system;
	struct utsname name;
	struct rusage usage;
	struct rlimit limit;
	struct statvfs fs;
	struct tms times_now;
	char text[256];
	int n = klogctl(10, NULL, 0), format = 77;

	CHECK(n > 0 || errno == EPERM || errno == ENOSYS);
	n = klogctl(3, text, sizeof(text));
	CHECK((n >= 0 && n <= (int)sizeof(text)) || errno == EPERM || errno == ENOSYS);
	(void) dprintf(2, "%.*s\n", n > 0 ? n : 0, text);
	CHECK(adjtimex(&timex) >= 0 && timex.time.tv_sec > 1700000000 && timex.tick > 0);
	timex.modes = ADJ_TICK;
	timex.tick = 1;
	CHECK(adjtimex(&timex) == -1 && (errno == EINVAL || errno == EPERM));

	CHECK(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "/dev/no-such-device", 0, (char *)&quota) == -1);
	CHECK(quotactl(QCMD(Q_GETINFO, USRQUOTA), "/dev/no-such-device", 0, (char *)&info) == -1);
	CHECK(quotactl(QCMD(Q_GETFMT, GRPQUOTA), "/dev/no-such-device", 0, (char *)&format) == -1);
	CHECK(format == 77);

	CHECK(sysinfo(&system) == 0 && system.totalram > 0 && system.procs > 0);
	CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0);
	CHECK(getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0 && times(&times_now) != -1);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 2);
	CHECK(statvfs("/tmp", &fs) == 0 && fs.f_bsize > 0);
	(void) dprintf(2, "%ld %ld %lu\n", system.uptime, usage.ru_maxrss, (unsigned long)fs.f_bfree);
	return 0;
}
