/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fork - the replay of a process that the service forked
 *
 * Its log begins at an event of its parent's. There the parent's replay forks, too: the
 * child gets a ring of its own, which was opened before the fence was up, and is a session
 * like others from then on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "replay/internal.h"
#include "replay/session-internal.h"

/* -- rings for children ------------------------------------------------------------------------- */

int fork_rings_open(struct session *s)
{
	struct fork_rings *rings = calloc(1, sizeof(*rings));

	if (!rings)
		return -ENOMEM;
	rings->refs = 1;
	s->rings = rings;
	for (unsigned i = 0; i < MAX_FORK_DEPTH; i++)
		rings->fds[i] = -1;
	for (unsigned i = 0; i < MAX_FORK_DEPTH; i++) {
		rings->fds[i] = (int)syscall(SYS_memfd_create, "blackbox-replay",
					     MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (rings->fds[i] < 0 || ftruncate(rings->fds[i], (off_t)(SHARED_CONTROL_LEN + REPLAY_RING_LEN)) < 0)
			return -errno;
		/* The process has it open: what we have mapped mustn't go away. */
		if (fcntl(rings->fds[i], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
			return -errno;
	}
	return 0;
}

void fork_rings_unref(struct fork_rings *rings)
{
	if (!rings || --rings->refs)
		return;
	for (unsigned i = 0; i < MAX_FORK_DEPTH; i++)
		closep(&rings->fds[i]);
	free(rings);
}

/* -- the child's session --------------------------------------------------------------------------- */

static void session_closep(struct session **s)
{
	(void) session_close(*s);
}

/* What is the same for both: the image, and the descriptors of mapped files. */
static int inherit(struct session *s, const struct session *parent)
{
	size_t rows_len = parent->n_rows * sizeof(*parent->rows);

	s->window = parent->window;
	s->config = parent->config;
	s->head_of_image = parent->head_of_image;
	s->rings = parent->rings;
	s->rings->refs++;
	s->depth = parent->depth + 1;
	s->rows = malloc(rows_len + 1);
	s->text = malloc(parent->text_len + 1);
	s->files = calloc(parent->n_files + 1, sizeof(*s->files));
	if (!s->rows || !s->text || !s->files)
		return -ENOMEM;
	memcpy(s->rows, parent->rows, rows_len);
	memcpy(s->text, parent->text, parent->text_len);
	s->n_rows = parent->n_rows;
	s->text_len = parent->text_len;
	for (; s->n_files < parent->n_files; s->n_files++) {
		s->files[s->n_files] = parent->files[s->n_files];
		s->files[s->n_files].fd = fcntl(parent->files[s->n_files].fd, F_DUPFD_CLOEXEC, 3);
		if (s->files[s->n_files].fd < 0)
			return -errno;
	}
	return 0;
}

static int set_up(struct session *s, const struct session *parent)
{
	int r;

	s->memfd = fcntl(s->rings->fds[parent->depth], F_DUPFD_CLOEXEC, 3);
	if (s->memfd < 0)
		return -errno;
	r = session_map(s);
	if (r < 0)
		return r;
	s->shared->first_cpu = parent->shared->first_cpu;
	s->shared->n_files = parent->shared->n_files;
	memcpy(s->shared->files, parent->shared->files, sizeof(s->shared->files));
	return event_reader_open(s->window, s->options.domain, 0, &s->events);
}

static int fork_there(struct session *s, struct session *parent, struct replay_error *ret_error)
{
	char path[64];
	int r;

	parent->shared->fork_fd = s->rings->fds[parent->depth];
	session_go(parent);
	r = session_wait(parent, ret_error);
	if (r < 0)
		return r;
	if (parent->shared->stop != STOP_FORKED || parent->shared->forked_pid <= 0)
		return replay_fail(ret_error, -EIO, "the replaying process can't fork");
	s->pid = parent->shared->forked_pid;
	(void) snprintf(path, sizeof(path), "/proc/%d/mem", s->pid);
	s->mem = open(path, O_RDWR | O_CLOEXEC);
	if (s->mem < 0)
		return -errno;
	r = session_wait(s, ret_error);
	if (r < 0)
		return r;
	return s->shared->stop == STOP_READY ? 0 :
		       replay_fail(ret_error, -EIO, "the forked process doesn't begin");
}

static int too_deep(struct replay_error *ret_error)
{
	return replay_fail(ret_error, -E2BIG, "more than %d generations of processes can't be replayed",
			   MAX_FORK_DEPTH);
}

int session_fork(struct session *parent, const struct session_options *options,
		 struct session **ret_child, struct replay_error *ret_error)
{
	autoclean(session_closep) struct session *s = NULL;
	int r;

	if (!parent->rings || parent->depth == MAX_FORK_DEPTH)
		return too_deep(ret_error);
	s = calloc(1, sizeof(*s));
	if (!s)
		return replay_fail(ret_error, -ENOMEM, "out of memory");
	s->options = *options;
	s->mem = s->memfd = -1;
	*ret_error = (struct replay_error){ "" };
	r = inherit(s, parent);
	if (r == 0)
		r = set_up(s, parent);
	if (r == 0)
		r = fork_there(s, parent, ret_error);
	if (r < 0)
		return ret_error->text[0] ? r : replay_fail(ret_error, r, "can't replay the fork: %s",
							    strerror(-r));
	*ret_child = MOVE(s);
	return 0;
}

/* From the process that isn't forked to @domain; a window says what it likes. */
static unsigned generations(struct window *window, const struct window_domain *domain)
{
	unsigned n = 0;

	while (domain && domain->fork_domain && n <= MAX_FORK_DEPTH) {
		domain = window_domain(window, domain->fork_domain);
		n++;
	}
	return n;
}

int session_open_forked(struct window *window, const struct session_options *options,
			struct session **ret_session, struct replay_error *ret_error)
{
	const struct window_domain *domain = options->domain,
				   *parent = window_domain(window, domain->fork_domain);
	const struct session_options parent_options = {
		.domain = parent,
		.snapshot = parent->begin_event,
		.stop_at_forks = true,
	};
	autoclean(session_closep) struct session *s = NULL;
	enum session_stop stop;
	int r;

	if (generations(window, domain) > MAX_FORK_DEPTH)
		return too_deep(ret_error);
	r = session_open(window, &parent_options, &s, ret_error);
	while (r == 0) {
		r = session_run(s, &stop, ret_error);
		if (r == 0 && stop == SESSION_END)
			return replay_fail(ret_error, -EBADMSG, "the log of process %d ends before it forks process %d",
					   parent->pid, domain->pid);
		/* The event of the fork is done. */
		if (r == 0 && stop == SESSION_FORK && session_position(s) == domain->fork_event + 1)
			return session_fork(s, options, ret_session, ret_error);
	}
	return r;
}
