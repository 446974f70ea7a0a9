/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A null pointer in the handler of another signal. expect: 139 */
#include "check.h"

static int *volatile nowhere;

static void crash(int signal)
{
	*nowhere = signal;
}

int main(void)
{
	(void) puts("before");
	(void) fflush(stdout);
	handle(SIGUSR1, crash, 0);
	(void) raise(SIGUSR1);
	return 1;
}
