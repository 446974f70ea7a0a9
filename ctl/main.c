/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *arguments, *summary;
};

static const struct verb verbs[] = {
	{ "status", verb_status, "[SERVICE]", "Show how services are recorded" },
	{ "list", verb_list, "[--dir DIR]", "List incidents" },
	{ "info", verb_info, "INCIDENT|FILE", "Show what an incident is and holds" },
	{ "freeze", verb_freeze, "SERVICE", "Make an incident of the window now" },
	{ "dump", verb_dump, "INCIDENT -o FILE", "Write an incident as one portable file" },
	{ "rm", verb_rm, "INCIDENT...", "Remove incidents" },
	{ "verify", verb_verify, "[--json] DIR|INCIDENT|FILE", "Read all of a store, incident or dump; name each fault" },
	{ "repair", verb_repair, "DIR|INCIDENT", "Keep what is sound of a damaged store or incident" },
	{ "enable", verb_enable, "UNIT", "Have a unit of systemd recorded from its next start on" },
	{ "disable", verb_disable, "UNIT", "Undo that" },
	{ "record", verb_record, "[OPTION...] -- COMMAND [ARG...]", "Run a command, recorded" },
	{ "replay", verb_replay, "[OPTION...] FILE|INCIDENT [-- GDB-ARG...]",
	  "Replay a window, in gdb or with --check" },
	{ "trace", verb_trace, "[OPTION...] FILE|INCIDENT", "Print a window's system calls, as strace would" },
	{ "events", verb_events, "[OPTION...] FILE|INCIDENT", "Print a window's raw log" },
};

static void usage(FILE *to)
{
	(void) fprintf(to, "Usage: blackboxctl VERB [OPTION...]\n\n"
			   "A flight recorder for services: keeps their last seconds, replays them exactly.\n\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		(void) fprintf(to, "  %-8s %-42s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
	(void) fprintf(to, "\n`blackboxctl VERB --help' says more, and blackboxctl(1).\n");
}

/* What was printed must have arrived: on a full disk nothing is done. */
static int run(const struct verb *verb, int argc, char **argv)
{
	char name[32];
	int status;

	/* argp begins its messages and its usage with it. */
	(void) snprintf(name, sizeof(name), "blackboxctl %s", verb->name);
	argv[0] = name;
	status = verb->run(argc, argv);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_error("not all of the output could be written; is the disk full?");
	return status == EXIT_DONE ? EXIT_FAILED : status;
}

int main(int argc, char **argv)
{
	log_setup("blackboxctl");
	if (argc < 2) {
		usage(stderr);
		return EXIT_BAD_INPUT;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		(void) printf("blackboxctl %s\n", PACKAGE_VERSION);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run(&verbs[i], argc - 1, argv + 1);
	log_error("\"%s\" is not a verb; `blackboxctl --help' lists them", argv[1]);
	return EXIT_BAD_INPUT;
}
