/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quick - the calls that most calls are
 *
 * They look at a buffer or fill one, wait for nobody, change nothing that is mapped, and there is
 * nothing else to be done: no signal has come, no thread, process or recorder wants anything. All
 * that syscall.c and call.c do for such a call stands here once more, in half as many instructions,
 * or a little more. What isn't so is found out before the call is made, or when it has had no
 * effect: then it goes the long way. Their events are the same, and replay only knows the long way.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	MAX_PIECES = 8,		/* of an iovec */
	MAX_STRING = 4096,
	O_CHANGES = 03 | 01000,	/* O_ACCMODE, O_TRUNC */
	TRIES_AGAIN = 8,	/* waits until the next try not to wait, when one was in vain */
};

struct quick {
	const struct sysdesc *desc;
	long nr, args[6];
	uint64_t output, capacity;	/* what it writes, and how much at most; 0: nothing */
	uint32_t factor, check;
	bool keeps;
};

static bool is_usual(const struct thread *thread)
{
	const struct agent_process *p = process();

	return p->begun && !agent_replays() && !passing() && !load_relaxed(&shared()->attention) &&
	       !thread->pending && !thread->filter && !agent_config.chaos_seed && !p->n_new_objects &&
	       !(p->takes_turns && turn_is_wanted()) && thread->fp == FP_LIVE &&
	       !(p->member && directory_calls());
}

/* Other threads run: what may wait gives the baton up. */
static bool has_company(void)
{
	return process()->streak < STREAK_OF_ONE && !alone();
}

/* Pages there may have to be fetched first. */
static bool may_be_anothers(uint64_t address, uint64_t len)
{
	const struct agent_process *p = process();

	return p->n_handed && address < p->shared_end && address + len > p->shared_start;
}

/* -- what it looks at, and what it writes ------------------------------------------------------- */

static bool takes_iovec(struct quick *q, uint64_t user, uint64_t n)
{
	struct iovec64 iov[MAX_PIECES];

	if (n > MAX_PIECES)
		return false;
	if (process()->n_handed) {
		if (!copy_from_user(iov, user, n * sizeof(*iov)))
			return false;
		for (uint64_t i = 0; i < n; i++)
			if (may_be_anothers(iov[i].base, iov[i].len))
				return false;
	}
	q->check = call_check_iovec(q->check, user, n);
	return true;
}

static bool gives(struct quick *q, uint64_t user, uint64_t capacity, uint32_t factor)
{
	if (!user || !capacity)
		return true;
	if (q->output || may_be_anothers(user, capacity))
		return false;
	q->output = user;
	q->capacity = capacity;
	q->factor = factor;
	return true;
}

/* The same as prepare_argument() in call.c. False: that is for the long way. */
static bool takes(struct quick *q, unsigned i)
{
	const struct sysarg *arg = &q->desc->args[i];
	uint64_t user = (uint64_t)q->args[i], other = (uint64_t)q->args[arg->a];

	switch (arg->kind) {
	case ARG_OUTRET:
		return gives(q, user, other, 1);
	case ARG_OUT:
		return gives(q, user, arg->b, 0);
	case ARG_OUTMUL:
		return gives(q, user, MIN(other, 1u << 28) * arg->b, arg->b);
	case ARG_STR:
		if (may_be_anothers(user, MAX_STRING))
			return false;
		q->check = call_check_string(q->check, user);
		return true;
	case ARG_INBUF:
		if (may_be_anothers(user, other))
			return false;
		q->check = call_check_buffer(q->check, user, other);
		return true;
	case ARG_IOVIN:
		return takes_iovec(q, user, other);
	case ARG_SOCKADDR: case ARG_ALWAYS:
		return !user;
	default:
		return false;
	}
}

static bool looks_at_arguments(struct quick *q, uint64_t ip)
{
	unsigned n_args = q->desc->n_args;

	q->output = 0;
	q->check = crc32c_word(crc32c_word(0, (uint64_t)q->nr), ip);
	for (unsigned i = 0; i < n_args; i++)
		q->check = crc32c_word(q->check, (uint64_t)q->args[i]);
	for (unsigned i = 0; i < n_args; i++)
		if (q->desc->args[i].kind >= ARG_STR && !takes(q, i))
			return false;
	return true;
}

/* -- what kind of call it is ---------------------------------------------------------------------- */

/* No function of its own does more for it than the table says, or not in this case. */
static bool is_by_the_table(const struct quick *q)
{
	switch (q->nr) {
	case NR_open:
		return !(q->args[1] & O_CHANGES) && !path_may_be_maps((uint64_t)q->args[0]);
	case NR_openat:
		return !(q->args[2] & O_CHANGES) && !path_may_be_maps((uint64_t)q->args[1]);
	case NR_recvfrom:
		return true;
	default:
		return q->desc->mode == SYS_EMULATE;
	}
}

static bool may_change_mapped_file(const struct thread *thread, const struct quick *q)
{
	uint8_t changer = file_changers[q->nr];

	return changer && process()->n_objects && q->nr != NR_open && q->nr != NR_openat &&
	       !(changer == CHANGER_WRITES && descriptor_is_plain(thread, (int32_t)q->args[0]));
}

/* A large read of what can't change, perhaps: references.c. */
static bool may_be_referred_to(const struct thread *thread, const struct quick *q)
{
	return (q->nr == NR_read || q->nr == NR_pread64) && (uint64_t)q->args[2] >= REFERENCE_MIN &&
	       descriptor_may_be_fixed(thread, (int32_t)q->args[0]);
}

static bool is_quick(const struct thread *thread, struct quick *q)
{
	uint8_t effect = descriptor_effects[q->nr];

	if ((effect != KEEPS_DESCRIPTORS && effect != TELLS_DESCRIPTOR && q->nr != NR_close) ||
	    !is_by_the_table(q) || may_be_referred_to(thread, q))
		return false;
	q->keeps = q->desc->yields;
	return (!q->keeps || call_keeps_baton(thread, q->nr, q->args)) && !may_change_mapped_file(thread, q);
}

/*
 * Under load there is something to be had at once, as a rule, and then nobody needs the baton
 * meanwhile. Returns how long the program would wait, and has @q not wait; 0: it doesn't.
 */
static long wait_of(struct quick *q)
{
	long timeout = (int32_t)q->args[3];

	if (q->nr != NR_epoll_wait || !timeout)
		return 0;
	if (process()->tries_again) {
		process()->tries_again--;
		return 0;
	}
	q->args[3] = 0;
	return timeout;
}

/* -- the call ---------------------------------------------------------------------------------------- */

static uint32_t written(const struct quick *q, long result)
{
	if (result < 0)
		return 0;
	return (uint32_t)(q->factor ? MIN((uint64_t)result * q->factor, q->capacity) : q->capacity);
}

enum quick_end quick_call(struct thread *thread, long *ret_result)
{
	uint64_t *regs = context_of(thread)->regs;
	struct quick q;
	bool kept = true;
	long result, wait;

	q.nr = (long)(int32_t)regs[REG_RAX_];
	q.desc = syscall_desc(q.nr);
	if (!q.desc || (q.desc->yields && has_company()) || !is_usual(thread))
		return QUICK_NOT;
	q.args[0] = (long)regs[REG_RDI_];
	q.args[1] = (long)regs[REG_RSI_];
	q.args[2] = (long)regs[REG_RDX_];
	q.args[3] = (long)regs[REG_R10_];
	q.args[4] = (long)regs[REG_R8_];
	q.args[5] = (long)regs[REG_R9_];
	wait = wait_of(&q);
	if (!is_quick(thread, &q))
		return QUICK_NOT;
	q.args[3] = (long)regs[REG_R10_];
	thread->wants_pages = 1;
	if (!looks_at_arguments(&q, regs[REG_RIP_]))
		return QUICK_NOT;
	thread->entry_check = q.check;
	if (wait)
		q.args[3] = 0;
	if (q.keeps)
		baton_keep(thread);
	result = program_call(thread, q.nr, q.args);
	if (q.keeps)
		kept = baton_kept(thread);
	if (result == 0 && wait) {
		process()->tries_again = TRIES_AGAIN;
		return QUICK_NOT;
	}
	if (result == GATE_ABORTED || (result == -EINTR_ && !kept && !thread->pending))
		return QUICK_NOT;
	*ret_result = result;
	if (result == -EINTR_ || (result == -EFAULT_ && process()->n_handed))
		return QUICK_MADE;
	log_call(thread, (unsigned)q.nr, q.check, result, q.output, written(&q, result));
	if (q.nr == NR_close)
		descriptor_forget((int32_t)q.args[0]);
	else if (descriptor_effects[q.nr] == TELLS_DESCRIPTOR)
		descriptors_told(thread, q.nr, q.args, result);
	regs[REG_RAX_] = (uint64_t)result;
	thread->state = THREAD_LEAVING;
	return QUICK_DONE;
}
