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
	.macro	each_that_functions_change do
	\do	R8, %r8
	\do	R9, %r9
	\do	R10, %r10
	\do	RDI, %rdi
	\do	RSI, %rsi
	\do	RBP, %rbp
	\do	RDX, %rdx
	\do	RAX, %rax
	\do	RCX, %rcx
	.endm
	.macro	each_that_functions_keep do
	\do	R12, %r12
	\do	R13, %r13
	\do	R14, %r14
	\do	R15, %r15
	\do	RBX, %rbx
	.endm
	.set	AT_R8, 0	/* from where they are saved */
	.set	AT_R9, 8
	.set	AT_R10, 16
	.set	AT_R11, 24
	.set	AT_R12, 32
	.set	AT_R13, 40
	.set	AT_R14, 48
	.set	AT_R15, 56
	.set	AT_RDI, 64
	.set	AT_RSI, 72
	.set	AT_RBP, 80
	.set	AT_RBX, 88
	.set	AT_RDX, 96
	.set	AT_RAX, 104
	.set	AT_RCX, 112
	.set	AT_RSP, 120
	.set	AT_RIP, 128
	.set	AT_FLAGS, 136
	.set	REGS, CALL_CONTEXT + UC_REGS
	.macro	save_register name, register
	mov	\register, AT_\name(%r11)
	.endm
	.macro	load_register name, register
	mov	AT_\name(%rcx), \register
	.endm

	.globl	stub_entry
	.hidden	stub_entry
stub_entry:
	mov	%gs:0, %r11
	lea	REGS(%r11), %r11
	each_that_functions_change save_register
	each_that_functions_keep save_register
	mov	%rsp, AT_RSP(%r11)
	mov	%rcx, AT_RIP(%r11)
	mov	%gs:0, %rdi
	mov	THREAD_STACK_TOP(%rdi), %rsp
	pushfq
	pop	%rax
	mov	%rax, AT_R11(%r11)
	mov	%rax, AT_FLAGS(%r11)
	test	$FLAGS_NOT_OURS, %eax
	jnz	3f
4:	xor	%ebp, %ebp
	call	stub_call
	mov	%gs:0, %rdx
	/* POPFQ is slow: only for what SAHF, and the overflow flag at 0, can't say. */
	mov	REGS+AT_FLAGS(%rdx), %r11d
	mov	%r11d, %eax
	mov	%r11d, %ecx
	shl	$8, %ecx	/* the low eight belong into %ah */
	and	$~FLAGS_OF_SAHF, %eax
	cmp	$FLAGS_ALWAYS, %eax
	mov	%ecx, %eax
	lea	REGS(%rdx), %rcx
	jne	1f
	sahf			/* CMP has left no overflow */
2:	mov	AT_R11(%rcx), %r11
	mov	AT_RSP(%rcx), %rsp
	each_that_functions_change load_register	/* %rcx is its last */
	jmp	*%gs:REGS+AT_RIP
1:	push	%r11
	popfq
	jmp	2b
3:	and	$~FLAGS_NOT_OURS, %eax
	push	%rax
	popfq
	jmp	4b
	.set	FLAGS_NOT_OURS, 0x40400	/* AC DF */
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
	push	%rax
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%rbp
	testl	$FLAGS_NOT_OURS, 72(%rsp)
	jnz	3f
4:	xor	%ebp, %ebp
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
3:	pushfq
	andq	$~FLAGS_NOT_OURS, (%rsp)
	popfq
	jmp	4b

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
 * Some hundred bytes are copied word by word, since REP MOVSB takes long to begin. A fault there goes on
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
	sub	$\size, %edx
	.endm
copy_user:
	mov	%rdx, %rax
	cmp	$512, %rdx
	ja	copy_user_rest
copy_user_words:
	cmp	$32, %edx
	jb	2f
1:	mov	(%rsi), %rcx
	mov	8(%rsi), %r8
	mov	16(%rsi), %r9
	mov	24(%rsi), %r10
	mov	%rcx, (%rdi)
	mov	%r8, 8(%rdi)
	mov	%r9, 16(%rdi)
	mov	%r10, 24(%rdi)
	add	$32, %rsi
	add	$32, %rdi
	sub	$32, %edx
	cmp	$32, %edx
	jae	1b
2:	cmp	$8, %edx
	jb	3f
	copy_word 8, %rcx
	jmp	2b
3:	test	$4, %dl
	jz	4f
	copy_word 4, %ecx
4:	test	$2, %dl
	jz	5f
	copy_word 2, %cx
5:	test	%edx, %edx
	jz	6f
	copy_word 1, %cl
6:	ret
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
	jz	8f
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
2:	add	$24, %edx
3:	sub	$8, %edx
	jb	4f
	crc32q	(%rsi), %rax
	add	$8, %rsi
	jmp	3b
4:	test	$4, %dl
	jz	5f
	crc32l	(%rsi), %ecx
	add	$4, %rsi
5:	test	$2, %dl
	jz	6f
	crc32w	(%rsi), %r8d
	add	$2, %rsi
6:	test	$1, %dl
	jz	crc_user_faults
	crc32b	(%rsi), %eax
crc_user_faults:
	crc32q	%rcx, %rax
	crc32q	%r8, %rax
8:	ret

/*
 * uint32_t crc32c_string_user(uint32_t crc, uint64_t address, size_t words)
 *
 * Up to its zero byte or for so many words, aligned ones: what is behind it may not be there. Bytes
 * before it count as ones, those behind it as zeroes. A fault ends it at crc_string_faults.
 */
	.globl	crc32c_string_user, crc_string_words, crc_string_faults
	.hidden	crc32c_string_user, crc_string_words, crc_string_faults
crc32c_string_user:
	mov	%edi, %eax
	mov	%esi, %ecx
	test	%rsi, %rsi
	jz	crc_string_faults
	and	$7, %ecx
	and	$-8, %rsi
	shl	$3, %ecx
	mov	$-1, %rdi
	shl	%cl, %rdi
	not	%rdi
	movabs	$0x0101010101010101, %r8
	movabs	$0x8080808080808080, %r9
crc_string_words:
	or	(%rsi), %rdi
1:	mov	%rdi, %rcx
	mov	%rdi, %r10
	sub	%r8, %rcx
	not	%r10
	and	%r9, %r10
	and	%rcx, %r10	/* the lowest of its bits: that of the first zero byte */
	jnz	2f
	crc32q	%rdi, %rax
	dec	%rdx
	jz	crc_string_faults
	add	$8, %rsi
	mov	(%rsi), %rdi
	jmp	1b
2:	lea	-1(%r10), %rcx
	not	%r10
	and	%r10, %rcx
	and	%rcx, %rdi
	crc32q	%rdi, %rax
crc_string_faults:
	ret

/*
 * size_t same_user(const void *user, const void *ours, size_t len): a fault ends it, too.
 *
 * @ours lies at a multiple of 8. The vector registers are the program's, and are put back; that they
 * may count as in use behind that is seen by XSAVEC only, which stores them all (xsavec.c).
 */
	.globl	same_user, same_user_words, same_user_done
	.globl	same_user_vectors, same_user_vectors_end, same_user_vectors_fault
	.hidden	same_user, same_user_words, same_user_done
	.hidden	same_user_vectors, same_user_vectors_end, same_user_vectors_fault
	.macro	vectors_back
	movups	(%rsp), %xmm0
	movups	16(%rsp), %xmm1
	movups	32(%rsp), %xmm2
	movups	48(%rsp), %xmm3
	add	$64, %rsp
	.endm
same_user:
	xor	%eax, %eax
same_user_words:
	test	$8, %sil
	jz	1f
	cmp	$8, %rdx
	jb	same_user_done
	mov	(%rdi), %rcx
	cmp	(%rsi), %rcx
	jne	same_user_done
	add	$8, %eax
1:	sub	$64, %rdx
	cmp	%rdx, %rax
	jg	4f
	sub	$64, %rsp
	movups	%xmm0, (%rsp)
	movups	%xmm1, 16(%rsp)
	movups	%xmm2, 32(%rsp)
	movups	%xmm3, 48(%rsp)
same_user_vectors:
2:	movdqu	(%rdi,%rax), %xmm0
	movdqu	16(%rdi,%rax), %xmm1
	movdqu	32(%rdi,%rax), %xmm2
	movdqu	48(%rdi,%rax), %xmm3
	pcmpeqb	(%rsi,%rax), %xmm0
	pcmpeqb	16(%rsi,%rax), %xmm1
	pcmpeqb	32(%rsi,%rax), %xmm2
	pcmpeqb	48(%rsi,%rax), %xmm3
	pand	%xmm1, %xmm0
	pand	%xmm3, %xmm2
	pand	%xmm2, %xmm0
	pmovmskb %xmm0, %ecx
	cmp	$0xffff, %ecx
	jne	3f
	add	$64, %rax
	cmp	%rdx, %rax
	jle	2b
same_user_vectors_end:
3:	vectors_back
4:	add	$64, %rdx
5:	lea	8(%rax), %rcx
	cmp	%rdx, %rcx
	ja	same_user_done
	mov	(%rdi,%rax), %rcx
	cmp	(%rsi,%rax), %rcx
	jne	same_user_done
	add	$8, %rax
	jmp	5b
same_user_vectors_fault:
	vectors_back
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
