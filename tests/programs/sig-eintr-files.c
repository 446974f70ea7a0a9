/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits on all kinds of descriptors: EINTR without SA_RESTART, with it they go on. */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"

static char rubbish[65536], directory[64], fifo[96], lock_name[96];
static int empty[2], full[2], event, timer, signals, watch, terminal, other[2];
static pid_t child;
static volatile sig_atomic_t n_alarms;

/* The third time without SA_RESTART: what has gone on until then ends. */
static void on_alarm(int signal)
{
	(void) signal;
	if (++n_alarms == 2)
		handle(SIGALRM, on_alarm, 0);
}

static long wait_readv(void)
{
	struct iovec iov[2] = { { rubbish, 4 }, { rubbish + 8, 4 } };

	return readv(empty[0], iov, 2);
}

static long wait_writev(void)
{
	struct iovec iov[2] = { { rubbish, 4 }, { rubbish + 8, 4 } };

	return writev(full[1], iov, 2);
}

static long wait_splice(void) { return splice(empty[0], NULL, other[1], NULL, 100, 0); }
static long wait_tee(void) { return tee(empty[0], other[1], 100, 0); }
static long wait_event(void) { return read(event, rubbish, 8); }
static long wait_timer(void) { return read(timer, rubbish, 8); }
static long wait_signalfd(void) { return read(signals, rubbish, 128); }
static long wait_inotify(void) { return read(watch, rubbish, 4096); }
static long wait_terminal(void) { return read(terminal, rubbish, 1); }
static long wait_open(void) { return open(fifo, O_RDONLY); }
static long wait_child(void) { return waitid(P_PID, (id_t)child, (siginfo_t *)rubbish, WEXITED); }

static long wait_flock(void)
{
	int fd = open(lock_name, O_RDWR), error;
	long r = flock(fd, LOCK_EX);

	error = errno;
	CHECK(close(fd) == 0);
	errno = error;
	return r;
}

static long wait_setlkw(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open(lock_name, O_RDWR), error;
	long r = fcntl(fd, F_SETLKW, &lock);

	error = errno;
	CHECK(close(fd) == 0);
	errno = error;
	return r;
}

static long wait_ofd_setlkw(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open(lock_name, O_RDWR), error;
	long r = fcntl(fd, F_OFD_SETLKW, &lock);

	error = errno;
	CHECK(close(fd) == 0);
	errno = error;
	return r;
}

static long (*const waits[])(void) = {
	wait_readv, wait_writev, wait_splice, wait_tee, wait_event, wait_timer, wait_signalfd,
	wait_inotify, wait_terminal, wait_open, wait_child, wait_flock, wait_setlkw, wait_ofd_setlkw,
};

/* It has both kinds of lock, and waits to be killed. */
static void hold_locks(void)
{
	struct flock lock = { .l_type = F_WRLCK };
	char byte;

	child = fork();
	if (child == 0) {
		int fd = open(lock_name, O_RDWR);

		CHECK(flock(fd, LOCK_EX) == 0 && fcntl(fd, F_SETLK, &lock) == 0);
		CHECK(write(other[1], "l", 1) == 1);
		for (;;)
			(void) pause();
	}
	CHECK(read(other[0], &byte, 1) == 1);
}

static void prepare(void)
{
	int unlocked = 0;
	sigset_t set;

	(void) snprintf(directory, sizeof(directory), "/tmp/blackbox-test-XXXXXX");
	CHECK(mkdtemp(directory) != NULL);
	(void) snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	(void) snprintf(lock_name, sizeof(lock_name), "%s/lock", directory);
	CHECK(mkfifo(fifo, 0600) == 0 && close(open(lock_name, O_RDWR | O_CREAT, 0600)) == 0);
	CHECK(pipe(empty) == 0 && pipe(full) == 0 && pipe(other) == 0);
	CHECK(write(full[1], rubbish, sizeof(rubbish)) == sizeof(rubbish));
	event = eventfd(0, 0);
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	(void) sigemptyset(&set);
	(void) sigaddset(&set, SIGUSR1);
	signals = signalfd(-1, &set, 0);
	watch = inotify_init();
	terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	CHECK(event >= 0 && timer >= 0 && signals >= 0 && watch >= 0 && terminal >= 0);
	/* Its other side is open, or there would be nothing to wait for. */
	CHECK(ioctl(terminal, TIOCSPTLCK, &unlocked) == 0);
	CHECK(open(ptsname(terminal), O_RDWR | O_NOCTTY) >= 0);
	hold_locks();
}

int main(void)
{
	prepare();
	for (int restart = 0; restart < 2; restart++) {
		for (size_t i = 0; i < N_OF(waits); i++) {
			n_alarms = 0;
			handle(SIGALRM, on_alarm, restart ? SA_RESTART : 0);
			alarm_in(2, restart ? 3000 : 50000);
			FAILS(waits[i](), EINTR);
			alarm_in(0, 0);
			if (restart)
				CHECK(n_alarms >= 3);
		}
	}
	CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	CHECK(unlink(fifo) == 0 && unlink(lock_name) == 0 && rmdir(directory) == 0);
	return 0;
}
