/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Before a call that is made often stands rdtsc, in whose place the agent has put another byte: what
 * that one and those behind it would mean isn't what the code is.
 */
#include <sys/syscall.h>

#include "check.h"

__asm__(".text\n.balign 16\n.type call, @function\n"
	"call:\n.cfi_startproc\n	rdtsc\n	mov $39, %eax\n	syscall\n	ret\n"
	".cfi_endproc\n.size call, . - call\n");
long call(void);

int main(void)
{
	for (int i = 0; i < 100; i++)
		CHECK(call() == getpid());
	return 0;
}
