/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* blackboxd: options, configuration, and the loop. */
#include <argp.h>
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "daemon/blackboxd.h"
#include "daemon/protocol.h"

enum { EXIT_BAD_CONFIG = 2 };

struct options {
	const char *config, *socket, *state;
};

enum { OPT_CONFIG = 1, OPT_SOCKET, OPT_STATE };

static const struct argp_option option_list[] = {
	{ "config", OPT_CONFIG, "FILE", 0,
	  "Take the services from FILE (default " SYSCONFDIR "/blackbox/blackbox.yaml)", 0 },
	{ "socket", OPT_SOCKET, "PATH", 0,
	  "Listen at PATH (default " CONTROL_SOCKET "), and for launchers at `launch' beside it", 0 },
	{ "state", OPT_STATE, "DIR", 0, "Keep rings and incidents in DIR, whatever the configuration says", 0 },
	{ 0 },
};

const char *argp_program_version = "blackboxd " PACKAGE_VERSION;

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case OPT_CONFIG:
		options->config = arg;
		break;
	case OPT_SOCKET:
		options->socket = arg;
		break;
	case OPT_STATE:
		options->state = arg;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "\"%s\": blackboxd takes options only", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* -- places ------------------------------------------------------------------------------------ */

static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		int r = -errno;

		log_error("can't make the directory %s: %s", path, strerror(-r));
		return r;
	}
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		log_error("%s is to be a directory, and isn't one", path);
		return -ENOTDIR;
	}
	return 0;
}

/* A path that was given may be relative, and recorders have it too. */
static int set_state_dir(struct daemon *daemon, const char *given)
{
	const char *path = given ? given : daemon->policies.state_dir ? daemon->policies.state_dir : STATEDIR;
	int r = make_dir(path, 0700);

	if (r == 0 && !realpath(path, daemon->state_dir)) {
		r = -errno;
		log_error("can't use the directory %s: %s", path, strerror(-r));
	}
	return r;
}

static int set_sockets(struct daemon *daemon, const char *given)
{
	const char *path = given ? given : CONTROL_SOCKET;
	char copy[sizeof(daemon->control_path)];

	if (snprintf(daemon->control_path, sizeof(daemon->control_path), "%s", path) >=
	    (int)sizeof(daemon->control_path)) {
		log_error("%s: longer than a socket's name may be", path);
		return -ENAMETOOLONG;
	}
	(void) strcpy(copy, daemon->control_path);
	(void) snprintf(daemon->run_dir, sizeof(daemon->run_dir), "%s", dirname(copy));
	if (snprintf(daemon->launch_path, sizeof(daemon->launch_path), "%s/launch", daemon->run_dir) >=
	    (int)sizeof(daemon->launch_path)) {
		log_error("%s: longer than a socket's name may be", path);
		return -ENAMETOOLONG;
	}
	/* Launchers of all users pass through. */
	return make_dir(daemon->run_dir, 0755);
}

/* -- running ------------------------------------------------------------------------------------ */

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *daemon = userdata;

	(void) source;
	(void) info;
	(void) sd_notify(0, "STOPPING=1");
	log_notice("stopping; services and their recorders go on");
	return sd_event_exit(daemon->event, 0);
}

static int on_child(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void) source;
	(void) info;
	services_reap(userdata);
	return 0;
}

static int set_up_loop(struct daemon *daemon)
{
	sigset_t signals;
	int r;

	(void) sigemptyset(&signals);
	(void) sigaddset(&signals, SIGTERM);
	(void) sigaddset(&signals, SIGINT);
	(void) sigaddset(&signals, SIGCHLD);
	(void) sigprocmask(SIG_BLOCK, &signals, NULL);
	(void) signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(&daemon->event);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGTERM, on_terminate, daemon);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGINT, on_terminate, daemon);
	if (r >= 0)
		r = sd_event_add_signal(daemon->event, NULL, SIGCHLD, on_child, daemon);
	if (r < 0)
		log_error("can't make an event loop: %s", strerror(-r));
	return r;
}

static int start_services(struct daemon *daemon)
{
	const struct policy_set *set = &daemon->policies;

	for (size_t i = 0; i < set->n_services; i++) {
		int r = service_add(daemon, &set->services[i], NULL);

		if (r < 0) {
			log_error("can't add the service %s: %s", set->services[i].name, strerror(-r));
			return r;
		}
	}
	shares_set(daemon);
	inherit_services(daemon);
	for (struct service *s = daemon->services; s; s = s->next)
		if (s->policy.command)
			service_start(s);
	return 0;
}

static int run(struct daemon *daemon, const struct options *options)
{
	int r = set_state_dir(daemon, options->state);

	if (r == 0)
		r = set_sockets(daemon, options->socket);
	if (r == 0)
		r = set_up_loop(daemon);
	if (r >= 0)
		r = control_open(daemon);
	if (r >= 0)
		r = launch_open(daemon);
	if (r >= 0)
		r = start_services(daemon);
	if (r >= 0)
		r = recover_later(daemon);
	if (r < 0)
		return r;
	(void) sd_notifyf(0, "READY=1\nSTATUS=%zu services configured", daemon->policies.n_services);
	(void) sd_event_set_watchdog(daemon->event, true);
	r = sd_event_loop(daemon->event);
	if (r < 0)
		log_error("the event loop failed: %s", strerror(-r));
	return r;
}

static void daemon_deinit(struct daemon *daemon)
{
	while (daemon->services) {
		struct service *next = daemon->services->next;

		service_free(daemon->services);
		daemon->services = next;
	}
	if (daemon->control_fd >= 0)
		(void) unlink(daemon->control_path);
	if (daemon->launch_fd >= 0)
		(void) unlink(daemon->launch_path);
	closep(&daemon->control_fd);
	closep(&daemon->launch_fd);
	policy_set_deinit(&daemon->policies);
	daemon->event = sd_event_unref(daemon->event);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse_option,
		.doc = "Records services, as its configuration says, in the foreground; blackboxd(8).",
	};
	autoclean(daemon_deinit) struct daemon daemon = { .control_fd = -1, .launch_fd = -1 };
	struct options options = { .config = SYSCONFDIR "/blackbox/blackbox.yaml" };
	struct policy_error error;

	log_setup("blackboxd");
	argp_err_exit_status = EXIT_BAD_CONFIG;
	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return EXIT_BAD_CONFIG;
	if (policy_load(options.config, &daemon.policies, &error) < 0) {
		log_error("%s", error.text);
		return EXIT_BAD_CONFIG;
	}
	return run(&daemon, &options) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
