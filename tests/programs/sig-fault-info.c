/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What siginfo_t says of each kind of fault. */
#include <setjmp.h>
#include <sys/mman.h>

#include "check.h"

static sigjmp_buf back;
static siginfo_t got;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	got = *info;
	siglongjmp(back, 1);
}

static volatile int one = 1, zero;

static void divide(void)
{
	zero = one / zero;
}

static void undefined(void)
{
	__asm__ volatile("ud2");
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

static volatile int *volatile low_address = (volatile int *)8;

static void touch_null(void)
{
	*low_address = 1;
}

static char *read_only;

static void write_read_only(void)
{
	*(volatile char *)read_only = 1;
}

static void privileged(void)
{
	__asm__ volatile("hlt");
}

static const struct row {
	void (*fault)(void);
	int signal, code;
} rows[] = {
	{ divide, SIGFPE, FPE_INTDIV },
	{ undefined, SIGILL, ILL_ILLOPN },
	{ breakpoint, SIGTRAP, SI_KERNEL },
	{ touch_null, SIGSEGV, SEGV_MAPERR },
	{ write_read_only, SIGSEGV, SEGV_ACCERR },
	{ privileged, SIGSEGV, SI_KERNEL },
};

int main(void)
{
	static const int signals[] = { SIGFPE, SIGILL, SIGTRAP, SIGSEGV };

	for (size_t i = 0; i < N_OF(signals); i++)
		handle_info(signals[i], seen, 0);
	read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(read_only != MAP_FAILED);
	for (size_t i = 0; i < N_OF(rows); i++) {
		if (sigsetjmp(back, 1) == 0) {
			rows[i].fault();
			CHECK(!"a fault");
		}
		CHECK(got.si_signo == rows[i].signal && got.si_code == rows[i].code);
		CHECK(rows[i].fault != touch_null || got.si_addr == (void *)8);
		CHECK(rows[i].fault != write_read_only || got.si_addr == read_only);
		(void) printf("%d %d\n", got.si_signo, got.si_code);
	}
	return 0;
}
