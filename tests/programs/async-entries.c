/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that is made at run time is come to at two instructions next to each other, as an interpreter's. */
#include <sys/mman.h>

#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

extern const uint8_t code_begin[], code_end[];

/* uint64_t rounds(uint64_t n): n, and n / 2 in the upper half, for every other round is one. */
__asm__(".pushsection .rodata\n"
	"code_begin:\n"
	"	xor %eax, %eax\n"
	"	xor %edx, %edx\n"
	"	lea 1f(%rip), %r8\n"
	"	lea 2f(%rip), %r9\n"
	"	jmp *%r9\n"
	"1:	inc %edx\n"
	"2:	lea 1(%rax), %rax\n"
	"	xchg %r8, %r9\n"
	"	dec %rdi\n"
	"	je 3f\n"
	"	jmp *%r9\n"
	"3:	shl $32, %rdx\n"
	"	or %rdx, %rax\n"
	"	ret\n"
	"code_end:\n"
	".popsection\n");

int main(void)
{
	size_t len = (size_t)(code_end - code_begin);
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t (*rounds)(uint64_t n) = (uint64_t (*)(uint64_t))(uintptr_t)code;

	CHECK(code != MAP_FAILED);
	memcpy(code, code_begin, len);
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 20)
		CHECK(rounds(1000) == (UINT64_C(500) << 32 | 1000));
	alarm_in(0, 0);
	return 0;
}
