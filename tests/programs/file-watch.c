/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inotify tells what happens in a directory. */
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "check.h"

int main(void)
{
	char path[] = "/tmp/blackbox-test-XXXXXX", name[64], buffer[1024];
	const struct inotify_event *event = (const void *)buffer;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), watch, file, waiting;
	uint32_t seen = 0;
	ssize_t n;

	CHECK(mkdtemp(path));
	(void) snprintf(name, sizeof(name), "%s/file", path);
	watch = inotify_add_watch(fd, path, IN_CREATE | IN_MODIFY | IN_DELETE);
	CHECK(watch >= 0);
	FAILS(read(fd, buffer, sizeof(buffer)), EAGAIN);
	file = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CHECK(file >= 0 && write(file, "x", 1) == 1 && unlink(name) == 0 && close(file) == 0);
	CHECK(ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 3 * 32);
	n = read(fd, buffer, sizeof(buffer));
	CHECK(n == waiting && event->wd == watch && strcmp(event->name, "file") == 0);
	for (ssize_t at = 0; at < n; at += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const void *)(buffer + at);
		seen |= event->mask;
	}
	CHECK(seen == (IN_CREATE | IN_MODIFY | IN_DELETE));
	CHECK(inotify_rm_watch(fd, watch) == 0 && rmdir(path) == 0);
	return 0;
}
