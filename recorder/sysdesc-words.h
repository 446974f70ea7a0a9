/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sysdesc-words - the short words of syscalls.tbl.h as initializers
 *
 * Included inside of `static const struct sysdesc NAME[N_SYSCALLS] = {` ... `};`.
 */
/* No include guard: each reader includes it once, in its own table. */
#define INT ARG_INT, 0, 0
#define UINT ARG_UINT, 0, 0
#define HEX ARG_HEX, 0, 0
#define FD ARG_FD, 0, 0
#define ATFD ARG_ATFD, 0, 0
#define MODE ARG_MODE, 0, 0
#define SIG ARG_SIG, 0, 0
#define OFLAGS ARG_OFLAGS, 0, 0
#define PROT ARG_PROT, 0, 0
#define MAPFLAGS ARG_MAPFLAGS, 0, 0
#define WHENCE ARG_WHENCE, 0, 0
#define SIGHOW ARG_SIGHOW, 0, 0
#define MADVICE ARG_MADVICE, 0, 0
#define CLONEFLAGS ARG_CLONEFLAGS, 0, 0
#define DOMAIN ARG_DOMAIN, 0, 0
#define SOCKTYPE ARG_SOCKTYPE, 0, 0
#define FCNTL ARG_FCNTL, 0, 0
#define FUTEXOP ARG_FUTEXOP, 0, 0
#define CLOCK ARG_CLOCK, 0, 0
#define EPOLLOP ARG_EPOLLOP, 0, 0
#define PRCTL ARG_PRCTL, 0, 0
#define ADDR ARG_ADDR, 0, 0
#define STR ARG_STR, 0, 0
#define IN(n) ARG_IN, 0, n
#define INBUF(k) ARG_INBUF, k, 0
#define OUT(n) ARG_OUT, 0, n
#define ALWAYS(n) ARG_ALWAYS, 0, n
#define OUTRET(k) ARG_OUTRET, k, 1
#define OUTMUL(k, n) ARG_OUTMUL, k, n
#define OUTARG(k, n) ARG_OUTARG, k, n
#define OUTPAGES(k) ARG_OUTPAGES, k, 0
#define SOCKADDR(k) ARG_SOCKADDR, k, 0
#define FDSET(k) ARG_FDSET, k, 0
#define IOVIN(k) ARG_IOVIN, k, 0
#define IOVOUT(k) ARG_IOVOUT, k, 0
#define SIGSET(k) ARG_SIGSET, k, 0
#define MSG ARG_MSG, 0, 0
#define KEEP 0
#define YIELD 1
/* A row's arguments, three numbers each, and what fills it up to six. */
#define SYS(number, name, mode_, yields_, ...)                                             \
	[number] = { .mode = SYS_##mode_, .yields = yields_,                               \
		     .n_args = sizeof((uint16_t[]){ __VA_ARGS__ }) / (sizeof(uint16_t[3])),\
		     SIX(__VA_ARGS__ __VA_OPT__(,) INT, INT, INT, INT, INT, INT) },
#define SIX(...) SIX_OF(__VA_ARGS__)
#define SIX_OF(k0, a0, b0, k1, a1, b1, k2, a2, b2, k3, a3, b3, k4, a4, b4, k5, a5, b5, ...) \
	.memory = IS_MEMORY(k0, 0) | IS_MEMORY(k1, 1) | IS_MEMORY(k2, 2) |                 \
		  IS_MEMORY(k3, 3) | IS_MEMORY(k4, 4) | IS_MEMORY(k5, 5),                  \
	.args = { { k0, a0, b0 }, { k1, a1, b1 }, { k2, a2, b2 },                          \
		  { k3, a3, b3 }, { k4, a4, b4 }, { k5, a5, b5 } }
#define IS_MEMORY(kind, i) (((kind) >= ARG_STR) << (i))

#include "recorder/syscalls.tbl.h"

#undef INT
#undef UINT
#undef HEX
#undef FD
#undef ATFD
#undef MODE
#undef SIG
#undef OFLAGS
#undef PROT
#undef MAPFLAGS
#undef WHENCE
#undef SIGHOW
#undef MADVICE
#undef CLONEFLAGS
#undef DOMAIN
#undef SOCKTYPE
#undef FCNTL
#undef FUTEXOP
#undef CLOCK
#undef EPOLLOP
#undef PRCTL
#undef ADDR
#undef STR
#undef IN
#undef INBUF
#undef OUT
#undef ALWAYS
#undef OUTRET
#undef OUTMUL
#undef OUTARG
#undef OUTPAGES
#undef SOCKADDR
#undef FDSET
#undef IOVIN
#undef IOVOUT
#undef SIGSET
#undef MSG
#undef KEEP
#undef YIELD
#undef SYS
#undef SIX
#undef SIX_OF
#undef IS_MEMORY
