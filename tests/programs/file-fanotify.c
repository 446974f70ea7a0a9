/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fanotify: who opens and changes a file, with a descriptor of it. */
#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#include "check.h"

int main(void)
{
	char name[] = "/tmp/blackbox-test-XXXXXX";
	int fd = mkstemp(name), watch = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	struct fanotify_event_metadata events[8], *e = events;
	struct stat a, b;
	ssize_t n;

	CHECK(fd >= 0);
	if (watch < 0 || fanotify_mark(watch, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, name) < 0) {
		CHECK(errno == EPERM || errno == ENOSYS || errno == EINVAL || errno == ENODEV);
		puts("no fanotify here");
		return unlink(name);
	}
	puts("watched");
	FAILS(read(watch, events, sizeof(events)), EAGAIN);
	CHECK(write(fd, "text", 4) == 4);
	n = read(watch, events, sizeof(events));
	CHECK(FAN_EVENT_OK(e, n) && e->vers == FANOTIFY_METADATA_VERSION && (e->mask & FAN_MODIFY));
	CHECK(e->pid == getpid() && fstat(e->fd, &a) == 0 && fstat(fd, &b) == 0 && a.st_ino == b.st_ino);
	CHECK(fanotify_mark(watch, FAN_MARK_REMOVE, FAN_MODIFY, AT_FDCWD, name) == 0);
	CHECK(write(fd, "text", 4) == 4);
	FAILS(read(watch, events, sizeof(events)), EAGAIN);
	return unlink(name);
}
