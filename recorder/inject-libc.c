/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The injector's libc: the functions that it calls, and a beginning.
 *
 * glibc's own asks the processor some thirty things before main(), which takes 0.6 ms in a
 * virtual machine, and its megabyte of a static program another 0.3 ms to be locked into memory.
 * Each recording waits for its injector.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIGSET_BYTES = 8 };	/* the kernel's */

/* -- the beginning --------------------------------------------------------------------------- */

int main(void);
__attribute__((noreturn, used)) void begin(void);

__asm__(".pushsection .text\n"
	".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n"
	"	call begin\n"
	".popsection\n");

static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

void begin(void)
{
	int status = main();

	for (;;)
		(void) call6(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

/* -- system calls ------------------------------------------------------------------------------ */

static int last_error;

int *__errno_location(void)
{
	return &last_error;
}

static long done(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	last_error = (int)-result;
	return -1;
}

#define CALL1(nr, a) done(call6(nr, (long)(a), 0, 0, 0, 0, 0))
#define CALL2(nr, a, b) done(call6(nr, (long)(a), (long)(b), 0, 0, 0, 0))
#define CALL3(nr, a, b, c) done(call6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0))
#define CALL4(nr, a, b, c, d) done(call6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0))

/* What comes after the last named argument; where there is none, the kernel doesn't look. */
#define NEXT_ARGUMENT(last)                       \
	({                                        \
		va_list list;                     \
		long next;                        \
                                                  \
		va_start(list, last);             \
		next = va_arg(list, long);        \
		va_end(list);                     \
		next;                             \
	})

int open(const char *path, int flags, ...) { return (int)CALL3(SYS_open, path, flags, 0); }
int close(int fd) { return (int)CALL1(SYS_close, fd); }
ssize_t read(int fd, void *to, size_t len) { return CALL3(SYS_read, fd, to, len); }
ssize_t pread(int fd, void *to, size_t len, off_t at) { return CALL4(SYS_pread64, fd, to, len, at); }
ssize_t pwrite(int fd, const void *from, size_t len, off_t at) { return CALL4(SYS_pwrite64, fd, from, len, at); }
int stat(const char *path, struct stat *st) { return (int)CALL2(SYS_stat, path, st); }
int ftruncate(int fd, off_t len) { return (int)CALL2(SYS_ftruncate, fd, len); }
int fcntl(int fd, int cmd, ...) { return (int)CALL3(SYS_fcntl, fd, cmd, NEXT_ARGUMENT(cmd)); }

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	return (void *)done(call6(SYS_mmap, (long)at, (long)len, prot, flags, fd, offset));
}

int munmap(void *at, size_t len) { return (int)CALL2(SYS_munmap, at, len); }
int mlockall(int flags) { return (int)CALL1(SYS_mlockall, flags); }
pid_t setsid(void) { return (pid_t)CALL1(SYS_setsid, 0); }
pid_t waitpid(pid_t pid, int *status, int options) { return (pid_t)CALL4(SYS_wait4, pid, status, options, 0); }
int poll(struct pollfd *fds, nfds_t n, int timeout) { return (int)CALL3(SYS_poll, fds, n, timeout); }

int prctl(int option, ...)
{
	va_list list;
	long a, b, c, d;

	va_start(list, option);
	a = va_arg(list, long);
	b = va_arg(list, long);
	c = va_arg(list, long);
	d = va_arg(list, long);
	va_end(list);
	return (int)done(call6(SYS_prctl, option, a, b, c, d, 0));
}

/* None of the requests that return what they have read. */
long ptrace(enum __ptrace_request request, ...)
{
	va_list list;
	pid_t pid;
	void *address, *data;

	va_start(list, request);
	pid = va_arg(list, pid_t);
	address = va_arg(list, void *);
	data = va_arg(list, void *);
	va_end(list);
	return CALL4(SYS_ptrace, request, pid, address, data);
}

ssize_t recv(int socket, void *to, size_t len, int flags)
{
	return done(call6(SYS_recvfrom, socket, (long)to, (long)len, flags, 0, 0));
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags)
{
	return CALL3(SYS_sendmsg, socket, message, flags);
}

int timer_create(clockid_t clock, struct sigevent *event, timer_t *ret_timer)
{
	int id = 0, r = (int)CALL3(SYS_timer_create, clock, event, &id);

	*ret_timer = (timer_t)(intptr_t)id;
	return r;
}

int timer_settime(timer_t timer, int flags, const struct itimerspec *when, struct itimerspec *before)
{
	return (int)CALL4(SYS_timer_settime, (int)(intptr_t)timer, flags, when, before);
}

int sigemptyset(sigset_t *set)
{
	memset(set, 0, sizeof(*set));
	return 0;
}

int sigaddset(sigset_t *set, int number)
{
	set->__val[0] |= 1ul << (number - 1);
	return 0;
}

int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
	return (int)CALL4(SYS_rt_sigprocmask, how, set, before, SIGSET_BYTES);
}

int signalfd(int fd, const sigset_t *set, int flags)
{
	return (int)CALL4(SYS_signalfd4, fd, set, SIGSET_BYTES, flags);
}

/* -- strings ------------------------------------------------------------------------------------ */

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

size_t strlen(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i])
			return (unsigned char)a[i] - (unsigned char)b[i];
		if (!a[i])
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}
