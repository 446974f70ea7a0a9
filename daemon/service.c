/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Services: their processes, their recorders, and what becomes of both. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "daemon/blackboxd.h"
#include "daemon/process.h"
#include "daemon/protocol.h"
#include "recorder/recover.h"
#include "ringstore/incident.h"
#include "ringstore/store.h"

/* A recorder that doesn't answer must not keep a service from running. */
#define ANSWER_US UINT64_C(1500000)

static void hear_all(struct service *s);
static void recorder_known(struct service *s, struct json_object *status);
static void begin_launch(struct service *s);

static const char *name_of(const struct service *s)
{
	return s->policy.name;
}

__attribute__((format(printf, 2, 3)))
static void set_why(struct service *s, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void) vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
}

/* -- letting the process go on ------------------------------------------------------------------ */

/* The process execs now; @why: unrecorded. */
static void let_go(struct service *s, const char *why)
{
	s->answer_timer = sd_event_source_disable_unref(s->answer_timer);
	closep(&s->go);
	s->go = -1;
	/* Not one that waits for the end of the run before. */
	if (s->launch && launch_pid(s->launch) == s->pid)
		launch_answer(MOVE(s->launch), why);
}

static void runs_native(struct service *s, const char *why)
{
	s->state = SERVICE_NATIVE;
	set_why(s, "%s", why);
	log_warning("%s runs unrecorded: %s", name_of(s), why);
	let_go(s, why);
}

static int on_no_answer(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void) source;
	(void) usec;
	runs_native(userdata, "its recorder doesn't answer");
	return 0;
}

static void await_answer(struct service *s)
{
	/* Without the timer a command would wait for ever: better unrecorded. */
	if (sd_event_add_time_relative(s->daemon->event, &s->answer_timer, CLOCK_MONOTONIC, ANSWER_US,
				       1000, on_no_answer, s) < 0)
		runs_native(s, "out of memory");
}

/* -- the recorder -------------------------------------------------------------------------------- */

static void recorder_gone(struct service *s)
{
	s->link_source = sd_event_source_disable_unref(s->link_source);
	s->recorder_source = sd_event_source_disable_unref(s->recorder_source);
	closep(&s->link.socket);
	closep(&s->recorder_pidfd);
	s->link = (struct recorder_link){ .socket = -1 };
	s->recorder_pidfd = -1;
	s->inherited = false;
	s->n_heard = s->n_asked;
	(void) json_object_put(MOVE(s->recorder_status));
	if (s->pid && s->state != SERVICE_NATIVE)
		runs_native(s, "its recorder is gone");
	else if (!s->pid && !s->recovers)
		s->state = SERVICE_ENDED;
	control_not_frozen(s, "its recorder is gone");
	control_status_heard(s);
	if (s->launch)
		begin_launch(s);
}

/* It has exited, so its store is free for the next. */
static void recorder_exited(struct service *s, int status)
{
	hear_all(s);
	if (status != 0)
		log_error("the recorder of %s ended unexpectedly (%s %d)", name_of(s),
			  WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	s->link.pid = 0;
	recorder_gone(s);
	if (status != 0 && !s->recovers)
		service_recover(s);
}

/* Nobody has asked for it. */
static bool is_of_the_past(struct json_object *news)
{
	struct json_object *trigger = NULL;

	(void) json_object_object_get_ex(news, "trigger", &trigger);
	return recover_is_trigger(json_text(trigger, "kind"));
}

static void hear(struct service *s, struct json_object *message)
{
	const char *news = json_text(message, "news");

	if (strcmp(news, "attached") == 0) {
		let_go(s, NULL);
	} else if (strcmp(news, "recording") == 0) {
		s->state = SERVICE_RECORDED;
		s->why[0] = '\0';
		log_info("%s is recorded (process %d)", name_of(s), (int)json_number(message, "pid"));
	} else if (strcmp(news, "native") == 0) {
		runs_native(s, json_text(message, "why"));
	} else if (strcmp(news, "incident") == 0) {
		incident_made(s, message);
		if (!is_of_the_past(message))
			control_frozen(s, message);
	} else if (strcmp(news, "not-frozen") == 0) {
		log_warning("the window of %s could not be frozen: %s", name_of(s), json_text(message, "why"));
		control_not_frozen(s, json_text(message, "why"));
	} else if (strcmp(news, "status") == 0) {
		if (s->inherited && s->recorder_pidfd < 0)
			recorder_known(s, message);
		(void) json_object_put(s->recorder_status);
		s->recorder_status = json_object_get(message);
		s->n_heard++;
		control_status_heard(s);
	}
}

/* What lies in the socket now. */
static void hear_all(struct service *s)
{
	struct json_object *message;

	while (s->link.socket >= 0) {
		int r = recorder_hear(&s->link, 0, &message);

		if (r == -EBADMSG)
			continue;
		if (r == -EPIPE && s->inherited && s->recorder_pidfd < 0)
			recorder_gone(s);
		else if (r == -EPIPE)	/* its exit comes next */
			s->link_source = sd_event_source_disable_unref(s->link_source);
		if (r < 0)
			return;
		hear(s, message);
		(void) json_object_put(message);
	}
}

static int on_link(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void) source;
	(void) fd;
	(void) revents;
	hear_all(userdata);
	return 0;
}

static int start_recorder(struct service *s)
{
	int r;

	if (s->policy.ring_bytes < STORE_MIN_BYTES)
		return -EDQUOT;
	if (mkdir(s->daemon->state_dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir(s->store, 0700) < 0 && errno != EEXIST)
		return -errno;
	s->recovers = false;
	r = recorder_start(s->store, &s->policy, &s->link);
	if (r < 0) {
		s->link = (struct recorder_link){ .socket = -1 };
		return r;
	}
	r = sd_event_add_io(s->daemon->event, &s->link_source, s->link.socket, EPOLLIN, on_link, s);
	if (r >= 0)
		service_store_link(s);
	return r < 0 ? r : 0;
}

static const char *start_error(int r)
{
	return r == -EDQUOT ? "max-use leaves less for its ring than the least that there may be" : strerror(-r);
}

void service_recover(struct service *s)
{
	int r;

	if (s->link.socket >= 0 || s->launch || !recover_is_wanted(s->store))
		return;
	r = start_recorder(s);
	if (r < 0) {
		log_error("can't look at the window that the recorder of %s left: %s", name_of(s), start_error(r));
		return;
	}
	s->recovers = true;
	(void) recorder_say(&s->link, "exited", 0, 0);
}

/* -- the process ----------------------------------------------------------------------------------- */

static void process_gone(struct service *s)
{
	char name[16];

	s->process_source = sd_event_source_disable_unref(s->process_source);
	closep(&s->pidfd);
	s->pidfd = -1;
	/* A daemon that forks goes on, and so does its recorder, until nobody is left. */
	if (s->status_known || s->state != SERVICE_RECORDED || s->link.socket < 0)
		s->state = SERVICE_ENDED;
	s->why[0] = '\0';
	let_go(s, "it ended");
	if (s->link.socket >= 0)
		(void) recorder_say(&s->link, s->status_known ? "exited" : "gone", s->pid, s->status);
	s->pid = 0;
	if (!s->status_known)
		log_info("%s has ended", name_of(s));
	else if (WIFSIGNALED(s->status))
		log_warning("%s was ended by %s", name_of(s), signal_name(WTERMSIG(s->status), name));
	else
		log_notice("%s has ended with status %d", name_of(s), WEXITSTATUS(s->status));
}

static void say_exec_failure(struct service *s)
{
	int error;

	if (s->failed >= 0 && read(s->failed, &error, sizeof(error)) == sizeof(error)) {
		log_error("can't run %s: %s", s->policy.command[0], strerror(error));
		set_why(s, "can't run %s: %s", s->policy.command[0], strerror(error));
	}
	closep(&s->failed);
	s->failed = -1;
}

static void child_exited(struct service *s, int status)
{
	s->is_child = false;
	s->status_known = true;
	s->status = status;
	process_forget(s->daemon->run_dir, name_of(s));
	process_gone(s);
	say_exec_failure(s);
}

/*
 * Not sd_event_add_child(): a child that ends while the injector traces it is announced
 * twice, and the first time there is nothing to wait for, which is where sd-event stops.
 */
void services_reap(struct daemon *daemon)
{
	for (struct service *s = daemon->services; s; s = s->next) {
		int status;

		if (s->is_child && waitpid(s->pid, &status, WNOHANG) == s->pid)
			child_exited(s, status);
		if (s->link.pid && !s->inherited && waitpid(s->link.pid, &status, WNOHANG) == s->link.pid)
			recorder_exited(s, status);
	}
}

/* Of a process that isn't our child nobody tells us the status. */
static int on_process_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void) source;
	(void) fd;
	(void) revents;
	process_gone(userdata);
	return 0;
}

static int watch_process(struct service *s)
{
	int r;

	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pidfd < 0)
		return -errno;
	r = sd_event_add_io(s->daemon->event, &s->process_source, s->pidfd, EPOLLIN, on_process_exit, s);
	return r < 0 ? r : 0;
}

/* Its process and its recorder are there: the one waits for what the other says. */
static void attach(struct service *s)
{
	s->state = SERVICE_STARTING;
	if (s->link.socket < 0)
		return;
	await_answer(s);
	if (recorder_say(&s->link, "attach", s->pid, 0) < 0)
		runs_native(s, "its recorder doesn't hear");
}

/* -- recorders that an earlier blackboxd started ------------------------------------------------------ */

static int on_inherited_exit(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void) source;
	(void) fd;
	(void) revents;
	hear_all(userdata);
	recorder_gone(userdata);
	return 0;
}

/* The first answer of one says whose recorder it is. */
static void recorder_known(struct service *s, struct json_object *status)
{
	const char *state = json_text(status, "state");

	s->link.pid = (pid_t)json_number(status, "recorder_pid");
	s->recorder_pidfd = (int)syscall(SYS_pidfd_open, s->link.pid, 0);
	s->pid = (pid_t)json_number(status, "pid");
	if (s->pid && watch_process(s) < 0)
		s->pid = 0;
	s->state = !s->pid ? SERVICE_ENDED :
		   strcmp(state, "waiting") == 0 ? SERVICE_NATIVE : SERVICE_RECORDED;
	s->why[0] = '\0';
	/* Without it, the end of the socket says that it is gone, if a little early. */
	if (s->recorder_pidfd >= 0)
		(void) sd_event_add_io(s->daemon->event, &s->recorder_source, s->recorder_pidfd, EPOLLIN,
				       on_inherited_exit, s);
	log_info("%s is recorded on (process %d)", name_of(s), s->pid);
}

void service_inherit(struct service *s, int fd)
{
	s->inherited = true;
	s->link = (struct recorder_link){ .socket = fd };
	s->state = SERVICE_STARTING;
	set_why(s, "an earlier blackboxd started it; its recorder is asked how it is");
	if (sd_event_add_io(s->daemon->event, &s->link_source, fd, EPOLLIN, on_link, s) < 0 ||
	    recorder_say(&s->link, "status", 0, 0) < 0)
		recorder_gone(s);
	else
		s->n_asked++;
}

/* -- commands -------------------------------------------------------------------------------------- */

static bool runs_already(struct service *s)
{
	s->pid = process_remembered(s->daemon->run_dir, name_of(s));
	if (!s->pid)
		return false;
	if (watch_process(s) < 0) {
		s->pid = 0;
		return false;
	}
	s->state = SERVICE_NATIVE;
	set_why(s, "an earlier blackboxd started it; if its recorder lives, it goes on by itself");
	log_notice("%s runs already (process %d) and isn't started again: %s", name_of(s), s->pid, s->why);
	return true;
}

void service_start(struct service *s)
{
	int r;

	if (s->inherited || runs_already(s))
		return;
	s->status_known = false;
	r = start_recorder(s);
	if (r < 0)
		log_error("can't start a recorder for %s: %s", name_of(s), start_error(r));
	s->pid = process_spawn(s->policy.command, &s->go, &s->failed);
	if (s->pid < 0) {
		log_error("can't start %s: %s", name_of(s), strerror(-s->pid));
		set_why(s, "can't start it: %s", strerror(-s->pid));
		s->pid = 0;
		s->state = SERVICE_ENDED;
		if (s->link.socket >= 0)
			(void) recorder_say(&s->link, "exited", 0, 0);
		return;
	}
	process_remember(s->daemon->run_dir, name_of(s), s->pid);
	s->is_child = true;
	attach(s);
	if (s->link.socket < 0)
		runs_native(s, "no recorder could be started");
}

/* -- units ------------------------------------------------------------------------------------------- */

static void begin_launch(struct service *s)
{
	int r;

	s->pid = launch_pid(s->launch);
	s->status_known = false;
	r = watch_process(s);
	if (r < 0) {
		s->pid = 0;
		launch_answer(MOVE(s->launch), strerror(-r));
		return;
	}
	r = start_recorder(s);
	attach(s);
	if (r < 0)
		runs_native(s, start_error(r));
}

/*
 * systemd may start it again while the last moments of its last run are being written:
 * then it waits, and its launcher has a bound of its own.
 */
void service_launch(struct service *s, struct launch *launch)
{
	if (s->launch || (s->pid && process_is_alive(s->pidfd))) {
		launch_answer(launch, "another process of this unit is recorded or being started");
		return;
	}
	if (s->pid)
		process_gone(s);
	s->launch = launch;
	if (s->link.socket < 0)
		begin_launch(s);
	else	/* who is left of the last run goes on natively */
		(void) recorder_say(&s->link, "exited", 0, 0);
}

/* -- all of them ------------------------------------------------------------------------------------- */

struct service *service_by_name(struct daemon *daemon, const char *name)
{
	for (struct service *s = daemon->services; s; s = s->next)
		if (strcmp(s->policy.name, name) == 0)
			return s;
	return NULL;
}

struct service *service_by_unit(struct daemon *daemon, const char *unit)
{
	for (struct service *s = daemon->services; s; s = s->next)
		if (s->policy.unit && strcmp(s->policy.unit, unit) == 0)
			return s;
	return NULL;
}

int service_add(struct daemon *daemon, const struct policy *policy, struct service **ret_service)
{
	struct service *s = calloc(1, sizeof(*s)), **last = &daemon->services;
	int r;

	if (!s)
		return -ENOMEM;
	s->daemon = daemon;
	s->pidfd = s->recorder_pidfd = s->go = s->failed = s->link.socket = -1;
	r = policy_copy(policy, &s->policy);
	if (r == 0 && snprintf(s->store, sizeof(s->store), "%s/%s", daemon->state_dir, policy->name) >=
			      (int)sizeof(s->store))
		r = -ENAMETOOLONG;
	if (r < 0) {
		policy_deinit(&s->policy);
		free(s);
		return r;
	}
	while (*last)
		last = &(*last)->next;
	*last = s;
	if (ret_service)
		*ret_service = s;
	return 0;
}

void service_free(struct service *s)
{
	sd_event_source_disable_unref(s->process_source);
	sd_event_source_disable_unref(s->link_source);
	sd_event_source_disable_unref(s->recorder_source);
	sd_event_source_disable_unref(s->answer_timer);
	closep(&s->go);
	closep(&s->failed);
	closep(&s->pidfd);
	closep(&s->recorder_pidfd);
	closep(&s->link.socket);
	(void) json_object_put(s->recorder_status);
	policy_deinit(&s->policy);
	free(s);
}

/* -- status ------------------------------------------------------------------------------------------ */

static const char *state_name(const struct service *s)
{
	static const char *const names[] = { "idle", "starting", "recording", "native", "ended" };

	/* The recorder knows better: "passing". */
	if (s->state == SERVICE_RECORDED && s->recorder_status &&
	    *json_text(s->recorder_status, "state"))
		return json_text(s->recorder_status, "state");
	return names[s->state];
}

static struct json_object *command_json(char **command)
{
	struct json_object *json = json_object_new_array();

	for (; command && *command; command++)
		(void) json_object_array_add(json, json_object_new_string(*command));
	return json;
}

static void add_end(const struct service *s, struct json_object *row)
{
	if (!s->status_known || s->state != SERVICE_ENDED)
		return;
	if (WIFSIGNALED(s->status))
		(void) json_object_object_add(row, "signal", json_object_new_int(WTERMSIG(s->status)));
	else
		(void) json_object_object_add(row, "exit_status",
					      json_object_new_int(WEXITSTATUS(s->status)));
}

/* The recorder says so while there is one. */
static void add_incidents(const struct service *s, struct json_object *row)
{
	char **ids;
	size_t n;

	if (s->recorder_status || incident_list(s->store, &ids, &n) < 0)
		return;
	(void) json_object_object_add(row, "incidents", json_object_new_uint64(n));
	(void) incident_free_ids(ids, n);
}

struct json_object *service_row(const struct service *s)
{
	struct json_object *row = json_object_new_object();

	if (s->recorder_status) {
		json_object_object_foreach(s->recorder_status, key, value)
			if (strcmp(key, "news") != 0)
				(void) json_object_object_add(row, key, json_object_get(value));
	}
	(void) json_object_object_add(row, "service", json_object_new_string(s->policy.name));
	if (s->policy.unit)
		(void) json_object_object_add(row, "unit", json_object_new_string(s->policy.unit));
	else
		(void) json_object_object_add(row, "command", command_json(s->policy.command));
	(void) json_object_object_add(row, "state", json_object_new_string(state_name(s)));
	(void) json_object_object_add(row, "pid", json_object_new_int(s->pid));
	(void) json_object_object_add(row, "recorder_pid", json_object_new_int(s->link.pid));
	(void) json_object_object_add(row, "dir", json_object_new_string(s->store));
	if (s->ring_why[0])
		(void) json_object_object_add(row, "bytes_limit_why", json_object_new_string(s->ring_why));
	if (s->why[0])
		(void) json_object_object_add(row, "why", json_object_new_string(s->why));
	add_end(s, row);
	add_incidents(s, row);
	return row;
}
