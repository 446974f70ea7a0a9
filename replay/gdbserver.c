/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/gdbserver.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/syscall-names.h"
#include "replay/debuggee.h"
#include "replay/gdb-objects.h"
#include "replay/gdb-registers.h"
#include "replay/internal.h"
#include "replay/rsp.h"

enum { ALL_THREADS = -1 };

struct gdbserver {
	const struct window_domain *domain;
	struct gdbserver_options options;
	struct debuggee *debuggee;
	struct session *session;
	int fd;
	bool no_ack, over, interrupted;
	int line_error;			/* what ended it while the program ran */
	uint64_t pass_signals;		/* the program's numbers, bit N-1 */
	uint64_t pid;
	int slot;			/* of the thread whose registers gdb means */
	struct rsp_reader reader;
	struct rsp_text reply;
	/* What a qXfer or a vFile has begun to read. */
	char object_name[64];
	char *object;
	size_t object_len;
};

/* -- the line ----------------------------------------------------------------------------------- */

static int send_all(struct gdbserver *g, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(g->fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_text(struct gdbserver *g, const struct rsp_text *text)
{
	autoclean(freep) char *frame = malloc(RSP_MAX_PACKET + 4);

	if (!frame)
		return -ENOMEM;
	return send_all(g, frame, rsp_frame(text, frame));
}

/* Waits for bytes, at most @timeout_ms (-1: for ever). 1: there were some. */
static int receive(struct gdbserver *g, int timeout_ms)
{
	struct pollfd fds[2] = { { g->fd, POLLIN, 0 }, { g->options.stop_fd, POLLIN, 0 } };
	uint8_t bytes[4096];
	ssize_t n;

	if (poll(fds, 2, timeout_ms) <= 0)
		return 0;
	if (fds[1].revents)
		return -ECANCELED;
	n = recv(g->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	/* gdb waits for each answer: more than the reader has room for never comes. */
	return rsp_reader_add(&g->reader, bytes, (size_t)n) == (size_t)n ? 1 : -EPROTO;
}

/* While the program runs gdb sends nothing but an interrupt. */
static bool on_idle(struct session *session, void *userdata)
{
	struct gdbserver *g = userdata;

	if (g->fd < 0) {
		struct pollfd stop = { g->options.stop_fd, POLLIN, 0 };

		if (g->options.progress)
			g->options.progress(session_position(session), g->domain->end_event, g->options.userdata);
		return poll(&stop, 1, 0) > 0;
	}
	g->line_error = receive(g, 0);
	if (g->line_error < 0) {
		g->over = true;
		return true;
	}
	if (rsp_reader_next(&g->reader) == RSP_INTERRUPT)
		g->interrupted = true;
	return g->interrupted;
}

/* -- threads --------------------------------------------------------------------------------------- */

static int find_thread(struct gdbserver *g, int slot, struct thread_view *ret)
{
	autoclean(freep) struct thread_view *threads = NULL;
	size_t n;
	int r = debuggee_threads(g->debuggee, &threads, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if ((int)threads[i].slot == slot) {
			*ret = threads[i];
			return 0;
		}
	}
	return r < 0 ? r : -ESRCH;
}

static int slot_of_tid(struct gdbserver *g, uint64_t tid)
{
	autoclean(freep) struct thread_view *threads = NULL;
	size_t n;

	if (debuggee_threads(g->debuggee, &threads, &n) < 0)
		return -ESRCH;
	for (size_t i = 0; i < n; i++)
		if (threads[i].tid == tid)
			return (int)threads[i].slot;
	return -ESRCH;
}

static void add_thread_id(struct gdbserver *g, uint32_t tid)
{
	rsp_addf(&g->reply, "p%" PRIx64 ".%x", g->pid, tid);
}

/* `pPID.TID`, `pPID`, `TID`; -1 and 0 mean any. A slot, ALL_THREADS, or -ESRCH. */
static int parse_thread(struct gdbserver *g, const char **at)
{
	uint64_t id = 0;
	bool has_pid = **at == 'p';

	if (has_pid) {
		(*at)++;
		if (!rsp_hex(at, &id))
			(*at) += strspn(*at, "-1");
		if (**at != '.')
			return ALL_THREADS;
		(*at)++;
	}
	if (**at == '-') {
		(*at) += strspn(*at, "-1");
		return ALL_THREADS;
	}
	if (!rsp_hex(at, &id))
		return -ESRCH;
	return id == 0 ? ALL_THREADS : slot_of_tid(g, id);
}

/* -- answers -------------------------------------------------------------------------------------------- */

static void answer(struct gdbserver *g, const char *text)
{
	rsp_add(&g->reply, text, strlen(text));
}

static void answer_error(struct gdbserver *g, int r)
{
	rsp_addf(&g->reply, "E%02x", -r & 0xff);
}

/* Linux's number to gdb's (include/gdb/signals.def). */
static unsigned gdb_signal(int signal)
{
	static const uint8_t numbers[] = {
		0, 1, 2, 3, 4, 5, 6, 10, 8, 9, 30, 11, 31, 13, 14, 15, 143, 20, 19, 17, 18, 21, 22, 16, 24,
		25, 26, 27, 28, 23, 32, 12,
	};

	if (signal >= 0 && signal < (int)sizeof(numbers))
		return numbers[signal];
	if (signal == 32 || signal == 64)
		return signal == 32 ? 77 : 78;
	return signal > 32 && signal < 64 ? (unsigned)(45 + signal - 33) : 143;
}

static void answer_trap(struct gdbserver *g, const struct debuggee_stop *stop)
{
	if (stop->trap == TRAP_OF_WATCH)
		rsp_addf(&g->reply, "watch:%" PRIx64 ";", stop->watch);
	else if (stop->trap == TRAP_OF_BREAKPOINT)
		answer(g, "swbreak:;");
}

/* @first: gdb asks why it finds the program stopped. */
static void answer_stop(struct gdbserver *g, bool first)
{
	const struct debuggee_stop *stop = debuggee_stopped(g->debuggee);
	struct thread_view thread;
	unsigned signal = SIGTRAP;

	if (stop->state == DEBUGGEE_EXITED) {
		rsp_addf(&g->reply, "W%02x;process:%" PRIx64, (unsigned)stop->status, g->pid);
		return;
	}
	if (stop->state == DEBUGGEE_KILLED) {
		rsp_addf(&g->reply, "X%02x;process:%" PRIx64, gdb_signal(stop->signal), g->pid);
		return;
	}
	g->slot = (int)stop->slot;
	if (stop->state == DEBUGGEE_SIGNALLED)
		signal = gdb_signal(stop->signal);
	else if (stop->state == DEBUGGEE_PAUSED && !first)
		signal = SIGINT;
	rsp_addf(&g->reply, "T%02x", signal);
	if (find_thread(g, g->slot, &thread) == 0) {
		answer(g, "thread:");
		add_thread_id(g, thread.tid);
		answer(g, ";");
	}
	if (stop->state == DEBUGGEE_TRAPPED)
		answer_trap(g, stop);
	if (stop->state == DEBUGGEE_WINDOW_END && !first)
		answer(g, "replaylog:end;");
}

/* -- running ---------------------------------------------------------------------------------------------- */

/* What went wrong, onto gdb's console. */
static void say(struct gdbserver *g, const char *text)
{
	rsp_clear(&g->reply);
	answer(g, "O");
	rsp_add_hex(&g->reply, text, strlen(text));
	rsp_add_hex(&g->reply, "\n", 1);
	(void) send_text(g, &g->reply);
	rsp_clear(&g->reply);
}

/* @step: a slot, or -1. */
static void run(struct gdbserver *g, int step)
{
	struct replay_error error;
	int r;

	g->interrupted = false;
	r = debuggee_run(g->debuggee, step, g->pass_signals, &error);
	if (r < 0 && !g->over)
		say(g, error.text);
	answer_stop(g, false);
}

/* vCont: one thread may be stepped, the log says which one runs when. */
static void packet_vcont(struct gdbserver *g, const char *at)
{
	int step = -1;
	uint64_t ignored;

	if (*at == '?') {
		answer(g, "vCont;c;C;s;S");
		return;
	}
	while (*at == ';') {
		char action = at[1];
		int slot = ALL_THREADS;

		if (!action)
			break;
		at += 2;
		if (action == 'C' || action == 'S')
			(void) rsp_hex(&at, &ignored);	/* which signals come is in the log */
		if (*at == ':') {
			at++;
			slot = parse_thread(g, &at);
		}
		if ((action == 's' || action == 'S') && step < 0)
			step = slot >= 0 ? slot : g->slot;
	}
	run(g, step);
}

/* -- memory, registers ------------------------------------------------------------------------------------------ */

static void show_memory(struct gdbserver *g, uint64_t address, uint8_t *bytes, size_t len)
{
	/* Of which there may be some in what a stub has displaced. */
	session_hide_stubs(g->session, address, bytes, len);
	session_hide_sites(g->session, address, bytes, len);
	rsp_add_hex(&g->reply, bytes, len);
}

static void packet_memory(struct gdbserver *g, const char *at)
{
	const struct agent_config *config = session_config(g->session);
	uint8_t bytes[RSP_MAX_PACKET / 2];
	uint64_t address, len;
	ssize_t n;

	if (!rsp_hex(&at, &address) || *at++ != ',' || !rsp_hex(&at, &len)) {
		answer_error(g, -EINVAL);
		return;
	}
	if (len > sizeof(bytes))
		len = sizeof(bytes);
	/* The agent's memory isn't the program's. */
	n = address + len > config->base && address < config->base + AGENT_REGION ?
		    -EFAULT : session_read(g->session, address, bytes, len);
	if (n <= 0 && len)
		answer_error(g, n < 0 ? (int)n : -EFAULT);
	else
		show_memory(g, address, bytes, (size_t)n);
}

static void packet_registers(struct gdbserver *g, const char *at)
{
	struct thread_view thread;
	int r = find_thread(g, g->slot, &thread);

	(void) at;
	if (r == 0)
		r = gdb_registers(g->session, &thread, &g->reply);
	if (r < 0)
		answer_error(g, r);
}

static void packet_register(struct gdbserver *g, const char *at)
{
	struct thread_view thread;
	uint64_t number;
	int r = rsp_hex(&at, &number) ? find_thread(g, g->slot, &thread) : -EINVAL;

	if (r == 0)
		r = gdb_register(g->session, &thread, number, &g->reply);
	if (r < 0)
		answer_error(g, r);
}

/* What the program did is done. */
static void packet_write(struct gdbserver *g, const char *at)
{
	(void) at;
	answer_error(g, -EROFS);
}

/* -- breakpoints ----------------------------------------------------------------------------------------------- */

/* Debug registers watch up to 8 bytes, aligned. */
static unsigned watch_piece(uint64_t address, uint64_t left)
{
	for (unsigned len = 8; len > 1; len /= 2)
		if (address % len == 0 && left >= len)
			return len;
	return 1;
}

static int clear_watch(struct gdbserver *g, uint64_t address, uint64_t len)
{
	int r = 0;

	for (uint64_t done = 0; done < len;) {
		unsigned piece = watch_piece(address + done, len - done);
		int one = session_clear_watch(g->session, address + done, piece);

		r = r < 0 ? r : one;
		done += piece;
	}
	return r;
}

static int set_watch(struct gdbserver *g, uint64_t address, uint64_t len, enum watch_kind kind)
{
	for (uint64_t done = 0; done < len;) {
		unsigned piece = watch_piece(address + done, len - done);
		int r = session_set_watch(g->session, address + done, piece, kind);

		if (r < 0) {
			(void) clear_watch(g, address, done);
			return r;
		}
		done += piece;
	}
	return 0;
}

/* Z or z, then kind, address, length. */
static void change_breakpoint(struct gdbserver *g, const char *at, bool set)
{
	uint64_t kind, address, len;
	int r;

	if (!rsp_hex(&at, &kind) || *at++ != ',' || !rsp_hex(&at, &address) || *at++ != ',' ||
	    !rsp_hex(&at, &len) || len > 64) {
		answer_error(g, -EINVAL);
		return;
	}
	if (kind <= 1)
		r = set ? session_set_breakpoint(g->session, address) :
			  session_clear_breakpoint(g->session, address);
	else if (kind == 2 || kind == 4)
		r = set ? set_watch(g, address, len, kind == 2 ? WATCH_WRITE : WATCH_ACCESS) :
			  clear_watch(g, address, len);
	else
		return;	/* the processor can't watch reads alone: gdb takes accesses then */
	if (r < 0)
		answer_error(g, r);
	else
		answer(g, "OK");
}

static void packet_set_breakpoint(struct gdbserver *g, const char *at)
{
	change_breakpoint(g, at, true);
}

static void packet_clear_breakpoint(struct gdbserver *g, const char *at)
{
	change_breakpoint(g, at, false);
}

/* -- objects ------------------------------------------------------------------------------------------------------ */

static int siginfo_object(struct gdbserver *g, char **ret, size_t *ret_len)
{
	const struct debuggee_stop *stop = debuggee_stopped(g->debuggee);

	if (!stop->has_siginfo)
		return -ENOENT;
	*ret = malloc(sizeof(stop->siginfo));
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, stop->siginfo, sizeof(stop->siginfo));
	*ret_len = sizeof(stop->siginfo);
	return 0;
}

/* What a thread does, in gdb's list of them. */
static void thread_note(const struct gdbserver *g, const struct thread_view *thread, char *text,
			size_t size)
{
	const char *name = syscall_name((long)thread->regs[REG_RAX_]);

	text[0] = '\0';
	if (thread->slot == debuggee_stopped(g->debuggee)->slot)
		return;
	if (thread->state == THREAD_ENTERED && name)
		(void) snprintf(text, size, "in %s", name);
	else if (thread->state == THREAD_PREEMPTED)
		(void) snprintf(text, size, "preempted");
	else if (thread->state == THREAD_STARTING)
		(void) snprintf(text, size, "new");
}

static int threads_object(struct gdbserver *g, char **ret, size_t *ret_len)
{
	autoclean(freep) struct thread_view *threads = NULL;
	char note[64];
	size_t n;
	FILE *to;
	int r = debuggee_threads(g->debuggee, &threads, &n);

	if (r < 0)
		return r;
	to = open_memstream(ret, ret_len);
	if (!to)
		return -ENOMEM;
	(void) fputs("<?xml version=\"1.0\"?><threads>", to);
	for (size_t i = 0; i < n; i++) {
		thread_note(g, &threads[i], note, sizeof(note));
		(void) fprintf(to, "<thread id=\"p%" PRIx64 ".%x\">%s</thread>", g->pid, threads[i].tid, note);
	}
	(void) fputs("</threads>", to);
	return fclose(to) == 0 ? 0 : -ENOMEM;
}

static int make_object(struct gdbserver *g, const char *name, char **ret, size_t *ret_len)
{
	int r;

	if (strcmp(name, "auxv") == 0)
		return gdb_auxv(g->session, ret, ret_len);
	if (strcmp(name, "libraries-svr4") == 0)
		return gdb_libraries(g->session, ret, ret_len);
	if (strcmp(name, "siginfo") == 0)
		return siginfo_object(g, ret, ret_len);
	if (strcmp(name, "threads") == 0)
		return threads_object(g, ret, ret_len);
	if (strcmp(name, "maps") == 0)
		return gdb_maps(g->session, ret, ret_len);
	if (strcmp(name, "features") == 0)
		r = gdb_describe(ret);
	else if (strcmp(name, "exec-file") == 0)
		r = (*ret = strdup(g->domain->exe)) ? 0 : -ENOMEM;
	else
		return -ENOENT;
	if (r == 0)
		*ret_len = strlen(*ret);
	return r;
}

/* The object stays the same while it is read in pieces: it is made when its first byte is asked for. */
static int take_object(struct gdbserver *g, const char *name, uint64_t offset)
{
	if (offset && strcmp(name, g->object_name) == 0)
		return 0;
	free(g->object);
	g->object = NULL;
	g->object_len = 0;
	(void) snprintf(g->object_name, sizeof(g->object_name), "%s", name);
	return make_object(g, name, &g->object, &g->object_len);
}

/* qXfer:NAME:read:ANNEX:OFFSET,LENGTH */
static void packet_xfer(struct gdbserver *g, const char *at)
{
	char name[64];
	uint64_t offset, len;
	size_t n;
	int r, used = 0;

	if (sscanf(at, "%63[^:]:read:%n", name, &used) != 1 || !used)
		return;
	at = strchr(at + used, ':');
	if (!at++ || !rsp_hex(&at, &offset) || *at++ != ',' || !rsp_hex(&at, &len)) {
		answer_error(g, -EINVAL);
		return;
	}
	r = take_object(g, name, offset);
	if (r < 0) {
		answer_error(g, r);
		return;
	}
	if (offset > g->object_len)
		offset = g->object_len;
	n = len < g->object_len - offset ? len : g->object_len - offset;
	answer(g, "m");
	n = rsp_add_binary(&g->reply, g->object + offset, n);
	if (offset + n == g->object_len)
		g->reply.bytes[0] = 'l';
}

/* -- files ---------------------------------------------------------------------------------------------------------- */

enum { FILE_MAPS = 1 };

static void file_error(struct gdbserver *g, int error)
{
	rsp_addf(&g->reply, "F-1,%x", (unsigned)error);
}

/* gdb finds the vDSO in /proc/PID/maps; there is no other file to be had. */
static void file_open(struct gdbserver *g, const char *at)
{
	enum { FILEIO_ENOENT = 2 };
	char path[PATH_MAX], proc[64];
	size_t n = rsp_bytes(&at, path, sizeof(path) - 1), len;
	size_t end = strlen("/maps");

	path[n] = '\0';
	(void) snprintf(proc, sizeof(proc), "/proc/%" PRIu64 "/", g->pid);
	len = strlen(proc);
	if (n < len + end - 1 || strncmp(path, proc, len) != 0 || strcmp(path + n - end, "/maps") != 0 ||
	    take_object(g, "maps", 0) < 0)
		file_error(g, FILEIO_ENOENT);
	else
		rsp_addf(&g->reply, "F%x", FILE_MAPS);
}

static void file_pread(struct gdbserver *g, const char *at)
{
	uint64_t fd, len, offset;
	size_t n, room = sizeof(g->reply.bytes) / 2 - 64;

	if (!rsp_hex(&at, &fd) || *at++ != ',' || !rsp_hex(&at, &len) || *at++ != ',' ||
	    !rsp_hex(&at, &offset) || fd != FILE_MAPS || strcmp(g->object_name, "maps") != 0) {
		file_error(g, EBADF);
		return;
	}
	if (offset > g->object_len)
		offset = g->object_len;
	n = len < g->object_len - offset ? len : g->object_len - offset;
	n = n < room ? n : room;
	rsp_addf(&g->reply, "F%zx;", n);
	(void) rsp_add_binary(&g->reply, g->object + offset, n);
}

static void packet_file(struct gdbserver *g, const char *at)
{
	if (strncmp(at, "open:", 5) == 0)
		file_open(g, at + 5);
	else if (strncmp(at, "pread:", 6) == 0)
		file_pread(g, at + 6);
	else if (strncmp(at, "close:", 6) == 0 || strncmp(at, "setfs:", 6) == 0)
		answer(g, "F0");
}

/* -- the rest ---------------------------------------------------------------------------------------------------- */

static void packet_supported(struct gdbserver *g, const char *at)
{
	(void) at;
	rsp_addf(&g->reply, "PacketSize=%x;QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;"
		 "vContSupported+;QPassSignals+;qXfer:features:read+;qXfer:auxv:read+;"
		 "qXfer:exec-file:read+;qXfer:libraries-svr4:read+;qXfer:siginfo:read+;"
		 "qXfer:threads:read+", RSP_MAX_PACKET);
}

static void packet_no_ack(struct gdbserver *g, const char *at)
{
	(void) at;
	g->no_ack = true;
	answer(g, "OK");
}

static void packet_why(struct gdbserver *g, const char *at)
{
	(void) at;
	answer_stop(g, true);
}

static void packet_select(struct gdbserver *g, const char *at)
{
	char operation = *at++;
	int slot = parse_thread(g, &at);

	if (slot == -ESRCH) {
		answer_error(g, slot);
		return;
	}
	if (operation == 'g')
		g->slot = slot >= 0 ? slot : (int)debuggee_stopped(g->debuggee)->slot;
	answer(g, "OK");
}

static void packet_alive(struct gdbserver *g, const char *at)
{
	if (parse_thread(g, &at) >= 0)
		answer(g, "OK");
	else
		answer_error(g, -ESRCH);
}

static void packet_current(struct gdbserver *g, const char *at)
{
	struct thread_view thread;

	if (*at || find_thread(g, g->slot, &thread) < 0)	/* qCRC is another */
		return;
	answer(g, "QC");
	add_thread_id(g, thread.tid);
}

static void packet_pass_signals(struct gdbserver *g, const char *at)
{
	uint64_t number;

	g->pass_signals = 0;
	for (; rsp_hex(&at, &number); at += *at == ';')
		for (int i = 1; i <= 64; i++)
			if (gdb_signal(i) == number)
				g->pass_signals |= UINT64_C(1) << (i - 1);
	answer(g, "OK");
}

static void packet_attached(struct gdbserver *g, const char *at)
{
	(void) at;
	answer(g, "1");	/* leaving gdb is a detach */
}

static void packet_ok(struct gdbserver *g, const char *at)
{
	(void) at;
	answer(g, "OK");
}

static void packet_end(struct gdbserver *g, const char *at)
{
	(void) at;
	g->over = true;
	answer(g, "OK");
}

/* `monitor where': the place in the log. */
static void packet_monitor(struct gdbserver *g, const char *at)
{
	char text[160], what[32];
	uint64_t ns = session_ns(g->session) - g->domain->begin_ns;

	what[rsp_bytes(&at, what, sizeof(what) - 1)] = '\0';
	if (strcmp(what, "where") == 0)
		(void) snprintf(text, sizeof(text), "before event %" PRIu64 " of %" PRIu64 " to %" PRIu64
				", %" PRIu64 ".%06" PRIu64 " s into the window\n",
				session_position(g->session), g->domain->begin_event,
				g->domain->end_event, ns / 1000000000, ns / 1000 % 1000000);
	else
		(void) snprintf(text, sizeof(text), "\"%s\" isn't known here, only `monitor where'\n", what);
	rsp_add_hex(&g->reply, text, strlen(text));
}

static void packet_continue(struct gdbserver *g, const char *at)
{
	(void) at;
	run(g, -1);
}

static void packet_step(struct gdbserver *g, const char *at)
{
	(void) at;
	run(g, g->slot);
}

static const struct command {
	const char *prefix;
	void (*handle)(struct gdbserver *g, const char *rest);
} commands[] = {
	{ "qSupported", packet_supported }, { "QStartNoAckMode", packet_no_ack },
	{ "QPassSignals:", packet_pass_signals }, { "qXfer:", packet_xfer },
	{ "qAttached", packet_attached }, { "qSymbol:", packet_ok }, { "qRcmd,", packet_monitor },
	{ "qC", packet_current }, { "vCont", packet_vcont }, { "vFile:", packet_file },
	{ "vKill", packet_end }, { "D", packet_end }, { "?", packet_why }, { "H", packet_select },
	{ "T", packet_alive }, { "g", packet_registers }, { "p", packet_register },
	{ "m", packet_memory }, { "G", packet_write }, { "P", packet_write }, { "M", packet_write },
	{ "Z", packet_set_breakpoint }, { "z", packet_clear_breakpoint }, { "c", packet_continue },
	{ "C", packet_continue }, { "s", packet_step }, { "S", packet_step },
};

/* An empty answer says that a packet isn't known. */
static void dispatch(struct gdbserver *g, const char *packet)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t len = strlen(commands[i].prefix);

		if (strncmp(packet, commands[i].prefix, len) == 0) {
			commands[i].handle(g, packet + len);
			return;
		}
	}
}

static int on_packet(struct gdbserver *g)
{
	int r = g->no_ack ? 0 : send_all(g, "+", 1);

	if (r < 0)
		return r;
	rsp_clear(&g->reply);
	if (g->reader.data[0] == 'k') {	/* the one that wants no answer */
		g->over = true;
		return 0;
	}
	dispatch(g, (const char *)g->reader.data);
	if (g->reply.full) {
		rsp_clear(&g->reply);
		answer_error(g, -E2BIG);
	}
	return g->line_error < 0 ? g->line_error : send_text(g, &g->reply);
}

int gdbserver_serve(struct gdbserver *g, int fd)
{
	int r = 0;

	g->fd = fd;
	while (r >= 0 && !g->over) {
		switch (rsp_reader_next(&g->reader)) {
		case RSP_NEED_MORE:
			r = receive(g, -1);
			break;
		case RSP_PACKET:
			r = on_packet(g);
			break;
		case RSP_BAD:
			r = g->no_ack ? -EPROTO : send_all(g, "-", 1);
			break;
		case RSP_NAK:	/* the line is reliable: what is resent is resent as it was */
			r = send_text(g, &g->reply);
			break;
		case RSP_INTERRUPT:
		case RSP_ACK:
			break;
		}
	}
	g->fd = -1;
	if (g->line_error < 0)
		r = g->line_error;
	return r == -EPIPE || r == -ECONNRESET ? 0 : r < 0 ? r : 0;
}

/* -- opening -------------------------------------------------------------------------------------------------------- */

int gdbserver_open(struct window *window, const struct window_domain *domain,
		   const struct gdbserver_options *options, struct gdbserver **ret_server,
		   struct replay_error *ret_error)
{
	struct gdbserver *g = calloc(1, sizeof(*g));
	const struct debuggee_options debuggee_options = { on_idle, g };
	int r;

	if (!g)
		return replay_fail(ret_error, -ENOMEM, "out of memory");
	g->domain = domain;
	g->options = *options;
	g->fd = -1;
	g->pid = (uint64_t)domain->pid;
	rsp_reader_init(&g->reader);
	r = debuggee_open(window, domain, &debuggee_options, &g->debuggee, ret_error);
	if (r == 0)
		r = options->from_start ? debuggee_seek_start(g->debuggee, ret_error) :
					  debuggee_seek_end(g->debuggee, ret_error);
	if (r < 0) {
		(void) gdbserver_close(g);
		return r;
	}
	g->session = debuggee_session(g->debuggee);
	g->slot = (int)debuggee_stopped(g->debuggee)->slot;
	*ret_server = g;
	return 0;
}

struct gdbserver *gdbserver_close(struct gdbserver *g)
{
	if (!g)
		return NULL;
	(void) debuggee_close(g->debuggee);
	free(g->object);
	free(g);
	return NULL;
}
