/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place that makes many calls, but not before the log is full of other things. With an argument: tells
 * whether there is a jump by then, or each call traps still.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "check.h"

enum { READS = 100000, CALLS = 1000, TEST = 2000000 };

__asm__(".text\n"
	".type call_here, @function\n"
	"call_here:\n"
	"	mov	$110, %eax\n"	/* getppid */
	"	syscall\n"
	"	test	%rax, %rax\n"
	"	nop\n nop\n nop\n"
	"	ret\n"
	".size call_here, . - call_here\n");
extern long call_here(void);

static bool is_as_it_was(const unsigned char code[static 8])
{
	return memcmp((const void *)(uintptr_t)call_here, code, 8) == 0;
}

/* Who reads it has time to do something. */
static void say(const char *what)
{
	puts(what);
	(void) fflush(stdout);
	sleep(1);
}

static void fill_log(void)
{
	static char zeroes[4096];
	int fd = open("/dev/zero", O_RDONLY);

	CHECK(fd >= 0);
	for (int i = 0; i < READS; i++)
		CHECK(read(fd, zeroes, sizeof(zeroes)) == (ssize_t)sizeof(zeroes));
	(void) close(fd);
}

int main(int argc, char **argv)
{
	unsigned char code[8];

	(void) argv;
	memcpy(code, (const void *)(uintptr_t)call_here, sizeof(code));
	if (argc > 1) {
		say("begins");
		fill_log();
		say("full");
	}
	for (int i = 0; i < CALLS || (argc > 1 && i < TEST && is_as_it_was(code)); i++)
		CHECK(call_here() == getppid());
	if (argc > 1)
		puts(is_as_it_was(code) ? "traps" : "jumps");
	return 0;
}
