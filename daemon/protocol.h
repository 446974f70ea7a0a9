/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * protocol - what blackboxctl and blackbox-launch say to blackboxd
 *
 * Control: a SOCK_SEQPACKET socket, one JSON object a packet. A connection asks once:
 *
 *	{"do": "status"}		a row each service, or of "service": NAME
 *	{"do": "list"}			a row each incident, or of "service": NAME
 *	{"do": "find", "incident": ID}	a row of where it is
 *	{"do": "freeze", "service": NAME}	a row of the incident that was made
 *	{"do": "rm", "incident": ID}
 *
 * and is answered by packets {"row": {...}}, then one {"done": true}, or {"error": TEXT,
 * "bad_input": BOOL}. Who may connect may freeze; root alone may remove.
 *
 * Launch: a socket that everybody may connect to, for hardened units' processes; plain
 * text, as the launcher is to have no libraries. It says "unit NAME", and is answered
 * "attached" or "native WHY". It is recorded only if systemd knows it as NAME's.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_SOCKET RUNDIR "/control"
#define LAUNCH_SOCKET RUNDIR "/launch"

/* The most that a packet may be. */
#define CONTROL_MESSAGE_MAX (64 << 10)
#define LAUNCH_MESSAGE_MAX 512

/* How long a launcher waits for blackboxd before it runs the command natively. */
#define LAUNCH_PATIENCE_MS 2000

/* What a question came to; the text of an error is for people. */
struct control_error {
	char text[512];
	bool bad_input, no_daemon;
};

/*
 * Asks the blackboxd at @socket (NULL: CONTROL_SOCKET); puts @question. *@ret_rows is an
 * array, which the caller puts. A negative errno with @ret_error filled: -ECONNREFUSED if
 * no blackboxd is there, -EBADMSG and others. Waits as long as a freeze may take.
 */
int control_ask(const char *socket, struct json_object *question, struct json_object **ret_rows,
		struct control_error *ret_error);

/*
 * The row of the incident @id of the store @store: id, service, trigger, time, bytes,
 * path. The caller puts it. -ENOENT, -EBADMSG and others.
 */
int incident_row(const char *store, const char *id, struct json_object **ret_row);

/* Appends the rows of all incidents of @store to @rows. A store without any is no error. */
int incident_rows(const char *store, struct json_object *rows);
