/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/parse.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's numbers: glibc's SIGRTMIN leaves out the two that it uses itself. */
enum { KERNEL_SIGRTMIN = 32, KERNEL_SIGRTMAX = 64 };

struct unit {
	const char *name;
	double factor;
};

/* A decimal number and one of @units; nothing before, nothing behind. */
static int parse_with_unit(const char *text, const struct unit *units, size_t n_units,
			   uint64_t *ret)
{
	char *end;
	double value;

	/* strtod also takes blanks, signs, hexadecimals, infinities. */
	if (!isdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
		return -EINVAL;
	errno = 0;
	value = strtod(text, &end);
	if (errno == ERANGE)
		return -ERANGE;
	while (*end == ' ')
		end++;

	for (size_t i = 0; i < n_units; i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		value *= units[i].factor;
		if (value >= 9223372036854775808.0)
			return -ERANGE;
		*ret = (uint64_t)(value + 0.5);
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const double K = 1024;
	static const struct unit units[] = {
		{ "", 1 }, { "B", 1 },
		{ "K", K }, { "KiB", K }, { "KB", K },
		{ "M", K * K }, { "MiB", K * K }, { "MB", K * K },
		{ "G", K * K * K }, { "GiB", K * K * K }, { "GB", K * K * K },
		{ "T", K * K * K * K }, { "TiB", K * K * K * K }, { "TB", K * K * K * K },
	};

	return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), ret_bytes);
}

int parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "", 1e9 }, { "s", 1e9 }, { "sec", 1e9 },
		{ "ms", 1e6 }, { "msec", 1e6 }, { "us", 1e3 }, { "usec", 1e3 }, { "ns", 1 },
		{ "m", 60e9 }, { "min", 60e9 },
		{ "h", 3600e9 }, { "hr", 3600e9 }, { "d", 86400e9 },
	};

	return parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), ret_ns);
}

int parse_signal(const char *text, int *ret_signal)
{
	const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
	char *end;
	long number;

	if (strcmp(name, "RTMIN") == 0) {
		number = SIGRTMIN;
		end = (char *)name + 5;
	} else if (strncmp(name, "RTMIN+", 6) == 0 && isdigit((unsigned char)name[6])) {
		number = strtol(name + 6, &end, 10);
		number = number <= KERNEL_SIGRTMAX ? SIGRTMIN + number : number;
	} else if (isdigit((unsigned char)name[0])) {
		number = strtol(name, &end, 10);
	} else {
		for (int i = 1; i < KERNEL_SIGRTMIN; i++) {
			const char *abbrev = sigabbrev_np(i);

			if (!abbrev || strcmp(abbrev, name) != 0)
				continue;
			*ret_signal = i;
			return 0;
		}
		return -EINVAL;
	}
	if (*end || number < 1 || number > KERNEL_SIGRTMAX)
		return -EINVAL;
	*ret_signal = (int)number;
	return 0;
}

const char *signal_name(int signal, char buffer[static 16])
{
	const char *abbrev = sigabbrev_np(signal);

	if (abbrev)
		(void) snprintf(buffer, 16, "SIG%s", abbrev);
	else if (signal >= SIGRTMIN && signal <= KERNEL_SIGRTMAX)
		(void) snprintf(buffer, 16, "SIGRTMIN+%d", signal - SIGRTMIN);
	else
		(void) snprintf(buffer, 16, "%d", signal);
	return buffer;
}

const char *format_size(uint64_t bytes, char buffer[static 16])
{
	static const char suffixes[] = "KMGTPE";
	double value = (double)bytes;
	int i = -1;

	while (value >= 1024 && i < (int)sizeof(suffixes) - 2) {
		value /= 1024;
		i++;
	}
	if (i < 0)
		(void) snprintf(buffer, 16, "%" PRIu64 "B", bytes);
	else
		(void) snprintf(buffer, 16, "%.1f%c", value, suffixes[i]);
	return buffer;
}

const char *format_duration(uint64_t ns, char buffer[static 32])
{
	uint64_t s = ns / 1000000000;

	if (ns < 1000000)
		(void) snprintf(buffer, 32, "%" PRIu64 "us", ns / 1000);
	else if (s < 1)
		(void) snprintf(buffer, 32, "%" PRIu64 "ms", ns / 1000000);
	else if (s < 60)
		(void) snprintf(buffer, 32, "%.1fs", (double)ns / 1e9);
	else if (s < 3600)
		(void) snprintf(buffer, 32, "%" PRIu64 "min %" PRIu64 "s", s / 60, s % 60);
	else
		(void) snprintf(buffer, 32, "%" PRIu64 "h %" PRIu64 "min", s / 3600, s / 60 % 60);
	return buffer;
}
