/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sites - instructions whose results differ from run to run
 *
 * The time-stamp counter, CPUID, random numbers, calls of the vsyscall page: nothing makes
 * them trap that a service could afford, or nothing at all. So where a scan of a newly
 * mapped image has proven that one stands, a privileged instruction (hlt) takes the place
 * of its opcode's first byte. The kernel says SIGSEGV, and the agent gives the answer, from
 * the log in a replay. (Hypervisors intercept an invalid instruction: that costs five times
 * as much.)
 *
 * The table of sites is in the arena, hence in snapshots, as the changed pages are; what
 * is changed between two snapshots is an event. Text is written through /proc, which
 * takes no writable and executable mapping. A site is entered before its bytes change, and the
 * table is never rearranged: in MODE_PASS others read it at any time.
 */
#include "recorder/agent/agent.h"
#include "recorder/cpuid.h"

enum {
	PR_SET_TSC_ = 26, PR_TSC_ENABLE = 1, PR_TSC_SIGSEGV = 2,
	FLAG_CARRY = 1 << 0, FLAG_TRAP_ = 1 << 8, FLAG_RESUME_ = 1 << 16, FLAGS_ARITHMETIC = 0x8d5,
	RUN = 2048,		/* code that is written at once */
	AUX_END = 0, AUX_PHDR = 3, AUX_BASE = 7,
	VSYSCALL_ENTRIES = 3, VSYSCALL_STEP = 1024,
};
#define VSYSCALL_PAGE UINT64_C(0xffffffffff600000)

/* -- the table ----------------------------------------------------------------------------- */

static struct agent_site *find_site(uint64_t address)
{
	struct agent_process *p = process();
	uint32_t n = MIN(load_acquire(&p->n_sites), (uint32_t)MAX_SITES);

	for (uint32_t i = 0; i < n; i++)
		if (load_relaxed(&p->sites[i].address) == address)
			return &p->sites[i];
	return NULL;
}

static struct agent_site *enter_site(const struct agent_site *site)
{
	struct agent_process *p = process();
	struct agent_site *to = find_site(site->address);

	if (!to)
		to = find_site(0);	/* forgotten */
	if (!to && p->n_sites == MAX_SITES)
		return NULL;
	if (!to)
		to = &p->sites[p->n_sites];
	store_relaxed(&to->address, 0);
	memcpy((uint8_t *)to + sizeof(to->address), (const uint8_t *)site + sizeof(to->address),
	       sizeof(*to) - sizeof(to->address));
	store_release(&to->address, site->address);
	if (to == &p->sites[p->n_sites])
		store_release(&p->n_sites, p->n_sites + 1);
	return to;
}

bool site_is_tsc(uint64_t address)
{
	static const uint8_t traps = AGENT_SITE_BYTE;
	const struct agent_site *site = find_site(address);

	return site && (site->kind == SITE_RDTSC || site->kind == SITE_RDTSCP) && text_is(-1, address, &traps, 1);
}

void sites_forget(uint64_t start, uint64_t len)
{
	struct agent_process *p = process();

	if (!agent_replays() && passing())
		return;
	for (uint32_t i = 0; i < p->n_sites && i < MAX_SITES; i++)
		if (p->sites[i].address - start < ALIGN_UP(len, (uint64_t)PAGE))
			store_release(&p->sites[i].address, 0);
}

/* -- changing text -------------------------------------------------------------------------- */

static const uint8_t ours = AGENT_SITE_BYTE;

/* The site is ours from here on. False: the program's own instruction stays. */
static bool change(int fd, const struct agent_site *site)
{
	struct agent_site *entered;

	if (!text_is(-1, site->address + site->at, &site->byte, 1))
		return false;
	entered = enter_site(site);
	if (!entered)
		return false;
	if (text_write(fd, site->address + site->at, &ours, 1))
		return true;
	store_release(&entered->address, 0);
	return false;
}

static bool restore(int fd, struct agent_site *site)
{
	uint64_t at = site->address + site->at;

	/* Unmapped since, or overwritten: not ours. */
	return !text_is(fd, at, &ours, 1) || text_write(fd, at, &site->byte, 1);
}

/* Of @sites from @first on those near it: the index behind them, and from where to where they are. */
static uint32_t find_run(const struct agent_site *sites, uint32_t first, uint32_t n, uint64_t *ret_start,
			 uint64_t *ret_len)
{
	uint64_t start = sites[first].address + sites[first].at, len = 1;
	uint32_t end = first;

	for (; end < n; end++) {
		uint64_t at = sites[end].address + sites[end].at - start;

		if (!sites[end].address || at >= RUN)
			break;
		len = MAX(len, at + 1);
	}
	*ret_start = start;
	*ret_len = len;
	return end;
}

static bool write_run(int fd, uint64_t start, const uint8_t *code, uint64_t len)
{
	uint8_t written[RUN];

	return fd >= 0 && agent_syscall(NR_pwrite64, fd, code, len, start) == (long)len &&
	       copy_from_user(written, start, len) && memcmp(code, written, len) == 0;
}

/*
 * Sites near each other, from @first on, with one write: a fork child has no time to lose. It
 * has no other threads either, so the bytes between don't change meanwhile. Returns the
 * index behind the last.
 */
static uint32_t restore_run(int fd, uint32_t first, bool *all)
{
	struct agent_process *p = process();
	uint8_t code[RUN];
	uint64_t start, len;
	uint32_t end = find_run(p->sites, first, MIN(p->n_sites, (uint32_t)MAX_SITES), &start, &len);

	if (copy_from_user(code, start, len)) {
		for (uint32_t i = first; i < end; i++) {
			uint64_t at = p->sites[i].address + p->sites[i].at - start;

			if (code[at] == AGENT_SITE_BYTE)
				code[at] = p->sites[i].byte;
		}
		if (write_run(fd, start, code, len))
			return end;
	}
	for (uint32_t i = first; i < end; i++)
		*all = restore(fd, &p->sites[i]) && *all;
	return end;
}

/* All of @sites, @code being what is from @start on: false if one isn't there, or there is no room for it. */
static bool change_together(int fd, const struct agent_site *sites, uint32_t n, uint64_t start, uint8_t *code,
			    uint64_t len)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t *at = code + (sites[i].address + sites[i].at - start);

		if (*at != sites[i].byte || !enter_site(&sites[i]))
			return false;
		*at = ours;
	}
	return write_run(fd, start, code, len);
}

/*
 * The same for what was found: who changes code has the baton, and the dynamic linker has some
 * sixty. Those that were changed move to @*n_changed on.
 */
static uint32_t change_run(int fd, uint32_t first, uint32_t *n_changed)
{
	struct agent_process *p = process();
	uint8_t code[RUN];
	uint64_t start, len;
	uint32_t end = find_run(p->found, first, p->n_found, &start, &len);
	bool together = fd >= 0 && end - first > 1 && copy_from_user(code, start, len) &&
			change_together(fd, p->found + first, end - first, start, code, len);

	for (uint32_t i = first; i < end; i++) {
		const struct agent_site *site = &p->found[i];
		struct agent_site *entered = find_site(site->address);
		/* Of what was to be written together, some may have been. */
		bool changed = together || (entered && text_is(-1, site->address + site->at, &ours, 1));

		if (!changed && entered)
			store_release(&entered->address, 0);
		if (changed || change(fd, site))
			p->found[(*n_changed)++] = p->found[i];
		else
			shared()->sites_left[p->found[i].kind]++;
	}
	return end;
}

bool sites_restore(void)
{
	struct agent_process *p = process();
	bool all = true;
	int fd;

	if (p->n_sites == 0)
		return true;
	fd = text_open();
	for (uint32_t i = 0; i < p->n_sites && i < MAX_SITES;)
		i = p->sites[i].address ? restore_run(fd, i, &all) : i + 1;
	text_close(fd);
	return all;
}

/* What can't be answered is the program's own affair: it will be executed again, as it was. */
static void give_back(struct agent_site *site)
{
	int fd = text_open();

	(void) restore(fd, site);
	text_close(fd);
	store_release(&site->address, 0);
}

/* -- new images ------------------------------------------------------------------------------- */

static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t ret[4])
{
	const struct cpuid_table *table = &shared()->known.cpuid;

	if (!cpuid_has_subleaves(leaf))
		subleaf = 0;
	for (uint32_t i = 0; i < table->n && i < CPUID_ROWS; i++)
		if (table->rows[i].leaf == leaf && table->rows[i].subleaf == subleaf) {
			memcpy(ret, table->rows[i].regs, sizeof(table->rows[i].regs));
			return;
		}
	cpuid_ask(leaf, subleaf, ret);
}

/*
 * Of random numbers' instructions those that the processor has: what it has not it may go on to
 * complain of. Bits of enum site_kind. In a virtual machine CPUID takes microseconds.
 */
static uint32_t missing_kinds(void)
{
	enum { ECX_RDRAND = 1 << 30, EBX_RDSEED = 1 << 18, ECX_RDPID = 1 << 22 };
	uint32_t basic[4], extended[4];

	cpuid(1, 0, basic);
	cpuid(7, 0, extended);
	return (basic[2] & ECX_RDRAND ? 0 : 1u << SITE_RDRAND) |
	       (extended[1] & EBX_RDSEED ? 0 : 1u << SITE_RDSEED) |
	       (extended[2] & ECX_RDPID ? 0 : 1u << SITE_RDPID);
}

static void found(void *context, const struct agent_site *site)
{
	struct agent_process *p = context;

	if (p->n_found < MAX_SITES_OF_IMAGE)
		p->found[p->n_found++] = *site;
	else
		shared()->sites_left[site->kind]++;
}

/* The image is scanned, unless what is in it is known. It is in process()->found then. */
static void find_sites(uint64_t base, const struct image_id *id)
{
	struct agent_process *p = process();
	uint32_t left[SITE_N] = { 0 };

	p->n_found = 0;
	if (!images_recall(id, base, left)) {
		scan_image(base, found, p, left);
		images_remember(id, base, left);
	}
	for (unsigned i = 0; i < SITE_N; i++)
		shared()->sites_left[i] += left[i];
}

/* Of what was found, what isn't the processor's or the policy's wish is left. */
static void choose_sites(void)
{
	const uint32_t random = 1u << SITE_RDRAND | 1u << SITE_RDSEED | 1u << SITE_RDPID;
	struct agent_process *p = process();
	uint32_t n = 0, kinds = 0, missing;

	for (uint32_t i = 0; i < p->n_found; i++)
		kinds |= 1u << p->found[i].kind;
	missing = kinds & random ? missing_kinds() : 0;
	for (uint32_t i = 0; i < p->n_found; i++) {
		const struct agent_site site = p->found[i];

		if (missing >> site.kind & 1)
			continue;
		if (agent_config.change_code >> site.kind & 1)
			p->found[n++] = site;
		else
			shared()->sites_left[site.kind]++;
	}
	p->n_found = n;
}

/*
 * The scan must see the code as it was, so nothing is changed before its end. What has been
 * is in process()->found.
 */
static void scan_and_change(uint64_t base, const struct image_id *id)
{
	struct agent_process *p = process();
	uint32_t n_changed = 0;
	int fd;

	find_sites(base, id);
	choose_sites();
	if (p->n_found == 0)
		return;
	fd = text_open();
	for (uint32_t i = 0; i < p->n_found;)
		i = change_run(fd, i, &n_changed);
	text_close(fd);
	p->n_found = n_changed;
}

/* The kernel has put the auxiliary vector behind arguments and environment. */
static uint64_t aux_value(uint64_t type)
{
	uint64_t at = agent_config.stack, pair[2];
	unsigned nulls = 0;

	at += 8;	/* argc */
	while (nulls < 2 && copy_from_user(pair, at, 8)) {
		nulls += pair[0] == 0;
		at += 8;
	}
	while (nulls == 2 && copy_from_user(pair, at, sizeof(pair)) && pair[0] != AUX_END) {
		if (pair[0] == type)
			return pair[1];
		at += sizeof(pair);
	}
	return 0;
}

void sites_of_program(void)
{
	uint64_t program = ALIGN_DOWN(aux_value(AUX_PHDR), (uint64_t)PAGE);
	uint64_t interpreter = aux_value(AUX_BASE);

	if (program)
		scan_and_change(program, &agent_config.program_id);
	if (interpreter)
		scan_and_change(interpreter, &agent_config.interpreter_id);
}

void sites_note_mapping(uint64_t at, uint64_t len, bool executable, uint64_t offset, long fd)
{
	struct agent_process *p = process();

	if (offset == 0)
		p->file_head = (struct agent_range){ at, at + len };
	if (!executable || at < p->file_head.start || at >= p->file_head.end ||
	    p->n_new_objects == MAX_NEW_OBJECTS)
		return;
	for (uint32_t i = 0; i < p->n_new_objects; i++)
		if (p->new_objects[i].base == p->file_head.start)
			return;
	p->new_objects[p->n_new_objects++] = (struct new_object){ p->file_head.start, images_id(fd) };
}

/*
 * A scan that found nothing left no event. To wait for this thread's next one then would
 * let others run here, who didn't in the recording: what they map isn't scanned yet.
 */
static void replay_sites(struct thread *thread)
{
	const struct event *event;

	while ((event = replay_peek(thread)) != NULL && event->kind == EVENT_SITES) {
		struct agent_site site;

		replay_text_changes(thread, false);
		for (int64_t i = 0, n = event->result; i < n; i++)
			if (!replay_read(thread, &site, sizeof(site)) || !change(-1, &site))
				replay_diverged(thread, EVENT_SITES, 0, 0);
		replay_text_changes(thread, true);
		replay_done(thread);
	}
}

static void record_sites(struct thread *thread, const struct new_object *object)
{
	struct agent_process *p = process();

	scan_and_change(object->base, &object->id);
	if (p->n_found == 0 || !log_begin(thread, EVENT_SITES, 0, 0, 0, p->n_found))
		return;
	log_add(thread, p->found, p->n_found * sizeof(p->found[0]));
	log_end(thread);
}

void sites_scan_new(struct thread *thread, long nr)
{
	struct agent_process *p = process();

	if (nr == NR_mmap || nr == NR_mprotect || nr == NR_munmap)
		return;
	if (agent_replays())
		replay_sites(thread);
	else if (!passing() && !thread->is_vfork_child)
		for (uint32_t i = 0; i < p->n_new_objects; i++)
			record_sites(thread, &p->new_objects[i]);
	p->n_new_objects = 0;
}

/* -- answers -------------------------------------------------------------------------------------- */

/* Nobody else is in the log: a process that runs natively and couldn't be restored. */
static bool on_its_own(void)
{
	return process()->detached != 0;
}

static uint64_t *reg_of(struct ucontext *context, unsigned number)
{
	static const uint8_t low[8] = { REG_RAX_, REG_RCX_, REG_RDX_, REG_RBX_,
					REG_RSP_, REG_RBP_, REG_RSI_, REG_RDI_ };

	return &context->regs[number < 8 ? low[number] : number - 8 + REG_R8_];
}

/*
 * Transactions abort and timed waits end when the machine likes it: a program that doesn't
 * know of them does without.
 */
static void hide_features(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	enum { EBX_HLE = 1 << 4, EBX_RTM = 1 << 11, ECX_WAITPKG = 1 << 5 };

	if (leaf != 7 || subleaf != 0)
		return;
	regs[1] &= ~(uint32_t)(EBX_HLE | EBX_RTM);
	regs[2] &= ~(uint32_t)ECX_WAITPKG;
}

static uint32_t ip_check(const struct ucontext *context)
{
	return (uint32_t)context->regs[REG_RIP_];
}

static void answer_cpuid(struct thread *thread, struct ucontext *context)
{
	uint64_t *regs = context->regs;
	uint32_t result[4];

	if (!on_its_own() && agent_replays()) {
		(void) replay_expect(thread, EVENT_INSTRUCTION, SITE_CPUID, ip_check(context));
		if (!replay_read(thread, result, sizeof(result)))
			replay_diverged(thread, EVENT_INSTRUCTION, SITE_CPUID, ip_check(context));
		replay_done(thread);
	} else {
		cpuid((uint32_t)regs[REG_RAX_], (uint32_t)regs[REG_RCX_], result);
		hide_features((uint32_t)regs[REG_RAX_], (uint32_t)regs[REG_RCX_], result);
		if (!on_its_own() &&
		    log_begin(thread, EVENT_INSTRUCTION, 0, SITE_CPUID, ip_check(context), 0)) {
			log_add(thread, result, sizeof(result));
			log_end(thread);
		}
	}
	regs[REG_RAX_] = result[0];
	regs[REG_RBX_] = result[1];
	regs[REG_RCX_] = result[2];
	regs[REG_RDX_] = result[3];
}

/* What is in use is known from what the kernel saved: the agent itself uses less. */
static uint64_t read_xcr(const struct ucontext *context, uint32_t number)
{
	enum { STATE_BV = 512 };
	uint32_t low, high;
	uint64_t in_use;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	if (number == 0)
		return (uint64_t)high << 32 | low;
	memcpy(&in_use, context->fpstate + STATE_BV, sizeof(in_use));
	return ((uint64_t)high << 32 | low) & in_use;
}

static void answer_xgetbv(struct thread *thread, struct ucontext *context)
{
	uint64_t *regs = context->regs, value;

	if (!on_its_own() && agent_replays()) {
		value = (uint64_t)replay_expect(thread, EVENT_INSTRUCTION, SITE_XGETBV,
						ip_check(context))->result;
		replay_done(thread);
	} else {
		value = read_xcr(context, (uint32_t)regs[REG_RCX_]);
		if (!on_its_own())
			log_event(thread, EVENT_INSTRUCTION, 0, SITE_XGETBV, ip_check(context),
				  (int64_t)value);
	}
	regs[REG_RAX_] = (uint32_t)value;
	regs[REG_RDX_] = value >> 32;
}

static bool draw_random(const struct agent_site *site, uint64_t *ret)
{
	bool ok;

	if (site->kind == SITE_RDRAND)
		__asm__ volatile("rdrand %0" : "=r"(*ret), "=@ccc"(ok));
	else
		__asm__ volatile("rdseed %0" : "=r"(*ret), "=@ccc"(ok));
	return ok;
}

static void set_register(struct ucontext *context, const struct agent_site *site, uint64_t value)
{
	uint64_t *reg = reg_of(context, site->reg);

	if (site->width == 2)
		*reg = (*reg & ~UINT64_C(0xffff)) | (value & 0xffff);
	else
		*reg = site->width == 4 ? (uint32_t)value : value;
}

static void answer_random(struct thread *thread, struct ucontext *context,
			  const struct agent_site *site)
{
	uint64_t value = 0, ok;

	if (!on_its_own() && agent_replays()) {
		value = (uint64_t)replay_expect(thread, EVENT_INSTRUCTION, site->kind,
						ip_check(context))->result;
		if (!replay_read(thread, &ok, sizeof(ok)))
			replay_diverged(thread, EVENT_INSTRUCTION, site->kind, ip_check(context));
		replay_done(thread);
	} else {
		ok = draw_random(site, &value);
		if (!on_its_own() && log_begin(thread, EVENT_INSTRUCTION, 0, site->kind, ip_check(context),
					       (int64_t)value)) {
			log_add(thread, &ok, sizeof(ok));
			log_end(thread);
		}
	}
	set_register(context, site, ok ? value : 0);
	context->regs[REG_EFL_] &= ~(uint64_t)FLAGS_ARITHMETIC;
	context->regs[REG_EFL_] |= ok ? FLAG_CARRY : 0;
}

/* The vsyscall page's functions are our vDSO's; whatever else is called is just called. */
static bool call_by_register(struct ucontext *context, const struct agent_site *site)
{
	uint64_t *regs = context->regs, target = *reg_of(context, site->reg);
	uint64_t next = regs[REG_RIP_] + site->len, offset = target - VSYSCALL_PAGE;

	if (!copy_to_user(regs[REG_RSP_] - 8, &next, sizeof(next)))
		return false;
	regs[REG_RSP_] -= 8;
	if (offset == 0)
		target = VDSO_ADDRESS(VDSO_vdso_old_gettimeofday);
	else if (offset == VSYSCALL_STEP)
		target = VDSO_ADDRESS(VDSO_vdso_old_time);
	else if (offset == 2 * VSYSCALL_STEP)
		target = VDSO_ADDRESS(VDSO_vdso_old_getcpu);
	regs[REG_RIP_] = target;
	return true;
}

static uint64_t read_trapped_tsc(void)
{
	uint64_t value;

	if (!process()->tsc_trapped)
		return read_tsc();
	(void) agent_syscall(NR_prctl, PR_SET_TSC_, PR_TSC_ENABLE);
	value = read_tsc();
	(void) agent_syscall(NR_prctl, PR_SET_TSC_, PR_TSC_SIGSEGV);
	return value;
}

static void answer_tsc(struct thread *thread, struct ucontext *context,
		       const struct agent_site *site)
{
	struct agent_process *p = process();
	uint64_t value, *regs = context->regs;

	if (on_its_own()) {
		value = read_tsc();
	} else if (agent_replays()) {
		/* Others run, and read it, until it is this thread's turn. */
		value = (uint64_t)replay_expect(thread, EVENT_TSC, site->len, ip_check(context))->result;
		value += p->tsc_read;
		replay_done(thread);
	} else {
		value = read_trapped_tsc();
		log_event(thread, EVENT_TSC, 0, site->len, ip_check(context), (int64_t)(value - p->tsc_read));
	}
	p->tsc_read = value;
	regs[REG_RAX_] = (uint32_t)value;
	regs[REG_RDX_] = value >> 32;
	if (site->kind == SITE_RDTSCP)
		regs[REG_RCX_] = 0;	/* the processor's number: it may have been any */
}

static void answer_rdpid(struct thread *thread, struct ucontext *context,
			 const struct agent_site *site)
{
	if (!on_its_own() && agent_replays()) {
		(void) replay_expect(thread, EVENT_INSTRUCTION, SITE_RDPID, ip_check(context));
		replay_done(thread);
	} else if (!on_its_own()) {
		log_event(thread, EVENT_INSTRUCTION, 0, SITE_RDPID, ip_check(context), 0);
	}
	set_register(context, site, 0);
}

static void answer(struct thread *thread, struct ucontext *context, const struct agent_site *site)
{
	uint64_t next = context->regs[REG_RIP_] + site->len;

	switch (site->kind) {
	case SITE_RDTSC: case SITE_RDTSCP:
		answer_tsc(thread, context, site);
		break;
	case SITE_CPUID:
		answer_cpuid(thread, context);
		break;
	case SITE_XGETBV:
		answer_xgetbv(thread, context);
		break;
	case SITE_RDRAND: case SITE_RDSEED:
		answer_random(thread, context, site);
		break;
	case SITE_RDPID:
		answer_rdpid(thread, context, site);
		break;
	}
	context->regs[REG_RIP_] = next;
}

/* 0f c7 /4 with a displacement from the stack pointer. What can't be stored there faults. */
static void save_on_stack(struct ucontext *context, struct agent_site *site)
{
	uint64_t displacement = site->address + 4;
	int32_t wide = 0;
	int8_t narrow = 0;
	bool read = site->len == 5 ? copy_code(&narrow, displacement, sizeof(narrow)) == sizeof(narrow) :
				     copy_code(&wide, displacement, sizeof(wide)) == sizeof(wide);

	if (read && xsavec_store(context, context->regs[REG_RSP_] + (uint64_t)(int64_t)(narrow + wide)))
		context->regs[REG_RIP_] += site->len;
	else
		give_back(site);
}

/* Those that the log doesn't know of: the same in recording and replay. */
static bool needs_no_event(struct ucontext *context, struct agent_site *site)
{
	if (site->kind == SITE_VSYSCALL) {
		if (!call_by_register(context, site))
			give_back(site);
		return true;
	}
	if (site->kind == SITE_XSAVEC) {
		save_on_stack(context, site);
		return true;
	}
	if (site->kind == SITE_XGETBV && (uint32_t)context->regs[REG_RCX_] > 1) {
		give_back(site);	/* which is a fault */
		return true;
	}
	return false;
}

void instruction_trap(struct thread *thread, struct ucontext *context,
		      const struct agent_site *site)
{
	uint32_t attention;

	stubs_look_at_site(thread, site);
	if (agent_replays()) {
		if (context->regs[REG_EFL_] & FLAG_TRAP_) {
			thread->stepping = 1;	/* a debugger's step ends behind it */
			context->regs[REG_EFL_] &= ~(uint64_t)FLAG_TRAP_;
		}
		answer(thread, context, site);
	} else {
		attention = load_relaxed(&shared()->attention);
		if (attention & (ATTENTION_SNAPSHOT | ATTENTION_REAP))
			snapshot_attend(thread);
		if (attention & ATTENTION_WANT)
			baton_yield(thread);
		answer(thread, context, site);
	}
	thread->state = THREAD_LEAVING;
	leave_call(thread);
}

bool site_trap(struct thread *thread, struct ucontext *context)
{
	uint64_t address = stub_origin(context->regs[REG_RIP_]);
	struct agent_site *site = find_site(address);

	if (!site || !address)
		return false;
	context->regs[REG_RIP_] = address;
	/* Behind it, as behind each instruction that was made, a debug register is heeded. */
	context->regs[REG_EFL_] &= ~(uint64_t)FLAG_RESUME_;
	if (on_its_own()) {
		if (!needs_no_event(context, site))
			answer(thread, context, site);
		return true;
	}
	agent_enter(thread);
	set_context(thread, context, FP_IN_FRAME);
	thread->has_call_mask = 0;
	if (needs_no_event(context, site))
		resume_program(thread);
	instruction_trap(thread, context, site);
	return true;
}
