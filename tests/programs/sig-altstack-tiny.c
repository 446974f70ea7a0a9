/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler runs on an alternate stack that has room for its frame and little more. */
#include <sys/auxv.h>
#include <sys/mman.h>

#include "check.h"

static char *top, *bottom;
static volatile sig_atomic_t n_seen;

static void seen(int signal, siginfo_t *info, void *context)
{
	char local;

	(void) context;
	CHECK(signal == SIGUSR1 || signal == SIGALRM);
	CHECK(&local > bottom && &local < top && (char *)info > bottom && (char *)info < top);
	n_seen++;
}

int main(void)
{
	size_t least = getauxval(AT_MINSIGSTKSZ), size = least + 512;
	char *page = mmap(NULL, 16384 * 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_size = size };

	CHECK(page != MAP_FAILED && least >= 1024 && size < 16384);
	CHECK(mprotect(page + 16384, 16384, PROT_READ | PROT_WRITE) == 0);
	/* Below it lies what can't be written. */
	bottom = page + 16384;
	top = bottom + size;
	stack.ss_sp = bottom;
	CHECK(sigaltstack(&stack, NULL) == 0);
	handle_info(SIGUSR1, seen, SA_ONSTACK);
	handle_info(SIGALRM, seen, SA_ONSTACK);
	for (int i = 0; i < 20; i++)
		CHECK(raise(SIGUSR1) == 0);
	CHECK(n_seen == 20);
	alarm_in(1, 1000);
	while (n_seen < 30)
		;
	alarm_in(0, 0);
	return 0;
}
