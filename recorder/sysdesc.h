/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysdesc - the rows of syscalls.tbl.h, packed
 *
 * Each reader of the table makes its own copy, with sysdesc-words.h: the agent may have
 * no pointers in its data, and shares no objects with others.
 */
#pragma once

#include <stdint.h>

#define N_SYSCALLS 471

enum sys_mode {
	SYS_NONE, SYS_EMULATE, SYS_PERFORM, SYS_CODE, SYS_REDO, SYS_AGENT, SYS_REFUSE,
};

enum sysarg_kind {
	/* values; the kind is how to print them */
	ARG_INT, ARG_UINT, ARG_HEX, ARG_FD, ARG_ATFD, ARG_MODE, ARG_SIG, ARG_OFLAGS, ARG_PROT,
	ARG_MAPFLAGS, ARG_WHENCE, ARG_SIGHOW, ARG_MADVICE, ARG_CLONEFLAGS, ARG_DOMAIN,
	ARG_SOCKTYPE, ARG_FCNTL, ARG_FUTEXOP, ARG_CLOCK, ARG_EPOLLOP, ARG_PRCTL, ARG_ADDR,
	/* memory; a is the index of an argument, b a size or factor */
	ARG_STR, ARG_IN, ARG_INBUF, ARG_OUT, ARG_ALWAYS, ARG_OUTRET, ARG_OUTMUL, ARG_OUTARG,
	ARG_OUTPAGES, ARG_SOCKADDR, ARG_FDSET, ARG_IOVIN, ARG_IOVOUT, ARG_SIGSET,
	ARG_MSG,
};

struct sysarg {
	uint8_t kind;
	uint8_t a;
	uint16_t b;
};

/* Each in one line of the cache. */
struct sysdesc {
	uint8_t mode;		/* enum sys_mode */
	uint8_t yields;		/* gives the baton up meanwhile */
	uint8_t n_args;
	uint8_t memory;		/* bits: which of them are memory */
	struct sysarg args[6];
} __attribute__((aligned(32)));

