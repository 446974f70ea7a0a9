/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * start - the agent takes its place: at exec, in new threads, and out again
 *
 * At exec the injector has mapped the image and made the memfd; everything else is done
 * here, by the process itself. Until dispatch is switched on in the last step, any
 * failure leads to the program's entry as if nothing had been.
 */
#include "recorder/agent/agent.h"
#include "recorder/agent/pages.h"

enum {
	PROT_RW = 3,
	MAP_SHARED_ = 1, MAP_PRIVATE_ANON = 0x22, MAP_NORESERVE_ = 0x4000,
	MAP_FIXED_NOREPLACE_ = 0x100000,
	MREMAP_MAYMOVE_FIXED = 3,
	MADV_DONTFORK_ = 10, MADV_DONTDUMP_ = 16,
	PR_SET_TSC_ = 26, PR_TSC_ENABLE = 1, PR_TSC_SIGSEGV = 2,
	PR_SET_SYSCALL_USER_DISPATCH_ = 59, PR_SYS_DISPATCH_ON = 1,
	EFLAGS_AT_ENTRY = 0x202,
};

void start_main(void);

long raw_call(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		     uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static bool raw_map(uint64_t at, uint64_t len, int flags, int fd, uint64_t offset)
{
	return raw_call(NR_mmap, at, len, PROT_RW, (uint64_t)(flags | MAP_FIXED_NOREPLACE_),
			(uint64_t)fd, offset) == (long)at;
}

/* -- exec ------------------------------------------------------------------------------------ */

static bool map_shared(void)
{
	const struct agent_config *c = &agent_config;
	uint64_t ring = c->base + AGENT_RING, ring_end = ring + c->ring_len;
	bool mapped = raw_map(c->base + AGENT_SHARED, SHARED_CONTROL_LEN, MAP_SHARED_, c->memfd, 0) &&
		      raw_map(ring, c->ring_len, MAP_SHARED_, c->memfd, SHARED_CONTROL_LEN) &&
		      raw_map(ring_end, c->ring_len, MAP_SHARED_, c->memfd, SHARED_CONTROL_LEN);

	(void) raw_call(NR_close, (uint64_t)c->memfd, 0, 0, 0, 0, 0);
	/* Children have no business with the log; cores would drag it along. */
	(void) raw_call(NR_madvise, ring, 2 * c->ring_len, MADV_DONTFORK_, 0, 0, 0);
	(void) raw_call(NR_madvise, ring, 2 * c->ring_len, MADV_DONTDUMP_, 0, 0, 0);
	return mapped && shared()->abi == AGENT_ABI;
}

static bool map_slot(uint32_t slot)
{
	return raw_map(slot_address(slot) + SLOT_STACK, SLOT_LEN - SLOT_STACK,
		       MAP_PRIVATE_ANON | MAP_NORESERVE_, -1, 0);
}

static bool map_arena(void)
{
	uint64_t len = ALIGN_UP(sizeof(struct agent_process), (uint64_t)PAGE);

	return raw_map(agent_config.base + AGENT_PROCESS, len, MAP_PRIVATE_ANON, -1, 0) && map_slot(0);
}

static void unmap_all(void)
{
	const struct agent_config *c = &agent_config;

	(void) raw_call(NR_munmap, c->base + AGENT_SHARED, SHARED_CONTROL_LEN, 0, 0, 0, 0);
	(void) raw_call(NR_munmap, c->base + AGENT_RING, 2 * c->ring_len, 0, 0, 0, 0);
	(void) raw_call(NR_munmap, c->base + AGENT_PROCESS, AGENT_SCRATCH - AGENT_PROCESS, 0, 0, 0, 0);
}

static bool move(uint64_t from, uint64_t to, uint64_t len)
{
	return raw_call(NR_mremap, from, len, len, MREMAP_MAYMOVE_FIXED, to, 0) == (long)to;
}

static uint64_t kernel_map_moved(unsigned i)
{
	const struct agent_range *maps = agent_config.kernel_maps;

	return agent_config.base + AGENT_REAL_VDSO + (maps[i].start - maps[0].start);
}

/* The kernel's vDSO and its data keep their distances; ours takes the place. */
static bool move_vdso(void)
{
	const struct agent_config *c = &agent_config;
	uint32_t n = MIN(c->n_kernel_maps, 6u), i;

	for (i = 0; i < n; i++)
		if (!move(c->kernel_maps[i].start, kernel_map_moved(i),
			  c->kernel_maps[i].end - c->kernel_maps[i].start))
			break;
	if (i == n && move(c->base + AGENT_IMAGE, c->vdso, AGENT_VDSO_LEN))
		return true;
	while (i--)
		(void) move(kernel_map_moved(i), c->kernel_maps[i].start,
			    c->kernel_maps[i].end - c->kernel_maps[i].start);
	return false;
}

static void init_record(struct thread *thread, uint32_t slot)
{
	thread->self = thread;
	thread->canary = THREAD_CANARY;
	thread->slot = slot;
	thread->shared_slot = &shared()->slots[slot];
	thread->reading_tag = slot << 16;
	thread->stack_top = slot_address(slot) + SLOT_STACK_TOP;
}

static struct thread *first_thread(void)
{
	struct thread *thread = slot_thread(0);
	struct agent_slot *slot = &shared()->slots[0];

	process()->n_slots_mapped = 1;
	process()->handler_tables_used = 1;
	init_record(thread, 0);
	write_gs_base(thread);
	thread->tid = thread->tgid = (uint32_t)agent_syscall(NR_getpid);
	slot->tid = slot->tgid = thread->tid;
	slot->kernel_tid = thread->tid;
	slot->status = SLOT_AGENT;
	shared()->pid = thread->tid;
	shared()->n_threads = 1;
	shared()->baton = 1;
	return thread;
}

void start_main(void)
{
	enum { SIG_BLOCK = 0 };
	struct thread *thread;

	if (!map_shared() || !map_arena() || !move_vdso()) {
		unmap_all();
		return;
	}
	thread = first_thread();
	(void) agent_syscall(NR_rt_sigprocmask, SIG_BLOCK, NULL, &thread->mask, 8);
	process()->brk = process()->brk_start = (uint64_t)agent_syscall(NR_brk, 0);
	signals_init(thread);
	/* What was blocked at the exec may be what the agent lives on. */
	signals_let_in(thread);
	(void) agent_syscall(NR_set_tid_address, &slot_of(thread)->kernel_tid);
	process()->last_tsc = read_tsc();
	shared()->tsc_begin = process()->last_tsc;
	if (agent_config.trap_tsc &&
	    agent_syscall(NR_prctl, PR_SET_TSC_, PR_TSC_SIGSEGV) == 0)
		process()->tsc_trapped = 1;
	if (agent_config.pin_cpu)
		pin_to_cpu();
	thread_attach(thread);
	begin_program(VDSO_ADDRESS(VDSO_vdso_begin_program));
}

/* The first entry: dispatch works, and the kernel has made a frame for us to fill. */
void program_begins(struct thread *thread)
{
	struct ucontext *context = context_of(thread);

	context_learn(context);
	context_prepare(thread);
	memset(context->regs, 0, sizeof(context->regs));
	context->regs[REG_RIP_] = agent_config.entry;
	context->regs[REG_RSP_] = agent_config.stack;
	context->regs[REG_EFL_] = EFLAGS_AT_ENTRY;
	sites_of_program();
	store_release(&shared()->magic, SHARED_MAGIC);
	log_event(thread, EVENT_START, 0, 0, 0, thread->tid);
	thread->state = THREAD_PREEMPTED;
	snapshot_attend(thread);
	log_event(thread, EVENT_RESUME, 0, 0, 0, 0);
	resume_program(thread);
}

/* -- threads ----------------------------------------------------------------------------------- */

/*
 * Takes a slot that nobody has and that the kernel is done with; @wait for that: replay must
 * take the recorded one. Without the baton (MODE_PASS) others look for one, too.
 */
static bool claim_slot(uint32_t slot, bool wait)
{
	struct agent_slot *s = &shared()->slots[slot];
	uint32_t tid;

	if (!compare_exchange(&s->status, SLOT_FREE, SLOT_AGENT))
		return false;
	while ((tid = load_acquire(&s->kernel_tid)) != 0) {
		if (!wait) {
			store_release(&s->status, SLOT_FREE);
			return false;
		}
		futex_wait(&s->kernel_tid, tid, 1000000);
	}
	return true;
}

/* All slots up to @slot, whoever maps them. */
static bool map_slots(uint32_t slot)
{
	uint64_t *n_mapped = &process()->n_slots_mapped;

	for (uint64_t n = load_acquire(n_mapped); n <= slot; n++) {
		uint64_t at = slot_address((uint32_t)n) + SLOT_STACK, expected = n;
		long result = agent_syscall(NR_mmap, at, SLOT_LEN - SLOT_STACK, PROT_RW,
					    MAP_PRIVATE_ANON | MAP_NORESERVE_ | MAP_FIXED_NOREPLACE_, -1, 0);

		if (result != (long)at && result != -EEXIST_)
			return false;
		(void) __atomic_compare_exchange_n(n_mapped, &expected, n + 1, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	}
	return true;
}

struct thread *thread_new(int wanted)
{
	uint32_t slot = wanted < 0 ? 0 : (uint32_t)wanted;
	struct thread *thread;

	if (wanted < 0)
		while (slot < MAX_THREADS && !claim_slot(slot, false))
			slot++;
	else if (slot < MAX_THREADS && !claim_slot(slot, true))
		return NULL;
	if (slot >= MAX_THREADS)
		return NULL;
	if (!map_slots(slot)) {
		store_release(&shared()->slots[slot].status, SLOT_FREE);
		return NULL;
	}
	thread = slot_thread(slot);
	memset(thread, 0, sizeof(*thread));
	init_record(thread, slot);
	return thread;
}

void thread_free(struct thread *thread)
{
	thread->state = THREAD_ENDED;
	store_release(&slot_of(thread)->status, SLOT_FREE);
}

void thread_attach(struct thread *thread)
{
	struct {
		uint64_t sp;
		uint32_t flags, pad;
		uint64_t size;
	} stack = { slot_address(thread->slot) + SLOT_STACK, 0, 0, SLOT_STACK_TOP - SLOT_STACK };

	write_gs_base(thread);
	write_fs_base(thread->fs_base);
	context_prepare(thread);
	(void) agent_syscall(NR_sigaltstack, &stack, NULL);
	(void) agent_syscall(NR_prctl, PR_SET_SYSCALL_USER_DISPATCH_, PR_SYS_DISPATCH_ON,
			     VDSO_ADDRESS(VDSO_gate_start), VDSO_gate_end - VDSO_gate_start + 1, 0);
}

/* -- and out --------------------------------------------------------------------------------------- */

void process_detach(struct thread *thread)
{
	struct agent_process *p = process();
	bool restored;

	p->detached = 1;
	thread->native = VDSO_NATIVE;
	thread->stub_entry = thread->tsc_entry = 0;
	context_to_memory(thread);
	pages_open();
	if (p->tsc_trapped)
		(void) agent_syscall(NR_prctl, PR_SET_TSC_, PR_TSC_ENABLE);
	/* First, while a fault in it is still ours: code may have been unmapped. */
	restored = sites_restore();
	signals_restore(thread);
	if (!restored)
		signal_keep_sites(thread);
	/* A fork child must not touch its parent's log. */
	(void) agent_syscall(NR_munmap, agent_config.base + AGENT_SHARED, SHARED_CONTROL_LEN);
	write_fs_base(thread->fs_base);
	enter_frame(context_of(thread), VDSO_ADDRESS(VDSO_gate_sigreturn));
}

/* A debugger's step over a system call ends behind it; so does a watchpoint that we hit. */
static void debugger_stop(struct thread *thread)
{
	enum { TRAP_TRACE = 2, TRAP_HWBKPT = 4 };

	if (!thread->stepping && !thread->watch_hit)
		return;
	shared()->stop_signal = thread->watch_hit ? TRAP_HWBKPT : TRAP_TRACE;
	shared()->stop_address = context_of(thread)->regs[REG_RIP_];
	thread->stepping = 0;
	thread->watch_hit = 0;
	replay_stop(thread, STOP_TRAP);
}

/* What comes between the agent and the program, by whatever way it gets there. */
static inline void leave_agent(struct thread *thread)
{
	agent_leave(thread);
	/* Since the last look. The handler of one that comes from here on does the same. */
	if (unlikely(thread->pending || chaos_reigns()) && !agent_replays())
		signal_arm_timer(thread);
}

void resume_program(struct thread *thread)
{
	struct ucontext *context = context_of(thread);

	context_to_memory(thread);
	context_tidy(context, true);
	context->regs[REG_RIP_] = stub_twin(context->regs[REG_RIP_]);
	if (agent_replays()) {
		context->mask = 0;
		debugger_stop(thread);
	} else {
		context->mask = thread->kernel_mask = kernel_mask(thread);
	}
	leave_agent(thread);
	if (thread->pending && !agent_replays())
		context->mask = thread->kernel_mask = kernel_mask(thread);
	enter_frame(context, VDSO_ADDRESS(VDSO_gate_sigreturn));
}

/* In that no signal mask was changed, no handler's frame was built, nor the baton given up. */
void resume_quickly(struct thread *thread)
{
	leave_agent(thread);
}

void resume_by_stub(struct thread *thread)
{
	/* A debugger has looked, or a handler's frame was built: only a signal frame has it all. */
	if (thread->fp == FP_IN_FRAME || thread->stepping || thread->watch_hit)
		resume_program(thread);
	if (!agent_replays() && thread->kernel_mask != kernel_mask(thread))
		signals_let_in(thread);
	leave_agent(thread);
}
