/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recorder - the process that records one service
 *
 * blackboxd starts it as blackbox-recorder, blackboxctl by a fork; they speak with it over a
 * socket pair (SOCK_SEQPACKET, its descriptor 3), one JSON object a packet:
 *
 *	to it	{"do": "attach", "pid": N}	N is about to exec: record what it becomes
 *		{"do": "freeze"}		freeze the window now; the service goes on
 *		{"do": "status"}
 *		{"do": "exited", "pid": N, "status": S}	the service is over, whoever is left of it
 *		{"do": "gone", "pid": N}	its first process is; others are recorded on
 *	from it	{"news": "attached", "pid": N}	go ahead with the exec
 *		{"news": "recording", "pid": N}
 *		{"news": "native", "pid": N, "why": TEXT}	it runs, unrecorded
 *		{"news": "incident", "id": ID, "trigger": {...}, ...}
 *		{"news": "not-frozen", "why": TEXT}
 *		{"news": "status", ...}
 *		{"news": "ended"}		the service is over, all is written; it exits
 *
 * If the socket closes it goes on until the service ends. On SIGTERM it lets the service
 * go on natively and exits.
 */
#pragma once

#include <json-c/json.h>
#include <sys/types.h>

#include "policies/policy.h"

#define RECORDER_FD 3

/* The most that a packet may be. */
#define RECORDER_MESSAGE_MAX (64 << 10)

/* Somebody's end of the socket pair, and the recorder behind it. */
struct recorder_link {
	int socket;
	pid_t pid;
};

/*
 * Starts a recorder for @policy, whose store is in @dir. Its standard error is ours.
 * -ENOENT if its program isn't where it should be.
 */
int recorder_start(const char *dir, const struct policy *policy, struct recorder_link *ret_link);

/*
 * The same, without the program: for who has nothing that a recorder shouldn't inherit, but
 * its standard error. The child takes @policy.
 */
int recorder_fork(const char *dir, struct policy *policy, struct recorder_link *ret_link);

/* Records, as the process that has the socket. Takes @policy. The exit status. */
int recorder_run(const char *dir, struct policy *policy);

/* In the child: a session of its own, and @socket where a recorder has it. */
void recorder_own_session(int socket);

/* Sends {"do": @verb, @...} with "pid" and "status" if they aren't 0. */
int recorder_say(const struct recorder_link *link, const char *verb, pid_t pid, int status);

/*
 * Receives one packet; waits up to @timeout_ms (-1: forever). *@ret_message is the
 * caller's to put. -ETIMEDOUT, -EPIPE when the recorder is gone, -EBADMSG.
 */
int recorder_hear(const struct recorder_link *link, int timeout_ms, struct json_object **ret_message);

/* The path of a program of ours: beside the running one in a build tree, else LIBEXECDIR. */
int helper_path(const char *name, char *path, size_t size);
