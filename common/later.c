/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/later.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/log.h"

static_assert(offsetof(struct later, to) == 16, "LATER knows it");

static void *nothing(void)
{
	errno = ELIBACC;
	return NULL;
}

void *later_load(struct later *function)
{
	void *library = dlopen(function->soname, RTLD_NOW | RTLD_NODELETE), *found = NULL;

	if (library)
		found = dlsym(library, function->name);
	if (!found && function->or_null)
		return (void *)nothing;
	if (!found) {
		log_error("%s", dlerror());
		exit(127);
	}
	/* Who calls at the same time finds the same. */
	__atomic_store_n(&function->to, found, __ATOMIC_RELAXED);
	return found;
}

/* %r11 has the function: what may be an argument is kept, of variadic functions, too. */
__asm__(".pushsection .text\n"
	".globl later_enter\n"
	".hidden later_enter\n"
	"later_enter:\n"
	"	push %rdi\n"
	"	push %rsi\n"
	"	push %rdx\n"
	"	push %rcx\n"
	"	push %r8\n"
	"	push %r9\n"
	"	push %rax\n"
	"	sub $128, %rsp\n"
	"	movups %xmm0, (%rsp)\n"
	"	movups %xmm1, 16(%rsp)\n"
	"	movups %xmm2, 32(%rsp)\n"
	"	movups %xmm3, 48(%rsp)\n"
	"	movups %xmm4, 64(%rsp)\n"
	"	movups %xmm5, 80(%rsp)\n"
	"	movups %xmm6, 96(%rsp)\n"
	"	movups %xmm7, 112(%rsp)\n"
	"	mov %r11, %rdi\n"
	"	call later_load\n"
	"	mov %rax, %r11\n"
	"	movups (%rsp), %xmm0\n"
	"	movups 16(%rsp), %xmm1\n"
	"	movups 32(%rsp), %xmm2\n"
	"	movups 48(%rsp), %xmm3\n"
	"	movups 64(%rsp), %xmm4\n"
	"	movups 80(%rsp), %xmm5\n"
	"	movups 96(%rsp), %xmm6\n"
	"	movups 112(%rsp), %xmm7\n"
	"	add $128, %rsp\n"
	"	pop %rax\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	pop %rcx\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	jmp *%r11\n"
	".popsection\n");
