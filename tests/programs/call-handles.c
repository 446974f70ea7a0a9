/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* File handles: how long they are, what they stand for, and where they are mounted. */
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

#ifndef AT_HANDLE_MNT_ID_UNIQUE
#define AT_HANDLE_MNT_ID_UNIQUE 1
#endif

int main(void)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	uint64_t unique = 0xeeeeeeeeeeeeeeee;
	struct stat a, b;
	unsigned len;
	int mount = -1, fd, dir;

	memset(&u, 0xee, sizeof(u));
	u.handle.handle_bytes = 0;
	if (name_to_handle_at(AT_FDCWD, "/tmp", &u.handle, &mount, 0) == 0 || errno != EOVERFLOW) {
		CHECK(errno == EOPNOTSUPP || errno == EPERM || errno == ENOSYS);
		puts("no handles here");
		return 0;
	}
	puts("handles");
	len = u.handle.handle_bytes;
	CHECK(len > 0 && len <= MAX_HANDLE_SZ && mount >= 0);
	mount = -1;
	CHECK(name_to_handle_at(AT_FDCWD, "/tmp", &u.handle, &mount, 0) == 0 && mount >= 0);
	CHECK(u.handle.handle_bytes == len && (unsigned char)u.handle.f_handle[len] == 0xee);
	if (name_to_handle_at(AT_FDCWD, "/tmp", &u.handle, (int *)&unique, AT_HANDLE_MNT_ID_UNIQUE) == 0)
		CHECK(unique != 0xeeeeeeeeeeeeeeee && unique >> 32 != 0xeeeeeeee);
	dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	fd = open_by_handle_at(dir, &u.handle, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 || errno == EPERM);
	if (fd >= 0)
		CHECK(fstat(fd, &a) == 0 && fstat(dir, &b) == 0 && a.st_ino == b.st_ino);
	return 0;
}
