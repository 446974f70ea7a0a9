/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is mapped of /dev/zero is memory like any other, also for the place where a signal strikes. */
#include <fcntl.h>
#include <sys/mman.h>

#include "check.h"

enum { SIGNALS = 10 };

static volatile unsigned *counter;
static volatile int signals;
static unsigned sum;

static void on_alarm(int signal)
{
	(void) signal;
	sum = sum * 31 + *counter;
	signals++;
}

int main(void)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(counter != MAP_FAILED && close(fd) == 0);
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 2000);
	/* The rounds differ in nothing else. */
	while (signals < SIGNALS)
		__asm__ volatile("incl (%0)" : : "r"(counter) : "memory");
	(void) dprintf(2, "%u\n", sum);
	(void) puts("done");
	return 0;
}
