/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debug - breakpoints, watchpoints, steps
 *
 * They need no tracer: a trap of the processor becomes a SIGTRAP that the agent in the
 * process handles by stopping. ptrace is used only to set debug registers, for the
 * moment that this takes; they stay when it lets go.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "replay/internal.h"
#include "replay/session-internal.h"

enum {
	INT3 = 0xcc,
	FLAG_TRAP = 1 << 8,
};

/* -- memory ------------------------------------------------------------------------------------- */

ssize_t session_read(const struct session *s, uint64_t address, void *to, size_t len)
{
	ssize_t n = pread(s->mem, to, len, (off_t)address);

	for (size_t i = 0; n > 0 && i < s->n_breakpoints; i++) {
		uint64_t at = s->breakpoints[i].address;

		if (at >= address && at < address + (uint64_t)n)
			((uint8_t *)to)[at - address] = s->breakpoints[i].byte;
	}
	return n < 0 ? -errno : n;
}

/* -- breakpoints ---------------------------------------------------------------------------------- */

static struct breakpoint *find_breakpoint(struct session *s, uint64_t address)
{
	for (size_t i = 0; i < s->n_breakpoints; i++)
		if (s->breakpoints[i].address == address)
			return &s->breakpoints[i];
	return NULL;
}

int session_set_breakpoint(struct session *s, uint64_t address)
{
	static const uint8_t trap = INT3;
	struct breakpoint *more, new = { .address = address };

	if (find_breakpoint(s, address))
		return 0;
	if (session_read(s, address, &new.byte, 1) != 1)
		return -EFAULT;
	more = realloc(s->breakpoints, (s->n_breakpoints + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->breakpoints = more;
	if (pwrite(s->mem, &trap, 1, (off_t)address) != 1)
		return -EFAULT;
	more[s->n_breakpoints++] = new;
	tell_patches(s);
	return 0;
}

int session_clear_breakpoint(struct session *s, uint64_t address)
{
	struct breakpoint *b = find_breakpoint(s, address);

	if (!b)
		return -ENOENT;
	if (pwrite(s->mem, &b->byte, 1, (off_t)address) != 1)
		return -EFAULT;
	*b = s->breakpoints[--s->n_breakpoints];
	tell_patches(s);
	return 0;
}

/* -- watchpoints ------------------------------------------------------------------------------------ */

/* Debug register 7: enable bit, kind and length of each of the four. */
static unsigned long control_bits(const struct session *s)
{
	unsigned long bits = 0;

	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		const struct watch *w = &s->watches[i];
		unsigned long len = w->len == 8 ? 2 : w->len - 1;

		if (w->len)
			bits |= 1ul << (2 * i) | ((unsigned long)w->kind | len << 2) << (16 + 4 * i);
	}
	return bits;
}

static void arm_thread(const struct session *s, pid_t tid)
{
	size_t base = offsetof(struct user, u_debugreg);
	int status;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 && waitpid(tid, &status, __WALL) == tid) {
		(void) ptrace(PTRACE_POKEUSER, tid, base + 7 * sizeof(long), 0);
		for (unsigned i = 0; i < MAX_WATCHES; i++)
			if (s->watches[i].len)
				(void) ptrace(PTRACE_POKEUSER, tid, base + i * sizeof(long), s->watches[i].address);
		(void) ptrace(PTRACE_POKEUSER, tid, base + 7 * sizeof(long), control_bits(s));
	}
	(void) ptrace(PTRACE_DETACH, tid, 0, 0);
}

void arm_watches(struct session *s)
{
	char path[64];
	autoclean(closedirp) DIR *dir = NULL;
	struct dirent *entry;

	(void) snprintf(path, sizeof(path), "/proc/%d/task", s->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			arm_thread(s, (pid_t)strtol(entry->d_name, NULL, 10));
	s->watches_changed = false;
}

int session_set_watch(struct session *s, uint64_t address, unsigned len, enum watch_kind kind)
{
	if ((len != 1 && len != 2 && len != 4 && len != 8) || address % len)
		return -EINVAL;
	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		if (s->watches[i].len)
			continue;
		s->watches[i] = (struct watch){ address, len, kind, 0 };
		s->watches_changed = true;
		s->shared->stop_at_threads = 1;
		return 0;
	}
	return -ENOSPC;
}

int session_clear_watch(struct session *s, uint64_t address, unsigned len)
{
	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		if (s->watches[i].len != len || s->watches[i].address != address)
			continue;
		s->watches[i].len = 0;
		s->watches_changed = true;
		return 0;
	}
	return -ENOENT;
}

static uint64_t watched_value(const struct session *s, const struct watch *w)
{
	uint64_t value = 0;

	(void) session_read(s, w->address, &value, w->len);
	return value;
}

/* Which one it was: the one that changed, else the first (it was read, or written with what it had). */
static void find_hit(struct session *s)
{
	const struct watch *hit = NULL;

	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		const struct watch *w = &s->watches[i];

		if (w->len && (!hit || watched_value(s, w) != w->value))
			hit = w;
	}
	s->watch_hit = hit != NULL;
	s->watch_address = hit ? hit->address : 0;
}

bool session_watch_hit(const struct session *s, uint64_t *ret_address)
{
	*ret_address = s->watch_address;
	return s->watch_hit;
}

/* -- stops ------------------------------------------------------------------------------------------- */

/* The saved registers of the thread in @slot, to be changed. 0 if it has gone. */
static uint64_t frame_regs(const struct session *s, uint32_t slot, uint64_t *regs)
{
	autoclean(freep) struct thread_view *threads = NULL;
	size_t n;

	if (session_threads(s, &threads, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (threads[i].slot != slot)
			continue;
		memcpy(regs, threads[i].regs, sizeof(threads[i].regs));
		return threads[i].frame + UCONTEXT_REGS;
	}
	return 0;
}

static int set_register(struct session *s, uint64_t frame_regs_at, int reg, uint64_t value)
{
	return pwrite(s->mem, &value, sizeof(value), (off_t)(frame_regs_at + (uint64_t)reg * 8)) ==
			       sizeof(value) ? 0 : -EFAULT;
}

int session_step(struct session *s, uint32_t slot)
{
	uint64_t regs[N_REGS], at = frame_regs(s, slot, regs);

	return at ? set_register(s, at, REG_EFL_, regs[REG_EFL_] | FLAG_TRAP) : -ESRCH;
}

int trap_stop(struct session *s, enum session_stop *ret_stop, struct replay_error *ret_error)
{
	uint32_t slot = s->shared->stop_thread;
	uint64_t regs[N_REGS], at = frame_regs(s, slot, regs);

	if (!at)
		return replay_fail(ret_error, -ESRCH, "the thread that stopped has no record");
	s->watch_hit = false;
	if (s->shared->stop_signal == TRAP_HWBKPT)
		find_hit(s);
	else if (find_breakpoint(s, regs[REG_RIP_] - 1) && s->shared->stop_signal != TRAP_TRACE)
		(void) set_register(s, at, REG_RIP_, regs[REG_RIP_] - 1);
	else if (!(regs[REG_EFL_] & FLAG_TRAP) && s->shared->stop_signal != TRAP_TRACE) {
		/* Nothing of ours: the program has traps of its own. */
		s->shared->trap_is_programs = 1;
		return -EAGAIN;
	}
	(void) set_register(s, at, REG_EFL_, regs[REG_EFL_] & ~(uint64_t)FLAG_TRAP);
	*ret_stop = SESSION_TRAP;
	return 0;
}

void before_go(struct session *s)
{
	if (s->watches_changed)
		arm_watches(s);
	for (unsigned i = 0; i < MAX_WATCHES; i++)
		if (s->watches[i].len)
			s->watches[i].value = watched_value(s, &s->watches[i]);
}
