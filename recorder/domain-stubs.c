/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the agent asks for places that make many system calls, or read time stamps (agent/stubs.c). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/domain-internal.h"
#include "recorder/stub-plan.h"
#include "recorder/syscall-names.h"

enum {
	FUNCTION_MAX = 64 << 10,
	SYSCALL_LEN = 2, LOOK_FOR_NUMBER = 96,	/* bytes before a call whose function isn't known */
	PAGE = 4096,
	LOOK_BACK = 1024, LOOK_AHEAD = 1024,	/* for the ends of a function that no table knows */
	ALIGNED = 16, PADDING = 0xcc,
	REFUSALS_MAX = 256,	/* that are remembered */
};

/* What an address is of: a file, or memory for code that the program makes. It isn't written to. */
struct image {
	bool made;
	uint64_t base;		/* where the same file begins */
	uint64_t offset;	/* in it, of the address */
	uint64_t start, end;	/* of the mapping that has it */
	char path[256];
};

/* Memory that several have may be written where it is mapped elsewhere. */
static const char *why_not(const char *perms, uint64_t ino, uint64_t base_ino)
{
	if (perms[1] == 'w')
		return "its memory can be written";
	return perms[3] == 's' || (ino && ino != base_ino) ? "it isn't in a program or library" : NULL;
}

static int find_image(const struct domain *d, uint64_t address, struct image *ret, const char **ret_why)
{
	char path[64], line[4352], perms[5];
	autoclean(fclosep) FILE *file = NULL;
	uint64_t start, end, offset, ino, base_ino = 0;
	int name;

	*ret = (struct image){ 0 };
	*ret_why = "it isn't mapped";
	(void) snprintf(path, sizeof(path), "/proc/%d/maps", living_task(d));
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx %4s %lx %*s %lu %n", &start, &end, perms, &offset, &ino, &name) != 5)
			continue;
		if (offset == 0 && ino) {
			ret->base = start;
			base_ino = ino;
		}
		if (address < start || address >= end)
			continue;
		ret->offset = offset + (address - start);
		ret->start = start;
		ret->end = end;
		line[strcspn(line, "\n")] = '\0';
		(void) snprintf(ret->path, sizeof(ret->path), "%s", line + name);
		ret->made = !ino;
		*ret_why = why_not(perms, ino, base_ino);
		return *ret_why ? -ENOEXEC : 0;
	}
	return -ENOENT;
}

/*
 * Go's functions have no unwind table of this kind; they are aligned, and between them there is
 * padding. @bytes are those around @address, from @base on.
 */
static int by_padding(const uint8_t *bytes, size_t len, uint64_t base, uint64_t address, uint64_t *ret_start,
		      uint64_t *ret_end)
{
	uint64_t start = address & ~(uint64_t)(ALIGNED - 1), end = start + ALIGNED;

	while (start > base && bytes[start - 1 - base] != PADDING)
		start -= ALIGNED;
	while (end < base + len && bytes[end - 1 - base] != PADDING)
		end += ALIGNED;
	if (start <= base || end >= base + len)
		return -ENOENT;
	while (bytes[end - 1 - base] == PADDING)
		end--;
	*ret_start = start;
	*ret_end = end;
	return 0;
}

static int function_of(int mem, uint64_t base, uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
	uint8_t bytes[LOOK_BACK + LOOK_AHEAD];
	uint64_t from = (address - LOOK_BACK) & ~(uint64_t)(ALIGNED - 1);
	int r = stub_function(mem, base, address, ret_start, ret_end);
	ssize_t n;

	if (r != -ENOENT)
		return r;
	n = pread(mem, bytes, sizeof(bytes), (off_t)from);
	return n <= LOOK_BACK ? -ENOENT : by_padding(bytes, (size_t)n, from, address, ret_start, ret_end);
}

/* @code is what is at the stub's place. It may have been taken back, or another library be there. */
static bool jump_stands(const struct agent_stub *stub, const uint8_t code[5])
{
	int32_t distance;

	memcpy(&distance, code + 1, sizeof(distance));
	return code[0] == 0xe9 && stub->at + 5 + (uint64_t)(int64_t)distance == stub->code;
}

/* The jumps that stand there hide what was there before. */
static void undo_stubs(const struct domain *d, uint8_t *code, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < d->n_stubs; i++) {
		const struct agent_stub *stub = &d->stubs[i];

		if (stub->at >= start && stub->at + stub->len <= end && jump_stands(stub, code + (stub->at - start)))
			memcpy(code + (stub->at - start), stub->old, stub->len);
	}
}

/* The same of the instructions that the agent answers. The table is the process's: it may say anything. */
static void undo_sites(const struct domain *d, int mem, uint8_t *code, uint64_t start, uint64_t end)
{
	uint64_t process = d->config.base + AGENT_PROCESS;
	autoclean(freep) struct agent_site *sites = calloc(MAX_SITES, sizeof(*sites));
	uint32_t n = 0;
	ssize_t len;

	if (!sites || pread(mem, &n, sizeof(n), (off_t)(process + offsetof(struct agent_process, n_sites))) != sizeof(n))
		return;
	n = n < MAX_SITES ? n : MAX_SITES;
	len = pread(mem, sites, n * sizeof(*sites), (off_t)(process + offsetof(struct agent_process, sites)));
	for (size_t i = 0; len > 0 && i < (size_t)len / sizeof(*sites); i++) {
		uint64_t at = sites[i].address + sites[i].at;

		if (sites[i].address && at >= start && at < end && code[at - start] == AGENT_SITE_BYTE)
			code[at - start] = sites[i].byte;
	}
}

/* Is there room for one more? Libraries come and go. */
static bool has_room(struct domain *d, int mem)
{
	size_t n = 0;

	if (d->n_stubs < MAX_STUBS)
		return true;
	for (size_t i = 0; i < d->n_stubs; i++) {
		uint8_t code[5];

		if (pread(mem, code, sizeof(code), (off_t)d->stubs[i].at) == sizeof(code) &&
		    jump_stands(&d->stubs[i], code))
			d->stubs[n++] = d->stubs[i];
	}
	d->n_stubs = n;
	return n < MAX_STUBS;
}

/* The jump of another. */
static bool is_in_the_way(const struct domain *d, int mem, const struct agent_stub *stub)
{
	for (size_t i = 0; i < d->n_stubs; i++) {
		const struct agent_stub *other = &d->stubs[i];
		uint8_t code[5];

		if (stub->at < other->at + other->len && other->at < stub->at + stub->len &&
		    pread(mem, code, sizeof(code), (off_t)other->at) == sizeof(code) && jump_stands(other, code))
			return true;
	}
	return false;
}

static int remember(struct domain *d, const struct agent_stub *stub)
{
	struct agent_stub *more = realloc(d->stubs, (d->n_stubs + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	d->stubs = more;
	more[d->n_stubs++] = *stub;
	return 0;
}

/* A jump over several instructions: compilers put what is rare of a function elsewhere. */
static bool others_branch_into(int mem, const struct image *image, const struct agent_stub *stub)
{
	unsigned second = stub->n_moved > 1 ? stub->from[1] : stub->len;

	return second < stub->len && stub_is_branched_to(mem, image->start, image->end, stub->at + second,
							 stub->at + stub->len) != 0;
}

static void undo_all(const struct domain *d, int mem, uint8_t *code, uint64_t start, uint64_t end)
{
	undo_stubs(d, code, start, end);
	undo_sites(d, mem, code, start, end);
}

/* Of a function whose ends are known. */
static int plan_in_function(const struct domain *d, int mem, const struct stub_request *request, uint64_t start,
			    uint64_t end, struct event_stub *ret_plan, const char **ret_why)
{
	autoclean(freep) uint8_t *code = malloc(end - start);

	*ret_why = "its function can't be read";
	if (!code || pread(mem, code, end - start, (off_t)start) != (ssize_t)(end - start))
		return -EFAULT;
	undo_all(d, mem, code, start, end);
	return stub_plan(code, end - start, start, request->plan.stub.site, request->kind,
			 request->plan.stub.code, ret_plan, ret_why);
}

/* Of code that nothing tells of. Before the first page of a mapping there may be none. */
static int plan_by_number(const struct domain *d, int mem, const struct stub_request *request,
			  struct event_stub *ret_plan, const char **ret_why)
{
	uint64_t site = request->plan.stub.site, end = site + SYSCALL_LEN, start = site - LOOK_FOR_NUMBER;
	uint8_t code[LOOK_FOR_NUMBER + SYSCALL_LEN];
	ssize_t n = pread(mem, code, sizeof(code), (off_t)start);

	*ret_why = "no function is known there";
	if (n != (ssize_t)sizeof(code) && start / PAGE != site / PAGE) {
		start = site & ~(uint64_t)(PAGE - 1);
		n = pread(mem, code, end - start, (off_t)start);
	}
	if (request->kind != SITE_NONE || n != (ssize_t)(end - start))
		return -ENOENT;
	undo_all(d, mem, code, start, end);
	return stub_plan_by_number(code, start, site, request->nr, request->plan.stub.code, ret_plan, ret_why);
}

static int plan(struct domain *d, const struct stub_request *request, struct image *ret_image,
		struct event_stub *ret_plan, const char **ret_why)
{
	uint64_t site = request->plan.stub.site;
	char path[64];
	autoclean(closep) int mem = -1;
	uint64_t start, end;
	int r = find_image(d, site, ret_image, ret_why);

	if (r < 0)
		return r;
	(void) snprintf(path, sizeof(path), "/proc/%d/mem", living_task(d));
	mem = open(path, O_RDONLY | O_CLOEXEC);
	*ret_why = "its process can't be read";
	if (mem < 0)
		return -errno;
	*ret_why = "there are too many stubs already";
	if (!request->plan.stub.code || !has_room(d, mem))
		return -ENOBUFS;
	if (ret_image->made || function_of(mem, ret_image->base, site, &start, &end) < 0 || end - start > FUNCTION_MAX)
		r = plan_by_number(d, mem, request, ret_plan, ret_why);
	else
		r = plan_in_function(d, mem, request, start, end, ret_plan, ret_why);
	if (r < 0)
		return r;
	*ret_why = "another stub is in the way";
	if (is_in_the_way(d, mem, &ret_plan->stub))
		return -EBUSY;
	*ret_why = "code elsewhere may branch to what is before it";
	return others_branch_into(mem, ret_image, &ret_plan->stub) ? -ENOTSUP : remember(d, &ret_plan->stub);
}

static void remember_refusal(struct domain *d, const struct image *image, const struct stub_request *request,
			     const char *why)
{
	const char *name = request->kind == SITE_NONE ? syscall_name((long)request->nr) :
			   request->kind == SITE_RDTSC ? "rdtsc" : "rdtscp";
	autoclean(freep) char *text = NULL;
	char **more;

	if (asprintf(&text, "%s at %s+0x%" PRIx64 ": %s", name ? name : "a call",
		     image->path[0] ? image->path : "code that the program made", image->offset, why) < 0) {
		text = NULL;
		return;
	}
	/* Code that is made again and again. */
	for (size_t i = 0; i < d->n_refused_stubs; i++)
		if (strcmp(d->refused_stubs[i], text) == 0)
			return;
	if (d->n_refused_stubs == REFUSALS_MAX)
		return;
	more = realloc(d->refused_stubs, (d->n_refused_stubs + 1) * sizeof(*more));
	if (!more)
		return;
	d->refused_stubs = more;
	more[d->n_refused_stubs++] = MOVE(text);
}

const char *const *domain_refused_stubs(const struct domain *d, size_t *ret_n)
{
	*ret_n = d->n_refused_stubs;
	return (const char *const *)d->refused_stubs;
}

void stubs_free(struct domain *d)
{
	for (size_t i = 0; i < d->n_refused_stubs; i++)
		free(d->refused_stubs[i]);
	free(d->refused_stubs);
	free(d->stubs);
}

int inherit_stubs(struct domain *d, const struct domain *parent)
{
	if (!parent->n_stubs)
		return 0;
	d->stubs = malloc(parent->n_stubs * sizeof(*d->stubs));
	if (!d->stubs)
		return -ENOMEM;
	memcpy(d->stubs, parent->stubs, parent->n_stubs * sizeof(*d->stubs));
	d->n_stubs = parent->n_stubs;
	return 0;
}

/* The service may write to the request meanwhile: it is copied first. */
static void answer(struct domain *d, struct stub_request *request)
{
	const struct stub_request asked = *request;
	struct event_stub answer;
	struct image image;
	const char *why;
	bool planned = plan(d, &asked, &image, &answer, &why) == 0;

	if (planned)
		request->plan = answer;
	else
		remember_refusal(d, &image, &asked, why);
	__atomic_store_n(&request->state, planned ? STUB_PLANNED : STUB_REFUSED, __ATOMIC_RELEASE);
	(void) __atomic_fetch_or(&d->shared->attention, ATTENTION_STUBS, __ATOMIC_SEQ_CST);
	wake_word(&request->state);
}

void plan_stubs(struct domain *d)
{
	for (unsigned i = 0; i < MAX_STUB_REQUESTS; i++)
		if (load(&d->shared->stub_requests[i].state) == STUB_ASKED)
			answer(d, &d->shared->stub_requests[i]);
}
