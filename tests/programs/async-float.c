/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loops whose state is in vector and x87 registers alone are interrupted anywhere. */
#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	volatile double x = signal;

	n_alarms++;
	x = x * 3 + 1;
}

static double count_scalar(double limit)
{
	double x = 0;
	const double one = 1;

	__asm__ volatile("1: addsd %1, %0; ucomisd %2, %0; jb 1b" : "+x"(x) : "x"(one), "x"(limit) : "cc");
	return x;
}

static double count_x87(double limit)
{
	double x = 0;

	__asm__ volatile("fldl %1; fldz; 1: fld1; faddp; fcomi %%st(1), %%st; jb 1b; fstpl %0; fstp %%st(0)"
			 : "=m"(x) : "m"(limit) : "cc", "st", "st(1)", "st(2)");
	return x;
}

/* Four sums at once: SIMD as compilers make it. */
static float multiply(void)
{
	static float a[256], b[256];
	float sum = 0;

	for (int i = 0; i < 256; i++) {
		a[i] = (float)(i % 7);
		b[i] = (float)(i % 5);
	}
	for (int round = 0; round < 50; round++)
		for (int i = 0; i < 256; i++)
			sum += a[i] * b[255 - i] - (float)(round % 3);
	return sum;
}

int main(void)
{
	float product = multiply();

	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 30) {
		CHECK(count_scalar(50000) == 50000);
		CHECK(count_x87(30000) == 30000);
		CHECK(!(multiply() < product) && !(multiply() > product));
	}
	alarm_in(0, 0);
	return 0;
}
