/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bad pointers get EFAULT, from each kind of call, and nothing else happens. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "check.h"

static long unmapped, constant;	/* addresses */
static int pipe_fds[2], file, pair[2];

/* Calls that would write to @bad. */
static void outputs(long bad)
{
	FAILS(syscall(SYS_read, pipe_fds[0], bad, 4), EFAULT);
	FAILS(syscall(SYS_pread64, file, bad, 4, 0), EFAULT);
	FAILS(syscall(SYS_fstat, file, bad), EFAULT);
	FAILS(syscall(SYS_newfstatat, AT_FDCWD, "/", bad, 0), EFAULT);
	FAILS(syscall(SYS_statx, AT_FDCWD, "/", 0, STATX_SIZE, bad), EFAULT);
	FAILS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad), EFAULT);
	FAILS(syscall(SYS_gettimeofday, bad, 0), EFAULT);
	FAILS(syscall(SYS_getrandom, bad, 8, 0), EFAULT);
	FAILS(syscall(SYS_uname, bad), EFAULT);
	FAILS(syscall(SYS_sysinfo, bad), EFAULT);
	FAILS(syscall(SYS_getcwd, bad, 100), EFAULT);
	FAILS(syscall(SYS_readlink, "/proc/self", bad, 10), EFAULT);
	FAILS(syscall(SYS_getrusage, 0, bad), EFAULT);
	FAILS(syscall(SYS_times, bad), EFAULT);
	FAILS(syscall(SYS_pipe, bad), EFAULT);
	FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, bad), EFAULT);
	FAILS(syscall(SYS_getitimer, 0, bad), EFAULT);
	FAILS(syscall(SYS_getresuid, bad, bad, bad), EFAULT);
	FAILS(syscall(SYS_prlimit64, 0, 7, 0, bad), EFAULT);
	FAILS(syscall(SYS_sched_getaffinity, 0, 8, bad), EFAULT);
	CHECK(write(pair[1], "left", 4) == 4);
	FAILS(syscall(SYS_recvfrom, pair[0], bad, 4, 0, 0, 0), EFAULT);
	FAILS(syscall(SYS_rt_sigprocmask, 0, 0, bad, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigaction, SIGUSR1, 0, bad, 8), EFAULT);
	FAILS(syscall(SYS_sigaltstack, 0, bad), EFAULT);
	FAILS(syscall(SYS_capget, bad, bad), EFAULT);
	FAILS(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, bad), EFAULT);
	FAILS(syscall(SYS_ioctl, pipe_fds[0], 0x541b /* FIONREAD */, bad), EFAULT);
	CHECK(read(pipe_fds[0], (char[4]){ 0 }, 4) == 4 && write(pipe_fds[1], "left", 4) == 4);
}

/* Calls that would read from it. */
static void inputs(long bad)
{
	FAILS(syscall(SYS_write, pipe_fds[1], bad, 4), EFAULT);
	FAILS(syscall(SYS_openat, AT_FDCWD, bad, 0), EFAULT);
	FAILS(syscall(SYS_execve, bad, 0, 0), EFAULT);
	FAILS(syscall(SYS_unlink, bad), EFAULT);
	FAILS(syscall(SYS_nanosleep, bad, 0), EFAULT);
	FAILS(syscall(SYS_setitimer, 0, bad, 0), EFAULT);
	FAILS(syscall(SYS_connect, pair[0], bad, 16), EFAULT);
	FAILS(syscall(SYS_sendto, pair[0], bad, 4, 0, 0, 0), EFAULT);
	FAILS(syscall(SYS_writev, pipe_fds[1], bad, 2), EFAULT);
	FAILS(syscall(SYS_readv, pipe_fds[0], bad, 2), EFAULT);
	FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, bad, 0, 8), EFAULT);
	FAILS(syscall(SYS_rt_sigaction, SIGUSR1, bad, 0, 8), EFAULT);
	FAILS(syscall(SYS_futex, bad, 0, 0, 0), EFAULT);
	FAILS(syscall(SYS_poll, bad, 1, 0), EFAULT);
	FAILS(syscall(SYS_select, 4, bad, 0, 0, 0), EFAULT);
	FAILS(syscall(SYS_timer_create, CLOCK_MONOTONIC, bad, bad), EFAULT);
	FAILS(syscall(SYS_sendmsg, pair[0], bad, 0), EFAULT);
	FAILS(syscall(SYS_rt_sigsuspend, bad, 8), EFAULT);
}

/* A buffer whose second page is missing: as much as there is room for, or nothing. */
static void halves(void)
{
	char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[2] = { { two, 4096 }, { two + 4096, 4096 } };

	CHECK(munmap(two + 4096, 4096) == 0);
	CHECK(pread(file, two + 4096 - 100, 200, 0) == 100 && two[4095] == 'f');
	CHECK(preadv(file, iov, 2, 0) == 4096);
	memset(two, 'x', 4096);
	CHECK(pwrite(file, two + 4090, 50, 0) == 6);
}

int main(void)
{
	static char bytes[9000];

	unmapped = (long)mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	constant = (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	file = temporary_file(0);
	memset(bytes, 'f', sizeof(bytes));
	CHECK(write(file, bytes, sizeof(bytes)) == sizeof(bytes));
	CHECK(pipe(pipe_fds) == 0 && write(pipe_fds[1], "left", 4) == 4);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	outputs(unmapped);
	outputs(constant);
	outputs(-1);
	outputs(0x800000000000);
	inputs(unmapped);
	inputs(-4096);
	halves();
	return 0;
}
