/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where jumps may stand before a system call, in code as compilers write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/stub-plan.h"

enum { START = 0x400000, AT = 0x300000 };

struct function {
	uint8_t code[64];
	uint8_t len, site;
	int8_t at;		/* where the jump shall stand; -1: nowhere */
	uint8_t overwritten, n_moved;
	uint8_t kind;		/* enum site_kind */
};

static const struct function functions[] = {
	/* mov $0x27,%eax; syscall; ret */
	{ { 0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xc3 }, 8, 5, 0, 5, 1 },
	/* read(2): cmpb $0,x(%rip); jne; xor %eax,%eax; syscall */
	{ { 0x80, 0x3d, 0x10, 0x20, 0x30, 0, 0, 0x75, 0x20, 0x31, 0xc0, 0x0f, 0x05, 0xc3 }, 14, 11, 0, 7, 3 },
	/* as in Go: three short moves, and no branch leads there */
	{ { 0x48, 0x89, 0xfa, 0x49, 0x89, 0xca, 0x48, 0x89, 0xdf, 0x0f, 0x05, 0xc3 }, 12, 9, 3, 6, 2 },
	/* a branch leads to the second of them, so the first two have to do */
	{ { 0x48, 0x89, 0xfa, 0x49, 0x89, 0xca, 0x48, 0x89, 0xdf, 0x0f, 0x05, 0x75, 0xf9, 0xc3 }, 14, 9, 0, 6, 3 },
	/* to both */
	{ { 0x48, 0x89, 0xfa, 0x49, 0x89, 0xca, 0x48, 0x89, 0xdf, 0x0f, 0x05, 0x75, 0xf9, 0x75, 0xf4, 0xc3 },
	  16, 9, -1, 0, 0 },
	/* an indirect jump may lead anywhere */
	{ { 0x48, 0x89, 0xfa, 0x49, 0x89, 0xca, 0x0f, 0x05, 0xff, 0xe0 }, 10, 6, -1, 0, 0 },
	/* but not into a long instruction */
	{ { 0xb8, 0x27, 0, 0, 0, 0x0f, 0x05, 0xff, 0xe0 }, 9, 5, 0, 5, 1 },
	/* behind a call; behind a return: nothing may be moved */
	{ { 0xe8, 0, 0x10, 0, 0, 0x31, 0xc0, 0x0f, 0x05, 0xc3 }, 10, 7, -1, 0, 0 },
	{ { 0xb8, 1, 0, 0, 0, 0xc3, 0x31, 0xc0, 0x0f, 0x05, 0xc3 }, 11, 8, -1, 0, 0 },
	/* behind an instruction that the agent answers (hlt in its place) */
	{ { 0xb8, 1, 0, 0, 0, 0xf4, 0x31, 0xc0, 0x0f, 0x05, 0xc3 }, 11, 8, -1, 0, 0 },
	/* at its beginning */
	{ { 0x0f, 0x05, 0xc3 }, 3, 0, -1, 0, 0 },
	/* rep movsb may be interrupted in its middle */
	{ { 0xb8, 1, 0, 0, 0, 0xf3, 0xa4, 0x0f, 0x05, 0xc3 }, 10, 7, -1, 0, 0 },
	/* rdtsc; shl $32,%rdx; or %rdx,%rax; ret: it gives way itself */
	{ { 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3 }, 10, 0, 0, 6, 2, SITE_RDTSC },
	/* the same of rdtscp; it isn't rdtsc */
	{ { 0x0f, 0x01, 0xf9, 0x89, 0x0f, 0xc3 }, 6, 0, 0, 5, 2, SITE_RDTSCP },
	{ { 0x0f, 0x01, 0xf9, 0x89, 0x0f, 0xc3 }, 6, 0, -1, 0, 0, SITE_RDTSC },
	/* a branch leads behind it; and there is something before it */
	{ { 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x75, 0xfa, 0xc3 }, 9, 0, -1, 0, 0, SITE_RDTSC },
	{ { 0xb8, 1, 0, 0, 0, 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x75, 0xfa, 0xc3 }, 14, 5, 0, 5, 1, SITE_RDTSC },
	/* one to itself leads to the jump */
	{ { 0xb8, 1, 0, 0, 0, 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x75, 0xf8, 0xc3 }, 14, 5, 5, 6, 2, SITE_RDTSC },
	/* an indirect jump may lead behind it */
	{ { 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0xff, 0xe0 }, 8, 0, -1, 0, 0, SITE_RDTSC },
	/* a return, or another of its kind, is behind it */
	{ { 0x0f, 0x31, 0x90, 0xc3 }, 4, 0, -1, 0, 0, SITE_RDTSC },
	{ { 0x0f, 0x31, 0x0f, 0x31, 0x89, 0x07, 0xc3 }, 7, 0, -1, 0, 0, SITE_RDTSC },
	/* there is nothing of a system call's own to give way, nor anything behind it */
	{ { 0x0f, 0x05, 0x48, 0xc1, 0xe2, 0x20, 0xc3 }, 7, 0, -1, 0, 0 },
};

static void shapes(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		const struct function *f = &functions[i];
		struct event_stub plan;
		const char *why;
		int r = stub_plan(f->code, f->len, START, START + f->site, (enum site_kind)f->kind, AT, &plan, &why);
		bool at_site = f->at == f->site;	/* where the agent's byte is */

		if (f->at < 0) {
			assert_int_equal(r, -ENOTSUP);
			assert_true(strlen(why) > 10);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(plan.stub.site, START + f->site);
		assert_int_equal(plan.stub.at, START + f->at);
		assert_int_equal(plan.stub.code, AT);
		assert_int_equal(plan.stub.len, f->overwritten);
		assert_int_equal(plan.stub.n_moved, f->n_moved);
		assert_memory_equal(plan.stub.old + at_site, f->code + f->at + at_site, f->overwritten - at_site);
		assert_true(!at_site || plan.stub.old[0] == AGENT_SITE_BYTE);
		assert_int_equal(plan.stub.from[0], 0);
		assert_int_equal(plan.stub.to[0], 0);
		assert_true(plan.stub.code_len <= STUB_LEN);
	}
}

/* What a 32-bit distance at @code + @at of the stub leads to; @behind: what of the instruction follows. */
static uint64_t leads_to(const struct event_stub *plan, size_t at, size_t behind)
{
	int32_t distance;

	memcpy(&distance, plan->code + at, sizeof(distance));
	return plan->stub.code + at + 4 + behind + (uint64_t)(int64_t)distance;
}

/* What is displaced does the same from where it is now. */
static void moved(void **state)
{
	const struct function *f = &functions[1];
	struct event_stub plan;
	const char *why;

	(void) state;
	assert_int_equal(stub_plan(f->code, f->len, START, START + f->site, SITE_NONE, AT, &plan, &why), 0);
	assert_int_equal(leads_to(&plan, 2, 1), START + 7 + 0x302010);	/* cmpb's operand */
	assert_int_equal(plan.stub.to[1], 7);
	assert_int_equal(plan.code[7], 0x0f);				/* jne, long now */
	assert_int_equal(plan.code[8], 0x85);
	assert_int_equal(leads_to(&plan, 9, 0), START + 9 + 0x20);
	assert_int_equal(plan.stub.to[2], 13);
	assert_int_equal(plan.code[13], 0x31);
	assert_int_equal(plan.code[14], 0xc0);
	/* mov %gs:..., %rcx; jrcxz; mov; lea behind the call, %rcx; jmp; jmp to the call */
	assert_int_equal(leads_to(&plan, 15 + 9 + 2 + 3 + 3, 0), START + f->site + 2);
	assert_int_equal(leads_to(&plan, (size_t)plan.stub.code_len - 4, 0), START + f->site);
}

/* What stands for rdtsc: what has it executed, and what traps; and then what was behind it. */
static void counter(void **state)
{
	static const uint8_t code[] = { 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3 };
	struct event_stub plan;
	const char *why;
	unsigned behind, trap;
	uint64_t site;

	(void) state;
	assert_int_equal(stub_plan(code, sizeof(code), START, START, SITE_RDTSC, AT, &plan, &why), 0);
	assert_int_equal(plan.stub.tail, 0);
	behind = plan.stub.to[1];
	trap = behind - 2;
	assert_int_equal(plan.stub.from[1], 2);
	assert_memory_equal(plan.code + behind, code + 2, 4);
	assert_int_equal(plan.code[behind + 4], 0xe9);
	assert_int_equal(leads_to(&plan, behind + 5, 0), START + 6);
	assert_int_equal(plan.code[trap], AGENT_SITE_BYTE);
	assert_int_equal(plan.code[trap + 1], 0x31);
	memcpy(&site, plan.code + trap - 8, sizeof(site));
	assert_int_equal(site, START);
	/* mov %rcx,%rax; mov %gs:...,%rcx; lea trap(%rip),%rdx; jrcxz 1f; jmp *%rcx; 1: mov; rdtsc; jmp behind */
	assert_int_equal(leads_to(&plan, 3 + 9 + 3, 0), AT + trap);
	assert_int_equal(plan.code[19], 0xe3);
	assert_int_equal(21 + plan.code[20], 23);
	assert_memory_equal(plan.code + 26, code, 2);
	assert_int_equal(plan.code[28], 0xeb);
	assert_int_equal(30 + plan.code[29], behind);
}

/* Calls of getpid(2) in code that nothing tells of. */
static const struct function unknown[] = {
	/* mov $39,%eax; syscall */
	{ { 0xb8, 39, 0, 0, 0, 0x0f, 0x05 }, 7, 5, 0, 5, 1 },
	/* behind a return, and behind zeroes */
	{ { 0xc3, 0xb8, 39, 0, 0, 0, 0x0f, 0x05 }, 8, 6, 1, 5, 1 },
	{ { 0, 0, 0, 0xb8, 39, 0, 0, 0, 0x0f, 0x05 }, 10, 8, 3, 5, 1 },
	/* mov $1,%edi; mov $39,%eax; mov %rcx,%r10; syscall */
	{ { 0xbf, 1, 0, 0, 0, 0xb8, 39, 0, 0, 0, 0x49, 0x89, 0xca, 0x0f, 0x05 }, 15, 13, 5, 5, 2 },
	/* mov $39,%rax; xor %edi,%edi; syscall */
	{ { 0x90, 0x48, 0xc7, 0xc0, 39, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05 }, 12, 10, 1, 7, 2 },
	/* mov $39,%eax; mov $1,%edi; syscall: the nearest gives way */
	{ { 0xb8, 39, 0, 0, 0, 0xbf, 1, 0, 0, 0, 0x0f, 0x05 }, 12, 10, 5, 5, 1 },
	/* mov $39,%r8d; mov 39(%rax),%edi: the latter bytes look so */
	{ { 0x41, 0xb8, 39, 0, 0, 0, 0x0f, 0x05 }, 8, 6, -1, 0, 0 },
	{ { 0x8b, 0xb8, 39, 0, 0, 0, 0x0f, 0x05 }, 8, 6, -1, 0, 0 },
	/* add %bh,39(%rax) may have been, if %rax was another then: mov (%rsi),%eax comes */
	{ { 0, 0xb8, 39, 0, 0, 0, 0x8b, 0x06, 0x0f, 0x05 }, 10, 8, -1, 0, 0 },
	/* another number; none */
	{ { 0xb8, 40, 0, 0, 0, 0x0f, 0x05 }, 7, 5, -1, 0, 0 },
	{ { 0x48, 0x8b, 0x44, 0x24, 8, 0x0f, 0x05 }, 7, 5, -1, 0, 0 },
	/* too near to what isn't there to be the whole of an instruction */
	{ { 39, 0, 0, 0, 0x0f, 0x05 }, 6, 4, -1, 0, 0 },
	/* mov $39,%eax; jmp to the call */
	{ { 0xb8, 39, 0, 0, 0, 0xeb, 0, 0x0f, 0x05 }, 9, 7, -1, 0, 0 },
};

static void by_number(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		const struct function *f = &unknown[i];
		struct event_stub plan;
		const char *why;
		int r = stub_plan_by_number(f->code, START, START + f->site, 39, AT, &plan, &why);

		if (f->at < 0) {
			assert_int_equal(r, -ENOTSUP);
			assert_true(strlen(why) > 10);
			continue;
		}
		assert_int_equal(r, 0);
		assert_int_equal(plan.stub.site, START + f->site);
		assert_int_equal(plan.stub.at, START + f->at);
		assert_int_equal(plan.stub.code, AT);
		assert_int_equal(plan.stub.len, f->overwritten);
		assert_int_equal(plan.stub.n_moved, f->n_moved);
		assert_memory_equal(plan.stub.old, f->code + f->at, f->overwritten);
	}
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void check_plan(const struct event_stub *plan, const uint8_t *code, size_t len, size_t site, unsigned site_len)
{
	const struct agent_stub *stub = &plan->stub;
	uint64_t at = stub->at - START;

	assert_true(stub->len >= 5 && stub->len <= sizeof(stub->old) && at + stub->len <= len);
	assert_true(at + stub->len <= site || at == site);
	assert_true(stub->code_len > stub->len && stub->code_len <= STUB_LEN && stub->tail < stub->code_len);
	assert_true(stub->n_moved >= 1 && stub->n_moved <= STUB_MOVED);
	assert_memory_equal(stub->old + (at == site), code + at + (at == site), stub->len - (at == site));
	for (unsigned i = 0; i < stub->n_moved; i++) {
		assert_true(stub->to[i] < stub->code_len);
		assert_true(i == 0 ? stub->from[0] == 0 : stub->from[i] > stub->from[i - 1]);
		assert_true(at + stub->from[i] < (at == site ? at + stub->len : site));
	}
	assert_true(site + site_len <= len);
}

/* Pieces of code, some with random bytes at their ends. Returns how many bytes there are. */
static size_t compose(uint64_t *random, uint8_t *code, size_t max)
{
	static const struct {
		uint8_t bytes[8], len, n_random;
	} pieces[] = {
		{ { 0x0f, 0x05 }, 2, 0 }, { { 0x0f, 0x31 }, 2, 0 }, { { 0x0f, 0x01, 0xf9 }, 3, 0 },
		{ { 0xb8, 39 }, 5, 0 }, { { 0x48, 0x89, 0xc2 }, 3, 0 }, { { 0x31, 0xc0 }, 2, 0 },
		{ { 0x75 }, 2, 1 }, { { 0x8b, 0x05 }, 6, 4 }, { { 0xff, 0xe0 }, 2, 0 }, { { 0xc3 }, 1, 0 },
		{ { 0x67, 0x8b, 0x05 }, 7, 4 }, { { 0 }, 1, 1 }, { { 0 }, 4, 4 },
	};
	size_t len = 0;

	while (len < max) {
		unsigned i = (unsigned)(next_random(random) % (sizeof(pieces) / sizeof(pieces[0])));

		for (unsigned j = 0; j < pieces[i].len && len < max; j++)
			code[len++] = j + pieces[i].n_random >= pieces[i].len ? (uint8_t)next_random(random) :
									      pieces[i].bytes[j];
	}
	return len;
}

/* Whatever the bytes are, there is a plan that makes sense, or none; and no other byte is read. */
static void nonsense(void **state)
{
	uint64_t random = 88172645463325252;
	unsigned n_planned = 0;

	(void) state;
	for (int i = 0; i < 5000; i++) {
		size_t len = 1 + next_random(&random) % 60;
		autoclean(freep) uint8_t *code = malloc(len);

		assert_non_null(code);
		len = compose(&random, code, len);
		for (size_t site = 0; site < len; site++) {
			enum site_kind kind = (enum site_kind)(next_random(&random) % 4);
			struct event_stub plan;
			const char *why;

			if (stub_plan(code, len, START, START + site, kind, AT, &plan, &why) == 0) {
				check_plan(&plan, code, len, site, kind == SITE_RDTSCP ? 3 : 2);
				n_planned++;
			}
			if (site + 2 <= len && code[site] == 0x0f && code[site + 1] == 0x05 &&
			    stub_plan_by_number(code, START, START + site, 39, AT, &plan, &why) == 0) {
				check_plan(&plan, code, site + 2, site, 2);
				n_planned++;
			}
		}
	}
	(void) fprintf(stderr, "# %u plans\n", n_planned);
	assert_true(n_planned > 500);
}

static void out_of_reach(void **state)
{
	const struct function *f = &functions[0];
	struct event_stub plan;
	const char *why;

	(void) state;
	assert_int_equal(stub_plan(f->code, f->len, START, START + f->site, SITE_NONE, UINT64_C(1) << 40, &plan, &why),
			 -ENOTSUP);
	assert_int_equal(stub_plan(f->code, f->len, START, START + f->site + 1, SITE_NONE, AT, &plan, &why), -ENOTSUP);
	assert_int_equal(stub_plan(f->code, 0, START, START, SITE_NONE, AT, &plan, &why), -ENOTSUP);
}

/* Branches into what a jump overwrites, from anywhere. Of what would be memory a file will do. */
static void branched_to(void **state)
{
	enum { LEN = 300 << 10, TO = 200 << 10 };
	static const struct {
		uint32_t at;
		uint8_t bytes[6], len;
	} branches[] = {
		{ 16, { 0xe9 }, 1 }, { 100000, { 0xe8 }, 1 }, { 299 << 10, { 0x0f, 0x85 }, 2 },
		{ (64 << 10) - 2, { 0xe9 }, 1 }, { (64 << 10) + 1, { 0xe9 }, 1 }, { 5000, { 0xc7, 0xf8 }, 2 },
		{ TO - 100, { 0x75, 98 + 1 }, 0 }, { TO + 50, { 0xeb, (uint8_t)-51 }, 0 },
	};
	autoclean(closep) int fd = memfd_create("code", MFD_CLOEXEC);

	(void) state;
	assert_true(fd >= 0 && ftruncate(fd, LEN) == 0);
	assert_int_equal(stub_is_branched_to(fd, 0, LEN, TO + 1, TO + 5), 0);
	for (size_t i = 0; i < sizeof(branches) / sizeof(branches[0]); i++) {
		uint8_t bytes[6], len = branches[i].len;
		int32_t distance = (int32_t)(TO + 1 - (branches[i].at + len + 4));
		const uint8_t zeros[6] = { 0 };

		memcpy(bytes, branches[i].bytes, sizeof(bytes));
		if (len)
			memcpy(bytes + len, &distance, sizeof(distance));
		assert_int_equal(pwrite(fd, bytes, sizeof(bytes), branches[i].at), sizeof(bytes));
		assert_int_equal(stub_is_branched_to(fd, 0, LEN, TO + 1, TO + 5), 1);
		assert_int_equal(stub_is_branched_to(fd, 0, LEN, TO + 2, TO + 5), 0);
		assert_int_equal(pwrite(fd, zeros, sizeof(zeros), branches[i].at), sizeof(zeros));
	}
	assert_int_equal(stub_is_branched_to(fd, 0, LEN + 1, TO + 1, TO + 5), -EFAULT);
	assert_int_equal(stub_is_branched_to(fd, 0, UINT64_MAX, TO + 1, TO + 5), -EFBIG);
}

/* A mapping of libc's code, and where the file begins. */
static void find_libc(uint64_t *ret_base, uint64_t *ret_start, uint64_t *ret_end)
{
	char line[512], perms[5];
	autoclean(fclosep) FILE *file = fopen("/proc/self/maps", "re");
	uint64_t start, end, offset;

	*ret_base = *ret_start = *ret_end = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (!strstr(line, "/libc.so.6") ||
		    sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64, &start, &end, perms, &offset) != 4)
			continue;
		if (offset == 0)
			*ret_base = start;
		if (perms[2] == 'x') {
			*ret_start = start;
			*ret_end = end;
		}
	}
}

/* All of the C library's calls: nearly each can have one, and none is planned wrongly. */
static void of_libc(void **state)
{
	uint64_t base, text, text_end, start, end;
	autoclean(closep) int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned n = 0, n_planned = 0, n_branched = 0;

	(void) state;
	find_libc(&base, &text, &text_end);
	if (!base || !text || mem < 0)
		skip();
	for (uint64_t at = text; at + 2 <= text_end; at++) {
		const uint8_t *code = (const uint8_t *)(uintptr_t)at;
		struct event_stub plan;
		const char *why;

		if (code[0] != 0x0f || code[1] != 0x05 || stub_function(mem, base, at, &start, &end) < 0)
			continue;
		assert_true(start <= at && at < end && end - start < 1 << 20);
		n++;
		if (stub_plan((const uint8_t *)(uintptr_t)start, end - start, start, at, SITE_NONE, text - 65536, &plan, &why) < 0)
			continue;
		n_planned++;
		assert_true(plan.stub.at >= start && plan.stub.at + plan.stub.len <= at);
		assert_memory_equal(plan.stub.old, (const void *)(uintptr_t)plan.stub.at, plan.stub.len);
		assert_int_equal(leads_to(&plan, (size_t)plan.stub.code_len - 4, 0), at);
		if (plan.stub.n_moved > 1 && plan.stub.from[1] < plan.stub.len)
			n_branched += stub_is_branched_to(mem, text, text_end, plan.stub.at + plan.stub.from[1],
							  plan.stub.at + plan.stub.len) != 0;
	}
	(void) fprintf(stderr, "# %u of %u, %u of them with branches from elsewhere\n", n_planned, n, n_branched);
	assert_true(n > 300 && n_planned >= n * 95 / 100 && n_branched <= n / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes), cmocka_unit_test(moved), cmocka_unit_test(counter),
		cmocka_unit_test(by_number), cmocka_unit_test(nonsense),
		cmocka_unit_test(out_of_reach),
		cmocka_unit_test(branched_to), cmocka_unit_test(of_libc),
	};

	return cmocka_run_group_tests_name("stub-plan", tests, NULL, NULL);
}
