/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blackbox-launch: what a unit's ExecStart runs once the unit is enabled. It tells
 * blackboxd who it is, waits until it is attached to, and becomes the real command: the
 * same process, with the same descriptors and environment. Whatever goes wrong, it
 * becomes the command all the same.
 *
 *	blackbox-launch --unit NAME [--socket PATH] [--argv0 WORD] -- COMMAND [ARG...]
 *
 * It runs within all that the unit forbids, so it makes few system calls, and all of
 * them are named in ctl/unit.c; it has no library but libc, linked in, so that what the
 * unit's environment preloads is loaded by the command only.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/protocol.h"

/* systemd's for a command that can't be run. */
enum { EXIT_EXEC = 203 };

static long long now_ms(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Fails at once where nobody listens; a full queue isn't waited for. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void) strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		(void) close(fd);
		return r;
	}
	return fd;
}

/* The answer, or "" with a negative errno. Signals don't prolong the wait. */
static int hear(int fd, char *text, size_t size)
{
	long long end = now_ms() + LAUNCH_PATIENCE_MS, left;

	while ((left = end - now_ms()) > 0) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&wait, 1, (int)left) < 0 && errno != EINTR)
			return -errno;
		if (!wait.revents)
			continue;
		n = recv(fd, text, size - 1, 0);
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		text[n] = '\0';
		return 0;
	}
	return -ETIMEDOUT;
}

static const char *why_not(int error)
{
	switch (-error) {
	case ENOENT:
	case ECONNREFUSED:
		return "blackboxd isn't running";
	case EAFNOSUPPORT:
		return "the unit's RestrictAddressFamilies= lacks AF_UNIX";
	case ETIMEDOUT:
	case EAGAIN:
		return "blackboxd doesn't answer";
	default:
		return strerror(-error);
	}
}

/* Waits until an exec of ours will be recorded, and says so where it won't. */
static void announce(const char *path, const char *unit)
{
	char text[LAUNCH_MESSAGE_MAX];
	int fd = connect_to(path), r = fd;

	if (fd >= 0) {
		int n = snprintf(text, sizeof(text), "unit %s", unit);

		r = n >= (int)sizeof(text) ? -ENAMETOOLONG :
		    send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0 ? -errno : hear(fd, text, sizeof(text));
		(void) close(fd);
	}
	if (r < 0)
		log_warning("%s starts unrecorded: %s", unit, why_not(r));
	else if (strncmp(text, "native ", 7) == 0)
		log_warning("%s starts unrecorded: %s", unit, text + 7);
}

int main(int argc, char **argv)
{
	const char *unit = "this service", *path = LAUNCH_SOCKET, *argv0 = NULL;
	const char *command;
	int i = 1;

	log_setup("blackbox-launch");
	for (; i + 1 < argc && strcmp(argv[i], "--") != 0; i += 2) {
		if (strcmp(argv[i], "--unit") == 0)
			unit = argv[i + 1];
		else if (strcmp(argv[i], "--socket") == 0)
			path = argv[i + 1];
		else if (strcmp(argv[i], "--argv0") == 0)
			argv0 = argv[i + 1];
		else
			break;
	}
	if (i + 1 >= argc || strcmp(argv[i], "--") != 0) {
		log_error("usage: blackbox-launch --unit NAME [--socket PATH] [--argv0 WORD] -- COMMAND [ARG...] "
			  "(written by `blackboxctl enable')");
		return EXIT_EXEC;
	}
	argv += i + 1;
	command = argv[0];
	if (argv0)
		argv[0] = (char *)argv0;
	announce(path, unit);
	(void) execv(command, argv);
	log_error("can't run %s: %s", command, strerror(errno));
	return EXIT_EXEC;
}
