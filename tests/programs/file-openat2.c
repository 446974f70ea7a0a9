/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* openat2, and one's own mappings opened by all paths: the same text. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "check.h"

static long open2(int dir, const char *path, uint64_t flags, uint64_t resolve, size_t size)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return syscall(SYS_openat2, dir, path, &how, size);
}

static void read_all(long fd, char *text, size_t size)
{
	size_t n = 0;
	ssize_t r;

	CHECK(fd >= 0);
	while ((r = read((int)fd, text + n, size - 1 - n)) > 0)
		n += (size_t)r;
	CHECK(r == 0 && close((int)fd) == 0 && n > 100);
	text[n] = '\0';
}

int main(void)
{
	static char texts[5][65536];
	const size_t size = sizeof(struct open_how);
	char path[64];
	int dir = open("/proc", O_RDONLY | O_DIRECTORY);
	long fd = open2(AT_FDCWD, "/tmp", O_RDONLY | O_DIRECTORY, 0, size);

	CHECK(dir >= 0);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		puts("no openat2 here");
		return 0;
	}
	puts("openat2");
	CHECK(fd >= 0);
	CHECK(open2((int)fd, "../etc", O_RDONLY, RESOLVE_BENEATH, size) == -1 && errno == EXDEV);
	CHECK(open2((int)fd, "..", O_PATH, RESOLVE_IN_ROOT, size) >= 0);
	FAILS(open2((int)fd, "..", O_PATH, 0, 3), EINVAL);

	/* The heap may not grow meanwhile: nothing is printed here. */
	(void) snprintf(path, sizeof(path), "/proc/%d/maps", getpid());
	read_all(open("/proc/self/maps", O_RDONLY), texts[0], sizeof(texts[0]));
	read_all(open2(AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, size), texts[1], sizeof(texts[1]));
	read_all(openat(dir, "self/maps", O_RDONLY), texts[2], sizeof(texts[2]));
	read_all(open(path, O_RDONLY), texts[3], sizeof(texts[3]));
	CHECK(chdir("/proc/thread-self") == 0);
	read_all(open("maps", O_RDONLY), texts[4], sizeof(texts[4]));
	for (int i = 1; i < 5; i++)
		CHECK(strcmp(texts[0], texts[i]) == 0);
	return 0;
}
