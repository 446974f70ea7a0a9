/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sendmsg and recvmsg: vectors, descriptors and credentials on the way, truncation. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"

union control {
	char bytes[128];
	struct cmsghdr align;
};

static struct msghdr message(struct iovec *iov, size_t n, union control *control, size_t len)
{
	return (struct msghdr){ .msg_iov = iov, .msg_iovlen = n, .msg_control = control,
				.msg_controllen = len };
}

static void send_rights(int socket, const int *fds, size_t n)
{
	union control control = { "" };
	struct iovec iov[] = { { "ri", 2 }, { "ghts", 4 } };
	struct msghdr m = message(iov, 2, &control, CMSG_SPACE(n * sizeof(int)));
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	CHECK(sendmsg(socket, &m, 0) == 6);
}

static void rights(const int s[2])
{
	union control control;
	char a[3], b[8] = "--------", text[8] = "";
	struct iovec iov[] = { { a, 3 }, { b, 8 } };
	struct msghdr m = message(iov, 2, &control, sizeof(control));
	const struct cmsghdr *c;
	int fds[2], got[2];

	CHECK(pipe(fds) == 0);
	send_rights(s[0], fds, 2);
	memset(&control, 0xee, sizeof(control));
	CHECK(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC) == 6);
	CHECK(memcmp(a, "rig", 3) == 0 && memcmp(b, "hts-----", 8) == 0);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(8) && m.msg_flags == MSG_CMSG_CLOEXEC);
	memcpy(got, CMSG_DATA(c), sizeof(got));
	CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
	CHECK(write(got[1], "through", 7) == 7 && read(fds[0], text, 8) == 7);
	/* Without room for them they are lost. */
	send_rights(s[0], fds, 2);
	m = message(iov, 2, &control, 0);
	CHECK(recvmsg(s[1], &m, 0) == 6 && (m.msg_flags & MSG_CTRUNC) && m.msg_controllen == 0);
}

static void credentials(const int s[2])
{
	union control control;
	struct iovec iov = { "c", 1 };
	struct msghdr m = message(&iov, 1, &control, sizeof(control));
	struct ucred cred;
	const struct cmsghdr *c;
	char byte;
	int on = 1;

	CHECK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
	CHECK(write(s[0], "c", 1) == 1);
	iov.iov_base = &byte;
	CHECK(recvmsg(s[1], &m, 0) == 1);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_type == SCM_CREDENTIALS);
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	CHECK(cred.pid == getpid() && cred.uid == getuid());
}

int main(void)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = message(&iov, 1, NULL, 0);
	int s[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0);
	rights(s);
	credentials(s);
	CHECK(write(s[1], "cut off", 7) == 7);
	CHECK(recvmsg(s[0], &m, 0) == 1 && (m.msg_flags & MSG_TRUNC) && byte == 'c');
	FAILS(recvmsg(s[0], &m, MSG_DONTWAIT), EAGAIN);
	FAILS(recvmsg(s[0], (void *)16, 0), EFAULT);
	FAILS(sendmsg(s[0], (void *)16, 0), EFAULT);
	return 0;
}
