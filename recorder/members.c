/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The processes of the service: who is recorded, what each wants, how each ends. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "recorder/inject.h"
#include "recorder/recorder-internal.h"

static int add_member(struct recorder *r, struct domain *domain, struct member **ret_member);

/* -- finding ----------------------------------------------------------------------------------- */

struct member *member_of_pid(struct recorder *r, pid_t pid)
{
	for (struct member *m = r->members; m; m = m->next)
		if (domain_pid(m->domain) == pid)
			return m;
	return NULL;
}

bool is_main(const struct recorder *r, pid_t pid)
{
	return !r->main_pid || (pid == r->main_pid && !r->main_gone);
}

struct member *main_member(struct recorder *r)
{
	return r->main_gone ? NULL : member_of_pid(r, r->main_pid);
}

/* -- the end of one -------------------------------------------------------------------------------- */

static void unlink_member(struct member *m)
{
	struct member **at = &m->recorder->members;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
}

void member_drop(struct member *m)
{
	m->wake = source_free(m->wake);
	m->death = source_free(m->death);
	m->work = source_free(m->work);
	unlink_member(m);
	(void) json_object_put(m->command);
	(void) domain_free(m->domain);
	free(m);
}

/* What the window still holds of it is listed in incidents, as long as it may. */
static void member_is_past(struct member *m)
{
	recorder_remember(m->recorder, m);
	member_drop(m);
}

/* Nobody is left, or nobody whom the service would miss: the recorder's work is done. */
static void end_if_over(struct recorder *r)
{
	if (r->main_exited && !main_member(r)) {
		while (r->members) {
			domain_pass(r->members->domain);
			member_drop(r->members);
		}
	}
	/* The last one is put away when that has been said. */
	if (r->members && (!r->members->is_over || r->members->next))
		return;
	r->over = true;
	loop_stop(r->loop);
}

void members_main_exited(struct recorder *r)
{
	r->main_exited = true;
	if (!main_member(r))
		end_if_over(r);
}

void members_main_gone(struct recorder *r)
{
	/* If it is recorded, its end comes. */
	r->main_gone |= !main_member(r);
	if (!r->members)
		end_if_over(r);
}

/* It said nothing: it was killed from outside, or we had lost it before. */
static void gone_silently(struct member *m)
{
	struct recorder *r = m->recorder;
	struct domain *d = m->domain;
	struct trigger trigger = { .kind = "killed", .signal = SIGKILL, .pid = domain_pid(d) };
	struct domain_status status;

	domain_get_status(d, &status);
	if (domain_has_execed(d) && !status.passing) {
		domain_finish(d, DOMAIN_EXECED);
		recorder_native(r, domain_pid(d), "the injector did not come in time for its exec");
		return;
	}
	domain_finish(d, DOMAIN_KILLED);
	domain_get_status(d, &status);
	if (status.passing) {
		trigger.kind = "recording-stopped";
		trigger.signal = 0;
	}
	if (is_main(r, domain_pid(d)) && (r->policy.triggers & (TRIGGER_KILLED | TRIGGER_EXIT)))
		recorder_freeze(r, m, &trigger, status.events, NULL);
}

static void member_died(struct member *m)
{
	struct recorder *r = m->recorder;

	member_work(m);	/* an obituary may have come with it */
	if (domain_end(m->domain) == DOMAIN_RUNS)
		gone_silently(m);
	domain_leave_directory(m->domain);
	/* What it bore while nobody looked. */
	member_take_births(m);
	r->main_gone |= domain_pid(m->domain) == r->main_pid;
	m->is_over = true;
	if (r->members != m || m->next)
		member_is_past(m);
	end_if_over(r);
}

/*
 * Those that live come first: somebody may wait for one of them to exec, and who hears of this
 * death doesn't wait for us.
 */
static void on_death(void *userdata)
{
	struct member *m = userdata;

	m->death = source_free(m->death);
	m->is_dead = true;
	source_later(m->work, true);
}

/* -- work -------------------------------------------------------------------------------------------- */

/* It is about to exec, or has failed to. */
static void exec_news(struct member *m, int news)
{
	pid_t tid = domain_take_exec(m->domain);

	if (!tid)
		return;
	if (news & DOMAIN_EXECS)
		recorder_attach(m->recorder, tid);
	else if (tell_injector(m->recorder, INJECT_LET_GO, tid) < 0)
		domain_exec_over(m->domain, tid);
}

/* One that has ended already is drained, and over. */
static void begin_work(struct member *m)
{
	if (domain_pidfd(m->domain) < 0)
		member_died(m);
	else
		member_work_soon(m);
}

/* Once is enough: it is the same memory that they pass on. */
static void note_shared_memory(struct recorder *r)
{
	if (!r->shared_is_noted)
		recorder_note(r, "processes share writable memory: what one writes there is missing in the "
			      "replay of another");
	r->shared_is_noted = true;
}

static void birth(struct member *parent, struct domain_birth *birth)
{
	struct recorder *r = parent->recorder;
	struct member *m;
	struct domain *d;
	int ret;

	ret = domain_new_child(parent->domain, birth, ++r->n_domains, &d);
	if (ret == 0)
		ret = add_member(r, d, &m);
	if (ret < 0) {
		log_warning("can't record process %d: %s", birth->pid, strerror(-ret));
		return;
	}
	m->command = json_object_get(parent->command);
	recorder_describe(r, m);
	if (domain_shares_memory(parent->domain))
		note_shared_memory(r);
	begin_work(m);
}

void member_take_births(struct member *m)
{
	struct domain_birth next;

	while (domain_take_birth(m->domain, &next))
		birth(m, &next);
}

void member_work_soon(struct member *m)
{
	source_later(m->work, true);
}

/* Of all of them: one that sleeps would keep a file for ever. */
static void trim_reads(struct recorder *r)
{
	enum { TRIM_NS = 1000000000 };
	uint64_t now = now_ns(), begin_ns;

	if (now - r->reads_trimmed_ns < TRIM_NS)
		return;
	r->reads_trimmed_ns = now;
	begin_ns = store_begin_ns(r->env.store);
	for (struct member *m = r->members; m; m = m->next)
		domain_trim_reads(m->domain, begin_ns);
	files_trim(r->env.files, begin_ns);
}

void member_work(struct member *m)
{
	struct recorder *r = m->recorder;
	struct domain *d = m->domain;
	bool more = false;
	int news;

	news = domain_work(d, &more);
	if (news < 0)
		return;
	if (news & DOMAIN_BROKEN)
		log_error("the log of process %d makes no sense: recording of it is over", domain_pid(d));
	if (news & DOMAIN_PASSES)
		recorder_native(r, domain_pid(d), domain_has_execed(d) ?
				"recording stopped: it has installed a seccomp filter under which the agent can't be" :
				"recording stopped: it was stalled for longer than the policy's bound");
	if (news & DOMAIN_FORKS)
		domain_make_spares(d, true);
	if (news & DOMAIN_BORE)
		member_take_births(m);
	for (struct member *other = r->members; (news & DOMAIN_WANTS_PAGES) && other; other = other->next)
		domain_kick_for_pages(other->domain);
	if (news & DOMAIN_FROZEN)
		window_frozen(m);
	if (news & (DOMAIN_EXECS | DOMAIN_EXEC_FAILED))
		exec_news(m, news);
	if (news & DOMAIN_DYING)
		process_dies(m);
	recorder_say_files(r);
	trim_reads(r);
	recorder_sync_soon(r);
	source_later(m->work, more || m->is_dead);
	source_at(m->work, domain_deadline(m->domain));
}

static void on_wake(void *userdata)
{
	member_work(userdata);
}

static void on_work(void *userdata)
{
	struct member *m = userdata;

	if (m->is_dead)
		member_died(m);
	else
		member_work(m);
}

/* -- the beginning of one -------------------------------------------------------------------------------- */

static int add_sources(struct member *m)
{
	struct loop *loop = m->recorder->loop;
	int ret;

	ret = loop_add_fd(loop, domain_wake_fd(m->domain), on_wake, m, &m->wake);
	if (ret == 0 && domain_pidfd(m->domain) >= 0)
		ret = loop_add_fd(loop, domain_pidfd(m->domain), on_death, m, &m->death);
	if (ret == 0)
		ret = loop_add(loop, on_work, m, &m->work);
	return ret;
}

/* Takes @domain over, also on failure. */
static int add_member(struct recorder *r, struct domain *domain, struct member **ret_member)
{
	struct member *m = calloc(1, sizeof(*m));
	int ret;

	if (!m) {
		(void) domain_free(domain);
		return -ENOMEM;
	}
	m->recorder = r;
	m->domain = domain;
	m->next = r->members;
	r->members = m;
	ret = add_sources(m);
	if (ret < 0) {
		member_drop(m);
		return ret;
	}
	*ret_member = m;
	return 0;
}

void member_image_begins(struct recorder *r, const struct inject_message *message, int memfd)
{
	struct member *before = member_of_pid(r, message->pid), *m;
	struct domain *d;
	int ret;

	if (before) {
		domain_finish(before->domain, DOMAIN_EXECED);
		member_take_births(before);
		member_is_past(before);
	}
	ret = domain_new(&r->env, ++r->n_domains, message->pid, &message->config, memfd, &d);
	if (ret == 0)
		ret = add_member(r, d, &m);
	if (ret < 0) {
		log_error("can't record process %d: %s", message->pid, strerror(-ret));
		recorder_native(r, message->pid, strerror(-ret));
		return;
	}
	m->command = recorder_command(message->pid);
	recorder_describe(r, m);
	if (is_main(r, message->pid)) {
		r->main_pid = message->pid;
		(void) json_object_put(r->command);
		r->command = json_object_get(m->command);
		recorder_tell_pid(r, "recording", message->pid, NULL);
	}
	begin_work(m);
}
