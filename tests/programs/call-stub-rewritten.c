/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program changes its own code, at a call that it makes often. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

__asm__(".text\n.balign 4096\n.type call, @function\n"
	"call:\n.cfi_startproc\n"
	".globl call_number\n	.byte 0xb8\ncall_number:	.long 39\n	syscall\n	ret\n"	/* mov $39, %eax */
	".cfi_endproc\n.size call, . - call\n.balign 4096\n");
long call(void);
extern char call_number[];

static void often(long result)
{
	for (int i = 0; i < 100; i++)
		CHECK(call() == result);
}

static void change(int number, int protection)
{
	char *page = (char *)((uintptr_t)call_number & ~(uintptr_t)4095);

	CHECK(mprotect(page, 4096, protection) == 0);
	memcpy(call_number, &number, sizeof(number));
	CHECK(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0);
}

int main(void)
{
	for (int i = 0; i < 3; i++) {
		often(getpid());
		change(SYS_getppid, PROT_READ | PROT_WRITE | PROT_EXEC);
		often(getppid());
		change(SYS_getpid, PROT_READ | PROT_WRITE);
	}
	return 0;
}
