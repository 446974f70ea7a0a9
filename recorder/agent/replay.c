/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * replay - events out of the ring, and the order of the threads
 *
 * One thread has the turn. It runs until its next entry into the agent, looks at the
 * log's next event, and if that is another's, gives the turn to it. Only who has the
 * turn reads the ring. When the replayer must look (an async event comes, a
 * breakpoint was hit, the log has ended), the thread stops in here: then every thread
 * of the process stands in the agent with its context saved, and no ptrace is needed.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"
#include "recorder/rebuild.h"

enum {
	SPINS = 2000,
	TRAP_HWBKPT_ = 4,
	REPLAY_FLAG_TRAP = 1 << 8,
	FLAG_ZERO = 1 << 6,
	FLAGS_OF_RESULT = 0x8d5,	/* carry, parity, adjust, zero, sign, overflow */
};

static const struct event *event_at(uint64_t position)
{
	return (const struct event *)(agent_config.base + AGENT_RING +
				      (position & (agent_config.ring_len - 1)));
}

/* The replayer sleeps on this counter. */
static void ring_doorbell(void)
{
	(void) add_fetch(&shared()->producer_waits, 1);
	futex_wake(&shared()->producer_waits, 1);
}

static void wait_while(uint32_t *word, uint32_t value)
{
	for (int i = 0; i < SPINS; i++) {
		if (load_acquire(word) != value)
			return;
		cpu_relax();
	}
	while (load_acquire(word) == value)
		futex_wait(word, value, 0);
}

void replay_stop(struct thread *thread, enum replay_stop why)
{
	struct agent_shared *s = shared();
	struct replay_command *c = &s->command;

	/* It may be looked at, and changed. */
	context_to_memory(thread);
	for (;;) {
		uint32_t go = load_acquire(&s->go);

		s->stop_thread = thread->slot;
		s->stop_tid = (uint32_t)agent_syscall(NR_gettid);
		store_release(&s->stop, (uint32_t)why);
		ring_doorbell();
		wait_while(&s->go, go);
		if (!c->wanted)
			return;
		c->wanted = 0;
		c->result = agent_call(c->nr, (long)c->args[0], (long)c->args[1], (long)c->args[2],
				       (long)c->args[3], (long)c->args[4], (long)c->args[5]);
	}
}

void replay_text_changes(struct thread *thread, bool done)
{
	if (done ? load_relaxed(&shared()->text_lifted) : load_relaxed(&shared()->n_patches))
		replay_stop(thread, done ? STOP_TEXT_CHANGED : STOP_TEXT_CHANGES);
}

/* Waits until there is an event at @position; false if there will never be one. */
static bool await_event(uint64_t position)
{
	struct agent_shared *s = shared();

	for (;;) {
		uint32_t fed = load_acquire(&s->consumer_wake);
		uint32_t ended = load_acquire(&s->log_ended);	/* set behind the last head */

		if (load_acquire(&s->head) != position)
			return true;
		if (ended)
			return false;
		wait_while(&s->consumer_wake, fed);
	}
}

static const struct event *peek(struct thread *thread)
{
	while (!await_event(process()->read_at))
		replay_stop(thread, STOP_END);
	return event_at(process()->read_at);
}

static void give_turn(struct thread *thread, const struct event *event)
{
	struct thread *other = slot_thread(event->thread);

	if (event->thread >= process()->n_slots_mapped || other->canary != THREAD_CANARY ||
	    other->state == THREAD_ENDED)
		replay_diverged(thread, 0, 0, 0);
	/* Where the other comes to an end, all contexts are compared. */
	context_save(thread);
	store_release(&other->turn, 1);
	futex_wake(&other->turn, 1);
}

static void wait_turn(struct thread *thread)
{
	wait_while(&thread->turn, 0);
	store_relaxed(&thread->turn, 0);
}

const struct event *replay_next(struct thread *thread)
{
	for (;;) {
		const struct event *event = peek(thread);

		if (event->thread != thread->slot) {
			give_turn(thread, event);
			wait_turn(thread);
		} else if (event->kind == EVENT_SNAPSHOT) {
			replay_stop(thread, STOP_SNAPSHOT);
			replay_done(thread);
		} else if ((event->kind == EVENT_PAGE_OUT || event->kind == EVENT_PAGE_IN ||
			    event->kind == EVENT_TURN) && !(event->flags & ~EVENT_CONTINUED)) {
			pages_replay(thread, event);
		} else {
			return event;
		}
	}
}

const struct event *replay_peek(struct thread *thread)
{
	const struct event *event = peek(thread);

	return event->thread == thread->slot ? event : NULL;
}

const struct event *replay_expect(struct thread *thread, enum event_kind kind, unsigned nr,
				  uint32_t check)
{
	const struct event *event = replay_next(thread);

	/* Numbers of calls that don't exist may be larger than an event's; the check has all of it. */
	if (event->kind != kind || event->nr != (uint16_t)nr || event->check != check)
		replay_diverged(thread, kind, nr, check);
	return event;
}

static const struct event *present_event(void)
{
	return event_at(process()->read_at);
}

/* Bytes of payload that can be read at once; steps into EVENT_MORE where one follows. */
static size_t payload(struct thread *thread, const uint8_t **ret_bytes)
{
	struct agent_process *p = process();
	const struct event *event = present_event();

	if (p->read_used == 0)
		p->read_used = sizeof(*event);
	if (p->read_used >= event->len && (event->flags & EVENT_CONTINUED)) {
		while (!await_event(p->read_at + event->len))
			replay_stop(thread, STOP_END);
		replay_done(thread);
		event = present_event();
		if (event->kind != EVENT_MORE)
			replay_diverged(thread, 0, 0, 0);
		p->read_used = sizeof(*event);
	}
	*ret_bytes = (const uint8_t *)event + p->read_used;
	return event->len - p->read_used;
}

bool replay_read(struct thread *thread, void *to, size_t len)
{
	while (len) {
		const uint8_t *bytes;
		size_t n = MIN(len, payload(thread, &bytes));

		if (n == 0)
			return false;
		memcpy(to, bytes, n);
		process()->read_used += n;
		to = (uint8_t *)to + n;
		len -= n;
	}
	return true;
}

bool replay_read_to_user(struct thread *thread, uint64_t to, size_t len)
{
	while (len) {
		const uint8_t *bytes;
		size_t n = MIN(len, payload(thread, &bytes));

		if (n == 0)
			return false;
		/* What couldn't be written then can't be now: the log has zeroes for it. */
		(void) copy_to_user(to, bytes, n);
		process()->read_used += n;
		to += n;
		len -= n;
	}
	return true;
}

void replay_done(struct thread *thread)
{
	struct agent_shared *s = shared();
	struct agent_process *p = process();
	uint64_t half = agent_config.ring_len / 2, head = load_relaxed(&s->head);
	bool was_above = head - p->read_at > half;

	(void) thread;
	p->read_at += present_event()->len;
	p->read_used = 0;
	s->replayed++;
	store_release(&s->tail, p->read_at);
	if (was_above && head - p->read_at <= half)
		ring_doorbell();
}

void replay_diverged(struct thread *thread, unsigned kind, unsigned nr, uint32_t check)
{
	struct agent_shared *s = shared();
	const struct event *event = present_event();
	const struct ucontext *context = context_of(thread);

	s->divergence = (struct divergence){
		.event = s->replayed,
		.thread = event->thread,
		.kind = event->kind,
		.nr = event->nr,
		.check = event->check,
		.replayed_kind = kind,
		.replayed_nr = nr,
		.replayed_check = check,
	};
	if (context) {
		static const uint8_t order[6] = { REG_RDI_, REG_RSI_, REG_RDX_,
						  REG_R10_, REG_R8_, REG_R9_ };

		s->divergence.ip = context->regs[REG_RIP_];
		for (int i = 0; i < 6; i++)
			s->divergence.args[i] = context->regs[order[i]];
	}
	for (;;)
		replay_stop(thread, STOP_DIVERGED);
}

/* The event before which the thread must stop, if it isn't at its next entry anyway. */
static const struct event *peek_in_user(struct thread *thread)
{
	/* Frozen asleep: it was on its way into a call. */
	if (load_relaxed(&shared()->ends_asleep) && !await_event(process()->read_at))
		return NULL;
	return peek(thread);
}

/* -- faults that needn't repeat --------------------------------------------------------------- */

/* The program goes on, and @event is what comes for it. */
static void await_fault(struct thread *thread, const struct event *event)
{
	struct replay_fault *fault = &shared()->fault;
	struct event_signal what;
	struct siginfo info;

	if ((event->kind != EVENT_SIGNAL && event->kind != EVENT_FATAL) || !(event->flags & EVENT_AT_FAULT) ||
	    event->nr != SIGBUS_ || event->len < sizeof(*event) + sizeof(what))
		return;
	memcpy(&what, event + 1, sizeof(what));
	memcpy(&info, what.info, sizeof(info));
	fault->page = ALIGN_DOWN(info.addr, (uint64_t)PAGE);
	fault->check = event->check;
	fault->passing_by = 0;
	replay_stop(thread, STOP_FAULT);
}

enum replay_awaited replay_awaited_fault(struct ucontext *context, uint64_t address)
{
	struct replay_fault *fault = &shared()->fault;

	if (!fault->page || fault->passing_by || address - fault->page >= PAGE)
		return FAULT_OTHER;
	(void) agent_syscall(NR_mprotect, fault->page, PAGE, fault->prot);
	if ((uint32_t)context->regs[REG_RIP_] == fault->check) {
		fault->page = 0;
		return FAULT_AWAITED;
	}
	fault->passing_by = 1;
	context->regs[REG_EFL_] |= REPLAY_FLAG_TRAP;
	return FAULT_PASSED_BY;
}

/* It has gone by. */
static bool passed_by_fault(struct ucontext *context)
{
	struct replay_fault *fault = &shared()->fault;

	if (!fault->passing_by)
		return false;
	fault->passing_by = 0;
	context->regs[REG_EFL_] &= ~(uint64_t)REPLAY_FLAG_TRAP;
	(void) agent_syscall(NR_mprotect, fault->page, PAGE, 0);
	return true;
}

void replay_before_user(struct thread *thread)
{
	const struct event *event;

	if (load_relaxed(&shared()->stop_at_events) && shared()->replayed >= shared()->stop_events_from)
		replay_stop(thread, STOP_EVENT);
	while ((event = peek_in_user(thread)) != NULL && event->thread == thread->slot) {
		if (event->kind == EVENT_ASYNC)
			replay_stop(thread, STOP_ASYNC);
		await_fault(thread, event);
		if (!(event->flags & EVENT_AT_EXIT))
			break;
		if (event->kind == EVENT_SNAPSHOT) {
			replay_stop(thread, STOP_SNAPSHOT);
			replay_done(thread);
		} else if (event->kind == EVENT_PAGE_OUT) {
			pages_replay(thread, event);
		} else {
			signal_replay(thread);
		}
	}
	if (load_relaxed(&shared()->attention) & ATTENTION_STOP)
		replay_stop(thread, STOP_REQUESTED);
}

bool replay_clock(struct thread *thread, unsigned clock, int64_t *ret_ns)
{
	const struct event *event = peek(thread);

	if (event->thread != thread->slot || event->kind != EVENT_CLOCK)
		return false;
	if (event->nr != clock)
		replay_diverged(thread, EVENT_CLOCK, clock, 0);
	/* Where a replay ends the context must be saved: call.c takes the event. */
	if (!await_event(process()->read_at + event->len))
		return false;
	*ret_ns = event->result;
	replay_done(thread);
	event = peek(thread);
	if (event->thread != thread->slot)
		return true;
	shared()->stop_in_vdso = 1;
	if (event->kind == EVENT_ASYNC)
		replay_stop(thread, STOP_ASYNC);
	await_fault(thread, event);
	shared()->stop_in_vdso = 0;
	return true;
}

/* Behind what is before it there is nothing to do but to go on. */
static bool is_for_later(const struct thread *thread, const struct event *event)
{
	return event->thread != thread->slot ||
	       (event->kind != EVENT_ASYNC && !(event->flags & (EVENT_AT_EXIT | EVENT_AT_FAULT)));
}

bool replay_tsc(struct thread *thread, unsigned len, uint32_t check, int64_t *ret_result)
{
	const struct event *event = peek(thread);

	if (event->thread != thread->slot || event->kind != EVENT_TSC || event->nr != len || event->check != check ||
	    thread->stepping || load_relaxed(&shared()->attention) || load_relaxed(&shared()->stop_at_events) ||
	    !await_event(process()->read_at + event->len) ||
	    !is_for_later(thread, event_at(process()->read_at + event->len)))
		return false;
	*ret_result = event->result;
	replay_done(thread);
	return true;
}

static bool is_place(const struct ucontext *context)
{
	struct replay_search *search = &shared()->search;
	const struct event_async *wanted = &search->place;
	struct event_async *place = &search->nearest;
	uint32_t watch_hit = this_thread()->watch_hit;

	/* Before the rest is looked at, which takes longer. */
	if (memcmp(context->regs, wanted->regs, REG_RIP_ * sizeof(wanted->regs[0])) != 0)
		return false;
	place_compute(context, place);
	search->n_near++;
	this_thread()->watch_hit = watch_hit;	/* what it reads isn't the program's access */
	return memcmp(place, wanted, sizeof(*place)) == 0;
}

/*
 * The search's thread stands at its string instruction, and more repetitions are before it
 * than were when the recorded one was interrupted: it makes the difference.
 */
static bool begin_partial(struct ucontext *context)
{
	static const uint8_t others[] = { REG_R8_, REG_R9_, REG_R10_, REG_R11_, REG_R12_, REG_R13_,
					  REG_R14_, REG_R15_, REG_RBP_, REG_RBX_, REG_RDX_, REG_RSP_ };
	const struct replay_search *search = &shared()->search;
	const uint64_t *wanted = search->place.regs;

	if (!search->partial || context->regs[REG_RCX_] <= wanted[REG_RCX_])
		return false;
	for (unsigned i = 0; i < sizeof(others); i++)
		if (context->regs[others[i]] != wanted[others[i]])
			return false;
	context->regs[REG_RCX_] -= wanted[REG_RCX_];
	context->regs[REG_RIP_] = search->partial;
	return true;
}

/* Behind those: at the place, or on with the rest of the instruction. */
static bool end_partial(struct ucontext *context)
{
	const struct replay_search *search = &shared()->search;
	uint64_t *regs = context->regs, left = regs[REG_RCX_];
	uint64_t flags = regs[REG_EFL_];
	bool equal = flags & FLAG_ZERO, goes_on = left == 0;

	if (search->repeats_while)
		goes_on &= equal == (search->repeats_while == REPEATS_WHILE_EQUAL);
	regs[REG_RCX_] += search->place.regs[REG_RCX_];
	if (!goes_on) {
		regs[REG_RIP_] = search->behind;
		return false;
	}
	regs[REG_RIP_] = search->place.regs[REG_RIP_];
	/* What an interrupted comparison leaves in the flags the processors say nothing of. */
	if (search->repeats_while)
		regs[REG_EFL_] = (flags & ~(uint64_t)FLAGS_OF_RESULT) |
				 (search->place.regs[REG_EFL_] & FLAGS_OF_RESULT);
	if (is_place(context))
		return true;
	regs[REG_EFL_] = flags;
	regs[REG_RIP_] = search->out_of_line;
	return false;
}

/* At the trap of the search: is this the place? If not, the displaced code goes on. */
static bool found_place(struct thread *thread, struct ucontext *context)
{
	struct replay_search *search = &shared()->search;
	uint64_t every = load_relaxed(&search->report_every);

	context->regs[REG_RIP_] = search->place.regs[REG_RIP_];
	if (is_place(context))
		return true;
	search->arrivals++;
	if (begin_partial(context))
		return false;
	if (every && search->arrivals % every == 0)
		replay_stop(thread, STOP_ARRIVED);
	/* From a debug register's trap the processor goes on by itself, by the resume flag. */
	if (!search->hardware)
		context->regs[REG_RIP_] = search->out_of_line;
	return false;
}

/* Somebody jumps behind the beginning of what is displaced. */
static bool goes_to_twin(struct ucontext *context)
{
	const struct replay_search *search = &shared()->search;

	for (uint32_t i = 0; i < MIN(search->n_twins, (uint32_t)MAX_REPLAY_TWINS); i++) {
		if (context->regs[REG_RIP_] != search->twins[i].address)
			continue;
		context->regs[REG_RIP_] = search->twins[i].copy;
		return true;
	}
	return false;
}

/*
 * A hypervisor may lose what the debug status register said of a trap; the kernel takes it for an
 * ICEBP's then, and says TRAP_BRKPT, which it says of nothing else (int3's is SI_KERNEL).
 */
static int code_of_trap(const struct ucontext *context, const struct siginfo *info)
{
	enum { TRAP_BRKPT = 1, ICEBP = 0xf1 };
	uint8_t before = 0;

	if (info->code != TRAP_BRKPT)
		return info->code;
	(void) copy_from_user(&before, context->regs[REG_RIP_] - 1, 1);
	return before == ICEBP ? TRAP_BRKPT : TRAP_HWBKPT_;
}

enum trap replay_trap(struct thread *thread, struct ucontext *context, const struct siginfo *info)
{
	struct agent_shared *s = shared();
	struct replay_search *search = &s->search;
	uint64_t ip = context->regs[REG_RIP_];
	bool at_trap = search->address && ip - 1 == search->address;
	int code = code_of_trap(context, info);

	if ((code == TRAP_HWBKPT_ && goes_to_twin(context)) || passed_by_fault(context))
		return TRAP_DONE;
	set_context(thread, context, FP_IN_FRAME);
	thread->fs_base = read_fs_base();
	if (search->hardware && ip == search->place.regs[REG_RIP_] && code == TRAP_HWBKPT_)
		at_trap = true;
	if (search->partial && ip == search->partial_end) {
		if (!end_partial(context))
			return TRAP_DONE;
		at_trap = true;
	} else if (at_trap && !found_place(thread, context)) {
		return TRAP_DONE;
	}
	/* A debugger's step may arrive there too. */
	if (at_trap || (search->active && context->regs[REG_RIP_] == search->place.regs[REG_RIP_] &&
			is_place(context))) {
		replay_stop(thread, STOP_FOUND);
		/* A step that has arrived there ends when the thread goes on. */
		if (context->regs[REG_EFL_] & REPLAY_FLAG_TRAP)
			thread->stepping = 1;
		context->regs[REG_EFL_] &= ~(uint64_t)REPLAY_FLAG_TRAP;
		return TRAP_PLACE_FOUND;
	}
	s->stop_signal = (uint32_t)code;
	s->stop_address = context->regs[REG_RIP_];
	s->trap_is_programs = 0;
	replay_stop(thread, STOP_TRAP);
	return s->trap_is_programs ? TRAP_PROGRAMS : TRAP_DONE;
}

void replay_trap_in_agent(struct thread *thread, struct ucontext *context, const struct siginfo *info)
{
	thread->watch_hit |= code_of_trap(context, info) == TRAP_HWBKPT_;
	/* The step ends where the program goes on. */
	if ((context->regs[REG_RIP_] == (uint64_t)stub_entry || context->regs[REG_RIP_] == (uint64_t)tsc_entry) &&
	    (context->regs[REG_EFL_] & REPLAY_FLAG_TRAP)) {
		thread->stepping = 1;
		context->regs[REG_EFL_] &= ~(uint64_t)REPLAY_FLAG_TRAP;
	}
}

void replay_kicked(struct thread *thread, struct ucontext *context)
{
	set_context(thread, context, FP_IN_FRAME);
	thread->fs_base = read_fs_base();
	replay_stop(thread, STOP_REQUESTED);
}

void replay_first_turn(struct thread *thread)
{
	give_turn(thread, peek(thread));
}

void replay_thread_begins(struct thread *thread)
{
	wait_turn(thread);
}

__attribute__((noreturn)) static void stay(void *argument)
{
	static const uint32_t never;
	struct agent_slot *slot = argument;

	store_release(&slot->kernel_tid, 0);
	futex_wake(&slot->kernel_tid, INT32_MAX);
	for (;;)
		futex_wait((uint32_t *)&never, 0, 0);
}

/* The process's first thread stays, where the rebuilding began: another may get its slot. */
__attribute__((noreturn)) static void leave_slot(struct thread *thread)
{
	enum { SIG_SETMASK_ = 2 };
	uint64_t all = ~UINT64_C(0);
	struct thread *record = (struct thread *)(agent_config.base + AGENT_REBUILD_RECORD);

	(void) agent_syscall(NR_rt_sigprocmask, SIG_SETMASK_, &all, NULL, 8);
	record->self = record;
	write_gs_base(record);
	call_on_stack(agent_config.base + AGENT_REBUILD_STACK_TOP, stay, slot_of(thread));
}

void replay_give_turn_and_end(struct thread *thread)
{
	const struct event *event = peek(thread);

	slot_of(thread)->status = SLOT_FREE;
	give_turn(thread, event);
	/* Without its first thread, /proc has nothing of a process. */
	if (thread->is_leader)
		leave_slot(thread);
	for (;;)
		(void) agent_syscall(NR_exit, 0);
}
