/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorder-internal - what recorder.c (loop, triggers), members.c (processes) and freeze.c
 * (incidents) share
 */
#pragma once

#include <json-c/json.h>
#include <pthread.h>

#include "recorder/domain.h"
#include "recorder/inject.h"
#include "recorder/loop.h"

struct recorder;

/* A process of the service, as one image: an exec makes it another. */
struct member {
	struct recorder *recorder;
	struct member *next;
	struct domain *domain;
	struct json_object *command;	/* an array */
	struct source *wake, *death, *work;
	bool is_dead;		/* which waits until there is nothing else to do */
	bool is_over;		/* and nothing is to be done */
};

/* More at a time might not fit into the injector's socket. */
enum { MAX_ASKED = 32 };

/* One that has ended, as manifests list it. */
struct past;

struct recorder {
	struct loop *loop;
	int control, injector;		/* sockets */
	int known_fd;			/* env.known */
	uint32_t n_images_loaded;	/* what it had at first */
	const char *dir;
	bool of_command;		/* `blackboxctl record' made it, for one */
	struct policy policy;
	struct domain_env env;
	uint32_t n_domains;
	struct json_object *command;	/* of the first process, as it was last: an array */
	struct json_object *notes;	/* an array */
	struct member *members;
	struct past *past;
	size_t n_past, next_sweep;	/* so many, and at how many they are looked through */
	uint64_t forks_left;		/* by those that have ended */
	pid_t main_pid;			/* the service's first process; 0: it isn't there yet */
	bool main_exited;		/* our owner has waited for it */
	bool main_gone;			/* its number may be another's by now */
	bool shared_is_noted;
	struct source *control_source, *terminate_source, *freeze_timer, *injector_source;
	int terminate;			/* a signalfd */
	pid_t injector_pid;
	/* Threads that it has been asked to trace, without an answer yet; and who comes next. */
	pid_t asked[MAX_ASKED];
	pid_t *waiting;
	size_t n_waiting;
	bool injector_works;		/* it has answered once */
	bool freeze_asked;
	unsigned n_incidents;
	size_t n_files_said;		/* recorder_say_files() */
	uint64_t reads_trimmed_ns;
	struct source *sync_timer;
	bool over;			/* the service is, and so is what its window was kept for */
	/* What an earlier recorder left, while a thread of ours reads it. */
	struct recovery *recovery;
	pthread_t reader;
	int reader_done;		/* readable: it has ended */
	struct source *reader_source;
};

/* What froze a window. */
struct trigger {
	const char *kind;	/* crash, signal, exit, killed, request, freeze-signal */
	int signal, status;
	pid_t pid;
	uint32_t thread;	/* slot */
};

/* -- recorder.c ------------------------------------------------------------------------------------ */

/* Sends @message, and puts it. */
void recorder_tell(struct recorder *recorder, struct json_object *message);
struct json_object *recorder_news(const char *news);
void recorder_tell_pid(struct recorder *recorder, const char *news, pid_t pid, const char *why);
/* @pid isn't recorded: news if it is the service itself, else a note. */
void recorder_native(struct recorder *recorder, pid_t pid, const char *why);

/* What an earlier recorder left is made an incident of, however long that takes. */
void recorder_finish_recovery(struct recorder *recorder);

/* Something may have been written: what becomes too old is brought to the disk. */
void recorder_sync_soon(struct recorder *recorder);

void recorder_attach(struct recorder *recorder, pid_t pid);
int tell_injector(struct recorder *recorder, enum inject_kind kind, pid_t pid);

/* DOMAIN_DYING, DOMAIN_FROZEN. */
void process_dies(struct member *member);
void window_frozen(struct member *member);

/* -- members.c ------------------------------------------------------------------------------------- */

struct member *member_of_pid(struct recorder *recorder, pid_t pid);
/* NULL: it isn't recorded, or has ended. */
struct member *main_member(struct recorder *recorder);
/* Is it the service's first process, or will be? */
bool is_main(const struct recorder *recorder, pid_t pid);

/* The agent begins in a new image. What was recorded of the one before stays in the store. */
void member_image_begins(struct recorder *recorder, const struct inject_message *message, int memfd);
void member_drop(struct member *member);

void member_work(struct member *member);
void member_work_soon(struct member *member);
void member_take_births(struct member *member);

/* Our owner says that the service is over: who is left of it goes on natively. */
void members_main_exited(struct recorder *recorder);
/* The first process has ended; whom it leaves is recorded on. */
void members_main_gone(struct recorder *recorder);

/* -- freeze.c -------------------------------------------------------------------------------------- */

/* The command line of @pid, as an array. */
struct json_object *recorder_command(pid_t pid);
struct json_object *recorder_status(struct recorder *recorder);

/* What the manifests of incidents say besides. */
void recorder_note(struct recorder *recorder, const char *text);

/*
 * For who finds the store without us: what a process is, once; what the service is, once; the
 * files that it has mapped since the last call; and that we end because we were told to.
 */
void recorder_describe(struct recorder *recorder, const struct member *member);
void recorder_say_about(struct recorder *recorder);
void recorder_say_files(struct recorder *recorder);
void recorder_say_stopped(struct recorder *recorder);

/* It has ended: incidents list it for as long as the window holds something of it. */
void recorder_remember(struct recorder *recorder, const struct member *member);
void recorder_forget(struct recorder *recorder);

/*
 * Makes an incident of the window that ends before @event of @member's domain, and now in
 * all others, and tells. @final: the state that a replay must reach there, or NULL: the
 * snapshot at that event says it.
 */
void recorder_freeze(struct recorder *recorder, struct member *member, const struct trigger *trigger,
		     uint64_t event, const struct final_state *final);
