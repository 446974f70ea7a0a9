/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * print-call - a system call of a replay, as strace would print it
 *
 * The rows of syscalls.tbl.h say what the arguments are; what they point at is read from
 * the process, which stands behind the call (or in it).
 */
#pragma once

#include <stdio.h>

#include "replay/session.h"

struct print_call {
	long nr;
	uint64_t args[6];
	int64_t result;
	bool is_done;		/* false: it never returned */
	bool has_args;		/* false: only the log knows of it */
};

/* How many arguments the call has, and one of them. @session: NULL if !has_args. */
unsigned print_count(const struct print_call *call);
void print_argument(FILE *to, const struct session *session, const struct print_call *call, unsigned i);

/* 5, or -1 ENOENT (No such file or directory), or an address. */
void print_result(FILE *to, long nr, int64_t result);

/* --- SIGSEGV {si_signo=SIGSEGV, ...} --- without the dashes. @info: a siginfo_t. */
void print_siginfo(FILE *to, int signal, const uint8_t info[128]);
