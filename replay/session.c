/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/syscall-names.h"
#include "replay/internal.h"
#include "replay/locate.h"
#include "replay/session-internal.h"

/* Without any sign of life for so long, the program computes what the recorded one didn't. */
#define SILENCE_NS UINT64_C(60000000000)

uint64_t session_clock(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

/* -- feeding ----------------------------------------------------------------------------------- */

static uint64_t tail(const struct session *s)
{
	return __atomic_load_n(&s->shared->tail, __ATOMIC_ACQUIRE);
}

/*
 * Fills the ring with whole groups: an event and the EVENT_MORE that continue it. One
 * that isn't whole at the log's end is left out.
 */
static int feed(struct session *s)
{
	uint64_t head = s->head;

	while (!s->fed_all) {
		const struct event *event;
		uint64_t number;
		int r;

		if (!s->held) {
			r = event_reader_next(s->events, &event, &number);
			if (r < 0)
				return r;
			if (r > 0) {
				s->fed_all = true;
				s->log_is_cut = r == EVENT_READER_CUT;
				break;
			}
			memcpy(s->hold, event, event->len);
			s->held = event->len;
			s->held_ns = event_reader_ns(s->events);
		}
		event = (const struct event *)s->hold;
		if (s->feed_at + s->held - tail(s) > s->config.ring_len) {
			head = s->feed_at;	/* a group may be longer than the ring */
			break;
		}
		/* The ring is mapped twice: what wraps is contiguous. */
		memcpy(s->ring + (s->feed_at & (s->config.ring_len - 1)), event, event->len);
		s->feed_at += event->len;
		if (s->n_times - s->times_base == MAX_TIMES)
			s->times_base++;
		s->times[s->n_times++ % MAX_TIMES] = s->held_ns;
		if (!(event->flags & EVENT_CONTINUED))
			head = s->feed_at;
		s->held = 0;
	}
	if (head == s->head && !(s->fed_all && !s->shared->log_ended))
		return 0;
	s->head = head;
	__atomic_store_n(&s->shared->head, head, __ATOMIC_SEQ_CST);
	if (s->fed_all)
		__atomic_store_n(&s->shared->log_ended, 1, __ATOMIC_SEQ_CST);
	(void) __atomic_add_fetch(&s->shared->consumer_wake, 1, __ATOMIC_SEQ_CST);
	(void) futex(&s->shared->consumer_wake, FUTEX_WAKE, INT32_MAX, NULL);
	return 0;
}

const struct event *session_next_event(const struct session *s)
{
	uint64_t at = tail(s);

	if (at == s->head)
		return NULL;
	return (const struct event *)(s->ring + (at & (s->config.ring_len - 1)));
}

/* -- stopping and going on ------------------------------------------------------------------------ */

static int child_died(struct session *s, struct replay_error *ret_error)
{
	int status;

	if (waitpid(s->pid, &status, WNOHANG) != s->pid)
		return 0;
	s->dead = true;
	return replay_fail(ret_error, -EILSEQ, "the replaying process died at event %" PRIu64 ": %s %d",
			   session_position(s), WIFSIGNALED(status) ? "signal" : "status",
			   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int silent_too_long(struct session *s, struct replay_error *ret_error)
{
	return replay_fail(ret_error, -EILSEQ,
			   "diverged at event %" PRIu64 ": nothing has come for %d s; the program runs where "
			   "the recorded one didn't",
			   session_position(s), (int)(SILENCE_NS / 1000000000));
}

/* Waits for a stop, feeding meanwhile. */
int session_wait(struct session *s, struct replay_error *ret_error)
{
	uint64_t position = tail(s), since = session_clock();
	const struct timespec look_again = { 0, 20000000 };

	for (;;) {
		uint32_t rings = __atomic_load_n(&s->shared->producer_waits, __ATOMIC_ACQUIRE);
		int r = feed(s);

		if (r < 0)
			return replay_fail(ret_error, r, "can't read the log: %s", strerror(-r));
		if (__atomic_load_n(&s->shared->stop, __ATOMIC_ACQUIRE) != STOP_NONE)
			return 0;
		for (int i = 0; i < 2000; i++) {
			if (__atomic_load_n(&s->shared->stop, __ATOMIC_ACQUIRE) != STOP_NONE)
				return 0;
			__builtin_ia32_pause();
		}
		(void) futex(&s->shared->producer_waits, FUTEX_WAIT, rings, &look_again);
		r = child_died(s, ret_error);
		if (r < 0)
			return r;
		if (s->options.idle && s->options.idle(s, s->options.userdata))
			session_request_stop(s);
		if (tail(s) != position || s->shared->search.arrivals != s->arrivals) {
			position = tail(s);
			s->arrivals = s->shared->search.arrivals;
			since = session_clock();
		} else if (session_clock() - since > SILENCE_NS && !s->options.debugged) {
			return silent_too_long(s, ret_error);
		}
	}
}

void session_go(struct session *s)
{
	__atomic_store_n(&s->shared->stop, STOP_NONE, __ATOMIC_SEQ_CST);
	(void) __atomic_add_fetch(&s->shared->go, 1, __ATOMIC_SEQ_CST);
	(void) futex(&s->shared->go, FUTEX_WAKE, INT32_MAX, NULL);
}

long session_call(struct session *s, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		  uint64_t f)
{
	struct replay_error ignored;
	uint32_t stop = s->shared->stop;

	s->shared->command = (struct replay_command){ 1, (int32_t)nr, { a, b, c, d, e, f }, 0 };
	session_go(s);
	if (session_wait(s, &ignored) < 0 || s->shared->stop != stop)
		return -EIO;
	return s->shared->command.result;
}

/* -- divergence -------------------------------------------------------------------------------------- */

static const char *const kind_names[EVENT_N] = {
	[EVENT_SYSCALL] = "a system call", [EVENT_MORE] = "more output", [EVENT_CLOCK] = "a clock reading",
	[EVENT_TSC] = "rdtsc", [EVENT_CREATE] = "a new thread", [EVENT_START] = "a thread's start",
	[EVENT_GONE] = "a thread's end", [EVENT_SIGNAL] = "a signal", [EVENT_FATAL] = "a fatal signal",
	[EVENT_ASYNC] = "a preemption", [EVENT_RESUME] = "a resumption", [EVENT_SNAPSHOT] = "a snapshot",
	[EVENT_EXIT] = "exit", [EVENT_EXEC] = "exec",
	[EVENT_PI_WAIT] = "a wait for a futex", [EVENT_FORK] = "a fork",
	[EVENT_SITES] = "a scan of new code",
	[EVENT_INSTRUCTION] = "an instruction of the machine's own", [EVENT_STUB] = "a call stub",
	[EVENT_PAGE_OUT] = "pages given up", [EVENT_PAGE_IN] = "a page got", [EVENT_TURN] = "others' changes",
};

static void describe(uint32_t kind, uint32_t nr, uint32_t check, char *text, size_t size)
{
	const char *what = kind < EVENT_N && kind_names[kind] ? kind_names[kind] : "nothing that is known";
	const char *name = syscall_name((long)nr);

	if (kind == EVENT_SYSCALL && name)
		(void) snprintf(text, size, "%s (check %08x)", name, check);
	else
		(void) snprintf(text, size, "%s (number %u, check %08x)", what, nr, check);
}

static int diverged(struct session *s, struct replay_error *ret_error)
{
	const struct divergence *d = &s->shared->divergence;
	const struct event_mapping *file = &s->shared->missing_file;
	char recorded[128], replayed[128], arguments[160], missed[320];
	const char *name = syscall_name((long)d->nr);

	if (s->shared->wrong_read.ino)
		return session_read_differs(s, &s->shared->wrong_read, ret_error);
	if (file->ino)
		return session_lacks_file(s, &(struct replay_file){ file->dev, file->ino, file->size,
								    file->mtime_ns, -1, 0 }, ret_error);
	locate_tell_missed(s, missed, sizeof(missed));
	describe(d->kind, d->nr, d->check, recorded, sizeof(recorded));
	describe(d->replayed_kind, d->replayed_nr, d->replayed_check, replayed, sizeof(replayed));
	(void) snprintf(arguments, sizeof(arguments), "%" PRIx64 ", %" PRIx64 ", %" PRIx64 ", %" PRIx64,
			d->args[0], d->args[1], d->args[2], d->args[3]);
	return replay_fail(ret_error, -EILSEQ,
			   "diverged at event %" PRIu64 " (thread %u, call %s): recorded %s, replayed %s at "
			   "%" PRIx64 " with %s%s",
			   session_position(s), d->thread, d->kind == EVENT_SYSCALL && name ? name : "-",
			   recorded, replayed, d->ip, arguments, missed);
}

/* The page that is to raise a SIGBUS can't be accessed until then. */
static int close_page(struct session *s, struct replay_error *ret_error)
{
	struct replay_fault *fault = &s->shared->fault;
	char path[64], line[512], perms[5];
	autoclean(fclosep) FILE *file = NULL;
	uint64_t start, end;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", s->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, perms) != 3 ||
		    fault->page < start || fault->page >= end)
			continue;
		fault->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
			      (perms[2] == 'x' ? PROT_EXEC : 0);
		if (session_call(s, SYS_mprotect, fault->page, IMAGE_PAGE, PROT_NONE, 0, 0, 0) == 0)
			return -EAGAIN;
		return replay_fail(ret_error, -EIO, "event %" PRIu64 " is a SIGBUS that can't be raised again",
				   session_position(s));
	}
	fault->page = 0;	/* nothing is mapped there: that faults by itself */
	return -EAGAIN;
}

/* -- running ------------------------------------------------------------------------------------------- */

/* What the agent said, to what the caller wants to know; -EAGAIN: it needn't know. */
static int handle_stop(struct session *s, enum session_stop *ret_stop, struct replay_error *ret_error)
{
	switch (s->shared->stop) {
	case STOP_EVENT:
		*ret_stop = SESSION_EVENT;
		return 0;
	case STOP_WRITE:
		*ret_stop = SESSION_WRITE;
		return 0;
	case STOP_SNAPSHOT:
		*ret_stop = SESSION_SNAPSHOT;
		return s->options.stop_at_snapshots ? 0 : -EAGAIN;
	case STOP_FORK:
		*ret_stop = SESSION_FORK;
		return 0;
	case STOP_SIGNAL:
		*ret_stop = SESSION_SIGNAL;
		return 0;
	case STOP_ASYNC:
		return locate_begin(s, ret_error);
	case STOP_ARRIVED:
		return arrival_stop(s, ret_stop, ret_error);
	case STOP_THREAD:
		arm_watches(s);
		return -EAGAIN;
	case STOP_TEXT_CHANGES:
		lift_breakpoints(s);
		s->shared->text_lifted = 1;
		return -EAGAIN;
	case STOP_TEXT_CHANGED:
		s->shared->text_lifted = 0;
		stubs_load(s);
		lay_breakpoints(s);
		return -EAGAIN;
	case STOP_FAULT:
		return close_page(s, ret_error);
	case STOP_FOUND:
		locate_end(s);
		return -EAGAIN;
	case STOP_TRAP:
		return trap_stop(s, ret_stop, ret_error);
	case STOP_REQUESTED:
		return request_stop(s, ret_stop, ret_error);
	case STOP_END:
		*ret_stop = SESSION_END;
		return 0;
	case STOP_DIVERGED:
		return diverged(s, ret_error);
	case STOP_FAILED:
		return replay_fail(ret_error, -(int)s->shared->stop_signal,
				   "no memory in the place of a mapped file: %s",
				   strerror((int)s->shared->stop_signal));
	default:
		return replay_fail(ret_error, -EIO, "the replaying process stopped for reason %u",
				   s->shared->stop);
	}
}

/* On to the next stop that somebody may want to know of; one that is on the way is passed by. */
static int run(struct session *s, enum session_stop *ret_stop, struct replay_error *ret_error)
{
	int r;

	do {
		before_go(s);
		session_go(s);
		r = session_wait(s, ret_error);
		if (r < 0)
			return r;
		r = handle_stop(s, ret_stop, ret_error);
	} while (r == -EAGAIN);
	return r;
}

/* Runs to the preemption that comes at @position. */
static int run_to_async(struct session *s, uint64_t position, struct replay_error *ret_error)
{
	enum session_stop stop;
	int r = 0;

	while (r == 0 && !(s->shared->stop == STOP_ASYNC && session_position(s) == position)) {
		session_go(s);
		r = session_wait(s, ret_error);
		if (r == 0 && !(s->shared->stop == STOP_ASYNC && session_position(s) == position))
			r = handle_stop(s, &stop, ret_error);
		if (r == -EAGAIN)
			r = 0;
	}
	return r;
}

/* What the debugger had set. */
static int take_over_stops(struct session *s, const struct session *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n_breakpoints; i++)
		r = session_set_breakpoint(s, from->breakpoints[i].address);
	memcpy(s->watches, from->watches, sizeof(s->watches));
	s->shared->stop_at_threads = from->shared->stop_at_threads;
	s->watches_changed = true;
	s->stepping = from->stepping;
	return r;
}

/*
 * The program has seen what the search for the next preemption put into its code: everything once
 * more, up to there, and then it is looked for without.
 */
static int run_again(struct session *s, struct replay_error *ret_error)
{
	uint64_t position = session_position(s), begin_ns = s->search_begin_ns;
	autoclean(freep) struct session *old = malloc(sizeof(*old));
	struct session_options options = s->options;
	struct session *again;
	int r;

	if (!old)
		return replay_fail(ret_error, -ENOMEM, "out of memory");
	if (s->search_is_shown)
		return replay_fail(ret_error, -EILSEQ,
				   "at event %" PRIu64 " the program reads its own code, and the debugger stands in it",
				   position);
	options.searches = NULL;	/* those before have been told */
	r = session_open(s->window, &options, &again, ret_error);
	if (r < 0)
		return r;
	memcpy(again->untouched, s->untouched, sizeof(s->untouched));
	again->n_untouched = s->n_untouched;
	again->untouched[again->n_untouched++] = position;
	r = run_to_async(again, position, ret_error);
	if (r == 0)
		r = take_over_stops(again, s);
	*old = *s;
	*s = *again;
	*again = *old;
	s->options.searches = again->options.searches;
	(void) session_close(again);
	if (r == 0)
		r = locate_begin(s, ret_error);
	s->search_begin_ns = begin_ns;
	return r;
}

int session_run(struct session *s, enum session_stop *ret_stop, struct replay_error *ret_error)
{
	int r;

	/* At the end there is nowhere to go. */
	if (s->shared->stop == STOP_END && s->fed_all) {
		*ret_stop = SESSION_END;
		return 0;
	}
	do {
		r = run(s, ret_stop, ret_error);
		if (r == -ESTALE)
			r = run_again(s, ret_error);
	} while (r == -EAGAIN);
	s->search_is_shown = s->search != NULL;
	if (s->options.debugged)
		stubs_load(s);
	(void) __atomic_fetch_and(&s->shared->attention, ~(uint32_t)ATTENTION_STOP, __ATOMIC_SEQ_CST);
	return r;
}

void session_request_stop(struct session *s)
{
	char path[64];
	autoclean(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	siginfo_t info = { 0 };

	(void) __atomic_fetch_or(&s->shared->attention, ATTENTION_STOP, __ATOMIC_SEQ_CST);
	/* A computing thread sees it only if it is interrupted; to the others it does nothing. */
	info.si_signo = KICK_SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_value.sival_ptr = (void *)KICK_MAGIC;
	(void) snprintf(path, sizeof(path), "/proc/%d/task", s->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void) syscall(SYS_rt_tgsigqueueinfo, s->pid, (pid_t)strtol(entry->d_name, NULL, 10),
				       KICK_SIGNAL, &info);
}

uint64_t session_position(const struct session *s)
{
	return s->options.snapshot + s->shared->replayed;
}

uint64_t session_ns(const struct session *s)
{
	uint64_t done = s->shared->replayed;

	if (done == 0 || done <= s->times_base || done > s->n_times)
		return s->options.domain->begin_ns;
	return s->times[(done - 1) % MAX_TIMES];
}

pid_t session_pid(const struct session *s) { return s->pid; }
int session_mem(const struct session *s) { return s->mem; }
struct agent_shared *session_shared(const struct session *s) { return s->shared; }
const struct agent_config *session_config(const struct session *s) { return &s->config; }
uint32_t session_stopped_slot(const struct session *s) { return s->shared->stop_thread; }

int session_threads(const struct session *s, struct thread_view **ret_threads, size_t *ret_n)
{
	struct thread_view *threads;
	int r = threads_read(s->mem, &s->config, &threads, ret_n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < *ret_n; i++)
		threads[i].regs[REG_RIP_] = stub_visible(s, locate_visible(s, threads[i].regs[REG_RIP_]));
	*ret_threads = threads;
	return 0;
}

int session_thread(const struct session *s, uint32_t slot, struct thread_view *ret_view)
{
	int r = read_thread(s, slot, ret_view);

	if (r == 0)
		ret_view->regs[REG_RIP_] = stub_visible(s, locate_visible(s, ret_view->regs[REG_RIP_]));
	return r;
}

/* -- the end --------------------------------------------------------------------------------------------- */

struct session *session_close(struct session *s)
{
	if (!s)
		return NULL;
	locate_free(s);
	if (s->pid > 0 && !s->dead) {
		(void) kill(s->pid, SIGKILL);
		(void) waitpid(s->pid, NULL, 0);
	}
	if (s->shared)
		(void) munmap(s->shared, SHARED_CONTROL_LEN);
	if (s->ring)
		(void) munmap(s->ring, 2 * s->config.ring_len);
	for (size_t i = 0; i < s->n_files; i++)
		(void) close(s->files[i].fd);
	free(s->files);
	for (size_t i = 0; i < s->n_objects; i++)
		(void) close(s->objects[i].fd);
	free(s->objects);
	closep(&s->mem);
	closep(&s->memfd);
	fork_rings_unref(s->rings);
	s->events = event_reader_close(s->events);
	free(s->breakpoints);
	free(s->copies);
	free(s->stubs);
	free(s->rows);
	free(s->text);
	free(s);
	return NULL;
}
