/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A system call changes rax, rcx and r11 and nothing else: no register, flag or red zone. */
#include <sys/syscall.h>

#include "check.h"

struct state {
	uint64_t before[16], after[16];	/* rax rbx rcx rdx rsi rdi rbp r8 ... r15, flags */
	uint64_t red_zone, next;
};

/* Each register gets a value of its own, then the call is made. */
__asm__(".text\n"
	".type make_call, @function\n"
	"make_call:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	push %rdi\n"
	"	mov %rdi, %rcx\n"
	"	mov 0(%rcx), %rax; mov 8(%rcx), %rbx; mov 24(%rcx), %rdx; mov 32(%rcx), %rsi\n"
	"	mov 40(%rcx), %rdi; mov 48(%rcx), %rbp; mov 56(%rcx), %r8; mov 64(%rcx), %r9\n"
	"	mov 72(%rcx), %r10; mov 80(%rcx), %r11; mov 88(%rcx), %r12; mov 96(%rcx), %r13\n"
	"	mov 104(%rcx), %r14; mov 112(%rcx), %r15\n"
	"	movq $0x11223344, -8(%rsp); movq $0x55667788, -128(%rsp)\n"
	"	push 120(%rcx); popfq\n"
	"	syscall\n"
	"after_call:\n"
	"	mov %rcx, -24(%rsp)\n"
	"	pushfq; pop %rcx\n"
	"	mov %rcx, -32(%rsp)\n"
	"	mov (%rsp), %rcx\n"
	"	mov %rax, 128(%rcx); mov %rbx, 136(%rcx); mov %rdx, 152(%rcx); mov %rsi, 160(%rcx)\n"
	"	mov %rdi, 168(%rcx); mov %rbp, 176(%rcx); mov %r8, 184(%rcx); mov %r9, 192(%rcx)\n"
	"	mov %r10, 200(%rcx); mov %r11, 208(%rcx); mov %r12, 216(%rcx); mov %r13, 224(%rcx)\n"
	"	mov %r14, 232(%rcx); mov %r15, 240(%rcx)\n"
	"	mov -24(%rsp), %rax; mov %rax, 144(%rcx)\n"
	"	mov -32(%rsp), %rax; mov %rax, 248(%rcx)\n"
	"	mov -128(%rsp), %rax; mov %rax, 256(%rcx)\n"
	"	lea after_call(%rip), %rax; mov %rax, 264(%rcx)\n"
	"	pop %rdi\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".size make_call, . - make_call\n");
void make_call(struct state *state);

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, FLAGS = 15 };

static void look(uint64_t nr, const uint64_t args[6], uint64_t flags, uint64_t want)
{
	static const int places[6] = { RDI, RSI, RDX, R10, R8, R9 };
	struct state s = { .next = 0 };

	for (int i = 0; i < 15; i++)
		s.before[i] = UINT64_C(0xabcdef0100) * (unsigned)(i + 3);
	for (int i = 0; i < 6; i++)
		s.before[places[i]] = args[i];
	s.before[RAX] = nr;
	s.before[FLAGS] = flags;
	make_call(&s);
	CHECK(s.after[RAX] == want && s.red_zone == 0x55667788);
	CHECK(s.after[RCX] == s.next && s.after[R11] == s.after[FLAGS]);
	CHECK((s.after[FLAGS] & 0xcd5) == (flags & 0xcd5));
	for (int i = 0; i < 15; i++)
		CHECK(i == RAX || i == RCX || i == R11 || s.after[i] == s.before[i]);
}

int main(void)
{
	const uint64_t no_args[6] = { 7, 6, 5, 4, 3, 2 };
	const uint64_t bad_fd[6] = { 999, 0, 0, 4, 3, 2 };
	struct timespec soon = { 0, 100000 };
	const uint64_t sleep_args[6] = { (uintptr_t)&soon, 0, 1, 2, 3, 4 };

	for (unsigned i = 0; i < 10; i++) {
		/* Carry, parity, adjust, zero, sign, overflow; direction. */
		uint64_t flags = 0x202 | (i & 1 ? 0x8d5 : 0) | (i & 2 ? 0x400 : 0);

		look(SYS_getpid, no_args, flags, (uint64_t)getpid());
		look(SYS_read, bad_fd, flags, (uint64_t)-EBADF);
		look(SYS_nanosleep, sleep_args, flags, 0);
		look(100000, no_args, flags, (uint64_t)-ENOSYS);
		look((uint64_t)-1, no_args, flags, (uint64_t)-ENOSYS);
		look(UINT64_C(0x100000000) + SYS_getpid, no_args, flags, (uint64_t)getpid());
	}
	return 0;
}
