/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A signal ends a write that was part done with what was done; MSG_WAITALL likewise. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

int main(void)
{
	static char big[1 << 20], small[64];
	int fds[2], pair[2];

	handle(SIGALRM, on_alarm, SA_RESTART);
	CHECK(pipe(fds) == 0 && fcntl(fds[1], F_SETPIPE_SZ, 65536) == 65536);
	/* Again, if the first came before the wait. */
	alarm_in(20, 50000);
	CHECK(write(fds[1], big, sizeof(big)) == 65536);
	CHECK(n_alarms >= 1);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	CHECK(send(pair[1], "12345", 5, 0) == 5);
	n_alarms = 0;
	CHECK(recv(pair[0], small, sizeof(small), MSG_WAITALL) == 5);
	CHECK(memcmp(small, "12345", 5) == 0 && n_alarms >= 1);
	return 0;
}
