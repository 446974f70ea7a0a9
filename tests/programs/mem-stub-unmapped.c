/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Libraries come and go at the same address, with calls that are made often. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

extern const char __ehdr_start[];


/* Both are at the same place of a page. */
__asm__(".text\n.balign 4096\n.type pid, @function\n"
	"pid:\n.cfi_startproc\n	mov $39, %eax\n	syscall\n	ret\n.cfi_endproc\n.size pid, . - pid\n"
	".balign 8192\n.type parent, @function\n"
	"parent:\n.cfi_startproc\n	mov $110, %eax\n	syscall\n	ret\n.cfi_endproc\n.size parent, . - parent\n"
	".balign 4096\n");
long pid(void), parent(void);

typedef long function(void);

static function *at(char *where)
{
	return (function *)(uintptr_t)where;
}

static void often(function *f, long result)
{
	for (int i = 0; i < 60; i++)
		CHECK(f() == result);
}

static char *map(void *where, size_t len, int fd, off_t offset)
{
	char *image = mmap(where, len, PROT_READ | PROT_EXEC, MAP_PRIVATE | (where ? MAP_FIXED : 0), fd, offset);

	CHECK(image != MAP_FAILED);
	return image;
}

int main(void)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	off_t to_pid = (const char *)(uintptr_t)pid - __ehdr_start, to_parent = (const char *)(uintptr_t)parent - __ehdr_start;
	size_t len = (size_t)lseek(fd, 0, SEEK_END);
	char *image;

	CHECK(fd >= 0 && to_pid % 4096 == 0 && to_parent % 4096 == 0);
	for (int i = 0; i < 3; i++) {
		image = map(NULL, len, fd, 0);
		often(at(image + to_pid), getpid());
		often(at(image + to_parent), getppid());
		/* Another file there; nothing there; the same again. */
		(void) map(image + to_pid, 4096, fd, to_parent);
		often(at(image + to_pid), getppid());
		CHECK(madvise(image + to_pid, 4096, MADV_DONTNEED) == 0);
		often(at(image + to_pid), getppid());
		CHECK(munmap(image, len) == 0 && map(image, len, fd, 0) == image);
		often(at(image + to_pid), getpid());
		/* It moves. */
		CHECK(mremap(image + to_pid, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, image + to_parent) ==
		      image + to_parent);
		often(at(image + to_parent), getpid());
		CHECK(munmap(image, len) == 0);
	}
	return 0;
}
