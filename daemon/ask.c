/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The asking side of the control protocol. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "daemon/protocol.h"

/* blackboxd bounds its own waiting; this is for one that hangs. */
enum { PATIENCE_MS = 90000 };

__attribute__((format(printf, 3, 4)))
static int fail(struct control_error *ret_error, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void) vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
	va_end(args);
	return error;
}

static int fail_connect(const char *path, int error, struct control_error *ret_error)
{
	ret_error->no_daemon = error == ENOENT || error == ECONNREFUSED;
	if (ret_error->no_daemon)
		return fail(ret_error, -ECONNREFUSED, "no blackboxd answers at %s; is it running? "
			    "(systemctl status blackboxd)", path);
	if (error == EACCES)
		return fail(ret_error, -error, "may not speak with blackboxd at %s: that takes root, or "
			    "membership of the group blackbox", path);
	return fail(ret_error, -error, "can't connect to %s: %s", path, strerror(error));
}

static int connect_to(const char *path, int *ret_fd, struct control_error *ret_error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclean(closep) int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(ret_error, -ENAMETOOLONG, "%s: longer than a socket's name may be", path);
	(void) strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(ret_error, -errno, "can't make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_connect(path, errno, ret_error);
	*ret_fd = MOVE_FD(fd);
	return 0;
}

/* One packet as JSON; the caller puts it. */
static int hear(int fd, char *buffer, struct json_object **ret)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n;

	n = poll(&wait, 1, PATIENCE_MS);
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	n = recv(fd, buffer, CONTROL_MESSAGE_MAX, 0);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	buffer[n] = '\0';
	*ret = json_tokener_parse(buffer);
	return *ret ? 0 : -EBADMSG;
}

/* Rows until the last packet. */
static int hear_rows(int fd, struct json_object *rows, struct control_error *ret_error)
{
	autoclean(freep) char *buffer = malloc(CONTROL_MESSAGE_MAX + 1);

	if (!buffer)
		return fail(ret_error, -ENOMEM, "%s", strerror(ENOMEM));
	for (;;) {
		struct json_object *packet = NULL, *row;
		int r = hear(fd, buffer, &packet);

		if (r < 0)
			return fail(ret_error, r, "blackboxd doesn't answer: %s", strerror(-r));
		if (json_object_object_get_ex(packet, "row", &row)) {
			(void) json_object_array_add(rows, json_object_get(row));
			(void) json_object_put(packet);
			continue;
		}
		if (*json_text(packet, "error")) {
			ret_error->bad_input = json_number(packet, "bad_input") != 0;
			r = fail(ret_error, -EINVAL, "%s", json_text(packet, "error"));
		}
		(void) json_object_put(packet);
		return r;
	}
}

int control_ask(const char *path, struct json_object *question, struct json_object **ret_rows,
		struct control_error *ret_error)
{
	const char *text = json_object_to_json_string_ext(question, JSON_C_TO_STRING_PLAIN);
	struct json_object *rows = json_object_new_array();
	autoclean(closep) int fd = -1;
	int r;

	*ret_error = (struct control_error){ 0 };
	r = connect_to(path ? path : CONTROL_SOCKET, &fd, ret_error);
	if (r == 0 && send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		r = fail(ret_error, -errno, "can't ask blackboxd: %s", strerror(errno));
	if (r == 0)
		r = hear_rows(fd, rows, ret_error);
	(void) json_object_put(question);
	if (r < 0) {
		(void) json_object_put(rows);
		return r;
	}
	*ret_rows = rows;
	return 0;
}
