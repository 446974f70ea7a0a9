/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls made often, in code of all shapes: jumped to from elsewhere, next to each other, in loops. */
#include <sys/syscall.h>

#include "check.h"

#define FUNCTION(name, ...)                                                                           \
	__asm__(".text\n.balign 16\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n" __VA_ARGS__     \
		".cfi_endproc\n.size " #name ", . - " #name "\n")

/* getpid(2), getppid(2); gettid(2) by a jump to the call; each as any: long f(long nr). */
FUNCTION(long_move, "	mov $39, %eax\n	syscall\n	ret\n");
FUNCTION(entered, "	mov $39, %eax\n.globl entered_call\nentered_call:\n	syscall\n	ret\n");
FUNCTION(enters, "	mov %edi, %eax\n	jmp entered_call\n");
FUNCTION(short_moves, "	mov %rdi, %rdx\n	mov %rdx, %rax\n	mov %rdi, %rsi\n	syscall\n	ret\n");
FUNCTION(branched, "	mov %rdi, %rax\n	cmp $39, %eax\n	je 1f\n	mov %rdi, %rdx\n1:	mov %rdi, %rax\n"
		   "	mov %rax, %rdx\n	syscall\n	ret\n");
/* What is rare of a function is elsewhere, and comes back into its middle. */
FUNCTION(warm, "	mov %rdi, %rdx\n	mov %rdx, %rsi\n.globl warm_middle\nwarm_middle:\n	mov %rdx, %rax\n"
	       "	syscall\n	ret\n");
FUNCTION(cold, "	mov %rdi, %rdx\n	jmp warm_middle\n");
FUNCTION(loop, "	mov $3, %r8d\n1:	mov %rdi, %rax\n	syscall\n	dec %r8d\n	jnz 1b\n	ret\n");
FUNCTION(two, "	mov $39, %eax\n	syscall\n	mov %edi, %eax\n	syscall\n	ret\n");
FUNCTION(two_at_once, "	mov $1000000, %eax\n	syscall\n	syscall\n	mov %rdi, %rax\n	syscall\n	ret\n");
FUNCTION(relative, "	mov %edi, number(%rip)\n	mov number(%rip), %eax\n	syscall\n	ret\n");
FUNCTION(red_zone, "	mov %rdi, -64(%rsp)\n	movabs $0, %rsi\n	mov -64(%rsp), %rax\n	syscall\n"
		   "	cmp %rdi, -64(%rsp)\n	je 1f\n	mov $-1, %rax\n1:	ret\n");
/* The flags are those of before the call. */
FUNCTION(flags, "	mov %rdi, %rax\n	cmp $186, %edi\n	mov $0, %esi\n	syscall\n	jne 1f\n	ret\n"
		"1:	neg %rax\n	neg %rax\n	ret\n");
FUNCTION(condition, "	mov %edi, %eax\n	test %edi, %edi\n	js 1f\n	xor %esi, %esi\n	xor %edx, %edx\n"
		    "	syscall\n	ret\n1:	mov $39, %eax\n	syscall\n	ret\n");

static volatile int number __attribute__((used));

typedef long function(long nr);
function long_move, entered, enters, short_moves, branched, warm, cold, loop, two, two_at_once, relative, red_zone, flags,
	condition;

static function *const takes_number[] = {
	enters, short_moves, branched, warm, cold, loop, two, two_at_once, relative, red_zone, flags, condition,
};

int main(void)
{
	const long pid = getpid(), parent = getppid(), numbers[] = { SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid };
	const long results[] = { pid, pid, parent, (long)getuid() };
	double sum = 0;

	for (int round = 0; round < 100; round++) {
		/* The FP registers are in use all the while. */
		sum += round * 0.5;
		CHECK(long_move(0) == pid && entered(0) == pid && condition(-1) == pid);
		for (size_t i = 0; i < N_OF(takes_number); i++)
			for (size_t j = 0; j < N_OF(numbers); j++)
				CHECK(takes_number[i](numbers[j]) == results[j]);
	}
	(void) printf("%g\n", sum);
	return 0;
}
