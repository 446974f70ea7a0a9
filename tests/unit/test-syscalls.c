/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of system calls against the kernel's own list: each call has its row. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "recorder/syscall-names.h"
#include "recorder/sysdesc.h"

static const struct {
	const char *name;
	long number;
} kernels[] = {
#define CALL(name, number) { #name, number },
#include "tests/unit/unistd.inc"
#undef CALL
};

enum { N_KERNELS = sizeof(kernels) / sizeof(kernels[0]) };

static void each_call_has_a_row(void **state)
{
	(void) state;
	assert_in_range(N_KERNELS, 300, 1000);	/* the list was made at all */
	for (size_t i = 0; i < N_KERNELS; i++) {
		if (!syscall_name(kernels[i].number))
			fail_msg("%s (%ld) has no row", kernels[i].name, kernels[i].number);
		assert_string_equal(syscall_name(kernels[i].number), kernels[i].name);
		assert_int_equal(syscall_number(kernels[i].name), kernels[i].number);
		assert_non_null(syscall_row(kernels[i].number));
	}
}

/* What an argument refers to is an argument of the same call. */
static void rows_are_sound(void **state)
{
	(void) state;
	for (long nr = 0; nr < N_SYSCALLS; nr++) {
		const struct sysdesc *row = syscall_row(nr);

		if (!row)
			continue;
		assert_in_range(row->mode, SYS_NONE, SYS_REFUSE);
		assert_in_range(row->n_args, 0, 6);
		for (unsigned i = 0; i < row->n_args; i++) {
			assert_in_range(row->args[i].kind, 0, ARG_MSG);
			if (row->args[i].a >= row->n_args && row->args[i].a)
				fail_msg("%s: argument %u refers to one that isn't there",
					 syscall_name(nr), i);
		}
	}
}

static void what_is_no_call_has_no_name(void **state)
{
	(void) state;
	assert_null(syscall_name(-1));
	assert_null(syscall_name(N_SYSCALLS));
	assert_null(syscall_row(N_SYSCALLS));
	assert_int_equal(syscall_number("frobnicate"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_has_a_row),
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(what_is_no_call_has_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
