/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ioctl of sockets: the interfaces' names, numbers and flags, what is queued. */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "check.h"

int main(void)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK, .data = 77 };
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request, list[16];
	struct ifconf conf = { .ifc_len = sizeof(list), .ifc_req = list };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), fds[2], n = -1;

	CHECK(fd >= 0);
	memset(&request, 0, sizeof(request));
	(void) strcpy(request.ifr_name, "lo");
	CHECK(ioctl(fd, SIOCGIFINDEX, &request) == 0 && request.ifr_ifindex > 0);
	CHECK(ioctl(fd, SIOCGIFNAME, &request) == 0 && strcmp(request.ifr_name, "lo") == 0);
	CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_LOOPBACK));
	CHECK(ioctl(fd, SIOCGIFMTU, &request) == 0 && request.ifr_mtu >= 1280);
	CHECK(ioctl(fd, SIOCGIFHWADDR, &request) == 0);
	CHECK(ioctl(fd, SIOCGIFCONF, &conf) == 0 && conf.ifc_len % (int)sizeof(list[0]) == 0);
	if (conf.ifc_len > 0)
		CHECK(list[0].ifr_name[0]);
	conf = (struct ifconf){ 0 };
	CHECK(ioctl(fd, SIOCGIFCONF, &conf) == 0);

	request.ifr_data = (char *)&link;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0)
		CHECK(link.data <= 1);
	else
		CHECK(errno == EOPNOTSUPP || errno == EPERM);
	request.ifr_data = (char *)&driver;
	(void) ioctl(fd, SIOCETHTOOL, &request);
	(void) dprintf(2, "driver %.31s\n", driver.driver);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && write(fds[0], "queued", 6) == 6);
	CHECK(ioctl(fds[1], FIONREAD, &n) == 0 && n == 6);
	CHECK(ioctl(fds[0], SIOCOUTQ, &n) == 0 && n >= 6);
	n = 4711;
	CHECK(ioctl(fds[0], FIOSETOWN, (int[]){ getpid() }) == 0 && ioctl(fds[0], FIOGETOWN, &n) == 0);
	CHECK(n == getpid());
	(void) strcpy(request.ifr_name, "no-such-thing");
	FAILS(ioctl(fd, SIOCGIFINDEX, &request), ENODEV);
	return 0;
}
