/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/autoclean.h"

int helper_path(const char *name, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		if (snprintf(path, size, "%s/%s", dirname(self), name) < (int)size &&
		    access(path, X_OK) == 0)
			return 0;
	}
	if (snprintf(path, size, "%s/%s", LIBEXECDIR, name) >= (int)size)
		return -ENAMETOOLONG;
	return access(path, X_OK) == 0 ? 0 : -errno;
}

/* argv of a recorder: the directory, then KEY=VALUE of its policy. */
struct arguments {
	char *argv[64];
	size_t n;
	int error;
};

static void add_argument(const char *key, const char *text, void *userdata)
{
	struct arguments *args = userdata;
	char *word;

	if (args->n + 1 == sizeof(args->argv) / sizeof(args->argv[0]) ||
	    asprintf(&word, "%s=%s", key, text) < 0) {
		args->error = -ENOMEM;
		return;
	}
	args->argv[args->n++] = word;
}

static void arguments_deinit(struct arguments *args)
{
	for (size_t i = 2; i < args->n; i++)
		free(args->argv[i]);
}

/* Runs in the child between fork and exec: only what may be called there. */
void recorder_own_session(int socket)
{
	sigset_t none;

	/* The terminal's signals are meant for the service. */
	(void) setsid();
	(void) sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	if (socket == RECORDER_FD)
		(void) fcntl(socket, F_SETFD, 0);
	else
		(void) dup2(socket, RECORDER_FD);
}

int recorder_start(const char *dir, const struct policy *policy, struct recorder_link *ret_link)
{
	autoclean(arguments_deinit) struct arguments args = { .n = 2 };
	char path[PATH_MAX];
	int sockets[2], r;
	pid_t pid;

	r = helper_path("blackbox-recorder", path, sizeof(path));
	if (r < 0)
		return r;
	args.argv[0] = path;
	args.argv[1] = (char *)dir;
	policy_each(policy, add_argument, &args);
	if (args.error)
		return args.error;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
		(void) close(sockets[0]);
		(void) close(sockets[1]);
		return r;
	}
	if (pid == 0) {
		recorder_own_session(sockets[1]);
		(void) execv(path, args.argv);
		_exit(127);
	}
	(void) close(sockets[1]);
	*ret_link = (struct recorder_link){ sockets[0], pid };
	return 0;
}

int recorder_say(const struct recorder_link *link, const char *verb, pid_t pid, int status)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "{\"do\": \"%s\", \"pid\": %d, \"status\": %d}", verb, pid,
			 status);

	return send(link->socket, text, (size_t)n, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int recorder_hear(const struct recorder_link *link, int timeout_ms, struct json_object **ret_message)
{
	struct pollfd fd = { .fd = link->socket, .events = POLLIN };
	autoclean(freep) char *text = malloc(RECORDER_MESSAGE_MAX + 1);
	struct json_object *message;
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = poll(&fd, 1, timeout_ms);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	n = recv(link->socket, text, RECORDER_MESSAGE_MAX, MSG_DONTWAIT);
	/* It ended without reading our last words; its own still lie in the socket. */
	if (n < 0 && errno == ECONNRESET)
		n = recv(link->socket, text, RECORDER_MESSAGE_MAX, MSG_DONTWAIT);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	text[n] = '\0';
	message = json_tokener_parse(text);
	if (!message)
		return -EBADMSG;
	*ret_message = message;
	return 0;
}
