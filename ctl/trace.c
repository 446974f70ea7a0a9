/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blackboxctl trace: a window's system calls.
 *
 * The log has results and what calls wrote, but no arguments: they are read from the
 * process, which is replayed and stops behind each call.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "recorder/syscall-names.h"
#include "replay/print-call.h"
#include "replay/event-names.h"
#include "replay/session.h"
#include "replay/symbols.h"
#include "replay/window.h"

struct trace {
	bool json;
	int pid;
	uint32_t tid;
	size_t last;		/* so many lines are kept; 0: all, at once */
	const char *dir, *name;

	struct window window;
	const struct window_domain *domain;
	struct session *session;	/* NULL: there is only the log */
	struct event_reader *events;
	const struct event *event;	/* read, and not yet printed */
	uint64_t number;
	uint64_t date_of_zero;		/* of CLOCK_MONOTONIC; for all processes the same */
	time_t since;
	bool unseen;		/* what is printed is no sign of progress */
	uint32_t tids[MAX_THREADS];	/* by slot, as far as known */

	/* Lines that wait until all are there: of several processes, or of which the last are wanted. */
	bool keeps;
	struct kept {
		uint64_t ns;
		size_t order;
		char *line;
	} *kept;
	size_t n_kept, max_kept, first_of_domain;
};

enum { OPT_JSON = 1, OPT_DIR, OPT_PID, OPT_TID };

static const struct argp_option options[] = {
	{ "last", 'n', "N", 0, "Only the last N lines", 0 },
	{ "pid", OPT_PID, "PID", 0, "Only this process", 0 },
	{ "tid", OPT_TID, "TID", 0, "Only this thread", 0 },
	{ "json", OPT_JSON, NULL, 0, "One JSON object a line", 0 },
	{ "dir", OPT_DIR, "DIR", 0, "Look for the incident in the store DIR", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct trace *t = state->input;

	switch (key) {
	case 'n':
		t->last = positive_number(state, arg);
		break;
	case OPT_PID:
		t->pid = (int)positive_number(state, arg);
		break;
	case OPT_TID:
		t->tid = (uint32_t)positive_number(state, arg);
		break;
	case OPT_JSON:
		t->json = true;
		break;
	case OPT_DIR:
		t->dir = arg;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one file or incident at a time");
		t->name = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file or incident?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* -- lines ---------------------------------------------------------------------------------------- */

/* A domain has so many lines that only the last are wanted of: the first go. */
static void forget_first(struct trace *t)
{
	struct kept *first = &t->kept[t->first_of_domain];

	for (size_t i = 0; i < t->last; i++)
		free(first[i].line);
	t->n_kept -= t->last;
	memmove(first, first + t->last, (t->n_kept - t->first_of_domain) * sizeof(*first));
}

/* Takes @line. */
static void put_line(struct trace *t, uint64_t ns, char *line)
{
	if (!t->keeps) {
		(void) puts(line);
		free(line);
		return;
	}
	if (t->last && t->n_kept - t->first_of_domain == 2 * t->last)
		forget_first(t);
	if (t->n_kept == t->max_kept) {
		size_t max = t->max_kept ? 2 * t->max_kept : 1024;
		struct kept *kept = realloc(t->kept, max * sizeof(*kept));

		if (!kept) {
			free(line);
			return;
		}
		t->kept = kept;
		t->max_kept = max;
	}
	t->kept[t->n_kept] = (struct kept){ ns, t->n_kept, line };
	t->n_kept++;
}

static int by_time(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Of several processes: as they happened. */
static void put_kept_lines(struct trace *t)
{
	size_t from = t->last && t->n_kept > t->last ? t->n_kept - t->last : 0;

	if (t->n_kept)
		qsort(t->kept, t->n_kept, sizeof(*t->kept), by_time);
	for (size_t i = 0; i < t->n_kept; i++) {
		if (i >= from)
			(void) puts(t->kept[i].line);
		free(t->kept[i].line);
	}
	free(t->kept);
}

static uint64_t real_ns(const struct trace *t, uint64_t ns)
{
	return ns + t->date_of_zero;
}

static uint32_t tid_of(struct trace *t, uint32_t slot)
{
	struct thread_view view;

	if (slot >= MAX_THREADS)
		return 0;
	if (t->session && session_thread(t->session, slot, &view) == 0 && view.tid)
		t->tids[slot] = view.tid;
	return t->tids[slot];
}

/* One line: of text, or the members of an object. */
struct line {
	uint64_t ns;
	FILE *to;
	char *text;
	size_t len;
	struct json_object *json;
};

/* False: nobody wants it. */
static bool begin_line(struct trace *t, uint32_t slot, uint64_t number, uint64_t ns, struct line *ret)
{
	uint32_t tid = tid_of(t, slot);
	uint64_t real = real_ns(t, ns);
	time_t seconds = (time_t)(real / 1000000000);
	struct tm tm;
	char clock[16];

	if (t->tid && tid != t->tid)
		return false;
	*ret = (struct line){ .ns = ns };
	ret->to = open_memstream(&ret->text, &ret->len);
	if (!ret->to)
		return false;
	if (t->json) {
		ret->json = json_object_new_object();
		(void) json_object_object_add(ret->json, "event", json_object_new_uint64(number));
		(void) json_object_object_add(ret->json, "real_ns", json_object_new_uint64(real));
		(void) json_object_object_add(ret->json, "pid", json_object_new_int64(t->domain->pid));
		(void) json_object_object_add(ret->json, "tid", json_object_new_int64(tid));
		return true;
	}
	(void) localtime_r(&seconds, &tm);
	(void) strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	(void) fprintf(ret->to, "%-6u %s.%06" PRIu64 " ", tid, clock, real / 1000 % 1000000);
	return true;
}

static void end_line(struct trace *t, struct line *line)
{
	if (line->json)
		(void) fputs(json_object_to_json_string_ext(line->json, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE), line->to);
	(void) json_object_put(line->json);
	if (fclose(line->to) == 0)
		put_line(t, line->ns, line->text);
}

/* -- what goes into them ---------------------------------------------------------------------------- */

static void call_as_text(struct trace *t, const struct print_call *call, FILE *to)
{
	const char *name = syscall_name(call->nr);

	if (name)
		(void) fprintf(to, "%s(", name);
	else
		(void) fprintf(to, "syscall_%ld(", call->nr);
	for (unsigned i = 0; i < print_count(call); i++) {
		(void) fputs(i ? ", " : "", to);
		print_argument(to, t->session, call, i);
	}
	if (!call->is_done) {
		(void) fputs(" <unfinished ...>", to);
		return;
	}
	(void) fputs(") = ", to);
	print_result(to, call->nr, call->result);
}

static void call_as_json(struct trace *t, const struct print_call *call, struct json_object *json)
{
	const char *name = syscall_name(call->nr), *error;
	struct json_object *args = json_object_new_array();

	(void) json_object_object_add(json, "call", json_object_new_string(name ? name : "?"));
	for (unsigned i = 0; call->has_args && i < print_count(call); i++) {
		char *text = NULL;
		size_t len;
		FILE *to = open_memstream(&text, &len);

		if (!to)
			break;
		print_argument(to, t->session, call, i);
		if (fclose(to) == 0)
			(void) json_object_array_add(args, json_object_new_string(text));
		free(text);
	}
	(void) json_object_object_add(json, "args", args);
	if (!call->is_done)
		return;
	(void) json_object_object_add(json, "result", json_object_new_int64(call->result));
	error = call->result < 0 && call->result >= -4095 ? symbols_errno((int)-call->result) : NULL;
	if (error)
		(void) json_object_object_add(json, "error", json_object_new_string(error));
}

static void put_call(struct trace *t, uint32_t slot, uint64_t number, uint64_t ns,
		     const struct print_call *call)
{
	struct line line;

	if (!begin_line(t, slot, number, ns, &line))
		return;
	if (t->json)
		call_as_json(t, call, line.json);
	else
		call_as_text(t, call, line.to);
	end_line(t, &line);
}

/* A line that isn't a call: --- SIGUSR1 {...} --- or +++ killed by SIGSEGV +++. */
static void put_note(struct trace *t, uint64_t ns, const char *mark, const char *key, const char *text)
{
	struct line line;

	if (!begin_line(t, t->event->thread, t->number, ns, &line))
		return;
	if (t->json)
		(void) json_object_object_add(line.json, key, json_object_new_string(text));
	else
		(void) fprintf(line.to, "%s %s %s", mark, text, mark);
	end_line(t, &line);
}

static void put_signal(struct trace *t, uint64_t ns)
{
	const struct event_signal *what = (const struct event_signal *)(t->event + 1);
	char name[16], text[64], *info = NULL;
	size_t len;
	FILE *to = open_memstream(&info, &len);

	if (!to)
		return;
	if (t->event->len >= sizeof(*t->event) + sizeof(*what))
		print_siginfo(to, t->event->nr, what->info);
	if (fclose(to) == 0)
		put_note(t, ns, "---", "signal", info);
	free(info);
	if (t->event->kind != EVENT_FATAL)
		return;
	(void) snprintf(text, sizeof(text), "killed by %s", event_signal_name(t->event->nr, name));
	put_note(t, ns, "+++", "end", text);
}

static void fill_args(const struct thread_view *view, struct print_call *call)
{
	static const uint8_t order[6] = { REG_RDI_, REG_RSI_, REG_RDX_, REG_R10_, REG_R8_, REG_R9_ };

	call->has_args = true;
	for (int i = 0; i < 6; i++)
		call->args[i] = view->regs[order[i]];
}

/* @stopped: the thread of the event stands right behind it. */
static void put_event(struct trace *t, bool stopped)
{
	const struct event *event = t->event;
	uint64_t ns = event_reader_ns(t->events);
	struct print_call call = { .nr = event->nr, .result = event->result, .is_done = true };
	struct thread_view view;
	char text[64];

	switch (event->kind) {
	case EVENT_SYSCALL:
		if (stopped && t->session && session_thread(t->session, event->thread, &view) == 0)
			fill_args(&view, &call);
		put_call(t, event->thread, t->number, ns, &call);
		break;
	case EVENT_SIGNAL:
	case EVENT_FATAL:
		put_signal(t, ns);
		break;
	case EVENT_START:
		if (event->thread < MAX_THREADS)
			t->tids[event->thread] = (uint32_t)event->result;
		break;
	case EVENT_GONE:
		put_note(t, ns, "+++", "end", "thread ended");
		break;
	case EVENT_EXIT:
		(void) snprintf(text, sizeof(text), "exited with %d", (int)(event->result & 0xff));
		put_note(t, ns, "+++", "end", text);
		break;
	}
}

/* -- the replay -------------------------------------------------------------------------------------- */

static int next_event(struct trace *t)
{
	return event_reader_next(t->events, &t->event, &t->number);
}

/* Prints what has happened up to @position; @slot is the thread that stands there. */
static int catch_up(struct trace *t, uint64_t position, int slot)
{
	int r = 0;

	while (t->event && t->number < position) {
		put_event(t, t->event->thread == slot);
		r = next_event(t);
		if (r)
			t->event = NULL;
	}
	return r < 0 ? r : 0;
}

static void put_unfinished(struct trace *t)
{
	autoclean(freep) struct thread_view *threads = NULL;
	size_t n;

	if (session_threads(t->session, &threads, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		struct print_call call = { .nr = (int32_t)threads[i].regs[REG_RAX_] };

		if (threads[i].state != THREAD_ENTERED || strcmp(t->domain->end, "exit") == 0)
			continue;
		fill_args(&threads[i], &call);
		put_call(t, threads[i].slot, session_position(t->session), session_ns(t->session), &call);
	}
}

/* EVENT_EXIT is next: the call that doesn't return. */
static void put_exit(struct trace *t)
{
	const struct event *event = session_next_event(t->session);
	struct print_call call = { 0 };
	struct thread_view view;

	if (!event || event->kind != EVENT_EXIT || session_thread(t->session, event->thread, &view) < 0)
		return;
	call.nr = event->nr;
	fill_args(&view, &call);
	put_call(t, event->thread, session_position(t->session), session_ns(t->session), &call);
}

/* Lines that are seen come by themselves, and nothing is to stand between them. */
static bool prints_unseen(const struct trace *t)
{
	struct stat st;

	return t->keeps || (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode));
}

static void progress(const struct trace *t)
{
	if (t->unseen && time(NULL) - t->since >= 1)
		show_progress("replaying", session_position(t->session), t->domain->end_event);
}

static int replay(struct trace *t, struct replay_error *ret_error)
{
	enum session_stop stop;
	int r;

	for (;;) {
		r = session_run(t->session, &stop, ret_error);
		if (r < 0)
			return r;
		r = catch_up(t, session_position(t->session), (int)session_stopped_slot(t->session));
		if (r < 0)
			return r;
		progress(t);
		if (stop == SESSION_SNAPSHOT)
			put_exit(t);
		if (stop != SESSION_END)
			continue;
		put_unfinished(t);
		return 0;
	}
}

static bool has_line(const struct event *event)
{
	switch (event->kind) {
	case EVENT_SYSCALL: case EVENT_SIGNAL: case EVENT_FATAL: case EVENT_GONE: case EVENT_EXIT:
		return true;
	default:
		return false;
	}
}

/* Reads the log up to where only as many lines are left as are wanted. */
static int skip(struct trace *t, size_t n_lines)
{
	int r = next_event(t);

	while (r == 0 && n_lines > t->last) {
		n_lines -= has_line(t->event);
		if (t->event->kind == EVENT_START && t->event->thread < MAX_THREADS)
			t->tids[t->event->thread] = (uint32_t)t->event->result;
		r = next_event(t);
	}
	if (r)
		t->event = NULL;
	return r < 0 ? r : 0;
}

/* Opens the log where it is to be printed from. */
static int open_events(struct trace *t)
{
	size_t n_lines = 0;
	int r = event_reader_open(&t->window, t->domain, t->domain->begin_event, &t->events);

	if (r < 0)
		return r;
	/* Which thread is which only the replay knows. */
	if (!t->last || t->tid)
		return skip(t, 0);
	while ((r = next_event(t)) == 0)
		n_lines += has_line(t->event);
	t->event = NULL;
	t->events = event_reader_close(t->events);
	r = event_reader_open(&t->window, t->domain, t->domain->begin_event, &t->events);
	return r < 0 ? r : skip(t, n_lines);
}

/* The newest snapshot in front of what is printed. */
static uint64_t nearest_snapshot(const struct trace *t)
{
	uint64_t best = t->domain->begin_event;

	for (size_t i = 0; i < t->domain->n_snapshots; i++)
		if (t->event && t->domain->snapshots[i] <= t->number)
			best = t->domain->snapshots[i];
	return best;
}

static int trace_domain(struct trace *t, struct replay_error *ret_error)
{
	struct session_options session_options = {
		.domain = t->domain,
		.stop_at_events = true,
		.stop_at_snapshots = true,
	};
	int r;

	memset(t->tids, 0, sizeof(t->tids));
	t->first_of_domain = t->n_kept;
	r = open_events(t);
	if (r < 0)
		return r;
	session_options.snapshot = nearest_snapshot(t);
	session_options.events_from = t->event ? t->number : 0;
	r = session_open(&t->window, &session_options, &t->session, ret_error);
	if (r == 0)
		r = replay(t, ret_error);
	/* What couldn't be replayed: the log knows less of it. */
	t->session = session_close(t->session);
	if (r < 0)
		(void) catch_up(t, UINT64_MAX, -1);
	t->events = event_reader_close(t->events);
	return r;
}

int verb_trace(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE|INCIDENT",
		.doc = "Prints the system calls and signals of an incident's window: thread, time, call, "
		       "arguments, result.",
	};
	autoclean(freep) struct trace *t = calloc(1, sizeof(*t));
	struct replay_error error = { "" };
	char path[PATH_MAX];
	int r;

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (!t || argp_parse(&argp, argc, argv, 0, NULL, t) ||
	    find_incident(t->dir, t->name, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	r = window_open(path, &t->window, &error);
	if (r < 0) {
		log_error("%s", error.text);
		return EXIT_BAD_INPUT;
	}
	if (t->pid && !window_domain_of(&t->window, t->pid)) {
		log_error("process %d isn't in this window", t->pid);
		window_deinit(&t->window);
		return EXIT_BAD_INPUT;
	}
	t->since = time(NULL);
	t->date_of_zero = window_main_domain(&t->window)->begin_real_ns - window_main_domain(&t->window)->begin_ns;
	t->keeps = t->last || t->window.n_domains > 1;
	t->unseen = prints_unseen(t);
	for (size_t i = 0; i < t->window.n_domains && r == 0; i++) {
		t->domain = &t->window.domains[i];
		if (!t->pid || t->domain->pid == t->pid)
			r = trace_domain(t, &error);
	}
	end_progress();
	put_kept_lines(t);
	window_deinit(&t->window);
	if (r == 0)
		return EXIT_DONE;
	log_error("%s", error.text[0] ? error.text : strerror(-r));
	return r == -EILSEQ ? EXIT_DIVERGED : EXIT_BAD_INPUT;
}
