/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* abort kills, though SIGABRT is blocked and its handler returns. */
/* expect: 134 */
#include "check.h"

static void returns(int signal)
{
	(void) signal;
	(void) !write(1, "handler\n", 8);
}

int main(void)
{
	handle(SIGABRT, returns, 0);
	block(SIG_BLOCK, SIGABRT);
	abort();
}
