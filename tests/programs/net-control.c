/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control data: descriptors and credentials that come with a message, and too little room. */
#include <fcntl.h>
#include <sys/socket.h>

#include "check.h"

static struct msghdr header;
static struct iovec iov;
static char control[256], text[16];

static ssize_t receive(int fd, size_t room, int flags)
{
	memset(control, 0xee, sizeof(control));
	iov = (struct iovec){ text, sizeof(text) };
	header = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = room };
	return recvmsg(fd, &header, flags);
}

static void send_descriptors(int fd, const int *fds, unsigned n)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(control));
	iov = (struct iovec){ (char[]){ "x" }, 1 };
	header = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	c = CMSG_FIRSTHDR(&header);
	*c = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	CHECK(sendmsg(fd, &header, 0) == 1);
}

int main(void)
{
	int fds[2], pipes[2], got[2], one = 1;
	struct cmsghdr *c;
	struct ucred cred;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0 && pipe(pipes) == 0);
	send_descriptors(fds[0], pipes, 2);
	CHECK(receive(fds[1], sizeof(control), MSG_CMSG_CLOEXEC) == 1);
	c = CMSG_FIRSTHDR(&header);
	CHECK(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(got)));
	CHECK(header.msg_controllen == CMSG_SPACE(sizeof(got)));
	memcpy(got, CMSG_DATA(c), sizeof(got));
	CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	CHECK(write(got[1], "through", 7) == 7 && read(pipes[0], text, sizeof(text)) == 7);

	/* Room for one: the other is gone. */
	send_descriptors(fds[0], pipes, 2);
	CHECK(receive(fds[1], CMSG_LEN(sizeof(int)), 0) == 1 && (header.msg_flags & MSG_CTRUNC));
	c = CMSG_FIRSTHDR(&header);
	CHECK(c && c->cmsg_len == CMSG_LEN(sizeof(int)));
	send_descriptors(fds[0], pipes, 1);
	CHECK(receive(fds[1], 0, 0) == 1 && (header.msg_flags & MSG_CTRUNC));

	CHECK(setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
	CHECK(send(fds[0], "who", 3, 0) == 3 && receive(fds[1], sizeof(control), 0) == 3);
	c = CMSG_FIRSTHDR(&header);
	CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	CHECK(cred.pid == getpid() && cred.uid == getuid() && cred.gid == getgid());
	return 0;
}
