/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recorder-internal - what recorder.c (loop, triggers) and freeze.c (incidents) share */
#pragma once

#include <json-c/json.h>
#include <systemd/sd-event.h>

#include "recorder/domain.h"

struct recorder {
	sd_event *event;
	int control, injector;		/* sockets */
	const char *dir;
	struct policy policy;
	struct domain_env env;
	uint32_t n_domains;
	struct json_object *command;	/* of the image that runs: an array */
	struct domain *current;		/* the image that runs now */
	sd_event_source *wake_source, *death_source, *timer, *more_source, *freeze_timer;
	sd_event_source *injector_source;
	pid_t injector_pid, attaching;	/* attaching: what it has been asked to, without an answer yet */
	bool injector_works;		/* it has answered once */
	bool freeze_asked;
	unsigned n_incidents;
};

/* What froze a window. */
struct trigger {
	const char *kind;	/* crash, signal, exit, killed, request, freeze-signal */
	int signal, status;
	pid_t pid;
	uint32_t thread;	/* slot */
};

/* Sends @message, and puts it. */
void recorder_tell(struct recorder *recorder, struct json_object *message);
struct json_object *recorder_news(const char *news);
/* The command line of @pid, as an array. */
struct json_object *recorder_command(pid_t pid);
struct json_object *recorder_status(struct recorder *recorder);
void recorder_attach(struct recorder *recorder, pid_t pid);

/*
 * Makes an incident of the window that ends before @event of @domain, and tells. @final:
 * the state that a replay must reach there, or NULL: the snapshot at that event says it.
 */
void recorder_freeze(struct recorder *recorder, struct domain *domain, const struct trigger *trigger,
		     uint64_t event, const struct final_state *final);
