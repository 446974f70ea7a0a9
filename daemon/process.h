/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process - starting a command so that it outlives us, and knowing it again
 *
 * A command that blackboxd starts has a session of its own, no standard input, and
 * nothing of ours but standard output and error. What runs is remembered in a file of
 * the run directory, so that the next blackboxd doesn't start it a second time.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Forks. The child waits for an end of file on *@ret_go, then execs @command; if that
 * fails it writes errno to *@ret_failed. Returns its process id or a negative errno.
 */
pid_t process_spawn(char **command, int *ret_go, int *ret_failed);

void process_remember(const char *run_dir, const char *name, pid_t pid);
void process_forget(const char *run_dir, const char *name);

/* The process that was remembered and still is the same one, or 0. */
pid_t process_remembered(const char *run_dir, const char *name);

bool process_is_alive(int pidfd);
