/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* x87, SSE and AVX registers stay what they are while signals come at any instruction. */
#include <immintrin.h>

#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	/* Spoils what it may. */
	__asm__ volatile("fninit; fldpi; pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm15, %%xmm15" ::
				 : "xmm0", "xmm15", "st");
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroall" ::: "memory");
	(void) signal;
	n_alarms++;
}

__attribute__((target("avx"))) static double avx_sum(unsigned n)
{
	__m256d sum = _mm256_setzero_pd(), step = _mm256_set_pd(1, 2, 3, 4);
	double out[4];

	for (unsigned i = 0; i < n; i++) {
		sum = _mm256_add_pd(sum, step);
		step = _mm256_mul_pd(step, _mm256_set1_pd(1.0000001));
	}
	_mm256_storeu_pd(out, sum);
	return out[0] + out[1] + out[2] + out[3];
}

static long double x87_sum(unsigned n)
{
	long double sum = 0;

	for (unsigned i = 1; i < n; i++)
		sum += 1.0L / i;
	return sum;
}

static double sse_sum(unsigned n)
{
	double sum = 0;

	for (unsigned i = 1; i < n; i++)
		sum += 1.0 / i;
	return sum;
}

int main(void)
{
	const unsigned n = 200000;
	long double x87 = x87_sum(n);
	double sse = sse_sum(n), avx = __builtin_cpu_supports("avx") ? avx_sum(n) : 0;

	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 700);
	for (int i = 0; i < 40 || n_alarms < 20; i++) {
		CHECK(x87_sum(n) == x87 && sse_sum(n) == sse);
		CHECK(avx == 0 || avx_sum(n) == avx);
	}
	alarm_in(0, 0);
	(void) printf("%.18Lg %.15g\n", x87, sse);
	return 0;
}
