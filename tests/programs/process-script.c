/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A script is executed by its interpreter, also through another script. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

static void make_script(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static int run(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void) execl(path, "script", "7", (char *)NULL);
		_exit(99);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WEXITSTATUS(status);
}

int main(void)
{
	char dir[] = "/tmp/blackbox-test-XXXXXX", first[64], second[64], text[128];

	CHECK(mkdtemp(dir));
	(void) snprintf(first, sizeof(first), "%s/first", dir);
	(void) snprintf(second, sizeof(second), "%s/second", dir);
	make_script(first, "#!/bin/sh\nexit $(($1 + 1))\n");
	(void) snprintf(text, sizeof(text), "#!/bin/sh\nexec %s $(($1 * 2))\n", first);
	make_script(second, text);
	CHECK(run(first) == 8 && run(second) == 15);
	CHECK(unlink(first) == 0 && unlink(second) == 0 && rmdir(dir) == 0);
	return 0;
}
