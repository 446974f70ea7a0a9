/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse - the sizes, durations and signals that people write
 *
 * The same spellings hold in policies and on command lines. Each function
 * returns 0, or -EINVAL for text that it doesn't understand, or -ERANGE for a
 * value that doesn't fit; @ret is written on success only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* "64M", "1G", "4096": bytes; K, M, G, T are powers of 1024, an "iB" or "B" may follow. */
int parse_size(const char *text, uint64_t *ret_bytes);

/*
 * "30s", "250ms", "2min", "1h", "1.5s"; a number alone is seconds. The units are
 * those of systemd.time(7) from us to d. Zero is a valid duration.
 */
int parse_duration(const char *text, uint64_t *ret_ns);

/* "SEGV", "SIGSEGV", "11", "RTMIN+3". */
int parse_signal(const char *text, int *ret_signal);

/* "SIGSEGV"; "SIGRTMIN+3"; the number for what has no name. Static storage or @buffer. */
const char *signal_name(int signal, char buffer[static 16]);

/* Writes "64.0M", "812B" into @buffer and returns it. */
const char *format_size(uint64_t bytes, char buffer[static 16]);

/* Writes "12.3s", "250ms", "4min 10s" into @buffer and returns it. */
const char *format_duration(uint64_t ns, char buffer[static 32]);
