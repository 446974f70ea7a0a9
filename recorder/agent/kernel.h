/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel - what the kernel defines, as the agent, which has no libc, needs it */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/abi.h"
#include "recorder/agent/asm-offsets.h"

struct stack {			/* stack_t */
	uint64_t sp;
	uint32_t flags, pad;
	uint64_t size;
};

struct ucontext {		/* arch/x86/include/uapi/asm/ucontext.h */
	uint64_t flags;
	uint64_t link;
	struct stack stack;
	uint64_t regs[N_REGS];
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint8_t *fpstate;
	uint64_t reserved[8];
	uint64_t mask;
};
static_assert(offsetof(struct ucontext, regs) == UC_REGS, "asm");
static_assert(UC_REGS + 8 * REG_RBP_ == UC_RBP, "asm");
static_assert(UC_REGS + 8 * REG_RSP_ == 160, "asm");
static_assert(sizeof(struct ucontext) == 304, "kernel ABI");
static_assert(offsetof(struct ucontext, fpstate) == 224, "kernel ABI");
static_assert(offsetof(struct agent_config, entry) == CONFIG_ENTRY, "asm");
static_assert(offsetof(struct agent_config, stack) == CONFIG_STACK, "asm");
static_assert(offsetof(struct agent_shared, attention) == SHARED_ATTENTION, "asm");
static_assert(offsetof(struct agent_shared, head) == SHARED_HEAD, "asm");
static_assert(offsetof(struct agent_shared, n_events) == SHARED_N_EVENTS, "asm");
static_assert(offsetof(struct agent_shared, consumer_sleeps) == SHARED_CONSUMER_SLEEPS, "asm");
static_assert(offsetof(struct agent_process, head) == PROCESS_HEAD, "asm");
static_assert(offsetof(struct agent_process, readings_until) == PROCESS_READINGS_UNTIL, "asm");

struct siginfo {
	int32_t signo, err, code, pad;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
			uint64_t value;
		};
		uint64_t addr;
		struct {	/* SIGSYS */
			uint64_t call_addr;
			int32_t syscall;
			uint32_t arch;
		};
		uint8_t rest[112];
	};
};
static_assert(sizeof(struct siginfo) == 128, "kernel ABI");

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

struct iovec64 {
	uint64_t base, len;
};

struct timespec64 {
	int64_t sec, nsec;
};

enum {
	SIGILL_ = 4, SIGTRAP_ = 5, SIGABRT_ = 6, SIGBUS_ = 7, SIGFPE_ = 8, SIGKILL_ = 9,
	SIGSEGV_ = 11, SIGPIPE_ = 13, SIGCHLD_ = 17, SIGCONT_ = 18, SIGSTOP_ = 19, SIGTSTP_ = 20,
	SIGTTIN_ = 21, SIGTTOU_ = 22, SIGURG_ = 23, SIGWINCH_ = 28, SIGSYS_ = 31,
	N_SIGNALS = 64,
};

/* stat(2)'s structure, as far as it is wanted. */
struct stat64 {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev, size, blksize, blocks;
	uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	uint64_t unused[3];
};
static_assert(sizeof(struct stat64) == 144, "kernel ABI");

#define SIG_DFL_ 0
#define SIG_IGN_ 1
#define SA_NOCLDSTOP_ 1u
#define SA_NOCLDWAIT_ 2u
#define SA_SIGINFO_ 4u
#define SA_EXPOSE_TAGBITS_ 0x800u
#define SA_RESTORER_ 0x04000000u
#define SA_ONSTACK_ 0x08000000u
#define SA_RESTART_ 0x10000000u
#define SA_NODEFER_ 0x40000000u
#define SA_RESETHAND_ 0x80000000u
#define SS_ONSTACK_ 1u
#define SS_DISABLE_ 2u
#define SS_AUTODISARM_ 0x80000000u

static inline uint64_t signal_bit(int signal)
{
	return UINT64_C(1) << (signal - 1);
}

/* The kernel's mask never has these: the agent needs them, or they are faults. */
#define SYNC_SIGNALS                                                                       \
	(signal_bit(SIGILL_) | signal_bit(SIGTRAP_) | signal_bit(SIGBUS_) |                \
	 signal_bit(SIGFPE_) | signal_bit(SIGSEGV_))
#define UNBLOCKABLE (SYNC_SIGNALS | signal_bit(SIGSYS_) | signal_bit(KICK_SIGNAL))

/* errno values that the agent itself gives. */
enum { EPERM_ = 1, ENOENT_ = 2, EINTR_ = 4, ENXIO_ = 6, E2BIG_ = 7, EBADF_ = 9, EAGAIN_ = 11, ENOMEM_ = 12,
       EACCES_ = 13, EFAULT_ = 14, EEXIST_ = 17, ENODEV_ = 19, ENOTDIR_ = 20, EINVAL_ = 22, ENOTTY_ = 25, ENOSYS_ = 38, ETIME_ = 62, ENOPROTOOPT_ = 92,
       EOPNOTSUPP_ = 95 };

/* Numbers of the system calls that the agent treats by name or makes itself. */
enum syscall_nr {
#define SYS(number, name, ...) NR_##name = number,
#include "recorder/syscalls.tbl.h"
#undef SYS
};
