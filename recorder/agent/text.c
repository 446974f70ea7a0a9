/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text - the program's code is changed: by way of /proc, which takes no writable and executable
 * mapping
 */
#include "recorder/agent/agent.h"

enum {
	PROT_RX = 5, PROT_RWX = 7,
	O_RDWR_CLOEXEC = 02000002,
	AT_FDCWD_ = -100,
	LONGEST = 256,
};

/* What the program itself can't read at the moment it may be able to later. */
bool text_is(int fd, uint64_t at, const uint8_t *bytes, size_t len)
{
	uint8_t now[LONGEST];

	return len <= sizeof(now) &&
	       (copy_from_user(now, at, len) ||
		(fd >= 0 && agent_syscall(NR_pread64, fd, now, len, at) == (long)len)) &&
	       memcmp(now, bytes, len) == 0;
}

/* A filter that the program has installed since would kill us for trying. */
static bool is_closed(void)
{
	return process()->code_closed && !agent_replays();
}

/*
 * Where it is allowed at all the kernel lets it be writable and executable at once; so
 * nothing is lost if it refuses.
 */
static bool write_by_mprotect(uint64_t at, const uint8_t *bytes, size_t len)
{
	uint64_t page = ALIGN_DOWN(at, (uint64_t)PAGE), end = ALIGN_UP(at + len, (uint64_t)PAGE);

	/* As it is: what the program writes, too, must stay writable. */
	if (user_writable(at, len))
		return copy_to_user(at, bytes, len) && text_is(-1, at, bytes, len);
	if (is_closed() || agent_syscall(NR_mprotect, page, end - page, PROT_RWX) < 0)
		return false;
	(void) copy_to_user(at, bytes, len);
	(void) agent_syscall(NR_mprotect, page, end - page, PROT_RX);
	return text_is(-1, at, bytes, len);
}

/* Of the process itself; a thread's, because the first thread may have ended. */
int text_open(void)
{
	if (agent_replays() || is_closed())	/* there are no files in a replay */
		return -1;
	return (int)agent_syscall(NR_openat, AT_FDCWD_, "/proc/thread-self/mem", O_RDWR_CLOEXEC, 0);
}

void text_close(int fd)
{
	if (fd >= 0)
		(void) agent_syscall(NR_close, fd);
}

bool text_write(int fd, uint64_t at, const uint8_t *bytes, size_t len)
{
	if (fd >= 0 && agent_syscall(NR_pwrite64, fd, bytes, len, at) == (long)len &&
	    text_is(fd, at, bytes, len))
		return true;
	return write_by_mprotect(at, bytes, len);
}
