/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc of oneself: nobody traces us, the maps are ours, descriptors are listed. */
#include <dirent.h>
#include <fcntl.h>

#include "check.h"

static char text[1 << 20];

static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	CHECK(n == 0 && close(fd) == 0);
	text[len] = '\0';
	return text;
}

static int n_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	CHECK(closedir(dir) == 0);
	return n - 3;
}

/* Each line's range is behind the one before, and our own code is in one of them. */
static void maps(void)
{
	unsigned long start, end, last = 0;
	bool found = false;

	for (const char *line = slurp("/proc/self/maps"); *line; line = strchr(line, '\n') + 1) {
		CHECK(sscanf(line, "%lx-%lx", &start, &end) == 2 && start >= last && end > start);
		last = end;
		found |= start <= (unsigned long)maps && (unsigned long)maps < end;
	}
	CHECK(found);
}

int main(void)
{
	char path[64], link[256] = "", threads[32];
	int n;

	CHECK(strstr(slurp("/proc/self/status"), "TracerPid:\t0\n"));
	CHECK(strstr(text, "Threads:\t1\n"));
	(void) snprintf(threads, sizeof(threads), "Pid:\t%d\n", (int)getpid());
	CHECK(strstr(text, threads));
	(void) snprintf(path, sizeof(path), "%d (", (int)getpid());
	CHECK(strncmp(slurp("/proc/self/stat"), path, strlen(path)) == 0);
	CHECK(strstr(slurp("/proc/self/cmdline"), "process-proc"));
	maps();
	CHECK(readlink("/proc/self/exe", link, sizeof(link) - 1) > 0 && strstr(link, "process-proc"));
	n = n_descriptors();
	CHECK(dup(1) >= 0 && n_descriptors() == n + 1);
	(void) dprintf(2, "%d descriptors\n", n);
	return 0;
}
