/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* entry - where control comes into the agent's image, and what C can't say */

#include "recorder/agent/asm-offsets.h"

/* struct agent_entries: offsets in the image, for who maps it. */
	.section .entries, "a"
	.quad	0x6769666e6f636262	/* AGENT_CONFIG_MAGIC */
	.quad	agent_start
	.quad	agent_rebuild
	.quad	agent_clock_gettime
	.quad	agent_gettimeofday
	.quad	agent_time
	.quad	agent_reading
	.quad	agent_config

/* struct agent_config, filled in from outside. */
	.section .config, "a"
	.balign	4096
	.globl	agent_config
	.hidden	agent_config
agent_config:
	.fill	4096, 1, 0

	.text
/*
 * The first code after exec. The injector has set %rsp to the program's initial
 * stack; below it is free. If the agent can't begin, the program does.
 */
	.globl	agent_start
agent_start:
	lea	-1024(%rsp), %rsp
	and	$-16, %rsp
	xor	%ebp, %ebp
	call	start_main
	mov	agent_config_entry(%rip), %rax
	mov	agent_config_stack(%rip), %rsp
	/* The ABI: %rdx is a function to call at exit, the rest is unspecified; the kernel gives 0. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebx, %ebx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	jmp	*%rax
	.set	agent_config_entry, agent_config + CONFIG_ENTRY
	.set	agent_config_stack, agent_config + CONFIG_STACK

/* The first code of a replay: %rsp is on a temporary stack in the region. */
	.globl	agent_rebuild
agent_rebuild:
	xor	%ebp, %ebp
	and	$-16, %rsp
	call	rebuild_main
	ud2

/* A new thread comes out of the gate with its record in %rbx. */
	.globl	child_entry
	.hidden	child_entry
child_entry:
	xor	%ebp, %ebp
	mov	%rbx, %rdi
	and	$-16, %rsp
	call	thread_begins
	ud2

/* The same for a thread that a replay puts back where it stood. */
	.globl	child_resumes
	.hidden	child_resumes
child_resumes:
	xor	%ebp, %ebp
	mov	%rbx, %rdi
	and	$-16, %rsp
	call	thread_resumes_in_child
	ud2

/*
 * A stub comes here instead of a system call: as behind that, %rcx is the program's next
 * instruction and %r11 is free. All else is the program's, the stack too.
 */
	.macro	each_general_register do
	\do	R8, %r8
	\do	R9, %r9
	\do	R10, %r10
	\do	R12, %r12
	\do	R13, %r13
	\do	R14, %r14
	\do	R15, %r15
	\do	RDI, %rdi
	\do	RSI, %rsi
	\do	RBP, %rbp
	\do	RBX, %rbx
	\do	RDX, %rdx
	\do	RAX, %rax
	\do	RCX, %rcx
	\do	RSP, %rsp
	.endm
	.set	AT_R8, CALL_CONTEXT + UC_REGS
	.set	AT_R9, AT_R8 + 8
	.set	AT_R10, AT_R8 + 16
	.set	AT_R11, AT_R8 + 24
	.set	AT_R12, AT_R8 + 32
	.set	AT_R13, AT_R8 + 40
	.set	AT_R14, AT_R8 + 48
	.set	AT_R15, AT_R8 + 56
	.set	AT_RDI, AT_R8 + 64
	.set	AT_RSI, AT_R8 + 72
	.set	AT_RBP, AT_R8 + 80
	.set	AT_RBX, AT_R8 + 88
	.set	AT_RDX, AT_R8 + 96
	.set	AT_RAX, AT_R8 + 104
	.set	AT_RCX, AT_R8 + 112
	.set	AT_RSP, AT_R8 + 120
	.set	AT_RIP, AT_R8 + 128
	.set	AT_FLAGS, AT_R8 + 136
	.macro	save_register name, register
	mov	\register, %gs:AT_\name
	.endm
	.macro	load_register name, register
	mov	%gs:AT_\name, \register
	.endm

	.globl	stub_entry
	.hidden	stub_entry
stub_entry:
	each_general_register save_register
	mov	%rcx, %gs:AT_RIP
	mov	%gs:THREAD_STACK_TOP, %rsp
	pushfq
	pop	%r11
	mov	%r11, %gs:AT_R11
	mov	%r11, %gs:AT_FLAGS
	cld
	xor	%ebp, %ebp
	mov	%gs:0, %rdi
	call	stub_call
	/* POPFQ is slow: only for what SAHF, and the overflow flag at 0, can't say. */
	mov	%gs:AT_FLAGS, %r11
	mov	%r11d, %eax
	mov	%r11d, %ecx
	shl	$8, %ecx	/* the low eight belong into %ah */
	and	$~FLAGS_OF_SAHF, %eax
	cmp	$FLAGS_ALWAYS, %eax
	mov	%ecx, %eax
	jne	1f
	sahf			/* CMP has left no overflow */
2:	mov	%gs:AT_R11, %r11
	each_general_register load_register
	jmp	*%gs:AT_RIP
1:	push	%r11
	popfq
	jmp	2b
	.set	FLAGS_OF_SAHF, 0xd5	/* SF ZF AF PF CF */
	.set	FLAGS_ALWAYS, 0x202	/* IF, and a bit that is 1 */

/*
 * A stub comes here instead of rdtsc or rdtscp: %rdx is where the instruction stands that traps,
 * %rax is the program's %rcx. All else is the program's, the stack and the flags, too. On the
 * stack: struct tsc_frame.
 */
	.globl	tsc_entry
	.hidden	tsc_entry
tsc_entry:
	mov	%rsp, %gs:THREAD_USER_SP
	mov	%gs:THREAD_STACK_TOP, %rsp
	pushfq
	cld
	push	%rax
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbp
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	call	stub_tsc
	mov	%rax, %gs:THREAD_VDSO_RESULT
	pop	%rbp
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rax
	mov	%rax, %gs:THREAD_VDSO_RESULT+8
	/* As above. */
	mov	8(%rsp), %edx
	mov	%edx, %eax
	mov	%edx, %ecx
	shl	$8, %ecx
	and	$~FLAGS_OF_SAHF, %eax
	cmp	$FLAGS_ALWAYS, %eax
	mov	%ecx, %eax
	pop	%rcx
	jne	1f
	sahf
2:	mov	%gs:THREAD_VDSO_RESULT, %eax
	mov	%gs:THREAD_VDSO_RESULT+4, %edx
	mov	%gs:THREAD_USER_SP, %rsp
	jmp	*%gs:THREAD_VDSO_RESULT+8
1:	popfq
	jmp	2b

/* void begin_program(uint64_t address) */
	.globl	begin_program
	.hidden	begin_program
begin_program:
	jmp	*%rdi

/* void enter_frame(struct ucontext *frame, uint64_t sigreturn) */
	.globl	enter_frame
	.hidden	enter_frame
enter_frame:
	mov	%rdi, %rsp
	jmp	*%rsi

/* void call_on_stack(uint64_t sp, void (*f)(void *), void *argument) */
	.globl	call_on_stack
	.hidden	call_on_stack
call_on_stack:
	mov	%rdi, %rsp
	and	$-16, %rsp
	xor	%ebp, %ebp
	mov	%rdx, %rdi
	call	*%rsi
	ud2

/*
 * size_t copy_user(void *to, const void *from, size_t len)
 *
 * A few bytes are copied word by word, since REP MOVSB takes long to begin. A fault there goes on
 * at copy_user_rest, with what is left in %rdx; one at copy_user_insn, which has come to the very
 * byte, at copy_user_done, with what is left in %rcx.
 */
	.globl	copy_user, copy_user_words, copy_user_rest, copy_user_insn, copy_user_done
	.hidden	copy_user, copy_user_words, copy_user_rest, copy_user_insn, copy_user_done
	.macro	copy_word size, register
	mov	(%rsi), \register
	mov	\register, (%rdi)
	add	$\size, %rsi
	add	$\size, %rdi
	sub	$\size, %rdx
	.endm
copy_user:
	mov	%rdx, %rax
	cmp	$64, %rdx
	ja	copy_user_rest
copy_user_words:
	sub	$8, %rdx
	jb	2f
1:	add	$8, %rdx
	copy_word 8, %rcx
	sub	$8, %rdx
	jae	1b
2:	add	$8, %rdx
	jz	5f
	cmp	$4, %edx
	jb	3f
	copy_word 4, %ecx
3:	cmp	$2, %edx
	jb	4f
	copy_word 2, %cx
4:	test	%edx, %edx
	jz	5f
	copy_word 1, %cl
5:	ret
copy_user_rest:
	mov	%rdx, %rcx
copy_user_insn:
	rep movsb
copy_user_done:
	sub	%rcx, %rax
	ret

/*
 * uint32_t crc32c_user(uint32_t crc, uint64_t address, size_t len)
 *
 * Three words at a time, in three sums that don't wait for each other, which are put together at the
 * end. A fault goes on at crc_user_faults: what is there of the three counts, and nothing behind it.
 */
	.globl	crc32c_user, crc_user_words, crc_user_faults
	.hidden	crc32c_user, crc_user_words, crc_user_faults
crc32c_user:
	mov	%edi, %eax
	test	%rsi, %rsi	/* NULL is an ordinary pointer; a fault takes microseconds */
	jz	7f
	xor	%ecx, %ecx
	xor	%r8d, %r8d
	sub	$24, %rdx
	jb	2f
crc_user_words:
1:	crc32q	(%rsi), %rax
	crc32q	8(%rsi), %rcx
	crc32q	16(%rsi), %r8
	add	$24, %rsi
	sub	$24, %rdx
	jae	1b
2:	add	$24, %rdx
	sub	$8, %rdx
	jb	4f
3:	crc32q	(%rsi), %rax
	add	$8, %rsi
	sub	$8, %rdx
	jae	3b
4:	add	$8, %rdx
	jz	crc_user_faults
5:	crc32b	(%rsi), %eax
	inc	%rsi
	dec	%rdx
	jnz	5b
crc_user_faults:
	crc32q	%rcx, %rax
	crc32q	%r8, %rax
7:	ret

/* size_t same_user(const void *user, const void *ours, size_t len): a fault ends it, too. */
	.globl	same_user, same_user_words, same_user_done
	.hidden	same_user, same_user_words, same_user_done
same_user:
	xor	%eax, %eax
	sub	$32, %rdx
	jb	2f
same_user_words:
1:	mov	(%rdi,%rax), %rcx
	xor	(%rsi,%rax), %rcx
	mov	8(%rdi,%rax), %r8
	xor	8(%rsi,%rax), %r8
	mov	16(%rdi,%rax), %r9
	xor	16(%rsi,%rax), %r9
	mov	24(%rdi,%rax), %r10
	xor	24(%rsi,%rax), %r10
	or	%rcx, %r8
	or	%r9, %r10
	or	%r8, %r10
	jnz	2f
	add	$32, %rax
	cmp	%rdx, %rax
	jbe	1b
2:	add	$32, %rdx
3:	cmp	%rdx, %rax
	jae	same_user_done
	mov	(%rdi,%rax), %rcx
	cmp	(%rsi,%rax), %rcx
	jne	same_user_done
	add	$8, %rax
	jmp	3b
same_user_done:
	ret

/* int probe_write(void *byte): 1, or 0 if it can't be written. */
	.globl	probe_write, probe_write_insn, probe_write_failed
	.hidden	probe_write, probe_write_insn, probe_write_failed
probe_write:
	mov	$1, %eax
probe_write_insn:
	lock orb $0, (%rdi)
	ret
probe_write_failed:
	xor	%eax, %eax
	ret

	.section .note.GNU-stack, "", @progbits
