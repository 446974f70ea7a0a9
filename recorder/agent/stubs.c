/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stubs - system calls, and readings of the time-stamp counter, that needn't be signals
 *
 * A signal for each call costs microseconds. Where calls are made often, a jump takes the
 * place of an instruction *before* the call, and leads to a stub: that does what the jump has
 * displaced, and goes to the agent instead of the kernel. The call's own instruction, and all
 * behind it, stays as it is. So the program's addresses mean what they always did: a handler
 * that is called behind the call returns there, a call that is to be made again is made there
 * (by a signal), and who jumps to it from elsewhere comes to the agent, too.
 *
 *	    cmpb $0, x(%rip)  ->  jmp stub		stub:	cmpb $0, x(%rip)
 *	    jne other		  jne other			jne other
 *	    xor %eax, %eax	  xor %eax, %eax		xor %eax, %eax
 *	    syscall		  syscall			to the agent, or to the syscall
 *	    ...			  ...		 <------	where the agent returns
 *
 * rdtsc and rdtscp (sites.c) are hot, too. The jump may stand at the instruction itself then, which
 * nobody looks back to, and displace what is behind it. Their stubs go on behind an instruction that
 * traps; it is executed where there is more to do than to read the counter (tsc_entry).
 *
 * The recorder, which has a real decoder and reads unwind tables, plans the jump and the stub's
 * code; the agent asks for it when a place has become hot, and carries it out at a later call.
 * That is an event: a replay does the same there, and its calls go the same short way.
 */
#include "recorder/agent/agent.h"

enum {
	PROT_WRITE_ = 2, PROT_RX = 5,
	MAP_PRIVATE_ANON = 0x22, MAP_FIXED_NOREPLACE_ = 0x100000,
	PROBES = 8,
	GAP = 16 << 20,		/* between two tries for an area: not next to what may want to grow */
	TRIES = 100,
	SYSCALL_LEN = 2,
	MAX_LOST = 16,
};
#define REACH UINT64_C(0x70000000)	/* of 32-bit distances, with room to spare */
#define LOWEST UINT64_C(65536)		/* vm.mmap_min_addr */

/* -- the table ------------------------------------------------------------------------------------ */

static uint32_t n_stubs(void)
{
	return MIN(load_acquire(&process()->n_stubs), (uint32_t)MAX_STUBS);
}

bool in_stub(uint64_t ip)
{
	const struct agent_process *p = process();
	uint32_t n = MIN(load_acquire(&p->n_stub_areas), (uint32_t)MAX_STUB_AREAS);

	for (uint32_t i = 0; i < n; i++)
		if (load_acquire(&p->stub_areas[i].start) && ip - p->stub_areas[i].start < STUB_AREA_LEN)
			return true;
	return false;
}

uint64_t stub_origin(uint64_t ip)
{
	for (uint32_t i = 0; i < n_stubs(); i++) {
		const struct agent_stub *stub = &process()->stubs[i];

		if (!stub->site || ip - stub->code >= stub->code_len)
			continue;
		for (unsigned j = 0; j < stub->n_moved && j < STUB_MOVED; j++)
			if (ip == stub->code + stub->to[j])
				return stub->at + stub->from[j];
		return stub->site;
	}
	return ip;
}

uint64_t stub_twin(uint64_t ip)
{
	if (!process()->stubs_overlap)
		return ip;
	for (uint32_t i = 0; i < n_stubs(); i++) {
		const struct agent_stub *stub = &process()->stubs[i];

		if (!stub->site || ip - stub->at >= stub->len || ip == stub->at)
			continue;
		for (unsigned j = 0; j < stub->n_moved && j < STUB_MOVED; j++)
			if (ip == stub->at + stub->from[j])
				return stub->code + stub->to[j];
	}
	return ip;
}

static struct agent_stub *free_stub(void)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < n_stubs(); i++)
		if (!p->stubs[i].site)
			return &p->stubs[i];
	return p->n_stubs < MAX_STUBS ? &p->stubs[p->n_stubs] : NULL;
}

static void enter(const struct agent_stub *stub)
{
	struct agent_process *p = process();
	struct agent_stub *to = free_stub();

	*to = *stub;
	if (stub->n_moved > 1 && stub->len > stub->from[1])
		p->stubs_overlap = 1;
	if (to == &p->stubs[p->n_stubs])
		store_release(&p->n_stubs, p->n_stubs + 1);
}

void stubs_forget(uint64_t start, uint64_t len)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < n_stubs(); i++)
		if (p->stubs[i].site && p->stubs[i].at - start < ALIGN_UP(len, (uint64_t)PAGE))
			p->stubs[i].site = 0;
	for (uint32_t i = 0; i < MAX_HOT_CALLS; i++)
		if (p->hot[i].site - start < ALIGN_UP(len, (uint64_t)PAGE))
			p->hot[i] = (struct hot_call){ 0 };
}

/* -- recording: counts ------------------------------------------------------------------------------- */

static struct hot_call *find_hot(uint64_t site)
{
	struct agent_process *p = process();
	uint64_t at = site * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	for (unsigned i = 0; i < PROBES; i++) {
		struct hot_call *hot = &p->hot[(at + i) % MAX_HOT_CALLS];

		if (hot->site == site)
			return hot;
		if (hot->site)
			continue;
		*hot = (struct hot_call){ .site = site };
		return hot;
	}
	return NULL;
}

static void ask_later(uint64_t site)
{
	struct hot_call *hot = find_hot(site);

	if (hot)
		hot->count = hot->done = 0;
}

/* The same, but code that is written often isn't worth more and more stubs. */
static void ask_much_later(uint64_t site)
{
	struct hot_call *hot = find_hot(site);

	if (hot)
		hot->n_lost = MIN(hot->n_lost + 1, MAX_LOST);
	ask_later(site);
}

/* What the parent has asked for it alone is told. */
void stubs_forget_parent(void)
{
	memset(process()->hot, 0, sizeof(process()->hot));
}

/* -- carrying out ---------------------------------------------------------------------------------- */

static bool has_area(uint64_t start)
{
	const struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_stub_areas; i++)
		if (p->stub_areas[i].start == start)
			return true;
	return false;
}

/* Memory that can be executed, and is only written from behind. */
static bool make_area(uint64_t start)
{
	struct agent_process *p = process();

	if (p->n_stub_areas == MAX_STUB_AREAS || range_is_ours(start, STUB_AREA_LEN) ||
	    agent_syscall(NR_mmap, start, STUB_AREA_LEN, PROT_RX, MAP_PRIVATE_ANON | MAP_FIXED_NOREPLACE_, -1,
			  0) != (long)start)
		return false;
	p->stub_areas[p->n_stub_areas] = (struct stub_area){ start, 0 };
	store_release(&p->n_stub_areas, p->n_stub_areas + 1);
	return true;
}

enum { JUMP_LEN = 5, INT3 = 0xcc };

/* What is left of the last instruction isn't to look like another. */
static void jump_to(const struct agent_stub *stub, uint8_t jump[sizeof(stub->old)])
{
	int32_t distance = (int32_t)(stub->code - (stub->at + JUMP_LEN));

	memset(jump, INT3, sizeof(stub->old));
	jump[0] = 0xe9;
	memcpy(jump + 1, &distance, sizeof(distance));
}

/* Does it still stand there? */
static bool jumps(const struct agent_stub *stub, int fd)
{
	uint8_t jump[sizeof(stub->old)];

	jump_to(stub, jump);
	return text_is(fd, stub->at, jump, JUMP_LEN);
}

static bool has_right_site(const struct agent_stub *stub)
{
	static const uint8_t call[2] = { 0x0f, 0x05 };

	return (stub->at + stub->len <= stub->site && text_is(-1, stub->site, call, sizeof(call))) ||
	       ((stub->at + stub->len <= stub->site || stub->at == stub->site) && site_is_tsc(stub->site));
}

/* Its numbers come from shared memory, or from a log. */
static bool makes_sense(const struct event_stub *plan)
{
	const struct agent_stub *stub = &plan->stub;

	return stub->site && stub->len >= JUMP_LEN && stub->len <= sizeof(stub->old) && stub->code_len <= STUB_LEN &&
	       stub->n_moved <= STUB_MOVED && stub->site - stub->at < PAGE &&
	       stub->code - stub->at + REACH < 2 * REACH && in_stub(stub->code) &&
	       in_stub(stub->code + stub->code_len - 1) && text_is(-1, stub->at, stub->old, stub->len) &&
	       has_right_site(stub) && free_stub();
}

static bool carry_out(const struct event_stub *plan)
{
	const struct agent_stub *stub = &plan->stub;
	uint8_t jump[sizeof(stub->old)];
	bool done;
	int fd;

	if (!makes_sense(plan))
		return false;
	jump_to(stub, jump);
	fd = text_open();
	done = text_write(fd, stub->code, plan->code, stub->code_len) && text_write(fd, stub->at, jump, stub->len);
	text_close(fd);
	if (done)
		enter(stub);
	return done;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

/* Of the jump, up to behind the call: who changes any of that changes what the stub stands for. */
static uint64_t span(const struct agent_stub *stub)
{
	return MAX(stub->at + stub->len, stub->site + SYSCALL_LEN) - stub->at;
}

/* What was there comes back, if the jump still stands there. */
static void take_back(struct agent_stub *stub, int *fd)
{
	if (*fd < 0)
		*fd = text_open();
	if (agent_replays())
		replay_text_changes(this_thread(), false);
	if (jumps(stub, *fd))
		(void) text_write(*fd, stub->at, stub->old, stub->len);
	ask_much_later(stub->site);
	stub->site = 0;
	if (agent_replays())
		replay_text_changes(this_thread(), true);
}

void stubs_restore(uint64_t start, uint64_t len)
{
	struct agent_process *p = process();
	int fd = -1;

	len = ALIGN_UP(len, (uint64_t)PAGE);
	for (uint32_t i = 0; i < n_stubs(); i++)
		if (p->stubs[i].site && overlap(p->stubs[i].at, span(&p->stubs[i]), start, len))
			take_back(&p->stubs[i], &fd);
	text_close(fd);
}

void stubs_give_way(uint64_t start, uint64_t len)
{
	struct agent_process *p = process();
	int fd = -1;

	len = ALIGN_UP(len, (uint64_t)PAGE);
	for (uint32_t i = 0; i < n_stubs(); i++) {
		struct agent_stub *stub = &p->stubs[i];

		/* Of which a part will be there still. */
		if (stub->site && overlap(stub->at, span(stub), start, len) &&
		    (stub->at < start || stub->at + stub->len > start + len))
			take_back(stub, &fd);
	}
	for (uint32_t i = 0; i < p->n_stub_areas; i++) {
		struct stub_area *area = &p->stub_areas[i];

		if (!area->start || !overlap(area->start, STUB_AREA_LEN, start, len))
			continue;
		for (uint32_t j = 0; j < n_stubs(); j++)
			if (p->stubs[j].site && p->stubs[j].code - area->start < STUB_AREA_LEN)
				take_back(&p->stubs[j], &fd);
		store_release(&area->start, 0);
	}
	text_close(fd);
}

/* What the program may change is its own. */
void stubs_at_mprotect(uint64_t start, uint64_t len, long prot)
{
	stubs_give_way(start, len);
	if (prot & PROT_WRITE_)
		stubs_restore(start, len);
}

/* -- recording: answers ----------------------------------------------------------------------------- */

/* Does a thread stand at what the jump will overwrite, behind its first instruction? */
static bool is_occupied(const struct agent_stub *stub)
{
	for (uint32_t i = 0; i < process()->n_slots_mapped; i++) {
		const struct thread *other = slot_thread(i);
		uint64_t ip;

		if (other->canary != THREAD_CANARY || other->state == THREAD_ENDED || !other->frame)
			continue;
		ip = context_of(other)->regs[REG_RIP_];
		if (ip > stub->at && ip - stub->at < stub->len)
			return true;
	}
	return false;
}

static void carry_out_and_log(struct thread *thread, struct stub_request *request)
{
	struct event_stub plan = request->plan;

	if (is_occupied(&plan.stub)) {
		ask_later(plan.stub.site);
		return;
	}
	/* It may have become writable since: the program doesn't say any more what it writes. */
	if (user_writable(plan.stub.at, plan.stub.len) || !carry_out(&plan)) {
		ask_much_later(plan.stub.site);
		return;
	}
	if (!log_begin(thread, EVENT_STUB, 0, 0, 0, 0))
		return;
	log_add(thread, &plan, sizeof(plan));
	log_end(thread);
}

static void take_answers(struct thread *thread)
{
	struct agent_shared *s = shared();

	(void) fetch_and(&s->attention, ~(uint32_t)ATTENTION_STUBS);
	for (unsigned i = 0; i < MAX_STUB_REQUESTS; i++) {
		struct stub_request *request = &s->stub_requests[i];
		uint32_t state = load_acquire(&request->state);

		if (state != STUB_PLANNED && state != STUB_REFUSED)
			continue;
		if (state == STUB_PLANNED)
			carry_out_and_log(thread, request);
		store_release(&request->state, STUB_NONE);
	}
}

/* -- recording: asking ----------------------------------------------------------------------------- */

/* Calls whose places others look at, or which are made once. */
static bool gets_none(const struct stub_place *wanted)
{
	uint32_t nr = wanted->nr;

	return wanted->kind == SITE_NONE &&
	       (nr == NR_rt_sigreturn || nr == NR_clone || nr == NR_clone3 || nr == NR_fork || nr == NR_vfork ||
		nr == NR_execve || nr == NR_execveat || nr == NR_exit || nr == NR_exit_group);
}

static struct stub_area *area_near(uint64_t site)
{
	struct agent_process *p = process();

	for (uint32_t i = 0; i < p->n_stub_areas; i++) {
		struct stub_area *area = &p->stub_areas[i];

		if (area->start && area->start - site + REACH < 2 * REACH && area->used + STUB_LEN <= STUB_AREA_LEN)
			return area;
	}
	return NULL;
}

/* Below the code, where heaps don't grow to; or above it. */
static struct stub_area *new_area_near(struct thread *thread, uint64_t site)
{
	struct event_stub event = { 0 };
	uint64_t start = 0;

	for (unsigned i = 1; i <= TRIES && !start; i++) {
		uint64_t below = ALIGN_DOWN(site, (uint64_t)PAGE) - i * GAP / 16, above = ALIGN_UP(site, (uint64_t)PAGE) + i * GAP;

		if (below >= LOWEST && below < site && make_area(below))
			start = below;
		else if (make_area(above))
			start = above;
	}
	if (!start)
		return NULL;
	event.area = start;
	if (log_begin(thread, EVENT_STUB, 0, 0, 0, 0)) {
		log_add(thread, &event, sizeof(event));
		log_end(thread);
	}
	return area_near(site);
}

/*
 * The recorder looks for it when it has something else to do. Who wants a stub for the first call
 * already wants to see what stubs do: it waits.
 */
static void ask(struct thread *thread, struct stub_request *request, const struct stub_place *wanted)
{
	uint64_t site = wanted->site;
	struct stub_area *area = area_near(site);

	if (!area)
		area = new_area_near(thread, site);
	memset(&request->plan, 0, sizeof(request->plan));
	request->nr = wanted->nr;
	request->kind = wanted->kind;
	request->plan.stub.site = site;
	/* Without, the recorder tells that there is none. */
	if (area && free_stub()) {
		request->plan.stub.code = area->start + area->used;
		area->used += STUB_LEN;
	}
	store_release(&request->state, STUB_ASKED);
	if (passing())
		wake_recorder();	/* it sleeps, and wouldn't look */
	if (passing() || agent_config.stub_after > 1)
		return;
	wake_recorder();
	(void) wait_for_recorder(&request->state, STUB_ASKED, 0);
	take_answers(thread);
}

/* NULL: those that were asked for aren't answered yet. */
static struct stub_request *free_request(void)
{
	struct stub_request *request = shared()->stub_requests;

	for (unsigned i = 0; i < MAX_STUB_REQUESTS; i++)
		if (load_acquire(&request[i].state) == STUB_NONE)
			return &request[i];
	return NULL;
}

/* One more by a signal. NULL: not so many yet, or there is none to be had. */
static struct hot_call *count(const struct stub_place *wanted)
{
	struct hot_call *hot;

	if (!agent_config.stub_after || gets_none(wanted))
		return NULL;
	hot = find_hot(wanted->site);
	return hot && !hot->done && ++hot->count >= (uint64_t)agent_config.stub_after << hot->n_lost ? hot : NULL;
}

static void ask_for(struct thread *thread, struct hot_call *hot, const struct stub_place *wanted)
{
	struct stub_request *request = hot ? free_request() : NULL;

	if (!request)
		return;
	hot->done = 1;
	if (!passing() || !recorder_is_gone())
		ask(thread, request, wanted);
}

/*
 * The child may be killed at any time, and its parent lives on with what it has begun. So it leaves
 * asking to its parent, and what is planned. posix_spawn's makes 128 calls from one place.
 */
static void wish(const struct stub_place *wanted)
{
	struct agent_process *p = process();

	if (!count(wanted))
		return;
	/* Killed between these it has wished for nothing. */
	store_release(&p->stub_wish.site, 0);
	store_release(&p->stub_wish.nr, wanted->nr);
	store_release(&p->stub_wish.kind, wanted->kind);
	store_release(&p->stub_wish.site, wanted->site);
	(void) fetch_or(&shared()->attention, ATTENTION_STUBS);
}

static void take_wish(struct thread *thread)
{
	struct agent_process *p = process();
	struct stub_place wanted = p->stub_wish;
	struct hot_call *hot = wanted.site ? find_hot(wanted.site) : NULL;

	p->stub_wish.site = 0;
	if (hot && !hot->done)
		ask_for(thread, hot, &wanted);
}

/* -- replay ------------------------------------------------------------------------------------------ */

static void replay_plans(struct thread *thread)
{
	const struct event *event;

	while ((event = replay_peek(thread)) != NULL && event->kind == EVENT_STUB) {
		struct event_stub plan;

		replay_text_changes(thread, false);
		if (!replay_read(thread, &plan, sizeof(plan)) ||
		    !(plan.area ? has_area(plan.area) || make_area(plan.area) : carry_out(&plan)))
			replay_diverged(thread, EVENT_STUB, 0, 0);
		replay_text_changes(thread, true);
		replay_done(thread);
	}
}

static void look(struct thread *thread, const struct stub_place *wanted)
{
	if (agent_replays()) {
		replay_plans(thread);
		return;
	}
	/* Nothing is recorded any more, but each trap costs what it did. Other threads would run meanwhile. */
	if (passing() && !alone())
		return;
	if (thread->is_vfork_child) {
		if (thread->fp == FP_IN_FRAME)
			wish(wanted);
		return;
	}
	if (load_relaxed(&shared()->attention) & ATTENTION_STUBS) {
		take_answers(thread);
		take_wish(thread);
	}
	if (thread->fp == FP_IN_FRAME && thread->stub_entry)
		ask_for(thread, count(wanted), wanted);
}

void stubs_look(struct thread *thread, long nr)
{
	const struct stub_place call = { .site = context_of(thread)->regs[REG_RIP_] - SYSCALL_LEN, .nr = (uint32_t)nr };

	look(thread, &call);
}

void stubs_look_at_site(struct thread *thread, const struct agent_site *site)
{
	const struct stub_place tsc = { .site = site->address, .kind = site->kind };

	if ((site->kind == SITE_RDTSC || site->kind == SITE_RDTSCP) && !process()->tsc_trapped)
		look(thread, &tsc);
}
