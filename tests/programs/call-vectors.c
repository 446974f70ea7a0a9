/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls and readings of clocks keep vector and x87 state, MXCSR and the control word. */
#include <immintrin.h>
#include <sys/syscall.h>

#include "check.h"

/* The call is made by hand: a function may use vector registers for itself. */
#define WITH_VECTORS(save, restore, n)                                                     \
	for (int i = 0; i < 3; i++) {                                                      \
		long result;                                                               \
		memset(out, 0, sizeof(out));                                               \
		__asm__ volatile(restore "syscall\n" save                                  \
				 : "=a"(result)                                            \
				 : "a"(calls[i][0]), "D"(calls[i][1]), "S"(calls[i][2]),   \
				   "b"(in), "d"(out)                                       \
				 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm7", "xmm15");\
		CHECK(result == 0 || result == getpid());                                  \
		CHECK(memcmp(in, out, n) == 0);                                            \
	}

static uint8_t in[128] __attribute__((aligned(64))), out[128] __attribute__((aligned(64)));
static struct timespec now, soon = { 0, 100000 };

static void vectors(void)
{
	const long calls[3][3] = { { SYS_getpid, 0, 0 },
				   { SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now },
				   { SYS_nanosleep, (long)&soon, 0 } };

	WITH_VECTORS("movdqa %%xmm0, (%%rdx); movdqa %%xmm7, 16(%%rdx); movdqa %%xmm15, 32(%%rdx)\n",
		     "movdqa (%%rbx), %%xmm0; movdqa 16(%%rbx), %%xmm7; movdqa 32(%%rbx), %%xmm15\n", 48)
	if (!__builtin_cpu_supports("avx"))
		return;
	WITH_VECTORS("vmovdqa %%ymm0, (%%rdx); vmovdqa %%ymm7, 32(%%rdx); vmovdqa %%ymm15, 64(%%rdx)\n"
		     "vzeroupper\n",
		     "vmovdqa (%%rbx), %%ymm0; vmovdqa 32(%%rbx), %%ymm7; vmovdqa 64(%%rbx), %%ymm15\n",
		     96)
}

static void control_words(void)
{
	const unsigned mxcsr = 0x7f80;	/* round towards zero */
	uint16_t word = 0x0c7f, back;
	long double third = 1.0L, three = 3.0L;
	unsigned old = _mm_getcsr();

	__asm__ volatile("fldcw %0" : : "m"(word));
	_mm_setcsr(mxcsr);
	(void) syscall(SYS_getpid);
	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	(void) nanosleep(&soon, NULL);
	__asm__ volatile("fnstcw %0" : "=m"(back));
	CHECK(back == word && (_mm_getcsr() & ~0x3fu) == mxcsr);
	__asm__ volatile("fninit");
	_mm_setcsr(old);
	/* A value stays on the x87 stack over the call. */
	__asm__ volatile("fldt %1; fldt %2; mov %3, %%eax; syscall; fdivrp; fstpt %0"
			 : "=m"(third)
			 : "m"(three), "m"(third), "i"(SYS_getpid)
			 : "rax", "rcx", "r11", "memory");
	CHECK(third == 1.0L / three || third == three);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37 + 1);
	vectors();
	control_words();
	return 0;
}
