/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The threads that wait for agents, and tell the recorder's loop when one wants it. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/domain-internal.h"

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

void wake_word(uint32_t *word)
{
	(void) futex(word, FUTEX_WAKE, INT32_MAX, NULL);
}

/* Those of domains that have ended wait for the next: a shell's commands come one after the other. */
enum { SPARE_WAITERS = 8 };

enum waiter_state { WAITER_FREE, WAITER_WAITS, WAITER_LEAVES, WAITER_ENDS };

struct waiter {
	pthread_t thread;
	struct waiter *next;		/* of those that are free */
	uint32_t state;			/* enum waiter_state; a futex */
	struct agent_shared *shared;	/* while it waits */
	int wake_fd;
};

static void set_waiter_state(struct waiter *w, enum waiter_state state)
{
	__atomic_store_n(&w->state, state, __ATOMIC_SEQ_CST);
	wake_word(&w->state);
}

static void wait_for_agent(struct waiter *w)
{
	uint32_t seen = 0;	/* as the memory was made: a wake-up before this line counts */

	while (load(&w->state) == WAITER_WAITS) {
		uint64_t one = 1;

		(void) futex(&w->shared->consumer_wake, FUTEX_WAIT, seen, NULL);
		if (load(&w->shared->consumer_wake) == seen)
			continue;
		seen = load(&w->shared->consumer_wake);
		(void) !write(w->wake_fd, &one, sizeof(one));
	}
}

static void *waiter_main(void *argument)
{
	struct waiter *w = argument;

	for (;;) {
		switch (load(&w->state)) {
		case WAITER_FREE:
			(void) futex(&w->state, FUTEX_WAIT, WAITER_FREE, NULL);
			break;
		case WAITER_WAITS:
			wait_for_agent(w);
			break;
		case WAITER_LEAVES:
			set_waiter_state(w, WAITER_FREE);
			break;
		case WAITER_ENDS:
			return NULL;
		}
	}
}

static int new_waiter(struct waiter **ret_waiter)
{
	struct waiter *w = calloc(1, sizeof(*w));
	sigset_t all, old;
	int r;

	if (!w)
		return -ENOMEM;
	/* Signals are the main thread's. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread, NULL, waiter_main, w);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		free(w);
		return -r;
	}
	*ret_waiter = w;
	return 0;
}

static void end_waiter(struct waiter *w)
{
	set_waiter_state(w, WAITER_ENDS);
	(void) pthread_join(w->thread, NULL);
	free(w);
}

int domain_start_waiting(struct domain *d)
{
	struct domain_env *env = d->env;
	struct waiter *w = env->waiters;
	int r = w ? 0 : new_waiter(&w);

	if (r < 0)
		return r;
	if (w == env->waiters) {
		env->waiters = w->next;
		env->n_waiters--;
	}
	w->shared = d->shared;
	w->wake_fd = d->wake_fd;
	set_waiter_state(w, WAITER_WAITS);
	d->waiter = w;
	return 0;
}

void domain_stop_waiting(struct domain *d)
{
	struct domain_env *env = d->env;
	struct waiter *w = d->waiter;

	if (!w)
		return;
	set_waiter_state(w, WAITER_LEAVES);
	(void) __atomic_add_fetch(&d->shared->consumer_wake, 1, __ATOMIC_SEQ_CST);
	wake_word(&d->shared->consumer_wake);
	while (load(&w->state) == WAITER_LEAVES)
		(void) futex(&w->state, FUTEX_WAIT, WAITER_LEAVES, NULL);
	if (env->n_waiters == SPARE_WAITERS) {
		end_waiter(w);
		return;
	}
	w->next = env->waiters;
	env->waiters = w;
	env->n_waiters++;
}

void domain_env_end(struct domain_env *env)
{
	for (struct waiter *w = env->waiters, *next; w; w = next) {
		next = w->next;
		end_waiter(w);
	}
	env->waiters = NULL;
	env->n_waiters = 0;
}
