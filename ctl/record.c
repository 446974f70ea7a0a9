/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxctl record: runs a command under a recorder of its own, without a daemon. */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "ctl/ctl.h"
#include "policies/policy.h"
#include "recorder/recorder.h"
#include "recorder/recover.h"

/* A recorder that doesn't answer must not keep the command from running. */
enum { ANSWER_MS = 3000, QUIET_MS = 1000, FINISH_MS = 120000 };
#define STALL_NS UINT64_C(10000000000)

struct record {
	struct policy policy;
	const char *dir, *output;
	unsigned dump_flags;
	char **command;
	char store[PATH_MAX];
	struct recorder_link link;
	pid_t pid;
	bool let_go;		/* the command may begin */
	int exec_error;		/* why it couldn't; 0: it could */
	char incident[256];	/* the newest */
	unsigned n_incidents;
	bool recorder_gone, ended;
};

/* -- options ------------------------------------------------------------------------------------ */

enum { OPT_POLICY = 1, OPT_WINDOW, OPT_RING, OPT_DIR, OPT_FREEZE_SIGNAL, OPT_CHAOS, OPT_SET };

static const struct argp_option options[] = {
	{ "policy", OPT_POLICY, "FILE", 0, "Take the policy from FILE, see blackbox-policy(5)", 0 },
	{ "window", OPT_WINDOW, "DURATION|all", 0, "Keep so much (default 30s); all: from exec on", 0 },
	{ "ring", OPT_RING, "SIZE", 0, "Take no more disk than this (default 256M)", 0 },
	{ "dir", OPT_DIR, "DIR", 0, "Keep ring and incidents in DIR", 0 },
	{ "freeze-signal", OPT_FREEZE_SIGNAL, "SIG", 0,
	  "Freeze the window each time the program gets SIG; it gets it all the same", 0 },
	{ "chaos", OPT_CHAOS, "SEED", 0,
	  "Interrupt threads at random and switch between them often, to find races", 0 },
	{ "output", 'o', "FILE", 0, "Write the last window to FILE when the command ends", 0 },
	{ "set", OPT_SET, "KEY=VALUE", 0, "Set a key of the policy", 0 },
	{ 0 },
};

static void set_key(struct argp_state *state, struct record *r, const char *key, const char *value)
{
	struct policy_error error;

	if (policy_set(&r->policy, key, value, &error) < 0)
		argp_failure(state, EXIT_BAD_INPUT, 0, "%s", error.text);
}

static void add_freeze_signal(struct argp_state *state, struct record *r, const char *text)
{
	uint64_t before = r->policy.freeze_signals;

	set_key(state, r, "freeze-signals", text);
	r->policy.freeze_signals |= before;
}

static void set_pair(struct argp_state *state, struct record *r, char *pair)
{
	char *value = strchr(pair, '=');

	if (!value)
		argp_failure(state, EXIT_BAD_INPUT, 0, "--set %s: KEY=VALUE is wanted", pair);
	*value++ = '\0';
	set_key(state, r, pair, value);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct record *r = state->input;
	struct policy_error error;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &r->dump_flags;
		break;
	case OPT_POLICY:
		if (policy_load_single(arg, &r->policy, &error) < 0)
			argp_failure(state, EXIT_BAD_INPUT, 0, "%s", error.text);
		break;
	case OPT_WINDOW:
		set_key(state, r, "window", arg);
		break;
	case OPT_RING:
		set_key(state, r, "ring", arg);
		break;
	case OPT_DIR:
		r->dir = arg;
		break;
	case OPT_FREEZE_SIGNAL:
		add_freeze_signal(state, r, arg);
		break;
	case OPT_CHAOS:
		set_key(state, r, "chaos", arg);
		break;
	case OPT_SET:
		set_pair(state, r, arg);
		break;
	case 'o':
		r->output = arg;
		break;
	case ARGP_KEY_ARGS:
		r->command = state->argv + state->next;
		break;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which command?");
		break;
	case ARGP_KEY_END:
		if (r->dump_flags && !r->output)
			argp_error(state, "what is left out of which dump? -o FILE is wanted");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int parse_options(struct record *r, int argc, char **argv)
{
	static const struct argp_child children[] = { { &dump_content_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.children = children,
		.args_doc = "COMMAND [ARG...]",
		.doc = "Runs COMMAND recorded. Its exit status becomes ours (128+N after signal N).\v"
		       "When it crashes its window is frozen as an incident, which `blackboxctl list' "
		       "shows and `blackboxctl replay' replays.",
	};
	struct policy_error error;
	int e;

	argp_err_exit_status = EXIT_BAD_INPUT;
	e = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, r);
	if (e)
		return -e;
	if (policy_check(&r->policy, &error) < 0) {
		log_error("%s", error.text);
		return -EINVAL;
	}
	if (r->output)
		r->policy.triggers |= TRIGGER_EXIT;
	return 0;
}

/* -- places ---------------------------------------------------------------------------------------- */

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_' || c == '.';
}

/* The service's name is its command's; what a name can't have becomes an underscore. */
static int set_name(struct record *r)
{
	struct policy_error error;
	char name[65], *copy = strdup(r->command[0]);
	size_t n = 0;

	if (!copy)
		return -ENOMEM;
	for (const char *p = basename(copy); *p && n < sizeof(name) - 1; p++)
		name[n++] = is_name_byte(*p) ? *p : '_';
	name[n] = '\0';
	free(copy);
	return policy_set(&r->policy, "name", name[0] && name[0] != '.' && name[0] != '-' && name[0] != '_' ?
						      name : "command", &error);
}

static int set_store(struct record *r)
{
	char parent[PATH_MAX];
	int ret;

	if (r->dir) {
		if (!*r->dir || snprintf(parent, sizeof(parent), "%s", r->dir) >= (int)sizeof(parent))
			return -EINVAL;
		ret = make_dirs(parent);
		if (ret < 0)
			return ret;
		/* The recorder's working directory isn't ours for ever. */
		return realpath(r->dir, r->store) ? 0 : -errno;
	}
	ret = user_state_dir(parent, sizeof(parent));
	if (ret < 0)
		return ret;
	/* One recording at a time has a store; another of the same name gets its own. */
	for (int i = 1; i < 100; i++) {
		char lock[PATH_MAX + 8];
		autoclean(closep) int fd = -1;

		if (snprintf(r->store, sizeof(r->store), i == 1 ? "%s/%s" : "%s/%s.%d", parent,
			     r->policy.name, i) >= (int)sizeof(r->store))
			return -ENAMETOOLONG;
		(void) snprintf(lock, sizeof(lock), "%s/lock", r->store);
		fd = open(lock, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
	}
	return -EBUSY;
}

/* -- news from the recorder ---------------------------------------------------------------------------- */

static void incident_frozen(struct record *r, struct json_object *news)
{
	struct json_object *trigger;
	const char *kind = "";

	if (json_object_object_get_ex(news, "trigger", &trigger))
		kind = json_text(trigger, "kind");
	if (recover_is_trigger(kind) && !r->recorder_gone) {
		log_notice("incident %s (%s) is what the last recording here left", json_text(news, "id"), kind);
		return;
	}
	(void) snprintf(r->incident, sizeof(r->incident), "%s", json_text(news, "id"));
	r->n_incidents++;
	/* An end that was only awaited for -o needs no words. */
	if (strcmp(kind, "exit") != 0 || !r->output)
		log_notice("incident %s (%s)", r->incident, kind);
}

static void hear(struct record *r, struct json_object *message)
{
	const char *news = json_text(message, "news");

	if (strcmp(news, "attached") == 0) {
		r->let_go = true;
	} else if (strcmp(news, "native") == 0) {
		log_warning("%s runs unrecorded: %s", r->command[0], json_text(message, "why"));
		r->let_go = true;
	} else if (strcmp(news, "incident") == 0) {
		incident_frozen(r, message);
	} else if (strcmp(news, "not-frozen") == 0) {
		log_warning("the window could not be frozen: %s", json_text(message, "why"));
	} else if (strcmp(news, "ended") == 0) {
		r->ended = true;
	}
}

/*
 * Hears what there is; false if nothing came in time. The recorder's death is the service's
 * to survive: it runs on.
 */
static bool hear_news(struct record *r, int timeout_ms)
{
	struct json_object *message;
	int ret = recorder_hear(&r->link, timeout_ms, &message);

	if (ret == 0) {
		hear(r, message);
		(void) json_object_put(message);
	} else if (ret != -ETIMEDOUT && ret != -EINTR && ret != -EBADMSG) {
		/* A recorder whose process never became the command ends by itself. */
		if (!r->ended && !r->exec_error)
			log_warning("the recorder is gone; %s runs on unrecorded", r->command[0]);
		r->recorder_gone = true;
	}
	return ret != -ETIMEDOUT;
}

/* -- the command ------------------------------------------------------------------------------------ */

static volatile pid_t forward_to;

static void forward(int signal)
{
	if (forward_to > 0)
		(void) kill(forward_to, signal);
}

/* The terminal's interrupt goes to the command by itself; what is sent to us, we pass on. */
static const struct {
	int signal;
	void (*handler)(int);
} signals[] = {
	{ SIGINT, SIG_IGN }, { SIGQUIT, SIG_IGN }, { SIGTERM, forward }, { SIGHUP, forward },
};
enum { N_SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static void set_signals(struct sigaction before[N_SIGNALS])
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		const struct sigaction action = { .sa_handler = signals[i].handler, .sa_flags = SA_RESTART };

		(void) sigaction(signals[i].signal, &action, &before[i]);
	}
}

/*
 * Between vfork and exec: the memory is the parent's, who sleeps, and the news are for whichever of
 * the two is awake. The recorder's injector may trace us, whatever Yama says.
 */
__attribute__((noreturn)) static void child(struct record *r, const struct sigaction before[N_SIGNALS],
					    const sigset_t *mask)
{
	(void) prctl(PR_SET_PTRACER, r->link.pid);
	(void) recorder_say(&r->link, "attach", getpid(), 0);
	while (!r->let_go && !r->recorder_gone)
		if (!hear_news(r, ANSWER_MS)) {
			log_warning("the recorder doesn't answer; %s runs unrecorded", r->command[0]);
			break;
		}
	for (size_t i = 0; i < N_SIGNALS; i++)
		(void) sigaction(signals[i].signal, &before[i], NULL);
	(void) sigprocmask(SIG_SETMASK, mask, NULL);
	(void) execvp(r->command[0], r->command);
	r->exec_error = errno;
	_exit(127);
}

/*
 * A fork would copy what the exec throws away at once. Signals wait: one that killed the child in
 * the middle of malloc() would leave us with its half, and one to us has nobody to go to yet.
 */
static int start_command(struct record *r)
{
	struct sigaction before[N_SIGNALS];
	sigset_t all, mask;
	pid_t pid;
	int ret;

	(void) sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, &mask);
	set_signals(before);
	pid = vfork();
	if (pid == 0)
		child(r, before, &mask);
	ret = pid < 0 ? -errno : 0;
	if (pid > 0)
		r->pid = forward_to = pid;
	(void) sigprocmask(SIG_SETMASK, &mask, NULL);
	return ret;
}

/* -- running ---------------------------------------------------------------------------------------------- */

/*
 * Waits for the command's end; returns its status as waitpid(2) has it. A recorder that dies is taken
 * note of at once: the service asks the kernel whether it is there, and waits for it else.
 */
static int run(struct record *r)
{
	struct pollfd fds[3] = { { .fd = (int)syscall(SYS_pidfd_open, r->pid, 0), .events = POLLIN },
				 { .fd = r->link.socket, .events = POLLIN },
				 { .fd = (int)syscall(SYS_pidfd_open, r->link.pid, 0), .events = POLLIN } };
	int status = 0;

	for (;;) {
		fds[1].fd = r->recorder_gone ? -1 : r->link.socket;
		if (poll(fds, 3, -1) > 0 && fds[1].revents)
			(void) hear_news(r, 0);
		if (fds[2].revents && waitpid(r->link.pid, NULL, WNOHANG) != 0) {
			closep(&fds[2].fd);
			fds[2].fd = -1;
		}
		if (waitpid(r->pid, &status, WNOHANG) == r->pid)
			break;
	}
	closep(&fds[0].fd);
	closep(&fds[2].fd);
	return status;
}

/* What can't be written now can be later: the incident stays. */
static void write_output(const struct record *r)
{
	char path[PATH_MAX + 300];

	if (!r->n_incidents) {
		log_error("nothing was recorded: %s is not written", r->output);
		return;
	}
	(void) snprintf(path, sizeof(path), "%s/incidents/%s", r->store, r->incident);
	if (dump_incident(path, r->output, r->dump_flags) != EXIT_DONE)
		log_notice("the incident is kept: `blackboxctl dump --dir %s %s -o FILE' writes it",
			   r->store, r->incident);
}

/* False: nothing came in time. Who looks on learns what is waited for. */
static bool hear_last_news(struct record *r)
{
	if (hear_news(r, QUIET_MS))
		return true;
	if (isatty(STDERR_FILENO))
		log_notice("waiting for the recorder, which still writes the window");
	return hear_news(r, FINISH_MS - QUIET_MS);
}

/* What it had written until then is kept. */
static void recorder_died(struct record *r)
{
	struct json_object *news = NULL;
	int ret = recover_store(r->store, &news);

	if (ret < 0)
		log_error("the recorder's window is lost: %s", strerror(-ret));
	if (news)
		incident_frozen(r, news);
	(void) json_object_put(news);
}

/* The recorder has its last words; then it is over. */
static void finish(struct record *r, int status)
{
	bool in_time = true;

	(void) recorder_say(&r->link, "exited", r->pid, status);
	while (!r->recorder_gone && !r->ended && in_time)
		in_time = hear_last_news(r);
	if (!in_time)
		log_error("the recorder (process %d) has not finished after %d s: what it still writes "
			  "is left out", r->link.pid, FINISH_MS / 1000);
	closep(&r->link.socket);
	/* It has no more to do than to go. */
	(void) waitpid(r->link.pid, NULL, in_time && !r->ended ? 0 : WNOHANG);
	if (r->recorder_gone && !r->ended)
		recorder_died(r);
}

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int record(struct record *r)
{
	int ret, status;

	ret = set_store(r);
	if (ret < 0) {
		log_error("can't use the directory %s: %s", r->dir ? r->dir : "of recordings (see FILES in "
			  "blackboxctl(1); --dir names another)", strerror(-ret));
		return EXIT_FAILED;
	}
	ret = recorder_fork(r->store, &r->policy, &r->link);
	if (ret < 0) {
		log_error("can't start a recorder: %s", strerror(-ret));
		return EXIT_FAILED;
	}
	ret = start_command(r);
	if (ret < 0) {
		log_error("can't run %s: %s", r->command[0], strerror(-ret));
		return EXIT_FAILED;
	}
	status = run(r);
	finish(r, status);
	if (r->exec_error) {
		log_error("can't run %s: %s", r->command[0], strerror(r->exec_error));
		return r->exec_error == ENOENT ? 127 : 126;	/* as a shell has it */
	}
	if (r->output)
		write_output(r);
	return exit_status(status);
}

int verb_record(int argc, char **argv)
{
	struct record r = { .dir = NULL };
	int ret;

	policy_init(&r.policy);
	/* Nobody waits for the command as for a service: rather late than not recorded. */
	r.policy.crash_hold_ns = UINT64_MAX;
	r.policy.stall_ns = STALL_NS;
	ret = parse_options(&r, argc, argv);
	if (ret == 0)
		ret = set_name(&r);
	ret = ret < 0 ? EXIT_BAD_INPUT : record(&r);
	policy_deinit(&r.policy);
	return ret;
}
