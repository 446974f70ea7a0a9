/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/gdb.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ctl/ctl.h"
#include "ctl/sysroot.h"
#include "replay/gdbserver.h"
#include "replay/internal.h"

extern char **environ;

struct gdb {
	char dir[64];			/* ours, with the socket in it; empty: none */
	char root[PATH_MAX], exe[PATH_MAX];
	struct sockaddr_un address;
	int listener, stop_fd;
	sigset_t old_mask;
	pid_t pid;
	int pidfd;
	time_t since;
};

/* -- the room ------------------------------------------------------------------------------------- */

/* A terminal's SIGINT is for gdb alone; SIGTERM and SIGHUP end us in good order. */
static int take_signals(struct gdb *g)
{
	sigset_t mask;

	(void) sigemptyset(&mask);
	(void) sigaddset(&mask, SIGTERM);
	(void) sigaddset(&mask, SIGHUP);
	g->stop_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->stop_fd < 0)
		return -errno;
	(void) sigaddset(&mask, SIGINT);
	(void) sigaddset(&mask, SIGQUIT);
	return sigprocmask(SIG_BLOCK, &mask, &g->old_mask) < 0 ? -errno : 0;
}

static int listen_in_dir(struct gdb *g)
{
	const char *tmp = getenv("TMPDIR");

	/* A socket's name has little room. */
	if (!tmp || tmp[0] != '/' || strlen(tmp) > 32)
		tmp = "/tmp";
	(void) snprintf(g->dir, sizeof(g->dir), "%s/blackbox-gdb.XXXXXX", tmp);
	if (!mkdtemp(g->dir)) {
		g->dir[0] = '\0';
		return -errno;
	}
	g->address.sun_family = AF_UNIX;
	(void) snprintf(g->address.sun_path, sizeof(g->address.sun_path), "%s/socket", g->dir);
	g->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (g->listener < 0 ||
	    bind(g->listener, (const struct sockaddr *)&g->address, sizeof(g->address)) < 0 ||
	    listen(g->listener, 1) < 0)
		return -errno;
	return 0;
}

static void gdb_deinit(struct gdb *g)
{
	closep(&g->listener);
	closep(&g->stop_fd);
	closep(&g->pidfd);
	if (g->dir[0])
		sysroot_remove(g->dir);
}

/* -- gdb itself -------------------------------------------------------------------------------------- */

static int spawn(struct gdb *g, char **argv)
{
	posix_spawnattr_t attributes;
	int r = posix_spawnattr_init(&attributes);

	if (r)
		return -r;
	r = posix_spawnattr_setsigmask(&attributes, &g->old_mask);
	if (r == 0)
		r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	if (r == 0)
		r = posix_spawnp(&g->pid, "gdb", NULL, &attributes, argv, environ);
	(void) posix_spawnattr_destroy(&attributes);
	if (r)
		return -r;
	g->pidfd = (int)syscall(SYS_pidfd_open, g->pid, 0);
	return g->pidfd < 0 ? -errno : 0;
}

static int start(struct gdb *g, char **args)
{
	char sysroot[PATH_MAX + 32], target[sizeof(g->address.sun_path) + 32];
	char *fixed[] = { "gdb", "-q", "-iex", sysroot, g->exe, "-ex", target };
	enum { N_FIXED = sizeof(fixed) / sizeof(fixed[0]) };
	autoclean(freep) char **argv = NULL;
	size_t n = 0;

	(void) snprintf(sysroot, sizeof(sysroot), "set sysroot %s", g->root);
	(void) snprintf(target, sizeof(target), "target remote %s", g->address.sun_path);
	while (args && args[n])
		n++;
	argv = calloc(N_FIXED + n + 1, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	memcpy(argv, fixed, sizeof(fixed));
	if (n)
		memcpy(argv + N_FIXED, args, n * sizeof(*args));
	return spawn(g, argv);
}

/* Until it connects. 1: it ended before it did, or we are to end. */
static int wait_for_connection(struct gdb *g, int *ret_fd)
{
	struct pollfd fds[3] = { { g->listener, POLLIN, 0 }, { g->pidfd, POLLIN, 0 },
				 { g->stop_fd, POLLIN, 0 } };
	int fd;

	while (poll(fds, 3, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (!fds[0].revents)
		return 1;
	fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int reap(struct gdb *g, int *ret_status)
{
	struct pollfd fds[2] = { { g->pidfd, POLLIN, 0 }, { g->stop_fd, POLLIN, 0 } };
	int status;

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (fds[1].revents)
		(void) kill(g->pid, SIGTERM);
	if (waitpid(g->pid, &status, 0) < 0)
		return -errno;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

/* -- all of it ------------------------------------------------------------------------------------------ */

static void on_progress(uint64_t event, uint64_t end, void *userdata)
{
	const struct gdb *g = userdata;

	if (time(NULL) - g->since > 1)
		show_progress("replaying", event, end);
}

static int serve(struct gdb *g, struct gdbserver *server, char **args, int *ret_status,
		 struct replay_error *ret_error)
{
	autoclean(closep) int fd = -1;
	int r = start(g, args);

	if (r == -ENOENT)
		return replay_fail(ret_error, -ENOEXEC, "gdb isn't installed (Debian: apt install gdb); "
				   "`replay --check' and `trace' do without");
	if (r < 0)
		return replay_fail(ret_error, r, "can't start gdb: %s", strerror(-r));
	r = wait_for_connection(g, &fd);
	if (r == 0)
		r = gdbserver_serve(server, fd);
	if (r == -ECANCELED)	/* before it loses its connection, which it may not survive */
		(void) kill(g->pid, SIGTERM);
	if (r < 0 && r != -ECANCELED)
		(void) replay_fail(ret_error, r, "lost the connection to gdb: %s", strerror(-r));
	/* Whatever it was: gdb has the terminal until it ends. */
	if (r != -ECANCELED) {
		closep(&fd);
		fd = -1;
	}
	if (reap(g, ret_status) < 0)
		return -ECHILD;
	return r < 0 && r != -ECANCELED ? r : 0;
}

int gdb_run(struct window *window, const struct window_domain *domain, bool from_start, char **args,
	    int *ret_status, struct replay_error *ret_error)
{
	autoclean(gdb_deinit) struct gdb g = { .listener = -1, .stop_fd = -1, .pidfd = -1,
					       .since = time(NULL) };
	struct gdbserver_options options = { from_start, -1, on_progress, &g };
	struct gdbserver *server = NULL;
	int r = take_signals(&g);

	if (r == 0)
		r = listen_in_dir(&g);
	if (r == 0)
		r = sysroot_make(window, domain, g.dir, g.root, g.exe, sizeof(g.exe));
	if (r < 0)
		return replay_fail(ret_error, r, "can't prepare what gdb needs: %s", strerror(-r));
	options.stop_fd = g.stop_fd;
	r = gdbserver_open(window, domain, &options, &server, ret_error);
	end_progress();
	if (r < 0)
		return r;
	r = serve(&g, server, args, ret_status, ret_error);
	(void) gdbserver_close(server);
	return r;
}
