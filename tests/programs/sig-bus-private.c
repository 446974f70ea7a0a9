/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Behind the end of its file, a private mapping raises SIGBUS. */
#include <setjmp.h>
#include <sys/mman.h>

#include "check.h"

static sigjmp_buf back;
static void *volatile where;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) context;
	CHECK(signal == SIGBUS && info->si_code == BUS_ADRERR);
	where = info->si_addr;
	siglongjmp(back, 1);
}

int main(void)
{
	int fd = temporary_file(4096);
	volatile char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(bytes != MAP_FAILED);
	handle_info(SIGBUS, seen, 0);
	bytes[4095] = 1;
	if (sigsetjmp(back, 1) == 0) {
		bytes[4096] = 1;
		CHECK(!"a fault");
	}
	CHECK(where == (void *)(bytes + 4096));
	return 0;
}
