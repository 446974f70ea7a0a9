/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's stubs, and what a person at a debugger sees in their place: the program's code. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/session-internal.h"

/* Cheap where there are none: each stop may have brought some. */
void stubs_load(struct session *s)
{
	uint64_t process = s->config.base + AGENT_PROCESS;
	uint32_t n = 0;
	ssize_t len;

	s->n_stubs = 0;
	if (pread(s->mem, &n, sizeof(n), (off_t)(process + offsetof(struct agent_process, n_stubs))) != sizeof(n) ||
	    n == 0)
		return;
	n = n < MAX_STUBS ? n : MAX_STUBS;
	if (!s->stubs)
		s->stubs = malloc(MAX_STUBS * sizeof(*s->stubs));
	if (!s->stubs)
		return;
	len = pread(s->mem, s->stubs, n * sizeof(*s->stubs),
		    (off_t)(process + offsetof(struct agent_process, stubs)));
	s->n_stubs = len < 0 ? 0 : (uint32_t)((size_t)len / sizeof(*s->stubs));
}

static unsigned n_moved(const struct agent_stub *stub)
{
	return stub->n_moved < STUB_MOVED ? stub->n_moved : STUB_MOVED;
}

static const struct agent_stub *find(const struct session *s, uint64_t ip)
{
	for (uint32_t i = 0; i < s->n_stubs; i++)
		if (s->stubs[i].site && ip - s->stubs[i].code < s->stubs[i].code_len)
			return &s->stubs[i];
	return NULL;
}

bool stub_has(const struct session *s, uint64_t ip)
{
	return find(s, ip);
}

uint64_t stub_visible(const struct session *s, uint64_t ip)
{
	const struct agent_stub *stub = find(s, ip);

	for (unsigned i = 0; stub && i < n_moved(stub); i++)
		if (ip == stub->code + stub->to[i])
			return stub->at + stub->from[i];
	return stub ? stub->site : ip;
}

bool stub_is_copy(const struct session *s, uint64_t ip)
{
	return stub_copy(s, stub_visible(s, ip)) == ip;
}

uint64_t stub_copy(const struct session *s, uint64_t address)
{
	for (uint32_t i = 0; i < s->n_stubs; i++) {
		const struct agent_stub *stub = &s->stubs[i];

		/* The first is where the jump is. */
		for (unsigned j = 1; stub->site && j < n_moved(stub); j++)
			if (address == stub->at + stub->from[j])
				return stub->code + stub->to[j];
		/* Those who come there from elsewhere make the call itself; or the jump is there. */
		if (address == stub->site && stub->site && stub->site != stub->at)
			return stub->code + stub->tail;
	}
	return 0;
}

bool stub_overwrites(const struct session *s, uint64_t address)
{
	for (uint32_t i = 0; i < s->n_stubs; i++)
		if (s->stubs[i].site && address > s->stubs[i].at && address - s->stubs[i].at < s->stubs[i].len)
			return true;
	return false;
}

void session_hide_stubs(const struct session *s, uint64_t address, void *bytes, size_t len)
{
	uint8_t *to = bytes;

	for (uint32_t i = 0; i < s->n_stubs; i++) {
		const struct agent_stub *stub = &s->stubs[i];

		for (unsigned j = 0; stub->site && j < stub->len && j < sizeof(stub->old); j++)
			if (stub->at + j - address < len)
				to[stub->at + j - address] = stub->old[j];
	}
}
