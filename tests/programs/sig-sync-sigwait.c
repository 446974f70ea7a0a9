/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signals of faults that somebody sends can be waited for with sigwait, as all others can. */
#include <sys/wait.h>

#include "check.h"

static const int signals[] = { SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGSTKFLT };

int main(void)
{
	struct timespec soon = { 0, 1000000 }, ten = { 10, 0 };
	siginfo_t info;
	sigset_t set;
	pid_t child;
	int rounds[2];
	char byte;

	(void) sigemptyset(&set);
	for (size_t i = 0; i < N_OF(signals); i++)
		(void) sigaddset(&set, signals[i]);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	FAILS(sigtimedwait(&set, &info, &soon), EAGAIN);
	/* There before the wait. */
	for (int i = 0; i < (int)N_OF(signals); i++) {
		CHECK(sigqueue(getpid(), signals[i], (union sigval){ .sival_int = i }) == 0);
		CHECK(sigwaitinfo(&set, &info) == signals[i] && info.si_signo == signals[i]);
		CHECK(info.si_code == SI_QUEUE && info.si_value.sival_int == i);
		FAILS(sigtimedwait(&set, &info, &(struct timespec){ 0, 0 }), EAGAIN);
	}
	/* Coming during it. */
	child = fork();
	if (child == 0) {
		for (int i = 0; i < (int)N_OF(signals); i++) {
			sleep_ms(3);
			(void) sigqueue(getppid(), signals[i], (union sigval){ .sival_int = i });
		}
		_exit(0);
	}
	for (int i = 0; i < (int)N_OF(signals); i++) {
		int signal = sigtimedwait(&set, i % 2 ? &info : NULL, &ten);

		CHECK(signal > 0 && sigismember(&set, signal) == 1);
		if (i % 2)
			CHECK(info.si_signo == signal && signals[info.si_value.sival_int] == signal);
	}
	CHECK(waitpid(child, NULL, 0) == child);
	/* Coming as one wait ends and before the next begins. */
	CHECK(pipe(rounds) == 0);
	child = fork();
	if (child == 0) {
		(void) close(rounds[1]);
		while (read(rounds[0], &byte, 1) == 1)
			for (int i = 0; i < (int)N_OF(signals); i++)
				(void) kill(getppid(), signals[i]);
		_exit(0);
	}
	for (int round = 0; round < 200; round++) {
		CHECK(write(rounds[1], "", 1) == 1);
		for (int i = 0; i < (int)N_OF(signals); i++)
			CHECK(sigtimedwait(&set, &info, &ten) == info.si_signo);
	}
	(void) close(rounds[1]);
	CHECK(waitpid(child, NULL, 0) == child);
	return 0;
}
