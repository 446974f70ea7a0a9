/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The launch socket: processes of units that ask to be recorded when they exec. Anybody
 * may connect, so nothing is believed: systemd says which unit a process belongs to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "daemon/blackboxd.h"
#include "daemon/protocol.h"

/* So many units may start at a time; more run natively. */
#define LAUNCHES_MAX 256

struct launch {
	struct daemon *daemon;
	struct service *service;	/* that it was handed to */
	int fd;
	struct ucred peer;
	sd_event_source *source;
};

pid_t launch_pid(const struct launch *launch)
{
	return launch->peer.pid;
}

static void launch_free(struct launch *launch)
{
	launch->daemon->n_launches--;
	sd_event_source_disable_unref(launch->source);
	closep(&launch->fd);
	free(launch);
}

void launch_answer(struct launch *launch, const char *why)
{
	char text[LAUNCH_MESSAGE_MAX];

	if (why)
		(void) snprintf(text, sizeof(text), "native %s", why);
	else
		(void) snprintf(text, sizeof(text), "attached");
	(void) send(launch->fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	launch_free(launch);
}

/* Root may say what it likes: it could write the unit too. */
static bool belongs_to(const struct launch *launch, const char *unit)
{
	autoclean(freep) char *actual = NULL;

	if (launch->peer.uid == 0)
		return true;
	return sd_pid_get_unit(launch->peer.pid, &actual) >= 0 && strcmp(actual, unit) == 0;
}

/* The name of a unit's service: without its type, and of what a name may have. */
static void service_name(const char *unit, char name[static 129])
{
	const char *dot = strrchr(unit, '.');
	size_t n = dot ? (size_t)(dot - unit) : strlen(unit);

	if (n > 128)
		n = 128;
	for (size_t i = 0; i < n; i++)
		name[i] = strchr(":-_.@", unit[i]) || (unit[i] >= '0' && unit[i] <= '9') ||
			  (unit[i] >= 'a' && unit[i] <= 'z') || (unit[i] >= 'A' && unit[i] <= 'Z') ?
				  unit[i] : '_';
	name[n] = '\0';
}

int launch_add_unit(struct daemon *daemon, const char *unit, struct service **ret_service)
{
	struct policy policy = { 0 };
	struct policy_error error;
	char name[129];
	int r;

	service_name(unit, name);
	if (service_by_name(daemon, name))
		return -EEXIST;
	r = policy_copy(&daemon->policies.defaults, &policy);
	if (r == 0)
		r = policy_set(&policy, "name", name, &error);
	if (r == 0)
		r = policy_set(&policy, "unit", unit, &error);
	if (r == 0)
		r = service_add(daemon, &policy, ret_service);
	policy_deinit(&policy);
	if (r == 0)
		share_set_rest(*ret_service);
	return r;
}

static void begin(struct launch *launch, const char *unit)
{
	struct service *service;
	int r = 0;

	if (!belongs_to(launch, unit)) {
		launch_answer(launch, "systemd doesn't know this process as one of the unit's");
		return;
	}
	service = service_by_unit(launch->daemon, unit);
	if (!service)
		r = launch_add_unit(launch->daemon, unit, &service);
	if (r < 0) {
		log_warning("can't record %s: %s", unit, r == -EEXIST ?
			    "another service of blackboxd's configuration has its name" : strerror(-r));
		launch_answer(launch, "blackboxd can't add it to its services, see its messages");
		return;
	}
	launch->service = service;
	service_launch(service, launch);
}

static int on_launch(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct launch *launch = userdata;
	char text[LAUNCH_MESSAGE_MAX + 1];
	ssize_t n = recv(fd, text, LAUNCH_MESSAGE_MAX, MSG_DONTWAIT);

	(void) source;
	(void) revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || launch->service) {
		/* It has waited long enough, or was killed. */
		if (launch->service && launch->service->launch == launch)
			launch->service->launch = NULL;
		launch_free(launch);
		return 0;
	}
	text[n] = '\0';
	if (strncmp(text, "unit ", 5) == 0)
		begin(launch, text + 5);
	else
		launch_answer(launch, "blackboxd is of another version than the launcher");
	return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct daemon *daemon = userdata;
	autoclean(closep) int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct launch *launch;
	socklen_t len = sizeof(launch->peer);

	(void) source;
	(void) revents;
	if (client < 0 || daemon->n_launches >= LAUNCHES_MAX)
		return 0;
	launch = calloc(1, sizeof(*launch));
	if (!launch)
		return 0;
	launch->daemon = daemon;
	daemon->n_launches++;
	launch->fd = MOVE_FD(client);
	if (getsockopt(launch->fd, SOL_SOCKET, SO_PEERCRED, &launch->peer, &len) < 0 ||
	    launch->peer.pid <= 0 ||
	    sd_event_add_io(daemon->event, &launch->source, launch->fd, EPOLLIN, on_launch, launch) < 0)
		launch_free(launch);
	return 0;
}

int launch_open(struct daemon *daemon)
{
	int r = listen_at(daemon->launch_path, 0666, &daemon->launch_fd);

	if (r < 0) {
		log_error("can't listen at %s: %s", daemon->launch_path, strerror(-r));
		return r;
	}
	return sd_event_add_io(daemon->event, NULL, daemon->launch_fd, EPOLLIN, on_connect, daemon);
}
