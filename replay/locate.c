/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/locate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/xstate.h"
#include "replay/locate-internal.h"

void locate_free(struct session *s)
{
	free(s->search);
	s->search = NULL;
}

/* -- the pad's place ------------------------------------------------------------------------------------ */

#define USER_END UINT64_C(0x7ffffffff000)

/* A free page range within reach of @x, away from the neighbours: heaps and stacks grow. */
static uint64_t find_gap(const struct session *s, uint64_t x)
{
	char path[64], line[512];
	autoclean(fclosep) FILE *file = NULL;
	uint64_t end_before = 65536, best = 0;
	const uint64_t margin = 16 << 20;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", s->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		uint64_t start, end, candidate;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			break;
		if (start > USER_END)
			break;
		candidate = start - margin - PAD_LEN;
		if (start - end_before > 2 * margin && start > end_before && candidate - x + FAR < 2 * (uint64_t)FAR)
			best = candidate;
		candidate = end_before + margin;
		if (!best && start - end_before > 2 * margin && start > end_before &&
		    candidate - x + FAR < 2 * (uint64_t)FAR)
			best = candidate;
		end_before = end;
	}
	return best & ~(uint64_t)(IMAGE_PAGE - 1);
}

static int map_pad(struct session *s, struct search *f, uint64_t x)
{
	uint64_t at = find_gap(s, x);

	if (!at)
		return -ENOMEM;
	if (session_call(s, SYS_mmap, at, PAD_LEN, PROT_READ | PROT_WRITE | PROT_EXEC,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0) != (long)at)
		return -ENOMEM;
	f->pad = at;
	return 0;
}

/*
 * The agent computes places from the program's own bytes: it must know where ours stand.
 * The search's patch comes first, so that its bytes have no breakpoint in them.
 */
void tell_patches(struct session *s)
{
	struct replay_patch *patches = s->shared->patches;
	const struct search *f = s->search;
	uint32_t n = 0;

	if (f && f->patched)
		patches[n++] = f->around;
	for (size_t i = 0; i < s->n_breakpoints && n < MAX_REPLAY_PATCHES; i++)
		if (!s->breakpoints[i].absent)
			patches[n++] = (struct replay_patch){ s->breakpoints[i].address, 1,
						      { s->breakpoints[i].byte } };
	for (size_t i = 0; i < s->n_copies && n < MAX_REPLAY_PATCHES; i++)
		patches[n++] = (struct replay_patch){ s->copies[i].address, 1, { s->copies[i].byte } };
	s->shared->n_patches = n;
}

/* Those come first. */
static unsigned n_guards(const struct session *s)
{
	unsigned n = 0;

	while (n < s->n_traps && s->traps[n].kind == TRAP_ON_ACCESS)
		n++;
	return n;
}

/* -- patching ------------------------------------------------------------------------------------------------ */

static int patch(struct session *s, struct search *f)
{
	uint8_t bytes[JUMP_LEN] = { 0xcc };
	int32_t distance;

	if (s->shared->search.hardware) {
		s->traps[0] = (struct search_trap){ f->place.regs[REG_RIP_], 1, TRAP_ON_EXECUTION };
		s->n_traps = 1;
		arm_search(s);
		return 0;
	}
	f->patched = f->code[f->jumps ? f->first : f->target].address;
	f->saved_len = 1;
	if (f->jumps) {
		distance = (int32_t)(f->pad - (f->patched + JUMP_LEN));
		bytes[0] = 0xe9;
		memcpy(bytes + 1, &distance, sizeof(distance));
		f->saved_len = JUMP_LEN;
	}
	if (session_read(s, f->patched, f->saved, f->saved_len) != (ssize_t)f->saved_len)
		return -EFAULT;
	f->around = (struct replay_patch){ f->patched, (uint8_t)f->saved_len, { 0 } };
	if (n_guards(s)) {
		f->around.address = s->traps[0].address;
		f->around.len = (uint8_t)(n_guards(s) * GUARD_LEN);
	}
	if (session_read(s, f->around.address, f->around.bytes, f->around.len) != (ssize_t)f->around.len)
		return -EFAULT;
	tell_patches(s);
	if (s->n_traps)
		arm_search(s);
	return write_bytes(s, f->patched, bytes, f->saved_len);
}

/*
 * A thread that is about to go on inside of what was displaced goes on in the copy: of
 * the jump there are only pieces, and what lies behind the jump leads past the check.
 */
static int redirect_thread(struct session *s, struct search *f)
{
	struct thread_view view;
	int r;

	if (s->shared->stop_in_vdso || !f->jumps)
		return 0;
	r = read_thread(s, s->shared->stop_thread, &view);
	if (r < 0)
		return r;
	for (size_t j = f->first + 1; j < f->first + f->n_displaced; j++)
		if (f->code[j].address == view.regs[REG_RIP_])
			return write_register(s, &view, REG_RIP_, f->code[j].twin);
	return 0;
}

/* The program's bytes again, and the breakpoints in them. */
static void unpatch(struct session *s, struct search *f)
{
	static const uint8_t trap = 0xcc;

	bool armed = s->n_traps;

	s->n_traps = s->shared->search.n_twins = 0;
	if (armed)
		arm_search(s);
	if (!f->patched)
		return;
	(void) write_bytes(s, f->patched, f->saved, f->saved_len);
	for (size_t i = 0; i < s->n_breakpoints; i++)
		if (s->breakpoints[i].address - f->patched < f->saved_len)
			(void) write_bytes(s, s->breakpoints[i].address, &trap, 1);
	f->patched = 0;
}

static int fail(struct session *s, struct replay_error *ret_error, int r)
{
	return replay_fail(ret_error, r, "can't look for the preemption at event %" PRIu64 ": %s",
			   session_position(s), strerror(-r));
}

/* For want of anything better: where a trap in place can't be displaced, it can't be done. */
static bool prepare_trap_in_place(struct search *f)
{
	f->jumps = false;
	f->first = f->target;
	f->n_displaced = 1;
	return is_displaceable(&f->code[f->target]);
}

/* -- guards ----------------------------------------------------------------------------------------- */

/* An event whose place is looked for without a change to the program's code: it reads that. */
static bool is_untouched(const struct session *s)
{
	for (unsigned i = 0; i < s->n_untouched; i++)
		if (s->untouched[i] == session_position(s))
			return true;
	return s->n_untouched == MAX_UNTOUCHED;
}

static bool is_guarded(const struct session *s, uint64_t address, unsigned len)
{
	for (unsigned i = 0; i < n_guards(s); i++)
		if (s->traps[i].address < address + len &&
		    address < s->traps[i].address + s->traps[i].len)
			return true;
	return false;
}

/*
 * Debug registers watch the bytes that will be changed, in case the program reads or writes
 * them, and the displaced instructions behind the first, in case something jumps there. False:
 * there are too few for what must be, in code that is made (@made), whose jumps aren't known.
 */
static bool guard(struct session *s, const struct search *f, bool made)
{
	const struct instruction *first = &f->code[f->jumps ? f->first : f->target];
	uint64_t end = first->address + (f->jumps ? JUMP_LEN : 1);
	size_t n_inner = 0, n_words;

	s->n_traps = 0;
	while (f->jumps && n_inner + 1 < f->n_displaced && first[n_inner + 1].address < end)
		n_inner++;
	n_words = (end - 1) / GUARD_LEN - first->address / GUARD_LEN + 1;
	if (made && n_words + n_inner > free_registers(s))
		return false;
	if (n_words <= free_registers(s))
		for (size_t i = 0; i < n_words; i++)
			s->traps[s->n_traps++] = (struct search_trap){ (first->address / GUARD_LEN + i) * GUARD_LEN,
								       GUARD_LEN, TRAP_ON_ACCESS };
	for (size_t i = 1; i <= n_inner && s->n_traps < free_registers(s); i++)
		s->traps[s->n_traps++] = (struct search_trap){ first[i].address, 1, TRAP_ON_EXECUTION };
	return true;
}

/* The pad is written: where those go on who jump into what is displaced. */
static void tell_twins(struct session *s, const struct search *f)
{
	struct replay_search *search = &s->shared->search;

	search->n_twins = 0;
	for (size_t i = f->first; f->jumps && i < f->first + f->n_displaced; i++)
		for (unsigned j = 0; j < s->n_traps; j++)
			if (s->traps[j].kind == TRAP_ON_EXECUTION && s->traps[j].address == f->code[i].address)
				search->twins[search->n_twins++] =
					(struct replay_twin){ f->code[i].address, f->code[i].twin };
}

bool locate_is_seen(const struct session *s, unsigned hits, uint64_t ip)
{
	if (!s->search || !s->search->patched || locate_is_check(s, ip))
		return false;
	for (unsigned i = 0; i < n_guards(s); i++)
		if (is_trap_hit(s, hits, i))
			return true;
	return false;
}

static unsigned condition_len(const struct condition *c)
{
	return c->reg == CONDITION_BLOCK ? ASYNC_BLOCK : sizeof(uint64_t);
}

/* Each arrival would be a stop at the watchpoint, or at a guard. */
static void drop_watched_conditions(const struct session *s, struct search *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_conditions; i++)
		if (f->conditions[i].reg >= 0 ||
		    (!is_access_watched(s, f->conditions[i].address, condition_len(&f->conditions[i])) &&
		     !is_guarded(s, f->conditions[i].address, condition_len(&f->conditions[i]))))
			f->conditions[n++] = f->conditions[i];
	f->n_conditions = n;
}

/* Where code comes from. */
enum origin {
	OF_FILE,	/* linked: its jumps are known, nearly */
	MADE,		/* as the program runs, and perhaps while the search is on */
	MADE_ANYWHERE,	/* the same, by way of another mapping */
};

static enum origin origin_of(const struct session *s, uint64_t address)
{
	char path[64], line[512], mode[5];
	autoclean(fclosep) FILE *file = NULL;
	uint64_t start, end, inode;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", s->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %" SCNu64, &start, &end, mode, &inode) == 4 &&
		    address >= start && address < end)
			return mode[3] == 's' ? MADE_ANYWHERE : mode[1] == 'w' || !inode ? MADE : OF_FILE;
	return OF_FILE;
}

/*
 * There is no such instruction yet: the program will write it. The debug register needs none,
 * and none is displaced.
 */
static void prepare_without_code(struct replay_search *search)
{
	search->address = search->out_of_line = 0;
	search->partial = search->partial_end = search->behind = 0;
}

/*
 * A jump to the pad, or a trap in place; or else the debug register, which costs the most at
 * each arrival. @made: nobody knows where its jumps are.
 */
static int choose_trap(struct session *s, struct search *f, bool made)
{
	struct replay_search *search = &s->shared->search;

	if (!search->hardware && !s->stepping && choose_place_for_jump(s, f) && guard(s, f, made))
		return 0;
	if (!prepare_trap_in_place(f) && !search->hardware)
		return -EOPNOTSUPP;
	search->hardware |= !guard(s, f, made);
	return 0;
}

/* What will be there when the thread comes is there already, so the place is at an instruction now. */
static bool is_there(const struct session *s, const struct search *f)
{
	uint8_t now[sizeof(f->place.code)] = { 0 };
	uint64_t x = f->place.regs[REG_RIP_];

	(void) session_read(s, x - ASYNC_CODE, now, ASYNC_CODE);
	(void) session_read(s, x, now + ASYNC_CODE, ASYNC_CODE);
	return memcmp(now, f->place.code, sizeof(now)) == 0;
}

/* Chooses where the trap stands, with the breakpoints as they are, and puts it there. */
static int lay(struct session *s, struct search *f)
{
	struct replay_search *search = &s->shared->search;
	enum origin origin = origin_of(s, f->place.regs[REG_RIP_]);
	int r;

	search->hardware = !f->n_code || origin == MADE_ANYWHERE || (origin == MADE && !is_there(s, f)) || is_untouched(s);
	if (!f->n_code) {
		prepare_without_code(search);
		search->report_every = 0;
		return patch(s, f);
	}
	r = choose_trap(s, f, origin == MADE);
	drop_watched_conditions(s, f);
	if (r == 0 && !f->pad)
		r = map_pad(s, f, f->place.regs[REG_RIP_]);
	if (r == 0)
		r = write_pad(s, f);
	if (r == 0)
		tell_twins(s, f);
	if (r == 0)
		r = patch(s, f);
	if (r == 0)
		r = redirect_thread(s, f);
	/* Where the debugger has a breakpoint too, each arrival is one at that. */
	search->report_every = f->jumps || has_breakpoint(s, f->place.regs[REG_RIP_]) ? 1 : 0;
	return r;
}

/*
 * Raised by a fault, a signal frame says to go on past a debug register. The thread may stand at
 * the place already.
 */
static int heed_debug_register(struct session *s)
{
	enum { FLAG_RESUME = 1 << 16 };
	struct thread_view view;
	int r;

	if (s->shared->stop_in_vdso || !s->shared->search.hardware)
		return 0;
	r = read_thread(s, s->shared->stop_thread, &view);
	return r < 0 ? r : write_register(s, &view, REG_EFL_, view.regs[REG_EFL_] & ~(uint64_t)FLAG_RESUME);
}

int locate_begin(struct session *s, struct replay_error *ret_error)
{
	const struct event *event = session_next_event(s);
	struct replay_search *search = &s->shared->search;
	struct search *f;
	int r;

	if (!event || event->kind != EVENT_ASYNC || event->len < sizeof(*event) + sizeof(f->place))
		return replay_fail(ret_error, -EBADMSG, "event %" PRIu64 " isn't what it should be",
				   session_position(s));
	locate_free(s);
	f = s->search = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	s->search_begin_ns = session_clock();
	memcpy(&f->place, event + 1, sizeof(f->place));
	r = read_code(s, f, f->place.regs[REG_RIP_]);
	if (r == -EILSEQ && origin_of(s, f->place.regs[REG_RIP_]) != OF_FILE) {
		f->n_code = 0;
		r = 0;
	}
	if (r == 0)
		r = lay(s, f);
	if (r == 0)
		r = heed_debug_register(s);
	if (r < 0)
		return fail(s, ret_error, r);
	search->place = f->place;
	search->arrivals = search->n_near = 0;
	memset(search->unreadable, 0, sizeof(search->unreadable));
	s->search_is_shown = false;
	search->active = 1;
	return -EAGAIN;
}

void locate_lift(struct session *s)
{
	struct search *f = s->search;
	struct thread_view view;

	if (!f || (!f->patched && !s->n_traps))
		return;
	/* It doesn't stand between: nobody looks at it then. */
	if (f->patched && !s->shared->stop_in_vdso && read_thread(s, s->shared->stop_thread, &view) == 0)
		(void) write_register(s, &view, REG_RIP_, locate_visible(s, view.regs[REG_RIP_]));
	unpatch(s, f);
	tell_patches(s);
}

int locate_lay(struct session *s)
{
	return s->search ? lay(s, s->search) : 0;
}

/* -- when it isn't found --------------------------------------------------------------------------------- */

void locate_tell_missed(const struct session *s, char *text, size_t size)
{
	const struct replay_search *search = &s->shared->search;
	const struct event_async *wanted = &search->place, *nearest = &search->nearest;
	int len;

	*text = '\0';
	if (!s->search || !search->active)
		return;
	len = snprintf(text, size, "; looked for at %" PRIx64 ", where it came by %" PRIu64 " times as a stranger",
		       wanted->regs[REG_RIP_], search->arrivals - search->n_near);
	if (!search->n_near || len < 0 || (size_t)len >= size)
		return;
	len += snprintf(text + len, size - (size_t)len, " and %" PRIu64 " times with the same registers, but with other%s%s%s",
			search->n_near, wanted->regs[REG_EFL_] != nearest->regs[REG_EFL_] ? " flags" : "",
			wanted->vector_hash != nearest->vector_hash ? " vector registers" : "",
			wanted->memory_hash != nearest->memory_hash ? " memory" : "");
	for (uint32_t i = 0; i < ASYNC_OPERANDS && (size_t)len < size; i++) {
		if (wanted->operands[i].value == nearest->operands[i].value &&
		    wanted->operands[i].address == nearest->operands[i].address)
			continue;
		(void) snprintf(text + len, size - (size_t)len, ": %" PRIx64 " at %" PRIx64 " instead of %" PRIx64 " at %" PRIx64,
				nearest->operands[i].value, nearest->operands[i].address,
				wanted->operands[i].value, wanted->operands[i].address);
		return;
	}
}

/* -- the program's view ---------------------------------------------------------------------------------------- */

static bool in_pad(const struct search *f, uint64_t ip)
{
	return f && f->patched && ip - f->pad < PAD_LEN;
}

/* Where the copies end: the jump back. */
static const struct instruction *last_displaced(const struct search *f)
{
	return &f->code[f->first + f->n_displaced - 1];
}

uint64_t locate_visible(const struct session *s, uint64_t ip)
{
	const struct search *f = s->search;

	if (!in_pad(f, ip))
		return ip;
	for (size_t i = f->first; i < f->first + f->n_displaced; i++)
		if (f->code[i].twin == ip)
			return f->code[i].address;
	if (ip == f->jump_back)
		return last_displaced(f)->address + last_displaced(f)->decoded.length;
	return ip;
}

bool locate_is_between(const struct session *s, uint64_t ip)
{
	return in_pad(s->search, ip) && locate_visible(s, ip) == ip;
}

bool locate_is_check(const struct session *s, uint64_t ip)
{
	const struct search *f = s->search;

	return in_pad(f, ip) && f->jumps && ip >= f->code[f->target].twin &&
	       ip <= s->shared->search.out_of_line;
}

bool locate_is_entry(const struct session *s, uint64_t ip)
{
	const struct search *f = s->search;

	return in_pad(f, ip) && f->jumps && ip == f->code[f->first].twin;
}

void locate_hide(const struct session *s, uint64_t address, uint8_t *bytes, size_t len)
{
	const struct search *f = s->search;

	for (size_t i = 0; f && f->patched && i < f->saved_len; i++)
		if (f->patched + i - address < len)
			bytes[f->patched + i - address] = f->saved[i];
}

/* -- false alarms ------------------------------------------------------------------------------------------------ */

static bool already(const struct search *f, int reg, uint64_t address)
{
	for (size_t i = 0; i < f->n_conditions; i++)
		if (f->conditions[i].reg == reg && (reg >= 0 || f->conditions[i].address == address))
			return true;
	return false;
}

/* What a repeated string instruction changes while it lasts. */
static bool counts_repetitions(int reg)
{
	return reg == REG_RCX_ || reg == REG_RSI_ || reg == REG_RDI_ || reg == REG_RAX_;
}

/* A compare in the process would read our bytes there. */
static bool is_patched(const struct session *s, uint64_t address, unsigned len)
{
	const struct replay_patch *patches = s->shared->patches;

	for (uint32_t i = 0; i < s->shared->n_patches && i < MAX_REPLAY_PATCHES; i++)
		if (patches[i].address < address + len && address < patches[i].address + patches[i].len)
			return true;
	return false;
}

/* One in an x87 or XMM register. */
static bool find_vector(struct session *s, struct search *f, uint64_t frame, struct condition *ret)
{
	uint64_t words[ASYNC_VECTORS], fpstate;
	uint8_t bytes[XSAVE_EXTENDED];

	if (session_read(s, frame + UCONTEXT_FPSTATE, &fpstate, sizeof(fpstate)) != sizeof(fpstate) ||
	    session_read(s, fpstate, bytes, sizeof(bytes)) != sizeof(bytes))
		return false;
	xstate_low_words(bytes, words);
	for (int i = 0; i < ASYNC_VECTORS; i++) {
		if (words[i] == f->place.vectors[i] || already(f, CONDITION_VECTOR + i, 0))
			continue;
		*ret = (struct condition){ CONDITION_VECTOR + i, 0, f->place.vectors[i] };
		return true;
	}
	return false;
}

/* What a pointer leads to: a place further on in it than the words that are kept. */
static bool find_block(struct session *s, struct search *f, struct condition *ret)
{
	for (uint32_t i = 0; i < f->place.n_blocks && i < ASYNC_BLOCKS; i++) {
		uint64_t address = f->place.blocks[i];
		uint8_t block[ASYNC_BLOCK];

		if (session_read(s, address, block, sizeof(block)) != sizeof(block) ||
		    async_check(block) == f->place.block_checks[i] || already(f, CONDITION_BLOCK, address) ||
		    is_patched(s, address, sizeof(block)) || is_access_watched(s, address, sizeof(block)))
			continue;
		*ret = (struct condition){ CONDITION_BLOCK, address, f->place.block_checks[i] };
		return true;
	}
	return false;
}

/*
 * What tells this arrival from the place: a register first, then a memory operand, then what
 * takes longest to compare.
 */
static bool find_difference(struct session *s, struct search *f, const struct thread_view *view,
			    struct condition *ret)
{
	const uint64_t *regs = view->regs;
	bool in_repeated = is_repeated(&f->code[f->target]);
	uint64_t value;

	for (int i = 0; i < 16; i++)
		if (!(in_repeated && counts_repetitions(i)) && regs[i] != f->place.regs[i] && !already(f, i, 0)) {
			*ret = (struct condition){ i, 0, f->place.regs[i] };
			return true;
		}
	for (uint32_t i = 0; i < f->place.n_operands && i < ASYNC_OPERANDS; i++) {
		uint64_t address = f->place.operands[i].address;

		if (session_read(s, address, &value, sizeof(value)) != sizeof(value) ||
		    value == f->place.operands[i].value || already(f, CONDITION_MEMORY, address) || in_repeated ||
		    is_patched(s, address, sizeof(value)) ||
		    is_access_watched(s, address, sizeof(value)))
			continue;
		*ret = (struct condition){ CONDITION_MEMORY, address, f->place.operands[i].value };
		return true;
	}
	return (!in_repeated && find_block(s, f, ret)) || find_vector(s, f, view->frame, ret);
}

int locate_retune(struct session *s, struct replay_error *ret_error)
{
	struct search *f = s->search;
	struct thread_view view;
	int r;

	r = read_thread(s, s->shared->stop_thread, &view);
	if (r < 0)
		return fail(s, ret_error, r);
	if (f->n_conditions == MAX_CONDITIONS ||
	    !find_difference(s, f, &view, &f->conditions[f->n_conditions])) {
		s->shared->search.report_every = 0;	/* the agent's compare must do */
		return -EAGAIN;
	}
	f->n_conditions++;
	r = write_pad(s, f);
	if (r == 0)
		tell_twins(s, f);
	return r < 0 ? fail(s, ret_error, r) : -EAGAIN;
}

/* For want of memory it isn't told. */
static void tell_search(const struct session *s)
{
	struct searches *searches = s->options.searches;
	uint64_t *grown;

	if (!searches)
		return;
	if (searches->n == searches->room) {
		grown = reallocarray(searches->ns, 2 * searches->room + 64, sizeof(*grown));
		if (!grown)
			return;
		searches->ns = grown;
		searches->room = 2 * searches->room + 64;
	}
	searches->ns[searches->n++] = session_clock() - s->search_begin_ns;
}

void locate_end(struct session *s)
{
	struct search *f = s->search;

	s->shared->search.active = 0;
	s->shared->search.address = 0;
	s->shared->search.partial = 0;
	unpatch(s, f);
	s->shared->search.hardware = 0;
	(void) session_call(s, SYS_munmap, f->pad, PAD_LEN, 0, 0, 0, 0);
	locate_free(s);
	tell_patches(s);
	tell_search(s);
}
