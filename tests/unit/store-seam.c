/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/store-seam.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

struct seam seam;

int __real_openat(int dir_fd, const char *name, int flags, ...);
ssize_t __real_pread(int fd, void *data, size_t len, off_t offset);
ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t offset);
int __real_ftruncate(int fd, off_t len);
int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __real_mkdirat(int dir_fd, const char *name, mode_t mode);
int __real_linkat(int dir_fd, const char *name, int to_fd, const char *to_name, int flags);
int __real_renameat(int dir_fd, const char *name, int to_fd, const char *to_name);
int __real_unlinkat(int dir_fd, const char *name, int flags);

int __wrap_openat(int dir_fd, const char *name, int flags, ...);
ssize_t __wrap_pread(int fd, void *data, size_t len, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_mkdirat(int dir_fd, const char *name, mode_t mode);
int __wrap_linkat(int dir_fd, const char *name, int to_fd, const char *to_name, int flags);
int __wrap_renameat(int dir_fd, const char *name, int to_fd, const char *to_name);
int __wrap_unlinkat(int dir_fd, const char *name, int flags);

/* Sets errno and returns -1 if it is to fail; of reads and writes, the length that is left. */
static long before(const struct seam_event *event)
{
	long r = seam.before ? seam.before(event) : 0;

	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return r && (size_t)r < event->len ? r : (long)event->len;
}

static int after(const struct seam_event *event, int r)
{
	if (r >= 0 && seam.after)
		seam.after(event);
	return r;
}

int __wrap_openat(int dir_fd, const char *name, int flags, ...)
{
	struct seam_event event = { .call = flags & O_CREAT ? SEAM_CREATE : SEAM_OPEN, .fd = dir_fd,
				    .name = name };
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & O_CREAT)
		mode = va_arg(args, mode_t);
	va_end(args);
	if (before(&event) < 0)
		return -1;
	return after(&event, __real_openat(dir_fd, name, flags, mode));
}

ssize_t __wrap_pread(int fd, void *data, size_t len, off_t offset)
{
	const struct seam_event event = { .call = SEAM_READ, .fd = fd, .len = len };
	long most = before(&event);

	return most < 0 ? -1 : __real_pread(fd, data, (size_t)most, offset);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	struct seam_event event = { .call = SEAM_WRITE, .fd = fd, .data = data, .len = len,
				    .offset = (uint64_t)offset };
	long most = before(&event);
	ssize_t n;

	if (most < 0)
		return -1;
	n = __real_pwrite(fd, data, (size_t)most, offset);
	if (n > 0) {
		event.len = (size_t)n;
		(void) after(&event, 0);
	}
	return n;
}

int __wrap_ftruncate(int fd, off_t len)
{
	const struct seam_event event = { .call = SEAM_TRUNCATE, .fd = fd, .offset = (uint64_t)len };

	return before(&event) < 0 ? -1 : after(&event, __real_ftruncate(fd, len));
}

int __wrap_fsync(int fd)
{
	const struct seam_event event = { .call = SEAM_SYNC, .fd = fd };

	return before(&event) < 0 ? -1 : after(&event, seam.no_sync ? 0 : __real_fsync(fd));
}

int __wrap_fdatasync(int fd)
{
	const struct seam_event event = { .call = SEAM_SYNC, .fd = fd };

	return before(&event) < 0 ? -1 : after(&event, seam.no_sync ? 0 : __real_fdatasync(fd));
}

int __wrap_mkdirat(int dir_fd, const char *name, mode_t mode)
{
	const struct seam_event event = { .call = SEAM_MKDIR, .fd = dir_fd, .name = name };

	return before(&event) < 0 ? -1 : after(&event, __real_mkdirat(dir_fd, name, mode));
}

int __wrap_linkat(int dir_fd, const char *name, int to_fd, const char *to_name, int flags)
{
	const struct seam_event event = { .call = SEAM_LINK, .fd = dir_fd, .name = name,
					  .to_fd = to_fd, .to_name = to_name };

	return before(&event) < 0 ? -1 : after(&event, __real_linkat(dir_fd, name, to_fd, to_name, flags));
}

int __wrap_renameat(int dir_fd, const char *name, int to_fd, const char *to_name)
{
	const struct seam_event event = { .call = SEAM_RENAME, .fd = dir_fd, .name = name,
					  .to_fd = to_fd, .to_name = to_name };

	return before(&event) < 0 ? -1 : after(&event, __real_renameat(dir_fd, name, to_fd, to_name));
}

int __wrap_unlinkat(int dir_fd, const char *name, int flags)
{
	const struct seam_event event = { .call = SEAM_UNLINK, .fd = dir_fd, .name = name };

	return before(&event) < 0 ? -1 : after(&event, __real_unlinkat(dir_fd, name, flags));
}
