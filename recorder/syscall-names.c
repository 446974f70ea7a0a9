/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/syscall-names.h"

#include <stddef.h>
#include <string.h>

static const char *const names[N_SYSCALLS] = {
#define SYS(number, name, ...) [number] = #name,
#include "recorder/syscalls.tbl.h"
#undef SYS
};

static const struct sysdesc rows[N_SYSCALLS] = {
#include "recorder/sysdesc-words.h"
};

const char *syscall_name(long number)
{
	return number >= 0 && number < N_SYSCALLS ? names[number] : NULL;
}

const struct sysdesc *syscall_row(long number)
{
	return syscall_name(number) ? &rows[number] : NULL;
}

long syscall_number(const char *name)
{
	for (long i = 0; i < N_SYSCALLS; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return i;
	return -1;
}
