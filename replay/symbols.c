/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/symbols.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "replay/event-names.h"

struct symbol {
	uint64_t value;
	const char *name;
};

#define S(name) { name, #name }
#define N(array) (sizeof(array) / sizeof((array)[0]))

static const struct symbol access_modes[] = { S(O_RDONLY), S(O_WRONLY), S(O_RDWR) };

/* Larger sets of bits before those that they contain. */
static const struct symbol open_flags[] = {
	S(O_CREAT), S(O_EXCL), S(O_NOCTTY), S(O_TRUNC), S(O_APPEND), S(O_NONBLOCK), S(O_SYNC), S(O_DSYNC),
	S(O_DIRECT), S(O_TMPFILE), S(O_DIRECTORY), S(O_NOFOLLOW), S(O_NOATIME), S(O_CLOEXEC), S(O_PATH),
	{ 0100000, "O_LARGEFILE" }, S(O_ASYNC),
};
static const struct symbol protections[] = {
	S(PROT_READ), S(PROT_WRITE), S(PROT_EXEC), S(PROT_GROWSDOWN), S(PROT_GROWSUP),
};
static const struct symbol map_types[] = { S(MAP_SHARED), S(MAP_PRIVATE), S(MAP_SHARED_VALIDATE) };
static const struct symbol map_flags[] = {
	S(MAP_FIXED_NOREPLACE), S(MAP_FIXED), S(MAP_ANONYMOUS), S(MAP_GROWSDOWN), S(MAP_DENYWRITE),
	S(MAP_EXECUTABLE), S(MAP_LOCKED), S(MAP_NORESERVE), S(MAP_POPULATE), S(MAP_NONBLOCK), S(MAP_STACK),
	S(MAP_HUGETLB), S(MAP_SYNC), { MAP_32BIT, "MAP_32BIT" },
};
static const struct symbol whences[] = { S(SEEK_SET), S(SEEK_CUR), S(SEEK_END), S(SEEK_DATA), S(SEEK_HOLE) };
static const struct symbol sighows[] = { S(SIG_BLOCK), S(SIG_UNBLOCK), S(SIG_SETMASK) };
static const struct symbol advices[] = {
	S(MADV_NORMAL), S(MADV_RANDOM), S(MADV_SEQUENTIAL), S(MADV_WILLNEED), S(MADV_DONTNEED), S(MADV_FREE),
	S(MADV_REMOVE), S(MADV_DONTFORK), S(MADV_DOFORK), S(MADV_HUGEPAGE), S(MADV_NOHUGEPAGE),
	S(MADV_DONTDUMP), S(MADV_DODUMP), S(MADV_WIPEONFORK), S(MADV_KEEPONFORK), S(MADV_COLD), S(MADV_PAGEOUT),
};
static const struct symbol clone_flags[] = {
	S(CLONE_VM), S(CLONE_FS), S(CLONE_FILES), S(CLONE_SIGHAND), S(CLONE_PIDFD), S(CLONE_PTRACE),
	S(CLONE_VFORK), S(CLONE_PARENT), S(CLONE_THREAD), S(CLONE_NEWNS), S(CLONE_SYSVSEM), S(CLONE_SETTLS),
	S(CLONE_PARENT_SETTID), S(CLONE_CHILD_CLEARTID), S(CLONE_DETACHED), S(CLONE_UNTRACED),
	S(CLONE_CHILD_SETTID), S(CLONE_NEWUTS), S(CLONE_NEWIPC), S(CLONE_NEWUSER), S(CLONE_NEWPID),
	S(CLONE_NEWNET), S(CLONE_IO),
};
static const struct symbol domains[] = {
	S(AF_UNSPEC), S(AF_UNIX), S(AF_INET), S(AF_INET6), S(AF_NETLINK), S(AF_PACKET), S(AF_VSOCK), S(AF_ALG),
};
static const struct symbol socket_types[] = {
	S(SOCK_STREAM), S(SOCK_DGRAM), S(SOCK_RAW), S(SOCK_RDM), S(SOCK_SEQPACKET),
};
static const struct symbol socket_flags[] = { S(SOCK_CLOEXEC), S(SOCK_NONBLOCK) };
static const struct symbol fcntls[] = {
	S(F_DUPFD), S(F_GETFD), S(F_SETFD), S(F_GETFL), S(F_SETFL), S(F_GETLK), S(F_SETLK), S(F_SETLKW),
	S(F_SETOWN), S(F_GETOWN), S(F_SETSIG), S(F_GETSIG), S(F_DUPFD_CLOEXEC), S(F_SETPIPE_SZ),
	S(F_GETPIPE_SZ), S(F_ADD_SEALS), S(F_GET_SEALS), S(F_OFD_GETLK), S(F_OFD_SETLK), S(F_OFD_SETLKW),
	S(F_SETOWN_EX), S(F_GETOWN_EX), S(F_SETLEASE), S(F_GETLEASE), S(F_NOTIFY),
};
static const struct symbol futex_ops[] = {
	S(FUTEX_WAIT), S(FUTEX_WAKE), S(FUTEX_FD), S(FUTEX_REQUEUE), S(FUTEX_CMP_REQUEUE), S(FUTEX_WAKE_OP),
	S(FUTEX_LOCK_PI), S(FUTEX_UNLOCK_PI), S(FUTEX_TRYLOCK_PI), S(FUTEX_WAIT_BITSET),
	S(FUTEX_WAKE_BITSET), S(FUTEX_WAIT_REQUEUE_PI), S(FUTEX_CMP_REQUEUE_PI),
};
static const struct symbol futex_flags[] = { S(FUTEX_PRIVATE_FLAG), S(FUTEX_CLOCK_REALTIME) };
static const struct symbol clocks[] = {
	S(CLOCK_REALTIME), S(CLOCK_MONOTONIC), S(CLOCK_PROCESS_CPUTIME_ID), S(CLOCK_THREAD_CPUTIME_ID),
	S(CLOCK_MONOTONIC_RAW), S(CLOCK_REALTIME_COARSE), S(CLOCK_MONOTONIC_COARSE), S(CLOCK_BOOTTIME),
	S(CLOCK_REALTIME_ALARM), S(CLOCK_BOOTTIME_ALARM), S(CLOCK_TAI),
};
static const struct symbol epoll_ops[] = { S(EPOLL_CTL_ADD), S(EPOLL_CTL_DEL), S(EPOLL_CTL_MOD) };
static const struct symbol prctls[] = {
	S(PR_SET_PDEATHSIG), S(PR_GET_PDEATHSIG), S(PR_GET_DUMPABLE), S(PR_SET_DUMPABLE), S(PR_SET_KEEPCAPS),
	S(PR_SET_NAME), S(PR_GET_NAME), S(PR_GET_SECCOMP), S(PR_SET_SECCOMP), S(PR_CAPBSET_READ),
	S(PR_CAPBSET_DROP), S(PR_SET_TIMERSLACK), S(PR_SET_MM), S(PR_SET_CHILD_SUBREAPER),
	S(PR_SET_NO_NEW_PRIVS), S(PR_GET_NO_NEW_PRIVS), S(PR_SET_THP_DISABLE), S(PR_SET_PTRACER),
	S(PR_SET_VMA),
};
static const struct symbol poll_events[] = {
	S(POLLIN), S(POLLPRI), S(POLLOUT), S(POLLERR), S(POLLHUP), S(POLLNVAL), S(POLLRDNORM), S(POLLRDBAND),
	S(POLLWRNORM), S(POLLWRBAND), S(POLLRDHUP),
};
static const struct symbol epoll_events[] = {
	S(EPOLLIN), S(EPOLLPRI), S(EPOLLOUT), S(EPOLLERR), S(EPOLLHUP), S(EPOLLRDNORM), S(EPOLLRDBAND),
	S(EPOLLWRNORM), S(EPOLLWRBAND), S(EPOLLMSG), S(EPOLLRDHUP), S(EPOLLEXCLUSIVE), S(EPOLLWAKEUP),
	S(EPOLLONESHOT), { (uint32_t)EPOLLET, "EPOLLET" },
};

/* -- printing ----------------------------------------------------------------------------------- */

static const char *find(const struct symbol *symbols, size_t n, uint64_t value)
{
	for (size_t i = 0; i < n; i++)
		if (symbols[i].value == value)
			return symbols[i].name;
	return NULL;
}

static void print_one(FILE *to, const struct symbol *symbols, size_t n, uint64_t value)
{
	const char *name = find(symbols, n, value);

	if (name)
		(void) fputs(name, to);
	else
		(void) fprintf(to, "%#" PRIx64, value);
}

/* @first: what was printed before them, with `|` between. */
static void print_bits(FILE *to, const struct symbol *symbols, size_t n, uint64_t value, bool first)
{
	bool any = first;

	for (size_t i = 0; i < n; i++) {
		if (!symbols[i].value || (value & symbols[i].value) != symbols[i].value)
			continue;
		(void) fprintf(to, "%s%s", any ? "|" : "", symbols[i].name);
		value &= ~symbols[i].value;
		any = true;
	}
	if (value)
		(void) fprintf(to, "%s%#" PRIx64, any ? "|" : "", value);
	else if (!any)
		(void) fputs("0", to);
}

/* A value in the low bits @mask, flags above. */
static void print_both(FILE *to, const struct symbol *values, size_t n_values, uint64_t mask,
		       const struct symbol *flags, size_t n_flags, uint64_t value)
{
	print_one(to, values, n_values, value & mask);
	if (value & ~mask)
		print_bits(to, flags, n_flags, value & ~mask, true);
}

static void print_clone(FILE *to, uint64_t value)
{
	char text[16];

	print_bits(to, clone_flags, N(clone_flags), value & ~UINT64_C(0xff), false);
	if (value & 0xff)
		(void) fprintf(to, "|%s", event_signal_name((int)(value & 0xff), text));
}

bool symbols_print(FILE *to, enum sysarg_kind kind, uint64_t value)
{
	char text[16];
	uint32_t low = (uint32_t)value;

	switch (kind) {
	case ARG_OFLAGS:
		print_both(to, access_modes, N(access_modes), O_ACCMODE, open_flags, N(open_flags), low);
		return true;
	case ARG_PROT:
		if (!value)
			(void) fputs("PROT_NONE", to);
		else
			print_bits(to, protections, N(protections), value, false);
		return true;
	case ARG_MAPFLAGS:
		print_both(to, map_types, N(map_types), MAP_TYPE, map_flags, N(map_flags), value);
		return true;
	case ARG_WHENCE:
		print_one(to, whences, N(whences), low);
		return true;
	case ARG_SIG:
		(void) fputs(event_signal_name((int)low, text), to);
		return true;
	case ARG_SIGHOW:
		print_one(to, sighows, N(sighows), low);
		return true;
	case ARG_MADVICE:
		print_one(to, advices, N(advices), low);
		return true;
	case ARG_CLONEFLAGS:
		print_clone(to, value);
		return true;
	case ARG_DOMAIN:
		print_one(to, domains, N(domains), low);
		return true;
	case ARG_SOCKTYPE:
		print_both(to, socket_types, N(socket_types), 0xf, socket_flags, N(socket_flags), low);
		return true;
	case ARG_FCNTL:
		print_one(to, fcntls, N(fcntls), low);
		return true;
	case ARG_FUTEXOP:
		print_both(to, futex_ops, N(futex_ops), 0x7f, futex_flags, N(futex_flags), low);
		return true;
	case ARG_CLOCK:
		print_one(to, clocks, N(clocks), low);
		return true;
	case ARG_EPOLLOP:
		print_one(to, epoll_ops, N(epoll_ops), low);
		return true;
	case ARG_PRCTL:
		print_one(to, prctls, N(prctls), low);
		return true;
	default:
		return false;
	}
}

void symbols_print_poll(FILE *to, uint32_t events)
{
	print_bits(to, poll_events, N(poll_events), events, false);
}

void symbols_print_epoll(FILE *to, uint32_t events)
{
	print_bits(to, epoll_events, N(epoll_events), events, false);
}

const char *symbols_errno(int error)
{
	return strerrorname_np(error);
}
