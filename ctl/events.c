/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl events: the raw log, one line an event. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "ctl/ctl.h"
#include "recorder/syscall-names.h"
#include "replay/event-names.h"
#include "replay/window.h"

struct events {
	bool json;
	const char *dir, *name;
};

enum { OPT_JSON = 1, OPT_DIR };

static const struct argp_option options[] = {
	{ "json", OPT_JSON, NULL, 0, "One JSON object a line", 0 },
	{ "dir", OPT_DIR, "DIR", 0, "Look for the incident in the store DIR", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct events *e = state->input;

	switch (key) {
	case OPT_JSON:
		e->json = true;
		break;
	case OPT_DIR:
		e->dir = arg;
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one file or incident at a time");
		e->name = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file or incident?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* What the number of an event counts. */
static const char *name_of(const struct event *event, char text[16])
{
	const char *name = NULL;

	switch (event->kind) {
	case EVENT_SYSCALL:
	case EVENT_MORE:
	case EVENT_EXEC:
	case EVENT_PI_WAIT:
	case EVENT_EXIT:
		name = syscall_name(event->nr);
		break;
	case EVENT_CLOCK:
		name = event_clock_name(event->nr);
		break;
	case EVENT_SIGNAL:
	case EVENT_FATAL:
		name = event_signal_name(event->nr, text);
		break;
	default:
		return "";
	}
	if (!name) {
		(void) snprintf(text, 16, "%u", event->nr);
		name = text;
	}
	return name;
}

static const struct {
	unsigned flag;
	const char *name;
} flag_names[] = {
	{ EVENT_CONTINUED, "continued" }, { EVENT_AT_ENTRY, "at-entry" }, { EVENT_AT_EXIT, "at-exit" },
	{ EVENT_AT_FAULT, "at-fault" }, { EVENT_AT_ASYNC, "at-async" }, { EVENT_FREEZE, "freeze" },
};
enum { N_FLAGS = sizeof(flag_names) / sizeof(flag_names[0]) };

/* Of an EVENT_PAGE_OUT: object:page, or object:first-last, for each run. */
static void print_pages(const struct event *event)
{
	const struct event_page_run *runs = (const struct event_page_run *)(event + 1);
	size_t n = (event->len - sizeof(*event)) / sizeof(*runs);

	for (size_t i = 0; i < n; i++) {
		(void) printf(" %u:%" PRIu64, runs[i].object, runs[i].page);
		if (runs[i].n > 1)
			(void) printf("-%" PRIu64, runs[i].page + runs[i].n - 1);
	}
}

static bool is_place(const struct event *event)
{
	return event->kind == EVENT_ASYNC && event->len >= sizeof(*event) + sizeof(struct event_async);
}

static void print_text(const struct event *event, uint64_t number, uint64_t ns)
{
	char text[16];
	const char *name = name_of(event, text);

	(void) printf("%8" PRIu64 " %5" PRIu64 ".%06" PRIu64 " t%-3u %-8s %s%s= %" PRId64, number,
		      ns / 1000000000, ns / 1000 % 1000000, event->thread, event_kind_name(event->kind), name,
		      *name ? " " : "", event->result);
	if (is_place(event))
		(void) printf(" at %" PRIx64, ((const struct event_async *)(event + 1))->regs[REG_RIP_]);
	else if (event->kind == EVENT_PAGE_OUT)
		print_pages(event);
	else if (event->kind == EVENT_PAGE_IN)
		(void) printf(" of object %u", event->nr);
	else if (event->len > sizeof(*event))
		(void) printf(" +%zu bytes", event->len - sizeof(*event));
	for (size_t i = 0; i < N_FLAGS; i++)
		if (event->flags & flag_names[i].flag)
			(void) printf(" %s", flag_names[i].name);
	(void) printf(" #%08x\n", event->check);
}

/* The place of a preemption, by which a replay knows it again. */
static void print_json_place(const struct event_async *place)
{
	const char *comma = "";

	(void) printf(",\"at\":\"%" PRIx64 "\",\"memory\":\"%016" PRIx64 "\",\"vectors\":\"%016" PRIx64
		      "\",\"registers\":[", place->regs[REG_RIP_], place->memory_hash, place->vector_hash);
	for (unsigned i = 0; i < N_REGS; i++)
		(void) printf("%s\"%" PRIx64 "\"", i ? "," : "", place->regs[i]);
	(void) printf("],\"operands\":{");
	for (uint32_t i = 0; i < place->n_operands && i < ASYNC_OPERANDS; i++) {
		(void) printf("%s\"%" PRIx64 "\":\"%" PRIx64 "\"", comma, place->operands[i].address,
			      place->operands[i].value);
		comma = ",";
	}
	(void) printf("}");
}

static void print_json(const struct event *event, uint64_t number, uint64_t ns)
{
	char text[16];
	const char *name = name_of(event, text), *comma = "";

	(void) printf("{\"event\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"thread\":%u,\"kind\":\"%s\"", number, ns,
		      event->thread, event_kind_name(event->kind));
	if (*name)
		(void) printf(",\"name\":\"%s\"", name);
	(void) printf(",\"result\":%" PRId64 ",\"bytes\":%zu,\"check\":\"%08x\",\"flags\":[", event->result,
		      event->len - sizeof(*event), event->check);
	for (size_t i = 0; i < N_FLAGS; i++) {
		if (!(event->flags & flag_names[i].flag))
			continue;
		(void) printf("%s\"%s\"", comma, flag_names[i].name);
		comma = ",";
	}
	(void) printf("]");
	if (is_place(event))
		print_json_place((const struct event_async *)(event + 1));
	(void) printf("}\n");
}

static int print_domain(struct window *window, const struct window_domain *domain, bool json)
{
	struct event_reader *reader;
	const struct event *event;
	uint64_t number;
	int r = event_reader_open(window, domain, domain->begin_event, &reader);

	if (r < 0)
		return r;
	while ((r = event_reader_next(reader, &event, &number)) == 0) {
		uint64_t ns = event_reader_ns(reader) - domain->begin_ns;

		if (json)
			print_json(event, number, ns);
		else
			print_text(event, number, ns);
	}
	(void) event_reader_close(reader);
	return r == EVENT_READER_CUT ? -EBADMSG : r < 0 ? r : 0;
}

int verb_events(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE|INCIDENT",
		.doc = "Prints the log of an incident: number, seconds into the window, thread, kind, "
		       "what and its result, and the check that a replay compares.",
	};
	autoclean(window_deinit) struct window window = { 0 };
	struct events events = { 0 };
	struct replay_error error;
	char path[PATH_MAX];
	int r;

	argp_err_exit_status = EXIT_BAD_INPUT;
	if (argp_parse(&argp, argc, argv, 0, NULL, &events) ||
	    find_incident(events.dir, events.name, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	r = window_open(path, &window, &error);
	if (r < 0) {
		log_error("%s", error.text);
		return EXIT_BAD_INPUT;
	}
	for (size_t i = 0; i < window.n_domains && r == 0; i++) {
		if (window.n_domains > 1 && !events.json)
			(void) printf("process %d:\n", window.domains[i].pid);
		r = print_domain(&window, &window.domains[i], events.json);
	}
	if (r == 0)
		return EXIT_DONE;
	log_error("reading the log: %s", r == -EBADMSG ? "damaged from here on" : strerror(-r));
	return EXIT_BAD_INPUT;
}
