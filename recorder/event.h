/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * event - the log of a domain: what a replay needs to take the same steps
 *
 * The log is one total order of events, numbered from 0. The thread of an event
 * held the baton when it was written. A thread runs its program's code from one
 * of its events to the next, undisturbed: where the log goes from one thread to
 * another, the first has reached its next entry into the agent and waits there.
 * So there are no events for switching threads.
 *
 * What a replay can compute isn't logged: no arguments, no data that is written.
 * Instead each event carries a check, a hash of what the program asked for.
 *
 * x86-64 writes it and x86-64 reads it: the integers are the machine's.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

enum event_kind {
	EVENT_PAD = 0,		/* not an event: the rest of the lap is unused */
	EVENT_SYSCALL = 1,	/* a system call is done; nr, result, outputs */
	EVENT_MORE,		/* outputs of the event before, continued */
	EVENT_CLOCK,		/* a vDSO reading; nr is the clock, result the time in ns */
	EVENT_TSC,		/* rdtsc or rdtscp; nr is its length, result what the value is more than
				 * that before */
	EVENT_CREATE,		/* a thread is about to be made; result its slot */
	EVENT_START,		/* the thread's first step; result its tid */
	EVENT_GONE,		/* the thread left: exec or death of a vfork child, exit */
	EVENT_SIGNAL,		/* a signal's handler begins; struct event_signal */
	EVENT_FATAL,		/* a signal kills the process; struct event_signal */
	EVENT_ASYNC,		/* preempted at an arbitrary instruction; struct event_async */
	EVENT_RESUME,		/* goes on after EVENT_ASYNC */
	EVENT_SNAPSHOT,		/* a snapshot stands right behind this event; result its number */
	EVENT_EXIT,		/* exit_group; result the status */
	EVENT_EXEC,		/* an exec is tried: nothing follows unless it failed */
	EVENT_PI_WAIT,		/* before a call that waits for a PI futex; result its word */
	EVENT_FORK,		/* a child is about to be made that has a log of its own, in the spare
				 * number nr; result 1: it has no page of shared memory */
	EVENT_SITES,		/* instructions of a new mapping were changed; struct agent_site each */
	EVENT_INSTRUCTION,	/* one of those was executed; nr is enum site_kind */
	EVENT_STUB,		/* a place has got a stub; struct event_stub */
	EVENT_PAGE_OUT,		/* pages of shared memory were given up; struct event_page_run each */
	EVENT_PAGE_IN,		/* one was got; nr is its object, result its number; its bytes, if not 0 */
	EVENT_TURN,		/* others have changed shared memory; struct page_change each, and the words */
	EVENT_N
};

/* event.nr of an EVENT_CLOCK beyond the kernel's clock numbers. */
enum { EVENT_CLOCK_TIMEOFDAY = 64, EVENT_CLOCK_TIME = 65 };

enum event_flags {
	EVENT_CONTINUED = 1 << 0,	/* an EVENT_MORE of the same thread follows */
	/* where a signal struck, for EVENT_SIGNAL and EVENT_FATAL: */
	EVENT_AT_ENTRY = 1 << 1,	/* instead of a system call, which will be made again */
	EVENT_AT_EXIT = 1 << 2,		/* behind a system call */
	EVENT_AT_FAULT = 1 << 3,	/* the instruction itself raised it */
	EVENT_AT_ASYNC = 1 << 4,	/* at the place of the EVENT_ASYNC before */
	/* for EVENT_SNAPSHOT: */
	EVENT_FREEZE = 1 << 5,		/* a window ends here */
	/* for EVENT_SYSCALL: */
	EVENT_FILE = 1 << 6,		/* behind its outputs: struct event_file */
	EVENT_REFERENCE = 1 << 7,	/* instead of its outputs: struct event_reference */
};

struct event {
	uint32_t len;		/* of the whole event, a multiple of 8 */
	uint8_t kind;
	uint8_t flags;
	uint16_t thread;	/* slot of the thread in the domain */
	uint16_t nr;		/* system call, signal or clock */
	uint16_t ticks;		/* since the event before, of 2^tick_shift TSC cycles; saturates */
	uint32_t check;		/* CRC-32C of what was asked for, where it was asked */
	int64_t result;
};
static_assert(sizeof(struct event) == 24, "log layout");

/*
 * In the ring most readings are shorter, and nothing is computed for them: their lowest bit is
 * set, where other events begin with a length. The recorder makes an EVENT_CLOCK of each.
 */
struct event_reading {
	uint32_t tag;		/* thread << 16 | nr << 1 | 1 */
	uint32_t fraction;	/* of a second: nanoseconds; EVENT_CLOCK_TIMEOFDAY: microseconds */
	int64_t sec;
};
static_assert(sizeof(struct event_reading) == 16, "log layout");

/*
 * An instruction whose result differs from run to run. The agent puts a privileged one in its
 * place, which is one byte, and gives the answer itself (agent/sites.c).
 */
enum site_kind {
	SITE_NONE = 0,
	SITE_RDTSC,		/* EVENT_TSC */
	SITE_RDTSCP,		/* EVENT_TSC */
	SITE_CPUID,		/* EVENT_INSTRUCTION; eax, ebx, ecx, edx follow */
	SITE_XGETBV,		/* EVENT_INSTRUCTION; result edx:eax */
	SITE_RDRAND,		/* EVENT_INSTRUCTION; result, and a uint64_t: was there one? */
	SITE_RDSEED,		/* the same */
	SITE_RDPID,		/* no event: 0 */
	SITE_VSYSCALL,		/* no event: a call of the vsyscall page by a register */
	SITE_XSAVEC,		/* no event: xsavec to the stack */
	SITE_N
};

#define AGENT_SITE_BYTE 0xf4	/* hlt */

struct agent_site {
	uint64_t address;	/* of the instruction; 0: none */
	uint8_t kind;
	uint8_t len;
	uint8_t at;		/* where in it the changed byte is: behind the prefixes */
	uint8_t byte;		/* what that was */
	uint8_t reg;		/* number of its register operand */
	uint8_t width;		/* of that, in bytes */
	uint8_t reserved[2];
};
static_assert(sizeof(struct agent_site) == 16, "log layout");

#define STUB_LEN 128
#define STUB_MOVED 12

struct agent_stub {
	uint64_t site;		/* the address of the call, or of rdtsc(p); 0: none */
	uint64_t at, code;	/* of the jump, of the stub */
	uint8_t len;		/* of the whole instructions that the jump overwrites; int3 behind it */
	uint8_t code_len;
	uint8_t n_moved;	/* instructions that the stub does, in their order: */
	uint8_t tail;		/* offset in the stub: what it does in the place of the call */
	uint8_t from[STUB_MOVED], to[STUB_MOVED];	/* their offsets from at, and in the stub */
	uint8_t old[16];	/* what was overwritten */
	uint8_t reserved2[4];
};
static_assert(sizeof(struct agent_stub) == 72, "log layout");

/*
 * A system call that is made often: a jump stands at an instruction before the call, to a stub
 * that does what the jump has displaced and goes to the agent (agent/stubs.c). Or rdtsc, or
 * rdtscp: the jump stands before it, too, or at it.
 */
struct event_stub {
	uint64_t area;		/* not 0: only memory for stubs has been made, there */
	struct agent_stub stub;
	uint8_t code[STUB_LEN];
};
static_assert(sizeof(struct event_stub) == 208, "log layout");

/* No event is longer; outputs that don't fit go on in EVENT_MORE. */
#define EVENT_MAX_LEN (32u << 10)

/*
 * The outputs of a system call, in the order of its spans (agent/call.h): for each
 * a uint32_t length, then the bytes, without padding. After mmap of a file, first
 * a struct event_mapping.
 */

/* The file behind a new mapping. */
struct event_mapping {
	uint64_t dev, ino;
	uint64_t size;
	uint64_t mtime_ns, ctime_ns;
	uint32_t by_value;	/* struct event_run follow: the bytes that are mapped */
	uint32_t path_len;	/* if not: what it was opened by, as far as that is known */
	uint32_t writable;	/* it was opened for writing */
	uint32_t is_device;	/* what is mapped is no memory, perhaps */
};
static_assert(sizeof(struct event_mapping) == 56, "log layout");

/* Bytes of a file, which follow; len 0: the last of them. Between two there are zeroes. */
struct event_run {
	uint64_t offset, len;
};

enum file_change {
	FILE_SIZE = 1,		/* only the size, if anything */
	FILE_BUFFERS,		/* to what the program gave to the call */
	FILE_ZEROES,
	FILE_BYTES,		/* struct event_run follow */
};

/* Pages of what is shared; the object is an index in the agent's table. */
struct event_page_run {
	uint64_t page, n;
	uint32_t object;
	uint32_t reserved;
};
static_assert(sizeof(struct event_page_run) == 24, "log layout");

/* Of a page of what is shared: so many words of eight bytes, which follow. In 64 bits. */
struct page_change {
	uint64_t object : 11;
	uint64_t page : 23;
	uint64_t word : 9;	/* the first in the page */
	uint64_t n_words : 10;
	uint64_t reserved : 11;
};
static_assert(sizeof(struct page_change) == 8, "log layout");
#define CHANGE_OBJECTS (1 << 11)
#define CHANGE_PAGES (1 << 23)

/* A call has changed a file that is mapped. */
struct event_file {
	uint64_t dev, ino;
	uint64_t size;		/* behind the call */
	uint64_t offset, len;	/* what has changed */
	uint32_t kind;		/* enum file_change; 0: nothing */
	uint32_t reserved;
};
static_assert(sizeof(struct event_file) == 48, "log layout");

/*
 * The outputs of a call that has read a file that can't change: they are the result's bytes of that
 * file, from an offset on. The recorder has the file.
 */
struct event_reference {
	uint64_t dev, ino, size, mtime_ns;
	uint64_t offset;
	uint64_t xxh64;		/* XXH64 of what the program then had in its buffers, one behind the other */
};
static_assert(sizeof(struct event_reference) == 48, "log layout");

/*
 * The signal, as the handler's siginfo_t gets it, and what the kernel put into the
 * sigcontext of a fault.
 */
struct event_signal {
	uint8_t info[128];
	uint64_t trapno, err, cr2;	/* EVENT_AT_FAULT only */
	uint64_t call_mask;		/* the mask that the interrupted call had set */
	uint32_t has_call_mask;
	uint32_t reserved;
};
static_assert(sizeof(struct event_signal) == 168, "log layout");

/* General registers in the order of gregs in the kernel's struct sigcontext. */
enum {
	REG_R8_, REG_R9_, REG_R10_, REG_R11_, REG_R12_, REG_R13_, REG_R14_, REG_R15_,
	REG_RDI_, REG_RSI_, REG_RBP_, REG_RBX_, REG_RDX_, REG_RAX_, REG_RCX_, REG_RSP_,
	REG_RIP_, REG_EFL_, N_REGS
};

#define ASYNC_OPERANDS 24
/* The low 64 bits of the eight x87 and of the sixteen XMM registers. */
#define ASYNC_VECTORS 24
/* Bytes of code before the instruction, and from there on. */
#define ASYNC_CODE 16
/* Pages of shared memory that couldn't be read, and may be readable in a replay: a full disk's. */
#define ASYNC_UNREADABLE 4
/* The stack, and what pointers lead to, are looked at in blocks. */
#define ASYNC_BLOCK 128
#define ASYNC_BLOCKS 86

/*
 * The place of a preemption: what is equal there in replay, and with all likelihood
 * nowhere else between the event before and here. agent/place.c computes it.
 */
struct event_async {
	uint64_t regs[N_REGS];
	uint64_t vector_hash;	/* FP and SIMD state */
	uint64_t memory_hash;	/* stack, and what registers and the code ahead point at */
	uint32_t n_operands;
	uint32_t reserved;
	struct {
		uint64_t address, value;
	} operands[ASYNC_OPERANDS];	/* of the code ahead, and what pointers lead to */
	uint64_t vectors[ASYNC_VECTORS];
	uint8_t code[2 * ASYNC_CODE];
	uint64_t unreadable[ASYNC_UNREADABLE];
	uint32_t n_blocks, reserved2;	/* that could be read */
	uint32_t block_checks[ASYNC_BLOCKS];	/* async_check() of each */
	uint64_t blocks[ASYNC_BLOCKS];	/* where they are */
};
static_assert(sizeof(struct event_async) == 1848, "log layout");

/* The CRC-32C, from 0, of a block's words; the replay's code has the same instructions. */
static inline uint32_t async_check(const uint8_t block[ASYNC_BLOCK])
{
	uint64_t sum = 0, word;

	for (unsigned i = 0; i < ASYNC_BLOCK; i += sizeof(word)) {
		__builtin_memcpy(&word, block + i, sizeof(word));
		__asm__("crc32q %1, %0" : "+r"(sum) : "r"(word));
	}
	return (uint32_t)sum;
}
