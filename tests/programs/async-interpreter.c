/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An interpreter, which comes by the same few instructions for all that it does, is interrupted. */
#include "check.h"

enum operation { PUSH, ADD, SUBTRACT, MULTIPLY, SWAP, JUMP_IF, END };

struct instruction {
	enum operation operation;
	int64_t operand;
};

static volatile sig_atomic_t n_alarms;

static void on_alarm(int signal)
{
	(void) signal;
	n_alarms++;
}

static int64_t interpret(const struct instruction *program)
{
	static const void *const labels[] = { &&push, &&add, &&subtract, &&multiply, &&swap,
					      &&jump_if, &&end };
	const struct instruction *at = program;
	int64_t stack[16] = { 0 }, *top = stack, value;

	goto *labels[at->operation];
push:
	*++top = at->operand;
	goto *labels[(++at)->operation];
add:
	top--;
	*top += top[1];
	goto *labels[(++at)->operation];
subtract:
	top--;
	*top -= top[1];
	goto *labels[(++at)->operation];
multiply:
	top--;
	*top = (int64_t)((uint64_t)*top * (uint64_t)top[1]);
	goto *labels[(++at)->operation];
swap:
	value = *top;
	*top = top[-1];
	top[-1] = value;
	goto *labels[(++at)->operation];
jump_if:
	at = *top ? program + at->operand : at + 1;
	goto *labels[at->operation];
end:
	return top[-1];
}

int main(void)
{
	/* n = 3 * n + 7, 20000 times */
	static const struct instruction loop[] = {
		{ PUSH, 0 }, { PUSH, 20000 },
		{ SWAP, 0 }, { PUSH, 3 }, { MULTIPLY, 0 }, { PUSH, 7 }, { ADD, 0 },
		{ SWAP, 0 }, { PUSH, 1 }, { SUBTRACT, 0 }, { JUMP_IF, 2 }, { END, 0 },
	};
	uint64_t wanted = 0;

	for (int i = 0; i < 20000; i++)
		wanted = wanted * 3 + 7;
	handle(SIGALRM, on_alarm, SA_RESTART);
	alarm_in(1, 500);
	while (n_alarms < 30)
		CHECK(interpret(loop) == (int64_t)wanted);
	alarm_in(0, 0);
	return 0;
}
