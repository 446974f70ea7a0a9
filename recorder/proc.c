/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void put_text(char **at, const char *end, const char *text)
{
	while (*text && *at + 1 < end)
		*(*at)++ = *text++;
	**at = '\0';
}

void put_number(char **at, const char *end, uint64_t number)
{
	char digits[21], *first = digits + sizeof(digits) - 1;

	*first = '\0';
	do
		*--first = (char)('0' + number % 10);
	while (number /= 10);
	put_text(at, end, first);
}

bool proc_path(char *path, size_t size, pid_t pid, const char *rest)
{
	char *at = path;

	put_text(&at, path + size, "/proc/");
	if (pid)
		put_number(&at, path + size, (uint64_t)pid);
	else
		put_text(&at, path + size, "self");
	put_text(&at, path + size, rest);
	return at + 1 < path + size;
}

int proc_open(struct proc_file *file, pid_t pid, const char *rest)
{
	char path[64];

	file->fd = -1;
	file->at = file->len = 0;
	file->cut = false;
	if (!proc_path(path, sizeof(path), pid, rest))
		return -ENAMETOOLONG;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	return file->fd < 0 ? -errno : 0;
}

void proc_closep(struct proc_file *file)
{
	if (file->fd >= 0)
		(void) close(file->fd);
}

/* What is left goes to the front. False: there is no more. */
static bool read_more(struct proc_file *file)
{
	ssize_t n;

	for (size_t i = 0; i < file->len - file->at; i++)
		file->text[i] = file->text[file->at + i];
	file->len -= file->at;
	file->at = 0;
	n = read(file->fd, file->text + file->len, PROC_LINE_MAX - file->len);
	file->len += n > 0 ? (size_t)n : 0;
	return n > 0;
}

char *proc_line(struct proc_file *file)
{
	size_t i = file->at;

	for (;;) {
		while (i < file->len && file->text[i] != '\n')
			i++;
		if (i < file->len || (file->at == 0 && i == PROC_LINE_MAX)) {
			char *line = file->text + file->at;
			bool skip = file->cut;

			file->cut = i == file->len;
			file->text[i] = '\0';
			file->at = file->cut ? i : i + 1;
			if (!skip)
				return line;
			i = file->at;
			continue;
		}
		i -= file->at;
		if (read_more(file))
			continue;
		/* The last one, without an end. */
		if (file->len == 0 || file->cut)
			return NULL;
		file->text[file->len] = '\0';
		file->at = file->len;
		return file->text;
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

bool proc_number(char **at, unsigned base, uint64_t *ret_number)
{
	char *p = *at;
	uint64_t number = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	if ((unsigned)digit(*p) >= base)
		return false;
	for (; (unsigned)digit(*p) < base; p++)
		number = number * base + (unsigned)digit(*p);
	*at = p;
	*ret_number = number;
	return true;
}

bool proc_skip(char **at, const char *text)
{
	char *p = *at;

	for (; *text; text++, p++)
		if (*p != *text)
			return false;
	*at = p;
	return true;
}

bool proc_skip_word(char **at)
{
	char *p = *at;

	while (*p == ' ' || *p == '\t')
		p++;
	if (!*p)
		return false;
	while (*p && *p != ' ' && *p != '\t')
		p++;
	*at = p;
	return true;
}
