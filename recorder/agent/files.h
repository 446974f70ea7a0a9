/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files - the program's files: which are mapped, what is known of descriptors, which calls change
 * files that are mapped, and which read those that can't change
 *
 * A part of agent.h, which includes it behind struct call.
 */
#pragma once

/* -- mapped.c: files that are mapped -------------------------------------------------- */

/* The object of that device and inode, if any of it is mapped. Baton. */
struct mapped_object *mapped_find(uint64_t dev, uint64_t ino);
/*
 * The same, made if need be; it stays until mapped_insert(). @flags: MAPPED_CHANGES.
 * Replay: the memory in its place gets @size. NULL: there are too many. Baton.
 */
struct mapped_object *mapped_hold(uint64_t dev, uint64_t ino, uint64_t size, uint32_t flags);
/* It is mapped from @start on. Baton. */
void mapped_insert(struct mapped_object *object, uint64_t start, uint64_t len, uint64_t offset,
		   uint32_t flags);
/* Nothing of it is mapped there any more. Baton. */
void mapped_remove(uint64_t start, uint64_t len);
/* After mremap(2): from @old to @to; @keeps: what was there stays mapped. Baton. */
void mapped_move(uint64_t old, uint64_t old_len, uint64_t to, uint64_t len, bool keeps);
/* mprotect(2) has been made: what the table says of shared mappings' protection. Baton. */
void mapped_set_prot(uint64_t start, uint64_t len, uint32_t prot);
/* The range that @address lies in, or the one that does or is the next; or NULL. Baton. */
struct mapped_range *mapped_at(uint64_t address);
struct mapped_range *mapped_next(uint64_t address);
struct mapped_object *mapped_object_of(const struct mapped_range *range);
/* A device is mapped there; and may some of it be one? Baton. */
void mapped_device(uint64_t start, uint64_t len);
bool mapped_is_device(uint64_t start, uint64_t len);
/* It is changed by others than its mappings. Baton. */
void mapped_changes(struct mapped_object *object);
/* How far from @start on protections can be changed at will. Baton. */
uint64_t mapped_unsealed(uint64_t start, uint64_t len);
/*
 * Logs what the file has from @offset on: read from @fd, or if that can't be (-1) from
 * @address, where it is mapped (0: nowhere). Baton.
 */
void mapped_log_bytes(struct thread *thread, long fd, uint64_t address, uint64_t offset,
		      uint64_t len);
/* Replay: makes it so in @fd (-1: nowhere). False: the log makes no sense. Baton. */
bool mapped_replay_bytes(struct thread *thread, int fd, uint64_t offset, uint64_t len);
/* Replay: the memory in the object's place; and such memory for a file without object. Baton. */
int mapped_backing(struct thread *thread, struct mapped_object *object);
int mapped_memory(struct thread *thread, uint64_t size);
void mapped_resize(struct mapped_object *object, uint64_t size);

/* -- descriptors.c: what is known of them. Recording. Baton. ------------------------------ */

/* Before a call and behind it: what was known may not be so any more. */
#define KEEPS_DESCRIPTORS 1
#define TELLS_DESCRIPTOR 2	/* and says what it is */
#define EFFECTS 7
extern const uint8_t descriptor_rows[N_SYSCALLS];
static inline unsigned descriptor_effect(long nr)
{
	return descriptor_rows[nr] & EFFECTS;
}
void descriptors_update(const struct thread *thread, const struct call *call);
static inline void descriptors_change(const struct thread *thread, const struct call *call)
{
	unsigned effect = call->desc ? descriptor_effect(call->nr) : 0;

	if (effect != KEEPS_DESCRIPTORS && effect != TELLS_DESCRIPTOR)
		descriptors_update(thread, call);
}
/* Behind the call: what its result says of one. */
void descriptors_told(const struct thread *thread, long nr, const long args[6], long result);
static inline void descriptors_learn(const struct thread *thread, const struct call *call)
{
	if (call->desc && descriptor_effect(call->nr) == TELLS_DESCRIPTOR)
		descriptors_told(thread, call->nr, call->args, call->result);
}
/* A clone(2) with these @flags is made: who has which table? */
void descriptors_cloned(uint64_t flags);
/* Bits of agent_process.descriptors. CHANGEABLE: it isn't a file that is known not to change. */
enum {
	KIND_KNOWN = 1, REGULAR = 2, FLAGS_KNOWN = 4, NONBLOCKING = 8, SYSTEM_KNOWN = 16, LOCAL = 32,
	CHANGEABLE = 64,
};
static inline void descriptor_forget(long fd)
{
	process()->descriptor_changes++;
	if ((uint64_t)fd < N_DESCRIPTORS)
		process()->descriptors[fd] = 0;
}
/* A vfork child has a table of its own, and doesn't count here. */
static inline bool descriptors_are_known(const struct thread *thread)
{
	return !agent_replays() && !thread->is_vfork_child && !process()->shares_descriptors;
}
/* It isn't a regular file, as far as is known; and what it is, by stat's @mode. */
static inline bool descriptor_is_plain(const struct thread *thread, long fd)
{
	return (uint64_t)fd < N_DESCRIPTORS &&
	       (process()->descriptors[fd] & (KIND_KNOWN | REGULAR)) == KIND_KNOWN && descriptors_are_known(thread);
}
/* Nothing is known that says that it isn't a file that can't change. */
static inline bool descriptor_may_be_fixed(const struct thread *thread, long fd)
{
	return (uint64_t)fd < N_DESCRIPTORS && !(process()->descriptors[fd] & CHANGEABLE) &&
	       descriptors_are_known(thread);
}
void descriptor_note_kind(long fd, uint64_t dev, uint32_t mode);
void descriptor_note_changeable(long fd);
/* How long a call may wait, as far as is known of its descriptor. */
enum call_wait { WAITS_NEVER, WAITS_FOR_DISK, WAITS_AT_WILL };
enum call_wait call_wait(const struct thread *thread, long nr, const long args[6]);

/* The others sleep in long calls, as a server's helpers do: none has run for so many calls, or waits to. */
#define STREAK_OF_ONE 64
static inline bool is_alone_awake(void)
{
	return ++process()->streak > STREAK_OF_ONE && !(load_relaxed(&shared()->baton) & BATON_SLEEPERS);
}
/*
 * Does who makes the call keep the baton, where it could be given up? Nobody else would run meanwhile,
 * or would be kept from it by one that is over at once.
 */
static inline bool call_keeps_baton(const struct thread *thread, long nr, const long args[6])
{
	if (unlikely(chaos()))
		return false;
	/* Or other processes wait for their turn, and would not be patient with a slow disk. */
	if (alone())
		return call_wait(thread, nr, args) <= (process()->takes_turns ? WAITS_NEVER : WAITS_FOR_DISK);
	return is_alone_awake() && call_wait(thread, nr, args) == WAITS_NEVER;
}

/* -- changes.c: calls that change files ------------------------------------------------- */

/*
 * Recording. Before @call is made: one that changes a mapped file keeps the baton, so that
 * no thread sees it half done. Behind it: call->change says what it did. Baton.
 */
void changer_begins(struct call *call);
void changer_ends(struct call *call);
#define CHANGER_WRITES 1		/* to its first argument, and nothing else */
extern const uint8_t file_changers[N_SYSCALLS];
static inline bool may_change_mapped(const struct call *call)
{
	return call->desc && file_changers[call->nr] && process()->n_objects &&
	       !(file_changers[call->nr] == CHANGER_WRITES && descriptor_is_plain(this_thread(), (int32_t)call->args[0]));
}
static inline void change_begins(struct call *call)
{
	call->change.offset = UINT64_MAX;
	call->changes_unmapped = false;
	if (may_change_mapped(call))
		changer_begins(call);
}
static inline void change_ends(struct call *call)
{
	if (may_change_mapped(call))
		changer_ends(call);
}
/* Writes the log's struct event_file. */
void change_log(struct thread *thread, const struct call *call);
/* Replay: reads it, and does the same. False: the log makes no sense. Baton. */
bool change_replay(struct thread *thread, const struct call *call);

/* -- references.c: large reads of files that can't change ---------------------------------- */

/* What fewer bytes are saved isn't worth the questions that it takes. */
#define REFERENCE_MIN 16384

/* Recording. Before @call, which may be such a read, is made. Baton. */
void reference_look(struct thread *thread, struct call *call);
static inline void reference_begins(struct thread *thread, struct call *call)
{
	if (!call->is_made && call->n_spans && call->spans->rule == SPAN_RESULT &&
	    (call->n_spans > 1 || call->spans->capacity >= REFERENCE_MIN))
		reference_look(thread, call);
}
/* Behind it: writes its event, if it can say what was read by reference. Baton. */
bool reference_log(struct thread *thread, const struct call *call);
/* Replay: the outputs of the present event. False: the file isn't there, or isn't what it was. Baton. */
bool reference_replay(struct thread *thread, const struct call *call);
