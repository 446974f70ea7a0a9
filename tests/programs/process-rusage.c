/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What children used is in their parent's sums, and in wait4. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	struct rusage usage, children;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char *bytes = malloc(1 << 20);

		memset(bytes, 1, 1 << 20);
		_exit(bytes[5] == 1 ? 0 : 1);
	}
	CHECK(wait4(pid, &status, 0, &usage) == pid && status == 0);
	CHECK(usage.ru_minflt > 0 && usage.ru_maxrss > 0);
	CHECK(getrusage(RUSAGE_CHILDREN, &children) == 0 && children.ru_minflt >= usage.ru_minflt);
	return 0;
}
