/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* posix_spawn with attributes: group, mask, default handlers, file actions. */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "check.h"

int main(void)
{
	char *arguments[] = { "sh", "-c", "read x && echo got $x && kill -TERM $$", NULL }, text[16] = "";
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int in[2], out[2], status;
	sigset_t set;
	pid_t pid;

	CHECK(pipe(in) == 0 && pipe(out) == 0);
	CHECK(signal(SIGTERM, SIG_IGN) != SIG_ERR);
	CHECK(posix_spawnattr_init(&attributes) == 0);
	CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
						    POSIX_SPAWN_SETSIGMASK) == 0);
	(void) sigemptyset(&set);
	CHECK(posix_spawnattr_setsigmask(&attributes, &set) == 0);
	(void) sigaddset(&set, SIGTERM);
	CHECK(posix_spawnattr_setsigdefault(&attributes, &set) == 0);
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, in[0], 0) == 0);
	CHECK(posix_spawn_file_actions_adddup2(&actions, out[1], 1) == 0);
	CHECK(posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environ) == 0);
	CHECK(getpgid(pid) == pid && write(in[1], "5\n", 2) == 2);
	CHECK(read(out[0], text, sizeof(text)) == 6 && strcmp(text, "got 5\n") == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	return 0;
}
