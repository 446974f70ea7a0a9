/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a file is: the stat family, statx, statfs, times, extended attributes. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "check.h"

static void attributes(int fd)
{
	char value[16] = "--------", list[64];

	if (fsetxattr(fd, "user.colour", "blue", 4, XATTR_CREATE) < 0) {
		CHECK(errno == ENOTSUP);	/* a tmpfs of an old kernel */
		return;
	}
	FAILS(fsetxattr(fd, "user.colour", "red", 3, XATTR_CREATE), EEXIST);
	CHECK(fgetxattr(fd, "user.colour", NULL, 0) == 4);
	CHECK(fgetxattr(fd, "user.colour", value, sizeof(value)) == 4);
	CHECK(memcmp(value, "blue----", 8) == 0);
	FAILS(fgetxattr(fd, "user.colour", value, 2), ERANGE);
	CHECK(flistxattr(fd, list, sizeof(list)) >= 12);
	CHECK(fremovexattr(fd, "user.colour") == 0);
	FAILS(fgetxattr(fd, "user.colour", value, sizeof(value)), ENODATA);
}

int main(void)
{
	char path[] = "/tmp/blackbox-test-XXXXXX";
	struct timespec times[2] = { { 1000000000, 5 }, { 1100000000, 7 } };
	struct stat st, other;
	struct statx stx;
	struct statfs fs;
	int fd = mkstemp(path);

	CHECK(fd >= 0 && write(fd, "12345", 5) == 5 && futimens(fd, times) == 0);
	CHECK(fstat(fd, &st) == 0 && stat(path, &other) == 0 && st.st_ino == other.st_ino);
	CHECK(st.st_mtim.tv_sec == 1100000000 && st.st_mtim.tv_nsec == 7 && st.st_size == 5);
	CHECK(lstat(path, &other) == 0 && memcmp(&st, &other, sizeof(st)) == 0);
	memset(&stx, 0xee, sizeof(stx));
	CHECK(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_BTIME, &stx) == 0);
	CHECK(stx.stx_ino == st.st_ino && stx.stx_size == 5 && stx.stx_mtime.tv_nsec == 7);
	CHECK(makedev(stx.stx_dev_major, stx.stx_dev_minor) == st.st_dev);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_MODE, &stx) == 0 && (stx.stx_mode & 0777) == 0600);
	FAILS(statx(AT_FDCWD, "/nothing", 0, STATX_MODE, &stx), ENOENT);
	CHECK(statfs("/tmp", &fs) == 0 && fs.f_bsize > 0 && fstatfs(fd, &fs) == 0);
	CHECK(fchmod(fd, 0644) == 0 && fchown(fd, getuid(), (gid_t)-1) == 0);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0644);
	CHECK(truncate(path, 2) == 0 && access(path, R_OK | W_OK) == 0);
	FAILS(access("/nothing", F_OK), ENOENT);
	attributes(fd);
	CHECK(unlink(path) == 0 && fsync(fd) == 0 && fdatasync(fd) == 0);
	(void) printf("%lld\n", (long long)lseek(fd, 0, SEEK_END));
	return 0;
}
