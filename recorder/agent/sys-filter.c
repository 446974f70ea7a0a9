/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-filter - seccomp filters that the program installs
 *
 * The kernel gets them as they are, and they hold for the agent as well: one that forbids
 * what the agent needs can't be recorded under, and a process with one thread goes on
 * natively from there. What the agent answers itself never reaches the kernel, so it asks
 * each filter, too, before any call. In replay, where there is no filter in the kernel,
 * that is how the program gets the same answers.
 */
#include <linux/audit.h>

#include "recorder/agent/agent.h"
#include "recorder/filter.h"

enum {
	PR_SET_SYSCALL_USER_DISPATCH_ = 59, PR_SYS_DISPATCH_OFF_ = 0,
	MODE_STRICT_ = 1,	/* prctl's: one more than seccomp's */
	SET_MODE_STRICT_ = 0, SET_MODE_FILTER_ = 1, GET_NOTIF_SIZES_ = 3,
	FLAG_TSYNC_ = 1, FLAG_NEW_LISTENER_ = 8,
	SYS_SECCOMP_ = 1,	/* si_code */
};

static_assert(sizeof(struct sock_filter) == sizeof(uint64_t), "kept as words");

static const struct sock_filter *instructions(const struct agent_filter *filter)
{
	return (const struct sock_filter *)&process()->filter_instructions[filter->first];
}

/* -- judging ------------------------------------------------------------------------------ */

/* As the kernel: the lowest of the actions, as signed numbers, and the newest of equals. */
static uint32_t verdict(const struct thread *thread, const struct call *call)
{
	struct seccomp_data data = {
		.nr = (int)call->nr,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = context_of(thread)->regs[REG_RIP_],
	};
	uint32_t result = SECCOMP_RET_ALLOW;

	for (int i = 0; i < 6; i++)
		data.args[i] = (uint64_t)call->args[i];
	for (uint32_t i = thread->filter; i > 0 && i <= MAX_FILTERS; i = process()->filters[i - 1].previous) {
		const struct agent_filter *filter = &process()->filters[i - 1];
		uint32_t one = filter_run(instructions(filter), filter->len, &data);

		if ((int32_t)(one & SECCOMP_RET_ACTION_FULL) < (int32_t)(result & SECCOMP_RET_ACTION_FULL))
			result = one;
	}
	return result;
}

/* SIGSYS, as if the call had trapped; or nothing but that, if it @kills. */
static void trap(struct thread *thread, struct call *call, uint32_t data, bool kills)
{
	struct siginfo info = {
		.signo = SIGSYS_,
		.err = (int32_t)data,
		.code = SYS_SECCOMP_,
		.call_addr = context_of(thread)->regs[REG_RIP_],
		.syscall = (int32_t)call->nr,
		.arch = AUDIT_ARCH_X86_64,
	};

	if (!agent_replays())
		signals_keep_out(thread);
	call->result = call->nr;
	call_finish(thread, call);
	if (!agent_replays())
		signal_force(thread, &info, kills);
}

static bool others_live(struct thread *thread)
{
	return agent_replays() ? replay_next(thread)->kind == EVENT_GONE : !alone();
}

bool filter_stops(struct thread *thread, struct call *call)
{
	enum { MAX_ERRNO = 4095 };
	uint32_t result = verdict(thread, call), data = result & SECCOMP_RET_DATA;

	switch (result & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return false;
	case SECCOMP_RET_ERRNO:
		call->result = -(long)MIN(data, (uint32_t)MAX_ERRNO);
		call_finish(thread, call);
		return true;
	case SECCOMP_RET_TRACE:
		call->result = -ENOSYS_;	/* nobody traces us */
		call_finish(thread, call);
		return true;
	case SECCOMP_RET_TRAP:
		trap(thread, call, data, false);
		return true;
	case SECCOMP_RET_KILL_THREAD:
		if (others_live(thread))
			sys_exit(thread, call);
		break;
	}
	trap(thread, call, data, true);
	return true;
}

/* -- installing ----------------------------------------------------------------------------- */

/* Whoever wants to know from where a call is made would find the gate. */
static bool asks_for_place(const struct sock_filter *program, uint32_t len)
{
	const uint32_t low = offsetof(struct seccomp_data, instruction_pointer);

	for (uint32_t i = 0; i < len; i++)
		if (program[i].code == (BPF_LD | BPF_W | BPF_ABS) &&
		    (program[i].k == low || program[i].k == low + 4))
			return true;
	return false;
}

/* Someone else decides about calls that never get there. */
static bool asks_others(const struct sock_filter *program, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		if (BPF_CLASS(program[i].code) == BPF_RET && BPF_RVAL(program[i].code) == BPF_K &&
		    (program[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

/*
 * Copies the program behind the filters that there are. Returns its length; 0 if there is
 * none, which the kernel will say; -ENOMEM if there are too many.
 */
static int copy_filter(uint64_t user)
{
	struct agent_process *p = process();
	struct {
		uint16_t len;
		uint64_t program;
	} fprog;

	if (!copy_from_user(&fprog, user, sizeof(fprog)) || fprog.len == 0 || fprog.len > BPF_MAXINSNS)
		return 0;
	if (p->n_filters >= MAX_FILTERS ||
	    p->n_filter_instructions + fprog.len > MAX_FILTER_INSTRUCTIONS)
		return -ENOMEM_;
	if (!copy_from_user(&p->filter_instructions[p->n_filter_instructions], fprog.program,
			    fprog.len * sizeof(struct sock_filter)))
		return 0;
	return fprog.len;
}

/* The one that was copied last is in force, for this thread or for all. */
static void keep_filter(struct thread *thread, uint32_t len, bool all)
{
	struct agent_process *p = process();

	p->filters[p->n_filters] = (struct agent_filter){ thread->filter, p->n_filter_instructions, len };
	p->n_filter_instructions += len;
	thread->filter = ++p->n_filters;
	for (uint32_t i = 0; all && i < p->n_slots_mapped; i++)
		if (slot_thread(i)->canary == THREAD_CANARY && !slot_thread(i)->is_vfork_child)
			slot_thread(i)->filter = thread->filter;
}

/*
 * The process goes on natively. With several threads that can't be done at once: the
 * kernel seems to have no filters then.
 */
static void go_native(struct thread *thread, struct call *call)
{
	note_refused(NR_seccomp);
	if (agent_replays() || !alone()) {
		call->result = -EINVAL_;
		call_finish(thread, call);
		return;
	}
	/* Nobody will look for these behind us. */
	signals_keep_out(thread);
	signal_timer_end(thread);
	snapshot_end();
	log_event(thread, EVENT_EXEC, 0, (unsigned)call->nr, call->check, 0);
	go_pass();
	(void) agent_syscall(NR_prctl, PR_SET_SYSCALL_USER_DISPATCH_, PR_SYS_DISPATCH_OFF_, 0, 0, 0);
	/* The program's call is made again, natively. */
	context_of(thread)->regs[REG_RIP_] -= 2;
	process_detach(thread);
}

/* Can the agent live under it, and what of the rest can it still do? An error is the kernel's to find. */
static bool is_bearable(uint32_t len, struct filter_extras *extras)
{
	const struct agent_process *p = process();
	const struct sock_filter *program =
		(const struct sock_filter *)&p->filter_instructions[p->n_filter_instructions];

	return !asks_for_place(program, len) && !asks_others(program, len) &&
	       !filter_check_one(program, len, VDSO_ADDRESS(VDSO_gate_done), extras);
}

static void install(struct thread *thread, struct call *call, uint64_t user, bool all)
{
	int len = copy_filter(user);
	struct filter_extras extras = { true, true, true, true };

	if (!agent_replays() && (len < 0 || (len > 0 && !is_bearable((uint32_t)len, &extras)))) {
		go_native(thread, call);
		return;
	}
	if (!extras.change_code)
		process()->code_closed = 1;
	if (!extras.see_pages)
		process()->pages_unseen = 1;
	call_perform(thread, call);
	if (call->result == 0 && len > 0)
		keep_filter(thread, (uint32_t)len, all);
}

void sys_filter_install(struct thread *thread, struct call *call)
{
	bool by_prctl = call->nr == NR_prctl;
	long mode = by_prctl ? call->args[1] - MODE_STRICT_ : call->args[0], flags = call->args[1];

	if (agent_replays() && replay_next(thread)->kind == EVENT_EXEC) {
		replay_done(thread);
		(void) replay_next(thread);	/* nothing follows: it went on natively */
	}
	if (mode == SET_MODE_FILTER_ && (by_prctl || !(flags & FLAG_NEW_LISTENER_))) {
		install(thread, call, (uint64_t)call->args[2], !by_prctl && (flags & FLAG_TSYNC_));
		return;
	}
	if (mode == SET_MODE_STRICT_ || mode == SET_MODE_FILTER_) {
		go_native(thread, call);
		return;
	}
	if (!by_prctl && mode == GET_NOTIF_SIZES_)
		(void) call_add_span(call, (uint64_t)call->args[2], 6, SPAN_FIXED, NULL);
	call_perform(thread, call);
}
