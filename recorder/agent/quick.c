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

/* What a call's memory is. */
struct quick {
	uint64_t output, capacity;	/* what it writes, and how much at most; 0: nothing */
	uint32_t factor, check;
};

/* Nobody wants anything. (And the program has begun: before that there are no stubs.) */
static inline bool is_usual(const struct thread *thread)
{
	const struct agent_process *p = process();
	const struct agent_shared *s = shared();
	uint32_t unusual = load_relaxed(&s->attention) | (load_relaxed(&s->mode) ^ MODE_RECORD) | thread->pending |
			   thread->filter | p->n_new_objects;

	if (unlikely(unusual || agent_replays() || agent_config.chaos_seed))
		return false;
	return !p->member || !((p->takes_turns && turn_is_wanted()) || directory_calls());
}

/* Other threads run: what may wait gives the baton up. */
static inline bool has_company(void)
{
	return process()->streak < STREAK_OF_ONE && !alone();
}

/* Pages there may have to be fetched first. */
static inline bool may_be_anothers(uint64_t address, uint64_t len)
{
	const struct agent_process *p = process();

	return p->n_handed && address < p->shared_end && address + len > p->shared_start;
}

/* -- what it looks at, and what it writes ------------------------------------------------------- */

static bool takes_iovec(struct quick *q, uint64_t user, uint64_t n)
{
	struct iovec64 iov[MAX_PIECES];
	size_t left = CHECKED_BUFFER;

	if (n > MAX_PIECES || !copy_from_user(iov, user, n * sizeof(*iov)))
		return false;
	for (uint64_t i = 0; i < n; i++) {
		if (unlikely(may_be_anothers(iov[i].base, iov[i].len)))
			return false;
		if (left)
			q->check = call_check_piece(q->check, &iov[i], &left);
	}
	return true;
}

static inline bool gives(struct quick *q, uint64_t user, uint64_t capacity, uint32_t factor)
{
	if (!capacity)
		return true;
	if (unlikely(q->output || may_be_anothers(user, capacity)))
		return false;
	q->output = user;
	q->capacity = capacity;
	q->factor = factor;
	return true;
}

/* The same as prepare_argument() in call.c. False: that is for the long way. */
static inline bool takes(struct quick *q, const struct sysarg *arg, uint64_t user, uint64_t other)
{
	switch (arg->kind) {
	case ARG_OUTRET:
		return gives(q, user, other, 1);
	case ARG_OUT:
		return gives(q, user, arg->b, 0);
	case ARG_OUTMUL:
		return gives(q, user, MIN(other, 1u << 28) * arg->b, arg->b);
	case ARG_STR:
		if (unlikely(may_be_anothers(user, MAX_STRING)))
			return false;
		q->check = call_check_string(q->check, user);
		return true;
	case ARG_INBUF:
		if (unlikely(may_be_anothers(user, other)))
			return false;
		q->check = call_check_buffer(q->check, user, other);
		return true;
	case ARG_IOVIN:
		return takes_iovec(q, user, other);
	default:
		return false;
	}
}

/* NULL is neither read nor written, and there is nothing of it in the sum. */
static inline bool looks_at_arguments(struct quick *q, const struct sysdesc *desc, const long args[6])
{
	for (unsigned left = desc->memory; left; left &= left - 1) {
		unsigned i = (unsigned)__builtin_ctz(left);
		const struct sysarg *arg = &desc->args[i];

		if (args[i] && !takes(q, arg, (uint64_t)args[i], (uint64_t)args[arg->a]))
			return false;
	}
	return true;
}

/* -- what kind of call it is ---------------------------------------------------------------------- */

/* No function of its own does more for it than the table says, or not in this case. */
static inline bool is_by_the_table(const struct sysdesc *desc, long nr, const long args[6])
{
	if (desc->mode == SYS_EMULATE)
		return true;
	switch (nr) {
	case NR_open:
		return !(args[1] & O_CHANGES) && !path_may_be_maps((uint64_t)args[0]);
	case NR_openat:
		return !(args[2] & O_CHANGES) && !path_may_be_maps((uint64_t)args[1]);
	default:
		return nr == NR_recvfrom;
	}
}

static inline bool may_change_mapped_file(const struct thread *thread, long nr, const long args[6])
{
	uint8_t changer = file_changers[nr];

	return changer && process()->n_objects && nr != NR_open && nr != NR_openat &&
	       !(changer == CHANGER_WRITES && descriptor_is_plain(thread, (int32_t)args[0]));
}

/* A large read of what can't change, perhaps: references.c. */
static inline bool may_be_referred_to(const struct thread *thread, long nr, const long args[6])
{
	return (nr == NR_read || nr == NR_pread64) && (uint64_t)args[2] >= REFERENCE_MIN &&
	       descriptor_may_be_fixed(thread, (int32_t)args[0]);
}

static inline bool is_quick(const struct thread *thread, const struct sysdesc *desc, long nr, const long args[6])
{
	unsigned effect = descriptor_effect(nr);

	return (effect == KEEPS_DESCRIPTORS || effect == TELLS_DESCRIPTOR || nr == NR_close) &&
	       is_by_the_table(desc, nr, args) && !may_be_referred_to(thread, nr, args) &&
	       (!desc->yields || call_keeps_baton(thread, nr, args)) && !may_change_mapped_file(thread, nr, args);
}

/*
 * Under load there is something to be had at once, as a rule, and then nobody needs the baton
 * meanwhile. Returns how long the program would wait; 0: it doesn't, or that isn't tried now.
 */
static inline long wait_of(long nr, const long args[6])
{
	long timeout = (int32_t)args[3];

	if (nr != NR_epoll_wait || !timeout)
		return 0;
	if (process()->tries_again) {
		process()->tries_again--;
		return 0;
	}
	return timeout;
}

/* -- the call ---------------------------------------------------------------------------------------- */

static inline uint32_t written(const struct quick *q, long result)
{
	if (result < 0)
		return 0;
	return (uint32_t)(q->factor ? MIN((uint64_t)result * q->factor, q->capacity) : q->capacity);
}

enum quick_end quick_call(struct thread *thread, long *ret_result)
{
	uint64_t *regs = context_of(thread)->regs;
	long nr = (long)(int32_t)regs[REG_RAX_], args[6], result, wait;
	const struct sysdesc *desc = syscall_desc(nr);
	struct quick q = { 0 };
	bool kept = true;

	if (unlikely(!desc || (desc->yields && has_company()) || !is_usual(thread)))
		return QUICK_NOT;
	args[0] = (long)regs[REG_RDI_];
	args[1] = (long)regs[REG_RSI_];
	args[2] = (long)regs[REG_RDX_];
	args[3] = (long)regs[REG_R10_];
	args[4] = (long)regs[REG_R8_];
	args[5] = (long)regs[REG_R9_];
	q.check = call_check_words(desc, nr, regs[REG_RIP_], args);
	wait = wait_of(nr, args);
	if (wait)
		args[3] = 0;
	if (unlikely(!is_quick(thread, desc, nr, args)))
		return QUICK_NOT;
	thread->wants_pages = 1;
	if (unlikely(!looks_at_arguments(&q, desc, args)))
		return QUICK_NOT;
	thread->entry_check = q.check;
	if (desc->yields)
		baton_keep(thread);
	result = program_call(thread, nr, args);
	if (desc->yields)
		kept = baton_kept(thread);
	if (unlikely(wait && result == 0)) {
		process()->tries_again = TRIES_AGAIN;
		return QUICK_NOT;
	}
	if (unlikely(result < 0)) {
		if (result == GATE_ABORTED || (result == -EINTR_ && !kept && !thread->pending))
			return QUICK_NOT;
		*ret_result = result;
		if (result == -EINTR_ || result == -EFAULT_)
			return QUICK_MADE;
	}
	log_call(thread, (unsigned)nr, q.check, result, q.output, written(&q, result));
	if (nr == NR_close)
		descriptor_forget((int32_t)args[0]);
	else if (descriptor_effect(nr) == TELLS_DESCRIPTOR)
		descriptors_told(thread, nr, args, result);
	regs[REG_RAX_] = (uint64_t)result;
	thread->state = THREAD_LEAVING;
	return QUICK_DONE;
}
