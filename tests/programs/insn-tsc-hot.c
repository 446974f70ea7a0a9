/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rdtsc and rdtscp in loops, in the shapes that compilers make, by several threads and with signals:
 * they change nothing but their results, and what is made of those is the same in a replay.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <x86intrin.h>

#include "check.h"

enum { THREADS = 3, ROUNDS = 3000 };

/* Each gets flags and registers in, and gives them back: struct state. */
#define FUNCTION(name, body)                                                                                   \
	__asm__(".text\n.balign 16\n.type " #name ", @function\n" #name ":\n.cfi_startproc\n" body              \
		".cfi_endproc\n.size " #name ", . - " #name "\n");                                             \
	uint64_t name(struct state *);

struct state {
	uint64_t rax, rbx, rcx, rdx, rsi, r8, r9, r10, r11, r12, r13, r14, r15, rbp, flags;
};

/* %rdi is the state; the body comes between. */
#define LOAD                                                                                                   \
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"                        \
	"push 14*8(%rdi)\n"                                                                                    \
	"mov 8(%rdi), %rbx; mov 16(%rdi), %rcx; mov 24(%rdi), %rdx; mov 32(%rdi), %rsi; mov 40(%rdi), %r8\n"   \
	"mov 48(%rdi), %r9; mov 56(%rdi), %r10; mov 64(%rdi), %r11; mov 72(%rdi), %r12; mov 80(%rdi), %r13\n"  \
	"mov 88(%rdi), %r14; mov 96(%rdi), %r15; mov 104(%rdi), %rbp; mov (%rdi), %rax; popfq\n"               \
	"movq $0x5a5a, -16(%rsp); movq $0xa5a5, -128(%rsp)\n"
#define STORE                                                                                                  \
	"pushfq; pop 112(%rdi)\n"                                                                              \
	"mov %rax, (%rdi); mov %rbx, 8(%rdi); mov %rcx, 16(%rdi); mov %rdx, 24(%rdi); mov %rsi, 32(%rdi)\n"    \
	"mov %r8, 40(%rdi); mov %r9, 48(%rdi); mov %r10, 56(%rdi); mov %r11, 64(%rdi); mov %r12, 72(%rdi)\n"   \
	"mov %r13, 80(%rdi); mov %r14, 88(%rdi); mov %r15, 96(%rdi); mov %rbp, 104(%rdi)\n"                    \
	"cld; mov -128(%rsp), %rax; xor -16(%rsp), %rax\n"                                                     \
	"pop %rdi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n	ret\n"

FUNCTION(counter_alone, LOAD "rdtsc\n	mov %rdx, %rdx\n" STORE)
FUNCTION(counter_put_together, LOAD "tsc_site:	rdtsc\ntsc_behind:	mov %rdx, %r10\n"
	 "	mov %rax, %r11\n	mov 56(%rdi), %r10\n"
	 "	mov 64(%rdi), %r11\n" STORE)
FUNCTION(counter_and_processor, LOAD "rdtscp\n	mov %rcx, %rcx\n" STORE)
/* Nothing behind it can give way, but before it there is something. */
FUNCTION(counter_before_branch, LOAD "movabs $0x1122334455667788, %r12\n	rdtsc\n1:	xchg %ebx, %ebx\n"
	 "	jrcxz 2f\n2:	jmp 3f\n	jmp 1b\n3:	mov 72(%rdi), %r12\n	mov 8(%rdi), %rbx\n" STORE)
/* Neither there. */
FUNCTION(counter_between_jumps, LOAD "jmp 1f\n1:	rdtsc\n	jmp 2f\n2:\n" STORE)

static const struct {
	uint64_t (*read)(struct state *);
	bool sets_rcx;
} shapes[] = {
	{ counter_alone, false },	   { counter_put_together, false }, { counter_and_processor, true },
	{ counter_before_branch, false }, { counter_between_jumps, false },
};

static uint64_t call_shape(unsigned i, uint64_t seed, uint64_t flags)
{
	struct state in, out;

	for (unsigned j = 0; j < sizeof(in) / 8; j++)
		((uint64_t *)&in)[j] = next_random(&seed);
	in.flags = flags;
	out = in;
	CHECK(shapes[i].read(&out) == (0x5a5a ^ 0xa5a5));	/* below the stack pointer */
	CHECK(out.rax >> 32 == 0 && out.rdx >> 32 == 0);
	if (shapes[i].sets_rcx)
		CHECK(out.rcx >> 32 == 0);
	else
		CHECK(out.rcx == in.rcx);
	CHECK(out.rbx == in.rbx && out.rsi == in.rsi && out.r8 == in.r8 && out.r9 == in.r9 &&
	      out.r10 == in.r10 && out.r11 == in.r11 && out.r12 == in.r12 && out.r13 == in.r13 &&
	      out.r14 == in.r14 && out.r15 == in.r15 && out.rbp == in.rbp && out.flags == in.flags);
	return out.rdx << 32 | out.rax;
}

/* Carry, parity, adjust, zero, sign, direction, overflow: all of them, one by one, and an odd one. */
static void flags_stay(void)
{
	static const uint64_t flags[] = { 0x202, 0x203, 0x206, 0x212, 0x242, 0x282, 0x602, 0xa02, 0xed7, 0x200202 };

	for (unsigned i = 0; i < N_OF(shapes); i++) {
		uint64_t last = 0;

		for (unsigned j = 0; j < 20 * N_OF(flags); j++) {
			uint64_t now = call_shape(i, 1 + j, flags[j % N_OF(flags)]);

			CHECK(now > last);
			last = now;
		}
	}
}

static _Atomic uint64_t sum;
static _Atomic unsigned n_ready;
static volatile sig_atomic_t n_signals;
static volatile uint64_t in_handler;

static inline uint64_t stamp(void)
{
	unsigned processor;

	return __rdtsc() ^ __rdtscp(&processor);
}

static void *run(void *argument)
{
	uint64_t mine = (uintptr_t)argument;

	n_ready++;
	while (n_ready < THREADS)
		mine += __rdtsc();
	for (int i = 0; i < ROUNDS; i++) {
		mine = mine * 31 + stamp();
		if (mine % 64 == 0)
			(void) sched_yield();
		sum += mine;
	}
	return NULL;
}

static void on_alarm(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) info;
	in_handler = in_handler * 31 + __rdtsc() + (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] % 4096;
	n_signals++;
}

/* With an argument it stays, to be asked for. */
int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	uint64_t rounds = 0;

	flags_stay();
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, run, (void *)i) == 0);
	for (int i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	handle_info(SIGALRM, on_alarm, 0);
	alarm_in(1, 500);
	while (n_signals < 50) {
		sum = sum * 31 + stamp();
		rounds++;
	}
	alarm_in(0, 0);
	(void) dprintf(2, "%llu %llu %llu\n", (unsigned long long)sum, (unsigned long long)in_handler,
		       (unsigned long long)rounds);
	(void) argv;
	return argc > 1 ? pause() : 0;
}
