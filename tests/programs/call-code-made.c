/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Code that a program makes as it runs has system calls, which are made often; it is rewritten,
 * unmapped, made anew at the same place, and looks like what it isn't.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGE = 4096, OFTEN = 300, NUMBER = 1 /* offset of */ };

typedef long function(long, void *, long);

static const unsigned char call_code[] = { 0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3 };

static unsigned char *map(void *at, size_t len, int prot)
{
	unsigned char *code = mmap(at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	CHECK(code != MAP_FAILED && (!at || code == at));
	return code;
}

static void protect(void *code, size_t len, int prot)
{
	CHECK(mprotect(code, len, prot) == 0);
}

/* mov $number, %eax; syscall; ret */
static void write_call(unsigned char *code, int number)
{
	memcpy(code, call_code, sizeof(call_code));
	memcpy(code + NUMBER, &number, sizeof(number));
}

static void often(unsigned char *code, long result)
{
	for (int i = 0; i < OFTEN; i++)
		CHECK(((function *)(uintptr_t)code)(0, NULL, 0) == result);
}

static void rewritten(unsigned char *page)
{
	unsigned char *code = page + 100;

	for (int i = 0; i < 3; i++) {
		protect(page, PAGE, PROT_READ | PROT_WRITE);
		write_call(code, SYS_getpid);
		protect(page, PAGE, PROT_READ | PROT_EXEC);
		often(code, getpid());
		/* One byte's protection is its page's. */
		protect(page, 1, PROT_READ | PROT_WRITE | PROT_EXEC);
		CHECK(memcmp(code, call_code, sizeof(call_code)) == 0);
		write_call(code, SYS_getppid);
		protect(page, PAGE, PROT_READ | PROT_EXEC);
		often(code, getppid());
		CHECK(syscall(SYS_pkey_mprotect, page, PAGE, PROT_READ | PROT_WRITE, -1) == 0);
		CHECK(code[0] == call_code[0] && code[NUMBER] == SYS_getppid);
		write_call(code, SYS_getuid);
		CHECK(syscall(SYS_pkey_mprotect, page, PAGE, PROT_READ | PROT_EXEC, -1) == 0);
		often(code, getuid());
	}
}

/* Other memory at the same address: unmapped before, or not; or what was there is dropped. */
static void replaced(unsigned char *code)
{
	CHECK(munmap(code, PAGE) == 0);
	(void) map(code, PAGE, PROT_READ | PROT_WRITE);
	write_call(code, SYS_getpid);
	protect(code, PAGE, PROT_READ | PROT_EXEC);
	often(code, getpid());
	(void) map(code, PAGE, PROT_READ | PROT_WRITE);
	write_call(code, SYS_getppid);
	protect(code, PAGE, PROT_READ | PROT_EXEC);
	often(code, getppid());
	CHECK(madvise(code, PAGE, MADV_DONTNEED) == 0);
	for (size_t i = 0; i < sizeof(call_code); i++)
		CHECK(code[i] == 0);
	protect(code, PAGE, PROT_READ | PROT_WRITE);
	write_call(code, SYS_getuid);
	protect(code, PAGE, PROT_READ | PROT_EXEC);
	often(code, getuid());
}

/* On two pages, of which the second is written. */
static void across_pages(void)
{
	static const unsigned char other[] = { 0xb8, 0x34, 0x12, 0, 0, 0xc3 };
	unsigned char *pages = map(NULL, 2 * PAGE, PROT_READ | PROT_WRITE);

	for (int before = 0; before <= 5; before++) {
		unsigned char *code = pages + PAGE - before;

		write_call(code, SYS_getpid);
		protect(pages, 2 * PAGE, PROT_READ | PROT_EXEC);
		often(code, getpid());
		protect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE);
		if (before <= NUMBER)
			pages[PAGE + NUMBER - before] = SYS_getppid;
		else
			memcpy(pages + PAGE, other, sizeof(other));
		protect(pages + PAGE, PAGE, PROT_READ | PROT_EXEC);
		/* What is left of the mov is its number's zeroes; or there is none. */
		if (before <= NUMBER)
			often(code, getppid());
		else if (before == 5)
			often(code, 0x1234);
		CHECK(munmap(pages + PAGE, PAGE) == 0);
		for (int i = 0; i < before; i++)
			CHECK(code[i] == call_code[i]);
		(void) map(pages, 2 * PAGE, PROT_READ | PROT_WRITE);
	}
	CHECK(munmap(pages, 2 * PAGE) == 0);
}

/* Who has it writable and executable says nothing before it writes. */
static void always_writable(void)
{
	unsigned char *code = map(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);

	for (int i = 0; i < 3; i++) {
		write_call(code, SYS_getpid);
		often(code, getpid());
		write_call(code, SYS_getppid);
		often(code, getppid());
	}
	CHECK(munmap(code, PAGE) == 0);
}

/* mov $39, %r8d: its latter bytes are those of mov $39, %eax. */
static void lookalike(unsigned char *code)
{
	static const unsigned char looks[] = { 0x41, 0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3 };

	protect(code, PAGE, PROT_READ | PROT_WRITE);
	memcpy(code, looks, sizeof(looks));
	protect(code, PAGE, PROT_READ | PROT_EXEC);
	for (int i = 0; i < OFTEN; i++) {
		long result = SYS_getpid;
		register long r8 __asm__("r8") = 1;

		__asm__ volatile("lea -256(%%rsp), %%rsp\n	call *%2\n	lea 256(%%rsp), %%rsp"
				 : "+a"(result), "+r"(r8) : "r"(code) : "rcx", "r11", "memory");
		CHECK(result == getpid() && r8 == SYS_getpid);
	}
}

/* More than the number is before the call: it is put into a register of 64 bits, others follow. */
static void longer(unsigned char *code)
{
	static const unsigned char bytes[] = {
		0x48, 0xc7, 0xc0, SYS_getppid, 0, 0, 0,	/* mov $110, %rax */
		0x31, 0xff,				/* xor %edi, %edi */
		0x49, 0x89, 0xd2,			/* mov %rdx, %r10 */
		0x0f, 0x05, 0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xc3,	/* syscall; cmp $-4096, %rax; ret */
	};

	protect(code, PAGE, PROT_READ | PROT_WRITE);
	memcpy(code, bytes, sizeof(bytes));
	protect(code, PAGE, PROT_READ | PROT_EXEC);
	often(code, getppid());
}

static int pipe_fds[2];
static unsigned char *read_code;

static void *read_all(void *argument)
{
	char byte;

	(void) argument;
	for (int i = 0; i < OFTEN; i++)
		CHECK(((function *)(uintptr_t)read_code)(pipe_fds[0], &byte, 1) == 1 && byte == (char)i);
	return NULL;
}

/* A thread waits in such a call while another makes its code writable. */
static void while_it_waits(unsigned char *code)
{
	pthread_t thread;

	protect(code, PAGE, PROT_READ | PROT_WRITE);
	write_call(code, SYS_read);
	protect(code, PAGE, PROT_READ | PROT_EXEC);
	read_code = code;
	CHECK(pipe(pipe_fds) == 0 && pthread_create(&thread, NULL, read_all, NULL) == 0);
	for (int i = 0; i < OFTEN; i++) {
		char byte = (char)i;

		if (i % 30 == 29) {
			protect(code, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
			CHECK(code[0] == 0xb8);
			protect(code, PAGE, PROT_READ | PROT_EXEC);
		}
		CHECK(write(pipe_fds[1], &byte, 1) == 1);
		if (i % 7 == 0)
			(void) sched_yield();
	}
	CHECK(pthread_join(thread, NULL) == 0);
}

static void in_child(unsigned char *code)
{
	pid_t child;
	int status;

	protect(code, PAGE, PROT_READ | PROT_WRITE);
	write_call(code, SYS_getpid);
	protect(code, PAGE, PROT_READ | PROT_EXEC);
	often(code, getpid());
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		often(code, getpid());
		protect(code, PAGE, PROT_READ | PROT_WRITE);
		write_call(code, SYS_getppid);
		protect(code, PAGE, PROT_READ | PROT_EXEC);
		often(code, getppid());
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	often(code, getpid());
}

/* With an argument it stays, to be asked for. */
int main(int argc, char **argv)
{
	unsigned char *code = map(NULL, PAGE, PROT_READ | PROT_WRITE);

	rewritten(code);
	replaced(code);
	across_pages();
	always_writable();
	lookalike(code);
	longer(code);
	while_it_waits(code);
	in_child(code);
	(void) argv;
	return argc > 1 ? pause() : 0;
}
