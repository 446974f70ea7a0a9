/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Job control on a terminal of our own: SIGTTIN and SIGTTOU in the background (stopped,
 * handled, ignored), and what a terminal sends to the foreground.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "check.h"

static int master, tty;
static volatile sig_atomic_t n_seen[65];

static void seen(int signal)
{
	n_seen[signal]++;
}

/* What /proc says of the state of @pid. */
static char state_of(pid_t pid)
{
	char path[64], text[256] = "", *end;
	ssize_t n;
	int fd;

	(void) snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	(void) close(fd);
	end = n > 0 ? strrchr(text, ')') : NULL;
	return end ? end[2] : '?';
}

/* A session of our own. Its leader must not lead a group before. */
static void new_session(void)
{
	pid_t child = fork();

	if (child == 0) {
		(void) pause();
		_exit(0);
	}
	(void) setpgid(child, child);
	(void) setpgid(0, child);
	CHECK(setsid() == getpid());
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

static void new_terminal(void)
{
	int unlocked = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(master >= 0 && ioctl(master, TIOCSPTLCK, &unlocked) == 0);
	tty = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(tty >= 0 && ioctl(tty, TIOCSCTTY, 0) == 0);
}

/*
 * The shell: it has the foreground, in a group of its own, and a child in ours, so that ours
 * is no orphan. When we stop, it gives us the foreground and lets us go on.
 */
static void shell(pid_t us, int ready)
{
	pid_t job = fork();

	if (job == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void) pause();
	}
	CHECK(setpgid(job, us) == 0 && setpgid(0, 0) == 0);
	(void) signal(SIGTTOU, SIG_IGN);
	CHECK(tcsetpgrp(tty, getpid()) == 0);
	CHECK(write(ready, "r", 1) == 1);
	while (state_of(us) != 'T')
		sleep_ms(2);
	CHECK(write(master, "line\n", 5) == 5);
	CHECK(tcsetpgrp(tty, us) == 0);
	CHECK(kill(us, SIGCONT) == 0);
	for (;;)
		(void) pause();
}

static void foreground(void)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	handle(SIGINT, seen, 0);
	handle(SIGQUIT, seen, 0);
	handle(SIGTSTP, seen, 0);
	handle(SIGWINCH, seen, 0);
	CHECK(write(master, "\003", 1) == 1);
	while (!n_seen[SIGINT])
		sleep_ms(1);
	CHECK(write(master, "\034", 1) == 1);
	while (!n_seen[SIGQUIT])
		sleep_ms(1);
	CHECK(write(master, "\032", 1) == 1);
	while (!n_seen[SIGTSTP])
		sleep_ms(1);
	CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
	while (!n_seen[SIGWINCH])
		sleep_ms(1);
	CHECK(n_seen[SIGINT] == 1 && n_seen[SIGQUIT] == 1 && n_seen[SIGTSTP] == 1);
}

static void background(void)
{
	char byte;

	/* Handled: the read ends. Blocked or ignored: an error, and nothing is sent. */
	handle(SIGTTIN, seen, 0);
	FAILS(read(tty, &byte, 1), EINTR);
	CHECK(n_seen[SIGTTIN] == 1);
	handle(SIGTTIN, SIG_IGN, 0);
	FAILS(read(tty, &byte, 1), EIO);
	handle(SIGTTIN, SIG_DFL, 0);
	block(SIG_BLOCK, SIGTTIN);
	FAILS(read(tty, &byte, 1), EIO);
	block(SIG_UNBLOCK, SIGTTIN);
	handle(SIGTTOU, seen, 0);
	FAILS(tcsetpgrp(tty, getpgrp()), EINTR);
	CHECK(n_seen[SIGTTOU] == 1);
}

int main(void)
{
	char line[64];
	int fds[2];
	pid_t child;

	new_session();
	new_terminal();
	handle(SIGCONT, seen, SA_RESTART);
	handle(SIGHUP, SIG_IGN, 0);
	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0)
		shell(getppid(), fds[1]);
	CHECK(read(fds[0], line, 1) == 1);
	background();
	/* By default we are stopped; behind SIGCONT the call is made again, and we may read. */
	CHECK(read(tty, line, sizeof(line)) == 5 && memcmp(line, "line\n", 5) == 0);
	CHECK(n_seen[SIGCONT] == 1 && tcgetpgrp(tty) == getpgrp());
	foreground();
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	return 0;
}
