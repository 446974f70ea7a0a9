/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recorder/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/parse.h"
#include "policies/policy.h"
#include "recorder/event.h"
#include "recorder/pack.h"
#include "ringstore/format.h"
#include "ringstore/verify.h"

static const char host_restart[] = "host-restart", recorder_death[] = "recorder-death";

struct ending {			/* of a domain's log, as far as it is sound */
	uint32_t domain;
	uint8_t kind;		/* of the last event that is whole; 0: none */
	uint64_t end_event;	/* behind it */
	uint64_t last_ns;
};

struct recovery {
	struct store *store;
	struct freeze *freeze;
	char id[192];
	struct json_object *manifest, *domains, *notes, *files;
	struct json_object *about;	/* the first piece */
	char *published;		/* the manifest that is there already */
	struct ending *endings;
	size_t n_endings;
};

/* -- the ends of logs ---------------------------------------------------------------------------- */

static void unpacker_freep(struct unpacker **unpacker)
{
	(void) unpacker_free(*unpacker);
}

/* Counts the events up to the last that is whole, whose kind is returned. */
static uint8_t last_whole(const struct chunk_view *chunk, uint32_t *ret_n)
{
	autoclean(unpacker_freep) struct unpacker *unpacker = NULL;
	const void *events;
	const uint8_t *bytes;
	size_t left;
	uint8_t kind = 0;

	*ret_n = 0;
	if (unpacker_new(&unpacker) < 0 || unpack(unpacker, chunk->data, chunk->len, &events, &left) < 0)
		return 0;	/* whoever reads it will say so */
	bytes = events;
	for (uint32_t n = 1; n <= chunk->n_events && left >= sizeof(struct event); n++) {
		const struct event *event = (const struct event *)bytes;

		if (event->len < sizeof(*event) || event->len % 8 || event->len > left)
			break;	/* not an event: whoever reads it will say so */
		if (!(event->flags & EVENT_CONTINUED)) {
			*ret_n = n;
			kind = event->kind;
		}
		bytes += event->len;
		left -= event->len;
	}
	return kind;
}

uint32_t recover_open_tail(uint32_t domain, const struct chunk_view *chunk, void *userdata)
{
	uint32_t n;

	(void) domain;
	(void) userdata;
	(void) last_whole(chunk, &n);
	return chunk->n_events - n;
}

static struct ending *ending_of(struct recovery *recovery, uint32_t domain)
{
	struct ending *grown;

	for (size_t i = recovery->n_endings; i-- > 0;)
		if (recovery->endings[i].domain == domain)
			return &recovery->endings[i];
	grown = reallocarray(recovery->endings, recovery->n_endings + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	recovery->endings = grown;
	grown[recovery->n_endings] = (struct ending){ .domain = domain };
	return &grown[recovery->n_endings++];
}

static uint32_t note_ending(uint32_t domain, const struct chunk_view *chunk, void *userdata)
{
	struct ending *ending = ending_of(userdata, domain);
	uint32_t n;
	uint8_t kind = last_whole(chunk, &n);

	if (ending && n) {
		ending->kind = kind;
		ending->end_event = chunk->first_event + n;
		ending->last_ns = chunk->last_ns;
	}
	return chunk->n_events - n;
}

/* How its last event says that a process ended. */
static const char *end_name(const struct ending *ending, uint64_t end_event)
{
	if (ending->end_event != end_event)
		return "freeze";
	switch (ending->kind) {
	case EVENT_EXIT: return "exit";
	case EVENT_FATAL: return "death";
	case EVENT_EXEC: return "exec";
	default: return "freeze";
	}
}

/* -- the manifest ----------------------------------------------------------------------------------- */

void recover_make_id(const char *service, unsigned n, char id[static 192])
{
	struct timespec now;
	struct tm utc;
	char stamp[32];

	(void) clock_gettime(CLOCK_REALTIME, &now);
	(void) gmtime_r(&now.tv_sec, &utc);
	(void) strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &utc);
	(void) snprintf(id, 192, "%s.%03ldZ-%s-%u", stamp, now.tv_nsec / 1000000, service, n);
	for (char *p = id; *p; p++)
		if (*p == ':' || *p == '@')
			*p = '_';
}

static void read_boot_id(char id[static 64])
{
	autoclean(fclosep) FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(id, 64, file))
		id[0] = '\0';
	id[strcspn(id, "\n")] = '\0';
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void) clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void add_string(struct json_object *json, const char *key, const char *value)
{
	(void) json_object_object_add(json, key, json_object_new_string(value));
}

static void add_number(struct json_object *json, const char *key, uint64_t value)
{
	(void) json_object_object_add(json, key, json_object_new_uint64(value));
}

struct json_object *recover_about(void)
{
	struct json_object *about = json_object_new_object();
	char boot[64];

	read_boot_id(boot);
	add_string(about, "boot_id", boot);
	add_number(about, "real_ns", clock_ns(CLOCK_REALTIME));
	add_number(about, "mono_ns", clock_ns(CLOCK_MONOTONIC));
	return about;
}

static bool is_of_this_boot(const struct recovery *recovery)
{
	char boot[64];

	read_boot_id(boot);
	return strcmp(boot, json_text(recovery->about, "boot_id")) == 0;
}

/* A piece of what was said of the service. "stopped": its recorder was told to end. */
static void take_about(struct recovery *recovery, const char *text, bool *stopped)
{
	struct json_object *piece = json_tokener_parse(text), *member;

	if (!json_object_is_type(piece, json_type_object)) {
		(void) json_object_put(piece);
		return;
	}
	if (!recovery->about)
		recovery->about = json_object_get(piece);
	if (json_object_object_get_ex(piece, "file", &member))
		(void) json_object_array_add(recovery->files, json_object_get(member));
	if (json_object_object_get_ex(piece, "note", &member))
		(void) json_object_array_add(recovery->notes, json_object_get(member));
	*stopped |= json_object_object_get_ex(piece, "stopped", NULL);
	(void) json_object_put(piece);
}

static int read_about(struct recovery *recovery, const char *dir, bool *stopped)
{
	char **texts;
	size_t n;
	int r = store_read_about(dir, &texts, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		take_about(recovery, texts[i], stopped);
	(void) incident_free_ids(texts, n);
	return 0;
}

/* The rows of those domains that say something of themselves. */
static int read_domains(struct recovery *recovery)
{
	uint32_t *domains;
	size_t n;
	int r = freeze_domains(recovery->freeze, &domains, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct json_object *row;
		char *text;

		r = freeze_read_about(recovery->freeze, domains[i], &text);
		if (r == -ENOMEM)
			break;
		row = r == 0 ? json_tokener_parse(text) : NULL;
		if (r == 0)
			free(text);
		r = 0;
		if (json_object_is_type(row, json_type_object) && json_count(row, "domain") == domains[i])
			(void) json_object_array_add(recovery->domains, row);
		else
			(void) json_object_put(row);
	}
	free(domains);
	return r;
}

/* The newest of the service's first process, or of any; of those that can be replayed. */
static struct json_object *main_row(const struct recovery *recovery)
{
	struct json_object *best = NULL, *is_main;

	for (size_t i = 0; i < json_object_array_length(recovery->domains); i++) {
		struct json_object *row = json_object_array_get_idx(recovery->domains, i);

		if (!freeze_has_snapshot(recovery->freeze, (uint32_t)json_count(row, "domain")))
			continue;
		if (!best || json_object_object_get_ex(row, "main", &is_main) ||
		    !json_object_object_get_ex(best, "main", &is_main))
			best = row;
	}
	return best;
}

/* It is listed last. */
static void move_to_end(struct json_object *array, struct json_object *row)
{
	size_t i = 0;

	while (json_object_array_get_idx(array, i) != row)
		i++;
	(void) json_object_get(row);
	(void) json_object_array_del_idx(array, i, 1);
	(void) json_object_array_add(array, row);
}

/* When the last event of the window happened. */
static uint64_t end_real_ns(const struct recovery *recovery)
{
	uint64_t last_ns = 0, begin_ns = json_count(recovery->about, "mono_ns");

	for (size_t i = 0; i < recovery->n_endings; i++)
		if (recovery->endings[i].last_ns > last_ns)
			last_ns = recovery->endings[i].last_ns;
	return json_count(recovery->about, "real_ns") + (last_ns > begin_ns ? last_ns - begin_ns : 0);
}

static struct json_object *trigger_json(const struct recovery *recovery, struct json_object *row)
{
	struct json_object *trigger = json_object_new_object();

	add_string(trigger, "kind", is_of_this_boot(recovery) ? recorder_death : host_restart);
	(void) json_object_object_add(trigger, "signal", NULL);
	add_number(trigger, "pid", json_count(row, "pid"));
	add_number(trigger, "tid", json_count(row, "pid"));
	return trigger;
}

static bool is_read(struct json_object *row)
{
	struct json_object *read;

	return json_object_object_get_ex(row, "read", &read) && json_object_get_boolean(read);
}

void recover_note_needs(struct json_object *manifest)
{
	struct json_object *rows = json_list(manifest, "files"), *needs;
	bool read = false;

	for (size_t i = 0; rows && i < json_object_array_length(rows); i++)
		read |= is_read(json_object_array_get_idx(rows, i));
	if (!read)
		return;
	needs = json_object_new_array();
	(void) json_object_array_add(needs, json_object_new_string(NEEDS_READS));
	(void) json_object_object_add(manifest, "needs", needs);
}

static void fill_manifest(struct recovery *recovery, struct json_object *row)
{
	static const char *const copied[] = { "service", "policy", "host" };
	struct json_object *json = recovery->manifest;

	move_to_end(recovery->domains, row);
	add_number(json, "format", STORE_FORMAT_VERSION);
	add_string(json, "id", recovery->id);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		json_copy_member(recovery->about, copied[i], json);
	json_copy_member(row, "command", json);
	(void) json_object_object_add(json, "trigger", trigger_json(recovery, row));
	add_number(json, "real_ns", end_real_ns(recovery));
	recover_note_needs(json);
}

/* -- begin ---------------------------------------------------------------------------------------------- */

struct recovery *recovery_abort(struct recovery *recovery)
{
	if (!recovery)
		return NULL;
	if (recovery->published)
		(void) freeze_commit(recovery->freeze, recovery->published);
	else
		(void) freeze_abort(recovery->freeze);
	free(recovery->published);
	(void) json_object_put(recovery->manifest);
	(void) json_object_put(recovery->about);
	free(recovery->endings);
	free(recovery);
	return NULL;
}

static void recovery_abortp(struct recovery **recovery)
{
	(void) recovery_abort(*recovery);
}

static struct json_object *add_array(struct json_object *json, const char *key)
{
	struct json_object *array = json_object_new_array();

	(void) json_object_object_add(json, key, array);
	return array;
}

static struct recovery *recovery_new(struct store *store)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));

	if (!recovery)
		return NULL;
	recovery->store = store;
	recovery->manifest = json_object_new_object();
	recovery->domains = add_array(recovery->manifest, "domains");
	recovery->notes = add_array(recovery->manifest, "notes");
	recovery->files = add_array(recovery->manifest, "files");
	return recovery;
}

static int pin(struct recovery *recovery)
{
	const char *service = json_text(recovery->about, "service");
	int r = -EEXIST;

	for (unsigned n = 1; r == -EEXIST && n < 100; n++) {
		recover_make_id(*service ? service : "command", n, recovery->id);
		r = store_freeze_begin(recovery->store, recovery->id, &recovery->freeze);
	}
	return r > 0 ? -ENOSPC : r;
}

/*
 * It is there from now on, as far as can be told without reading it: whoever is killed while
 * that is done loses nothing.
 */
static int publish(struct recovery *recovery)
{
	struct json_object *row = main_row(recovery);
	autoclean(freep) char *text = NULL;
	int r;

	for (size_t i = 0; i < json_object_array_length(recovery->domains); i++) {
		struct json_object *each = json_object_array_get_idx(recovery->domains, i);

		add_number(each, "end_event",
			   store_log_end(recovery->store, (uint32_t)json_count(each, "domain")));
		add_string(each, "end", "freeze");
		(void) json_object_object_add(each, "final", json_object_new_boolean(false));
	}
	if (!row)
		return 0;	/* nothing to be replayed, it seems */
	fill_manifest(recovery, row);
	text = strdup(json_object_to_json_string_ext(recovery->manifest, JSON_C_TO_STRING_PRETTY));
	if (!text)
		return -ENOMEM;
	r = freeze_publish(recovery->freeze, text);
	if (r == 0)
		recovery->published = MOVE(text);
	return r > 0 ? -ENOSPC : r;
}

int recovery_begin(struct store *store, const char *dir, struct recovery **ret_recovery)
{
	autoclean(recovery_abortp) struct recovery *recovery = NULL;
	bool stopped = false, wanted;
	int r = 0;

	*ret_recovery = NULL;
	if (!store_has_live(store))
		return 0;
	recovery = recovery_new(store);
	if (!recovery)
		return -ENOMEM;
	r = read_about(recovery, dir, &stopped);
	wanted = r == 0 && recovery->about && !(stopped && is_of_this_boot(recovery));
	if (wanted)
		r = pin(recovery);
	if (r == 0 && wanted)
		r = read_domains(recovery);
	if (r == 0 && wanted)
		r = publish(recovery);
	(void) store_clear(store);
	if (r == 0 && wanted)
		*ret_recovery = MOVE(recovery);
	return r;
}

/* -- reading all of it --------------------------------------------------------------------------------------- */

static void set_ends(struct recovery *recovery)
{
	for (size_t i = 0; i < json_object_array_length(recovery->domains); i++) {
		struct json_object *row = json_object_array_get_idx(recovery->domains, i);
		const struct ending *ending = ending_of(recovery, (uint32_t)json_count(row, "domain"));

		if (ending)
			add_string(row, "end", end_name(ending, json_count(row, "end_event")));
	}
}

int recovery_look(struct recovery *recovery)
{
	struct verify verify = { .open_tail = note_ending, .userdata = recovery };
	int r;

	/* Where the logs end is found now. */
	for (size_t i = 0; i < json_object_array_length(recovery->domains); i++)
		json_object_object_del(json_object_array_get_idx(recovery->domains, i), "end_event");
	r = repair_window(freeze_dir(recovery->freeze), &verify, recovery->manifest);
	if (r == 0)
		set_ends(recovery);
	return r;
}

/* -- the incident -------------------------------------------------------------------------------------------- */

/* The same file: devices may be numbered anew by the next boot. */
static bool is_same(const struct stat *st, struct json_object *row, bool same_boot)
{
	return S_ISREG(st->st_mode) && st->st_ino == json_count(row, "ino") &&
	       (uint64_t)st->st_size == json_count(row, "size") &&
	       (uint64_t)st->st_mtim.tv_sec * 1000000000 + (uint64_t)st->st_mtim.tv_nsec ==
		       json_count(row, "mtime_ns") &&
	       (!same_boot || st->st_dev == json_count(row, "dev"));
}

static bool add_file(struct recovery *recovery, struct json_object *row, bool same_boot)
{
	autoclean(closep) int fd = open(json_text(row, "path"), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char hash[33];

	if (fd < 0 || fstat(fd, &st) < 0 || !is_same(&st, row, same_boot) ||
	    freeze_add_file(recovery->freeze, fd, hash) != 0)
		return false;
	add_string(row, "hash", hash);
	return true;
}

/* Of those that were only read the log may have nothing any more: others go first, where there is room. */
static void add_files(struct recovery *recovery)
{
	bool same_boot = is_of_this_boot(recovery);
	size_t n = json_object_array_length(recovery->files);
	unsigned n_lost = 0;
	char note[160];

	for (size_t i = 0; i < 2 * n; i++) {
		struct json_object *row = json_object_array_get_idx(recovery->files, i % n);

		if (is_read(row) == (i >= n))
			n_lost += !add_file(recovery, row, same_boot);
	}
	if (!n_lost)
		return;
	(void) snprintf(note, sizeof(note), "%u files that were mapped, or read, have changed since, are gone, or "
			"found no room in the ring: a replay may miss them", n_lost);
	(void) json_object_array_add(recovery->notes, json_object_new_string(note));
}

static struct json_object *news_json(const struct recovery *recovery)
{
	struct json_object *news = json_object_new_object();

	add_string(news, "news", "incident");
	add_string(news, "id", recovery->id);
	json_copy_member(recovery->manifest, "trigger", news);
	return news;
}

int recovery_commit(struct recovery *recovery, struct json_object **ret_news)
{
	struct json_object *row = main_row(recovery);
	int r = -ENODATA;

	free(MOVE(recovery->published));	/* it has had its time */
	if (row) {
		add_files(recovery);
		fill_manifest(recovery, row);
		r = freeze_commit(MOVE(recovery->freeze), json_object_to_json_string_ext(
							      recovery->manifest, JSON_C_TO_STRING_PRETTY));
	}
	if (r == 0)
		*ret_news = news_json(recovery);
	(void) recovery_abort(recovery);
	return r > 0 ? -ENOSPC : r;
}

/* -- without a recorder --------------------------------------------------------------------------------------- */

static void store_closep(struct store **store)
{
	(void) store_close(*store);
}

/* The service's, as its policy was. False: nothing was left that says it. */
static bool read_limits(const char *dir, struct store_limits *ret_limits)
{
	struct store_limits limits = { .window_ns = UINT64_MAX };
	struct json_object *about, *policy = NULL;
	char **texts;
	size_t n;

	if (store_read_about(dir, &texts, &n) < 0)
		return false;
	about = n ? json_tokener_parse(texts[0]) : NULL;
	(void) incident_free_ids(texts, n);
	(void) json_object_object_get_ex(about, "policy", &policy);
	limits.incidents_percent = (unsigned)strtoul(json_text(policy, "incidents-share"), NULL, 10);
	if (parse_size(json_text(policy, "ring"), &limits.max_bytes) < 0)
		limits.max_bytes = 0;
	if (policy_parse_bytes(json_text(policy, "keep-free"), dir, &limits.keep_free_bytes) < 0)
		limits.keep_free_bytes = 0;	/* none */
	(void) json_object_put(about);
	*ret_limits = limits;
	return n > 0;
}

bool recover_is_wanted(const char *dir)
{
	char path[PATH_MAX];
	autoclean(closep) int lock = -1;

	if (snprintf(path, sizeof(path), "%s/live/about", dir) >= (int)sizeof(path) ||
	    access(path, F_OK) < 0 ||
	    snprintf(path, sizeof(path), "%s/lock", dir) >= (int)sizeof(path))
		return false;
	lock = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) == 0;
}

bool recover_is_trigger(const char *kind)
{
	return strcmp(kind, host_restart) == 0 || strcmp(kind, recorder_death) == 0;
}

int recover_store(const char *dir, struct json_object **ret_news)
{
	autoclean(store_closep) struct store *store = NULL;
	struct store_limits limits;
	struct recovery *recovery;
	int r;

	*ret_news = NULL;
	if (!recover_is_wanted(dir) || !read_limits(dir, &limits))
		return 0;
	r = store_open(dir, &limits, &store);
	if (r == 0)
		r = recovery_begin(store, dir, &recovery);
	if (r < 0 || !recovery)
		return r;
	r = recovery_look(recovery);
	if (r < 0) {
		(void) recovery_abort(recovery);
		return r;
	}
	r = recovery_commit(recovery, ret_news);
	return r == -ENODATA ? 0 : r;
}
