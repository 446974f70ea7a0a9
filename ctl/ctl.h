/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ctl - blackboxctl: one file a verb, one row each in ctl/main.c
 *
 * A verb gets its own argument vector, its name first, and returns the program's exit
 * status.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_BAD_INPUT = 2,	/* damaged or foreign files; also wrong usage */
	EXIT_DIVERGED = 3,	/* the replay isn't what was recorded */
};

int verb_status(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_info(int argc, char **argv);
int verb_freeze(int argc, char **argv);
int verb_dump(int argc, char **argv);
int verb_rm(int argc, char **argv);
int verb_verify(int argc, char **argv);
int verb_repair(int argc, char **argv);
int verb_enable(int argc, char **argv);
int verb_disable(int argc, char **argv);
int verb_record(int argc, char **argv);
int verb_replay(int argc, char **argv);
int verb_trace(int argc, char **argv);
int verb_events(int argc, char **argv);

/*
 * The path of an incident: @name is a dump, an incident's directory, or the id of an
 * incident in @dir (NULL: where stores are by default). -ENOENT, with a message said.
 */
int find_incident(const char *dir, const char *name, char *path, size_t size);

/* The same with the daemon at @socket, if that isn't NULL, and no other place. */
int find_incident_at(const char *dir, const char *socket, const char *name, char *path, size_t size);

/* Where `record` puts its stores by default; made if it isn't there. 0 or -errno. */
int user_state_dir(char *path, size_t size);

/* Makes the directory @path and those above it; @path is as before when it returns. */
int make_dirs(char *path);

/*
 * Writes the dump of the incident at @path to @output, with progress; @flags of enum
 * incident_dump_flags. An exit status.
 */
int write_dump(const char *path, const char *output, unsigned flags);

/* The same, as `dump' writes it: stripped only where it replays so. In dump.c. */
int dump_incident(const char *path, const char *output, unsigned flags);

/* The options that say what is left out of a dump; the input is an unsigned, of those flags. */
extern const struct argp dump_content_argp;

/* The number that @text is: of processes, of lines. Else it says so and exits. */
unsigned long positive_number(const struct argp_state *state, const char *text);

/* A line on a terminal that is overwritten by the next; nothing where nobody looks. */
void show_progress(const char *what, unsigned long long done, unsigned long long total);
void end_progress(void);
