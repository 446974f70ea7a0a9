/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arguments and environment of what is executed, large ones too. */
#include <sys/wait.h>

#include "check.h"

static uint64_t sum(char **words)
{
	uint64_t state = 1;

	for (; *words; words++)
		state = mix(state, *words, strlen(*words));
	return state;
}

int main(int argc, char **argv)
{
	static char big[100000], value[32], path[4096];
	char *environment[] = { "ONE=1", big, value, NULL }, *arguments[] = { "again", "a b", "", NULL };
	int status;
	pid_t pid;

	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "BIG=", 4);
	if (strcmp(argv[0], "again") == 0) {
		CHECK(argc == 3 && strcmp(argv[1], "a b") == 0 && argv[2][0] == 0 && getenv("SUM"));
		return strlen(getenv("BIG")) == sizeof(big) - 5 && getenv("PATH") == NULL ? 0 : 1;
	}
	CHECK(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	(void) snprintf(value, sizeof(value), "SUM=%llx", (unsigned long long)sum(arguments));
	pid = fork();
	if (pid == 0) {
		(void) execve(path, arguments, environment);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	return 0;
}
