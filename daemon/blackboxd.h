/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blackboxd - starts services under recording, hears their recorders, answers questions
 *
 * Each service that runs has a recorder process of its own; blackboxd only wires them
 * up. It may die at any time: services and recorders go on. One thread, one sd-event
 * loop; no callback waits for anybody.
 */
#pragma once

#include <json-c/json.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "policies/policy.h"
#include "recorder/recorder.h"

struct launch;
struct request;

enum service_state {
	SERVICE_IDLE,		/* not started yet */
	SERVICE_STARTING,	/* its process waits for the recorder, or execs */
	SERVICE_RECORDED,
	SERVICE_NATIVE,		/* it runs unrecorded, for the reason in why */
	SERVICE_ENDED,
};

struct service {
	struct daemon *daemon;
	struct service *next;
	struct policy policy;
	char store[PATH_MAX];

	enum service_state state;
	char why[256];		/* not recorded, not started */
	char ring_why[160];	/* the ring is less than its policy says */
	pid_t pid;		/* of its main process, while that lives */
	bool is_child;		/* ours, to be waited for */
	int pidfd;		/* if it isn't */
	int status;		/* as waitpid(2) has it, of the process that ended */
	bool status_known;
	sd_event_source *process_source;

	struct recorder_link link;	/* pid 0: no recorder */
	sd_event_source *link_source, *recorder_source;
	bool inherited;		/* an earlier blackboxd started it */
	bool recovers;		/* it is only there for what one before it has left */
	int recorder_pidfd;	/* of one that was inherited, once it has said who it is */
	struct json_object *recorder_status;	/* what it said last */
	uint64_t n_asked, n_heard;	/* questions for its status, answers */

	int go, failed;			/* of a command: ends of pipes to the child */
	sd_event_source *answer_timer;
	struct launch *launch;		/* a launcher that waits for its turn */
};

struct daemon {
	sd_event *event;
	struct policy_set policies;
	char state_dir[PATH_MAX], control_path[108], launch_path[108], run_dir[108];
	struct service *services;	/* in the order of the configuration */
	struct request *requests;
	int control_fd, launch_fd;
	unsigned n_clients, n_launches;
};

/* -- service.c ------------------------------------------------------------------------------ */

/* Adds a service, with a copy of @policy. */
int service_add(struct daemon *daemon, const struct policy *policy, struct service **ret_service);
struct service *service_by_name(struct daemon *daemon, const char *name);
struct service *service_by_unit(struct daemon *daemon, const char *unit);

/* Starts the command of a service, recorded if that can be had. Logs what fails. */
void service_start(struct service *service);

/*
 * Has the process that waits in a launcher recorded when it execs, and answers @launch;
 * until then it is service->launch, which is set to NULL if the launcher waits no more.
 */
void service_launch(struct service *service, struct launch *launch);

/* Waits for those children that have ended. */
void services_reap(struct daemon *daemon);

/* Takes over the recorder behind the socket @fd. */
void service_inherit(struct service *service, int fd);

/*
 * If a recorder that is gone has left the service's window, starts one that makes an incident
 * of it, and ends.
 */
void service_recover(struct service *service);

/* The same for all stores, once those services that start with the machine have had time to. */
int recover_later(struct daemon *daemon);

/* Lets go of all that runs. */
void service_free(struct service *service);

/* The row of `status'. The caller puts it. */
struct json_object *service_row(const struct service *service);

/* -- share.c -------------------------------------------------------------------------------- */

/* Cuts the rings of the services that are configured so that all stores fit max-use. */
void shares_set(struct daemon *daemon);
/* Gives one that isn't configured what those leave. */
void share_set_rest(struct service *service);

/* -- incident.c ----------------------------------------------------------------------------- */

/* Says in the journal that there is a new incident, and removes those that are too many. */
void incident_made(struct service *service, struct json_object *news);

/* -- control.c ------------------------------------------------------------------------------ */

int control_open(struct daemon *daemon);

/* What requests may have waited for: a recorder's answer or end, an incident. */
void control_status_heard(struct service *service);
void control_frozen(struct service *service, struct json_object *news);
void control_not_frozen(struct service *service, const char *why);

/*
 * A listening socket (SOCK_SEQPACKET) at @path, in place of one that nobody serves any
 * more. -EADDRINUSE if somebody does.
 */
int listen_at(const char *path, mode_t mode, int *ret_fd);

/* -- inherit.c ------------------------------------------------------------------------------ */

/* Gives systemd the socket of the service's recorder to keep, for the next blackboxd. */
void service_store_link(const struct service *service);

/* Takes over the recorders whose sockets systemd has kept. */
void inherit_services(struct daemon *daemon);

/* -- launch.c ------------------------------------------------------------------------------- */

int launch_open(struct daemon *daemon);

/* A service for a unit that the configuration doesn't name, with its defaults. */
int launch_add_unit(struct daemon *daemon, const char *unit, struct service **ret_service);

/* Tells the launcher to go on (@why NULL: recorded), and is done with it. */
void launch_answer(struct launch *launch, const char *why);
pid_t launch_pid(const struct launch *launch);
