/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Incidents: pinning the window, its files and its manifest; and the recorder's status. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "common/parse.h"
#include "recorder/recorder-internal.h"
#include "recorder/recover.h"
#include "recorder/syscall-names.h"
#include "ringstore/format.h"
#include "ringstore/store.h"

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	(void) json_object_object_add(object, key, value);
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	add(object, key, value ? json_object_new_string(value) : NULL);
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	add(object, key, json_object_new_uint64(value));
}

static void add_hex(struct json_object *object, const char *key, uint64_t value)
{
	char text[24];

	(void) snprintf(text, sizeof(text), "%016" PRIx64, value);
	add_string(object, key, text);
}

/* -- the manifest -------------------------------------------------------------------------------- */

static struct json_object *trigger_json(const struct trigger *trigger, uint32_t tid)
{
	struct json_object *json = json_object_new_object();
	char name[16];

	add_string(json, "kind", trigger->kind);
	if (trigger->signal) {
		add_number(json, "signal", (uint64_t)trigger->signal);
		add_string(json, "signal_name", signal_name(trigger->signal, name));
	} else {
		add(json, "signal", NULL);
	}
	if (strcmp(trigger->kind, "exit") == 0)
		add_number(json, "status", (uint64_t)trigger->status);
	add_number(json, "pid", (uint64_t)trigger->pid);
	add_number(json, "tid", tid ? tid : (uint64_t)trigger->pid);
	return json;
}

/* /proc/PID/cmdline: words that end with a zero byte. */
struct json_object *recorder_command(pid_t pid)
{
	struct json_object *json = json_object_new_array();
	char path[64], text[65536];
	autoclean(fclosep) FILE *file = NULL;
	size_t n = 0;

	(void) snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	file = fopen(path, "re");
	if (file)
		n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	for (size_t i = 0; i < n; i += strlen(text + i) + 1)
		(void) json_object_array_add(json, json_object_new_string(text + i));
	return json;
}

static void add_note(struct json_object *notes, const char *text)
{
	(void) json_object_array_add(notes, json_object_new_string(text));
}

void recorder_note(struct recorder *r, const char *text)
{
	enum { MAX_NOTES = 64 };

	if (!r->notes)
		r->notes = json_object_new_array();
	if (json_object_array_length(r->notes) < MAX_NOTES)
		add_note(r->notes, text);
}

/* Where the program has instructions that the agent couldn't take care of. */
static void note_sites(struct json_object *notes, const struct domain_status *status)
{
	static const char *const names[SITE_N] = {
		[SITE_RDTSC] = "rdtsc", [SITE_RDTSCP] = "rdtscp", [SITE_CPUID] = "cpuid",
		[SITE_XGETBV] = "xgetbv", [SITE_RDRAND] = "rdrand", [SITE_RDSEED] = "rdseed",
		[SITE_RDPID] = "rdpid", [SITE_VSYSCALL] = "a vsyscall's address",
	};
	char text[256];

	for (size_t i = 0; i < SITE_N; i++) {
		if (!names[i] || !status->sites_left[i])
			continue;
		(void) snprintf(text, sizeof(text), "the code has %u times what may be %s, or is data: if it "
				"was executed, the replay differs from there on", status->sites_left[i], names[i]);
		add_note(notes, text);
	}
	if (status->code_made)
		add_note(notes, "code that the program made as it ran wasn't looked through for rdtsc, cpuid "
				"and their like");
	if (status->calls_32_bit) {
		(void) snprintf(text, sizeof(text), "%u system calls by int 0x80 were refused, as by a kernel "
				"without 32-bit calls", status->calls_32_bit);
		add_note(notes, text);
	}
}

/* One pair tells enough: it is mostly the same memory that the others have. */
static void note_shared_memory(struct json_object *notes, const struct recorder *r)
{
	char text[256];

	for (const struct member *m = r->members; m; m = m->next) {
		domain_look_at_shares(m->domain);
		if (!domain_shares_memory(m->domain) || r->shared_is_noted)
			continue;
		add_note(notes, "processes share writable memory that isn't handed over: what one writes there is "
				"missing in the replay of another");
		return;
	}
	for (const struct member *a = r->members; a; a = a->next) {
		for (const struct member *b = a->next; b; b = b->next) {
			if (!domain_shares_unhanded(a->domain, b->domain))
				continue;
			(void) snprintf(text, sizeof(text), "processes %d and %d have mapped the same memory, and "
					"don't descend from one image: what one writes there is missing in the "
					"replay of the other", domain_pid(a->domain), domain_pid(b->domain));
			add_note(notes, text);
			return;
		}
	}
}

/* Of whichever process: what isn't listed can't be asked for. */
static void note_forks_left(struct json_object *notes, const struct recorder *r)
{
	uint64_t n = r->forks_left;
	char text[256];

	for (const struct member *m = r->members; m; m = m->next) {
		struct domain_status status;

		domain_get_status(m->domain, &status);
		n += status.forks_left;
	}
	if (!n)
		return;
	(void) snprintf(text, sizeof(text), "%" PRIu64 " forked processes ran unrecorded: what they need couldn't "
			"be got ready within the policy's bound on stalls, or not at all", n);
	add_note(notes, text);
}

/* What can't be replayed, or was refused, in plain words. */
static struct json_object *notes_json(const struct recorder *r, const struct domain *d,
				      const struct final_state *final, unsigned files_left_out)
{
	struct json_object *notes = json_object_new_array();
	struct domain_status status;
	char text[256];

	domain_get_status(d, &status);
	for (size_t i = 0; i < sizeof(status.refused) / sizeof(status.refused[0]); i++) {
		bool unknown = status.refused[i] & NOTED_UNKNOWN;
		long number = (long)(status.refused[i] & ~NOTED_UNKNOWN) - 1;
		const char *name = syscall_name(number);

		if (!name)
			continue;
		(void) snprintf(text, sizeof(text),
				unknown ? "%s was made in a way that isn't known here: some of what it "
					  "wrote may be missing" :
					  "%s was refused, in whole or in part, as by a kernel that lacks it",
				name);
		add_note(notes, text);
	}
	note_sites(notes, &status);
	note_shared_memory(notes, r);
	if (status.snapshots_failed) {
		(void) snprintf(text, sizeof(text), "%u snapshots failed, the last one with: %s",
				status.snapshots_failed, strerror(-status.snapshot_error));
		add_note(notes, text);
	}
	if (status.missing_files) {
		(void) snprintf(text, sizeof(text), "%u files that were mapped, or read, couldn't be opened: a "
				"replay can't read them", status.missing_files);
		add_note(notes, text);
	}
	if (files_left_out) {
		(void) snprintf(text, sizeof(text), "%u files found no room in the ring: the replay "
				"needs them where they were", files_left_out);
		add_note(notes, text);
	}
	if (status.gaps) {
		(void) snprintf(text, sizeof(text), "recording was interrupted %u times; the window begins "
				"behind the last interruption", status.gaps);
		add_note(notes, text);
	}
	note_forks_left(notes, r);
	for (size_t i = 0; r->notes && i < json_object_array_length(r->notes); i++)
		(void) json_object_array_add(notes, json_object_get(json_object_array_get_idx(r->notes, i)));
	if (final && final->n_missing) {
		(void) snprintf(text, sizeof(text), "%" PRIu64 " pages of the last state weren't hashed for "
				"want of time", final->n_missing);
		add_note(notes, text);
	}
	return notes;
}

/* What is known of it from its begin on. */
static struct json_object *process_json(const struct member *m)
{
	struct json_object *json = json_object_new_object();
	const struct domain *d = m->domain;

	add_number(json, "domain", domain_id(d));
	add_number(json, "pid", (uint64_t)domain_pid(d));
	add_number(json, "parent", (uint64_t)domain_parent(d));
	add_string(json, "exe", domain_exe(d));
	add(json, "command", json_object_get(m->command));
	add_number(json, "abi", AGENT_ABI);
	add_hex(json, "agent", agent_image_hash());
	add_number(json, "tick_shift", domain_config(d)->tick_shift);
	add(json, "tsc_per_ns", json_object_new_double(m->recorder->env.tsc_per_ns));
	return json;
}

static struct json_object *domain_json(const struct member *m, uint64_t event,
				       const struct final_state *final)
{
	static const char *const ends[] = { "freeze", "death", "exit", "exec", "kill" };
	struct json_object *json = process_json(m);
	struct domain_status status;

	domain_get_status(m->domain, &status);
	add_number(json, "end_event", event);
	add_string(json, "end", ends[domain_end(m->domain)]);
	add(json, "final", json_object_new_boolean(final && final->n_pieces));
	add_number(json, "threads", status.threads);
	return json;
}

/* -- those that have ended ------------------------------------------------------------------------ */

struct past {
	struct past *next;	/* the one that ended before it */
	uint32_t id;
	size_t len;
	char *domain;		/* as a manifest has it: a small part of what objects would take */
};

/* Of a manifest's 16 MB, those that end newest get so much. */
enum { MAX_PAST_BYTES = 8 << 20 };

static void past_free(struct past *past)
{
	free(past->domain);
	free(past);
}

/* Those of which the window holds nothing any more, and the oldest of too many. */
static void forget_old(struct recorder *r)
{
	size_t bytes = 0;

	for (struct past **at = &r->past; *at;) {
		struct past *past = *at;

		if (bytes + past->len <= MAX_PAST_BYTES && store_has_domain(r->env.store, past->id)) {
			bytes += past->len;
			at = &past->next;
			continue;
		}
		*at = past->next;
		past_free(past);
		r->n_past--;
	}
	r->next_sweep = 2 * r->n_past + 64;
}

void recorder_remember(struct recorder *r, const struct member *m)
{
	struct past *past = calloc(1, sizeof(*past));
	struct domain_status status;
	struct json_object *json;

	domain_get_status(m->domain, &status);
	r->forks_left += status.forks_left;
	if (!past)
		return;
	json = domain_json(m, status.events, NULL);
	past->id = domain_id(m->domain);
	past->domain = strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	(void) json_object_put(json);
	if (!past->domain) {
		past_free(past);
		return;
	}
	past->len = strlen(past->domain);
	past->next = r->past;
	r->past = past;
	if (++r->n_past >= r->next_sweep)
		forget_old(r);
}

void recorder_forget(struct recorder *r)
{
	while (r->past) {
		struct past *past = r->past;

		r->past = past->next;
		past_free(past);
	}
	(void) json_object_put(r->notes);
}

/* All processes of the window; last the one that the trigger is of. */
static struct json_object *domains_json(struct recorder *r, struct member *trigger_of, uint64_t event,
					const struct final_state *final)
{
	struct json_object *domains = json_object_new_array();

	forget_old(r);
	for (const struct past *past = r->past; past; past = past->next)
		(void) json_object_array_add(domains, json_tokener_parse(past->domain));
	for (struct member *m = r->members; m; m = m->next) {
		struct domain_status status;

		domain_get_status(m->domain, &status);
		if (m != trigger_of)
			(void) json_object_array_add(domains, domain_json(m, status.events, NULL));
	}
	(void) json_object_array_add(domains, domain_json(trigger_of, event, final));
	return domains;
}

/* -- files and host ---------------------------------------------------------------------------------- */

static struct json_object *file_json(const struct mapped_file *file)
{
	struct json_object *row = json_object_new_object();

	add_string(row, "path", file->path);
	add_number(row, "dev", file->id.dev);
	add_number(row, "ino", file->id.ino);
	add_number(row, "size", file->id.size);
	add_number(row, "mtime_ns", file->id.mtime_ns);
	if (file->is_read)
		add(row, "read", json_object_new_boolean(true));
	return row;
}

static struct json_object *files_json(struct recorder *r, struct freeze *freeze, unsigned *left_out)
{
	struct json_object *json = json_object_new_array();
	const struct mapped_file *files;
	size_t n;

	files = files_all(r->env.files, &n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row;
		char hash[33] = "";

		if (files[i].fd < 0 || (!files[i].is_mapped && !files[i].is_referred_to))
			continue;
		row = file_json(&files[i]);

		if (freeze_add_file(freeze, files[i].fd, hash) == 0)
			add_string(row, "hash", hash);
		else
			(*left_out)++;
		(void) json_object_array_add(json, row);
	}
	return json;
}

static void add_policy_key(const char *key, const char *text, void *userdata)
{
	add_string(userdata, key, text);
}

static struct json_object *host_json(void)
{
	struct json_object *json = json_object_new_object();
	char line[256];
	autoclean(fclosep) FILE *file = fopen("/proc/cpuinfo", "re");
	struct utsname names;

	if (uname(&names) == 0) {
		add_string(json, "name", names.nodename);
		add_string(json, "kernel", names.release);
	}
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "model name", 10) != 0 || !strchr(line, ':'))
			continue;
		line[strcspn(line, "\n")] = '\0';
		add_string(json, "cpu", strchr(line, ':') + 2);
		break;
	}
	add_number(json, "cpus", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
	add_string(json, "version", PACKAGE_VERSION);
	return json;
}

/* -- for who comes when we are gone ---------------------------------------------------------------- */

void recorder_describe(struct recorder *r, const struct member *m)
{
	struct json_object *json = process_json(m);

	add_number(json, "threads", 1);
	if (is_main(r, domain_pid(m->domain)))
		add(json, "main", json_object_new_boolean(true));
	(void) store_set_about(r->env.store, domain_id(m->domain),
			       json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	(void) json_object_put(json);
}

static void say(struct recorder *r, struct json_object *json)
{
	(void) store_add_about(r->env.store, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
	(void) json_object_put(json);
}

void recorder_say_about(struct recorder *r)
{
	struct json_object *json = recover_about(), *policy = json_object_new_object();

	add_string(json, "service", r->policy.name);
	policy_each(&r->policy, add_policy_key, policy);
	add(json, "policy", policy);
	add(json, "host", host_json());
	say(r, json);
}

void recorder_say_files(struct recorder *r)
{
	const struct mapped_file *files;
	size_t n;

	for (files = files_all(r->env.files, &n); r->n_files_said < n; r->n_files_said++) {
		struct json_object *json = json_object_new_object();

		add(json, "file", file_json(&files[r->n_files_said]));
		say(r, json);
	}
}

void recorder_say_stopped(struct recorder *r)
{
	struct json_object *json = json_object_new_object();

	add(json, "stopped", json_object_new_boolean(true));
	say(r, json);
}

/* -- incidents --------------------------------------------------------------------------------------- */

static struct json_object *manifest(struct recorder *r, struct member *m, const char *id,
				    const struct trigger *trigger, uint64_t event,
				    const struct final_state *final, struct freeze *freeze)
{
	struct json_object *json = json_object_new_object();
	struct json_object *policy = json_object_new_object(), *files;
	unsigned left_out = 0;
	struct timespec now;

	(void) clock_gettime(CLOCK_REALTIME, &now);
	add_number(json, "format", STORE_FORMAT_VERSION);
	add_string(json, "id", id);
	add_string(json, "service", r->policy.name);
	add(json, "command", json_object_get(r->command));
	add(json, "trigger", trigger_json(trigger, domain_tid(m->domain, trigger->thread)));
	add_number(json, "real_ns", (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	add(json, "domains", domains_json(r, m, event, final));
	files = files_json(r, freeze, &left_out);
	add(json, "notes", notes_json(r, m->domain, final, left_out));
	policy_each(&r->policy, add_policy_key, policy);
	add(json, "policy", policy);
	add(json, "host", host_json());
	add(json, "files", files);
	recover_note_needs(json);
	return json;
}

static uint64_t bytes_of_files(const struct recorder *r)
{
	const struct mapped_file *files;
	uint64_t bytes = 0;
	size_t n;

	files = files_all(r->env.files, &n);
	for (size_t i = 0; i < n; i++)
		bytes += files[i].id.size;
	return bytes;
}

static int make_incident(struct recorder *r, struct member *m, const char *id,
			 const struct trigger *trigger, uint64_t event,
			 const struct final_state *final)
{
	struct freeze *freeze;
	struct json_object *json;
	int ret;

	/* The trigger's own has been drained as far as the window goes. */
	for (struct member *other = r->members; other; other = other->next)
		if (other != m)
			domain_flush(other->domain);
	store_expect_files(r->env.store, bytes_of_files(r));
	ret = store_freeze_begin(r->env.store, id, &freeze);
	if (ret != 0)
		return ret < 0 ? ret : -ENOSPC;
	for (size_t i = 0; final && i < final->n_pieces && ret == 0; i++)
		ret = freeze_add_final(freeze, domain_id(m->domain), final->pieces[i].bytes, final->pieces[i].len);
	if (ret != 0) {
		(void) freeze_abort(freeze);
		return ret < 0 ? ret : -ENOSPC;
	}
	json = manifest(r, m, id, trigger, event, final, freeze);
	ret = freeze_commit(freeze, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PRETTY));
	(void) json_object_put(json);
	return ret > 0 ? -ENOSPC : ret;
}

/*
 * A service that dies in a loop: the incidents of the last hour tell enough. What somebody asked
 * for is made nevertheless.
 */
static bool is_one_too_many(const struct recorder *r, const struct trigger *trigger)
{
	enum { RATE_S = 3600 };
	time_t now = time(NULL);

	return r->policy.incidents_rate && strcmp(trigger->kind, "request") != 0 &&
	       strcmp(trigger->kind, "freeze-signal") != 0 &&
	       store_count_incidents(r->env.store, now - RATE_S, now) >= r->policy.incidents_rate;
}

/* What takes how much, and what helps. */
static void say_why(const struct recorder *r, int error, char why[static 320])
{
	char share[16], ring[16], incidents[16], mapped[16], least[16];
	struct store_no_room no_room;

	(void) snprintf(why, 320, "%s", strerror(-error));
	store_get_no_room(r->env.store, &no_room);
	if (error != -ENOSPC || !no_room.share)
		return;
	(void) snprintf(why, 320, "incidents may take %s of the ring of %s (incidents-share); those that are kept "
			"take %s, mapped files %s, and the newest snapshot with what came behind it is another %s: "
			"a larger ring makes room, a shorter snapshot-interval, or `blackboxctl rm'",
			format_size(no_room.share, share), format_size(r->policy.ring_bytes, ring),
			format_size(no_room.incidents, incidents), format_size(no_room.mapped, mapped),
			format_size(no_room.least, least));
}

static void tell_not_frozen(struct recorder *r, const char *why)
{
	struct json_object *news = recorder_news("not-frozen");

	add_string(news, "why", why);
	recorder_tell(r, news);
}

void recorder_freeze(struct recorder *r, struct member *m, const struct trigger *trigger,
		     uint64_t event, const struct final_state *final)
{
	struct json_object *news;
	char id[192], why[320];
	int ret;

	if (is_one_too_many(r, trigger)) {
		tell_not_frozen(r, "the incidents of the last hour are as many as incidents-rate allows");
		return;
	}
	recover_make_id(r->policy.name ? r->policy.name : "command", ++r->n_incidents, id);
	ret = make_incident(r, m, id, trigger, event, final);
	if (ret < 0) {
		say_why(r, ret, why);
		log_error("can't freeze the window of %s: %s", r->policy.name, why);
		tell_not_frozen(r, why);
		return;
	}
	news = recorder_news("incident");
	add_string(news, "id", id);
	add(news, "trigger", trigger_json(trigger, domain_tid(m->domain, trigger->thread)));
	recorder_tell(r, news);
}

/* -- status ---------------------------------------------------------------------------------------------- */

static const char *state_of(const struct recorder *r, const struct domain_status *status)
{
	if (!r->members)
		return "waiting";
	return status->passing ? "passing" : "recording";
}

/* Of all processes that run. The pauses are of the one that has the longest, the method of the largest. */
static void add_up(const struct recorder *r, struct domain_status *sum)
{
	*sum = (struct domain_status){ .passing = r->members != NULL };
	for (const struct member *m = r->members; m; m = m->next) {
		struct domain_status one;

		domain_get_status(m->domain, &one);
		sum->events += one.events;
		sum->log_bytes += one.log_bytes;
		sum->threads += one.threads;
		sum->snapshots += one.snapshots;
		sum->snapshots_failed += one.snapshots_failed;
		sum->snapshots_skipped += one.snapshots_skipped;
		if (one.snapshot_error)
			sum->snapshot_error = one.snapshot_error;
		if (one.snapshot_pages > sum->snapshot_pages) {
			sum->snapshot_method = one.snapshot_method;
			sum->snapshot_pages = one.snapshot_pages;
			sum->snapshot_pages_read = one.snapshot_pages_read;
			sum->snapshot_pages_written = one.snapshot_pages_written;
			sum->snapshot_work_ns = one.snapshot_work_ns;
			sum->snapshot_interval_ns = one.snapshot_interval_ns;
		}
		if (one.longest_stall_ns > sum->longest_stall_ns)
			sum->longest_stall_ns = one.longest_stall_ns;
		if (one.longest_wait_ns > sum->longest_wait_ns)
			sum->longest_wait_ns = one.longest_wait_ns;
		if (one.longest_turn_wait_ns > sum->longest_turn_wait_ns)
			sum->longest_turn_wait_ns = one.longest_turn_wait_ns;
		sum->stalls += one.stalls;
		sum->stalled_ns += one.stalled_ns;
		sum->async_events += one.async_events;
		sum->gaps += one.gaps;
		sum->stubs += one.stubs;
		sum->stubs_refused += one.stubs_refused;
		sum->by_turns += one.by_turns;
		sum->passing &= one.passing;
	}
}

static uint64_t snapshot_memory(const struct recorder *r)
{
	uint64_t bytes = 0;

	for (const struct member *m = r->members; m; m = m->next)
		bytes += domain_snapshot_memory(m->domain);
	return bytes;
}

static unsigned n_processes(const struct recorder *r)
{
	unsigned n = 0;

	for (const struct member *m = r->members; m; m = m->next)
		n++;
	return n;
}

/* Of those that run; processes that fork from one have the same. */
static struct json_object *refused_stubs(const struct recorder *r)
{
	enum { MOST = 64 };
	struct json_object *list = json_object_new_array();

	for (const struct member *m = r->members; m; m = m->next) {
		size_t n;
		const char *const *texts = domain_refused_stubs(m->domain, &n);

		for (size_t i = 0; i < n && json_object_array_length(list) < MOST; i++)
			(void) json_object_array_add(list, json_object_new_string(texts[i]));
	}
	return list;
}

struct json_object *recorder_status(struct recorder *r)
{
	static const char *const methods[] = {
		[SNAPSHOT_BY_NONE] = "full", [SNAPSHOT_BY_HASHES] = "hashes", [SNAPSHOT_BY_FRAMES] = "frames",
	};
	struct json_object *json = recorder_news("status");
	struct domain_status domain;
	struct store_status store;

	add_up(r, &domain);
	store_get_status(r->env.store, &store);
	add_string(json, "service", r->policy.name);
	add_string(json, "state", state_of(r, &domain));
	add_number(json, "pid", (uint64_t)r->main_pid);
	add_number(json, "processes", n_processes(r));
	add_number(json, "recorder_pid", (uint64_t)getpid());
	add_number(json, "events", domain.events);
	add_number(json, "log_bytes", domain.log_bytes);
	add_number(json, "threads", domain.threads);
	add_number(json, "snapshots_taken", domain.snapshots);
	add_number(json, "snapshots_failed", domain.snapshots_failed);
	add_number(json, "snapshots_skipped", domain.snapshots_skipped);
	add_string(json, "snapshot_method", methods[domain.snapshot_method]);
	add_number(json, "snapshot_pages", domain.snapshot_pages);
	add_number(json, "snapshot_pages_read", domain.snapshot_pages_read);
	add_number(json, "snapshot_pages_written", domain.snapshot_pages_written);
	add(json, "snapshot_ms", json_object_new_double((double)domain.snapshot_work_ns / 1e6));
	add(json, "snapshot_interval_seconds", json_object_new_double((double)domain.snapshot_interval_ns / 1e9));
	add_number(json, "snapshot_child_bytes", snapshot_memory(r));
	add_number(json, "snapshot_table_bytes", store.page_memory);
	if (domain.snapshot_error)
		add_string(json, "snapshot_error", strerror(-domain.snapshot_error));
	add(json, "longest_stall_ms", json_object_new_double((double)domain.longest_stall_ns / 1e6));
	add_number(json, "stalls", domain.stalls);
	add(json, "stalled_ms", json_object_new_double((double)domain.stalled_ns / 1e6));
	add(json, "longest_wait_ms", json_object_new_double((double)domain.longest_wait_ns / 1e6));
	add(json, "longest_turn_wait_ms", json_object_new_double((double)domain.longest_turn_wait_ns / 1e6));
	add_number(json, "async_events", domain.async_events);
	add_number(json, "stubs", domain.stubs);
	add_number(json, "stubs_refused", domain.stubs_refused);
	add(json, "refused_stubs", refused_stubs(r));
	add_number(json, "by_turns", domain.by_turns);
	add_number(json, "gaps", domain.gaps);
	add(json, "window_seconds", json_object_new_double((double)store.window_ns / 1e9));
	add_number(json, "snapshots", store.n_snapshots);
	add_number(json, "bytes", store.bytes_live + store.bytes_incidents);
	add_number(json, "bytes_incidents", store.bytes_incidents);
	add_number(json, "bytes_mapped", store.bytes_mapped);
	add_number(json, "bytes_limit", r->policy.ring_bytes);
	add_number(json, "incidents", store.n_incidents);
	add_string(json, "writer", store.writer);
	if (store.last_error)
		add_string(json, "last_error", strerror(-store.last_error));
	return json;
}
