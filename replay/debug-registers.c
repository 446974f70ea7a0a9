/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debug-registers - the processor's four, of each thread: watchpoints, and what a search wants
 *
 * ptrace is used only to set them, for the moment that this takes; they stay when it lets go.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "common/autoclean.h"
#include "replay/session-internal.h"

#define REGISTER(i) (offsetof(struct user, u_debugreg) + (i) * sizeof(long))

enum { STATUS = 6, CONTROL = 7 };

unsigned free_registers(const struct session *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_WATCHES; i++)
		n += !s->watches[i].len;
	return n;
}

/* The search's Nth: it takes those that no watchpoint has. If there is none its first takes the last. */
static unsigned register_of_trap(const struct session *s, unsigned n)
{
	for (unsigned i = 0; i < MAX_WATCHES; i++)
		if (!s->watches[i].len && n-- == 0)
			return i;
	return MAX_WATCHES - 1;
}

/* Which one has register @i, if any. */
static const struct search_trap *trap_of_register(const struct session *s, unsigned i)
{
	for (unsigned n = 0; n < s->n_traps; n++)
		if (register_of_trap(s, n) == i)
			return &s->traps[n];
	return NULL;
}

/* Enable bit, kind and length for register @i. */
static unsigned long control_bits(unsigned i, unsigned kind, unsigned len)
{
	unsigned long len_bits = len == 8 ? 2 : len - 1;

	return 1ul << (2 * i) | (kind | len_bits << 2) << (16 + 4 * i);
}

/* What is done to a thread while it is stopped by ptrace. */
typedef void thread_action(struct session *s, pid_t tid, unsigned *hits);

static void arm(struct session *s, pid_t tid, unsigned *hits)
{
	unsigned long control = 0;

	(void) hits;
	(void) ptrace(PTRACE_POKEUSER, tid, REGISTER(CONTROL), 0);
	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		const struct watch *w = &s->watches[i];
		const struct search_trap *trap = trap_of_register(s, i);

		if (!trap && !w->len)
			continue;
		(void) ptrace(PTRACE_POKEUSER, tid, REGISTER(i), trap ? trap->address : w->address);
		control |= trap ? control_bits(i, trap->kind, trap->len) : control_bits(i, w->kind, w->len);
	}
	(void) ptrace(PTRACE_POKEUSER, tid, REGISTER(CONTROL), control);
}

/* Which of the four the newest trap was for. Cleared for the next. */
static void take(struct session *s, pid_t tid, unsigned *hits)
{
	long status;

	(void) s;
	errno = 0;
	status = ptrace(PTRACE_PEEKUSER, tid, REGISTER(STATUS), 0);
	if (errno)
		return;
	*hits |= (unsigned)status & ((1 << MAX_WATCHES) - 1);
	(void) ptrace(PTRACE_POKEUSER, tid, REGISTER(STATUS), 0);
}

static void with_thread(struct session *s, pid_t tid, thread_action *action, unsigned *hits)
{
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 && waitpid(tid, &status, __WALL) == tid)
		action(s, tid, hits);
	(void) ptrace(PTRACE_DETACH, tid, 0, 0);
}

static void with_threads(struct session *s, thread_action *action, unsigned *hits)
{
	char path[64];
	autoclean(closedirp) DIR *dir = NULL;
	struct dirent *entry;

	(void) snprintf(path, sizeof(path), "/proc/%d/task", s->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			with_thread(s, (pid_t)strtol(entry->d_name, NULL, 10), action, hits);
}

void arm_watches(struct session *s)
{
	with_threads(s, arm, NULL);
	s->watches_changed = false;
}

void arm_search(struct session *s)
{
	with_thread(s, (pid_t)s->shared->stop_tid, arm, NULL);
}

unsigned take_hits(struct session *s)
{
	unsigned hits = 0;

	if (free_registers(s) < MAX_WATCHES)
		with_threads(s, take, &hits);
	else
		with_thread(s, (pid_t)s->shared->stop_tid, take, &hits);
	return hits;
}

bool is_trap_hit(const struct session *s, unsigned hits, unsigned n)
{
	return n < s->n_traps && (hits >> register_of_trap(s, n) & 1);
}
