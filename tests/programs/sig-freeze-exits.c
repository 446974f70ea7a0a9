/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks for a freeze by a signal, with much memory, and is gone before that is read. */
#include <signal.h>
#include <sys/mman.h>

#include "check.h"

enum { LEN = 128 << 20 };

static void handler(int signal)
{
	(void) signal;
}

int main(void)
{
	unsigned *words = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(words != MAP_FAILED);
	for (unsigned i = 0; i < LEN / sizeof(*words); i += 8)
		words[i] = i * 2654435761u;
	CHECK(signal(SIGUSR1, handler) != SIG_ERR);
	CHECK(raise(SIGUSR1) == 0);
	return 0;
}
