/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The old vsyscall page, where the kernel has it: time, gettimeofday, getcpu. */
#include "check.h"

static bool is_there(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	CHECK(maps);
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, "[vsyscall]") != NULL;
	(void) fclose(maps);
	return found;
}

int main(void)
{
	long (*old_time)(long *) = (long (*)(long *))0xffffffffff600400;
	int (*old_day)(struct timeval *, void *) = (int (*)(struct timeval *, void *))0xffffffffff600000;
	struct timeval day;
	long now = time(NULL);

	if (!is_there())
		return 0;
	CHECK(old_time(NULL) >= now && old_time(NULL) < now + 60);
	CHECK(old_day(&day, NULL) == 0 && day.tv_sec >= now);
	(void) dprintf(2, "%ld.%06ld\n", day.tv_sec, day.tv_usec);
	return 0;
}
