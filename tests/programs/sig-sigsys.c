/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SIGSYS that is sent is an ordinary signal; the program's handler of it is its own. */
#include "check.h"

static volatile sig_atomic_t n_seen;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) context;
	CHECK(signal == SIGSYS && info->si_code == SI_TKILL);
	n_seen++;
}

int main(void)
{
	struct sigaction now;

	handle_info(SIGSYS, seen, 0);
	for (int i = 1; i <= 10; i++) {
		CHECK(raise(SIGSYS) == 0 && n_seen == i);
		CHECK(sigaction(SIGSYS, NULL, &now) == 0 && now.sa_sigaction == seen);
	}
	return 0;
}
