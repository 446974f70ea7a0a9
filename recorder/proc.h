/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proc - the text of a process's files in /proc, line by line
 *
 * Of libc this takes open, read and close: the injector has no more (inject-libc.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A longer line is cut. */
enum { PROC_LINE_MAX = 4096 };

struct proc_file {
	int fd;
	size_t at, len;		/* what has been read, from the next line on */
	bool cut;		/* the rest of a line is to be skipped */
	char text[PROC_LINE_MAX + 1];
};

/* "/proc/PID" and what follows. False: it doesn't fit. */
bool proc_path(char *path, size_t size, pid_t pid, const char *rest);

/* @rest as above, "/maps" for one; @pid 0 is ours. 0 or a negative errno: the caller closes what is open. */
int proc_open(struct proc_file *file, pid_t pid, const char *rest);
void proc_closep(struct proc_file *file);

/* The next line without its end, valid until the next call; NULL: there is none. */
char *proc_line(struct proc_file *file);

/* A number that @*at begins with, and the spaces before it; false: there is none. @*at is moved behind it. */
bool proc_number(char **at, unsigned base, uint64_t *ret_number);
/* Moves behind @text, or behind the next word and the spaces before it. False: there is none. */
bool proc_skip(char **at, const char *text);
bool proc_skip_word(char **at);

/* Appends to the text that ends at @*at, as far as there is room; it stays terminated. */
void put_text(char **at, const char *end, const char *text);
void put_number(char **at, const char *end, uint64_t number);
