/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Floating-point exceptions that are let through: SIGFPE says which; the handler masks them again. */
#include <fenv.h>
#include <ucontext.h>

#include "check.h"

static volatile sig_atomic_t n_seen, last_code;

static void on_fpe(int signal, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void) signal;
	last_code = info->si_code;
	n_seen++;
	uc->uc_mcontext.fpregs->mxcsr |= 0x1f80;
}

int main(void)
{
	volatile double zero = 0, one = 1, huge = 1e308, result;

	handle_info(SIGFPE, on_fpe, 0);
	for (int i = 0; i < 20; i++) {
		n_seen = 0;
		(void) feclearexcept(FE_ALL_EXCEPT);
		(void) feenableexcept(FE_DIVBYZERO);
		result = one / zero;
		CHECK(n_seen == 1 && last_code == FPE_FLTDIV && result > huge);
		(void) feclearexcept(FE_ALL_EXCEPT);
		(void) feenableexcept(FE_OVERFLOW);
		result = huge * huge;
		CHECK(n_seen == 2 && last_code == FPE_FLTOVF && result > huge);
		(void) feclearexcept(FE_ALL_EXCEPT);
		(void) feenableexcept(FE_INVALID);
		result = zero / zero;
		CHECK(n_seen == 3 && last_code == FPE_FLTINV && result != result);
	}
	return 0;
}
