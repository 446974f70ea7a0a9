/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory - bytes, those of the agent and those of a program whose pointers may be bad */
#include "recorder/agent/agent.h"

extern const char copy_user_words[], copy_user_rest[], copy_user_insn[], copy_user_done[];
extern const char crc_user_words[], crc_user_faults[];
extern const char crc_string_words[], crc_string_faults[];
extern const char same_user_words[], same_user_done[];
extern const char same_user_vectors[], same_user_vectors_end[], same_user_vectors_fault[];
extern const char probe_write_insn[], probe_write_failed[];
int probe_write(void *byte);

enum { FEW = 64 };		/* bytes, for which REP isn't worth while */

static void copy_few(uint8_t *to, const uint8_t *from, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); to += sizeof(word), from += sizeof(word), len -= sizeof(word)) {
		__builtin_memcpy(&word, from, sizeof(word));
		__builtin_memcpy(to, &word, sizeof(word));
	}
	while (len--)
		*to++ = *from++;
}

/* The compiler emits calls to these three. */
#undef memcpy
#undef memset
void *memcpy(void *to, const void *from, size_t len)
{
	void *result = to;

	if (len <= FEW) {
		copy_few(to, from, len);
		return result;
	}
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len)::"memory");
	return result;
}

void *memset(void *to, int byte, size_t len)
{
	void *result = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) : "memory");
	return result;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const uint8_t *p = a, *q = b;

	for (size_t i = 0; i < len; i++)
		if (p[i] != q[i])
			return p[i] - q[i];
	return 0;
}

bool copy_from_user(void *to, uint64_t from, size_t len)
{
	return copy_user(to, (const void *)from, len) == len;
}

bool copy_to_user(uint64_t to, const void *from, size_t len)
{
	return copy_user((void *)to, from, len) == len;
}

size_t copy_string(char *to, uint64_t from, size_t size)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t n = copy_user(to, (const void *)from, size), len = 0;
	uint64_t word, zeroes;

	for (; len + sizeof(word) <= n; len += sizeof(word)) {
		__builtin_memcpy(&word, to + len, sizeof(word));
		zeroes = (word - ones) & ~word & ones << 7;
		if (zeroes)
			return len + (size_t)__builtin_ctzll(zeroes) / 8;
	}
	while (len < n && to[len])
		len++;
	return len;
}

size_t copy_code(void *to, uint64_t from, size_t len)
{
	struct thread *thread = this_thread();
	uint32_t watch_hit = thread->watch_hit;
	size_t n = copy_user(to, (const void *)from, len);

	thread->watch_hit = watch_hit;
	return n;
}

bool user_writable(uint64_t address, size_t len)
{
	uint64_t end = address + len;

	if (len == 0)
		return true;
	if (end < address)
		return false;
	for (uint64_t p = address; p < end; p = ALIGN_DOWN(p, PAGE) + PAGE)
		if (!probe_write((void *)p))
			return false;
	return true;
}

bool copy_fault(uint64_t ip, uint64_t *ret_ip)
{
	if (ip == (uint64_t)copy_user_insn)
		*ret_ip = (uint64_t)copy_user_done;
	else if (ip >= (uint64_t)copy_user_words && ip < (uint64_t)copy_user_rest)
		*ret_ip = (uint64_t)copy_user_rest;
	else if (ip >= (uint64_t)crc_user_words && ip < (uint64_t)crc_user_faults)
		*ret_ip = (uint64_t)crc_user_faults;
	else if (ip >= (uint64_t)crc_string_words && ip < (uint64_t)crc_string_faults)
		*ret_ip = (uint64_t)crc_string_faults;
	else if (ip >= (uint64_t)same_user_vectors && ip < (uint64_t)same_user_vectors_end)
		*ret_ip = (uint64_t)same_user_vectors_fault;
	else if (ip >= (uint64_t)same_user_words && ip < (uint64_t)same_user_done)
		*ret_ip = (uint64_t)same_user_done;
	else if (ip == (uint64_t)probe_write_insn)
		*ret_ip = (uint64_t)probe_write_failed;
	else
		return false;
	return true;
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t wide = crc;

	for (; len >= 8; p += 8, len -= 8) {
		uint64_t word;

		__builtin_memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len; p++, len--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}
