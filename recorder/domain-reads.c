/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that can't change: large reads of them are logged by reference (agent/references.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/domain-internal.h"

enum device { DEVICE_UNKNOWN, DEVICE_CHANGES, DEVICE_FIXED };

/* The type of the file system on a line of mountinfo, if it is that of @dev. */
static bool type_of_mount(const char *line, dev_t dev, char ret_type[static 32])
{
	const char *rest = strstr(line, " - ");
	unsigned major, minor;

	return rest && sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 && makedev_of(major, minor) == dev &&
	       sscanf(rest, " - %31s", ret_type) == 1;
}

/*
 * Whatever is mounted where: all that has the device is of one file system. The file itself isn't
 * looked at before that is known, for others may be slow to answer.
 */
static enum device look_up(const char *path, dev_t dev)
{
	autoclean(fclosep) FILE *file = fopen(path, "re");
	autoclean(freep) char *line = NULL;
	size_t size = 0;
	char type[32];

	while (file && getline(&line, &size, file) > 0)
		if (type_of_mount(line, dev, type))
			return files_are_fixed(type) ? DEVICE_FIXED : DEVICE_CHANGES;
	return DEVICE_UNKNOWN;
}

static enum device look_at_device(pid_t pid, dev_t dev)
{
	char path[64];
	enum device what;

	(void) snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	what = look_up(path, dev);
	if (what != DEVICE_UNKNOWN)
		return what;
	/* Some have numbers that no list of mounts says. But the process may be gone already. */
	return access(path, F_OK) == 0 ? DEVICE_CHANGES : look_up("/proc/self/mountinfo", dev);
}

/* An incident must have room for them beside the window. */
static uint64_t max_bytes(const struct policy *policy)
{
	return policy->ring_bytes / 100 * policy->incidents_percent / 2;
}

/* Others of the service needn't ask again. */
static void tell_changing(struct domain *d)
{
	size_t n;
	const uint64_t *devices = files_changing(d->env->files, &n);

	for (size_t i = 0; i < n && i < MAX_CHANGING_DEVICES; i++)
		d->shared->changing_devices[i] = devices[i];
	__atomic_store_n(&d->shared->n_changing_devices, (uint32_t)n, __ATOMIC_RELEASE);
}

void offer_read_files(struct domain *d)
{
	struct mapped_file *file;
	size_t at = 0;

	tell_changing(d);
	for (unsigned i = MAX_ASKED_FILES; i < MAX_READ_FILES; i++) {
		struct read_file *offer = &d->shared->read_files[i];

		file = files_next_held(d->env->files, &at);
		if (!file)
			return;
		offer->dev = file->id.dev;
		offer->ino = file->id.ino;
		offer->size = file->id.size;
		offer->mtime_ns = file->id.mtime_ns;
		files_share(file);
		d->read_files[i] = file;
		__atomic_store_n(&offer->state, READ_FILE_HELD, __ATOMIC_RELEASE);
	}
}

static enum read_file_state answer(struct domain *d, unsigned i)
{
	/* Either may be written to meanwhile. */
	const struct read_file asked = d->shared->read_files[i];
	const struct file_id id = { asked.dev, asked.ino, asked.size, asked.mtime_ns };
	pid_t pid = living_task(d);
	enum device device = look_at_device(pid, asked.dev);
	char path[READ_FILE_PATH];

	if (device == DEVICE_CHANGES) {
		files_note_changing(d->env->files, asked.dev);
		tell_changing(d);
		return READ_FILE_CHANGES;
	}
	if (device == DEVICE_UNKNOWN || asked.path_len >= sizeof(path))
		return READ_FILE_REFUSED;
	memcpy(path, d->shared->read_file_paths[i], sizeof(path));
	path[asked.path_len] = '\0';
	if (path[0] != '/')
		return READ_FILE_REFUSED;
	d->read_files[i] = files_hold(d->env->files, pid, path, &id, max_bytes(d->env->policy));
	return d->read_files[i] ? READ_FILE_HELD : READ_FILE_REFUSED;
}

void hold_read_files(struct domain *d)
{
	uint32_t asked = load(&d->shared->n_read_files_asked);

	if (asked == d->read_files_asked)
		return;
	d->read_files_asked = asked;
	for (unsigned i = 0; i < MAX_ASKED_FILES; i++)
		if (load(&d->shared->read_files[i].state) == READ_FILE_ASKED && !d->read_files[i])
			__atomic_store_n(&d->shared->read_files[i].state, answer(d, i), __ATOMIC_RELEASE);
}

void note_reference(struct domain *d, const struct event *event)
{
	const struct event_reference *reference = (const struct event_reference *)(event + 1);
	struct file_id id;

	if (event->len < sizeof(*event) + sizeof(*reference))
		return;
	id = (struct file_id){ reference->dev, reference->ino, reference->size, reference->mtime_ns };
	if (!files_refer(d->env->files, &id))
		d->missing_files++;
}

static void leave(struct domain *d, unsigned i, bool in_flight)
{
	__atomic_store_n(&d->shared->read_files[i].state, READ_FILE_LEFT, __ATOMIC_RELEASE);
	files_leave(d->read_files[i], in_flight);
	d->read_files[i] = NULL;
}

void domain_trim_reads(struct domain *d, uint64_t begin_ns)
{
	for (unsigned i = 0; i < MAX_READ_FILES; i++)
		if (d->read_files[i] && !files_is_used(d->read_files[i], begin_ns))
			leave(d, i, true);
}

void leave_read_files(struct domain *d)
{
	for (unsigned i = 0; i < MAX_READ_FILES; i++)
		if (d->read_files[i])
			leave(d, i, false);
}
