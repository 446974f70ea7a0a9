/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call - one system call: what it asks for, what the kernel writes, how it is logged
 *
 * The table's row gives the spans, the pieces of program memory that the kernel writes.
 * While recording, a call that gives the baton up lets the kernel write to scratch, and
 * the bytes go to the program when the baton is held again: other threads never see
 * them early. In replay the same spans are filled from the log.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

static const struct sysdesc table[N_SYSCALLS] = {
#include "recorder/sysdesc-words.h"
};

enum {
	MAX_IOV = 1024,		/* UIO_MAXIOV */
	PAGES_BEFORE_HOLE = 1 << 16,	/* 256 MB of them */
	PROBE_ALL = 16 * PAGE,	/* of larger buffers only the ends are tried for writing */
	WRITTEN_IN_VAIN = 1 << 20,	/* what a call that fails may have written: larger datagrams are rare */
};

const struct sysdesc *syscall_desc(long nr)
{
	return nr >= 0 && nr < N_SYSCALLS && table[nr].mode != SYS_NONE ? &table[nr] : NULL;
}

/* -- scratch ------------------------------------------------------------------------------ */

static void *big_scratch(struct thread *thread, size_t len)
{
	enum { PROT_RW = 3, MAP_PRIVATE_ANON_FIXED = 0x32 };
	uint64_t base = agent_config.base + AGENT_SCRATCH + thread->slot * SLOT_BIG_SCRATCH_LEN;
	uint64_t end = thread->big_scratch_used + len, need = ALIGN_UP(end, (uint64_t)1 << 18);

	if (len > SLOT_BIG_SCRATCH_LEN || end > SLOT_BIG_SCRATCH_LEN)
		return NULL;
	if (need > thread->big_scratch_len) {
		uint64_t at = base + thread->big_scratch_len;

		if (agent_syscall(NR_mmap, at, need - thread->big_scratch_len, PROT_RW,
				  MAP_PRIVATE_ANON_FIXED, -1, 0) != (long)at)
			return NULL;
		thread->big_scratch_len = need;
	}
	thread->big_scratch_used = end;
	return (void *)(base + end - len);
}

void *call_scratch(struct thread *thread, size_t len)
{
	uint64_t base = slot_address(thread->slot) + SLOT_SCRATCH;

	len = ALIGN_UP(len, (size_t)16);
	if (len > SLOT_SCRATCH_LEN - thread->scratch_used)
		return big_scratch(thread, len);
	thread->scratch_used += len;
	return (void *)(base + thread->scratch_used - len);
}

/* Scratch with the place in its page that @user has: O_DIRECT asks for alignment. */
static void *scratch_like(struct thread *thread, uint64_t user, uint64_t len)
{
	uint64_t at;

	/* A length that the program has made up must not become a small one by overflow. */
	if (len > SLOT_BIG_SCRATCH_LEN)
		return NULL;
	at = (uint64_t)call_scratch(thread, len + PAGE);
	if (!at)
		return NULL;
	return (void *)(at + ((user - at) & (PAGE - 1)));
}

/* -- spans --------------------------------------------------------------------------------- */

struct span *call_add_span(struct call *call, uint64_t user, uint64_t capacity,
			   enum span_rule rule, uint64_t *where)
{
	struct span *span;

	if (!user || !capacity || call->n_spans == call->max_spans)
		return NULL;
	span = &call->spans[call->n_spans++];
	*span = (struct span){
		.user = user,
		.where = where,
		.capacity = capacity,
		.factor = 1,
		.rule = (uint8_t)rule,
		.carry_in = rule == SPAN_FIXED || rule == SPAN_ALWAYS || rule == SPAN_UNLESS_INVALID,
	};
	return span;
}

void *call_add_iovec(struct thread *thread, struct call *call, uint64_t user, uint64_t n)
{
	struct iovec64 *copy;

	if (n == 0 || n > MAX_IOV)
		return NULL;
	copy = call_scratch(thread, n * sizeof(*copy));
	if (!copy || !copy_from_user(copy, user, n * sizeof(*copy)))
		return NULL;
	for (uint64_t i = 0; i < n; i++)
		(void) call_add_span(call, copy[i].base, copy[i].len, SPAN_RESULT, &copy[i].base);
	return copy;
}

bool call_mask(struct thread *thread, uint64_t user, uint64_t len, uint64_t *where)
{
	uint64_t *copy, mask;

	if (!user || len != sizeof(mask) || !copy_from_user(&mask, user, sizeof(mask)))
		return false;
	copy = call_scratch(thread, sizeof(mask));
	thread->call_mask = mask;
	thread->has_call_mask = 1;
	*copy = mask & ~UNBLOCKABLE;
	*where = (uint64_t)copy;
	return true;
}

uint32_t call_check_iovec(uint32_t check, uint64_t user, uint64_t n)
{
	struct iovec64 iov;
	size_t left = CHECKED_BUFFER;

	for (uint64_t i = 0; i < n && i < MAX_IOV && left; i++) {
		if (!copy_from_user(&iov, user + i * sizeof(iov), sizeof(iov)))
			break;
		check = call_check_piece(check, &iov, &left);
	}
	return check;
}

/*
 * How much of @len can be read. The kernel doesn't look at bits of descriptors that the
 * process can't have, and programs that give the largest number don't have as many.
 */
static uint64_t readable(uint64_t user, uint64_t len)
{
	uint64_t n = 0;
	char byte;

	while (n < len && copy_from_user(&byte, user + n, 1))
		n = MIN(len, n + PAGE - ((user + n) & (PAGE - 1)));
	return n;
}

uint32_t call_check_buffer(uint32_t check, uint64_t user, uint64_t len)
{
	return crc32c_user(check, user, MIN(len, (uint64_t)CHECKED_BUFFER));
}

/* An iovec has one for each of its elements. */
static bool more_spans(struct thread *thread, struct call *call, uint64_t n)
{
	uint32_t max = FEW_SPANS + (uint32_t)MIN(n, MAX_IOV);
	struct span *more = call_scratch(thread, max * sizeof(*more));

	if (!more)
		return false;
	memcpy(more, call->spans, call->n_spans * sizeof(*more));
	call->spans = more;
	call->max_spans = max;
	return true;
}

/* What an argument reads goes into the check, what it writes becomes a span. */
static void prepare_argument(struct thread *thread, struct call *call, unsigned i,
			     const struct sysarg *arg)
{
	uint64_t user = (uint64_t)call->args[i], other = (uint64_t)call->args[arg->a];
	uint64_t *where = (uint64_t *)&call->kernel_args[i];
	struct iovec64 iov;
	struct span *span;
	uint32_t len32;

	switch (arg->kind) {
	case ARG_STR:
		call->check = call_check_string(call->check, user);
		break;
	case ARG_IN:
		call->check = crc32c_user(call->check, user, MIN(arg->b, CHECKED_STRING));
		break;
	case ARG_INBUF:
		call->check = call_check_buffer(call->check, user, other);
		break;
	case ARG_IOVIN:
		call->check = call_check_iovec(call->check, user, other);
		break;
	case ARG_MSG:
		/* struct msghdr: after name and its length, the iovec and its length. */
		if (copy_from_user(&iov, user + 16, sizeof(iov)))
			call->check = call_check_iovec(call->check, iov.base, iov.len);
		break;
	case ARG_OUT:
		(void) call_add_span(call, user, arg->b, SPAN_FIXED, where);
		break;
	case ARG_ALWAYS:
		call->check = crc32c_user(call->check, user, MIN(arg->b, CHECKED_STRING));
		(void) call_add_span(call, user, arg->b, SPAN_ALWAYS, where);
		break;
	case ARG_OUTRET:
		(void) call_add_span(call, user, other, SPAN_RESULT, where);
		break;
	case ARG_OUTMUL:
		/* A count of more than this is refused by every call that has one. */
		span = call_add_span(call, user, MIN(other, 1u << 28) * arg->b, SPAN_RESULT_MUL, where);
		if (span)
			span->factor = arg->b;
		break;
	case ARG_OUTARG:
		(void) call_add_span(call, user, MIN(other, 1u << 28) * arg->b, SPAN_UNLESS_INVALID, where);
		break;
	case ARG_OUTPAGES:
		(void) call_add_span(call, user, (other + PAGE - 1) / PAGE, SPAN_PAGES, where);
		break;
	case ARG_FDSET:
		(void) call_add_span(call, user,
				     readable(user, ((uint64_t)MIN((uint32_t)other, 1u << 26) + 63) / 64 * 8),
				     SPAN_UNLESS_INVALID, where);
		break;
	case ARG_SOCKADDR:
		if (other && copy_from_user(&len32, other, sizeof(len32)))
			(void) call_add_span(call, user, len32, SPAN_SOCKLEN, where);
		break;
	case ARG_IOVOUT: {
		void *copy = more_spans(thread, call, other) ? call_add_iovec(thread, call, user, other) : NULL;

		if (copy)
			*where = (uint64_t)copy;
		break;
	}
	case ARG_SIGSET:
		(void) call_mask(thread, user, other, where);
		break;
	}
}

void call_prepare(struct thread *thread, struct call *call)
{
	const uint64_t *regs = ((const struct ucontext *)context_of(thread))->regs;
	const struct sysdesc *desc;

	call->nr = (long)(int32_t)regs[REG_RAX_];
	call->result = 0;
	call->n_spans = 0;
	call->is_made = call->is_redirected = false;
	call->change.kind = 0;
	call->changes_object = NULL;
	call->reference.ino = 0;
	call->args[0] = call->kernel_args[0] = (long)regs[REG_RDI_];
	call->args[1] = call->kernel_args[1] = (long)regs[REG_RSI_];
	call->args[2] = call->kernel_args[2] = (long)regs[REG_RDX_];
	call->args[3] = call->kernel_args[3] = (long)regs[REG_R10_];
	call->args[4] = call->kernel_args[4] = (long)regs[REG_R8_];
	call->args[5] = call->kernel_args[5] = (long)regs[REG_R9_];
	call->desc = desc = syscall_desc(call->nr);
	call->keeps = desc && desc->yields && call_keeps_baton(thread, call->nr, call->args);
	call->yields = desc && desc->yields && !call->keeps;
	thread->scratch_used = 0;
	thread->big_scratch_used = 0;
	call->spans = call->few_spans;
	call->max_spans = FEW_SPANS;
	call->check = call_check_words(desc, call->nr, regs[REG_RIP_], call->args);
	for (unsigned i = 0; desc && i < desc->n_args; i++)
		if (desc->args[i].kind >= ARG_STR)
			prepare_argument(thread, call, i, &desc->args[i]);

	/* Memory may have changed between the call and the snapshot that we came from. */
	if (thread->resumed) {
		call->check = thread->entry_check;
		thread->resumed = 0;
	}
	thread->entry_check = call->check;
}

/* -- recording ------------------------------------------------------------------------------ */

static bool destination_is_good(const struct span *span)
{
	if (span->capacity <= PROBE_ALL)
		return user_writable(span->user, span->capacity);
	return user_writable(span->user, 1) && user_writable(span->user + span->capacity - 1, 1);
}

/*
 * The kernel writes to scratch. What has none (too large, or the destination is bad)
 * stays with the program's address: the kernel says what it thinks of it.
 */
static void redirect(struct thread *thread, struct call *call)
{
	for (uint32_t i = 0; i < call->n_spans; i++) {
		struct span *span = &call->spans[i];
		void *scratch;

		if (!span->where || !destination_is_good(span))
			continue;
		scratch = scratch_like(thread, span->user, span->capacity);
		if (!scratch)
			continue;
		call_redirect(call, span, scratch);
		if (span->carry_in)
			(void) copy_user((void *)span->scratch, (const void *)span->user, span->capacity);
		/* Of what may stay as it was, other threads may change the rest meanwhile. */
		if (span->rule == SPAN_ALWAYS || span->rule == SPAN_UNLESS_INVALID) {
			span->before = (uint64_t)call_scratch(thread, span->capacity);
			if (span->before)
				memcpy((void *)span->before, (void *)span->scratch, span->capacity);
		}
		*span->where = span->scratch;
	}
}

/* What is still to be given to the spans that share a length. */
struct share {
	uint64_t left;
	uint32_t message;	/* whose bytes `left` counts; 0: the result's */
};

static uint64_t take_share(struct share *share, uint64_t capacity)
{
	uint64_t n = MIN(share->left, capacity);

	share->left -= n;
	return n;
}

/* The value-result length that the span behind @span holds, in @size bytes. */
static uint64_t length_behind(const struct call *call, const struct span *span, size_t size)
{
	const struct span *next = span + 1;
	uint64_t len = 0;

	if (next < call->spans + call->n_spans)
		(void) copy_user(&len, (const void *)(next->scratch ? next->scratch : next->user), size);
	return len;
}

/* How many bytes of @span the kernel has written. */
static uint64_t written(const struct call *call, const struct span *span, struct share *share)
{
	if (span->rule == SPAN_ALWAYS)
		return span->capacity;
	if (span->rule == SPAN_UNLESS_INVALID)
		return call->result == -EINVAL_ ? 0 : span->capacity;
	/* What came before the hole is written. */
	if (span->rule == SPAN_PAGES && call->result == -ENOMEM_)
		return MIN(span->capacity, (uint64_t)PAGES_BEFORE_HOLE);
	if (call->result < (long)span->message)
		return 0;
	switch (span->rule) {
	case SPAN_RESULT:
		return take_share(share, span->capacity);
	case SPAN_RESULT_MUL:
		return MIN((uint64_t)call->result * span->factor, span->capacity);
	case SPAN_SOCKLEN:
		return MIN(length_behind(call, span, 4), span->capacity);
	case SPAN_LENGTH64:
		return MIN(length_behind(call, span, 8), span->capacity);
	case SPAN_MESSAGE_BYTES:
		if (share->message != span->message)
			*share = (struct share){ *span->length, span->message };
		return take_share(share, span->capacity);
	default:
		return span->capacity;
	}
}

/* Only the bytes that the kernel has changed. */
static bool write_changes(const struct span *span)
{
	const uint8_t *now = (const uint8_t *)span->scratch, *before = (const uint8_t *)span->before;
	uint64_t end = 0;

	for (uint64_t begin = 0; begin < span->capacity; begin = end) {
		while (begin < span->capacity && now[begin] == before[begin])
			begin++;
		for (end = begin; end < span->capacity && now[end] != before[end];)
			end++;
		if (!copy_to_user(span->user + begin, now + begin, end - begin))
			return false;
	}
	return true;
}

/*
 * A buffer that has a hole in its middle, which wasn't looked for, or has got one meanwhile: what
 * is before it was read, and no more, as far as a file's position can say so.
 */
static void cut_short(struct call *call, uint64_t done)
{
	enum { SEEK_CUR_ = 1 };

	if (done && (call->nr == NR_read || call->nr == NR_readv || (call->nr == NR_preadv2 && call->args[3] == -1)))
		(void) agent_syscall(NR_lseek, call->args[0], (long)done - call->result, SEEK_CUR_);
	call->result = done ? (long)done : -EFAULT_;
}

/* From the scratch to the program. A destination that went bad meanwhile: EFAULT, or what was good. */
static void write_back(struct call *call)
{
	struct share share = { .left = (uint64_t)MAX(call->result, 0) };
	uint64_t done = 0;

	for (uint32_t i = 0; i < call->n_spans; i++) {
		const struct span *span = &call->spans[i];
		uint64_t n = written(call, span, &share), copied = n;

		if (span->rule == SPAN_RESULT) {
			if (span->scratch)
				copied = copy_user((void *)span->user, (const void *)span->scratch, n);
			done += copied;
			if (copied == n)
				continue;
			cut_short(call, done);
			share.left = 0;
		} else if (span->scratch && n &&
			   !(span->before ? write_changes(span) :
					    copy_to_user(span->user, (const void *)span->scratch, n))) {
			call->result = -EFAULT_;
		}
	}
}

/* What the call reads and writes at the program's own place. Returns whether pages came. */
static bool hold_argument(struct thread *thread, const struct call *call, unsigned i,
			  const struct sysarg *arg)
{
	uint64_t user = (uint64_t)call->args[i], other = (uint64_t)call->args[arg->a], n = 0;
	struct iovec64 iov = { user, other };
	bool came = false;

	switch (arg->kind) {
	case ARG_STR:
		return pages_hold(thread, user, 1, false);
	case ARG_IN: case ARG_OUT: case ARG_ALWAYS:	/* what is written is a span, too */
		return pages_hold(thread, user, arg->b, false);
	case ARG_INBUF:
		return pages_hold(thread, user, other, false);
	case ARG_MSG:
		if (copy_from_user(&iov, user + 16, sizeof(iov)))
			user = iov.base;
		else
			iov.len = 0;
		/* fallthrough */
	case ARG_IOVIN:
		for (n = iov.len; n && n <= MAX_IOV; n--, user += sizeof(iov))
			if (copy_from_user(&iov, user, sizeof(iov)))
				came |= pages_hold(thread, iov.base, iov.len, false);
		return came;
	default:
		return false;
	}
}

static bool hold_spans(struct thread *thread, const struct call *call, bool writes)
{
	bool came = false;

	for (uint32_t i = 0; i < call->n_spans; i++)
		came |= pages_hold(thread, call->spans[i].user, call->spans[i].capacity, writes);
	return came;
}

enum { HOLD_ROUNDS = 32 };

/* While one page is waited for another may go: until all are there. */
static void hold_all(struct thread *thread, const struct call *call)
{
	const struct sysdesc *desc = call->desc;
	bool came = true;

	for (unsigned round = 0; came && round < HOLD_ROUNDS; round++) {
		process()->turn_call_pages = 0;
		came = hold_spans(thread, call, true);
		if (call->changes_object)
			came |= pages_hold_object(thread, call->changes_object, call->changes_page,
						  call->n_changes_pages);
		for (unsigned i = 0; desc && i < desc->n_args; i++)
			if (desc->args[i].kind >= ARG_STR)
				came |= hold_argument(thread, call, i, &desc->args[i]);
	}
}

/* EFAULT for want of a page that no row tells of, or that has come meanwhile for another thread? */
static bool hold_pointers(struct thread *thread, const struct call *call)
{
	bool again = false;

	for (unsigned i = 0; i < 6; i++) {
		uint64_t address = (uint64_t)call->kernel_args[i];

		again |= pages_hold(thread, address, 1, true) || pages_are_handed(address);
	}
	return again;
}

/*
 * A call that has met a page that it can't write has written what is before it, perhaps: a struct's
 * beginning, or a datagram, since what has read more says how much. What isn't changed is logged as
 * well, and does no harm.
 */
static uint64_t may_be_written(const struct span *span, struct share *share)
{
	uint64_t end = MIN(span->capacity, share->left), n = 0;

	while (n < end && user_writable(span->user + n, 1))
		n = MIN(end, n + PAGE - ((span->user + n) & (PAGE - 1)));
	share->left -= n;
	return n;
}

static void record_result(struct thread *thread, struct call *call)
{
	struct share share, in_vain = { .left = WRITTEN_IN_VAIN };

	if (call->is_redirected)
		write_back(call);
	for (unsigned round = 0; process()->n_handed && round < HOLD_ROUNDS && hold_spans(thread, call, false);
	     round++)
		;
	if (call->reference.ino && reference_log(thread, call))
		return;
	share = (struct share){ .left = (uint64_t)MAX(call->result, 0) };
	if (!log_begin(thread, EVENT_SYSCALL, call->change.kind ? EVENT_FILE : 0, (unsigned)call->nr,
		       call->check, call->result))
		return;
	for (uint32_t i = 0; i < call->n_spans; i++) {
		const struct span *span = &call->spans[i];
		uint64_t n = call->result == -EFAULT_ && !span->scratch ? may_be_written(span, &in_vain) :
									  written(call, span, &share);

		log_add_output(thread, span->user, (uint32_t)n);
	}
	if (call->change.kind)
		change_log(thread, call);
	log_end(thread);
}

/* A signal that the program ignores after all must not interrupt its call. */
static bool nothing_to_deliver(struct thread *thread)
{
	struct agent_disposition *d = disposition(thread, (int)thread->pending);

	if (d->handler != SIG_IGN_ && (d->handler != SIG_DFL_ ||
				       !(signal_bit((int)thread->pending) &
					 (signal_bit(SIGCHLD_) | signal_bit(SIGCONT_) |
					  signal_bit(SIGURG_) | signal_bit(SIGWINCH_)))))
		return false;
	return !signal_deliver_pending(thread, EVENT_AT_ENTRY);
}

/* Once. False: somebody has waited too long for the baton, and it is to be made without. */
static bool make(struct thread *thread, struct call *call, bool yields, bool keeps)
{
	if (process()->n_handed)
		hold_all(thread, call);
	if (call->nr == NR_futex && pi_lock_begins(thread, call))
		return true;
	if (yields)
		baton_release(thread, !process()->takes_turns ||
					      call_wait(thread, call->nr, call->args) == WAITS_AT_WILL);
	else if (keeps)
		baton_keep(thread);
	call->result = program_call(thread, call->nr, call->kernel_args);
	if (thread->pi_futex)
		pi_lock_ends(thread);
	if (yields)
		baton_acquire(thread);
	return yields || !keeps || baton_kept(thread) || thread->pending ||
	       (call->result != GATE_ABORTED && call->result != -EINTR_);
}

bool call_try(struct thread *thread, struct call *call)
{
	bool yields = call->yields && !passing(), keeps = call->keeps && !passing();
	unsigned faults = 0;

	if (yields)
		redirect(thread, call);
	for (;; call->is_made = false) {
		if (!call->is_made && !make(thread, call, yields, keeps)) {
			keeps = false;
			yields = call->yields = !passing();
			if (yields)
				redirect(thread, call);
			continue;
		}
		if (call->result == -EFAULT_ && faults++ < HOLD_ROUNDS && hold_pointers(thread, call))
			continue;
		if (!thread->pending || signal_waited_for(thread, call) ||
		    (call->result != GATE_ABORTED && call->result != -EINTR_))
			break;
		if (!nothing_to_deliver(thread)) {
			thread->wait_set = 0;
			return call->result != GATE_ABORTED;
		}
	}
	signal_wait_ends(thread);
	/* The mask that the call had set is over with it, but for the signal that ended it. */
	if (!thread->pending)
		thread->has_call_mask = 0;
	return true;
}

void call_give_up(struct thread *thread)
{
	signals_strike(thread, EVENT_AT_ENTRY);
	resume_program(thread);
}

/* -- replay ------------------------------------------------------------------------------------ */

/*
 * A vDSO reading that is the last event of the log comes here as a system call, so that
 * the thread's context is saved where the replay ends.
 */
static bool replay_last_clock(struct thread *thread, struct call *call)
{
	const struct event *event = replay_next(thread);
	int64_t value[2] = { event->result / 1000000000, event->result % 1000000000 };
	uint64_t user = (uint64_t)call->args[call->nr == NR_clock_gettime];

	if (event->kind != EVENT_CLOCK)
		return false;
	if (call->nr == NR_gettimeofday)
		value[1] /= 1000;
	call->result = call->nr == NR_time ? value[0] : 0;
	if (user)
		(void) copy_to_user(user, value, call->nr == NR_time ? 8 : 16);
	replay_done(thread);
	return true;
}

static void replay_result(struct thread *thread, struct call *call)
{
	const struct event *event;
	bool changes_file;

	if (replay_last_clock(thread, call))
		return;
	event = replay_expect(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
	call->result = event->result;
	changes_file = event->flags & EVENT_FILE;
	if ((event->flags & EVENT_REFERENCE) && !reference_replay(thread, call))
		replay_diverged(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
	for (uint32_t i = 0; !(event->flags & EVENT_REFERENCE) && i < call->n_spans; i++) {
		uint32_t n;

		if (!replay_read(thread, &n, sizeof(n)) || n > call->spans[i].capacity ||
		    !replay_read_to_user(thread, call->spans[i].user, n))
			replay_diverged(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
	}
	if (changes_file && !change_replay(thread, call))
		replay_diverged(thread, EVENT_SYSCALL, (unsigned)call->nr, call->check);
	replay_done(thread);
}

void call_set_result(struct thread *thread, long result)
{
	context_of(thread)->regs[REG_RAX_] = (uint64_t)result;
	thread->state = THREAD_LEAVING;
}

/* What the program shows is shown again. */
static bool is_output(const struct call *call)
{
	return (call->nr == NR_write || call->nr == NR_writev) && call->result > 0 &&
	       (call->args[0] == 1 || call->args[0] == 2);
}

void call_finish(struct thread *thread, struct call *call)
{
	if (agent_replays())
		replay_result(thread, call);
	else
		record_result(thread, call);
	call_set_result(thread, call->result);
	shared()->stop_nr = (uint32_t)call->nr;
	if (agent_replays() && is_output(call) && load_relaxed(&shared()->stop_at_writes))
		replay_stop(thread, STOP_WRITE);
}

void call_make(struct thread *thread, struct call *call)
{
	if (agent_replays())
		return;
	change_begins(call);
	reference_begins(thread, call);
	if (!call_try(thread, call))
		call_give_up(thread);
	change_ends(call);
}

void call_perform(struct thread *thread, struct call *call)
{
	call_make(thread, call);
	call_finish(thread, call);
}
