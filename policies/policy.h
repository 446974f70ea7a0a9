/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * policy - what is recorded, how, and what freezes it
 *
 * A policy file is YAML. `services` is a list; each service has a `name` and
 * either a `command` that blackboxd starts or a `unit` that systemd starts. Keys
 * outside of a service are the defaults of all that follow. policy.c has one row
 * per key, and blackbox-policy(5) documents each.
 *
 * Nothing here is shared between calls: any thread may call any of it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of policy.triggers. */
enum policy_trigger {
	TRIGGER_CRASH = 1 << 0,		/* default action of SEGV BUS ILL FPE ABRT TRAP SYS */
	TRIGGER_KILLED = 1 << 1,	/* death by SIGKILL from outside */
	TRIGGER_EXIT_STATUS = 1 << 2,	/* exits with a status other than 0 */
	TRIGGER_EXIT = 1 << 3,		/* ends in whatever way */
};

/* Bits of policy.instructions: which are answered by the agent. */
enum policy_instructions {
	INSTRUCTIONS_TSC = 1 << 0,	/* rdtsc, rdtscp */
	INSTRUCTIONS_CPUID = 1 << 1,	/* cpuid, xgetbv, rdpid */
	INSTRUCTIONS_RANDOM = 1 << 2,	/* rdrand, rdseed */
	INSTRUCTIONS_VSYSCALL = 1 << 3,	/* calls of the vsyscall page */
};

/* Bits of policy.placement: who is on one processor, of those that it may use. */
enum policy_placement {
	PLACEMENT_TURNS = 1 << 0,	/* processes that run by turns, all together */
};

struct policy {
	char *name;		/* of the service: letters, digits, and ":-_.@" */
	char **command;		/* NULL-terminated, or NULL */
	char *unit;		/* "redis-server.service", or NULL */
	uint64_t window_ns;	/* UINT64_MAX: all */
	uint64_t ring_bytes;	/* all that the service has on disk */
	uint64_t snapshot_interval_ns;
	uint64_t snapshot_memory;	/* bytes that a snapshot may hold until the next; 0: it isn't kept */
	unsigned triggers;	/* enum policy_trigger */
	uint64_t freeze_signals; /* bit N-1 for signal N */
	uint64_t stall_ns;	/* stall that the recorder may cause in each 10 s, all causes */
	uint64_t crash_hold_ns;	/* how long a dying process may be held; UINT64_MAX: no bound */
	uint64_t sync_ns;	/* what is older is on the disk; 0: the kernel decides when */
	unsigned instructions;	/* enum policy_instructions */
	unsigned placement;	/* enum policy_placement */
	unsigned stub_after;	/* so many system calls from a place it gets a stub; 0: never */
	unsigned keep_incidents; /* retention: how many */
	unsigned incidents_percent; /* retention: their share of the ring, in per cent */
	unsigned incidents_rate; /* so many of those that are kept may be from the last hour; 0: all */
	uint64_t keep_free; /* of the file system, that the service's store leaves to others: policy_bytes() */
	uint64_t log_buffer_bytes; /* memory between the service and the recorder, power of two */
	uint64_t chaos_seed;	/* of chaos in scheduling; 0: none */
};

/* Where a policy is wrong: "FILE:LINE:COLUMN: what is wrong", for people. */
struct policy_error {
	char text[512];
};

/*
 * More than this is no configuration: it bounds what a file that was given by
 * mistake (an image, a log) can cost.
 */
#define POLICY_MAX_FILE_BYTES (1u << 20)
#define POLICY_MAX_SERVICES 1000
#define POLICY_MAX_WORDS 1024	/* of a command */

/* The built-in defaults, with no name, command or unit. End it with policy_deinit(). */
void policy_init(struct policy *policy);
void policy_deinit(struct policy *policy);

/* Copies all of @from into @ret_to. 0 or -ENOMEM. */
int policy_copy(const struct policy *from, struct policy *ret_to);

/*
 * Sets one key from text, as the YAML loader and the command line do; lists are
 * words with commas between them. -ENOENT: no such key. -EINVAL or -ERANGE: the
 * value is wrong. @ret_error says what, and the policy is as it was.
 */
int policy_set(struct policy *policy, const char *key, const char *value,
	       struct policy_error *ret_error);

/*
 * Says whether the values fit each other; each by itself is checked where it is
 * set. The loaders do this, and the command line after its last policy_set(). 0, or
 * -EINVAL and @ret_error.
 */
int policy_check(const struct policy *policy, struct policy_error *ret_error);

/*
 * Calls @visit with each key that has a value and its text, which policy_set() takes
 * back; not with `command`.
 */
void policy_each(const struct policy *policy,
		 void (*visit)(const char *key, const char *text, void *userdata), void *userdata);

struct policy_set {
	struct policy defaults;	/* what stands above the services */
	struct policy *services;
	size_t n_services;
	char *state_dir;	/* where stores are, default /var/lib/blackbox */
	uint64_t max_use;	/* of all of them together: policy_bytes(); 0: as much as their rings */
};

/* In a field that may be a part of a file system: the rest is per cent of it. */
#define POLICY_PERCENT (UINT64_C(1) << 63)

/*
 * What the field @value is in bytes, of the file system that has @path; 0 if that can't be asked.
 * policy_parse_bytes() takes the text of one, as policy_each() has it: 0 or a negative errno.
 */
uint64_t policy_bytes(uint64_t value, const char *path);
int policy_parse_bytes(const char *text, const char *path, uint64_t *ret_bytes);

/*
 * Loads a daemon's configuration. Refused, with file, line and column: bad YAML, an
 * unknown key, a key given twice, a bad size, duration, signal or trigger, two
 * services of one name or unit, a service with neither or both of command and
 * unit, a default that stands after the services. -EINVAL for these; -errno if the
 * file can't be read. @ret_error is filled in each case.
 */
int policy_load(const char *path, struct policy_set *ret_set, struct policy_error *ret_error);
void policy_set_deinit(struct policy_set *set);

/*
 * Loads the policy of one command (`blackboxctl record --policy`): the same keys at
 * top level, without services, name, command, unit, state-dir or max-use. @policy is one that
 * policy_init() made; what the file doesn't name stays as it is, and so does all of
 * it if the file is refused. Errors as policy_load().
 */
int policy_load_single(const char *path, struct policy *policy, struct policy_error *ret_error);
