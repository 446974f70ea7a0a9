/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover - the window of a recorder that is gone, made an incident
 *
 * A recorder says, in its store, what a window of it would be of (store_set_about(),
 * store_add_about()). When it is killed, or the host is, whoever opens the store next finds
 * that beside the logs and snapshots, and freezes what is sound of them: as `host-restart'
 * if the machine has been started since, else as `recorder-death'.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ringstore/incident.h"
#include "ringstore/store.h"

/*
 * How many events at the end of a log chunk are of no use without those behind it: a call whose
 * outputs are cut off. For struct verify; @domain and @userdata aren't looked at.
 */
uint32_t recover_open_tail(uint32_t domain, const struct chunk_view *chunk, void *userdata);

/* The id of an incident of @service, made now: sorts by time, and is a file name. */
void recover_make_id(const char *service, unsigned n, char id[static 192]);

/* Says in @manifest, which has its files, what features a reader must know. */
void recover_note_needs(struct json_object *manifest);

/*
 * The first piece of what is said of the service: the caller adds to it and puts it. It has
 * where and when: the machine's boot, and two clocks read at one moment.
 */
struct json_object *recover_about(void);

struct recovery;

/*
 * If there is something in @store, of the directory @dir, that was left, makes it an incident
 * that is yet to be looked at, empties what is live, and returns
 * *@ret_recovery; NULL: nothing was, or what was left is nobody's concern (its recorder was
 * told to end, and the machine runs on). -ENOSPC: it is more than incidents may take, and is
 * lost. Afterwards the store can be recorded into.
 */
int recovery_begin(struct store *store, const char *dir, struct recovery **ret_recovery);

/*
 * Reads all of it, and cuts what isn't sound: that takes as long as the disk does. It doesn't
 * touch the store: any one thread may do it.
 */
int recovery_look(struct recovery *recovery);

/*
 * Makes it an incident, with the mapped files that are still what they were. Frees @recovery,
 * whatever it returns. -ENODATA: nothing of it can be replayed, so there is none. @ret_news is
 * what a recorder tells of an incident (recorder.h), the caller's to put.
 */
int recovery_commit(struct recovery *recovery, struct json_object **ret_news);
/* It can't be read: what is there stays as it is, an incident that may be damaged. */
struct recovery *recovery_abort(struct recovery *recovery);

/* Is there something in the store @dir, and nobody who records into it? */
bool recover_is_wanted(const char *dir);

/* Is that the kind of a trigger of ours? */
bool recover_is_trigger(const char *kind);

/* All of that, with the store in @dir, unless somebody records there (-EBUSY). NULL: nothing. */
int recover_store(const char *dir, struct json_object **ret_news);
