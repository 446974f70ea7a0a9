/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A SIGTSTP handler that tidies up, stops the program itself, and tidies up again behind SIGCONT. */
#include <fcntl.h>
#include <sys/wait.h>

#include "check.h"

static volatile sig_atomic_t n_stops, n_resumes, n_continued;
static int acknowledged[2];

static void on_stop(int signal)
{
	n_stops++;
	/* As editors do: SIGSTOP also stops an orphan. */
	handle(signal, SIG_DFL, 0);
	CHECK(raise(SIGSTOP) == 0);
	handle(signal, on_stop, SA_RESTART);
	n_resumes++;
	CHECK(write(acknowledged[1], "s", 1) == 1);
}

static void on_continue(int signal)
{
	(void) signal;
	n_continued++;
	CHECK(write(acknowledged[1], "c", 1) == 1);
}

static bool is_stopped(pid_t pid)
{
	char path[64], text[256] = "", *end;
	int fd;

	(void) snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY);
	if (read(fd, text, sizeof(text) - 1) <= 0)
		_exit(1);
	(void) close(fd);
	end = strrchr(text, ')');
	return end && end[2] == 'T';
}

int main(void)
{
	pid_t us = getpid(), child;
	int fds[2];
	int status;
	char byte;

	handle(SIGTSTP, on_stop, SA_RESTART);
	handle(SIGCONT, on_continue, SA_RESTART);
	CHECK(pipe(fds) == 0 && pipe(acknowledged) == 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 5; i++) {
			(void) kill(us, SIGTSTP);
			while (!is_stopped(us))
				sleep_ms(1);
			sleep_ms(5);
			if (!is_stopped(us))
				_exit(2);
			(void) kill(us, SIGCONT);
			/* The next one would take a SIGCONT back that is still to come. */
			if (read(acknowledged[0], &byte, 1) != 1 || read(acknowledged[0], &byte, 1) != 1)
				_exit(3);
		}
		_exit(write(fds[1], "x", 1) != 1);
	}
	CHECK(read(fds[0], &byte, 1) == 1);
	(void) printf("%d %d %d\n", (int)n_stops, (int)n_resumes, (int)n_continued);
	CHECK(waitpid(child, &status, 0) == child);
	return status != 0 || n_stops != 5 || n_resumes != 5 || n_continued != 5;
}
