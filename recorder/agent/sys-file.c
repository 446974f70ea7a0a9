/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-file - opening files that tell of us
 *
 * A program that walks its own mappings (a crash handler that tests all memory, a
 * garbage collector that looks for roots) would walk over ours, write to what the agent
 * lives on, and read what no replay can repeat. So /proc/self/maps and its like are
 * opened as a copy without our lines.
 */
#include "recorder/agent/agent.h"

enum {
	PATH_LEN = 64,
	BUFFER_LEN = 32 << 10,
	MFD_CLOEXEC_ = 1,
	O_CLOEXEC_ = 02000000,
	LINE_MAX = 4200,	/* of a path, and the columns before it */
};

static bool starts_with(const char *text, const char *prefix)
{
	while (*prefix && *text == *prefix) {
		text++;
		prefix++;
	}
	return !*prefix;
}

static bool equals(const char *a, const char *b)
{
	return starts_with(a, b) && starts_with(b, a);
}

/* Skips a number that is ours: the process's, or one of its threads'. NULL: it isn't one. */
static const char *skip_own_id(const char *text, const struct thread *thread)
{
	uint32_t id = 0;

	if (starts_with(text, "self/"))
		return text + 5;
	if (starts_with(text, "thread-self/"))
		return text + 12;
	for (; *text >= '0' && *text <= '9'; text++)
		id = id * 10 + (uint32_t)(*text - '0');
	if (*text != '/' || (id != thread->tgid && id != thread->tid))
		return NULL;
	return text + 1;
}

static bool is_maps(const char *name)
{
	return equals(name, "maps") || equals(name, "smaps") || equals(name, "numa_maps");
}

static bool is_own_maps(const struct thread *thread, const char *path)
{
	const char *rest;

	if (!starts_with(path, "/proc/"))
		return false;
	rest = skip_own_id(path + 6, thread);
	if (rest && starts_with(rest, "task/"))
		rest = skip_own_id(rest + 5, thread);
	return rest && is_maps(rest);
}

/* Does the program's path end like theirs? Most don't. */
bool path_may_be_maps(uint64_t user)
{
	char path[PATH_LEN + 1];
	size_t len = copy_string(path, user, PATH_LEN), name = len;

	if (!len || path[len - 1] != 's')
		return false;
	path[len] = '\0';
	while (name && path[name - 1] != '/')
		name--;
	return is_maps(path + name);
}

/* By whichever path it was opened. */
static bool is_open_maps(const struct thread *thread, long fd)
{
	char link[32] = "/proc/self/fd/", path[PATH_LEN + 1] = { 0 }, digits[12];
	size_t len = sizeof("/proc/self/fd/") - 1, n = 0;

	do {
		digits[n++] = (char)('0' + fd % 10);
		fd /= 10;
	} while (fd > 0 && n < sizeof(digits));
	while (n)
		link[len++] = digits[--n];
	link[len] = '\0';
	return agent_syscall(NR_readlink, link, path, PATH_LEN) > 0 && is_own_maps(thread, path);
}

/* The address that a mapping's first line begins with; 0 for other lines. */
static uint64_t line_address(const char *line, const char *end)
{
	uint64_t address = 0;

	for (; line < end; line++) {
		if (*line >= '0' && *line <= '9')
			address = address << 4 | (uint64_t)(*line - '0');
		else if (*line >= 'a' && *line <= 'f')
			address = address << 4 | (uint64_t)(*line - 'a' + 10);
		else
			return *line == '-' || *line == ' ' ? address : 0;
	}
	return 0;
}

/* Lines that begin with a capital letter (smaps) belong to the mapping before. */
static bool is_detail(char first)
{
	return first >= 'A' && first <= 'Z';
}

static bool write_all(int fd, const char *text, size_t len)
{
	return len == 0 || agent_syscall(NR_write, fd, text, len) == (long)len;
}

/* Copies whole lines but ours; returns how many bytes of @text it has used up. */
static size_t copy_lines(const char *text, size_t len, int to, bool *hiding)
{
	size_t at = 0;

	while (at < len) {
		size_t end = at;

		while (end < len && text[end] != '\n')
			end++;
		if (end == len)
			break;
		end++;
		if (!is_detail(text[at])) {
			uint64_t address = line_address(text + at, text + end);

			*hiding = in_region(address) || range_is_ours(address, 1);
		}
		if (!*hiding && !write_all(to, text + at, end - at))
			break;
		at = end;
	}
	return at;
}

static bool copy_without_ours(struct thread *thread, int from, int to)
{
	char *buffer = call_scratch(thread, BUFFER_LEN);
	size_t held = 0;
	bool hiding = false;

	if (!buffer)
		return false;
	for (;;) {
		long n = agent_syscall(NR_read, from, buffer + held, BUFFER_LEN - held);
		size_t used;

		if (n <= 0)
			return n == 0;
		held += (size_t)n;
		used = copy_lines(buffer, held, to, &hiding);
		held -= used;
		if (held > LINE_MAX)
			return false;
		for (size_t i = 0; i < held; i++)
			buffer[i] = buffer[used + i];
	}
}

/* In place of @fd, under its number. What can't be done is left as it is. */
static void hide_ourselves(struct thread *thread, int fd, long flags)
{
	long copy = agent_syscall(NR_memfd_create, "maps", MFD_CLOEXEC_);

	if (copy < 0)
		return;
	if (copy_without_ours(thread, fd, (int)copy) && agent_syscall(NR_lseek, copy, 0, 0) == 0)
		(void) agent_syscall(NR_dup3, copy, fd, flags & O_CLOEXEC_);
	else
		(void) agent_syscall(NR_lseek, fd, 0, 0);
	(void) agent_syscall(NR_close, copy);
}

void sys_open(struct thread *thread, struct call *call)
{
	bool at = call->nr != NR_open;
	uint64_t path = (uint64_t)call->args[at ? 1 : 0];
	long flags = call->args[at ? 2 : 1];
	bool maps = !agent_replays() && path_may_be_maps(path);

	/* struct open_how begins with them. */
	if (call->nr == NR_openat2 && !copy_from_user(&flags, (uint64_t)call->args[2], sizeof(flags)))
		flags = 0;
	call_make(thread, call);
	if (maps && call->result >= 0 && is_open_maps(thread, call->result))
		hide_ourselves(thread, (int)call->result, flags);
	call_finish(thread, call);
}
