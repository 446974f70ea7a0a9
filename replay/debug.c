/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * debug - breakpoints, watchpoints, steps
 *
 * They need no tracer: a trap of the processor becomes a SIGTRAP that the agent in the
 * process handles by stopping.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/internal.h"
#include "replay/locate.h"
#include "replay/session-internal.h"

enum {
	INT3 = 0xcc,
	FLAG_TRAP = 1 << 8,
};

/* -- memory ------------------------------------------------------------------------------------- */

static void hide(const struct breakpoint *breakpoints, size_t n, uint64_t address, uint8_t *to, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (!breakpoints[i].absent && breakpoints[i].address - address < len)
			to[breakpoints[i].address - address] = breakpoints[i].byte;
}

ssize_t session_read(const struct session *s, uint64_t address, void *to, size_t len)
{
	ssize_t n = pread(s->mem, to, len, (off_t)address);

	if (n < 0)
		return -errno;
	hide(s->breakpoints, s->n_breakpoints, address, to, (size_t)n);
	hide(s->copies, s->n_copies, address, to, (size_t)n);
	locate_hide(s, address, to, (size_t)n);
	return n;
}

void session_hide_sites(const struct session *s, uint64_t address, void *bytes, size_t len)
{
	struct agent_site sites[MAX_SITES];
	uint64_t process = s->config.base + AGENT_PROCESS;
	uint32_t n;

	if (pread(s->mem, &n, sizeof(n), (off_t)(process + offsetof(struct agent_process, n_sites))) !=
	    sizeof(n))
		return;
	n = n < MAX_SITES ? n : MAX_SITES;
	if (pread(s->mem, sites, n * sizeof(sites[0]),
		  (off_t)(process + offsetof(struct agent_process, sites))) !=
	    (ssize_t)(n * sizeof(sites[0])))
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = sites[i].address + sites[i].at - address;

		if (sites[i].address && at < len && ((uint8_t *)bytes)[at] == AGENT_SITE_BYTE)
			((uint8_t *)bytes)[at] = sites[i].byte;
	}
}

/* -- breakpoints ---------------------------------------------------------------------------------- */

static struct breakpoint *find_breakpoint(struct session *s, uint64_t address)
{
	for (size_t i = 0; i < s->n_breakpoints; i++)
		if (s->breakpoints[i].address == address)
			return &s->breakpoints[i];
	return NULL;
}

bool has_breakpoint(const struct session *s, uint64_t address)
{
	return find_breakpoint((struct session *)s, address);
}

static const uint8_t trap = INT3;

static bool put(const struct session *s, const struct breakpoint *b, uint8_t byte)
{
	return b->absent || pwrite(s->mem, &byte, 1, (off_t)b->address) == 1;
}

static int plant(struct session *s, uint64_t address, struct breakpoint **list, size_t *n)
{
	struct breakpoint *more, new = { .address = address };

	if (session_read(s, address, &new.byte, 1) != 1)
		return -EFAULT;
	more = realloc(*list, (*n + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	*list = more;
	new.absent = stub_overwrites(s, address);
	if (!put(s, &new, trap))
		return -EFAULT;
	more[(*n)++] = new;
	return 0;
}

/* What runs in a stub in the place of an instruction that has a breakpoint has one, too. */
static void plant_copies(struct session *s)
{
	for (size_t i = 0; i < s->n_breakpoints; i++) {
		uint64_t copy = stub_copy(s, s->breakpoints[i].address);

		if (copy && s->n_breakpoints + s->n_copies < MAX_REPLAY_PATCHES - 1)
			(void) plant(s, copy, &s->copies, &s->n_copies);
	}
	tell_patches(s);
}

static void drop_copies(struct session *s)
{
	for (size_t i = 0; i < s->n_copies; i++)
		(void) put(s, &s->copies[i], s->copies[i].byte);
	s->n_copies = 0;
}

void lift_breakpoints(struct session *s)
{
	drop_copies(s);
	for (size_t i = 0; i < s->n_breakpoints; i++)
		(void) put(s, &s->breakpoints[i], s->breakpoints[i].byte);
	s->shared->n_patches = 0;
}

void lay_breakpoints(struct session *s)
{
	for (size_t i = 0; i < s->n_breakpoints; i++) {
		struct breakpoint *b = &s->breakpoints[i];

		b->absent = stub_overwrites(s, b->address);
		if (pread(s->mem, &b->byte, 1, (off_t)b->address) == 1)
			(void) put(s, b, trap);
	}
	plant_copies(s);
}

int session_set_breakpoint(struct session *s, uint64_t address)
{
	int r, laid;

	if (find_breakpoint(s, address))
		return 0;
	if (s->n_breakpoints == MAX_REPLAY_PATCHES - 1)
		return -ENOSPC;	/* the agent must know of each */
	locate_lift(s);
	drop_copies(s);
	r = plant(s, address, &s->breakpoints, &s->n_breakpoints);
	plant_copies(s);
	laid = locate_lay(s);
	tell_patches(s);
	return r < 0 ? r : laid;
}

int session_clear_breakpoint(struct session *s, uint64_t address)
{
	struct breakpoint *b = find_breakpoint(s, address);
	int r = 0, laid;

	if (!b)
		return -ENOENT;
	locate_lift(s);
	drop_copies(s);
	if (put(s, b, b->byte))
		*b = s->breakpoints[--s->n_breakpoints];
	else
		r = -EFAULT;
	plant_copies(s);
	laid = locate_lay(s);
	tell_patches(s);
	return r < 0 ? r : laid;
}

/* -- watchpoints ------------------------------------------------------------------------------------ */

int session_set_watch(struct session *s, uint64_t address, unsigned len, enum watch_kind kind)
{
	if ((len != 1 && len != 2 && len != 4 && len != 8) || address % len)
		return -EINVAL;
	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		if (s->watches[i].len)
			continue;
		/* A search must not read what is watched. */
		locate_lift(s);
		s->watches[i] = (struct watch){ address, len, kind, 0 };
		s->watches_changed = true;
		s->shared->stop_at_threads = 1;
		return locate_lay(s);
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

bool is_access_watched(const struct session *s, uint64_t address, unsigned len)
{
	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		const struct watch *w = &s->watches[i];

		if (w->len && w->kind == WATCH_ACCESS && address < w->address + w->len &&
		    w->address < address + len)
			return true;
	}
	return false;
}

static uint64_t watched_value(const struct session *s, const struct watch *w)
{
	uint64_t value = 0;

	(void) session_read(s, w->address, &value, w->len);
	return value;
}

/*
 * Which one it was: the processor says so; where it was overtaken (the agent has touched
 * several), the one that changed.
 */
static bool find_hit(struct session *s, unsigned hits)
{
	const struct watch *hit = NULL;

	for (unsigned i = 0; i < MAX_WATCHES; i++) {
		const struct watch *w = &s->watches[i];

		if (w->len && ((hits >> i & 1) || watched_value(s, w) != w->value))
			hit = w;
	}
	if (hit)
		s->watch_address = hit->address;
	return hit;
}

enum session_trap session_trap(const struct session *s, uint64_t *ret_watch)
{
	*ret_watch = s->watch_address;
	return s->trap;
}

/* -- threads ----------------------------------------------------------------------------------------- */

int read_thread(const struct session *s, uint32_t slot, struct thread_view *ret_view)
{
	int r = slot < MAX_THREADS ? thread_read(s->mem, &s->config, slot, ret_view) : 0;

	return r == 0 ? -ESRCH : r < 0 ? r : 0;
}

int write_register(const struct session *s, const struct thread_view *view, int reg, uint64_t value)
{
	uint64_t at = view->frame + UCONTEXT_REGS + (uint64_t)reg * 8;

	return pwrite(s->mem, &value, sizeof(value), (off_t)at) == sizeof(value) ? 0 : -EFAULT;
}

static int step_on(const struct session *s, const struct thread_view *view)
{
	return write_register(s, view, REG_EFL_, view->regs[REG_EFL_] | FLAG_TRAP);
}

int session_step(struct session *s, uint32_t slot)
{
	static const uint32_t yes = 1;
	struct thread_view view;
	int r = read_thread(s, slot, &view);

	if (r < 0)
		return r;
	if (!s->stepping) {
		s->stepping = true;
		locate_lift(s);
		r = locate_lay(s);
		if (r == 0)
			r = read_thread(s, slot, &view);
		if (r < 0)
			return r;
	}
	/* In a system call: its return is the step's end. */
	if (view.state == THREAD_ENTERED) {
		off_t at = (off_t)(view.record + offsetof(struct thread, stepping));

		return pwrite(s->mem, &yes, sizeof(yes), at) == sizeof(yes) ? 0 : -EFAULT;
	}
	return step_on(s, &view);
}

int session_end_steps(struct session *s)
{
	if (!s->stepping)
		return 0;
	s->stepping = false;
	locate_lift(s);
	return locate_lay(s);
}

/* -- stops ------------------------------------------------------------------------------------------- */

/* In a stub, but at no instruction that the thread hasn't come by already. */
static bool is_in_stubs_own(const struct session *s, uint64_t ip)
{
	return stub_has(s, ip) && !stub_is_copy(s, ip);
}

/* What a trap of the processor was; -EAGAIN: the thread goes on. */
static int judge_trap(struct session *s, struct thread_view *view)
{
	uint64_t ip = view->regs[REG_RIP_];
	bool stepped = s->shared->stop_signal == TRAP_TRACE ||
		       ((view->regs[REG_EFL_] & FLAG_TRAP) && s->shared->stop_signal != TRAP_HWBKPT);
	unsigned hits;

	if (!stepped && s->shared->stop_signal != TRAP_HWBKPT &&
	    (find_breakpoint(s, ip - 1) || stub_has(s, ip - 1))) {
		s->trap = TRAP_OF_BREAKPOINT;
		return write_register(s, view, REG_RIP_, ip - 1);
	}
	if (!stepped && s->shared->stop_signal != TRAP_HWBKPT) {
		/* Nothing of ours: the program has traps of its own. */
		s->shared->trap_is_programs = 1;
		return -EAGAIN;
	}
	hits = take_hits(s);
	if (!hits && s->shared->stop_signal == TRAP_HWBKPT)
		hits = ~0U;	/* lost by a hypervisor: any of them */
	if (locate_is_seen(s, hits, ip))
		return -ESTALE;
	/* What the search's compares read isn't the program's access. */
	if (find_hit(s, hits) && !locate_is_check(s, ip))
		s->owes_watch = true;
	else if (!stepped)
		return -EAGAIN;
	/* The jump to the pad is no step of the program's, nor is that to a stub, or from there on. */
	if (locate_is_between(s, ip) || ((locate_is_entry(s, ip) || is_in_stubs_own(s, ip)) && !s->owes_watch)) {
		(void) step_on(s, view);
		return -EAGAIN;
	}
	s->trap = s->owes_watch ? TRAP_OF_WATCH : TRAP_OF_STEP;
	return 0;
}

int trap_stop(struct session *s, enum session_stop *ret_stop, struct replay_error *ret_error)
{
	struct thread_view view;
	int r = read_thread(s, s->shared->stop_thread, &view);

	if (r == 0)
		r = judge_trap(s, &view);
	if (r == -EAGAIN || r == -ESTALE)
		return r;
	if (r < 0)
		return replay_fail(ret_error, r, "can't read the thread that stopped: %s", strerror(-r));
	(void) write_register(s, &view, REG_EFL_, view.regs[REG_EFL_] & ~(uint64_t)FLAG_TRAP);
	*ret_stop = s->owes_request && s->trap == TRAP_OF_STEP ? SESSION_REQUESTED : SESSION_TRAP;
	s->owes_watch = s->owes_request = false;
	return 0;
}

/* The search's thread has come by, and it isn't the place. */
int arrival_stop(struct session *s, enum session_stop *ret_stop, struct replay_error *ret_error)
{
	if (!find_breakpoint(s, s->shared->search.place.regs[REG_RIP_]))
		return locate_retune(s, ret_error);
	s->trap = TRAP_OF_BREAKPOINT;
	*ret_stop = SESSION_TRAP;
	return 0;
}

int request_stop(struct session *s, enum session_stop *ret_stop, struct replay_error *ret_error)
{
	struct thread_view view;
	int r;

	/* One that came too late: something else has stopped it meanwhile. */
	if (!(__atomic_load_n(&s->shared->attention, __ATOMIC_SEQ_CST) & ATTENTION_STOP))
		return -EAGAIN;
	r = read_thread(s, s->shared->stop_thread, &view);
	if (r < 0)
		return replay_fail(ret_error, r, "can't read the thread that stopped: %s", strerror(-r));
	*ret_stop = SESSION_REQUESTED;
	if (!locate_is_between(s, view.regs[REG_RIP_]))
		return 0;
	s->owes_request = true;
	(void) step_on(s, &view);
	return -EAGAIN;
}

void before_go(struct session *s)
{
	if (s->watches_changed)
		arm_watches(s);
	for (unsigned i = 0; i < MAX_WATCHES; i++)
		if (s->watches[i].len)
			s->watches[i].value = watched_value(s, &s->watches[i]);
}
