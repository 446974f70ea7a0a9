/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Forked children: shared memory made beforehand, and who got it. The parent's log says at
 * which event a child began; the child's first snapshot is a reference to that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/domain-internal.h"
#include "recorder/image.h"
#include "ringstore/format.h"

/* -- spares -------------------------------------------------------------------------------------- */

/* The descriptor that the agent names. The service could name any of its own: only a memfd will do. */
static int open_memfd(const struct domain *d, int number)
{
	char path[64], target[64];
	ssize_t n;
	int fd;

	(void) snprintf(path, sizeof(path), "/proc/%d/fd/%d", living_task(d), number);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (strncmp(target, "/memfd:", 7) != 0)
		return -EBADF;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* As long as it must be, for good, and with what the agent can't know. */
static int set_up_spare(const struct domain *d, int fd)
{
	struct agent_shared *shared;

	if (ftruncate(fd, (off_t)(SHARED_CONTROL_LEN + d->config.ring_len)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	shared = mmap(NULL, SHARED_CONTROL_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		return -errno;
	shared->abi = AGENT_ABI;
	shared->mode = MODE_RECORD;
	(void) munmap(shared, SHARED_CONTROL_LEN);
	return 0;
}

static int open_spare(const struct domain *d, int number)
{
	autoclean(closep) int fd = number >= 0 ? open_memfd(d, number) : -1;

	return fd >= 0 && set_up_spare(d, fd) == 0 ? MOVE_FD(fd) : -1;
}

static void drop_spares(struct domain *d)
{
	for (unsigned i = 0; i < MAX_SPARES; i++) {
		closep(&d->spares[i]);
		d->spares[i] = -1;
	}
}

void domain_make_spares(struct domain *d, bool wanted)
{
	unsigned n = 0;

	/* The forks that those before were for have been logged. */
	domain_drain(d);
	drop_spares(d);
	/* Children of other pid namespaces can't be told from strangers. */
	while (wanted && d->same_pids && n < MAX_SPARES && (d->spares[n] = open_spare(d, d->shared->spare_fds[n])) >= 0)
		n++;
	for (unsigned i = n; i < MAX_SPARES; i++)
		d->shared->spare_fds[i] = -1;
	if (d->shared->directory_fd >= 0)
		domain_take_directory(d, n ? open_memfd(d, d->shared->directory_fd) : -1);
	__atomic_store_n(&d->shared->spare_state, n ? SPARE_READY : SPARE_REFUSED, __ATOMIC_SEQ_CST);
	wake_word(&d->shared->spare_state);
}

/* -- births ----------------------------------------------------------------------------------------- */

static void remove_birth(struct domain *d, size_t i)
{
	memmove(d->births + i, d->births + i + 1, (--d->n_births - i) * sizeof(*d->births));
}

void fork_ends(struct domain *d, unsigned thread, int64_t result)
{
	for (size_t i = 0; i < d->n_births; i++) {
		struct domain_birth *birth = &d->births[i];

		if (birth->pid || birth->thread != thread)
			continue;
		if (result > 0 && result <= INT32_MAX) {
			birth->pid = (pid_t)result;
		} else {
			(void) close(birth->memfd);
			remove_birth(d, i);
		}
		return;
	}
}

/* Whose log begins at that event: nobody's, as long as there is no number. */
void fork_begins(struct domain *d, uint64_t event, unsigned spare, unsigned thread)
{
	struct domain_birth *births;

	fork_ends(d, thread, 0);
	if (spare >= MAX_SPARES || d->spares[spare] < 0)
		return;
	births = realloc(d->births, (d->n_births + 1) * sizeof(*births));
	if (!births) {
		closep(&d->spares[spare]);
		d->spares[spare] = -1;
		return;
	}
	d->births = births;
	d->births[d->n_births++] = (struct domain_birth){ .memfd = d->spares[spare], .event = event,
							  .ns = d->last_event_ns, .thread = thread };
	d->spares[spare] = -1;
}

/* Who it is by its memory. @at_last: also by its own word for it. 0: nobody has said so. */
static pid_t named_there(const struct domain_birth *birth, bool at_last)
{
	struct agent_shared *shared = mmap(NULL, SHARED_CONTROL_LEN, PROT_READ, MAP_SHARED, birth->memfd, 0);
	uint32_t pid;

	if (shared == MAP_FAILED)
		return 0;
	pid = load(&shared->awaited_pid);
	if (!pid && at_last)
		pid = load(&shared->pid);
	(void) munmap(shared, SHARED_CONTROL_LEN);
	return pid <= INT32_MAX ? (pid_t)pid : 0;
}

bool births_are_known(struct domain *d)
{
	bool any = false;

	for (size_t i = 0; i < d->n_births; i++) {
		if (!d->births[i].pid)
			d->births[i].pid = named_there(&d->births[i], false);
		any |= d->births[i].pid != 0;
	}
	return any;
}

/* The parent has died before it could say: the child itself may have. */
void forks_are_left(struct domain *d)
{
	for (size_t i = d->n_births; i-- > 0;)
		if (!d->births[i].pid)
			fork_ends(d, d->births[i].thread, named_there(&d->births[i], true));
}

bool domain_take_birth(struct domain *d, struct domain_birth *ret_birth)
{
	for (size_t i = 0; i < d->n_births; i++) {
		if (!d->births[i].pid)
			continue;
		*ret_birth = d->births[i];
		remove_birth(d, i);
		return true;
	}
	return false;
}

void births_free(struct domain *d)
{
	for (size_t i = 0; i < d->n_births; i++)
		(void) close(d->births[i].memfd);
	free(d->births);
	drop_spares(d);
}

/* -- the child's domain ---------------------------------------------------------------------------------- */

bool has_mapped(pid_t pid, int memfd)
{
	char path[64], line[4352];
	autoclean(fclosep) FILE *file = NULL;
	struct stat st;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file || fstat(memfd, &st) < 0)
		return false;
	while (fgets(line, sizeof(line), file)) {
		uint64_t ino;
		unsigned major, minor;

		if (sscanf(line, "%*x-%*x %*s %*x %x:%x %lu", &major, &minor, &ino) == 3 && ino == st.st_ino &&
		    makedev_of(major, minor) == st.st_dev)
			return true;
	}
	return false;
}

/* A snapshot without pages: what the parent was at its event is what the child began as. */
static int store_fork(struct domain *d, const struct domain *parent, const struct domain_birth *birth)
{
	struct snapshot_writer *writer;
	struct image_head head = snapshot_head(parent, 0, birth->ns);
	int r;

	head.fork_domain = le32_of(parent->id);
	head.fork_event = le64_of(birth->event);
	r = store_snapshot_begin(d->env->store, d->id, 0, birth->ns, &writer);
	if (r != 0)
		return r < 0 ? r : -ENOSPC;
	r = snapshot_writer_add(writer, CHUNK_SNAPSHOT_HEAD, &head, sizeof(head));
	if (r != 0) {
		(void) snapshot_writer_abort(writer);
		return r < 0 ? r : -ENOSPC;
	}
	r = snapshot_writer_commit(writer);
	return r > 0 ? -ENOSPC : r;
}

int domain_new_child(const struct domain *parent, const struct domain_birth *birth, uint32_t id,
		     struct domain **ret_domain)
{
	autoclean(domain_freep) struct domain *d = domain_alloc(parent->env, id, birth->pid,
								&parent->config, birth->memfd);
	int r;

	if (!d)
		return -ENOMEM;
	d->parent = parent->pid;
	d->stack_limit = parent->stack_limit;
	d->same_pids = true;
	d->was_forked = true;
	d->exe = parent->exe ? strdup(parent->exe) : NULL;
	/* It may be over already, and its number another's. */
	d->pidfd = (int)syscall(SYS_pidfd_open, birth->pid, 0);
	if (d->pidfd >= 0 && !has_mapped(birth->pid, birth->memfd)) {
		(void) close(d->pidfd);
		d->pidfd = -1;
	}
	r = domain_inherit_directory(d, parent);
	if (r == 0)
		r = inherit_stubs(d, parent);
	if (r == 0)
		r = domain_begin(d);
	/* Those that share memory mustn't find out one after the other that nobody is there. */
	if (r == 0 && d->directory && innermost_pid(birth->pid) == (uint64_t)birth->pid)
		__atomic_store_n(&d->shared->recorder_pid, (uint32_t)getpid(), __ATOMIC_RELAXED);
	if (r == 0)
		r = store_fork(d, parent, birth);
	if (r < 0)
		return r;
	*ret_domain = MOVE(d);
	return 0;
}
