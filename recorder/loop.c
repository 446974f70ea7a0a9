/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* So many descriptors and times are served before work that is left. */
enum { PATIENCE = 32 };

struct source {
	struct loop *loop;
	struct source *next, *before;	/* in the loop's list, whose order is that of work that is left */
	source_callback *callback;
	void *userdata;
	int fd;			/* -1: none */
	uint64_t at_ns;
	bool later;
};

struct loop {
	int epoll;
	struct source sources;	/* the list's head */
	uint64_t next_ns;	/* no time is before this one */
	unsigned n_later, impatience;
	bool timed;		/* a time has been served, and descriptors come next */
	bool stop;
};

static uint64_t clock_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* -- sources ----------------------------------------------------------------------------------- */

static void unlink_source(struct source *source)
{
	source->before->next = source->next;
	source->next->before = source->before;
}

static void append(struct source *source)
{
	struct source *head = &source->loop->sources;

	source->next = head;
	source->before = head->before;
	head->before->next = source;
	head->before = source;
}

int loop_add(struct loop *loop, source_callback *callback, void *userdata, struct source **ret_source)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return -ENOMEM;
	*source = (struct source){ .loop = loop, .callback = callback, .userdata = userdata, .fd = -1,
				   .at_ns = UINT64_MAX };
	append(source);
	*ret_source = source;
	return 0;
}

int loop_add_fd(struct loop *loop, int fd, source_callback *callback, void *userdata,
		struct source **ret_source)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct source *source;
	int r = loop_add(loop, callback, userdata, &source);

	if (r < 0)
		return r;
	event.data.ptr = source;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		r = -errno;
		(void) source_free(source);
		return r;
	}
	source->fd = fd;
	*ret_source = source;
	return 0;
}

struct source *source_free(struct source *source)
{
	if (!source)
		return NULL;
	source_later(source, false);
	if (source->fd >= 0)
		(void) epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	unlink_source(source);
	free(source);
	return NULL;
}

void source_at(struct source *source, uint64_t ns)
{
	source->at_ns = ns;
	if (ns < source->loop->next_ns)
		source->loop->next_ns = ns;
}

void source_later(struct source *source, bool wanted)
{
	if (source->later == wanted)
		return;
	source->later = wanted;
	source->loop->n_later += wanted ? 1 : -1U;
}

/* -- the loop ------------------------------------------------------------------------------------ */

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int r = -errno;

		free(loop);
		return r;
	}
	loop->next_ns = UINT64_MAX;
	loop->sources.next = loop->sources.before = &loop->sources;
	*ret_loop = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	(void) close(loop->epoll);
	free(loop);
	return NULL;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

/* The first whose time has come; else notes when the next one's does. */
static struct source *find_due(struct loop *loop)
{
	uint64_t now, next = UINT64_MAX;

	if (loop->next_ns == UINT64_MAX)
		return NULL;
	now = clock_ns();
	if (now < loop->next_ns)
		return NULL;
	for (struct source *s = loop->sources.next; s != &loop->sources; s = s->next) {
		if (s->at_ns <= now) {
			s->at_ns = UINT64_MAX;
			return s;
		}
		if (s->at_ns < next)
			next = s->at_ns;
	}
	loop->next_ns = next;
	return NULL;
}

/* Who has just been served is the last to be the next time. */
static struct source *take_later(struct loop *loop)
{
	for (struct source *s = loop->sources.next; loop->n_later && s != &loop->sources; s = s->next) {
		if (!s->later)
			continue;
		source_later(s, false);
		loop->impatience = 0;
		unlink_source(s);
		append(s);
		return s;
	}
	return NULL;
}

/* Milliseconds until the next time, rounded up. */
static int patience_ms(const struct loop *loop)
{
	uint64_t now, ms;

	if (loop->n_later)
		return 0;
	if (loop->next_ns == UINT64_MAX)
		return -1;
	now = clock_ns();
	ms = now < loop->next_ns ? (loop->next_ns - now + 999999) / 1000000 : 0;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/* One at a time: its callback may free the next. NULL: nothing came in time. */
static int wait_for_fd(struct loop *loop, struct source **ret_source)
{
	struct epoll_event event;
	int n = epoll_wait(loop->epoll, &event, 1, patience_ms(loop));

	if (n < 0 && errno != EINTR)
		return -errno;
	*ret_source = n > 0 ? event.data.ptr : NULL;
	return 0;
}

/* One whose time is always over keeps nobody from being served. */
static struct source *take_due(struct loop *loop)
{
	struct source *source = loop->timed ? NULL : find_due(loop);

	loop->timed = source != NULL;
	return source;
}

int loop_run(struct loop *loop)
{
	while (!loop->stop) {
		struct source *source = loop->n_later && ++loop->impatience > PATIENCE ? take_later(loop) :
											 take_due(loop);
		int r = source ? 0 : wait_for_fd(loop, &source);

		if (r < 0)
			return r;
		if (!source)
			source = take_later(loop);
		if (source)
			source->callback(source->userdata);
	}
	return 0;
}
