/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mounting, the old way and the new, in a name space of its own. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "check.h"

static char place[] = "/tmp/blackbox-test-XXXXXX";

static void new_way(void)
{
	enum { SET_STRING = 1, CREATE = 6, EMPTY_PATH = 4 };
	long fs = syscall(SYS_fsopen, "tmpfs", 1), mount;
	char text[256];

	if (fs < 0) {
		CHECK(errno == ENOSYS || errno == EPERM);
		return;
	}
	CHECK(syscall(SYS_fsconfig, fs, SET_STRING, "no-such-option", "1", 0) == -1);
	(void) read((int)fs, text, sizeof(text));	/* why: a message */
	CHECK(syscall(SYS_fsconfig, fs, SET_STRING, "size", "64k", 0) == 0);
	CHECK(syscall(SYS_fsconfig, fs, CREATE, NULL, NULL, 0) == 0);
	mount = syscall(SYS_fsmount, fs, 1, 0);
	CHECK(mount >= 0 && syscall(SYS_move_mount, mount, "", AT_FDCWD, place, EMPTY_PATH) == 0);
	CHECK(umount2(place, MNT_DETACH) == 0);
	mount = syscall(SYS_open_tree, AT_FDCWD, "/tmp", 1);
	CHECK(mount >= 0 && faccessat((int)mount, strrchr(place, '/') + 1, F_OK, 0) == 0);
}

int main(void)
{
	struct statfs fs;

	CHECK(mkdtemp(place));
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", place, "tmpfs", 0, "size=64k") < 0) {
		CHECK(errno == EPERM || errno == EACCES || errno == EINVAL);
		puts("no mounts here");
		return rmdir(place);
	}
	puts("mounts");
	CHECK(statfs(place, &fs) == 0 && fs.f_type == 0x01021994 && fs.f_blocks * (unsigned long)fs.f_bsize == 65536);
	CHECK(umount(place) == 0);
	FAILS(umount2(place, 0), EINVAL);
	new_way();
	return rmdir(place);
}
