/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Code that is made at run time, again and again at one address, is interrupted anywhere. */
#include <sys/mman.h>

#include "check.h"

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

/* lea imm(%rax), %rax; dec %edi; jnz, with another number and other padding each time. */
static size_t generate(uint8_t *code, uint32_t step, unsigned padding)
{
	static const uint8_t begin[] = { 0x31, 0xc0 }, lea[] = { 0x48, 0x8d, 0x80 },
			     end[] = { 0xff, 0xcf, 0x75 };
	size_t n = 0;

	memcpy(code, begin, sizeof(begin));
	n += sizeof(begin);
	for (unsigned i = 0; i < padding; i++)
		code[n++] = 0x90;
	memcpy(code + n, lea, sizeof(lea));
	memcpy(code + n + sizeof(lea), &step, sizeof(step));
	n += sizeof(lea) + sizeof(step);
	memcpy(code + n, end, sizeof(end));
	n += sizeof(end);
	code[n] = (uint8_t)-(int)(sizeof(lea) + sizeof(step) + sizeof(end) + 1);
	code[n + 1] = 0xc3;
	return n + 2;
}

int main(void)
{
	uint8_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(code != MAP_FAILED);
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	for (unsigned i = 1; n_alarms < 10; i++) {
		uint64_t (*function)(uint32_t rounds) = (uint64_t (*)(uint32_t))(uintptr_t)code;

		(void) generate(code, i, i % 9);
		CHECK(function(20) == UINT64_C(20) * i);
	}
	alarm_in(0, 0);
	return 0;
}
