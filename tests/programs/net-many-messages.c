/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sendmmsg and recvmmsg: all of a hundred messages at once, each with its own length. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "check.h"

enum { N = 100 };

static struct mmsghdr out[N], in[N];
static struct iovec out_iov[N], in_iov[N][2];
static struct sockaddr_in from[N];
static char texts[N][32], buffers[N][32];

int main(void)
{
	struct sockaddr_in address = { AF_INET, 0, { htonl(INADDR_LOOPBACK) }, "" };
	socklen_t len = sizeof(address);
	struct timespec second = { 1, 0 };
	int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(bind(a, (struct sockaddr *)&address, len) == 0);
	CHECK(getsockname(a, (struct sockaddr *)&address, &len) == 0);
	CHECK(connect(b, (struct sockaddr *)&address, len) == 0);
	for (int i = 0; i < N; i++) {
		out_iov[i].iov_base = texts[i];
		out_iov[i].iov_len = (size_t)snprintf(texts[i], sizeof(texts[i]), "%0*d", i % 20 + 1, i);
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &out_iov[i], .msg_iovlen = 1 };
		in_iov[i][0] = (struct iovec){ buffers[i], 1 };
		in_iov[i][1] = (struct iovec){ buffers[i] + 1, 20 };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = in_iov[i], .msg_iovlen = 2,
						 .msg_name = &from[i], .msg_namelen = sizeof(from[i]) };
	}
	CHECK(sendmmsg(b, out, N, 0) == N);
	for (int i = 0; i < N; i++)
		CHECK(out[i].msg_len == out_iov[i].iov_len);
	CHECK(recvmmsg(a, in, N - 1, MSG_DONTWAIT, &second) == N - 1);
	CHECK(recvmmsg(a, in + N - 1, 2, MSG_WAITFORONE, NULL) == 1);
	for (int i = 0; i < N; i++) {
		CHECK(in[i].msg_len == out_iov[i].iov_len && strcmp(buffers[i], texts[i]) == 0);
		CHECK(in[i].msg_hdr.msg_namelen == len && from[i].sin_port == from[0].sin_port);
	}
	FAILS(recvmmsg(a, in, N, MSG_DONTWAIT, NULL), EAGAIN);
	return 0;
}
