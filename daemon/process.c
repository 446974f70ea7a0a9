/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"

/* What systemd tells us in the environment isn't meant for our children. */
static const char *const private_variables[] = { "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID",
						 "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID",
						 "INVOCATION_ID" };

__attribute__((noreturn)) static void child(char **command, int go, int failed)
{
	sigset_t none;
	int null, error;
	char byte;

	(void) setsid();
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null >= 0)
		(void) dup2(null, STDIN_FILENO);
	for (size_t i = 0; i < sizeof(private_variables) / sizeof(private_variables[0]); i++)
		(void) unsetenv(private_variables[i]);
	(void) signal(SIGPIPE, SIG_DFL);
	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	(void) !read(go, &byte, 1);
	(void) close(go);
	(void) execvp(command[0], command);
	error = errno;
	(void) !write(failed, &error, sizeof(error));
	_exit(127);
}

pid_t process_spawn(char **command, int *ret_go, int *ret_failed)
{
	int go[2], failed[2], r;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(failed, O_CLOEXEC | O_NONBLOCK) < 0) {
		r = -errno;
		(void) close(go[0]);
		(void) close(go[1]);
		return r;
	}
	pid = fork();
	if (pid == 0) {
		(void) close(go[1]);
		child(command, go[0], failed[1]);
	}
	r = -errno;
	(void) close(go[0]);
	(void) close(failed[1]);
	if (pid < 0) {
		(void) close(go[1]);
		(void) close(failed[0]);
		return r;
	}
	*ret_go = go[1];
	*ret_failed = failed[0];
	return pid;
}

/* -- knowing it again ------------------------------------------------------------------------- */

/* When it was started, in ticks since boot: with the id, that is one process only. 0: gone. */
static unsigned long long start_time(pid_t pid)
{
	char path[64], text[1024], *p;
	autoclean(fclosep) FILE *file = NULL;
	unsigned long long ticks;
	size_t n;

	(void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	/* Its name may hold anything; behind the last parenthesis all are numbers. */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' ||
	    sscanf(p + 3, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
		   &ticks) != 1)
		return 0;
	return ticks;
}

static int path_of(const char *run_dir, const char *name, char path[static PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/%s.pid", run_dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void process_remember(const char *run_dir, const char *name, pid_t pid)
{
	autoclean(fclosep) FILE *file = NULL;
	char path[PATH_MAX];

	if (path_of(run_dir, name, path) == 0)
		file = fopen(path, "we");
	if (file)
		(void) fprintf(file, "%d %llu\n", pid, start_time(pid));
}

void process_forget(const char *run_dir, const char *name)
{
	char path[PATH_MAX];

	if (path_of(run_dir, name, path) == 0)
		(void) unlink(path);
}

pid_t process_remembered(const char *run_dir, const char *name)
{
	autoclean(fclosep) FILE *file = NULL;
	unsigned long long ticks;
	char path[PATH_MAX];
	int pid;

	if (path_of(run_dir, name, path) == 0)
		file = fopen(path, "re");
	if (!file || fscanf(file, "%d %llu", &pid, &ticks) != 2 || pid <= 1 || ticks == 0)
		return 0;
	return start_time(pid) == ticks ? pid : 0;
}

bool process_is_alive(int pidfd)
{
	struct pollfd fd = { .fd = pidfd, .events = POLLIN };

	return poll(&fd, 1, 0) == 0;
}
