/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that can be written and executed at once is both behind what asks the processor there. */
#include <fcntl.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "check.h"

extern const char __ehdr_start[], etext[];

__attribute__((noinline)) static uint64_t now(void)
{
	return __rdtsc();
}

int main(void)
{
	size_t size = (size_t)(etext - __ehdr_start), at = (size_t)((const char *)now - __ehdr_start);
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t (*copy)(void);
	char *image;

	CHECK(fd >= 0);
	image = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(image != MAP_FAILED && close(fd) == 0);
	copy = (uint64_t(*)(void))(uintptr_t)(image + at);
	for (int i = 0; i < 3; i++) {
		uint64_t before = now();
		volatile char *byte = (volatile char *)(((uintptr_t)image + at) & ~(uintptr_t)4095);

		CHECK(copy() > before);
		*byte = (char)~*byte;
		*byte = (char)~*byte;
	}
	(void) puts("done");
	return 0;
}
