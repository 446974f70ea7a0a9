/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The recorder: its loop, its injector, and what freezes a window. */
#include "recorder/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "recorder/domain.h"
#include "recorder/inject.h"
#include "recorder/known.h"
#include "recorder/pack.h"
#include "recorder/recorder-internal.h"
#include "recorder/recover.h"

/* How long a freeze request waits for the program to come by, before it is looked at asleep. */
#define FREEZE_PATIENCE_NS UINT64_C(200000000)

/* So many naps of 50 ms until a store is free: our owner doesn't wait for us for ever. */
enum { STORE_PATIENCE = 20 };

static int start_injector(struct recorder *r);

/* -- saying ------------------------------------------------------------------------------------ */

void recorder_tell(struct recorder *r, struct json_object *message)
{
	const char *text = json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN);

	if (r->control >= 0)
		(void) send(r->control, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void) json_object_put(message);
}

struct json_object *recorder_news(const char *news)
{
	struct json_object *message = json_object_new_object();

	(void) json_object_object_add(message, "news", json_object_new_string(news));
	return message;
}

void recorder_tell_pid(struct recorder *r, const char *news, pid_t pid, const char *why)
{
	struct json_object *message = recorder_news(news);

	(void) json_object_object_add(message, "pid", json_object_new_int(pid));
	if (why)
		(void) json_object_object_add(message, "why", json_object_new_string(why));
	recorder_tell(r, message);
}

/* The service itself, or one of the processes that it has made? */
void recorder_native(struct recorder *r, pid_t pid, const char *why)
{
	char text[512];

	if (is_main(r, pid)) {
		recorder_tell_pid(r, "native", pid, why);
		return;
	}
	(void) snprintf(text, sizeof(text), "process %d ran unrecorded: %s", pid, why);
	recorder_note(r, text);
}

/* -- triggers ------------------------------------------------------------------------------------- */

static bool is_crash(uint32_t signal)
{
	return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
	       signal == SIGABRT || signal == SIGTRAP || signal == SIGSYS;
}

/* A crash is one in any process; how a process ends otherwise is the service's end only in its first. */
static bool death_triggers(const struct recorder *r, pid_t pid, const struct obituary *death)
{
	unsigned triggers = r->policy.triggers;

	if (death->signal && is_crash(death->signal) && (triggers & TRIGGER_CRASH))
		return true;
	if (!is_main(r, pid))
		return false;
	if (triggers & TRIGGER_EXIT)
		return true;
	return !death->signal && (triggers & TRIGGER_EXIT_STATUS) && (death->exit_status & 0xff) != 0;
}

/* With it the service is over, and its window is thrown away. */
static bool is_the_last(struct member *m)
{
	const struct recorder *r = m->recorder;

	return r->members == m && !m->next && !r->freeze_asked && !domain_is_wanted(m->domain);
}

/*
 * A process holds still to be looked at: what must be read of it is read, and it dies. Its
 * window is frozen then, while it is already gone and the service back up.
 */
void process_dies(struct member *m)
{
	struct recorder *r = m->recorder;
	struct domain *d = m->domain;
	const struct obituary *death = domain_obituary(d);
	struct final_state final = { 0 };
	struct trigger trigger = {
		.kind = death->signal ? (is_crash(death->signal) ? "crash" : "signal") : "exit",
		.signal = (int)death->signal,
		.status = death->signal ? 0 : (int)(death->exit_status & 0xff),
		.pid = domain_pid(d),
		.thread = death->thread,
	};
	uint64_t bound = r->policy.crash_hold_ns;
	bool wanted = death_triggers(r, domain_pid(d), death), kept = wanted || !is_the_last(m), more = kept;
	enum domain_end end = death->signal ? DOMAIN_DIED : DOMAIN_EXITED;

	while (more && domain_work(d, &more) >= 0)
		;
	/* Some of the time is for what comes behind the reading. */
	if (wanted && death->quiescent)
		(void) domain_read_final(d, death->event, death,
					 bound == UINT64_MAX ? bound : bound / 2, &final);
	domain_release(d);
	if (kept)
		domain_finish(d, end);
	else
		domain_forget(d, end);
	if (wanted)
		recorder_freeze(r, m, &trigger, death->event, &final);
	final_state_deinit(&final);
}

/* A freeze snapshot is whole: the window ends there, recording goes on. */
void window_frozen(struct member *m)
{
	struct recorder *r = m->recorder;
	struct domain_freeze freeze;
	struct trigger trigger = { .kind = "request", .pid = domain_pid(m->domain) };

	if (!domain_take_freeze(m->domain, &freeze))
		return;
	if (freeze.signal) {
		trigger.kind = "freeze-signal";
		trigger.signal = freeze.signal;
	} else {
		r->freeze_asked = false;
	}
	recorder_freeze(r, m, &trigger, freeze.event, NULL);
}

/* Everybody sleeps: freezes what there is. */
static void freeze_asleep(struct member *m)
{
	struct recorder *r = m->recorder;
	struct domain *d = m->domain;
	struct trigger trigger = { .kind = "request", .pid = domain_pid(d) };
	struct final_state final = { 0 };
	struct domain_freeze freeze;

	if (!domain_hold(d, &freeze))
		return;
	r->freeze_asked = false;
	(void) domain_read_final(d, freeze.event, NULL, r->policy.stall_ns / 2, &final);
	/* Taken back meanwhile: what was read is of no one moment. */
	if (!domain_thaw(d))
		final_state_deinit(&final);
	recorder_freeze(r, m, &trigger, freeze.event, &final);
	final_state_deinit(&final);
}

/* Its first process, or who is left of it. */
static struct member *service(struct recorder *r)
{
	struct member *m = main_member(r);

	return m ? m : r->members;
}

static void on_freeze_patience(void *userdata)
{
	struct recorder *r = userdata;

	if (r->freeze_asked && service(r))
		freeze_asleep(service(r));
	if (r->freeze_asked)
		source_at(r->freeze_timer, now_ns() + FREEZE_PATIENCE_NS);
}

static void ask_freeze(struct recorder *r)
{
	struct member *m = service(r);

	if (!m) {
		struct json_object *message = recorder_news("not-frozen");

		(void) json_object_object_add(message, "why",
					      json_object_new_string("the service isn't being recorded"));
		recorder_tell(r, message);
		return;
	}
	r->freeze_asked = true;
	domain_ask_freeze(m->domain);
	source_at(r->freeze_timer, now_ns() + FREEZE_PATIENCE_NS);
	member_work_soon(m);
}

/* -- the injector --------------------------------------------------------------------------------------- */

int tell_injector(struct recorder *r, enum inject_kind kind, pid_t pid)
{
	struct inject_message message = { .kind = kind, .pid = pid };

	if (r->injector < 0)
		return -EPIPE;
	return send(r->injector, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Who waits for it needn't any more. */
static void native(struct recorder *r, pid_t tid, const char *why)
{
	for (struct member *m = r->members; m; m = m->next)
		(void) domain_exec_ready(m->domain, tid, false);
	recorder_native(r, tid, why);
}

static pid_t *find_asked(struct recorder *r, pid_t pid)
{
	for (unsigned i = 0; i < MAX_ASKED; i++)
		if (r->asked[i] == pid)
			return &r->asked[i];
	return NULL;
}

static int put_off(struct recorder *r, pid_t pid)
{
	pid_t *waiting = realloc(r->waiting, (r->n_waiting + 1) * sizeof(*waiting));

	if (!waiting)
		return -ENOMEM;
	r->waiting = waiting;
	r->waiting[r->n_waiting++] = pid;
	return 0;
}

void recorder_attach(struct recorder *r, pid_t pid)
{
	pid_t *place = find_asked(r, 0);
	int ret = place ? tell_injector(r, INJECT_ATTACH, pid) : put_off(r, pid);

	if (ret < 0)
		native(r, pid, "there is no injector");
	else if (place)
		*place = pid;
}

/* The injector has answered for @pid: the next may ask. */
static void answered(struct recorder *r, pid_t pid)
{
	pid_t *place = pid ? find_asked(r, pid) : NULL, next;

	if (!place)
		return;
	*place = 0;
	if (!r->n_waiting)
		return;
	next = r->waiting[0];
	memmove(r->waiting, r->waiting + 1, --r->n_waiting * sizeof(*r->waiting));
	recorder_attach(r, next);
}

/* One packet, with the descriptor that may come along. */
static ssize_t receive_with_fd(int socket, void *data, size_t len, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { data, len };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*ret_fd = -1;
	if (n <= 0)
		return n;
	c = CMSG_FIRSTHDR(&header);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	return n;
}

static void drop_injector(struct recorder *r)
{
	r->injector_source = source_free(r->injector_source);
	closep(&r->injector);
	r->injector = -1;
	(void) waitpid(r->injector_pid, NULL, 0);
}

/*
 * It was too slow, for which it kills itself, or somebody killed it. Who waits for it
 * needn't any more; for the next exec there is another, if this one ever did anything.
 */
static void injector_died(struct recorder *r)
{
	drop_injector(r);
	for (struct member *m = r->members; m; m = m->next) {
		pid_t tid = domain_take_exec(m->domain);

		(void) domain_exec_ready(m->domain, tid, false);
		domain_exec_over(m->domain, tid);
	}
	for (unsigned i = 0; i < MAX_ASKED; i++)
		if (r->asked[i])
			recorder_native(r, r->asked[i], "the injector died");
	memset(r->asked, 0, sizeof(r->asked));
	while (r->n_waiting)
		native(r, r->waiting[--r->n_waiting], "the injector died");
	if (r->injector_works && start_injector(r) < 0)
		log_warning("no injector can be started: what the service executes next runs unrecorded");
	r->injector_works = false;
}

/* The command that we were started for waits for that, or a process of ours, which may have given up. */
static void attached(struct recorder *r, pid_t tid)
{
	bool awaited = !r->main_pid;

	for (struct member *m = r->members; m && !awaited; m = m->next)
		awaited = domain_exec_ready(m->domain, tid, true);
	if (!awaited)
		(void) tell_injector(r, INJECT_LET_GO, tid);
	recorder_tell_pid(r, "attached", tid, NULL);
}

static void on_injector(void *userdata)
{
	struct recorder *r = userdata;
	struct inject_message message;
	int memfd;
	ssize_t n = receive_with_fd(r->injector, &message, sizeof(message), &memfd);

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		injector_died(r);
		return;
	}
	if (n != sizeof(message))
		return;
	message.text[sizeof(message.text) - 1] = '\0';
	r->injector_works = true;
	if (message.kind == INJECT_ATTACHED || message.kind == INJECT_NATIVE)
		answered(r, message.pid);
	switch (message.kind) {
	case INJECT_ATTACHED:
		attached(r, message.pid);
		break;
	case INJECT_LEFT:
		for (struct member *m = r->members; m; m = m->next)
			domain_exec_over(m->domain, message.pid);
		break;
	case INJECT_DONE:
		if (memfd >= 0)
			member_image_begins(r, &message, memfd);
		break;
	case INJECT_NATIVE:
		native(r, message.pid, message.text);
		break;
	}
}

/* Bits of enum site_kind. */
static uint32_t sites_of(unsigned instructions)
{
	static const struct {
		unsigned instructions;
		uint32_t sites;
	} table[] = {
		{ INSTRUCTIONS_TSC, 1u << SITE_RDTSC | 1u << SITE_RDTSCP },
		{ INSTRUCTIONS_CPUID, 1u << SITE_CPUID | 1u << SITE_XGETBV | 1u << SITE_RDPID },
		{ INSTRUCTIONS_RANDOM, 1u << SITE_RDRAND | 1u << SITE_RDSEED },
		{ INSTRUCTIONS_VSYSCALL, 1u << SITE_VSYSCALL },
	};
	uint32_t sites = 1u << SITE_XSAVEC;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (instructions & table[i].instructions)
			sites |= table[i].sites;
	return sites;
}

/* The memory that the injector reads, too. */
static int make_known(struct recorder *r)
{
	void *known;

	r->known_fd = memfd_create("blackbox-known", MFD_CLOEXEC);
	if (r->known_fd < 0 || ftruncate(r->known_fd, sizeof(struct known_facts)) < 0)
		return -errno;
	known = mmap(NULL, sizeof(struct known_facts), PROT_READ | PROT_WRITE, MAP_SHARED, r->known_fd, 0);
	if (known == MAP_FAILED)
		return -errno;
	r->env.known = known;
	return 0;
}

/* It ends when we do: its end of the socket tells it. A fork would copy what we have. */
static int spawn_injector(const char *path, int socket, int known_fd, pid_t *ret_pid)
{
	autoclean(closep) int known = fcntl(known_fd, F_DUPFD_CLOEXEC, INJECT_KNOWN_FD + 1);
	char *argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t actions;
	int error;

	if (known < 0)
		return -errno;
	error = posix_spawn_file_actions_init(&actions);
	if (error)
		return -error;
	error = posix_spawn_file_actions_adddup2(&actions, socket, INJECT_FD);
	if (!error)
		error = posix_spawn_file_actions_adddup2(&actions, known, INJECT_KNOWN_FD);
	if (!error)
		error = posix_spawn(ret_pid, path, &actions, NULL, argv, environ);
	(void) posix_spawn_file_actions_destroy(&actions);
	return -error;
}

static int start_injector(struct recorder *r)
{
	struct inject_message setup = { .kind = INJECT_SETUP };
	char path[PATH_MAX];
	int sockets[2], ret;
	pid_t pid;

	ret = helper_path("blackbox-inject", path, sizeof(path));
	if (ret < 0)
		return ret;
	if (!r->env.known) {
		ret = make_known(r);
		if (ret < 0)
			return ret;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	ret = spawn_injector(path, sockets[1], r->known_fd, &pid);
	if (ret < 0) {
		(void) close(sockets[0]);
		(void) close(sockets[1]);
		return ret;
	}
	(void) close(sockets[1]);
	r->injector = sockets[0];
	r->injector_pid = pid;
	setup.config = (struct agent_config){
		.ring_len = r->policy.log_buffer_bytes,
		.tick_shift = 11,	/* 2048 cycles: a microsecond, more or less */
		.stall_ns = r->policy.stall_ns,
		.stall_period_ns = UINT64_C(10000000000),
		.crash_hold_ns = r->policy.crash_hold_ns,
		.hold_exit = (r->policy.triggers & (TRIGGER_EXIT | TRIGGER_EXIT_STATUS)) != 0,
		.slice_ns = UINT64_C(10000000),
		.place = (r->policy.placement & PLACEMENT_TURNS) != 0,
		.freeze_signals = r->policy.freeze_signals,
		.change_code = sites_of(r->policy.instructions),
		.stub_after = r->policy.stub_after,
		.chaos_seed = r->policy.chaos_seed,
	};
	xstate_learn(&setup.config.xstate);
	ret = send(r->injector, &setup, sizeof(setup), MSG_NOSIGNAL) < 0 ? -errno : 0;
	if (ret == 0)
		ret = loop_add_fd(r->loop, r->injector, on_injector, r, &r->injector_source);
	if (ret < 0)
		drop_injector(r);
	return ret;
}

/* -- control --------------------------------------------------------------------------------------------- */

static void obey(struct recorder *r, struct json_object *message)
{
	const char *verb = json_text(message, "do");

	if (strcmp(verb, "attach") == 0)
		recorder_attach(r, (int)json_number(message, "pid"));
	else if (strcmp(verb, "freeze") == 0)
		ask_freeze(r);
	else if (strcmp(verb, "status") == 0)
		recorder_tell(r, recorder_status(r));
	else if (strcmp(verb, "exited") == 0)
		members_main_exited(r);
	else if (strcmp(verb, "gone") == 0)
		members_main_gone(r);
}

static void on_control(void *userdata)
{
	struct recorder *r = userdata;
	char text[4096];
	struct json_object *message;
	ssize_t n = recv(r->control, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* Nobody listens any more. The service is recorded on until it ends. */
		r->control_source = source_free(r->control_source);
		r->control = -1;
		r->over = !r->members;
		if (!r->members)
			loop_stop(r->loop);
		return;
	}
	text[n] = '\0';
	message = json_tokener_parse(text);
	if (message)
		obey(r, message);
	(void) json_object_put(message);
}

/* -- begin and end ------------------------------------------------------------------------------------------ */

static void on_terminate(void *userdata)
{
	struct recorder *r = userdata;

	for (struct member *m = r->members; m; m = m->next) {
		domain_pass(m->domain);
		domain_flush(m->domain);
	}
	recorder_say_stopped(r);
	loop_stop(r->loop);
}

static int await_terminate(struct recorder *r)
{
	sigset_t signals;

	(void) sigemptyset(&signals);
	(void) sigaddset(&signals, SIGTERM);
	(void) sigprocmask(SIG_BLOCK, &signals, NULL);
	r->terminate = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->terminate < 0 ? -errno :
				  loop_add_fd(r->loop, r->terminate, on_terminate, r, &r->terminate_source);
}

static uint64_t tsc(void)
{
	return __builtin_ia32_rdtsc();
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Both clocks at one moment: of a few readings the one that took the least. */
static void read_clocks(uint64_t *ret_tsc, uint64_t *ret_mono_ns)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t begin = tsc(), ns = monotonic_ns(), took = tsc() - begin;

		if (took >= least)
			continue;
		least = took;
		*ret_tsc = begin + took / 2;
		*ret_mono_ns = ns;
	}
}

/* A reading is right to a fraction of a microsecond; setting up takes longer than this. */
#define CALIBRATION_NS UINT64_C(200000)

/* Event times are TSC differences; what has passed since @env's zero gives their scale. */
static void calibrate(struct domain_env *env)
{
	uint64_t tsc_now, mono_now;

	do
		read_clocks(&tsc_now, &mono_now);
	while (mono_now - env->mono_zero < CALIBRATION_NS);
	env->tsc_per_ns = (double)(tsc_now - env->tsc_zero) / (double)(mono_now - env->mono_zero);
}

/* -- the disk ------------------------------------------------------------------------------------------------- */

void recorder_sync_soon(struct recorder *r)
{
	source_at(r->sync_timer, store_sync_due(r->env.store));
}

static void on_sync(void *userdata)
{
	struct recorder *r = userdata;

	(void) store_sync(r->env.store);
	recorder_sync_soon(r);
}

/* -- what an earlier recorder left ---------------------------------------------------------------------------- */

static void *read_left(void *argument)
{
	struct recorder *r = argument;
	uint64_t one = 1;
	int ret = recovery_look(r->recovery);

	(void) !write(r->reader_done, &one, sizeof(one));
	return (void *)(intptr_t)ret;
}

/* It has been read: now it becomes an incident, or else is given up. */
void recorder_finish_recovery(struct recorder *r)
{
	struct json_object *news;
	void *result;
	int ret;

	if (!r->recovery)
		return;
	r->reader_source = source_free(r->reader_source);
	(void) pthread_join(r->reader, &result);
	closep(&r->reader_done);
	ret = (int)(intptr_t)result;
	if (ret == 0)
		ret = recovery_commit(MOVE(r->recovery), &news);
	else
		r->recovery = recovery_abort(r->recovery);
	if (ret == 0)
		recorder_tell(r, news);
	else if (ret != -ENODATA)
		log_error("the window of the recorder before this one is lost: %s", strerror(-ret));
}

static void on_read_left(void *userdata)
{
	recorder_finish_recovery(userdata);
}

/*
 * Pinned at once, so that recording can begin; reading all of it takes as long as the disk
 * does, and nobody waits for that.
 */
static int begin_recovery(struct recorder *r)
{
	sigset_t all, old;
	int ret = recovery_begin(r->env.store, r->dir, &r->recovery);

	if (ret < 0)
		log_error("the window of the recorder before this one is lost: %s", strerror(-ret));
	if (ret < 0 || !r->recovery)
		return 0;
	r->reader_done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->reader_done < 0)
		return -errno;
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&r->reader, NULL, read_left, r);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		closep(&r->reader_done);
		r->recovery = recovery_abort(r->recovery);
		return -ret;
	}
	return loop_add_fd(r->loop, r->reader_done, on_read_left, r, &r->reader_source);
}

/* -- what is known from earlier recordings -------------------------------------------------------------------- */

static void learn_what_is_known(struct recorder *r)
{
	char path[PATH_MAX];

	if (known_path(path, sizeof(path)) == 0)
		known_load(path, r->env.known);
	else
		known_ask_processor(r->env.known);
	r->n_images_loaded = r->env.known->n_images;
}

/* Of a command only: services of one user may be kept apart by what systemd takes from them. */
static void keep_what_is_known(const struct recorder *r)
{
	char path[PATH_MAX];

	if (r->of_command && r->env.known && r->env.known->n_images != r->n_images_loaded && known_path(path, sizeof(path)) == 0)
		known_save(path, r->env.known);
}

/* -- the whole -------------------------------------------------------------------------------------------- */

/* The service is over: who hears it needn't wait until we have put everything away. */
static void say_ended(struct recorder *r)
{
	recorder_finish_recovery(r);	/* it is the last word */
	if (r->env.store) {
		/* What couldn't be removed stays ours until the store is closed. */
		if (store_clear(r->env.store) == 0 && !store_has_live(r->env.store))
			store_unlock(r->env.store);
	}
	recorder_tell(r, recorder_news("ended"));
}

static void recorder_deinit(struct recorder *r)
{
	if (r->over)
		say_ended(r);
	while (r->members)
		member_drop(r->members);
	domain_env_end(&r->env);
	recorder_finish_recovery(r);
	keep_what_is_known(r);
	recorder_forget(r);
	free(r->waiting);
	r->env.store = store_close(r->env.store);
	r->control_source = source_free(r->control_source);
	r->terminate_source = source_free(r->terminate_source);
	r->freeze_timer = source_free(r->freeze_timer);
	r->sync_timer = source_free(r->sync_timer);
	r->injector_source = source_free(r->injector_source);
	closep(&r->terminate);
	closep(&r->injector);
	if (r->env.known)
		(void) munmap(r->env.known, sizeof(*r->env.known));
	closep(&r->known_fd);
	r->env.packer = packer_free(r->env.packer);
	r->env.files = files_free(r->env.files);
	r->loop = loop_free(r->loop);
	(void) json_object_put(r->command);
	policy_deinit(&r->policy);
}

static int open_store(struct recorder *r)
{
	const struct store_limits limits = {
		.max_bytes = r->policy.ring_bytes,
		.window_ns = r->policy.window_ns,
		.incidents_percent = r->policy.incidents_percent,
		.sync_ns = r->policy.sync_ns,
		.keep_free_bytes = policy_bytes(r->policy.keep_free, r->dir),
	};
	const struct timespec nap = { 0, 50000000 };
	int ret = store_open(r->dir, &limits, &r->env.store);

	/* Who makes an incident of what is left there is done soon. */
	for (unsigned i = 0; ret == -EBUSY && i < STORE_PATIENCE; i++) {
		(void) nanosleep(&nap, NULL);
		ret = store_open(r->dir, &limits, &r->env.store);
	}
	if (ret == -EBUSY)
		log_error("%s is in use by another recording", r->dir);
	else if (ret < 0)
		log_error("can't open the store in %s: %s", r->dir, strerror(-ret));
	return ret;
}

static int set_up(struct recorder *r)
{
	int ret = loop_new(&r->loop);

	if (ret == 0)
		ret = await_terminate(r);
	if (ret < 0)
		return ret;
	/* It is on its way while we do the rest. */
	ret = start_injector(r);
	if (ret < 0)
		return ret;
	learn_what_is_known(r);
	ret = open_store(r);
	if (ret < 0)
		return ret;
	r->env.policy = &r->policy;
	r->env.files = files_new();
	if (!r->env.files)
		return -ENOMEM;
	ret = packer_new(&r->env.packer);
	if (ret < 0)
		return ret;
	ret = loop_add_fd(r->loop, r->control, on_control, r, &r->control_source);
	if (ret == 0)
		ret = loop_add(r->loop, on_freeze_patience, r, &r->freeze_timer);
	if (ret == 0)
		ret = loop_add(r->loop, on_sync, r, &r->sync_timer);
	if (ret == 0)
		ret = begin_recovery(r);
	if (ret == 0)
		recorder_say_about(r);
	return ret;
}

/* Each process of the service takes some; what it starts with may be a shell's limit. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void) setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const char *dir, struct policy *policy, bool of_command)
{
	autoclean(recorder_deinit) struct recorder r = {
		.control = RECORDER_FD,
		.injector = -1,
		.known_fd = -1,
		.terminate = -1,
		.reader_done = -1,
		.dir = dir,
		.policy = *policy,
		.of_command = of_command,
	};
	int ret;

	*policy = (struct policy){ 0 };
	log_setup("blackbox-recorder");
	(void) prctl(PR_SET_NAME, "blackbox-record");
	(void) fcntl(RECORDER_FD, F_SETFD, FD_CLOEXEC);
	allow_descriptors();
	read_clocks(&r.env.tsc_zero, &r.env.mono_zero);
	ret = set_up(&r);
	if (ret < 0) {
		log_error("can't start: %s", strerror(-ret));
		return EXIT_FAILURE;
	}
	calibrate(&r.env);
	ret = loop_run(r.loop);
	if (ret < 0)
		log_error("the event loop failed: %s", strerror(-ret));
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int recorder_run(const char *dir, struct policy *policy)
{
	return run(dir, policy, false);
}

int recorder_fork(const char *dir, struct policy *policy, struct recorder_link *ret_link)
{
	int sockets[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int ret = -errno;

		(void) close(sockets[0]);
		(void) close(sockets[1]);
		return ret;
	}
	if (pid == 0) {
		(void) close(sockets[0]);
		recorder_own_session(sockets[1]);
		(void) close_range(RECORDER_FD + 1, ~0U, 0);
		exit(run(dir, policy, true));
	}
	(void) close(sockets[1]);
	*ret_link = (struct recorder_link){ sockets[0], pid };
	return 0;
}
