/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memfd: seals hold, sizes count, its contents are mapped. */
#include <fcntl.h>
#include <sys/mman.h>

#include "check.h"

int main(void)
{
	int fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *at, link[64] = "", path[32];

	CHECK(fd >= 0 && write(fd, "contents", 8) == 8);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
	FAILS(ftruncate(fd, 0), EPERM);
	FAILS(ftruncate(fd, 100), EPERM);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED && memcmp(at, "contents", 8) == 0);
	FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	CHECK(munmap(at, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	CHECK(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL));
	FAILS(pwrite(fd, "x", 1, 0), EPERM);
	errno = 0;
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK(errno == EPERM);
	(void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK(readlink(path, link, sizeof(link) - 1) > 0 && strstr(link, "sealed"));
	return 0;
}
