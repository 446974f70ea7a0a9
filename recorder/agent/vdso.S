/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vdso - the vDSO that a recorded program sees, at the place of the kernel's
 *
 * It holds two things. The gate: the only instructions from which Syscall User
 * Dispatch lets system calls through. And the vDSO functions, which log the time
 * that they give. It is an ELF image with symbols and unwind information, so that
 * gdb, perf and core files see through a thread that waits in the gate to the
 * program's own stack.
 *
 * While the recorded program runs, no byte of the program's stack may depend on
 * whether this is a recording or a replay: the functions switch to the agent's
 * stack before they call it, and clear what they clobbered.
 */

#include "recorder/agent/asm-offsets.h"

	.text

/*
 * long gate(long nr, const long args[6], struct ucontext *context, const uint32_t *pending)
 *
 * Makes a system call. @context is the program's saved context (or NULL): it is in
 * %rbx while the thread waits, and unwinders take all registers from it. If
 * *@pending isn't 0 the call isn't made and GATE_ABORTED is returned; the agent's
 * signal handler turns a thread that stands between gate_check and gate_syscall
 * to gate_abort, so a signal can't slip in between the look and the call.
 *
 * A new thread returns from here too, on a stack that holds %rbx, %rbp and where
 * to go.
 */
	.globl	gate
	.type	gate, @function
	.globl	gate_start
gate_start:
gate:
	.cfi_startproc
	push	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	push	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	mov	%rdx, %rbx
	mov	%rcx, %r11
	mov	%rdi, %rax
	mov	(%rsi), %rdi
	mov	16(%rsi), %rdx
	mov	24(%rsi), %r10
	mov	32(%rsi), %r8
	mov	40(%rsi), %r9
	mov	8(%rsi), %rsi
	test	%rbx, %rbx
	jz	gate_check
	mov	UC_RBP(%rbx), %rbp	/* frame pointer walkers skip the agent */
	.globl	gate_check
gate_check:
	cmpl	$0, (%r11)
	jne	gate_abort
	.cfi_endproc
	.size	gate, . - gate

	/*
	 * gdb accepts a frame whose caller is on another stack if the function has
	 * this name. Each rule: the register is at the address %rbx + offset.
	 */
	.globl	gate_syscall
	.type	__morestack, @function
__morestack:
	.cfi_startproc simple
	/* DW_CFA_def_cfa_expression: *(%rbx + UC_RSP) */
	.cfi_escape 0x0f, 4, 0x73, UC_RSP_SLEB_LO, UC_RSP_SLEB_HI, 0x06
	/* DW_CFA_expression reg: %rbx + offset */
	.macro	context_reg dwarf, lo, hi
	.cfi_escape 0x10, \dwarf, 3, 0x73, \lo, \hi
	.endm
	.macro	context_reg1 dwarf, lo
	.cfi_escape 0x10, \dwarf, 2, 0x73, \lo
	.endm
	context_reg1 8, 40
	context_reg1 9, 48
	context_reg1 10, 56
	context_reg 11, 0xc0, 0x00	/* 64 */
	context_reg 12, 0xc8, 0x00
	context_reg 13, 0xd0, 0x00
	context_reg 14, 0xd8, 0x00
	context_reg 15, 0xe0, 0x00
	context_reg 5, 0xe8, 0x00	/* rdi: 104 */
	context_reg 4, 0xf0, 0x00	/* rsi */
	context_reg 6, 0xf8, 0x00	/* rbp */
	context_reg 3, 0x80, 0x01	/* rbx: 128 */
	context_reg 1, 0x88, 0x01	/* rdx */
	context_reg 0, 0x90, 0x01	/* rax */
	context_reg 2, 0x98, 0x01	/* rcx */
	context_reg 16, 0xa8, 0x01	/* rip: 168 */
gate_syscall:
	syscall
	.globl	gate_done
gate_done:
	nop
	.cfi_endproc
	.size	__morestack, . - __morestack

gate_leave:
	.cfi_startproc simple
	.cfi_def_cfa %rsp, 24
	.cfi_offset %rbx, -24
	.cfi_offset %rbp, -16
	.cfi_offset %rip, -8
	pop	%rbx
	.cfi_adjust_cfa_offset -8
	pop	%rbp
	.cfi_adjust_cfa_offset -8
	ret
	.globl	gate_abort
gate_abort:
	.cfi_adjust_cfa_offset 16
	mov	$GATE_ABORTED, %rax
	jmp	gate_leave
	.cfi_endproc

/*
 * The restorer of our handlers, and of the frames that we build: these bytes tell
 * debuggers that it is a signal frame.
 */
	.balign	16
	.globl	gate_sigreturn
gate_sigreturn:
	mov	$15, %rax		/* rt_sigreturn */
	syscall
	.globl	gate_end
gate_end:
	ud2

/*
 * The functions. Recording or replaying: switch to the agent's stack and let it say
 * what time it is; it may also ask for the system call, where there is more to do
 * (a snapshot, a signal, another thread that waits). VDSO_QUICK: they ask the kernel's
 * function themselves, on the agent's stack too, and log what it says. To who sends
 * signals they are the agent then, for their stack.
 */
	.macro	agents_stack
	mov	%rsp, %gs:THREAD_USER_SP
	mov	%gs:THREAD_STACK_TOP, %rsp
	.cfi_remember_state
	.cfi_def_cfa %rsp, 8		/* not true for an instant; the agent is not unwound */
	push	%rdi
	push	%rsi
	.endm

	/* With 16 bytes for the kernel's answer at %rsp. */
	.macro	quick_begin
	cmpl	$VDSO_QUICK, %gs:THREAD_NATIVE
	jne	7f
	agents_stack
	sub	$16, %rsp
	.endm

	/*
	 * %edi is the clock. Writes its struct event_reading to where the log ends, which needs
	 * nothing else up to agent_process.readings_until; else the agent sees to it. Goes on
	 * with the answer in %rcx and %rdx.
	 */
	.macro	quick_end
	mov	(%rsp), %rcx
	mov	8(%rsp), %rdx
	mov	vdso_slots+8*VDSO_SHARED(%rip), %r8
	mov	vdso_slots+8*VDSO_PROCESS(%rip), %r9
	mov	SHARED_ATTENTION(%r8), %eax
	or	%gs:THREAD_PENDING, %eax
	jnz	5f
	cmpl	$1, SHARED_CONSUMER_SLEEPS(%r8)
	je	5f
	mov	PROCESS_HEAD(%r9), %r10
	cmp	PROCESS_READINGS_UNTIL(%r9), %r10
	jae	5f
	mov	vdso_slots+8*VDSO_RING_MASK(%rip), %r11
	and	%r10, %r11
	add	vdso_slots+8*VDSO_RING(%rip), %r11
	lea	1(%rdi,%rdi), %eax
	or	%gs:THREAD_READING_TAG, %eax
	mov	%eax, (%r11)
	mov	%edx, 4(%r11)
	mov	%rcx, 8(%r11)
	add	$16, %r10
	mov	%r10, PROCESS_HEAD(%r9)
	incq	SHARED_N_EVENTS(%r8)
	mov	%r10, SHARED_HEAD(%r8)	/* publishes it: behind the other stores */
	mov	16(%rsp), %rsi
	mov	24(%rsp), %rdi
	mov	%gs:THREAD_USER_SP, %rsp
	.cfi_restore_state
	.endm

	.macro	quick_else
5:	.cfi_remember_state
	.cfi_def_cfa %rsp, 8
	mov	%rcx, %rsi
	call	*vdso_slots+8*VDSO_AGENT_READING(%rip)
	pop	%rcx
	pop	%rdx
	jmp	6f
	.cfi_restore_state
	.endm

	.macro	vdso_ask slot_agent
7:	testl	$VDSO_NATIVE, %gs:THREAD_NATIVE
	jnz	8f
	agents_stack
	call	*vdso_slots+8*\slot_agent(%rip)
	mov	%gs:THREAD_VDSO_RESULT, %rcx
	mov	%gs:THREAD_VDSO_RESULT+8, %rdx
6:	pop	%rsi
	pop	%rdi
	mov	%gs:THREAD_USER_SP, %rsp
	.cfi_restore_state
	test	%eax, %eax
	jnz	9f
	.endm

	.macro	vdso_return
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	ret
	.endm

	.macro	vdso_rest slot_real, nr
8:	jmp	*vdso_slots+8*\slot_real(%rip)
9:	xor	%edx, %edx
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	mov	$\nr, %eax
	syscall
	ret
	.cfi_endproc
	.endm

	.balign	64
	.globl	vdso_functions
vdso_functions:
	.globl	__vdso_clock_gettime
	.type	__vdso_clock_gettime, @function
	.weak	clock_gettime
	.type	clock_gettime, @function
__vdso_clock_gettime:
clock_gettime:
	.cfi_startproc
	cmp	$1, %edi		/* REALTIME, MONOTONIC */
	ja	4f
3:	quick_begin
	mov	%rsp, %rsi
	call	*vdso_slots+8*VDSO_REAL_CLOCK_GETTIME(%rip)
	mov	24(%rsp), %edi
	quick_end
1:	mov	%rcx, (%rsi)
	mov	%rdx, 8(%rsi)
	xor	%eax, %eax
	vdso_return
4:	mov	$FAST_CLOCKS, %eax
	cmp	$31, %edi
	ja	7f
	bt	%edi, %eax
	jc	3b
	jmp	7f
	quick_else
	vdso_ask VDSO_AGENT_CLOCK_GETTIME
	jmp	1b
	vdso_rest VDSO_REAL_CLOCK_GETTIME, 228
	.size	__vdso_clock_gettime, . - __vdso_clock_gettime
	.size	clock_gettime, . - clock_gettime

	.balign	64
	.globl	__vdso_gettimeofday
	.type	__vdso_gettimeofday, @function
	.weak	gettimeofday
	.type	gettimeofday, @function
	.globl	vdso_gettimeofday
vdso_gettimeofday:
__vdso_gettimeofday:
gettimeofday:
	.cfi_startproc
	test	%rsi, %rsi
	jnz	7f
	quick_begin
	mov	%rsp, %rdi
	call	*vdso_slots+8*VDSO_REAL_GETTIMEOFDAY(%rip)
	mov	$CLOCK_TIMEOFDAY, %edi
	quick_end
1:	test	%rdi, %rdi
	jz	2f
	mov	%rcx, (%rdi)
	mov	%rdx, 8(%rdi)
2:	xor	%eax, %eax
	vdso_return
	quick_else
	vdso_ask VDSO_AGENT_GETTIMEOFDAY
	jmp	1b
	vdso_rest VDSO_REAL_GETTIMEOFDAY, 96
	.size	__vdso_gettimeofday, . - __vdso_gettimeofday
	.size	gettimeofday, . - gettimeofday

	.balign	64
	.globl	__vdso_time
	.type	__vdso_time, @function
	.weak	time
	.type	time, @function
__vdso_time:
time:
	.cfi_startproc
	vdso_ask VDSO_AGENT_TIME
	mov	%rcx, %rax
	test	%rdi, %rdi
	jz	1f
	mov	%rax, (%rdi)
1:	vdso_return
	vdso_rest VDSO_REAL_TIME, 201
	.size	__vdso_time, . - __vdso_time
	.size	time, . - time

/* Rarely called: the system call does. */
	.macro	vdso_syscall_only name, nr
	.balign	16
	.globl	__vdso_\name
	.type	__vdso_\name, @function
	.weak	\name
	.type	\name, @function
__vdso_\name:
\name:
	.cfi_startproc
	mov	$\nr, %eax
	syscall
	ret
	.cfi_endproc
	.size	__vdso_\name, . - __vdso_\name
	.size	\name, . - \name
	.endm

	vdso_syscall_only clock_getres, 229
	vdso_syscall_only getcpu, 309

/* For callers of the vsyscall page, who don't expect more than a system call clobbers. */
	.macro	vsyscall name, nr
	.balign	16
	.globl	vdso_old_\name
vdso_old_\name:
	.cfi_startproc
	mov	$\nr, %eax
	syscall
	ret
	.cfi_endproc
	.endm

	vsyscall gettimeofday, 96
	vsyscall time, 201
	vsyscall getcpu, 309
	.globl	vdso_functions_end
vdso_functions_end:

/* The first system call of a recorded program: agent/start.c makes it, outside of the gate. */
	.balign	16
	.globl	vdso_begin_program
vdso_begin_program:
	mov	$BEGIN_SYSCALL, %eax
	syscall
	ud2

/* Filled in by who maps the image; enum VDSO_... */
	.balign	8
	.globl	vdso_slots
vdso_slots:
	.fill	VDSO_N_SLOTS, 8, 0

	.section .note.GNU-stack, "", @progbits
