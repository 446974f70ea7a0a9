/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * abi - what the agent shares with the processes around it
 *
 * The agent (recorder/agent/) runs inside each recorded process. Three kinds of
 * memory tie it to us:
 *
 *   the image    our vDSO and the agent's code, read-only and executable, followed by
 *                struct agent_config: what was decided before the agent began. Only
 *                the injector and the replayer write it, from outside.
 *   the shared   struct agent_shared and the ring of the log, a memfd mapped by the
 *   memory       process and by its recorder (or its replayer). Neither side trusts
 *                it: no pointers, and each number read from it is bounded after one
 *                read.
 *   the arena    the agent's private memory: struct agent_process and a slot for
 *                each thread. Part of each snapshot: it holds every thread's context.
 *
 * All of it lies in one region of addresses, the same in recording and in replay.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/event.h"
#include "recorder/xstate.h"

/* Raised with any change of what is declared here, in event.h or in pack.h. */
#define AGENT_ABI 12

/* -- addresses ------------------------------------------------------------ */

/*
 * Where the region is tried: outside of what kernels hand out and of the arenas that
 * mimalloc (2..30 TiB), Go (0xc0...), sanitizers and ZGC ask for by address.
 */
#define AGENT_BASE UINT64_C(0x300000000000)
#define AGENT_BASE_STEP (UINT64_C(1) << 40)
#define AGENT_BASE_TRIES 8

/* Offsets from the base. What each call looks at is in reach of an instruction's 32 bits. */
#define AGENT_IMAGE 0x0
#define AGENT_IMAGE_MAX (UINT64_C(1) << 20)
#define AGENT_REAL_VDSO (UINT64_C(8) << 20)	/* the kernel's vvar and vDSO, moved away */
#define AGENT_SHARED (UINT64_C(16) << 20)
#define AGENT_DIRECTORY (UINT64_C(64) << 20)	/* struct directory */
#define AGENT_PROCESS (UINT64_C(512) << 20)	/* struct agent_process */
#define AGENT_SLOTS (AGENT_PROCESS + (UINT64_C(1) << 20))
#define AGENT_HELD (UINT64_C(12) << 32)		/* which pages of shared objects it may touch: bits */
#define AGENT_HELD_LEN (UINT64_C(4) << 20)	/* for each object */
#define AGENT_SCRATCH (UINT64_C(16) << 32)	/* large scratch buffers, one place per slot */
#define AGENT_TURNS (UINT64_C(36) << 32)	/* struct turn_pages, and copies of those */
#define AGENT_RING (UINT64_C(40) << 32)		/* mapped twice, so that no event wraps */
#define AGENT_RING_MAX (UINT64_C(1) << 30)
#define AGENT_SPARE (UINT64_C(44) << 32)	/* shared memory for the next forked children */
#define AGENT_SPARE_STEP (UINT64_C(2) << 30)
#define MAX_SPARES 8
#define AGENT_REGION (UINT64_C(64) << 32)	/* size of it all */

/* Pages at the head of the image: our vDSO. The kernel's, which it replaces, has two. */
#define AGENT_VDSO_LEN 8192

/* A thread's slot: a hole as guard, stack, the context of a call by a stub, record, scratch. */
#define SLOT_LEN (UINT64_C(128) << 10)
#define SLOT_STACK 0x1000
#define SLOT_STACK_TOP 0xd000
#define SLOT_FRAME 0xd000	/* struct call_frame, and behind it the FP state */
#define SLOT_THREAD 0x10000
#define SLOT_SCRATCH 0x11000
#define SLOT_SCRATCH_LEN (SLOT_LEN - SLOT_SCRATCH)
#define SLOT_BIG_SCRATCH_LEN (UINT64_C(16) << 20)
#define MAX_THREADS 4096

/*
 * SIGSTKFLT interrupts a computing thread: no kernel sends it, and programs hardly ever. It
 * doesn't queue, so the real-time ones, which do, are all the program's in the kernel. A kick
 * that finds one of the program's pending is one with it: what arrives means both.
 */
#define KICK_SIGNAL 16
#define KICK_MAGIC 0x6b6369626b636962ull	/* si_value of our kicks */

/* -- the image's last page ------------------------------------------------- */

enum { AGENT_RECORD = 0, AGENT_REPLAY = 1 };

struct agent_range {
	uint64_t start, end;
};

/* Of a file whose image is scanned. */
struct image_id {
	uint64_t dev, ino, size, mtime_ns, ctime_ns; /* ino 0: unknown */
};

struct agent_config {
	uint64_t magic;		/* AGENT_CONFIG_MAGIC */
	uint32_t abi;
	uint32_t role;		/* AGENT_RECORD or AGENT_REPLAY */
	uint64_t base;		/* of the region */
	uint64_t vdso;		/* our vDSO's address while the program runs */
	uint64_t ring_len;	/* a power of two */
	uint64_t shared_len;
	int32_t memfd;		/* the shared memory; closed once it is mapped */
	uint32_t tick_shift;	/* event.ticks count 2^this TSC cycles */

	/* Recording, at exec: the image's entry, and what to move out of our vDSO's way. */
	uint64_t entry;
	uint64_t stack;		/* where it begins; in replay, too, or a little above */
	struct agent_range kernel_maps[6];	/* [vvar...] and [vdso], ascending */
	uint32_t n_kernel_maps;
	uint32_t trap_tsc;	/* until the interpreter has run */
	struct agent_range interpreter;
	struct image_id program_id, interpreter_id;

	/* Policy. */
	uint64_t stall_ns;	/* in each stall_period_ns, all causes together */
	uint64_t stall_period_ns;
	uint64_t crash_hold_ns;	/* UINT64_MAX: until the recorder is done */
	uint32_t hold_exit;	/* hold an exiting process too */
	uint32_t pin_cpu;	/* until the interpreter has run */
	uint32_t see_pages;	/* no filter forbids mincore(2) */
	uint32_t place;		/* who takes turns with others is where they are */
	uint32_t change_code;	/* bits of enum site_kind: which are answered by agent/sites.c */
	uint32_t stub_after;	/* so many calls from a place it gets a stub; 0: never */
	uint64_t slice_ns;	/* a waiter for the baton is patient this long */
	uint64_t freeze_signals; /* bit N-1: freeze when the program gets signal N */
	uint64_t chaos_seed;	/* agent/chaos.c; 0: no chaos */
	struct xstate_layout xstate; /* of this processor */
};

#define AGENT_CONFIG_MAGIC UINT64_C(0x6769666e6f636262)

/* Called in the image, from our vDSO or by the injector; at its start. */
struct agent_entries {
	uint64_t magic;		/* AGENT_CONFIG_MAGIC */
	uint64_t start;		/* offsets in the image, of: the first code to run after exec */
	uint64_t rebuild;	/* the first code to run in a replay */
	uint64_t clock_gettime, gettimeofday, time;	/* behind our vDSO's functions */
	uint64_t reading;	/* behind the quick ones */
	uint64_t config;	/* struct agent_config, on a page of its own */
};

/* Slots in our vDSO that the injector fills in, in this order: addresses, and the ring's mask. */
enum {
	VDSO_AGENT_CLOCK_GETTIME, VDSO_AGENT_GETTIMEOFDAY, VDSO_AGENT_TIME,
	VDSO_REAL_CLOCK_GETTIME, VDSO_REAL_GETTIMEOFDAY, VDSO_REAL_TIME,
	VDSO_AGENT_READING, VDSO_SHARED, VDSO_PROCESS, VDSO_RING, VDSO_RING_MASK,
	VDSO_N_SLOTS
};

/* -- the shared memory ------------------------------------------------------ */

/*
 * What scans of images have found before, so that a program that is executed again and again isn't
 * scanned each time. The injector fills in what the recorder has gathered from the service's processes
 * of the same user; the agent adds to it. Sites' addresses count from the image's beginning.
 */
#define KNOWN_IMAGES 128
#define KNOWN_SITES 2048

struct known_image {
	struct image_id id;
	uint32_t first, n;	/* in sites */
	uint32_t left[SITE_N];	/* finds without a proof, by enum site_kind */
	uint32_t uid;		/* the recorder: of whose process it is from */
};

/*
 * What CPUID says, the same on each processor. In a virtual machine it takes many microseconds, and
 * a program's libraries ask dozens of times as they begin.
 */
struct cpuid_row {
	uint32_t leaf, subleaf, regs[4];	/* eax, ebx, ecx, edx */
};
#define CPUID_ROWS 64

struct cpuid_table {
	uint32_t n, reserved;
	struct cpuid_row rows[CPUID_ROWS];
};

struct known_facts {
	uint32_t n_images, n_sites;	/* n_images: stored last, with release order */
	struct known_image images[KNOWN_IMAGES];
	struct agent_site sites[KNOWN_SITES];
	struct cpuid_table cpuid;
};

/* In agent_shared.refused: the call was made, but what it did isn't known. */
#define NOTED_UNKNOWN (1u << 31)

enum agent_mode {
	MODE_RECORD = 1,
	MODE_PASS = 2,		/* nothing is logged, the baton is abolished */
};

/* Bits of agent_shared.attention: what a thread must look at when it enters the agent. */
enum {
	ATTENTION_WANT = 1 << 0,	/* a thread has waited for the baton too long */
	ATTENTION_SNAPSHOT = 1 << 1,	/* the recorder wants a snapshot */
	ATTENTION_REAP = 1 << 2,	/* a snapshot's child waits to be reaped */
	ATTENTION_PASS = 1 << 3,	/* the mode is MODE_PASS */
	ATTENTION_PAGES = 1 << 5,	/* others have waited for shared memory for a while */
	ATTENTION_STOP = 1 << 4,	/* replay: the replayer wants the thread to stop */
	ATTENTION_STUBS = 1 << 6,	/* the recorder has planned some, or refused */
};

/* agent_slot.status */
enum {
	SLOT_FREE = 0,
	SLOT_AGENT = 1,		/* in the agent, or in the kernel on its behalf */
	SLOT_USER = 2,		/* in the program's code: may be kicked */
	SLOT_KICKED = 3,	/* a kick is under way */
	SLOT_KEEPS = 4,		/* in a call of the program's, with the baton: may be kicked, too */
};

struct agent_slot {
	uint32_t status;
	uint32_t tid, tgid;	/* as the process sees them; 0 while free */
	uint32_t kernel_tid;	/* cleared by the kernel when the thread is gone */
};

enum snapshot_state {
	SNAPSHOT_NONE = 0,
	SNAPSHOT_BORN,		/* agent: the child exists, and has let go of descriptors */
	SNAPSHOT_COPIED,	/* recorder: shared memory is copied, the child may let go of it */
	SNAPSHOT_LET_GO,	/* agent: the child has, the baton may move */
	SNAPSHOT_FAILED,	/* agent: no child; snapshot_error says why */
	SNAPSHOT_DONE,		/* recorder: the child isn't needed any more */
};

enum stub_state {
	STUB_NONE = 0,
	STUB_ASKED,		/* agent: plan.stub.site and code are set; code 0: there is no room */
	STUB_PLANNED,		/* recorder: the rest, too */
	STUB_REFUSED,		/* recorder: it can't be */
};

#define MAX_STUB_REQUESTS 8

struct stub_request {
	uint32_t state;		/* enum stub_state */
	uint32_t nr;		/* the system call that was made there */
	uint32_t kind;		/* enum site_kind: it is rdtsc or rdtscp; 0: a call */
	uint32_t reserved;
	struct event_stub plan;
};

/*
 * A file that can't change, or may be one: large reads of those that are HELD needn't be logged byte
 * by byte. An ASKED one is the recorder's to answer, a HELD one its to take back; else the first ones
 * are the agent's, to ask by, and the others the recorder's, for what the service's other processes
 * have asked for before.
 */
enum read_file_state {
	READ_FILE_NONE = 0,
	READ_FILE_ASKED,	/* agent: the rest is set */
	READ_FILE_HELD,		/* recorder: it can't change, and is kept as long as the log refers to it */
	READ_FILE_LEFT,		/* recorder: it was HELD, and may be asked for again */
	READ_FILE_REFUSED,	/* recorder: it can't be kept */
	READ_FILE_CHANGES,	/* recorder: files of its device may change */
};

#define MAX_READ_FILES 64
#define MAX_ASKED_FILES 48
#define MAX_CHANGING_DEVICES 16
#define READ_FILE_PATH 256

struct read_file {
	uint32_t state;		/* enum read_file_state */
	uint32_t path_len;
	uint64_t dev, ino, size, mtime_ns;	/* as fstat(2) has them */
};

enum exec_state {
	EXEC_NONE = 0,
	EXEC_ASKED,		/* agent: about to exec, wants to be recorded behind it */
	EXEC_READY,		/* injector: traced; go ahead */
	EXEC_FAILED,		/* agent: the exec failed, let go; then recorder: EXEC_NONE */
	EXEC_NATIVE,		/* agent: didn't wait any longer, runs on unrecorded */
};

enum spare_state {
	SPARE_NONE = 0,
	SPARE_ASKED,		/* agent: spare_fds are memfds for the next children */
	SPARE_READY,		/* recorder: has opened them, and made them as long as they must be */
	SPARE_REFUSED,		/* recorder: the children aren't recorded */
};

enum obituary_state {
	OBITUARY_NONE = 0,
	OBITUARY_WRITING,
	OBITUARY_WRITTEN,	/* agent: dying, or exiting, waits */
	OBITUARY_READ,		/* recorder: has what it needs */
};

/* A thread's last words: it needs neither the baton nor room in the ring to say them. */
struct obituary {
	uint32_t state;		/* enum obituary_state, a futex */
	uint32_t thread;
	uint32_t signal;	/* 0: exit_group */
	uint32_t exit_status;
	uint32_t quiescent;	/* the thread holds the baton: memory doesn't change */
	uint32_t at;		/* EVENT_AT_..., where the signal struck */
	uint64_t event;		/* number of the next event */
	uint64_t regs[N_REGS];
	uint8_t info[128];	/* siginfo_t */
};

enum replay_stop {
	STOP_NONE = 0,
	STOP_READY,		/* rebuilt; every thread stands in the agent */
	STOP_EVENT,		/* an event has been replayed (stop_at_events) */
	STOP_WRITE,		/* a write to descriptor 1 or 2 has (stop_at_writes) */
	STOP_SNAPSHOT,		/* at an EVENT_SNAPSHOT, or at EVENT_EXIT and EVENT_FATAL */
	STOP_ASYNC,		/* the thread's next event is an EVENT_ASYNC: find its place */
	STOP_ARRIVED,		/* the search's thread came by, but it isn't the place (report_every) */
	STOP_FOUND,		/* the search's thread stands there */
	STOP_TRAP,		/* breakpoint, step, watchpoint: program code was stopped */
	STOP_SIGNAL,		/* a handler is about to be called (stop_at_signals) */
	STOP_THREAD,		/* a new thread is about to begin (stop_at_threads) */
	STOP_FAULT,		/* a SIGBUS comes, which may not by itself: struct replay_fault */
	STOP_TEXT_CHANGES,	/* breakpoints must be out of the way of what comes, */
	STOP_TEXT_CHANGED,	/* and may come back */
	STOP_FORK,		/* a recorded child comes: fork_fd (stop_at_forks) */
	STOP_FORKED,		/* and is there: forked_pid */
	STOP_END,		/* the log has ended */
	STOP_DIVERGED,		/* struct divergence says how */
	STOP_REQUESTED,		/* because of ATTENTION_STOP */
	STOP_FAILED,		/* a mapping can't be made: stop_address, stop_signal is the errno */
};

struct divergence {
	uint64_t event;		/* number */
	uint32_t thread;
	uint32_t kind;		/* recorded: enum event_kind, and what it has */
	uint32_t nr, check;
	uint32_t replayed_kind;	/* and what the program did instead */
	uint32_t replayed_nr, replayed_check;
	uint32_t reserved;
	uint64_t ip;
	uint64_t args[6];
};

/*
 * A fault that needn't repeat: the disk was full, or failed to read. The page can't be accessed
 * until the instruction comes that the fault struck (agent/replay.c).
 */
struct replay_fault {
	uint64_t page;		/* its address; 0: none is awaited */
	uint32_t check;		/* of the event: the instruction's address */
	uint32_t prot;		/* replayer: the program's protection of the page */
	uint32_t passing_by;	/* another instruction is let go there */
	uint32_t reserved;
};

/* A system call that a stopped thread makes for the replayer; it stops again behind it. */
struct replay_command {
	uint32_t wanted;
	int32_t nr;
	uint64_t args[6];
	int64_t result;
};

/* What ends a repeated string instruction beside its count. */
enum repeats_while { REPEATS_ALWAYS = 0, REPEATS_WHILE_EQUAL, REPEATS_WHILE_UNEQUAL };

/* An instruction that was displaced, which a debug register guards: who comes there goes on in its copy. */
struct replay_twin {
	uint64_t address, copy;
};
#define MAX_REPLAY_TWINS 4

/* What replay looks for between two events; agent/place.c compares. */
#define SEARCH_UNREADABLE 256	/* a power of two */
struct replay_search {
	uint64_t address;	/* where the trap stands; 0: no search */
	uint64_t out_of_line;	/* where to go on if it isn't the place: the displaced code */
	uint64_t arrivals;	/* counted by the agent */
	uint64_t report_every;	/* STOP_ARRIVED after so many wrong arrivals; 0: never */
	uint32_t active;	/* place is what is looked for */
	uint32_t hardware;	/* a debug register stops there, no byte of the program's is changed */
	/*
	 * In the middle of a string instruction there is no trap: a copy repeats it as often as
	 * it had been, up to a trap of its own.
	 */
	uint64_t partial;	/* the copy; 0: the place isn't at such an instruction */
	uint64_t partial_end;	/* behind that trap */
	uint64_t behind;	/* where to go on if the instruction ends there */
	uint32_t repeats_while;	/* enum repeats_while */
	uint32_t n_twins;
	struct replay_twin twins[MAX_REPLAY_TWINS];
	struct event_async place;
	/* Arrivals that had all of its general registers, and what the newest was. */
	uint64_t n_near;
	struct event_async nearest;
	/*
	 * Pages that a pointer led to and that can't be read, by number, each at its place; 0: none. While
	 * a place is looked for no call is made that could change that.
	 */
	uint64_t unreadable[SEARCH_UNREADABLE];
};

/*
 * What the program has where the replayer has put traps, and where debug registers watch over
 * them: places are computed from it, without a look there.
 */
struct replay_patch {
	uint64_t address;
	uint8_t len;
	uint8_t bytes[23];
};
#define MAX_REPLAY_PATCHES 256

/* The incident's copy of a mapped file, open in the replaying process. */
struct replay_file {
	uint64_t dev, ino, size, mtime_ns;
	int32_t fd;
	uint32_t reserved;
};
#define MAX_REPLAY_FILES 1024

#define MAX_UNMAP 2048

/*
 * The recorder may take a free baton to look at a process that sleeps. It is lent: a thread
 * that has waited for the stall bound takes it back.
 */
#define BATON_SLEEPERS (1u << 31)
#define BATON_HOLDER (BATON_SLEEPERS - 1)
#define BATON_RECORDER (BATON_HOLDER - 1)

#define SHARED_MAGIC UINT64_C(0x6465726168736262)

struct agent_shared {
	uint64_t magic;		/* written last, by the agent, when it is ready */
	uint32_t abi;
	uint32_t mode;		/* enum agent_mode; never says replay (hazard 22) */
	uint32_t attention;
	uint32_t pid;		/* as the process sees it */
	uint32_t n_threads;
	uint32_t first_cpu;	/* where the image began, if config.pin_cpu */

	/* The ring: positions count bytes and only grow; producer's side. */
	uint64_t head __attribute__((aligned(64)));
	uint64_t n_events;	/* published */
	uint64_t tsc;		/* at the newest event */
	uint64_t tsc_begin;	/* from which the first event's ticks count */
	uint32_t producer_waits; /* futex, the recorder wakes */
	uint32_t refused[16];	/* system calls: number + 1, and NOTED_UNKNOWN; for the notes */
	/* Also for them: by enum site_kind, instructions that were found and not changed. */
	uint32_t sites_left[SITE_N];
	uint32_t calls_32_bit;	/* int 0x80 and its like, refused */
	uint32_t code_made;	/* the program makes code as it runs, which isn't scanned */
	uint32_t forks_left;	/* children that run natively: there was no spare for them, or not in time */

	/* Consumer's side. */
	uint64_t tail __attribute__((aligned(64)));
	uint64_t beat_ns;	/* CLOCK_MONOTONIC when the recorder last looked */
	uint32_t consumer_sleeps; /* 1: wants to be woken by any event; 2: by a quarter of a ring */
	uint32_t consumer_wake;	/* futex: counts wake-ups */

	/* The baton: slot + 1 of its holder or BATON_RECORDER, and BATON_SLEEPERS. */
	uint32_t baton __attribute__((aligned(64)));
	uint32_t want;		/* slot + 1 of who has waited too long */
	uint32_t holder_since;	/* counts changes of hands */

	/* Snapshots. */
	uint32_t snapshot_wanted __attribute__((aligned(64))); /* number; recorder */
	uint32_t snapshot_taken;	/* number of the newest; agent */
	uint32_t snapshot_state;	/* futex, enum snapshot_state */
	uint32_t snapshot_child;	/* pid, as the process sees it */
	int32_t snapshot_error;
	uint32_t snapshot_flags;	/* EVENT_FREEZE */
	uint32_t snapshot_flags_wanted;	/* recorder: EVENT_FREEZE or 0 */
	uint32_t freeze_signal;		/* agent: what asked for it; 0: the recorder */
	uint32_t n_unmap;		/* recorder: what the child lets go of once it is copied */
	uint32_t snapshot_kept;		/* futex, recorder: number of the one whose child stays; 0: none */
	uint64_t snapshot_event;	/* the snapshot stands before this event */
	uint64_t snapshot_stall_ns;	/* how long the newest kept the baton */
	uint64_t snapshot_longest_ns;	/* of all of them */

	struct agent_range unmap[MAX_UNMAP];

	/* Exec. */
	uint32_t exec_state __attribute__((aligned(64)));	/* futex, enum exec_state */
	uint32_t exec_tid;

	/* Fork. */
	uint32_t spare_state;	/* futex, enum spare_state */
	int32_t spare_fds[MAX_SPARES];	/* -1: none of that number */
	int32_t directory_fd;	/* agent: a memfd for a struct directory, with spare_fds; -1: none */
	uint32_t owner;		/* in the directory, PAGE_OWNER() of it; 0: it has no place */
	uint32_t recorder_pid;	/* as the process sees it, if that is known; 0 */
	uint32_t awaited_pid;	/* of a child that its parent waits for in the kernel: as that sees it; 0 */
	uint32_t shares_memory;	/* the child shares writable memory, which isn't handed over */

	/* Stubs. */
	struct stub_request stub_requests[MAX_STUB_REQUESTS] __attribute__((aligned(64)));

	struct known_facts known;

	/* Files that are read. */
	uint32_t n_read_files_asked;	/* agent: counts */
	uint32_t n_changing_devices;	/* recorder: those of file systems whose files may change, as far as known */
	uint64_t changing_devices[MAX_CHANGING_DEVICES];
	struct read_file read_files[MAX_READ_FILES] __attribute__((aligned(64)));
	char read_file_paths[MAX_ASKED_FILES][READ_FILE_PATH];	/* by which the process knows them */

	/* Death. */
	struct obituary obituary __attribute__((aligned(64)));

	/* Statistics. */
	uint64_t n_stalls __attribute__((aligned(64)));
	uint64_t stalled_ns;
	uint64_t n_kicks;
	uint64_t n_passed;	/* times that the mode went to MODE_PASS */
	uint64_t longest_wait_ns, longest_turn_wait_ns;	/* of a thread to run; of the process for its turn */

	/* Replay: the agent stops, the replayer looks, changes, and lets it go on. */
	uint32_t stop __attribute__((aligned(64)));	/* futex, enum replay_stop */
	uint32_t go;		/* futex: counts */
	uint32_t stop_thread;
	uint32_t stop_tid;	/* its number in the replaying process */
	uint32_t stop_nr;	/* the system call of a STOP_EVENT or STOP_WRITE */
	uint32_t stop_signal;	/* of a STOP_TRAP: what the kernel said */
	uint32_t trap_is_programs; /* the replayer: this STOP_TRAP isn't mine */
	uint32_t stop_in_vdso;	/* the stopped thread has no saved context: a vDSO function's end */
	uint64_t stop_address;
	uint32_t log_ended;	/* no more events will come */
	uint32_t stop_at_events, stop_at_writes, stop_at_threads, stop_at_signals;
	uint32_t stop_at_forks;
	int32_t fork_fd;	/* replayer: shared memory for the child, open there; -1: no child */
	int32_t forked_pid;
	uint32_t ends_asleep;	/* at the log's end all threads were in calls */
	struct replay_command command;
	uint64_t stop_events_from; /* of stop_at_events: as `replayed` counts */
	uint64_t replayed;	/* events done: the position */
	struct divergence divergence;
	struct replay_search search;
	struct replay_fault fault;
	uint32_t n_patches;
	uint32_t text_lifted;	/* replayer: after STOP_TEXT_CHANGES */
	struct replay_patch patches[MAX_REPLAY_PATCHES];
	struct event_mapping missing_file;	/* why an mmap, or a read, diverged */
	struct event_reference wrong_read;	/* the same: the file isn't what was read; ino 0: it is */
	uint32_t n_files;
	struct replay_file files[MAX_REPLAY_FILES];

	struct agent_slot slots[MAX_THREADS] __attribute__((aligned(64)));
};

/* Control part of the shared memory; the ring follows. */
#define SHARED_CONTROL_LEN (UINT64_C(256) << 10)
static_assert(sizeof(struct agent_shared) <= SHARED_CONTROL_LEN, "control area");

/* -- the arena ---------------------------------------------------------------- */

/* Why a thread stands in the agent, and so what it does first after a snapshot. */
enum thread_state {
	THREAD_RUNNING = 0,	/* in the program's code */
	THREAD_STARTING,	/* new: EVENT_START comes */
	THREAD_ENTERED,		/* made a system call */
	THREAD_LEAVING,		/* its system call is done */
	THREAD_PREEMPTED,	/* EVENT_ASYNC is written; EVENT_RESUME or EVENT_SIGNAL comes */
	THREAD_ENDED,		/* dead, or an exec's or a vfork's vanished child */
};

enum keeps {
	KEEPS_NOT = 0,
	KEEPS_BATON,
	KEEPS_NO_LONGER,	/* somebody has waited too long: the call is to be made again without it */
};

/* Where a thread's FP and SIMD state is while it is in the agent, which doesn't touch it. */
enum fp_place {
	FP_IN_FRAME = 0,	/* a signal frame's */
	FP_LIVE,		/* in the registers */
	FP_SAVED,		/* there, and in the frame */
};

/*
 * Signals that can't be blocked for the program: those of faults, dispatch's and the kick's.
 * None of them queues, so a place for each is enough.
 */
#define N_HELD 7

/*
 * A thread's record, at its %gs base. The vDSO's assembler knows the first fields.
 */
struct thread {
	struct thread *self;
	uint64_t canary;	/* THREAD_CANARY */
	uint64_t user_sp;	/* the program's stack pointer, while a vDSO function runs */
	uint64_t stack_top;	/* the agent's stack */
	uint64_t vdso_result[2];
	uint32_t native;	/* VDSO_...: how vDSO functions read the time */
	uint32_t slot;
	uint64_t stub_entry;	/* where stubs go (agent/stubs.c); 0: to the system call itself */
	uint64_t tsc_entry;	/* the same of rdtsc; 0: nowhere */
	uint32_t reading_tag;	/* what a struct event_reading's tag has of the thread: slot << 16 */
	uint32_t reserved4;
	/* From here on only C. */
	uint32_t tid, tgid;
	uint32_t state;		/* enum thread_state */
	uint32_t at_event;	/* EVENT_AT_...: what its saved context stands for */
	void *frame;		/* struct ucontext of the program, in a signal frame or a call_frame */
	uint32_t fp;		/* enum fp_place: of the program's FP state */
	uint32_t reserved3;
	uint64_t kernel_mask;	/* the mask that the kernel has */
	uint64_t fs_base;
	uint64_t clear_tid;	/* set_tid_address(2), CLONE_CHILD_CLEARTID */
	uint64_t set_tid;	/* CLONE_CHILD_SETTID, until the thread begins */
	uint32_t may_begin;	/* futex: its creator has written CLONE_PARENT_SETTID's word */
	uint32_t reserved;
	uint64_t robust_list;
	uint64_t pi_futex;	/* that it is about to wait for, or does; 0 none */
	uint64_t mask;		/* as the program set it; the kernel's is less, signal.c says */
	uint64_t call_mask;	/* in force during the present call (sigsuspend, ppoll) */
	uint32_t has_call_mask;
	uint32_t is_vfork_child; /* a process of its own that shares our memory */
	struct {		/* sigaltstack(2) of the program */
		uint64_t sp;
		uint32_t flags;
		uint32_t pad;
		uint64_t size;
	} altstack;
	/* One signal that the kernel has delivered and the program hasn't seen. */
	uint32_t pending;	/* its number, or 0; the gate looks at it */
	uint32_t kick_seen;
	uint32_t keeps;		/* enum keeps: the baton, in a call */
	uint32_t reserved_keeps;
	uint8_t pending_info[128];
	uint64_t held_mask;	/* unblockable ones that came while the program blocks them */
	uint8_t held_info[N_HELD][128];
	uint64_t wait_set;	/* unblockable ones that its sigtimedwait(2) waits for */
	uint32_t timer_armed;	/* delivers a pending signal to a computing thread */
	uint32_t has_timer;
	int32_t timer;
	uint32_t in_program_call; /* the gate's call is the program's: signals give it up */
	uint32_t handlers;	/* index of its table in agent_process */
	uint32_t filter;	/* index + 1 of the newest that it is under, or 0 */
	struct agent_slot *shared_slot;
	uint64_t scratch_used, big_scratch_used;
	uint64_t big_scratch_len;	/* mapped so far */
	uint32_t entry_check;	/* of the system call that it stands at */
	uint32_t resumed;	/* replay: it stood there in the snapshot */
	uint32_t turn;		/* futex: replay */
	uint32_t stepping;	/* replay: the system call under way is a debugger's step */
	uint32_t watch_hit;	/* replay: the agent itself has touched what is watched */
	uint32_t is_leader;	/* replay: the process's first */
	uint32_t waits_for_baton; /* whoever holds the baton may hand it to this thread */
	uint32_t wants_pages;	/* of a call: those that the agent misses are fetched */
	uint32_t pages_opened;	/* it has faulted after they were opened */
	uint32_t reserved2;
	/* rip, rdi and rcx of an instruction that has just been stopped for want of a page. */
	uint64_t unfinished[3];
	uint64_t chaos;		/* random state; 0: not begun */
};

#define THREAD_CANARY UINT64_C(0x7972616e61634242)

/* What the vDSO's assembler uses. */
#define THREAD_USER_SP 16
#define THREAD_STACK_TOP 24
#define THREAD_VDSO_RESULT 32
#define THREAD_NATIVE 48
#define VDSO_ASKS 0	/* the agent; always right */
#define VDSO_NATIVE 1	/* from the kernel's */
#define VDSO_QUICK 2	/* from the kernel's, and the agent only logs it */
#define THREAD_STUB_ENTRY 56
#define THREAD_TSC_ENTRY 64
#define THREAD_READING_TAG 72
#define THREAD_PENDING 216
static_assert(offsetof(struct thread, user_sp) == THREAD_USER_SP, "asm");
static_assert(offsetof(struct thread, stack_top) == THREAD_STACK_TOP, "asm");
static_assert(offsetof(struct thread, vdso_result) == THREAD_VDSO_RESULT, "asm");
static_assert(offsetof(struct thread, native) == THREAD_NATIVE, "asm");
static_assert(offsetof(struct thread, stub_entry) == THREAD_STUB_ENTRY, "asm");
static_assert(offsetof(struct thread, tsc_entry) == THREAD_TSC_ENTRY, "asm");
static_assert(offsetof(struct thread, reading_tag) == THREAD_READING_TAG, "asm");
static_assert(offsetof(struct thread, pending) == THREAD_PENDING, "asm");
static_assert(sizeof(struct thread) <= 4096, "a slot's record");

struct agent_disposition {
	uint64_t handler;	/* SIG_DFL, SIG_IGN or an address */
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

/*
 * System calls that are made often: a jump stands at an instruction before the call, to a stub
 * that does what the jump has displaced and goes to the agent (agent/stubs.c). The recorder plans
 * them, the agent carries out. The call itself stays as it is. So it is with rdtsc and rdtscp,
 * where the jump may stand at the instruction itself.
 */
#define MAX_STUBS 512
#define STUB_AREA_LEN (UINT64_C(64) << 10)
#define MAX_STUB_AREAS 16
#define MAX_HOT_CALLS 512

struct hot_call {
	uint64_t site;
	uint32_t count;
	uint16_t done;		/* it has a stub, or can't have one */
	uint16_t n_lost;	/* stubs, as the program wanted to write there; it waits twice as long for each */
};

#define MAX_SITES 4096
#define MAX_SITES_OF_IMAGE 2048
#define MAX_NEW_OBJECTS 8

/*
 * Files, and the like, of which the process has mappings that replay makes of memory: what
 * is shared, and private mappings whose bytes are in the log. (Libraries aren't: they are
 * mapped from the incident's copies.)
 */
struct mapped_object {
	uint64_t dev, ino;	/* of a System V segment: SYSV_DEV and its number */
	uint64_t size;		/* at the last event that tells */
	uint32_t n_ranges;	/* 0: free */
	int32_t fd;		/* replay: the memory in its place, or -1 */
	uint32_t flags;
	uint32_t entry;		/* recording: its place in the directory + 1; 0: none */
	uint64_t n_pages;	/* MAPPED_HANDED: that are handed over */
};
#define SYSV_DEV UINT64_MAX
#define ANONYMOUS_DEV (UINT64_MAX - 1)	/* shared memory without a file: the maker's pid, and a number */
#define MAX_MAPPED_OBJECTS 1024

enum mapped_flags {
	/* objects */
	MAPPED_CHANGES = 1 << 0, /* may be changed: mapped shared, or opened for writing */
	MAPPED_HANDED = 1 << 3,	/* pages of it have been given up: bits at AGENT_HELD say which it has */
	MAPPED_BY_TURNS = 1 << 4, /* those that it has it may write in its turn only, when it is recorded */
	/* ranges */
	MAPPED_SHARED = 1 << 1,
	MAPPED_READ_ONLY = 1 << 2, /* shared, and can't be made writable */
	MAPPED_PROT_SHIFT = 8,	/* above: the program's protection of a shared one */
};

struct mapped_range {
	uint64_t start, end;
	uint64_t offset;	/* in the object */
	uint32_t object;	/* index */
	uint32_t flags;
};
#define MAX_MAPPED_RANGES 2048
#define N_DESCRIPTORS 1024
#define MAX_DEVICES 32

/* What a forked child does to memory before it begins (agent/on-fork.c). */
enum { ON_FORK_UNMAP = 1, ON_FORK_WIPE };

struct on_fork_range {
	uint64_t start, end;
	uint32_t what;
	uint32_t reserved;
};
#define MAX_ON_FORK 256

/* Dispositions are per process, not per address space: a vfork child has its own. */
#define MAX_HANDLER_TABLES 16

/* The kernel's NR_CPUS can't be more. */
#define MAX_CPUS 8192

/*
 * Seccomp filters that the program has installed: each judges together with those that its
 * thread had before. The agent asks them about the calls that never reach the kernel.
 */
struct agent_filter {
	uint32_t previous;	/* index + 1, or 0 */
	uint32_t first, len;	/* its instructions */
};

#define MAX_FILTERS 32
#define MAX_FILTER_INSTRUCTIONS 8192

struct agent_process {
	/* What nearly every call looks at, side by side. */
	uint64_t n_slots_mapped;
	uint64_t head;			/* ring position behind the newest event */
	uint64_t log_used;		/* bytes of the event being written; 0: none is */
	uint64_t last_tsc;		/* of the newest event */
	uint64_t room_until;		/* position in the ring up to which there is room, at least */
	uint64_t readings_until;	/* up to which a reading of a clock needs nothing but its words */
	uint64_t tsc_read;		/* what the program has read last: EVENT_TSC */
	uint64_t shared_start, shared_end; /* all that was ever mapped shared lies in between */
	uint32_t begun;
	uint32_t detached;		/* a fork child: runs natively */
	uint32_t tsc_trapped;
	uint32_t affinity_len;		/* pinned to a processor: what to go back to */
	uint32_t placed, placed_cpu;	/* it takes turns, and shares a processor with those who do, too */
	uint32_t runner, streak;	/* recording: slot + 1 that had the baton last; its calls since another */
	uint32_t n_new_objects;		/* of those below */
	uint32_t n_objects, n_ranges;	/* places used, of those below */
	uint32_t n_handed;		/* objects that are MAPPED_HANDED */
	uint32_t member, owner;		/* recording: its place in the directory + 1, or 0; PAGE_OWNER of it */
	uint32_t takes_turns;		/* recording: it has pages that are shared by turns */
	uint32_t tries_again;		/* waits until the next that is tried not to be one (agent/quick.c) */

	uint64_t brk_start, brk;	/* as the program sees it */
	/* Replay: position in the ring and in the present event, whose turn it is. */
	uint64_t read_at, read_used;
	uint8_t fp_sw[48];		/* struct fpx_sw_bytes of signal frames, if knows_fp */
	uint32_t knows_fp;
	uint32_t has_shared;		/* writable shared mappings exist */
	uint32_t has_children;		/* it has forked, and they are recorded */
	uint32_t spares;		/* recording; bits: which are there */
	uint32_t lent_spares;		/* those that a child is being made with, or was */
	uint32_t n_spares;		/* were asked for the last time */
	uint64_t stall_window_ns, stall_used_ns; /* the token bucket */
	/*
	 * Children of snapshots: the newest, which is being read, or is to be reaped; the one
	 * that the next is compared with; one that has been told to end.
	 */
	uint32_t snapshot_child, snapshot_number;
	uint32_t snapshot_kept, snapshot_kept_number;
	uint32_t snapshot_leaving;
	uint32_t snapshot_pids[4];	/* the newest of all kinds, reaped or not */
	uint32_t snapshot_kept_before;
	uint32_t handler_tables_used;	/* bits */
	uint32_t n_on_fork;
	struct on_fork_range on_fork[MAX_ON_FORK];	/* in no order */
	uint32_t pinned_slot, pinned_calls; /* a thread that makes code is: slot + 1, calls left */
	uint32_t n_pinned;		/* how often that was done */
	uint64_t affinity[MAX_CPUS / 64];
	struct agent_range file_head;	/* the newest mapping of a file's beginning */
	struct new_object {
		uint64_t base;	/* where an ELF image begins that hasn't been scanned */
		struct image_id id;
	} new_objects[MAX_NEW_OBJECTS];
	uint32_t n_sites;		/* only grows */
	struct agent_site sites[MAX_SITES];
	uint32_t n_found, reserved;	/* by the scan of an image that is under way */
	struct agent_site found[MAX_SITES_OF_IMAGE];
	uint32_t n_stubs, n_stub_areas;	/* only grow */
	uint32_t stubs_overlap;		/* some jump overwrites more than one instruction */
	struct agent_stub stubs[MAX_STUBS];
	struct stub_area {
		uint64_t start;
		uint64_t used;
	} stub_areas[MAX_STUB_AREAS];
	struct hot_call hot[MAX_HOT_CALLS];	/* recording; a hash table */
	struct stub_place {
		uint64_t site;
		uint32_t nr, kind;	/* as in struct stub_request */
	} stub_wish;			/* recording: of a vfork child, for its parent to ask; site 0: none */
	struct agent_disposition handlers[MAX_HANDLER_TABLES][64];
	/* What is mapped; ranges ascend. */
	uint32_t n_inserted;		/* counts new ranges */
	uint32_t has_changing;		/* mappings of files that change exist */
	struct mapped_object objects[MAX_MAPPED_OBJECTS];
	struct mapped_range ranges[MAX_MAPPED_RANGES];
	uint8_t descriptors[N_DESCRIPTORS]; /* recording: what is known of them (agent/descriptors.c) */
	uint32_t shares_descriptors;	/* with another process, or threads have their own */
	uint32_t descriptor_changes;	/* recording: counts when some may have become others */
	/* Where devices are mapped, or were in part: to read there may do things. */
	uint64_t n_devices;
	struct agent_range devices[MAX_DEVICES];
	uint32_t n_filters, n_filter_instructions;
	uint32_t code_closed;		/* they forbid what changing code takes */
	uint32_t pages_unseen;		/* they forbid mincore(2) */
	/* Shared memory that is handed over (agent/pages.c). */
	uint32_t n_anonymous;		/* counts objects without a file */
	uint32_t child_member;		/* the same for the child that is being forked */
	uint32_t pages_open;		/* MODE_PASS: nothing is kept from it any more; futex */
	uint32_t n_fetched, n_runs;	/* recording: pages got, and how often it had rested, lately */
	uint32_t turn_epoch;		/* the directory's, when it had its last turn */
	uint64_t turn_seen;		/* so many changes of the journal it knows */
	uint64_t fetches_seen;		/* of the directory's turn_fetches, when it gathered pages last */
	uint32_t turn_spoils;		/* in this turn it changes what isn't kept track of */
	uint32_t turn_call_pages;	/* that the present call has been given to write */
	struct agent_filter filters[MAX_FILTERS];
	uint64_t filter_instructions[MAX_FILTER_INSTRUCTIONS]; /* struct sock_filter */
};
static_assert(sizeof(struct agent_process) <= AGENT_SLOTS - AGENT_PROCESS, "the arena's first part");
