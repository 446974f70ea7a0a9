/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The injector. Remote calls run at a `syscall` of the kernel's vDSO whose next
 * instructions clear registers and return; the word below the program's stack says where
 * to: the program's entry. So if we die at any stop, the kernel lets go of the program
 * and it begins as if nothing had been, with two mappings more.
 */
#include "recorder/inject.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/agent/vdso-offsets.h"
#include "recorder/filter.h"
#include "recorder/known.h"
#include "recorder/proc.h"

enum { CODE_SEGMENT_64 = 0x33, VDSO_MAX = 4 * 4096 };

/* An injection takes a fraction of that. */
#define LEAST_DEADLINE_NS UINT64_C(50000000)
#define MOST_DEADLINE_NS UINT64_C(1000000000)

#define HWCAP2_FSGSBASE (1 << 1)

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_OFF 0
#endif

/* Processes of one service that are about to exec at one time. */
#define MAX_TRACED 1024

struct injector {
	int socket;
	timer_t deadline;
	struct agent_config policy;	/* from INJECT_SETUP */
	const struct known_facts *known; /* NULL: can't be read */
	struct traced {
		pid_t pid;		/* a thread's; 0: free */
		bool leaving;		/* interrupted, to be let go at its next stop */
	} traced[MAX_TRACED];
	uint8_t *image;			/* the agent's, to be changed for each */
	const char *why;		/* the reason why this one runs natively */
	char why_buffer[200];
};

/* The process whose exec is under way, stopped behind it. */
struct target {
	pid_t pid;
	int mem;			/* /proc/PID/mem */
	int memfd;			/* the shared memory, opened here */
	struct user_regs_struct regs;	/* at its entry */
	uint64_t aux[64];		/* auxiliary vector by type, those below 64 */
	struct agent_range vdso;
	uint64_t gadget;		/* `syscall` in the kernel's vDSO */
	uint64_t clear_rdx;		/* `pop %rdx; ret`, or 0 if the gadget clears it */
	uint8_t vdso_image[VDSO_MAX];
	size_t vdso_len;
	struct agent_config config;
};

static void target_deinit(struct target *t)
{
	closep(&t->mem);
	closep(&t->memfd);
}

/* Remembers why, for the notes; returns a negative errno for the caller to pass up. */
static int native(struct injector *in, int error, const char *why)
{
	in->why = why;
	return error;
}

/* -- reading the new image ------------------------------------------------------------------ */

static int read_auxv(struct target *t)
{
	char path[64];
	autoclean(closep) int fd = -1;
	Elf64_auxv_t entries[64];
	ssize_t n;

	(void) proc_path(path, sizeof(path), t->pid, "/auxv");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, entries, sizeof(entries));
	if (n < 0)
		return -errno;
	for (size_t i = 0; i < (size_t)n / sizeof(entries[0]); i++)
		if (entries[i].a_type < 64)
			t->aux[entries[i].a_type] = entries[i].a_un.a_val;
	return 0;
}

static bool overlaps(uint64_t base, uint64_t start, uint64_t end)
{
	return start < base + AGENT_REGION && end > base;
}

static struct image_id image_id_of(const struct stat *st)
{
	return (struct image_id){ st->st_dev, st->st_ino, (uint64_t)st->st_size,
				  (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec,
				  (uint64_t)st->st_ctim.tv_sec * 1000000000 + (uint64_t)st->st_ctim.tv_nsec };
}

static void identify_program(struct target *t)
{
	char path[64];
	struct stat st;

	(void) proc_path(path, sizeof(path), t->pid, "/exe");
	if (stat(path, &st) == 0)
		t->config.program_id = image_id_of(&st);
}

/* By its path, where another file may be by now: @ino is that of the mapping. */
static void identify_interpreter(struct target *t, const char *name, uint64_t ino)
{
	char path[320], *at = path;
	struct stat st;

	(void) proc_path(path, sizeof(path), t->pid, "/root");
	at += strlen(path);
	put_text(&at, path + sizeof(path), name);
	if (stat(path, &st) == 0 && st.st_ino == ino)
		t->config.interpreter_id = image_id_of(&st);
}

struct mapping {
	uint64_t start, end, ino;
	const char *name;	/* "": none */
};

/* A line of /proc/PID/maps: START-END PERMISSIONS OFFSET DEVICE INODE NAME. */
static bool parse_mapping(char *line, struct mapping *ret)
{
	if (!proc_number(&line, 16, &ret->start) || !proc_skip(&line, "-") || !proc_number(&line, 16, &ret->end) ||
	    !proc_skip_word(&line) || !proc_skip_word(&line) || !proc_skip_word(&line) ||
	    !proc_number(&line, 10, &ret->ino))
		return false;
	while (*line == ' ')
		line++;
	ret->name = line;
	return true;
}

/* Which candidates for the region are free; where the kernel's maps and the interpreter are. */
static int read_maps(struct target *t)
{
	autoclean(proc_closep) struct proc_file file;
	unsigned taken = 0;
	char *line;
	int r = proc_open(&file, t->pid, "/maps");

	if (r < 0)
		return r;
	while ((line = proc_line(&file))) {
		struct mapping m;

		if (!parse_mapping(line, &m))
			return -EBADMSG;
		for (unsigned i = 0; i < AGENT_BASE_TRIES; i++)
			if (overlaps(AGENT_BASE + i * AGENT_BASE_STEP, m.start, m.end))
				taken |= 1u << i;
		if (strncmp(m.name, "[vvar", 5) == 0 || strcmp(m.name, "[vdso]") == 0) {
			if (t->config.n_kernel_maps == 6)
				return -E2BIG;
			t->config.kernel_maps[t->config.n_kernel_maps++] = (struct agent_range){ m.start, m.end };
		}
		if (strcmp(m.name, "[vdso]") == 0)
			t->vdso = (struct agent_range){ m.start, m.end };
		if (t->regs.rip >= m.start && t->regs.rip < m.end && t->aux[AT_BASE]) {
			t->config.interpreter = (struct agent_range){ m.start, m.end };
			identify_interpreter(t, m.name, m.ino);
		}
	}
	for (unsigned i = 0; i < AGENT_BASE_TRIES && !t->config.base; i++)
		if (!(taken & (1u << i)))
			t->config.base = AGENT_BASE + i * AGENT_BASE_STEP;
	return t->config.base ? 0 : -EEXIST;
}

/* After `syscall` only `xor reg,reg` of registers that are free at an entry, then `ret`. */
static bool tail_returns(const uint8_t *code, size_t len, bool *ret_clears_rdx)
{
	bool clears_rdx = false;

	for (size_t i = 0; i < len; ) {
		if (code[i] == 0xc3) {
			*ret_clears_rdx = clears_rdx;
			return true;
		}
		if (i + 2 < len && code[i] == 0x45 && code[i + 1] == 0x31)
			i++;		/* r8..r15 */
		else if (i + 1 < len && code[i] == 0x31 && code[i + 1] == 0xd2)
			clears_rdx = true;
		if (i + 1 >= len || code[i] != 0x31 || (code[i + 1] & 0xc0) != 0xc0 ||
		    (code[i + 1] & 7) != (code[i + 1] >> 3 & 7) || (code[i + 1] & 7) == 4)
			return false;
		i += 2;
	}
	return false;
}

/* A static program's entry takes %rdx for a function to call at exit: it must be 0. */
static int find_clear_rdx(struct target *t)
{
	uint8_t code[65536];
	uint64_t at = t->regs.rip & ~UINT64_C(4095);
	ssize_t n = pread(t->mem, code, sizeof(code), (off_t)at);

	for (ssize_t i = 0; i + 1 < n; i++) {
		if (code[i] != 0x5a || code[i + 1] != 0xc3)	/* pop %rdx; ret */
			continue;
		t->clear_rdx = at + (uint64_t)i;
		return 0;
	}
	return -ENOENT;
}

static int find_gadget(struct target *t)
{
	uint64_t fallback = 0;
	ssize_t n;

	t->vdso_len = t->vdso.end - t->vdso.start;
	if (t->vdso_len > sizeof(t->vdso_image) || t->vdso_len < AGENT_VDSO_LEN)
		return -ENOEXEC;
	n = pread(t->mem, t->vdso_image, t->vdso_len, (off_t)t->vdso.start);
	if (n != (ssize_t)t->vdso_len)
		return n < 0 ? -errno : -EIO;
	for (size_t i = 0; i + 2 < t->vdso_len; i++) {
		bool clears_rdx;

		if (t->vdso_image[i] != 0x0f || t->vdso_image[i + 1] != 0x05 ||
		    !tail_returns(t->vdso_image + i + 2, t->vdso_len - i - 2, &clears_rdx))
			continue;
		t->gadget = t->vdso.start + i;
		if (clears_rdx)
			return 0;
		fallback = t->gadget;
	}
	if (!fallback)
		return -ENOENT;
	t->gadget = fallback;
	/* The dynamic linker doesn't look at %rdx. */
	return t->aux[AT_BASE] ? 0 : find_clear_rdx(t);
}

/* A symbol of the kernel's vDSO, as an offset; 0 if it has none of that name. */
static uint64_t vdso_symbol(const struct target *t, const char *name)
{
	const uint8_t *image = t->vdso_image;
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)image;
	const Elf64_Phdr *program = (const Elf64_Phdr *)(image + header->e_phoff);
	const Elf64_Sym *symbols = NULL;
	const char *strings = NULL;
	const uint32_t *hash = NULL;

	if (header->e_phoff + header->e_phnum * sizeof(*program) > t->vdso_len)
		return 0;
	for (unsigned i = 0; i < header->e_phnum; i++) {
		if (program[i].p_type != PT_DYNAMIC || program[i].p_offset > t->vdso_len - 16)
			continue;
		for (const Elf64_Dyn *d = (const Elf64_Dyn *)(image + program[i].p_offset);
		     (const uint8_t *)(d + 1) <= image + t->vdso_len && d->d_tag != DT_NULL; d++) {
			if (d->d_un.d_ptr >= t->vdso_len)
				continue;
			if (d->d_tag == DT_SYMTAB)
				symbols = (const Elf64_Sym *)(image + d->d_un.d_ptr);
			else if (d->d_tag == DT_STRTAB)
				strings = (const char *)image + d->d_un.d_ptr;
			else if (d->d_tag == DT_HASH)
				hash = (const uint32_t *)(image + d->d_un.d_ptr);
		}
	}
	if (!symbols || !strings || !hash)
		return 0;
	for (uint32_t i = 0; i < hash[1] && (const uint8_t *)(symbols + i + 1) <= image + t->vdso_len; i++)
		if (symbols[i].st_name < t->vdso_len && strcmp(strings + symbols[i].st_name, name) == 0)
			return symbols[i].st_value;
	return 0;
}

/* -- remote calls ------------------------------------------------------------------------------ */

/*
 * Runs to the next stop of a system call. A signal on the way does what it would do to an
 * image that hasn't begun: nothing, or the end.
 */
static int run_to_syscall_stop(struct target *t)
{
	int status, signal = 0;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, t->pid, 0, signal) < 0)
			return -errno;
		if (waitpid(t->pid, &status, __WALL) < 0)
			return -errno;
		if (!WIFSTOPPED(status))
			return -ESRCH;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		/* Seizing or letting go interrupts, and that may come as late as here. */
		if (status >> 16 && WSTOPSIG(status) != SIGTRAP)
			return -EINTR;	/* stopped by job control */
		signal = status >> 16 ? 0 : WSTOPSIG(status);
	}
}

static int remote_call(struct target *t, long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		       uint64_t e, uint64_t f, uint64_t *ret)
{
	struct user_regs_struct regs = t->regs;
	uint64_t stack[3] = { t->clear_rdx, 0, t->regs.rip };
	unsigned skip = t->clear_rdx ? 0 : 2;
	int r;

	regs.rsp -= sizeof(stack[0]) * (3 - skip);
	if (pwrite(t->mem, stack + skip, sizeof(stack[0]) * (3 - skip), (off_t)regs.rsp) < 0)
		return -errno;
	regs.rip = t->gadget;
	regs.rax = (uint64_t)nr;
	regs.orig_rax = (uint64_t)-1;
	regs.rdi = a;
	regs.rsi = b;
	regs.rdx = c;
	regs.r10 = d;
	regs.r8 = e;
	regs.r9 = f;
	if (ptrace(PTRACE_SETREGS, t->pid, 0, &regs) < 0)
		return -errno;
	r = run_to_syscall_stop(t);
	if (r == 0)
		r = run_to_syscall_stop(t);
	if (r < 0)
		return r;
	if (ptrace(PTRACE_GETREGS, t->pid, 0, &regs) < 0)
		return -errno;
	if (regs.rax > (uint64_t)-4096)
		return (int)regs.rax;
	*ret = regs.rax;
	return 0;
}

/* -- injection ------------------------------------------------------------------------------------ */

static int make_shared_memory(struct injector *in, struct target *t)
{
	char path[64], *at = path;
	uint64_t remote_fd = 0, len = SHARED_CONTROL_LEN + t->config.ring_len;
	struct agent_shared *shared;
	uint32_t uid;
	int r;

	/* Any string will do for a name; the vDSO has some. */
	r = remote_call(t, SYS_memfd_create, t->vdso.start + 1, MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0,
			0, &remote_fd);
	if (r < 0)
		return native(in, r, "memfd_create failed in it");
	t->config.memfd = (int)remote_fd;
	(void) proc_path(path, sizeof(path), t->pid, "/fd/");
	at += strlen(path);
	put_number(&at, path + sizeof(path), remote_fd);
	t->memfd = open(path, O_RDWR | O_CLOEXEC);
	if (t->memfd < 0)
		return native(in, -errno, "its descriptors can't be opened");
	/* Our limit on file sizes counts here, not the program's. Sealed: no SIGBUS for readers. */
	if (ftruncate(t->memfd, (off_t)len) < 0 ||
	    fcntl(t->memfd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return native(in, -errno, "shared memory can't be made");
	shared = mmap(NULL, SHARED_CONTROL_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, t->memfd, 0);
	if (shared == MAP_FAILED)
		return native(in, -errno, "shared memory can't be mapped");
	shared->abi = AGENT_ABI;
	shared->mode = MODE_RECORD;
	shared->snapshot_wanted = 1;
	shared->attention = ATTENTION_SNAPSHOT;
	if (in->known && known_uid(t->pid, &uid) == 0)
		known_copy(in->known, &shared->known, uid);
	(void) munmap(shared, SHARED_CONTROL_LEN);
	return 0;
}

static int put_image(struct injector *in, struct target *t)
{
	static const char *const names[3] = { "__vdso_clock_gettime", "__vdso_gettimeofday",
					      "__vdso_time" };
	size_t len = (size_t)(agent_image_end - agent_image);
	uint64_t real_vdso = t->config.base + AGENT_REAL_VDSO +
			     (t->vdso.start - t->config.kernel_maps[0].start);
	uint64_t real[3], at, got = 0;
	int r;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t offset = vdso_symbol(t, names[i]);

		if (!offset)
			return native(in, -ENOEXEC, "the kernel's vDSO has not the functions that it should have");
		real[i] = real_vdso + offset;
	}
	agent_image_prepare(&t->config, real, in->image);
	at = t->config.base + AGENT_IMAGE;
	r = remote_call(t, SYS_mmap, at, len, PROT_READ | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, (uint64_t)-1, 0, &got);
	if (r < 0 || got != at)
		return native(in, r < 0 ? r : -EEXIST, "the agent can't be mapped");
	if (pwrite(t->mem, in->image, len, (off_t)at) != (ssize_t)len)
		return native(in, -errno, "its memory can't be written");
	return 0;
}

static int check_recordable(struct injector *in, struct target *t)
{
	struct filter_extras extras;
	int r;

	if (t->regs.cs != CODE_SEGMENT_64)
		return native(in, -ENOEXEC, "it is a 32-bit program");
	if (t->aux[AT_SECURE])
		return native(in, -EPERM, "it changes its privileges (set-user-ID or capabilities)");
	if (!(t->aux[AT_HWCAP2] & HWCAP2_FSGSBASE))
		return native(in, -ENOTSUP, "this processor or kernel has no FSGSBASE");
	/* Which is a matter of the kernel: turning it off does nothing to us. */
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) < 0)
		return native(in, -ENOTSUP, "this kernel has no Syscall User Dispatch");
	r = filter_check(t->pid, t->vdso.start, &extras);
	if (r < 0)
		return native(in, r, "its seccomp filters can't be read");
	if (r > 0) {
		char *at = in->why_buffer, *end = at + sizeof(in->why_buffer);

		put_text(&at, end, "its seccomp filter forbids system call ");
		put_number(&at, end, (uint64_t)r);
		put_text(&at, end, ", which the agent needs");
		return native(in, -EPERM, in->why_buffer);
	}
	t->config.trap_tsc = extras.trap_tsc && t->aux[AT_BASE];
	t->config.pin_cpu = extras.pin_cpu;
	t->config.see_pages = extras.see_pages;
	if (!extras.change_code)
		t->config.change_code = t->config.stub_after = 0;
	return 0;
}

static int look_at_target(struct injector *in, struct target *t)
{
	char path[64];
	int r;

	(void) proc_path(path, sizeof(path), t->pid, "/mem");
	t->mem = open(path, O_RDWR | O_CLOEXEC);
	if (t->mem < 0)
		return native(in, -errno, "its memory can't be opened");
	if (ptrace(PTRACE_GETREGS, t->pid, 0, &t->regs) < 0)
		return -errno;
	r = read_auxv(t);
	if (r < 0)
		return native(in, r, "its auxiliary vector can't be read");
	identify_program(t);
	r = read_maps(t);
	if (r == -EEXIST)
		return native(in, r, "the addresses that the agent uses are taken");
	if (r < 0 || !t->vdso.start)
		return native(in, r, "its mappings can't be read, or it has no vDSO");
	r = find_gadget(t);
	if (r < 0)
		return native(in, r, "the kernel's vDSO is unlike those known");
	return check_recordable(in, t);
}

/* Leaves the process at the agent's first instruction. */
static int inject(struct injector *in, struct target *t)
{
	struct user_regs_struct regs;
	int r;

	t->config = in->policy;
	r = look_at_target(in, t);
	if (r < 0)
		return r;
	t->config.magic = AGENT_CONFIG_MAGIC;
	t->config.abi = AGENT_ABI;
	t->config.role = AGENT_RECORD;
	t->config.vdso = t->vdso.start;
	t->config.shared_len = SHARED_CONTROL_LEN;
	t->config.entry = t->regs.rip;
	t->config.stack = t->regs.rsp;
	r = make_shared_memory(in, t);
	if (r < 0)
		return r;
	r = put_image(in, t);
	if (r < 0)
		return r;
	regs = t->regs;
	regs.rip = t->config.base + AGENT_IMAGE + agent_image_entries()->start;
	regs.orig_rax = (uint64_t)-1;
	return ptrace(PTRACE_SETREGS, t->pid, 0, &regs) < 0 ? -errno : 0;
}

/* -- messages ---------------------------------------------------------------------------------------- */

static int say(struct injector *in, struct inject_message *message, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { message, sizeof(*message) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	/* A recorder that doesn't listen must not stop us: a tracer that waits hangs the program. */
	return sendmsg(in->socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void say_native(struct injector *in, pid_t pid, int error)
{
	struct inject_message message = { .kind = INJECT_NATIVE, .pid = pid, .error = error };
	char *at = message.text;

	put_text(&at, at + sizeof(message.text), in->why ? in->why : "it can't be traced");
	(void) say(in, &message, -1);
}

static void set_deadline(struct injector *in, uint64_t ns)
{
	struct itimerspec when = { .it_value = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) } };

	(void) timer_settime(in->deadline, 0, &when, NULL);
}

/* Stopped in an exec: runs to its end, puts the agent in, lets go. */
static void exec_stop(struct injector *in, pid_t pid)
{
	autoclean(target_deinit) struct target t = { .pid = pid, .mem = -1, .memfd = -1 };
	struct inject_message message = { .kind = INJECT_DONE, .pid = pid };
	uint64_t deadline = in->policy.stall_ns;
	int r;

	deadline = deadline < LEAST_DEADLINE_NS ? LEAST_DEADLINE_NS : deadline;
	set_deadline(in, deadline < MOST_DEADLINE_NS ? deadline : MOST_DEADLINE_NS);
	in->why = NULL;
	r = run_to_syscall_stop(&t);
	if (r == 0)
		r = inject(in, &t);
	if (r < 0 && t.regs.rip)
		(void) ptrace(PTRACE_SETREGS, pid, 0, &t.regs);
	message.config = t.config;
	/* First the recorder, so that it is there when the agent begins. */
	if (r == 0)
		r = say(in, &message, t.memfd);
	if (r < 0) {
		/* Unheard, an agent would have nobody to record for. */
		if (t.regs.rip)
			(void) ptrace(PTRACE_SETREGS, pid, 0, &t.regs);
		say_native(in, pid, r);
	}
	(void) ptrace(PTRACE_DETACH, pid, 0, 0);
	set_deadline(in, 0);
}

/* @pid 0 finds a free place. */
static struct traced *find_traced(struct injector *in, pid_t pid)
{
	for (unsigned i = 0; i < MAX_TRACED; i++)
		if (in->traced[i].pid == pid)
			return &in->traced[i];
	return NULL;
}

static void forget(struct injector *in, pid_t pid)
{
	struct traced *traced = find_traced(in, pid);

	if (traced)
		*traced = (struct traced){ 0 };
}

static void say_of(struct injector *in, enum inject_kind kind, pid_t pid)
{
	struct inject_message message = { .kind = kind, .pid = pid };

	(void) say(in, &message, -1);
}

/* An exec takes the thread group's number, whichever thread made it. */
static void exec_event(struct injector *in, pid_t pid)
{
	unsigned long former = 0;

	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &former) == 0)
		forget(in, (pid_t)former);
	forget(in, pid);
	exec_stop(in, pid);
}

/* A thread of ours stopped, or ended. */
static void dispatch_wait(struct injector *in, pid_t pid, int status)
{
	struct traced *traced = find_traced(in, pid);
	int signal;

	if (!WIFSTOPPED(status)) {
		forget(in, pid);
		return;
	}
	if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXEC << 8))) {
		exec_event(in, pid);
		return;
	}
	/* Signals pass through. An event stop (a group stop) isn't one. */
	signal = status >> 16 ? 0 : WSTOPSIG(status);
	if (signal == (SIGTRAP | 0x80))
		signal = 0;
	if (!traced || !traced->leaving) {
		(void) ptrace(PTRACE_CONT, pid, 0, signal);
		return;
	}
	(void) ptrace(PTRACE_DETACH, pid, 0, signal);
	forget(in, pid);
	say_of(in, INJECT_LEFT, pid);
}

static void drain_waits(struct injector *in)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
		dispatch_wait(in, pid, status);
}

static void attach(struct injector *in, pid_t pid)
{
	struct traced *traced = find_traced(in, pid);

	if (!traced) {
		traced = find_traced(in, 0);
		if (!traced || ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD) < 0) {
			in->why = !traced ? "too many processes of the service exec at one time" :
				  errno == EPERM ? "it may not be traced (another tracer, its "
				  "privileges, or kernel.yama.ptrace_scope)" : NULL;
			say_native(in, pid, traced ? -errno : -EBUSY);
			return;
		}
	}
	*traced = (struct traced){ .pid = pid };
	say_of(in, INJECT_ATTACHED, pid);
}

/* Only a thread that is stopped can be let go. */
static void let_go(struct injector *in, pid_t pid)
{
	struct traced *traced = find_traced(in, pid);

	if (traced && traced->leaving)
		return;
	if (traced && ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0) {
		traced->leaving = true;
		return;
	}
	forget(in, pid);
	say_of(in, INJECT_LEFT, pid);
}

/* Returns false at the end of the recorder. */
static bool receive(struct injector *in)
{
	struct inject_message message;
	ssize_t n = recv(in->socket, &message, sizeof(message), 0);

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (n != sizeof(message))
		return true;
	if (message.kind == INJECT_SETUP)
		in->policy = message.config;
	else if (message.kind == INJECT_ATTACH)
		attach(in, message.pid);
	else if (message.kind == INJECT_LET_GO)
		let_go(in, message.pid);
	return true;
}

int main(void)
{
	struct sigevent kill_us = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
	void *image = mmap(NULL, (size_t)(agent_image_end - agent_image), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct injector in = { .socket = INJECT_FD, .image = image };
	void *known = mmap(NULL, sizeof(*in.known), PROT_READ, MAP_SHARED, INJECT_KNOWN_FD, 0);
	struct pollfd fds[2] = { { .fd = INJECT_FD, .events = POLLIN }, { .events = POLLIN } };
	sigset_t children;

	if (image == MAP_FAILED)
		return 1;
	in.known = known == MAP_FAILED ? NULL : known;
	/* Not the terminal's signals: they are meant for the program. */
	(void) setsid();
	(void) prctl(PR_SET_NAME, "blackbox-inject");
	/* What is mapped later is a service's: of that we take what we touch, and no more. */
	(void) mlockall(MCL_CURRENT);
	(void) mlockall(MCL_FUTURE | MCL_ONFAULT);
	if (timer_create(CLOCK_MONOTONIC, &kill_us, &in.deadline) < 0)
		return 1;
	(void) sigemptyset(&children);
	(void) sigaddset(&children, SIGCHLD);
	(void) sigprocmask(SIG_BLOCK, &children, NULL);
	fds[1].fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fds[1].fd < 0)
		return 1;

	for (;;) {
		struct signalfd_siginfo ignored;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		while (read(fds[1].fd, &ignored, sizeof(ignored)) > 0)
			;
		drain_waits(&in);
		if (fds[0].revents && !receive(&in))
			return 0;
	}
}
