/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket: questions of blackboxctl, and what they wait for. */
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/log.h"
#include "daemon/blackboxd.h"
#include "daemon/protocol.h"
#include "ringstore/incident.h"

/* Who asks for more at a time waits for the others. */
#define CLIENTS_MAX 64

/* A recorder answers at once unless it is stopped; a freeze writes what isn't yet on disk. */
#define STATUS_PATIENCE_US UINT64_C(2000000)
#define FREEZE_PATIENCE_US UINT64_C(60000000)

/* Rows in a socket's buffer: what a client that doesn't read can make us keep there. */
enum { SEND_BUFFER = 4 << 20 };

enum request_kind { REQUEST_NEW, REQUEST_STATUS, REQUEST_FREEZE };

/* A client, and what it waits for. */
struct request {
	struct daemon *daemon;
	struct request *next;
	int fd;
	uid_t uid;
	enum request_kind kind;
	struct service *service;	/* NULL: all */
	sd_event_source *source, *timer;
};

/* -- answering ---------------------------------------------------------------------------------- */

static void request_free(struct request *request)
{
	struct request **at = &request->daemon->requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	request->daemon->n_clients--;
	sd_event_source_disable_unref(request->source);
	sd_event_source_disable_unref(request->timer);
	closep(&request->fd);
	free(request);
}

static void say(struct request *request, struct json_object *packet)
{
	const char *text = json_object_to_json_string_ext(packet, JSON_C_TO_STRING_PLAIN);

	/* One that doesn't read misses rows, and then the last packet: it is told by the end. */
	(void) send(request->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void) json_object_put(packet);
}

/* @row is put. */
static void say_row(struct request *request, struct json_object *row)
{
	struct json_object *packet = json_object_new_object();

	(void) json_object_object_add(packet, "row", row);
	say(request, packet);
}

static void done(struct request *request)
{
	struct json_object *packet = json_object_new_object();

	(void) json_object_object_add(packet, "done", json_object_new_boolean(true));
	say(request, packet);
	request_free(request);
}

__attribute__((format(printf, 3, 4)))
static void refuse(struct request *request, bool bad_input, const char *format, ...)
{
	struct json_object *packet = json_object_new_object();
	char text[512];
	va_list args;

	va_start(args, format);
	(void) vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	(void) json_object_object_add(packet, "error", json_object_new_string(text));
	(void) json_object_object_add(packet, "bad_input", json_object_new_boolean(bad_input));
	say(request, packet);
	request_free(request);
}

/* -- status ---------------------------------------------------------------------------------------- */

static bool concerns(const struct request *request, const struct service *service)
{
	return !request->service || request->service == service;
}

static void answer_status(struct request *request)
{
	for (struct service *s = request->daemon->services; s; s = s->next)
		if (concerns(request, s))
			say_row(request, service_row(s));
	done(request);
}

static bool all_heard(const struct request *request)
{
	for (struct service *s = request->daemon->services; s; s = s->next)
		if (concerns(request, s) && s->n_heard < s->n_asked)
			return false;
	return true;
}

/* A later question may delay this one, by less than its patience. */
void control_status_heard(struct service *service)
{
	struct request *next;

	for (struct request *request = service->daemon->requests; request; request = next) {
		next = request->next;
		if (request->kind == REQUEST_STATUS && concerns(request, service) && all_heard(request))
			answer_status(request);
	}
}

static int on_status_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void) source;
	(void) usec;
	answer_status(userdata);
	return 0;
}

static void ask_status(struct request *request)
{
	request->kind = REQUEST_STATUS;
	for (struct service *s = request->daemon->services; s; s = s->next)
		if (concerns(request, s) && s->link.socket >= 0 &&
		    recorder_say(&s->link, "status", 0, 0) == 0)
			s->n_asked++;
	if (all_heard(request) ||
	    sd_event_add_time_relative(request->daemon->event, &request->timer, CLOCK_MONOTONIC,
				       STATUS_PATIENCE_US, 1000, on_status_patience, request) < 0)
		answer_status(request);
}

/* -- freeze ----------------------------------------------------------------------------------------- */

void control_frozen(struct service *service, struct json_object *news)
{
	struct json_object *trigger = NULL, *row;
	struct request *next;

	(void) json_object_object_get_ex(news, "trigger", &trigger);
	for (struct request *request = service->daemon->requests; request; request = next) {
		next = request->next;
		if (request->kind != REQUEST_FREEZE || request->service != service)
			continue;
		if (incident_row(service->store, json_text(news, "id"), &row) == 0)
			say_row(request, row);
		done(request);
	}
}

void control_not_frozen(struct service *service, const char *why)
{
	struct request *next;

	for (struct request *request = service->daemon->requests; request; request = next) {
		next = request->next;
		if (request->kind == REQUEST_FREEZE && request->service == service)
			refuse(request, false, "the window of %s could not be frozen: %s",
			       service->policy.name, why);
	}
}

static int on_freeze_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct request *request = userdata;

	(void) source;
	(void) usec;
	refuse(request, false, "the recorder of %s doesn't answer", request->service->policy.name);
	return 0;
}

static void ask_freeze(struct request *request)
{
	struct service *s = request->service;

	request->kind = REQUEST_FREEZE;
	if (s->link.socket < 0 || s->state != SERVICE_RECORDED)
		refuse(request, false, "%s isn't being recorded%s%s", s->policy.name, *s->why ? ": " : "",
		       s->why);
	else if (sd_event_add_time_relative(request->daemon->event, &request->timer, CLOCK_MONOTONIC,
					    FREEZE_PATIENCE_US, 1000, on_freeze_patience, request) < 0 ||
		 recorder_say(&s->link, "freeze", 0, 0) < 0)
		refuse(request, false, "the recorder of %s doesn't hear", s->policy.name);
}

/* -- incidents ----------------------------------------------------------------------------------------- */

static void list(struct request *request)
{
	for (struct service *s = request->daemon->services; s; s = s->next) {
		struct json_object *rows = json_object_new_array();

		if (concerns(request, s))
			(void) incident_rows(s->store, rows);
		for (size_t i = 0; i < json_object_array_length(rows); i++)
			say_row(request, json_object_get(json_object_array_get_idx(rows, i)));
		(void) json_object_put(rows);
	}
	done(request);
}

/* The service whose store has it, and its row (to be put), or NULL. */
static struct service *find(struct daemon *daemon, const char *id, struct json_object **ret_row)
{
	if (!*id || strchr(id, '/') || id[0] == '.')
		return NULL;
	for (struct service *s = daemon->services; s; s = s->next)
		if (incident_row(s->store, id, ret_row) == 0)
			return s;
	return NULL;
}

static void find_or_remove(struct request *request, const char *id, bool removes)
{
	struct json_object *row;
	struct service *s;
	int r;

	if (removes && request->uid != 0 && request->uid != getuid()) {
		refuse(request, false, "only root may remove incidents");
		return;
	}
	s = find(request->daemon, id, &row);
	if (!s) {
		refuse(request, true, "%s: no such incident; `blackboxctl list' shows those there are", id);
		return;
	}
	r = removes ? incident_remove(s->store, id) : 0;
	if (r < 0) {
		(void) json_object_put(row);
		refuse(request, false, "can't remove incident %s: %s", id, strerror(-r));
		return;
	}
	say_row(request, row);
	done(request);
}

/* -- asking ----------------------------------------------------------------------------------------- */

static void dispatch(struct request *request, struct json_object *question)
{
	const char *verb = json_text(question, "do"), *name = json_text(question, "service");

	if (*name) {
		request->service = service_by_name(request->daemon, name);
		if (!request->service)
			request->service = service_by_unit(request->daemon, name);
		if (!request->service) {
			refuse(request, true, "%s: no such service; `blackboxctl status' shows those there are",
			       name);
			return;
		}
	}
	if (strcmp(verb, "status") == 0)
		ask_status(request);
	else if (strcmp(verb, "list") == 0)
		list(request);
	else if (strcmp(verb, "find") == 0)
		find_or_remove(request, json_text(question, "incident"), false);
	else if (strcmp(verb, "rm") == 0)
		find_or_remove(request, json_text(question, "incident"), true);
	else if (strcmp(verb, "freeze") == 0 && request->service)
		ask_freeze(request);
	else
		refuse(request, true, "blackboxd doesn't know how to \"%s\"; is blackboxctl of another "
		       "version?", verb);
}

static int on_request(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct request *request = userdata;
	struct json_object *question;
	char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	(void) source;
	(void) revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* It has gone, or asks twice. */
	if (n <= 0 || request->kind != REQUEST_NEW) {
		request_free(request);
		return 0;
	}
	text[n] = '\0';
	question = json_tokener_parse(text);
	if (question)
		dispatch(request, question);
	else
		refuse(request, true, "that isn't JSON");
	(void) json_object_put(question);
	return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct daemon *daemon = userdata;
	const int buffer = SEND_BUFFER;
	autoclean(closep) int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	struct request *request;

	(void) source;
	(void) revents;
	if (client < 0 || daemon->n_clients >= CLIENTS_MAX)
		return 0;
	request = calloc(1, sizeof(*request));
	if (!request)
		return 0;
	(void) getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	(void) setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer));
	request->daemon = daemon;
	request->fd = MOVE_FD(client);
	request->uid = peer.uid;
	request->next = daemon->requests;
	daemon->requests = request;
	daemon->n_clients++;
	if (sd_event_add_io(daemon->event, &request->source, request->fd, EPOLLIN, on_request, request) < 0)
		request_free(request);
	return 0;
}

/* -- the socket -------------------------------------------------------------------------------------- */

static bool somebody_serves(const struct sockaddr_un *address)
{
	autoclean(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

int listen_at(const char *path, mode_t mode, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	autoclean(closep) int fd = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void) strcpy(address.sun_path, path);
	if (somebody_serves(&address))
		return -EADDRINUSE;
	(void) unlink(path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0777 & ~mode);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	(void) umask(mask);
	if (r == 0 && listen(fd, 64) < 0)
		r = -errno;
	if (r == 0)
		*ret_fd = MOVE_FD(fd);
	return r;
}

int control_open(struct daemon *daemon)
{
	struct group *group = getgrnam("blackbox");
	int r = listen_at(daemon->control_path, 0660, &daemon->control_fd);

	if (r < 0) {
		log_error("can't listen at %s: %s", daemon->control_path,
			  r == -EADDRINUSE ? "another blackboxd does" : strerror(-r));
		return r;
	}
	/* Without the group it stays root's alone. */
	if (group && getuid() == 0 && chown(daemon->control_path, 0, group->gr_gid) < 0)
		log_warning("can't give %s to the group blackbox: %s", daemon->control_path, strerror(errno));
	return sd_event_add_io(daemon->event, NULL, daemon->control_fd, EPOLLIN, on_connect, daemon);
}
