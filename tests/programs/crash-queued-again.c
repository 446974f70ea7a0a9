/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A handler of faults lets the signal happen again as it was, by the default action, from another place. */
/* expect: 139 */
#include <setjmp.h>
#include <sys/syscall.h>

#include "check.h"

static sigjmp_buf back;
static siginfo_t what;
static volatile int *volatile where = (int *)64;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void) signal;
	(void) context;
	what = *info;
	siglongjmp(back, 1);
}

int main(void)
{
	if (!sigsetjmp(back, 1)) {
		handle_info(SIGSEGV, on_fault, 0);
		*where = 1;
	}
	CHECK(what.si_code == SEGV_MAPERR && what.si_addr == (void *)64);
	handle(SIGSEGV, SIG_DFL, 0);
	(void) syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGSEGV, &what);
	return 2;
}
