/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl replay: a window again, checked or under gdb. */
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
#include "ctl/gdb.h"
#include "replay/check.h"
#include "replay/window.h"

struct replay {
	bool check, from_start;
	int pid;		/* 0: the one that the window was frozen for */
	const char *dir, *name;
	char **gdb_args;	/* NULL: none */
};

enum { OPT_CHECK = 1, OPT_DIR, OPT_FROM, OPT_PID };

static const struct argp_option options[] = {
	{ "check", OPT_CHECK, NULL, 0,
	  "Replay to the end without a debugger; succeed only if all is as recorded", 0 },
	{ "from", OPT_FROM, "start|end", 0, "Where gdb stands at first: at the window's end by default", 0 },
	{ "pid", OPT_PID, "PID", 0, "The process to replay, if the window has several", 0 },
	{ "dir", OPT_DIR, "DIR", 0, "Look for the incident in the store DIR", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct replay *r = state->input;

	switch (key) {
	case OPT_CHECK:
		r->check = true;
		break;
	case OPT_DIR:
		r->dir = arg;
		break;
	case OPT_FROM:
		r->from_start = strcmp(arg, "start") == 0;
		if (!r->from_start && strcmp(arg, "end") != 0)
			argp_error(state, "--from is start or end, not \"%s\"", arg);
		break;
	case OPT_PID:
		r->pid = (int)positive_number(state, arg);
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 0)
			argp_error(state, "one file or incident at a time");
		r->name = arg;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which file or incident?");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* What an error of the library means for the exit status. */
static int status_of(int r)
{
	return r == 0 ? EXIT_DONE : r == -EILSEQ ? EXIT_DIVERGED :
	       r == -ESTALE ? EXIT_FAILED :	/* elsewhere its files may be what they were */
	       EXIT_BAD_INPUT;
}

static void on_progress(uint64_t event, uint64_t end, void *userdata)
{
	(void) userdata;
	show_progress("replaying", event, end);
}

static int check(struct window *window, int pid)
{
	const struct check_options check_options = { .repeat_output = true, .progress = on_progress };
	const struct window_domain *domain = pid ? window_domain_of(window, pid) : window_main_domain(window);
	struct check_result result;
	struct replay_error error;
	int r;

	r = check_window(window, pid, &check_options, &result, &error);
	end_progress();
	(void) fflush(stdout);
	if (r < 0) {
		log_error("%s", error.text);
		return status_of(r);
	}
	if (window->n_lost)
		log_notice("of %u processes the window has not enough for a replay", window->n_lost);
	(void) fprintf(stderr, "checked: %" PRIu64 " events, %.3f seconds covered, %u snapshots; ", result.events,
		       (double)window_covered_ns(window) / 1e9, result.snapshots);
	if (result.searches)
		(void) fprintf(stderr, "%zu preemptions found, in %.1f ms each, %.1f ms at most; ", result.searches,
			       (double)result.search_median_ns / 1e6, (double)result.search_longest_ns / 1e6);
	(void) fprintf(stderr, "%u full comparisons, end: %s", result.states_compared, domain->end);
	if (result.processes > 1)
		(void) fprintf(stderr, "; %u processes", result.processes);
	if (result.missing_pages)
		(void) fprintf(stderr, "; %" PRIu64 " pages of the end weren't recorded", result.missing_pages);
	(void) fprintf(stderr, "\n");
	return EXIT_DONE;
}

/* -- under gdb -------------------------------------------------------------------------------- */

static int debug(const struct replay *replay, struct window *window)
{
	const struct window_domain *domain = replay->pid ? window_domain_of(window, replay->pid) :
							   window_main_domain(window);
	struct replay_error error = { "" };
	int status = EXIT_FAILED, r;

	r = gdb_run(window, domain, replay->from_start, replay->gdb_args, &status, &error);
	end_progress();
	if (r >= 0)
		return status;
	log_error("%s", error.text[0] ? error.text : strerror(-r));
	return r == -ENOEXEC || r == -ECANCELED ? EXIT_FAILED : status_of(r);
}

int verb_replay(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "FILE|INCIDENT [-- GDB-ARG...]",
		.doc = "Replays the window of an incident, exactly as it was.",
	};
	autoclean(window_deinit) struct window window = { 0 };
	struct replay replay = { 0 };
	struct replay_error error;
	char path[PATH_MAX];
	int r;

	argp_err_exit_status = EXIT_BAD_INPUT;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		replay.gdb_args = &argv[i + 1];
		argc = i;
		break;
	}
	if (argp_parse(&argp, argc, argv, 0, NULL, &replay))
		return EXIT_BAD_INPUT;
	if (find_incident(replay.dir, replay.name, path, sizeof(path)) < 0)
		return EXIT_BAD_INPUT;
	r = window_open(path, &window, &error);
	if (r < 0) {
		log_error("%s", error.text);
		return EXIT_BAD_INPUT;
	}
	if (replay.pid && !window_domain_of(&window, replay.pid)) {
		log_error("process %d isn't in this window", replay.pid);
		return EXIT_BAD_INPUT;
	}
	return replay.check ? check(&window, replay.pid) : debug(&replay, &window);
}
