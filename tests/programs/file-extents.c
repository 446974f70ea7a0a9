/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ioctl of files: extents, flags, sizes, and structures that say how long they are. */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "check.h"

enum { BLOCK = 65536 };

static void extents(int fd)
{
	union {
		struct fiemap map;
		char room[sizeof(struct fiemap) + 8 * sizeof(struct fiemap_extent)];
	} u;

	memset(&u, 0, sizeof(u));
	u.map.fm_length = FIEMAP_MAX_OFFSET;
	u.map.fm_extent_count = 8;
	u.map.fm_flags = FIEMAP_FLAG_SYNC;
	if (ioctl(fd, FS_IOC_FIEMAP, &u.map) < 0) {
		CHECK(errno == EOPNOTSUPP || errno == ENOTTY);
		return;
	}
	CHECK(u.map.fm_mapped_extents >= 1 && u.map.fm_extents[0].fe_length > 0);
	(void) dprintf(2, "at %llu\n", (unsigned long long)u.map.fm_extents[0].fe_physical);
	memset(u.map.fm_extents, 0, 8 * sizeof(struct fiemap_extent));
	u.map.fm_extent_count = 0;
	CHECK(ioctl(fd, FS_IOC_FIEMAP, &u.map) == 0 && u.map.fm_mapped_extents >= 1);
	CHECK(u.map.fm_extents[0].fe_length == 0);
}

static void duplicates(int fd)
{
	union {
		struct file_dedupe_range range;
		char room[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)];
	} u;

	memset(&u, 0, sizeof(u));
	u.range.src_length = BLOCK;
	u.range.dest_count = 1;
	u.range.info[0].dest_fd = fd;
	u.range.info[0].dest_offset = BLOCK;
	if (ioctl(fd, FIDEDUPERANGE, &u.range) == 0)
		CHECK(u.range.info[0].status <= FILE_DEDUPE_RANGE_DIFFERS);
	else
		CHECK(errno == EOPNOTSUPP || errno == ENOTTY || errno == EINVAL);
}

int main(void)
{
	int fd = temporary_file(0), flags[2] = { -1, -1 }, block[2] = { -1, -1 }, n = 0;
	static char text[2 * BLOCK];
	int64_t size[2] = { -1, -1 };

	memset(text, 'x', sizeof(text));
	CHECK(write(fd, text, sizeof(text)) == sizeof(text));
	extents(fd);
	duplicates(fd);
	CHECK(ioctl(fd, FIGETBSZ, block) == 0 && block[0] >= 512 && block[1] == -1);
	if (ioctl(fd, FS_IOC_GETFLAGS, flags) == 0)
		CHECK(flags[0] != -1 && flags[1] == -1);
	if (ioctl(fd, FIOQSIZE, size) == 0)
		CHECK(size[0] >= (int64_t)sizeof(text) && size[1] == -1);
	CHECK(ioctl(fd, FIONREAD, &n) == 0 && n == 0);
	FAILS(ioctl(fd, _IOR(0xa7, 99, char[24]), text), ENOTTY);
	FAILS(ioctl(fd, _IOW(0xa7, 99, char[24]), text), ENOTTY);
	FAILS(ioctl(fd, _IOWR(0xa7, 99, char[24]), (void *)1), ENOTTY);
	FAILS(ioctl(999, 0x5499, text), EBADF);
	return 0;
}
