/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* -- the machine of linux/filter.h, as far as seccomp allows it --------------------------- */

struct machine {
	uint32_t a, x, memory[BPF_MEMWORDS];
	size_t at;
};

static bool alu(struct machine *m, uint16_t code, uint32_t k)
{
	uint32_t operand = BPF_SRC(code) == BPF_X ? m->x : k;

	switch (BPF_OP(code)) {
	case BPF_ADD: m->a += operand; break;
	case BPF_SUB: m->a -= operand; break;
	case BPF_MUL: m->a *= operand; break;
	case BPF_DIV:
		if (!operand)
			return false;
		m->a /= operand;
		break;
	case BPF_AND: m->a &= operand; break;
	case BPF_OR: m->a |= operand; break;
	case BPF_XOR: m->a ^= operand; break;
	case BPF_LSH: m->a = operand < 32 ? m->a << operand : 0; break;
	case BPF_RSH: m->a = operand < 32 ? m->a >> operand : 0; break;
	case BPF_NEG: m->a = -m->a; break;
	default:
		return false;
	}
	return true;
}

static bool jump(struct machine *m, const struct sock_filter *in)
{
	uint32_t operand = BPF_SRC(in->code) == BPF_X ? m->x : in->k;
	bool taken;

	switch (BPF_OP(in->code)) {
	case BPF_JA:
		m->at += in->k;
		return true;
	case BPF_JEQ: taken = m->a == operand; break;
	case BPF_JGT: taken = m->a > operand; break;
	case BPF_JGE: taken = m->a >= operand; break;
	case BPF_JSET: taken = m->a & operand; break;
	default:
		return false;
	}
	m->at += taken ? in->jt : in->jf;
	return true;
}

static bool load(uint32_t *to, const struct machine *m, const struct sock_filter *in,
		 const struct seccomp_data *data)
{
	switch (BPF_MODE(in->code)) {
	case BPF_ABS:
		if (in->k % 4 || in->k > sizeof(*data) - 4)
			return false;
		memcpy(to, (const uint8_t *)data + in->k, 4);
		return true;
	case BPF_IMM:
		*to = in->k;
		return true;
	case BPF_LEN:
		*to = sizeof(*data);
		return true;
	case BPF_MEM:
		if (in->k >= BPF_MEMWORDS)
			return false;
		*to = m->memory[in->k];
		return true;
	default:
		return false;
	}
}

uint32_t filter_run(const struct sock_filter *program, size_t len, const struct seccomp_data *data)
{
	struct machine m = { 0 };

	while (m.at < len) {
		const struct sock_filter *in = &program[m.at++];
		bool good = true;

		switch (BPF_CLASS(in->code)) {
		case BPF_LD:
			good = load(&m.a, &m, in, data);
			break;
		case BPF_LDX:
			good = BPF_MODE(in->code) != BPF_ABS && load(&m.x, &m, in, data);
			break;
		case BPF_ST:
		case BPF_STX:
			good = in->k < BPF_MEMWORDS;
			if (good)
				m.memory[in->k] = BPF_CLASS(in->code) == BPF_ST ? m.a : m.x;
			break;
		case BPF_ALU:
			good = alu(&m, in->code, in->k);
			break;
		case BPF_JMP:
			good = jump(&m, in);
			break;
		case BPF_RET:
			return BPF_RVAL(in->code) == BPF_A ? m.a : in->k;
		case BPF_MISC:
			if (BPF_MISCOP(in->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
		if (!good)
			break;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* -- the agent's closed list ------------------------------------------------------------------ */

struct agent_needs {
	int nr;
	bool may_fail;		/* an error number is answer enough */
	uint64_t args[4];
};

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static const struct agent_needs agent_list[] = {
	{ SYS_memfd_create, false, { 0 } },
	{ SYS_mmap, false, { 0, 4096, PROT_READ | PROT_EXEC, ANON } },
	{ SYS_mmap, false, { 0, 4096, RW, ANON } },
	{ SYS_mmap, false, { 0, 4096, RW, MAP_SHARED } },
	{ SYS_munmap, false, { 0 } },
	{ SYS_mremap, false, { 0, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED } },
	{ SYS_madvise, true, { 0 } },
	{ SYS_close, false, { 0 } },
	{ SYS_brk, false, { 0 } },
	{ SYS_futex, false, { 0, FUTEX_WAIT } },
	{ SYS_futex, false, { 0, FUTEX_WAKE } },
	{ SYS_clock_gettime, false, { 1 } },
	{ SYS_rt_sigreturn, false, { 0 } },
	{ SYS_rt_sigaction, false, { SIGSYS } },
	{ SYS_rt_sigprocmask, false, { 0 } },
	{ SYS_sigaltstack, false, { 0 } },
	{ SYS_prctl, false, { PR_SET_SYSCALL_USER_DISPATCH, 1 } },
	{ SYS_prctl, true, { PR_SET_NAME } },
	{ SYS_getpid, false, { 0 } },
	{ SYS_gettid, false, { 0 } },
	{ SYS_set_tid_address, false, { 0 } },
	{ SYS_set_robust_list, false, { 0 } },
	{ SYS_rt_tgsigqueueinfo, true, { 0 } },
	{ SYS_rt_sigqueueinfo, true, { 0 } },
	{ SYS_timer_create, true, { 0 } },
	{ SYS_timer_settime, true, { 0 } },
	{ SYS_timer_delete, true, { 0 } },
	{ SYS_clone, true, { CLONE_FILES } },
	{ SYS_close_range, true, { 0, ~0U, 2 } },
	{ SYS_setsid, true, { 0 } },
	{ SYS_kill, true, { 0, SIGKILL } },
	{ SYS_kill, true, { 0, 0 } },
	{ SYS_wait4, true, { 0 } },
	{ SYS_fstat, true, { 0 } },
	{ SYS_fstatfs, true, { 0 } },
	{ SYS_stat, true, { 0 } },
	{ SYS_pread64, true, { 0 } },
	{ SYS_fcntl, true, { 0, F_GETFL } },
	{ SYS_faccessat, true, { 0 } },
	{ SYS_readlink, true, { 0 } },
	{ SYS_read, true, { 3 } },
	{ SYS_write, true, { 3 } },
	{ SYS_lseek, true, { 0 } },
	{ SYS_dup3, true, { 0 } },
	{ SYS_exit, false, { 0 } },
	{ SYS_exit_group, false, { 0 } },
};

static bool verdict_is_good(uint32_t verdict, bool may_fail)
{
	switch (verdict & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return true;
	case SECCOMP_RET_ERRNO:
		return may_fail;
	default:
		return false;
	}
}

static bool passes(const struct sock_filter *program, size_t len, const struct agent_needs *need,
		   uint64_t gate)
{
	struct seccomp_data data = { .nr = need->nr, .arch = AUDIT_ARCH_X86_64,
				     .instruction_pointer = gate };

	for (size_t i = 0; i < 4; i++)
		data.args[i] = need->args[i];
	return verdict_is_good(filter_run(program, len, &data), need->may_fail);
}

int filter_check_one(const struct sock_filter *program, size_t len, uint64_t gate,
		     struct filter_extras *extras)
{
	static const struct agent_needs tsc = { SYS_prctl, true, { PR_SET_TSC } };
	static const struct agent_needs pin[] = { { SYS_sched_getaffinity, true, { 0 } },
						  { SYS_sched_setaffinity, true, { 0 } },
						  { SYS_getcpu, true, { 0 } } };
	static const struct agent_needs code[] = {
		{ SYS_openat, true, { (uint64_t)AT_FDCWD, 0, O_RDWR | O_CLOEXEC } },
		{ SYS_pwrite64, true, { 0 } },
		{ SYS_mprotect, true, { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC } },
		{ SYS_mprotect, true, { 0, 4096, PROT_READ | PROT_EXEC } },
	};

	static const struct agent_needs see = { SYS_mincore, true, { 0 } };

	for (size_t i = 0; i < sizeof(agent_list) / sizeof(agent_list[0]); i++)
		if (!passes(program, len, &agent_list[i], gate))
			return agent_list[i].nr;
	for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++)
		extras->change_code = extras->change_code && passes(program, len, &code[i], gate);
	extras->trap_tsc = extras->trap_tsc && passes(program, len, &tsc, gate);
	extras->see_pages = extras->see_pages && passes(program, len, &see, gate);
	for (size_t i = 0; i < sizeof(pin) / sizeof(pin[0]); i++)
		extras->pin_cpu = extras->pin_cpu && passes(program, len, &pin[i], gate);
	return 0;
}
