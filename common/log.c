/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *log_name = "blackbox";
static bool log_to_journal;

/* sd-daemon(3): standard error is the journal if JOURNAL_STREAM is its device and inode. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_setup(const char *name)
{
	log_name = name;
	log_to_journal = stderr_is_journal();
}

void log_write(int priority, const char *format, ...)
{
	char text[2048];
	int saved_errno = errno;
	va_list args;

	va_start(args, format);
	(void) vsnprintf(text, sizeof(text), format, args);
	va_end(args);

	/* One write per line: lines of several processes must not mix. */
	if (log_to_journal)
		(void) dprintf(STDERR_FILENO, "<%d>%s\n", priority, text);
	else
		(void) dprintf(STDERR_FILENO, "%s: %s\n", log_name, text);
	errno = saved_errno;
}
