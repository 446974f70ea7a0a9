/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a seccomp filter says, as recorder/filter.c interprets it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "recorder/filter.h"

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)

static const struct seccomp_data data = {
	.nr = SYS_mmap,
	.arch = 0xc000003e,
	.instruction_pointer = 0x7fff00001234,
	.args = { 1, 0x100000002, 3, 4, 5, 6 },
};

static void by_number(void **state)
{
	const struct sock_filter allow_mmap[] = {
		LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
		RETURN(SECCOMP_RET_ALLOW), RETURN(SECCOMP_RET_ERRNO | 1),
	};
	struct seccomp_data other = data;

	(void) state;
	assert_int_equal(filter_run(allow_mmap, N(allow_mmap), &data), SECCOMP_RET_ALLOW);
	other.nr = SYS_read;
	assert_int_equal(filter_run(allow_mmap, N(allow_mmap), &other), SECCOMP_RET_ERRNO | 1);
}

/* Arithmetic, memory and the index register, each step checked by what is returned. */
static void arithmetic(void **state)
{
	const struct sock_filter program[] = {
		LOAD(args[1]),					/* the low half: 2 */
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, 40),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),		/* 42 */
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4),		/* 672 */
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 1),		/* 673 */
		BPF_STMT(BPF_LDX | BPF_MEM, 3),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),		/* 631 */
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 10),	/* 63 */
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),	/* 193 */
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	(void) state;
	assert_int_equal(filter_run(program, N(program), &data), 193);
}

static void jumps(void **state)
{
	const struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, sizeof(data), 0, 5),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, sizeof(data), 4, 0),
		LOAD(args[5]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
		RETURN(1), RETURN(2), RETURN(3),
	};

	(void) state;
	assert_int_equal(filter_run(program, N(program), &data), 3);
}

/* What the kernel would never have accepted kills: then we stay away. */
static void rubbish(void **state)
{
	static const struct sock_filter rows[][2] = {
		{ { BPF_LD | BPF_W | BPF_ABS, 0, 0, sizeof(data) }, RETURN(SECCOMP_RET_ALLOW) },
		{ { BPF_LD | BPF_W | BPF_ABS, 0, 0, 2 }, RETURN(SECCOMP_RET_ALLOW) },
		{ { BPF_ST, 0, 0, BPF_MEMWORDS }, RETURN(SECCOMP_RET_ALLOW) },
		{ { BPF_LD | BPF_MEM, 0, 0, BPF_MEMWORDS }, RETURN(SECCOMP_RET_ALLOW) },
		{ { BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0 }, RETURN(SECCOMP_RET_ALLOW) },
		{ { BPF_JMP | BPF_JA, 0, 0, 1000 }, RETURN(SECCOMP_RET_ALLOW) },
		{ { BPF_LD | BPF_IMM, 0, 0, 0 }, { BPF_LD | BPF_IMM, 0, 0, 0 } },
	};

	(void) state;
	for (size_t i = 0; i < N(rows); i++)
		assert_int_equal(filter_run(rows[i], 2, &data), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(filter_run(rows[0], 0, &data), SECCOMP_RET_KILL_PROCESS);
}

/* What the agent needs, and what it can do without. */
static void needs(void **state)
{
	struct sock_filter row[] = {
		LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW),
	};
	struct filter_extras extras = { true, true, true, true };

	(void) state;
	assert_int_equal(filter_check_one(row, N(row), 0, &extras), SYS_memfd_create);
	row[1].k = SYS_wait4;
	row[2].k = SECCOMP_RET_ERRNO | 1;	/* may fail, and may not kill */
	assert_int_equal(filter_check_one(row, N(row), 0, &extras), 0);
	row[2].k = SECCOMP_RET_TRAP;
	assert_int_equal(filter_check_one(row, N(row), 0, &extras), SYS_wait4);
	assert_true(extras.change_code && extras.pin_cpu && extras.trap_tsc);
	row[1].k = SYS_pwrite64;
	assert_int_equal(filter_check_one(row, N(row), 0, &extras), 0);
	assert_false(extras.change_code);
	assert_true(extras.pin_cpu && extras.trap_tsc && extras.see_pages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_number),
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(jumps),
		cmocka_unit_test(rubbish),
		cmocka_unit_test(needs),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
