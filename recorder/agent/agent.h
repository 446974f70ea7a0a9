/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent - our code inside a recorded process
 *
 * Another world: no libc, no allocation, general registers only, a bounded stack,
 * no writable data but the arena. It must survive a bad pointer of the program's, a
 * signal at any instruction, another thread in the same place, and a recorder that
 * is gone.
 *
 * A thread enters by a signal that Syscall User Dispatch raises for each system
 * call, by another signal, or by a vDSO function. In the first two cases the kernel
 * has saved its whole context in a signal frame on the agent's stack; thread.frame
 * points at it, and it is what a snapshot keeps of the thread. The same code runs in
 * recording and in replay: where it differs, agent_replays() decides.
 *
 * Contexts in which functions may run:
 *   any		in a signal handler of ours, at any instruction
 *   entered	the thread has entered the agent: its status is SLOT_AGENT
 *   baton	entered, and it holds the baton (in replay: it is its turn)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/abi.h"
#include "recorder/agent/asm-offsets.h"
#include "recorder/agent/kernel.h"
#include "recorder/sysdesc.h"

#pragma GCC visibility push(hidden)

/* -- where things are ------------------------------------------------------- */

extern const struct agent_config agent_config;	/* last page of the image */
extern const char agent_image_start[], agent_image_end[];

/* The gate's addresses, from the vDSO's symbols (generated). */
#include "recorder/agent/vdso-offsets.h"
#define VDSO_ADDRESS(offset) (agent_config.vdso + (offset))

static inline bool agent_replays(void)
{
	return agent_config.role == AGENT_REPLAY;
}

static inline struct agent_shared *shared(void)
{
	return (struct agent_shared *)(agent_config.base + AGENT_SHARED);
}

static inline struct agent_process *process(void)
{
	return (struct agent_process *)(agent_config.base + AGENT_PROCESS);
}

static inline uint64_t slot_address(uint32_t slot)
{
	return agent_config.base + AGENT_SLOTS + slot * SLOT_LEN;
}

static inline struct thread *slot_thread(uint32_t slot)
{
	return (struct thread *)(slot_address(slot) + SLOT_THREAD);
}

static inline struct thread *this_thread(void)
{
	struct thread *self;

	__asm__("mov %%gs:0, %0" : "=r"(self));
	return self;
}

static inline struct agent_slot *slot_of(const struct thread *thread)
{
	return thread->shared_slot;
}

static inline struct ucontext *context_of(const struct thread *thread)
{
	return thread->frame;
}

static inline void set_context(struct thread *thread, struct ucontext *context, enum fp_place fp)
{
	thread->frame = context;
	thread->fp = fp;
}

/* Is @address in the region that is ours alone? Program calls that name it are refused. */
static inline bool in_region(uint64_t address)
{
	return address - agent_config.base < AGENT_REGION;
}

static inline bool range_is_ours(uint64_t start, uint64_t len)
{
	uint64_t end = start + len;

	return (end > agent_config.base && start < agent_config.base + AGENT_REGION) ||
	       (end > agent_config.vdso && start < agent_config.vdso + AGENT_VDSO_LEN);
}

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a) (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a) - 1))
#define PAGE 4096
/* So that the usual way lies together, which each call brings into the cache once more. */
#define unlikely(x) __builtin_expect(!!(x), 0)

/* -- atomics, clock ---------------------------------------------------------- */

#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define exchange(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define add_fetch(p, v) __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)
#define fetch_or(p, v) __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define fetch_and(p, v) __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST)

/* Returns whether *@p was @expected and is now @desired. */
static inline bool compare_exchange(uint32_t *p, uint32_t expected, uint32_t desired)
{
	return __atomic_compare_exchange_n(p, &expected, desired, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t read_fs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

static inline void write_fs_base(uint64_t base)
{
	__asm__ volatile("wrfsbase %0" ::"r"(base));
}

static inline void write_gs_base(const void *base)
{
	__asm__ volatile("wrgsbase %0" ::"r"(base));
}

/* -- gate.c: system calls ------------------------------------------------------ */

/* A call by the agent for itself, which doesn't block. Any context. */
long agent_call(long nr, long a, long b, long c, long d, long e, long f);
#define CALL_N(_0, _1, _2, _3, _4, _5, _6, N, ...) CALL_##N
#define agent_syscall(...) CALL_N(__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)(__VA_ARGS__)
#define CALL_0(n) agent_call(n, 0, 0, 0, 0, 0, 0)
#define CALL_1(n, a) agent_call(n, (long)(a), 0, 0, 0, 0, 0)
#define CALL_2(n, a, b) agent_call(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL_3(n, a, b, c) agent_call(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL_4(n, a, b, c, d)                                                              \
	agent_call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL_5(n, a, b, c, d, e)                                                           \
	agent_call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CALL_6(n, a, b, c, d, e, f)                                                        \
	agent_call(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

typedef long gate_function(long nr, const long *args, void *context, const uint32_t *pending);

static inline gate_function *gate(void)
{
	return (gate_function *)VDSO_ADDRESS(VDSO_gate);
}

/*
 * The program's own call. It isn't made, or is given up, when a signal is pending for
 * the thread: GATE_ABORTED then says that the call has had no effect. Entered.
 */
static inline long gate_call(struct thread *thread, long nr, const long args[6])
{
	long result;

	thread->kick_seen = 0;
	thread->in_program_call = 1;
	result = gate()(nr, args, thread->frame, &thread->pending);
	thread->in_program_call = 0;
	return result;
}
long program_call_again(struct thread *thread, long nr, const long args[6]);
static inline long program_call(struct thread *thread, long nr, const long args[6])
{
	long result = gate_call(thread, nr, args);

	return unlikely(result == -EINTR_) ? program_call_again(thread, nr, args) : result;
}

/* Waits until *@word isn't @value, a wake-up, or @timeout_ns has passed (0: no timeout). */
void futex_wait(uint32_t *word, uint32_t value, uint64_t timeout_ns);
void futex_wake(uint32_t *word, int n);

/* As @who, a slot, whom futex_wake_who() wakes and few others; until monotonic_ns() is @until_ns. */
void futex_wait_as(uint32_t who, uint32_t *word, uint32_t value, uint64_t until_ns);
void futex_wake_who(uint32_t who, uint32_t *word);
uint64_t monotonic_ns(void);

/* -- memory.c: bytes ------------------------------------------------------------ */

void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
int memcmp(const void *a, const void *b, size_t len);
/* A few bytes, of a number that is known, need no call. */
#define memcpy(to, from, len) __builtin_memcpy(to, from, len)
#define memset(to, byte, len) __builtin_memset(to, byte, len)

/*
 * Copies between memory of the agent and of the program, which may be bad: returns
 * how many bytes were copied before the first that couldn't be. Any context.
 */
size_t copy_user(void *to, const void *from, size_t len);
bool copy_from_user(void *to, uint64_t from, size_t len);
bool copy_to_user(uint64_t to, const void *from, size_t len);
/* Its length, or how many bytes were copied, if the string ends behind these. */
size_t copy_string(char *to, uint64_t from, size_t size);
/* How many bytes are the same before the first word that isn't, or can't be read; @len is of words. */
size_t same_user(const void *user, const void *ours, size_t len);
/* Of an instruction that is being executed: in a replay, no access that a debug register watches. */
size_t copy_code(void *to, uint64_t from, size_t len);
/* Can each page of it be written? Changes nothing. */
bool user_writable(uint64_t address, size_t len);
/* For the handler of faults: is @ip in a copy, and where does it go on then? */
bool copy_fault(uint64_t ip, uint64_t *ret_ip);

uint32_t crc32c(uint32_t crc, const void *data, size_t len);
static inline uint64_t crc32c_add(uint64_t crc, uint64_t word)
{
	__asm__("crc32q %1, %0" : "+r"(crc) : "rm"(word));
	return crc;
}
static inline uint32_t crc32c_word(uint32_t crc, uint64_t word)
{
	return (uint32_t)crc32c_add(crc, word);
}
/* A sum of program memory, not the CRC itself; what can't be read, and is behind that, doesn't count. */
uint32_t crc32c_user(uint32_t crc, uint64_t address, size_t len);
/* The same of a string, of at most so many words of eight bytes. */
uint32_t crc32c_string_user(uint32_t crc, uint64_t address, size_t words);

/* -- baton.c ----------------------------------------------------------------------- */

/* From the program's code into the agent and back. The baton is held on both sides. */
void agent_enter(struct thread *thread);
void agent_leave(struct thread *thread);

void baton_acquire(struct thread *thread);	/* entered -> baton */
/* @for_long: nobody knows how long, else a disk is the slowest that it may take. */
void baton_release(struct thread *thread, bool for_long);
/*
 * A child's memory is copied while the baton is still held, by a parent that waits for the child: all
 * that comes with giving the baton up happens before, and in the child nothing but that. The parent
 * acquires it then, though it may have it still, if there was no child, or that was killed at once.
 */
void baton_lend(struct thread *thread);
void baton_give_back(struct thread *thread);
/*
 * Around a call that isn't to block, though it might: who waits for the baton too long kicks the
 * thread out of it. kept returns false then; a call that is GATE_ABORTED has done nothing.
 */
void baton_keep(struct thread *thread);
bool baton_kept(struct thread *thread);	/* baton -> entered */
/* Lets who has waited too long have it first. Baton. */
void baton_yield(struct thread *thread);
/* Lets this one have it first: it waits for the baton. Baton. */
void baton_hand_over(struct thread *thread, uint32_t slot);
/* The domain has one thread. */
static inline bool alone(void)
{
	return load_relaxed(&shared()->n_threads) == 1;
}

/* The mode becomes MODE_PASS: the service goes on, unrecorded. Any context. */
void go_pass(void);
static inline bool passing(void)
{
	return load_relaxed(&shared()->mode) == MODE_PASS;
}

/* It has something to look at. Any context. */
void wake_recorder(void);
bool recorder_is_gone(void);	/* for certain: it has died */

/*
 * Waits for the recorder on *@word to become other than @value. What it takes beyond @free_ns,
 * which the call itself may cost, counts against the service's stall budget. Returns whether it
 * did. Any context.
 */
bool wait_for_recorder(uint32_t *word, uint32_t value, uint64_t free_ns);
#define FORK_OR_EXEC_NS 500000	/* to be ready for a new process or a new image */

/* -- chaos.c: what the kernel could do, more often than it does ------------------------------ */

static inline bool chaos(void)
{
	return agent_config.chaos_seed && !agent_replays();
}

/* The same, and there is something to record. */
static inline bool chaos_reigns(void)
{
	return chaos() && !passing();
}

/* Once in @one_in; never without chaos. Any context, of this thread. */
bool chaos_strikes(struct thread *thread, unsigned one_in);
/* How long a thread computes before it is interrupted, or waits before it asks. */
uint64_t chaos_delay_ns(struct thread *thread);
/* A thread that waits for the baton, or -1. Baton. */
int chaos_waiter(struct thread *thread);
/* Lets another have the baton first, or not. Baton. */
void chaos_yield(struct thread *thread);

/* -- log.c: writing events. Baton. ---------------------------------------------------- */

/*
 * One event is written between begin and end; add appends to its payload and goes on
 * in EVENT_MORE where it gets too long. The event is seen by others at its end only.
 * If there is no room within the stall bound, the mode becomes MODE_PASS and nothing
 * is written.
 */
struct event *log_begin(struct thread *thread, enum event_kind kind, unsigned flags, unsigned nr,
			uint32_t check, int64_t result);
void log_add(struct thread *thread, const void *data, size_t len);
/* Program memory; what can't be read is logged as zeroes. */
void log_add_user(struct thread *thread, uint64_t address, size_t len);
/* One of a call's outputs: its length, 32 bits, then that. */
void log_add_output(struct thread *thread, uint64_t address, uint32_t len);
void log_end(struct thread *thread);
/* The event of a call that has written @len bytes at @output, if that isn't 0. */
void log_call(struct thread *thread, unsigned nr, uint32_t check, int64_t result, uint64_t output, uint32_t len);
/* An event without payload. */
void log_event(struct thread *thread, enum event_kind kind, unsigned flags, unsigned nr,
	       uint32_t check, int64_t result);
/* A reading of the time-stamp counter, if that needs nothing but the few words of its event. */
bool log_reading(const struct thread *thread, enum event_kind kind, unsigned nr, uint32_t check, int64_t result);
/* Is there room for an event without payload, without waiting? */
bool log_has_room(void);
/* How many bytes of events can be written now, without waiting. */
uint64_t log_room(void);
/* A reading of a clock. Needs no context saved; false: there is no room without waiting. */
bool log_clock(struct thread *thread, unsigned clock, uint64_t sec, uint64_t fraction);

/* -- replay.c: reading them ------------------------------------------------------------ */

/* Waits until the log's next event is @thread's; it stays the next. Entered -> baton. */
const struct event *replay_next(struct thread *thread);
/* The log's next event if it is @thread's, which has the turn, else NULL. */
const struct event *replay_peek(struct thread *thread);
/* The same, and it must be of this kind, or the replay has diverged and doesn't return. */
const struct event *replay_expect(struct thread *thread, enum event_kind kind, unsigned nr,
				  uint32_t check);
/* The payload of the present event, from EVENT_MORE to EVENT_MORE. False: it has no more. */
bool replay_read(struct thread *thread, void *to, size_t len);
bool replay_read_to_user(struct thread *thread, uint64_t to, size_t len);
/* The present event is done. */
void replay_done(struct thread *thread);
/* On the way back to the program: what comes next for this thread? */
void replay_before_user(struct thread *thread);
void replay_stop(struct thread *thread, enum replay_stop why);
/* The agent changes the program's code next, or (@done) has: breakpoints lie in the way. */
void replay_text_changes(struct thread *thread, bool done);
__attribute__((noreturn)) void replay_diverged(struct thread *thread, unsigned kind, unsigned nr,
					       uint32_t check);
/*
 * A vDSO reading from the log. False: the recording went another way here, the system call.
 */
bool replay_clock(struct thread *thread, unsigned clock, int64_t *ret_ns);
/* A stub's rdtsc(p), of @len bytes: an EVENT_TSC's result. False: the same, or there is more to do. */
bool replay_tsc(struct thread *thread, unsigned len, uint32_t check, int64_t *ret_result);
/* A SIGTRAP in the program's code: breakpoint, step, watchpoint, or the search's trap. */
enum trap { TRAP_DONE, TRAP_PLACE_FOUND, TRAP_PROGRAMS };
enum trap replay_trap(struct thread *thread, struct ucontext *context,
		      const struct siginfo *info);
/*
 * A SIGSEGV of the program's at @address: is it for the SIGBUS that comes next in the log? One
 * that only passes by is made again.
 */
enum replay_awaited { FAULT_OTHER, FAULT_AWAITED, FAULT_PASSED_BY };
enum replay_awaited replay_awaited_fault(struct ucontext *context, uint64_t address);
/* The same in the agent: what the agent touches for the program, or a step into a stub. */
void replay_trap_in_agent(struct thread *thread, struct ucontext *context, const struct siginfo *info);
/* A KICK_SIGNAL in replay: the replayer wants the thread to stop here. */
void replay_kicked(struct thread *thread, struct ucontext *context);
/* A thread has ended: gives the turn to the next event's thread and doesn't come back. */
__attribute__((noreturn)) void replay_give_turn_and_end(struct thread *thread);
/* After a rebuild: gives the first turn. */
void replay_first_turn(struct thread *thread);
/* A new thread's own begin. */
void replay_thread_begins(struct thread *thread);

/* -- context.c: where a thread's registers are ------------------------------------------- */

/* What the kernel's signal frames are like, from the first; and a new thread may come by stubs. */
void context_learn(const struct ucontext *context);
void context_prepare(struct thread *thread);
/* For a call by a stub. */
struct ucontext *call_context(const struct thread *thread);
/* The FP state is in the frame, too, from here on; or only there, since it will be changed. */
void context_save(struct thread *thread);
void context_to_memory(struct thread *thread);
/*
 * What of the FP state is in its initial state isn't said to be in use: the kernel says so of x87 in
 * each of its frames, and what is in use is saved at calls. @all: not of x87 only, which a frame that
 * changes nothing would change. Any context.
 */
void context_tidy(struct ucontext *context, bool all);

/* -- call.c: a system call's arguments, outputs, log entry ------------------------------ */

enum span_rule {
	SPAN_FIXED,		/* capacity bytes, if the call succeeded */
	SPAN_ALWAYS,		/* capacity bytes */
	SPAN_UNLESS_INVALID,	/* capacity bytes, but nothing if the call returned EINVAL */
	SPAN_RESULT,		/* its share of the result, in the order of the spans */
	SPAN_RESULT_MUL,	/* result * factor */
	SPAN_SOCKLEN,		/* as much as the 32-bit integer in the next span says */
	SPAN_LENGTH64,		/* as much as the 64-bit integer in the next span says */
	SPAN_MESSAGE_BYTES,	/* its share of the message's length */
	SPAN_PAGES,		/* capacity bytes; after ENOMEM some of them: mincore(2) */
};

/* A piece of program memory that the kernel writes. */
struct span {
	uint64_t user;		/* where the program wants it */
	uint64_t scratch;	/* where the kernel writes it meanwhile; 0: at once */
	uint64_t before;	/* a copy of what stood there, if the kernel may leave some of it */
	uint64_t *where;	/* what tells the kernel: an argument, a pointer in a copied struct */
	uint64_t capacity;
	uint32_t factor;	/* of SPAN_RESULT_MUL */
	uint32_t message;	/* 0, or written only if the result is at least this */
	const uint32_t *length;	/* SPAN_MESSAGE_BYTES: the message's length, in scratch */
	uint8_t rule;
	uint8_t carry_in;	/* its old content matters: copied to the scratch first */
	uint8_t pad[2];
};

#define FEW_SPANS 14		/* beside an iovec's: arguments, parts of a msghdr */

struct call {
	const struct sysdesc *desc;	/* NULL: there is none of this number */
	long nr;
	long args[6];		/* the program's */
	long kernel_args[6];	/* what the kernel gets */
	long result;
	uint32_t check;
	uint32_t n_spans, max_spans;
	bool yields, keeps;	/* the baton is given up meanwhile; or kept, where it could be given up */
	bool is_redirected;	/* some span is, to scratch */
	bool is_made;		/* by quick.c, and there is more to it: @result is the kernel's */
	struct span *spans;	/* few_spans, or in the thread's scratch */
	struct span few_spans[FEW_SPANS];
	struct event_file change; /* what it does to a mapped file, if change.kind isn't 0 */
	/* Pages of shared memory that it will change behind the mapping's back: held before. Or NULL. */
	struct mapped_object *changes_object;
	uint64_t changes_page, n_changes_pages;
	long change_fd;		/* FILE_BYTES: where they can be read, or -1 */
	uint64_t change_address; /* or where they are mapped, or 0 */
	bool changes_unmapped;	/* the file isn't mapped, unless meanwhile: */
	uint32_t change_inserted; /* agent_process.n_inserted before the call */
	uint32_t reference_changes; /* agent_process.descriptor_changes before the call */
	struct event_reference reference; /* the file that it reads, if that can't change; ino 0: it may */
};

const struct sysdesc *syscall_desc(long nr);	/* NULL: no such call */
/* What is asked for, and where, goes into the check, and then so much of what the kernel reads. */
enum { CHECKED_STRING = 256, CHECKED_BUFFER = 4096 };
static inline uint32_t call_check_words(const struct sysdesc *desc, long nr, uint64_t ip, const long args[6])
{
	uint64_t check = crc32c_add(crc32c_add(0, (uint64_t)nr), ip);

	for (unsigned i = 0; desc && i < desc->n_args; i++)
		check = crc32c_add(check, (uint64_t)args[i]);
	return (uint32_t)check;
}
static inline uint32_t call_check_string(uint32_t check, uint64_t user)
{
	return crc32c_string_user(check, user, CHECKED_STRING / 8);
}
uint32_t call_check_buffer(uint32_t check, uint64_t user, uint64_t len);
uint32_t call_check_iovec(uint32_t check, uint64_t user, uint64_t n);
/* An element of it, and how many bytes are still to be looked at; at first CHECKED_BUFFER. */
static inline uint32_t call_check_piece(uint32_t check, const struct iovec64 *iov, size_t *left)
{
	size_t len = MIN(iov->len, *left);

	*left -= len;
	return crc32c_user(crc32c_word(check, iov->len), iov->base, len);
}

/*
 * Fills @call from the thread's saved registers and its row. Scratch is reserved until
 * the next call_prepare(). Baton.
 */
void call_prepare(struct thread *thread, struct call *call);
/*
 * Adds a span, for calls that no row expresses; the kernel is told of it in *@where.
 * A NULL @user adds nothing. Returns NULL then, and if there are too many.
 */
struct span *call_add_span(struct call *call, uint64_t user, uint64_t capacity,
			   enum span_rule rule, uint64_t *where);
/* The kernel will write @span to @scratch, from where it is copied. */
static inline void call_redirect(struct call *call, struct span *span, void *scratch)
{
	span->scratch = (uint64_t)scratch;
	call->is_redirected = true;
}
/*
 * An iovec array that the kernel fills: copied, with a span for each element. Returns
 * the copy, or NULL if the program's can't be read.
 */
void *call_add_iovec(struct thread *thread, struct call *call, uint64_t user, uint64_t n);
/* A signal mask argument: copied without what is ours, in force during the call. */
bool call_mask(struct thread *thread, uint64_t user, uint64_t len, uint64_t *where);
/* Memory of the agent until the call is over; NULL if it asks for too much. */
void *call_scratch(struct thread *thread, size_t len);
/*
 * Makes the call, or takes its result from the log; writes outputs and the log entry;
 * leaves the result in call->result and in the saved registers. The baton is given up
 * meanwhile if call->yields. May not return: a signal that interrupts the call before it
 * had an effect leaves the agent. Baton.
 */
void call_perform(struct thread *thread, struct call *call);
/* The first half: makes the call, in recording. */
void call_make(struct thread *thread, struct call *call);
/*
 * The same in two steps, for calls that have something to put back if a signal interrupts
 * them before they had an effect: false then, and call_give_up() delivers it.
 */
bool call_try(struct thread *thread, struct call *call);
__attribute__((noreturn)) void call_give_up(struct thread *thread);
/* The latter half: log what the agent itself has done, or in replay take it. */
void call_finish(struct thread *thread, struct call *call);
void call_set_result(struct thread *thread, long result);

/* -- mapped.c, descriptors.c, changes.c, references.c ------------------------------------- */

#include "recorder/agent/files.h"

/* -- on-fork.c: memory that a child doesn't get. Baton. --------------------------------- */

bool on_fork_is_advice(long advice);
/* Recording: the result that madvise(2) has. */
long on_fork_try(uint64_t start, uint64_t len, long advice);
/* It had 0. */
void on_fork_advise(uint64_t start, uint64_t len, long advice);
/* Something else, or nothing, is mapped there now. */
void on_fork_forget(uint64_t start, uint64_t len);
/* What a child does there (enum in abi.h), or 0; it does it here, too. */
uint32_t on_fork_at(uint64_t address);
void on_fork_add(uint64_t start, uint64_t len, uint32_t what);
/* In the child, on its way to the program. */
void on_fork_in_child(void);

/* -- quick.c ---------------------------------------------------------------------------- */

/*
 * The call at which the thread stands, if nothing is in its way. QUICK_MADE: it has been made, and
 * there is more to its @ret_result. QUICK_NOT: nothing has happened. Baton.
 */
enum quick_end { QUICK_NOT, QUICK_MADE, QUICK_DONE };
enum quick_end quick_call(struct thread *thread, long *ret_result);

/* -- syscall.c, sys-*.c ---------------------------------------------------------------- */

/* The thread stands at a system call; context_of(thread) is saved. Baton. */
void syscall_dispatch(struct thread *thread);
/* The same, of a stub's; returns if the thread can go back by it. */
void syscall_dispatch_stub(struct thread *thread);
/* Its event is written, or done: signals that have arrived strike now. */
__attribute__((noreturn)) void leave_call(struct thread *thread);

void sys_memory(struct thread *thread, struct call *call);
/* What /proc calls the file of @fd, without a zero byte. Returns the length, 0 if that can't be told. */
uint32_t path_of(long fd, char *path, size_t size);
/* Replay: the descriptor of the incident's copy of that file, or -1. */
int replay_file(uint64_t dev, uint64_t ino, uint64_t size, uint64_t mtime_ns);
/* There is memory that the program may write code to. Baton. */
void code_is_made(const struct thread *thread);
void sys_clone(struct thread *thread, struct call *call);
/* fork.c: the child has memory of its own. */
struct clone_request;
void sys_fork(struct thread *thread, struct call *call, const struct clone_request *request);
void sys_execve(struct thread *thread, struct call *call);
void sys_exit(struct thread *thread, struct call *call);
void sys_exit_group(struct thread *thread, struct call *call);
void sys_thread(struct thread *thread, struct call *call);
/* seccomp(2), and prctl(2) where it does the same. */
void sys_filter_install(struct thread *thread, struct call *call);
/*
 * A filter of the program's says no to @call, and what that means has been done. May not
 * return: the thread, or the process, may have to die. Baton.
 */
bool filter_stops(struct thread *thread, struct call *call);
void sys_signal(struct thread *thread, struct call *call);
void sys_wait_signal(struct thread *thread, struct call *call);
void sys_rt_sigreturn(struct thread *thread, struct call *call);
void sys_message(struct thread *thread, struct call *call);
void sys_open(struct thread *thread, struct call *call);
/* May it lead to a list of the program's mappings, which isn't opened as it is? */
bool path_may_be_maps(uint64_t user);
void sys_ioctl(struct thread *thread, struct call *call);
void sys_futex(struct thread *thread, struct call *call);
void sys_wait(struct thread *thread, struct call *call);
void sys_misc(struct thread *thread, struct call *call);
/* Remembers that the service asked for what we refuse, for the incident's notes. */
void note_refused(long nr);
/* The same, of a call that was made although we don't know all that it does. */
void note_unknown(long nr);

/* -- sys-futex.c ------------------------------------------------------------------------ */

/*
 * Recording, right before @call, a futex(2), is made: one that locks a PI futex is tried with
 * the baton. True: that has decided it, call->result says how. Baton.
 */
bool pi_lock_begins(struct thread *thread, struct call *call);
/* The call is back. */
void pi_lock_ends(struct thread *thread);
/* Replay: the next event, behind what @call wrote before it waited. */
const struct event *replay_next_of_call(struct thread *thread, const struct call *call);

/* -- signal.c ----------------------------------------------------------------------------- */

void signals_init(struct thread *thread);
/* Puts the kernel's idea of dispositions, mask and stack back to the program's. */
void signals_restore(struct thread *thread);
/* Before an exec, which inherits what is ignored, and back when it has failed. Baton. */
void signals_for_exec(const struct thread *thread, bool ignore);
/*
 * Detached, behind signals_restore(): where the program's instructions couldn't be put back
 * the agent goes on to answer them, unless the program has a handler for what they raise.
 */
void signal_keep_sites(const struct thread *thread);
struct agent_disposition *disposition(const struct thread *thread, int signal);
/* Tells the kernel what the program's disposition of @signal means for us. Baton. */
long signal_install(const struct thread *thread, int signal);
/* The mask that the kernel may have while the program runs. */
uint64_t kernel_mask(const struct thread *thread);
/* A fault of the program's own, where it stands. Doesn't return. Entered or any. */
void signal_fault(struct thread *thread, int signal, const struct siginfo *info, struct ucontext *context);
/* One that can't be blocked came while the program blocks it: it is kept. False: it isn't of those. */
bool signal_hold(struct thread *thread, int signal, const void *info);
/*
 * Delivers the pending signal, if there is one; @at says where the saved context stands
 * (enum event_flags). True: a handler's frame was built. May not return. Baton.
 */
bool signal_deliver_pending(struct thread *thread, unsigned at);
/*
 * The same, and all others that the kernel then lets in, each on top of the one before: what
 * the kernel does with several that may strike at once. May not return. Baton.
 */
void signals_deliver(struct thread *thread, unsigned at);
static inline void signals_strike(struct thread *thread, unsigned at)
{
	if (unlikely(thread->pending || (thread->held_mask & ~thread->mask)))
		signals_deliver(thread, at);
}
/*
 * A SIGSEGV that can't be blocked nor ignored: the frame of @signal can't be built, or a frame
 * can't be taken back (0). May not return. Recording, baton.
 */
void signal_force_segv(struct thread *thread, int signal);
/*
 * A signal of the kernel's that can't be blocked nor ignored, behind the present call, which
 * has its result; @kills: nor handled. Recording, baton, signals kept out.
 */
void signal_force(struct thread *thread, const struct siginfo *info, bool kills);
/* In replay: the next event is an EVENT_SIGNAL or EVENT_FATAL of this thread. */
void signal_replay(struct thread *thread);
/*
 * The thread is about to go: no signal strikes it any more, the kernel finds others. One that
 * has struck is delivered first, to a program that makes its call again. May not return. Baton.
 */
void signals_keep_out(struct thread *thread);
/* One of @wanted that was held back while the program had it blocked may come now. */
void signal_release_held(struct thread *thread, uint64_t wanted);
/*
 * Is @call a wait for the very signal that has struck, which we can't block for it? It has its
 * result then, and if it had another before, the signal is held back as before. Baton.
 */
bool signal_waited_for(struct thread *thread, struct call *call);
/* Nothing is waited for any more: what has struck since is held back as before. Baton. */
void signal_wait_ends(struct thread *thread);
/* The program ignores it from now on. Baton. */
void signal_forget_held(int signal);
/* Tells the kernel the mask that the program has now: what it lets in strikes at once. */
void signals_let_in(const struct thread *thread);
/* The program's rt_sigreturn: frame.c. False: its frame is bad. */
bool frame_restore(struct thread *thread);
bool frame_build(struct thread *thread, int signal, const struct event_signal *event);
/* sigaltstack(2), with the program's stack pointer at @sp: what it says, and what it does. */
void altstack_get(const struct thread *thread, uint64_t sp, struct stack *ret_stack);
long altstack_set(struct thread *thread, uint64_t sp, const struct stack *stack);

/* -- arrival.c ---------------------------------------------------------------------------- */

/* The handler of all signals. Any context. */
void signal_entry(int signal, struct siginfo *info, struct ucontext *context);
/* The pending signal gets to the program even if it makes no call. Recording, any context. */
void signal_arm_timer(struct thread *thread);
/* The thread ends: its timer, which the process would keep, does so too. */
void signal_timer_end(struct thread *thread);
/* Replay: a thread in THREAD_PREEMPTED goes on. Doesn't return. */
void resume_preempted(struct thread *thread);

/* -- text.c: the program's code is changed. Baton, or detached. ------------------------------ */

/* A descriptor for those below, which works without; closed with the other. */
int text_open(void);
void text_close(int fd);
bool text_is(int fd, uint64_t at, const uint8_t *bytes, size_t len);
bool text_write(int fd, uint64_t at, const uint8_t *bytes, size_t len);

/* -- stubs.c: system calls that needn't be signals -------------------------------------------- */

/*
 * At a system call: hot ones are counted, what the recorder has planned is done; or the log's
 * next event, in a replay. @nr: the call. Baton.
 */
void stubs_look(struct thread *thread, long nr);
static inline void stubs_attend(struct thread *thread, long nr)
{
	if (thread->fp == FP_IN_FRAME || (load_relaxed(&shared()->attention) & ATTENTION_STUBS) || agent_replays())
		stubs_look(thread, nr);
}
/* The same at an instruction that was changed, if it may have one. */
void stubs_look_at_site(struct thread *thread, const struct agent_site *site);
/* What is unmapped isn't ours any more. Before it is made writable, what was there comes back. Baton. */
void stubs_forget(uint64_t start, uint64_t len);
/* In a forked child. */
void stubs_forget_parent(void);
void stubs_restore(uint64_t start, uint64_t len);
void stubs_at_mprotect(uint64_t start, uint64_t len, long prot);
/* The program wants that memory, which it can't know to be ours. Before the call is made. Baton. */
void stubs_give_way(uint64_t start, uint64_t len);
/* Is it in a stub? Where in the program is that? Any context. */
bool in_stub(uint64_t ip);
uint64_t stub_origin(uint64_t ip);
/* An instruction that the jump to a stub overwrites, behind its first: its copy. Any other is itself. */
uint64_t stub_twin(uint64_t ip);

/* -- scan.c, sites.c: instructions whose results differ from run to run --------------------- */

/* The images that exec has mapped. Before the first snapshot. */
void sites_of_program(void);
/* The program has mapped a file, or part of one: it will be scanned. Both modes. Baton. */
void sites_note_mapping(uint64_t at, uint64_t len, bool executable, uint64_t offset, long fd);
/*
 * At a system call: what has been mapped is scanned once its loader goes on to something
 * else, before its code runs. Baton.
 */
void sites_scan_new(struct thread *thread, long nr);
static inline void sites_attend(struct thread *thread, long nr)
{
	if (process()->n_new_objects)
		sites_scan_new(thread, nr);
}
/* What is unmapped isn't ours any more. Baton. */
void sites_forget(uint64_t start, uint64_t len);
/*
 * images.c: what earlier scans have found, in this process or another of the service. recall fills
 * process()->found, and @ret_left; remember keeps them. Baton.
 */
bool images_recall(const struct image_id *id, uint64_t base, uint32_t ret_left[SITE_N]);
void images_remember(const struct image_id *id, uint64_t base, const uint32_t left[SITE_N]);
/* Of the file; or, in a replay, none. */
struct image_id images_id(long fd);
/* xsavec.c: does what xsavec to @to would. False: it can't. */
bool xsavec_store(struct ucontext *context, uint64_t to);
/* Is rdtsc or rdtscp there, which traps? */
bool site_is_tsc(uint64_t address);
/* Puts the program's own instructions back. False: some are left. Detached, or baton. */
bool sites_restore(void);
/* A privileged instruction at @context: is it ours? If so this doesn't return, or is done. */
bool site_trap(struct thread *thread, struct ucontext *context);
/* The thread stands at such an instruction, trapped one way or another. Entered. */
__attribute__((noreturn)) void instruction_trap(struct thread *thread, struct ucontext *context,
						const struct agent_site *site);

/* scan.c tells each site of the ELF image that begins at @base, proven to be one. */
typedef void scan_found(void *context, const struct agent_site *site);
void scan_image(uint64_t base, scan_found *found, void *context, uint32_t left[SITE_N]);

/* -- place.c: descriptors of asynchronous places -------------------------------------------- */

void place_compute(const struct ucontext *context, struct event_async *place);
uint64_t hash_bytes(const void *data, size_t len);
/* hash.c: of the first @len bytes that @call has put into its spans, by way of @piece. False: some can't be read. */
bool hash_spans(const struct call *call, uint64_t len, void *piece, size_t piece_len, uint64_t *ret_hash);

/* -- snapshot.c, death.c ----------------------------------------------------------------------- */

/* Attention bits that concern snapshots. Baton, context saved. */
void snapshot_attend(struct thread *thread);
void snapshot_take(struct thread *thread, unsigned flags);
/* No child of a snapshot any more, when this returns. Baton. */
void snapshot_end(void);
/* They are another process's. */
void snapshot_forget(void);
/* Writes the obituary and waits, within bounds, for what the recorder wants to read. */
void obituary_write(struct thread *thread, int signal, int status, unsigned at,
		    const void *info, bool quiescent);

/* -- start.c -------------------------------------------------------------------------------------- */

/* A system call without the gate: before dispatch is on, from anywhere. */
long raw_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

/*
 * A record and a slot, whose memory it makes; @slot: which, or -1 for a free one. NULL: there
 * are no more. Entered; in MODE_PASS others may be here, too.
 */
struct thread *thread_new(int slot);
void thread_free(struct thread *thread);
/* gs, alternate stack, dispatch: in the new thread itself. */
void thread_attach(struct thread *thread);
/* The first system call of all, start.c's own: the program's entry is next. Baton. */
__attribute__((noreturn)) void program_begins(struct thread *thread);
/* A new thread's first event, and on to its program code; it has the baton next. */
__attribute__((noreturn)) void thread_starts(struct thread *thread);
/* This process goes on natively, from its saved context: a fork child, a filter's owner. */
__attribute__((noreturn)) void process_detach(struct thread *thread);

/* -- affinity.c: the process itself, which has one thread then; recording, where not said otherwise -- */

/* The image stays where it is, and may run on any processor again. Any mode. */
void pin_to_cpu(void);
void unpin_from_cpu(void);
/*
 * The thread has got memory for code that it will make. That isn't scanned, and the first of it
 * may ask CPUID (the JVM's does): for a few calls the thread stays where replay will run.
 * Recording, baton.
 */
void pin_maker_of_code(const struct thread *thread);
/* A call of its, or of another's: is it over? */
void pinned_calls(const struct thread *thread, uint64_t nr);
/*
 * Those who run by turns run on one processor: the next finds what the last has left in the cache,
 * and isn't waited for on another. From when it goes back to the program in its turn, until it makes
 * a call that would show that, or hand it down.
 */
enum placed { PLACED_NOT, PLACED_SOON, PLACED, PLACED_NEVER };
/* There, on processor *@cpu - 1; or here, if that is 0. */
void place(uint32_t *cpu);
/* Not any more; and a call is made. Any mode. */
void unplace(void);
void placed_call(uint64_t nr);

/* From a stub, with the context in call_context(): returns if that is all there is to restore. */
void stub_call(struct thread *thread);
/* From a stub, too: the value of the time-stamp counter. vdso-calls.c. */
struct tsc_frame;
uint64_t stub_tsc(struct tsc_frame *frame);

/*
 * Leaves the agent: restores thread->frame. Baton. The first two return, to who came by a stub: one
 * that has nothing but general registers to restore, if so, or has just made a quick call.
 */
void resume_by_stub(struct thread *thread);
void resume_quickly(struct thread *thread);
__attribute__((noreturn)) void resume_program(struct thread *thread);

/* asm */
__attribute__((noreturn)) void enter_frame(void *frame, uint64_t sigreturn);
void child_entry(void);
void child_resumes(void);
void stub_entry(void);
void tsc_entry(void);
__attribute__((noreturn)) void begin_program(uint64_t address);
__attribute__((noreturn)) void call_on_stack(uint64_t sp, void (*f)(void *), void *argument);

#pragma GCC visibility pop
