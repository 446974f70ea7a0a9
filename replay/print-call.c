/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/print-call.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "recorder/syscall-names.h"
#include "replay/event-names.h"
#include "replay/symbols.h"

enum {
	MAX_TEXT = 32,		/* of a buffer, as strace's */
	MAX_PATH = 4096,
	MAX_ELEMENTS = 16,	/* of an array */
};

struct printer {
	FILE *to;
	const struct session *session;
	const struct print_call *call;
};

static bool get(const struct printer *p, uint64_t address, void *to, size_t len)
{
	return address && session_read(p->session, address, to, len) == (ssize_t)len;
}

static void address(const struct printer *p, uint64_t value)
{
	if (value)
		(void) fprintf(p->to, "%#" PRIx64, value);
	else
		(void) fputs("NULL", p->to);
}

/* -- text ------------------------------------------------------------------------------------- */

static void quoted(FILE *to, const uint8_t *bytes, size_t len)
{
	static const char letters[] = "abtnvfr";	/* from 7 on */

	(void) fputc('"', to);
	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes[i];

		if (c == '"' || c == '\\')
			(void) fprintf(to, "\\%c", c);
		else if (c >= 7 && c <= 13)
			(void) fprintf(to, "\\%c", letters[c - 7]);
		else if (c >= ' ' && c < 127)
			(void) fputc(c, to);
		else if (i + 1 < len && isdigit(bytes[i + 1]))
			(void) fprintf(to, "\\%03o", c);
		else
			(void) fprintf(to, "\\%o", c);
	}
	(void) fputc('"', to);
}

static void buffer(const struct printer *p, uint64_t at, uint64_t len)
{
	uint8_t bytes[MAX_TEXT];
	ssize_t n = at ? session_read(p->session, at, bytes, len < MAX_TEXT ? len : MAX_TEXT) : -1;

	if (n < 0 || (n == 0 && len)) {
		address(p, at);
		return;
	}
	quoted(p->to, bytes, (size_t)n);
	if (len > (uint64_t)n)
		(void) fputs("...", p->to);
}

static void string(const struct printer *p, uint64_t at)
{
	uint8_t bytes[MAX_PATH];
	ssize_t n = 0, piece;

	/* It may end right before what can't be read. */
	do {
		size_t want = 256 - ((at + (uint64_t)n) & 255);

		piece = at ? session_read(p->session, at + (uint64_t)n, bytes + n, want) : -1;
		if (piece > 0) {
			const uint8_t *end = memchr(bytes + n, 0, (size_t)piece);

			if (end) {
				quoted(p->to, bytes, (size_t)(end - bytes));
				return;
			}
			n += piece;
		}
	} while (piece > 0 && n + 256 <= MAX_PATH);
	if (n == 0) {
		address(p, at);
		return;
	}
	quoted(p->to, bytes, (size_t)n);
	(void) fputs("...", p->to);
}

/* -- structures --------------------------------------------------------------------------------- */

static void socket_address(const struct printer *p, uint64_t at, uint64_t len)
{
	struct sockaddr_storage storage = { 0 };
	const struct sockaddr_in *in = (const struct sockaddr_in *)&storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&storage;
	const struct sockaddr_un *un = (const struct sockaddr_un *)&storage;
	char text[INET6_ADDRSTRLEN] = "";

	if (len < 2 || len > sizeof(storage) || !get(p, at, &storage, len)) {
		address(p, at);
		return;
	}
	(void) fputs("{sa_family=", p->to);
	(void) symbols_print(p->to, ARG_DOMAIN, storage.ss_family);
	switch (storage.ss_family) {
	case AF_INET:
		(void) inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		(void) fprintf(p->to, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(in->sin_port),
			       text);
		break;
	case AF_INET6:
		(void) inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		(void) fprintf(p->to, ", sin6_port=htons(%u), inet_pton(AF_INET6, \"%s\")",
			       ntohs(in6->sin6_port), text);
		break;
	case AF_UNIX:
		(void) fputs(", sun_path=", p->to);
		if (len > 2 && !un->sun_path[0])	/* abstract: all bytes count */
			(void) fputc('@', p->to);
		quoted(p->to, (const uint8_t *)un->sun_path + (len > 2 && !un->sun_path[0]),
		       len > 2 && !un->sun_path[0] ? len - 3 : strnlen(un->sun_path, len - 2));
		break;
	}
	(void) fputc('}', p->to);
}

static void time_spec(const struct printer *p, uint64_t at)
{
	int64_t value[2];

	if (get(p, at, value, sizeof(value)))
		(void) fprintf(p->to, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", value[0], value[1]);
	else
		address(p, at);
}

static void file_status(const struct printer *p, uint64_t at)
{
	static const struct {
		mode_t type;
		const char *name;
	} types[] = {
		{ S_IFREG, "S_IFREG" }, { S_IFDIR, "S_IFDIR" }, { S_IFCHR, "S_IFCHR" }, { S_IFBLK, "S_IFBLK" },
		{ S_IFIFO, "S_IFIFO" }, { S_IFLNK, "S_IFLNK" }, { S_IFSOCK, "S_IFSOCK" },
	};
	struct stat st;

	if (!get(p, at, &st, sizeof(st))) {
		address(p, at);
		return;
	}
	(void) fputs("{st_mode=", p->to);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == (st.st_mode & S_IFMT))
			(void) fprintf(p->to, "%s|", types[i].name);
	(void) fprintf(p->to, "%#o, st_size=%jd, ...}", st.st_mode & ~(mode_t)S_IFMT, (intmax_t)st.st_size);
}

static void iovec(const struct printer *p, uint64_t at, uint64_t n, int64_t left)
{
	if (!at || !n) {
		address(p, at);
		return;
	}
	(void) fputc('[', p->to);
	for (uint64_t i = 0; i < n && i < MAX_ELEMENTS; i++) {
		uint64_t iov[2], len;

		if (!get(p, at + i * 16, iov, sizeof(iov)))
			break;
		len = left < 0 ? iov[1] : iov[1] < (uint64_t)left ? iov[1] : (uint64_t)left;
		left -= left < 0 ? 0 : (int64_t)len;
		(void) fprintf(p->to, "%s{iov_base=", i ? ", " : "");
		buffer(p, iov[0], len);
		(void) fprintf(p->to, ", iov_len=%" PRIu64 "}", iov[1]);
	}
	(void) fputs(n > MAX_ELEMENTS ? ", ...]" : "]", p->to);
}

static void message(const struct printer *p, uint64_t at)
{
	struct msghdr header;

	if (!get(p, at, &header, sizeof(header))) {
		address(p, at);
		return;
	}
	(void) fputs("{msg_name=", p->to);
	socket_address(p, (uint64_t)header.msg_name, header.msg_namelen);
	(void) fputs(", msg_iov=", p->to);
	iovec(p, (uint64_t)header.msg_iov, header.msg_iovlen, p->call->result);
	(void) fprintf(p->to, ", msg_iovlen=%zu, msg_controllen=%zu, msg_flags=%#x}", header.msg_iovlen,
		       header.msg_controllen, (unsigned)header.msg_flags);
}

static void polled(const struct printer *p, uint64_t at, uint64_t n)
{
	(void) fputc('[', p->to);
	for (uint64_t i = 0; i < n && i < MAX_ELEMENTS; i++) {
		struct pollfd fd;

		if (!get(p, at + i * sizeof(fd), &fd, sizeof(fd)))
			break;
		(void) fprintf(p->to, "%s{fd=%d, events=", i ? ", " : "", fd.fd);
		symbols_print_poll(p->to, (uint16_t)fd.events);
		if (fd.revents) {
			(void) fputs(", revents=", p->to);
			symbols_print_poll(p->to, (uint16_t)fd.revents);
		}
		(void) fputc('}', p->to);
	}
	(void) fputs(n > MAX_ELEMENTS ? ", ...]" : "]", p->to);
}

static void epolled(const struct printer *p, uint64_t at, uint64_t n, bool is_array)
{
	(void) fputs(is_array ? "[" : "", p->to);
	for (uint64_t i = 0; i < n && i < MAX_ELEMENTS; i++) {
		struct epoll_event event;

		if (!get(p, at + i * sizeof(event), &event, sizeof(event)))
			break;
		(void) fprintf(p->to, "%s{events=", i ? ", " : "");
		symbols_print_epoll(p->to, event.events);
		(void) fprintf(p->to, ", data=%#" PRIx64 "}", event.data.u64);
	}
	if (is_array)
		(void) fputs(n > MAX_ELEMENTS ? ", ...]" : "]", p->to);
}

static void signal_set(const struct printer *p, uint64_t at, uint64_t len)
{
	uint64_t mask;
	char text[16];
	const char *space = "";

	if (len != sizeof(mask) || !get(p, at, &mask, sizeof(mask))) {
		address(p, at);
		return;
	}
	if (__builtin_popcountll(mask) > 32) {	/* shorter said by what isn't in it */
		(void) fputc('~', p->to);
		mask = ~mask;
	}
	(void) fputc('[', p->to);
	for (int i = 1; i <= 64; i++) {
		const char *name;

		if (!(mask >> (i - 1) & 1))
			continue;
		name = event_signal_name(i, text);
		(void) fprintf(p->to, "%s%s", space, strncmp(name, "SIG", 3) == 0 ? name + 3 : name);
		space = " ";
	}
	(void) fputc(']', p->to);
}

static void ints(const struct printer *p, uint64_t at, size_t n)
{
	int32_t values[2];

	if (!get(p, at, values, n * sizeof(values[0]))) {
		address(p, at);
		return;
	}
	(void) fprintf(p->to, n == 2 ? "[%d, %d]" : "[%d]", values[0], values[1]);
}

static void descriptor_set(const struct printer *p, uint64_t at, uint64_t n)
{
	uint8_t bits[128];
	size_t len = n < sizeof(bits) * 8 ? (n + 7) / 8 : sizeof(bits);
	const char *space = "";

	if (!get(p, at, bits, len)) {
		address(p, at);
		return;
	}
	(void) fputc('[', p->to);
	for (unsigned i = 0; i < len * 8 && i < n; i++) {
		if (!(bits[i / 8] >> (i % 8) & 1))
			continue;
		(void) fprintf(p->to, "%s%u", space, i);
		space = " ";
	}
	(void) fputc(']', p->to);
}

/* -- arguments ------------------------------------------------------------------------------------ */

static bool succeeded(const struct printer *p)
{
	return p->call->is_done && p->call->result >= 0;
}

/* Memory of a fixed size: what it is depends on the call. */
static void fixed(const struct printer *p, const struct sysarg *arg, uint64_t value)
{
	long nr = p->call->nr;

	if (arg->kind == ARG_OUT && !succeeded(p))
		address(p, value);
	else if (arg->b == sizeof(struct stat) && nr != SYS_wait4)
		file_status(p, value);
	else if (arg->b == 8 && (nr == SYS_pipe || nr == SYS_pipe2 || nr == SYS_socketpair))
		ints(p, value, 2);
	else if (arg->b == 4)
		ints(p, value, 1);
	else if (nr == SYS_epoll_ctl)
		epolled(p, value, 1, false);
	else if (arg->b == sizeof(struct timespec) && (nr == SYS_nanosleep || nr == SYS_clock_nanosleep ||
						       nr == SYS_futex || nr == SYS_clock_gettime ||
						       nr == SYS_ppoll || nr == SYS_clock_getres))
		time_spec(p, value);
	else
		address(p, value);
}

/* What a call reads as bytes may be a socket's address. */
static void read_buffer(const struct printer *p, unsigned i, uint64_t value, uint64_t len)
{
	long nr = p->call->nr;

	if (nr == SYS_connect || nr == SYS_bind || (nr == SYS_sendto && i == 4))
		socket_address(p, value, len);
	else
		buffer(p, value, len);
}

static void array(const struct printer *p, const struct sysarg *arg, uint64_t value, uint64_t n)
{
	long nr = p->call->nr;

	if (arg->b == sizeof(struct pollfd) && (nr == SYS_poll || nr == SYS_ppoll))
		polled(p, value, n);
	else if (arg->b == sizeof(struct epoll_event))
		epolled(p, value, succeeded(p) ? (uint64_t)p->call->result : 0, true);
	else
		address(p, value);
}

static void number(const struct printer *p, const struct sysarg *arg, uint64_t value)
{
	switch (arg->kind) {
	case ARG_INT:	/* an int whose upper half is whatever was in the register */
		(void) fprintf(p->to, "%" PRId64, value >> 32 ? (int64_t)value : (int32_t)value);
		break;
	case ARG_FD:
	case ARG_ATFD:
		if (arg->kind == ARG_ATFD && (int32_t)value == AT_FDCWD)
			(void) fputs("AT_FDCWD", p->to);
		else
			(void) fprintf(p->to, "%d", (int32_t)value);
		break;
	case ARG_UINT:
		(void) fprintf(p->to, "%" PRIu64, value);
		break;
	case ARG_MODE:
		(void) fprintf(p->to, value ? "%#" PRIo64 : "%" PRIo64, value & 0xffffffff);
		break;
	case ARG_HEX:
		(void) fprintf(p->to, value ? "%#" PRIx64 : "%" PRIx64, value);
		break;
	default:
		if (!symbols_print(p->to, arg->kind, value))
			address(p, value);
	}
}

static void argument(const struct printer *p, unsigned i, const struct sysarg *arg)
{
	const struct print_call *c = p->call;
	uint64_t value = c->args[i], other = arg->a < 6 ? c->args[arg->a] : 0;
	int32_t len;

	switch (arg->kind) {
	case ARG_STR:
		string(p, value);
		break;
	case ARG_INBUF:
		read_buffer(p, i, value, other);
		break;
	case ARG_IN:
	case ARG_OUT:
	case ARG_ALWAYS:
		fixed(p, arg, value);
		break;
	case ARG_OUTRET:
		if (succeeded(p))
			buffer(p, value, (uint64_t)c->result < other ? (uint64_t)c->result : other);
		else
			address(p, value);
		break;
	case ARG_OUTMUL:
	case ARG_OUTARG:
		array(p, arg, value, other);
		break;
	case ARG_SOCKADDR:
		if (succeeded(p) && get(p, other, &len, sizeof(len)) && len > 0 &&
		    c->nr != SYS_getsockopt)
			socket_address(p, value, (uint64_t)len);
		else
			address(p, value);
		break;
	case ARG_FDSET:
		descriptor_set(p, value, (uint32_t)other);
		break;
	case ARG_IOVIN:
		iovec(p, value, other, -1);
		break;
	case ARG_IOVOUT:
		iovec(p, value, other, succeeded(p) ? c->result : 0);
		break;
	case ARG_SIGSET:
		signal_set(p, value, other);
		break;
	case ARG_MSG:
		message(p, value);
		break;
	default:
		number(p, arg, value);
	}
}

/* struct clone_args, as much of it as the call gives. */
static void clone_arguments(const struct printer *p, uint64_t at, uint64_t len)
{
	static const char *const names[] = { "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack",
					     "stack_size", "tls", "set_tid", "set_tid_size", "cgroup" };
	static const struct sysarg kinds[] = { { .kind = ARG_CLONEFLAGS }, { .kind = ARG_HEX } };
	enum { N = sizeof(names) / sizeof(names[0]) };
	uint64_t words[N] = { 0 };
	size_t n = len / sizeof(words[0]) < N ? len / sizeof(words[0]) : N;

	if (n == 0 || !get(p, at, words, n * sizeof(words[0]))) {
		address(p, at);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (i && !words[i])
			continue;
		(void) fprintf(p->to, i ? ", %s=" : "{%s=", names[i]);
		number(p, &kinds[i != 0], words[i]);
	}
	(void) fputc('}', p->to);
}

unsigned print_count(const struct print_call *call)
{
	const struct sysdesc *row = syscall_row(call->nr);
	unsigned n = row ? row->n_args : 6;

	/* The mode of a file that isn't made says nothing. */
	if (call->has_args && ((call->nr == SYS_open && !(call->args[1] & (O_CREAT | __O_TMPFILE))) ||
			       (call->nr == SYS_openat && !(call->args[2] & (O_CREAT | __O_TMPFILE)))))
		n--;
	return n;
}

void print_argument(FILE *to, const struct session *session, const struct print_call *call, unsigned i)
{
	const struct printer p = { to, session, call };
	const struct sysdesc *row = syscall_row(call->nr);

	if (!call->has_args)
		(void) fputc('?', to);
	else if (call->nr == SYS_rt_sigprocmask && (i == 1 || (i == 2 && succeeded(&p))))
		signal_set(&p, call->args[i], call->args[3]);
	else if (call->nr == SYS_clone3 && i == 0)
		clone_arguments(&p, call->args[0], call->args[1]);
	else if (row)
		argument(&p, i, &row->args[i]);
	else
		(void) fprintf(to, "%#" PRIx64, call->args[i]);
}

void print_result(FILE *to, long nr, int64_t result)
{
	const char *name = result < 0 && result >= -4095 ? symbols_errno((int)-result) : NULL;

	if (name)
		(void) fprintf(to, "-1 %s (%s)", name, strerror((int)-result));
	else if (nr == SYS_mmap || nr == SYS_brk || nr == SYS_mremap || nr == SYS_shmat)
		(void) fprintf(to, "%#" PRIx64, (uint64_t)result);
	else
		(void) fprintf(to, "%" PRId64, result);
}

void print_siginfo(FILE *to, int signal, const uint8_t bytes[128])
{
	siginfo_t info;
	char text[16];
	const char *name = event_signal_name(signal, text);

	static_assert(sizeof(info) == 128, "kernel ABI");
	memcpy(&info, bytes, sizeof(info));
	(void) fprintf(to, "%s {si_signo=%s, si_code=", name, name);
	if (info.si_code == SI_USER || info.si_code == SI_TKILL || info.si_code == SI_QUEUE)
		(void) fprintf(to, "%s, si_pid=%d, si_uid=%u}", info.si_code == SI_USER ? "SI_USER" :
			       info.si_code == SI_TKILL ? "SI_TKILL" : "SI_QUEUE", info.si_pid, info.si_uid);
	else if (signal == SIGCHLD)
		(void) fprintf(to, "%d, si_pid=%d, si_uid=%u, si_status=%d}", info.si_code, info.si_pid,
			       info.si_uid, info.si_status);
	else if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
		 signal == SIGTRAP)
		(void) fprintf(to, "%s, si_addr=%#" PRIx64 "}",
			       info.si_code == SI_KERNEL ? "SI_KERNEL" :
			       signal == SIGSEGV && info.si_code == SEGV_MAPERR ? "SEGV_MAPERR" :
			       signal == SIGSEGV && info.si_code == SEGV_ACCERR ? "SEGV_ACCERR" : "fault",
			       (uint64_t)info.si_addr);
	else
		(void) fprintf(to, "%d}", info.si_code);
}
