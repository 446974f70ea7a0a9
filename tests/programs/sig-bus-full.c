/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file system that is full raises SIGBUS where a hole that is mapped is touched; a replay has room. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "check.h"

enum { PAGES = 64, ROOM = 8 };

static sigjmp_buf back;
static void *volatile where;

static void seen(int signal, siginfo_t *info, void *context)
{
	(void) context;
	CHECK(signal == SIGBUS && info->si_code == BUS_ADRERR);
	where = info->si_addr;
	siglongjmp(back, 1);
}

/* Where that may be, one of its own. */
static int small_file(void)
{
	int fd;

	if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("small", "/tmp", "tmpfs", 0, "nr_blocks=8") < 0)
		return -1;
	fd = open("/tmp/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, PAGES * 4096) == 0);
	return fd;
}

/* Until it is full. */
static int fill(volatile char *bytes)
{
	volatile int n = 0;
	int sum = 0;

	if (sigsetjmp(back, 1) == 0)
		for (; n < PAGES; n++) {
			sum += bytes[n * 4096];
			bytes[n * 4096 + 1] = 1;
		}
	CHECK(sum == 0);
	return n;
}

int main(void)
{
	int fd = small_file(), n;
	volatile char *bytes;

	if (fd < 0) {
		(void) puts("not permitted");
		return 0;
	}
	bytes = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(bytes != MAP_FAILED);
	handle_info(SIGBUS, seen, 0);
	n = fill(bytes);
	CHECK(n > 0 && n <= ROOM && where == (void *)(bytes + n * 4096));
	/* There is room again. */
	CHECK(madvise((void *)bytes, 4096, MADV_REMOVE) == 0);
	bytes[n * 4096 + 1] = 2;
	(void) printf("%d %d\n", n, bytes[n * 4096 + 1]);
	return 0;
}
