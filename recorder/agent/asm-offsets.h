/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * asm-offsets - numbers that the vDSO's assembler shares with C
 *
 * Offsets in struct thread are asserted in recorder/abi.h, those in the kernel's
 * struct ucontext (arch/x86/include/uapi/asm/{ucontext,sigcontext}.h) in agent.h.
 */
#pragma once

#ifdef __ASSEMBLER__
#define THREAD_USER_SP 16
#define THREAD_STACK_TOP 24
#define THREAD_VDSO_RESULT 32
#define THREAD_NATIVE 48
#define THREAD_READING_TAG 72
#define THREAD_PENDING 216
#define VDSO_NATIVE 1
#define VDSO_QUICK 2
#define THREAD_STUB_ENTRY 56
#define THREAD_TSC_ENTRY 64

#define VDSO_AGENT_CLOCK_GETTIME 0
#define VDSO_AGENT_GETTIMEOFDAY 1
#define VDSO_AGENT_TIME 2
#define VDSO_REAL_CLOCK_GETTIME 3
#define VDSO_REAL_GETTIMEOFDAY 4
#define VDSO_REAL_TIME 5
#define VDSO_AGENT_READING 6
#define VDSO_SHARED 7
#define VDSO_PROCESS 8
#define VDSO_RING 9
#define VDSO_RING_MASK 10
#define VDSO_N_SLOTS 11
#endif

/* struct agent_shared, struct agent_process: asserted in kernel.h, as struct agent_config. */
#define SHARED_ATTENTION 16
#define SHARED_HEAD 64
#define SHARED_N_EVENTS 72
#define SHARED_CONSUMER_SLEEPS 272
#define PROCESS_HEAD 8
#define PROCESS_READINGS_UNTIL 40

/* As EVENT_CLOCK has it. */
#define CLOCK_TIMEOFDAY 64

/* The clocks that the kernel's vDSO reads without a system call: bits. */
#define FAST_CLOCKS 0x8f3	/* REALTIME MONOTONIC, RAW, the COARSE two, BOOTTIME, TAI */

/* struct ucontext: uc_mcontext.gregs begin at 40, in the order of recorder/event.h. */
#define UC_REGS 40
#define UC_RBP 120
#define UC_RSP_SLEB_LO 0xa0	/* UC_REGS + 8 * REG_RSP_ = 160, as SLEB128 */
#define UC_RSP_SLEB_HI 0x01

/* From a thread's record to its call_frame's struct ucontext. */
#define CALL_CONTEXT -0x2ff8

/* What gate() returns for a call that a signal kept from being made. */
#define GATE_ABORTED -1000

/* No kernel has this system call: start.c's way into the agent. */
#define BEGIN_SYSCALL 0x62620001

/* struct agent_config: asserted in agent.h. */
#define CONFIG_ENTRY 56
#define CONFIG_STACK 64
