/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a call reads it overwrites, before it comes to where memory ends: it has read what was there. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "check.h"

enum { PAGE = 4096, ROOM = 100 };

static char *edge;

int main(void)
{
	edge = (char *)mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + PAGE;
	CHECK(munmap(edge, PAGE) == 0);
	for (int i = 0; i < 200; i++) {
		char *path = edge - ROOM;

		memset(path, 0, ROOM);
		(void) strcpy(path, "/proc/self");
		FAILS(syscall(SYS_newfstatat, AT_FDCWD, path, path, 0), EFAULT);
		memset(path, 0, ROOM);
		(void) strcpy(path = edge - 20, "/proc/self/exe");
		FAILS(syscall(SYS_readlink, path, path, 100), EFAULT);
	}
	return 0;
}
