/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ioctl: of pseudo terminals, pipes and files. */
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "check.h"

int main(void)
{
	struct winsize size = { 24, 80, 1, 2 }, back = { 0, 0, 0, 0 };
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, n = 9, fds[2];
	struct termios attr;
	struct pollfd p;
	char name[64] = "", text[32] = "";

	CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	CHECK(ptsname_r(master, name, sizeof(name)) == 0 && ioctl(master, TIOCGPTN, &n) == 0);
	CHECK(atoi(name + strlen("/dev/pts/")) == n);
	CHECK(ioctl(master, TIOCGPTLCK, &n) == 0 && n == 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(slave >= 0 && isatty(slave) && !isatty(0));
	CHECK(ioctl(master, TIOCSWINSZ, &size) == 0 && ioctl(slave, TIOCGWINSZ, &back) == 0);
	CHECK(memcmp(&size, &back, sizeof(size)) == 0);
	CHECK(tcgetattr(slave, &attr) == 0 && (attr.c_lflag & ICANON));
	p = (struct pollfd){ slave, POLLIN, 0 };
	cfmakeraw(&attr);
	CHECK(tcsetattr(slave, TCSANOW, &attr) == 0 && tcgetattr(slave, &attr) == 0);
	CHECK(!(attr.c_lflag & ICANON) && cfsetispeed(&attr, B9600) == 0);
	CHECK(write(master, "typed", 5) == 5 && poll(&p, 1, 5000) == 1);
	CHECK(ioctl(slave, FIONREAD, &n) == 0 && n == 5);
	CHECK(read(slave, text, sizeof(text)) == 5 && strcmp(text, "typed") == 0);
	CHECK(tcflush(slave, TCIOFLUSH) == 0 && ioctl(slave, TIOCOUTQ, &n) == 0 && n == 0);
	CHECK(pipe(fds) == 0 && write(fds[1], "abc", 3) == 3);
	CHECK(ioctl(fds[0], FIONREAD, &n) == 0 && n == 3);
	n = 1;
	CHECK(ioctl(fds[0], FIONBIO, &n) == 0 && (fcntl(fds[0], F_GETFL) & O_NONBLOCK));
	CHECK(ioctl(fds[0], FIOCLEX) == 0 && fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
	FAILS(ioctl(fds[0], TIOCGWINSZ, &back), ENOTTY);
	FAILS(ioctl(fds[0], 0x5499, &back), ENOTTY);
	FAILS(ioctl(999, FIONREAD, &n), EBADF);
	return 0;
}
