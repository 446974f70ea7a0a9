/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What recorders have found out, for those that are started after them until the host is: to scan
 * libc and to ask the processor takes longer than a short command runs. The file is a recorder's
 * own, and what is in it as true as it was; lost or damaged it is only made again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/autoclean.h"
#include "recorder/cpuid.h"
#include "recorder/inject.h"
#include "recorder/known.h"

/* Then it is begun anew: much will be of files that are gone. */
static bool is_too_full(const struct known_facts *facts)
{
	return facts->n_images > KNOWN_IMAGES * 3 / 4 || facts->n_sites > KNOWN_SITES * 3 / 4;
}

struct known_file {
	uint64_t image;		/* agent_image_hash(): whose scans these are */
	uint64_t hash;		/* XXH3-64 of the facts */
	struct known_facts facts;
};

int known_path(char *path, size_t size)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	int n;

	if (geteuid() == 0)
		n = snprintf(path, size, "%s/known", RUNDIR);
	else if (dir && *dir == '/')
		n = snprintf(path, size, "%s/blackbox-known", dir);
	else
		return -ENOENT;
	return n < (int)size ? 0 : -ENAMETOOLONG;
}

/* Ours alone to write? */
static bool is_private(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 077) &&
	       st.st_size == sizeof(struct known_file);
}

/* NULL: there is none, or it isn't to be used. */
static struct known_file *read_file(const char *path)
{
	autoclean(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	autoclean(freep) struct known_file *file = NULL;

	if (fd < 0 || !is_private(fd))
		return NULL;
	file = malloc(sizeof(*file));
	if (!file || read(fd, file, sizeof(*file)) != sizeof(*file) || file->image != agent_image_hash() ||
	    file->hash != XXH3_64bits(&file->facts, sizeof(file->facts)) ||
	    is_too_full(&file->facts))
		return NULL;
	return MOVE(file);
}

/*
 * A virtual machine may be on another host by now. What a program may do there these leaves say:
 * features, their state, AMD's features.
 */
static bool is_this_processor(const struct cpuid_table *table)
{
	static const uint32_t telling[][2] = { { 7, 0 }, { 0xd, 1 }, { 0x80000001, 0 } };
	unsigned found = 0;

	for (uint32_t i = 0; i < table->n && i < CPUID_ROWS; i++)
		for (size_t j = 0; j < sizeof(telling) / sizeof(telling[0]); j++) {
			const struct cpuid_row *row = &table->rows[i];
			uint32_t regs[4];

			if (row->leaf != telling[j][0] || row->subleaf != telling[j][1])
				continue;
			cpuid_ask(row->leaf, row->subleaf, regs);
			if (memcmp(regs, row->regs, sizeof(regs)) != 0)
				return false;
			found++;
		}
	return found == sizeof(telling) / sizeof(telling[0]);
}

void known_load(const char *path, struct known_facts *facts)
{
	autoclean(freep) struct known_file *file = read_file(path);

	if (file)
		known_add(facts, &file->facts);
	if (file && is_this_processor(&file->facts.cpuid))
		facts->cpuid = file->facts.cpuid;
	else
		known_ask_processor(facts);
}

void known_save(const char *path, const struct known_facts *facts)
{
	autoclean(freep) struct known_file *file = read_file(path), *now = calloc(1, sizeof(*now));
	autoclean(closep) int fd = -1;
	char temporary[4096 + 16];

	if (!now)
		return;
	/* Others have found out things meanwhile. */
	now->facts.cpuid = facts->cpuid;
	known_add(&now->facts, facts);
	if (file)
		known_add(&now->facts, &file->facts);
	if (is_too_full(&now->facts)) {
		(void) unlink(path);
		return;
	}
	if (file && memcmp(&now->facts, &file->facts, sizeof(file->facts)) == 0)
		return;
	if (geteuid() == 0)
		(void) mkdir(RUNDIR, 0755);	/* as tmpfiles would have it */
	now->image = agent_image_hash();
	now->hash = XXH3_64bits(&now->facts, sizeof(now->facts));
	(void) snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid());
	(void) unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || write(fd, now, sizeof(*now)) != sizeof(*now) || rename(temporary, path) < 0)
		(void) unlink(temporary);
}
