/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Random numbers, from the call, the device and the C library, are the same in the replay. */
#include <fcntl.h>
#include <sys/random.h>

#include "check.h"

int main(void)
{
	unsigned char bytes[3000] = { 0 };
	uint64_t sum = 0;
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	FILE *stream = fopen("/proc/sys/kernel/random/uuid", "re");
	char uuid[40] = "";

	for (size_t len = 1; len < sizeof(bytes); len *= 3) {
		CHECK(getrandom(bytes, len, 0) == (ssize_t)len);
		sum = mix(sum, bytes, len);
		CHECK(read(fd, bytes, len) == (ssize_t)len);
		sum = mix(sum, bytes, len);
	}
	CHECK(getrandom(bytes, 5, GRND_NONBLOCK) == 5 && getentropy(bytes, 256) == 0);
	sum = mix(sum, bytes, 256);
	FAILS(getrandom(bytes, 1, 0x100), EINVAL);
	CHECK(stream && fgets(uuid, sizeof(uuid), stream) && fclose(stream) == 0);
	(void) dprintf(2, "%016llx %s", (unsigned long long)sum, uuid);
	for (int i = 0; i < 20; i++)
		sum = sum * 31 + arc4random();
	(void) dprintf(2, "%016llx\n", (unsigned long long)sum);
	return 0;
}
