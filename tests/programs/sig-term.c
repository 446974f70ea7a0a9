/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Death by a signal's default action is death by that signal. */
/* expect: 143 */
#include "check.h"

int main(void)
{
	(void) puts("before");
	(void) fflush(stdout);
	(void) raise(SIGTERM);
	return 1;
}
