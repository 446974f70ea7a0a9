/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What has been written goes to the disk now and then, so that a window survives the host.
 *
 * A round takes what was written since the last; a thread of its own waits for the disk. What
 * is in the disk's hands is only then counted as there: the window doesn't give up a segment
 * before the next one's snapshot is (room.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/store-internal.h"

/*
 * What is to be synced is held open until it is. A service that forks all the time makes some
 * files for each process: when they take a quarter of the descriptors that we may have, the round
 * syncs the whole file system, which is one. That waits for what others have written, too.
 */
static size_t dirty_max(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 > 4096 ? 4096 : limit.rlim_cur / 4;
}

struct sync {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wanted;
	/* Of the thread, while it is busy; else of the store. */
	int *fds;
	size_t n;
	bool all, busy, stop;
	int error;		/* of the round that ended last */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Files first, then the directories that name them: the order in which they were noted. */
static int sync_all(const int *fds, size_t n, bool all)
{
	int error = 0;

	for (size_t i = 0; i < n; i++) {
		int r = all ? io_sync_all(fds[i]) : io_sync(fds[i]);

		if (!error)
			error = r;
		(void) close(fds[i]);
	}
	return error;
}

static void *run(void *argument)
{
	struct sync *sync = argument;

	(void) pthread_mutex_lock(&sync->mutex);
	for (;;) {
		int error;

		while (!sync->busy && !sync->stop)
			(void) pthread_cond_wait(&sync->wanted, &sync->mutex);
		if (!sync->busy)
			break;
		(void) pthread_mutex_unlock(&sync->mutex);
		error = sync_all(sync->fds, sync->n, sync->all);
		(void) pthread_mutex_lock(&sync->mutex);
		sync->n = 0;
		sync->error = error;
		sync->busy = false;
	}
	(void) pthread_mutex_unlock(&sync->mutex);
	return NULL;
}

static int sync_new(struct sync **ret_sync)
{
	struct sync *sync = calloc(1, sizeof(*sync));
	sigset_t all, old;
	int r;

	if (!sync)
		return -ENOMEM;
	(void) pthread_mutex_init(&sync->mutex, NULL);
	(void) pthread_cond_init(&sync->wanted, NULL);
	/* Signals are for others. */
	(void) sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&sync->thread, NULL, run, sync);
	(void) pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		free(sync);
		return -r;
	}
	*ret_sync = sync;
	return 0;
}

/* Waits for a round under way: on a disk that hangs, as long as it does. */
static void sync_free(struct sync *sync)
{
	if (!sync)
		return;
	(void) pthread_mutex_lock(&sync->mutex);
	sync->stop = true;
	(void) pthread_cond_signal(&sync->wanted);
	(void) pthread_mutex_unlock(&sync->mutex);
	(void) pthread_join(sync->thread, NULL);
	(void) pthread_cond_destroy(&sync->wanted);
	(void) pthread_mutex_destroy(&sync->mutex);
	free(sync->fds);
	free(sync);
}

/* -- what is to be synced ------------------------------------------------------------------------ */

static void forget_dirty(struct store *store)
{
	for (size_t i = 0; i < store->n_dirty; i++)
		(void) close(store->dirty[i]);
	store->n_dirty = 0;
}

/* One descriptor in the place of all. */
static void note_all(struct store *store)
{
	int fd = fcntl(store->dir_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return;
	forget_dirty(store);
	store->dirty[store->n_dirty++] = fd;
	store->dirty_all = true;
}

static void add_fd(struct store *store, int fd)
{
	int *grown = array_grow(store->dirty, store->n_dirty, sizeof(*grown));

	if (!store->n_dirty)
		store->dirty_since_ns = now_ns();
	if (!grown) {
		store->lost_round = store->round;
		(void) close(fd);
		return;
	}
	store->dirty = grown;
	grown[store->n_dirty++] = fd;
	if (store->n_dirty >= dirty_max())
		note_all(store);
}

void sync_note_file(struct store *store, struct chunk_writer *writer)
{
	int fd;

	if (!store->limits.sync_ns || writer->dirty_round == store->round)
		return;
	writer->dirty_round = store->round;
	if (store->dirty_all)
		return;
	fd = fcntl(writer->file.fd, F_DUPFD_CLOEXEC, 0);
	if (fd >= 0)
		add_fd(store, fd);
	else
		store->lost_round = store->round;
}

void sync_note_dir(struct store *store, int dir_fd, const char *name)
{
	int fd;

	if (!store->limits.sync_ns || store->dirty_all)
		return;
	if (tree_open_dir(dir_fd, name, &fd) == 0)
		add_fd(store, fd);
	else
		store->lost_round = store->round;
}

/* -- rounds -------------------------------------------------------------------------------------------- */

/* Takes note of a round that has ended. True: none is under way. */
static bool collect(struct store *store)
{
	struct sync *sync = store->sync;
	bool busy;
	int error;

	if (!sync)
		return true;
	(void) pthread_mutex_lock(&sync->mutex);
	busy = sync->busy;
	error = sync->error;
	(void) pthread_mutex_unlock(&sync->mutex);
	if (busy || store->synced_round == store->round - 1)
		return !busy;
	store->synced_round = store->round - 1;
	if (error < 0) {
		/* What the disk has thrown away nobody can say: none of it counts. */
		(void) store_disk_error(store, error);
		store->lost_round = store->synced_round;
	}
	return true;
}

bool sync_lost(const struct store *store, uint64_t first)
{
	return store->lost_round && first <= store->lost_round;
}

/* Round 0 was before our time. */
bool sync_has(struct store *store, uint64_t first, uint64_t last)
{
	if (!store->limits.sync_ns || last == 0)
		return true;
	(void) collect(store);
	return last <= store->synced_round && !sync_lost(store, first);
}

uint64_t store_sync_due(struct store *store)
{
	/* Half of the time is for the disk, and for those who hand the bytes to us. */
	uint64_t wait = store->limits.sync_ns / 2;

	if (!store->limits.sync_ns || !store->n_dirty)
		return UINT64_MAX;
	return collect(store) ? store->dirty_since_ns + wait : now_ns() + wait;
}

int store_sync(struct store *store)
{
	struct sync *sync;
	int r;

	if (!store->n_dirty || !collect(store))
		return 0;
	if (!store->sync) {
		r = sync_new(&store->sync);
		if (r < 0)
			return r;
	}
	io_wait(store->io);	/* what is in flight isn't the kernel's yet to sync */
	sync = store->sync;
	(void) pthread_mutex_lock(&sync->mutex);
	free(sync->fds);
	sync->fds = MOVE(store->dirty);
	sync->n = store->n_dirty;
	sync->all = store->dirty_all;
	sync->busy = true;
	(void) pthread_cond_signal(&sync->wanted);
	(void) pthread_mutex_unlock(&sync->mutex);
	store->n_dirty = 0;
	store->dirty_all = false;
	store->round++;
	return 0;
}

void store_sync_end(struct store *store)
{
	forget_dirty(store);
	free(MOVE(store->dirty));
	sync_free(MOVE(store->sync));
}
