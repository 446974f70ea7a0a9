/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rebuild - a replay begins: this process becomes the recorded one
 *
 * The replayer has forked, mapped the image, the shared memory and a plan, put up its
 * fence, and jumped here. We drop every other mapping, make the recorded ones, stop so
 * that the replayer can write the pages, and then make the recorded threads. Each goes
 * on from where its record, part of the pages, says that it stood.
 */
#include "recorder/agent/agent.h"
#include "recorder/rebuild.h"

enum {
	CLONE_THREAD_FLAGS = 0x100 /* VM */ | 0x200 /* FS */ | 0x400 /* FILES */ |
			     0x800 /* SIGHAND */ | 0x10000 /* THREAD */ | 0x40000 /* SYSVSEM */ |
			     0x200000 /* CHILD_CLEARTID */,
	MREMAP_MAYMOVE_FIXED = 3,
	PR_SET_TSC_ = 26, PR_TSC_SIGSEGV = 2,
};
#define USER_END UINT64_C(0x7ffffffff000)

void rebuild_main(void);

static const struct rebuild_plan *plan(void)
{
	return (const struct rebuild_plan *)(agent_config.base + AGENT_REBUILD_PLAN);
}

static void clear_address_space(void)
{
	uint64_t end = agent_config.base + AGENT_REGION;

	(void) raw_call(NR_munmap, 0, agent_config.base, 0, 0, 0, 0);
	(void) raw_call(NR_munmap, end, USER_END - end, 0, 0, 0, 0);
	/* Our vDSO, and with it the gate, to where the recorded one was. */
	(void) raw_call(NR_mremap, agent_config.base + AGENT_IMAGE, AGENT_VDSO_LEN, AGENT_VDSO_LEN,
			MREMAP_MAYMOVE_FIXED, agent_config.vdso, 0);
}

static void make_mappings(void)
{
	for (uint32_t i = 0; i < plan()->n_maps; i++) {
		const struct rebuild_map *map = &plan()->maps[i];
		long at = agent_syscall(NR_mmap, map->start, map->end - map->start, map->prot, map->flags,
					map->fd, map->offset);

		if (at != (long)map->start) {
			shared()->stop_address = map->start;
			shared()->stop_signal = (uint32_t)-at;
			for (;;)
				replay_stop(this_thread(), STOP_FAILED);
		}
	}
}

/* The arena is written: what is in the place of the objects that its table names? */
static void adopt_objects(void)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < MIN(p->n_objects, MAX_MAPPED_OBJECTS); i++) {
		p->objects[i].fd = -1;
		p->objects[i].entry = 0;
	}
	for (uint32_t i = 0; i < plan()->n_maps; i++) {
		const struct rebuild_map *map = &plan()->maps[i];
		struct mapped_object *object = map->is_object ? mapped_find(map->dev, map->ino) : NULL;

		if (object)
			object->fd = map->fd;
	}
}

__attribute__((noreturn)) static void thread_resumes(void *argument)
{
	struct thread *thread = argument;

	thread_attach(thread);
	replay_thread_begins(thread);
	switch (thread->state) {
	case THREAD_STARTING:
		thread_starts(thread);
		break;
	case THREAD_ENTERED:
		thread->resumed = 1;
		syscall_dispatch(thread);
		break;
	case THREAD_PREEMPTED:
		resume_preempted(thread);
		break;
	default:
		replay_before_user(thread);
		resume_program(thread);
	}
	__builtin_unreachable();
}

/* Out of the gate in a new thread: child_entry's other use. */
static uint64_t stack_of(const struct thread *thread)
{
	return ALIGN_DOWN((uint64_t)thread->frame - 512, (uint64_t)16);
}

static void forget_kernel_state(struct thread *thread)
{
	thread->turn = 0;
	thread->pending = 0;
	thread->has_timer = 0;
	thread->timer_armed = 0;
	thread->big_scratch_len = 0;
	thread->native = VDSO_ASKS;
	thread->is_leader = 0;
	slot_of(thread)->tid = thread->tid;
	slot_of(thread)->status = SLOT_AGENT;
	slot_of(thread)->kernel_tid = UINT32_MAX;
}

static void make_thread(struct thread *thread)
{
	uint64_t *stack = (uint64_t *)stack_of(thread);

	stack -= 4;
	stack[0] = (uint64_t)thread;
	stack[1] = 0;
	stack[2] = (uint64_t)child_resumes;
	(void) agent_syscall(NR_clone, CLONE_THREAD_FLAGS, stack, NULL, &slot_of(thread)->kernel_tid, 0);
}

void thread_resumes_in_child(struct thread *thread);
void thread_resumes_in_child(struct thread *thread)
{
	thread_resumes(thread);
}

static bool lives(const struct thread *thread)
{
	return thread->canary == THREAD_CANARY && thread->state != THREAD_ENDED;
}

void rebuild_main(void)
{
	struct thread *first = NULL;
	struct agent_process *p = process();

	struct thread *record = (struct thread *)(agent_config.base + AGENT_REBUILD_RECORD);

	/* For the time before there are thread records. */
	record->self = record;
	write_gs_base(record);
	clear_address_space();
	make_mappings();
	replay_stop(record, STOP_READY);
	adopt_objects();

	p->read_at = 0;
	p->read_used = 0;
	p->member = p->child_member = 0;	/* there is no directory here */
	snapshot_forget();
	for (uint32_t i = 0; i < p->n_slots_mapped; i++) {
		struct thread *thread = slot_thread(i);

		if (!lives(thread))
			continue;
		forget_kernel_state(thread);
		if (first)
			make_thread(thread);
		else
			first = thread;
	}
	if (p->tsc_trapped)
		(void) agent_syscall(NR_prctl, PR_SET_TSC_, PR_TSC_SIGSEGV);
	first->is_leader = 1;
	write_gs_base(first);
	signals_init(first);
	replay_first_turn(first);
	call_on_stack(stack_of(first), thread_resumes, first);
}
