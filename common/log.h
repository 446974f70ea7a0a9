/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log - messages of our programs to the people who run them
 *
 * Only daemon/, ctl/ and each main file log; libraries return errors. A message
 * says what was being attempted, on what, why it failed and what to do.
 * Messages go to standard error; when that is the journal (JOURNAL_STREAM names
 * it), each line begins with a priority prefix, see sd-daemon(3).
 */
#pragma once

#include <syslog.h>

/* Names the program in front of each line: "blackboxd: ...". @name must live on. */
void log_setup(const char *name);

void log_write(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
