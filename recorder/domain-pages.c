/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Shared memory that processes hand over (directory.h), seen from the recorder: it keeps the
 * directory in order when one of them has ended, and kicks who is asked for a page in vain.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "recorder/domain-internal.h"
#include "recorder/image.h"

enum { TURN_LOOKS = 100, TURN_LOOKS_NS = 50000 };

static int map_directory(struct domain *d)
{
	void *directory = mmap(NULL, DIRECTORY_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, d->directory_fd, 0);

	if (directory == MAP_FAILED)
		return -errno;
	d->directory = directory;
	return 0;
}

/* As long as it must be, for good: what we have mapped mustn't go away. */
static int set_up(struct domain *d)
{
	if (ftruncate(d->directory_fd, DIRECTORY_LEN) < 0 ||
	    fcntl(d->directory_fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return map_directory(d);
}

void domain_take_directory(struct domain *d, int fd)
{
	if (fd >= 0 && !d->directory) {
		d->directory_fd = fd;
		if (set_up(d) == 0)
			return;
		d->directory_fd = -1;
	}
	closep(&fd);
	__atomic_store_n(&d->shared->directory_fd, -1, __ATOMIC_SEQ_CST);
}

int domain_inherit_directory(struct domain *d, const struct domain *parent)
{
	if (!parent->directory)
		return 0;
	d->directory_fd = fcntl(parent->directory_fd, F_DUPFD_CLOEXEC, 3);
	return d->directory_fd < 0 ? -errno : map_directory(d);
}

/* Its place in the directory; false: none. */
static bool member_of(const struct domain *d, uint32_t *ret_member)
{
	*ret_member = OWNER_MEMBER(load(&d->shared->owner));
	return d->directory && *ret_member < DIRECTORY_MEMBERS;
}

void domain_leave_directory(struct domain *d)
{
	if (d->directory)
		directory_member_ends(d->directory, load(&d->shared->owner));
	if (domain_shares_memory(d))	/* an incident will ask */
		__atomic_store_n(&d->shared->shares_memory, 1, __ATOMIC_SEQ_CST);
	if (d->directory)
		(void) munmap(d->directory, DIRECTORY_LEN);
	d->directory = NULL;
	closep(&d->directory_fd);
	d->directory_fd = -1;
}

bool domain_pages_are_wanted(const struct domain *d)
{
	return d->directory && __atomic_exchange_n(&d->directory->kicks, 0, __ATOMIC_SEQ_CST);
}

void domain_kick_for_pages(struct domain *d)
{
	uint32_t member;

	if (!member_of(d, &member) ||
	    !__atomic_exchange_n(&d->directory->members[member].kick, 0, __ATOMIC_SEQ_CST))
		return;
	(void) __atomic_fetch_or(&d->shared->attention, ATTENTION_PAGES, __ATOMIC_SEQ_CST);
	kick_holder(d);
}

bool domain_shares_memory(const struct domain *d)
{
	return load(&d->shared->shares_memory) || (d->directory && load(&d->directory->broken));
}

bool domain_family_is_lost(const struct domain *d)
{
	return d->directory && load(&d->directory->lost);
}

/* -- memory that isn't handed over ------------------------------------------------------------------ */

void domain_look_at_shares(struct domain *d)
{
	char path[64], line[4352], perms[5];
	autoclean(fclosep) FILE *file = NULL;
	unsigned major, minor;
	uint64_t ino;

	(void) snprintf(path, sizeof(path), "/proc/%d/maps", living_task(d));
	file = fopen(path, "re");
	/* It is dead, or dies, and has no memory left: what was seen last counts. */
	if (!file || !fgets(line, sizeof(line), file))
		return;
	d->n_shares = 0;
	do
		if (sscanf(line, "%*x-%*x %4s %*x %x:%x %lu", perms, &major, &minor, &ino) == 4 &&
		    perms[1] == 'w' && perms[3] == 's')
			d->shares[d->n_shares++] = (struct shared_object){ makedev_of(major, minor), ino };
	while (fgets(line, sizeof(line), file) && d->n_shares < MAX_SHARES);
}

static bool are_family(const struct domain *a, const struct domain *b)
{
	struct stat x, y;

	return a->directory && b->directory && fstat(a->directory_fd, &x) == 0 &&
	       fstat(b->directory_fd, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

bool domain_shares_unhanded(const struct domain *a, const struct domain *b)
{
	for (size_t i = 0; a != b && i < a->n_shares; i++)
		for (size_t j = 0; j < b->n_shares; j++)
			if (a->shares[i].ino == b->shares[j].ino && a->shares[i].dev == b->shares[j].dev)
				return !are_family(a, b);
	return false;
}

/* -- whose a page is ------------------------------------------------------------------------------ */

static const struct directory_object *find_object(const struct domain *d, uint32_t member,
						  const struct image_map *map)
{
	for (size_t i = 0; i < DIRECTORY_OBJECTS; i++) {
		const struct directory_object *object = &d->directory->objects[i];

		if (object->ino == le64_get(map->ino) && object->dev == le64_get(map->dev) &&
		    (object->mapped[member / 64] & UINT64_C(1) << member % 64))
			return object;
	}
	return NULL;
}

/* While it has the turn nobody else changes what is shared by turns. */
static bool may_have_changed(const struct domain *d, uint32_t word, uint32_t first, uint32_t me, bool by_turns)
{
	uint32_t owner = word & ~PAGE_WANTED;

	if (by_turns && owner == PAGE_BY_TURNS)
		return load(&d->directory->turn) != me;
	return (owner ? owner : first) != me;
}

size_t domain_others_pages(const struct domain *d, const struct image_map *map, uint64_t *to, size_t max)
{
	const struct directory_object *object;
	uint64_t first = le64_get(map->offset) / IMAGE_PAGE, begin, n, n_pages;
	size_t n_others = 0;
	uint32_t member, me;

	object = member_of(d, &member) ? find_object(d, member, map) : NULL;
	if (!object)
		return 0;
	me = PAGE_OWNER(member, load(&d->directory->members[member].generation));
	begin = load(&object->page);
	n_pages = load(&object->n_pages);
	if (begin > DIRECTORY_PAGES || n_pages > DIRECTORY_PAGES - begin)
		return 0;
	n = (le64_get(map->end) - le64_get(map->start)) / IMAGE_PAGE;
	for (uint64_t i = 0; i < n && first + i < n_pages && n_others < max; i++)
		if (may_have_changed(d, load(&d->directory->pages[begin + first + i]), load(&object->first),
				     me, load(&object->by_turns)))
			to[n_others++] = le64_get(map->start) + i * IMAGE_PAGE;
	return n_others;
}

/* -- what has changed since a snapshot -------------------------------------------------------------- */

void domain_shared_is_read(struct domain *d, const struct image_map *rows, size_t n)
{
	struct turns_seen *now = &d->turns_now;
	uint32_t member;

	now->event = 0;
	now->n_rows = 0;
	if (!member_of(d, &member))
		return;
	free(now->rows);
	now->rows = calloc(n + 1, sizeof(*rows));
	for (size_t i = 0; now->rows && i < n; i++)
		if (le32_get(rows[i].kind) == IMAGE_SHARED)
			now->rows[now->n_rows++] = rows[i];
	if (now->n_rows && load(&d->directory->turn) == load(&d->shared->owner)) {
		now->event = d->capture_event;
		now->epoch = load(&d->directory->turn_epoch);
		now->journal_end = __atomic_load_n(&d->directory->journal_end, __ATOMIC_ACQUIRE);
	}
}

void domain_shared_is_stored(struct domain *d)
{
	free(d->turns_before.rows);
	d->turns_before = d->turns_now;
	d->turns_now = (struct turns_seen){ 0 };
}

/* Was that memory there? */
static bool was_mapped(const struct turns_seen *before, const struct image_map *map, uint64_t address)
{
	for (size_t i = 0; i < before->n_rows; i++) {
		const struct image_map *row = &before->rows[i];

		if (address >= le64_get(row->start) && address < le64_get(row->end))
			return le64_get(row->dev) == le64_get(map->dev) && le64_get(row->ino) == le64_get(map->ino) &&
			       le64_get(row->offset) - le64_get(row->start) ==
				       le64_get(map->offset) - le64_get(map->start);
	}
	return false;
}

void domain_compare_shared(const struct domain *d, uint64_t base, const struct image_map *map,
			   uint64_t address, size_t n, bool *same)
{
	const struct turns_seen *now = &d->turns_now, *before = &d->turns_before;
	uint64_t page = (le64_get(map->offset) + address - le64_get(map->start)) / IMAGE_PAGE, begin, n_pages;
	const struct directory_object *object;
	uint32_t member;

	if (!now->event || !before->event || before->event != base || before->epoch != now->epoch ||
	    !member_of(d, &member))
		return;
	object = find_object(d, member, map);
	if (!object || !load(&object->by_turns))
		return;
	begin = load(&object->page);
	n_pages = load(&object->n_pages);
	if (begin > DIRECTORY_PAGES || n_pages > DIRECTORY_PAGES - begin)
		return;
	for (size_t i = 0; i < n && page + i < n_pages; i++)
		same[i] = load(&d->directory->pages[begin + page + i]) == PAGE_BY_TURNS &&
			  __atomic_load_n(&d->directory->changed[begin + page + i], __ATOMIC_RELAXED) <=
				  before->journal_end &&
			  was_mapped(before, map, address + i * IMAGE_PAGE);
}

/* -- turns ------------------------------------------------------------------------------------------ */

bool domain_takes_turns(const struct domain *d)
{
	uint32_t member;

	if (!member_of(d, &member))
		return false;
	for (size_t i = 0; i < DIRECTORY_OBJECTS; i++)
		if (load(&d->directory->objects[i].by_turns) &&
		    (d->directory->objects[i].mapped[member / 64] & UINT64_C(1) << member % 64))
			return true;
	return false;
}

static bool become(uint32_t *word, uint32_t was, uint32_t is)
{
	return __atomic_compare_exchange_n(word, &was, is, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool domain_take_turn(struct domain *d)
{
	const struct timespec pause = { .tv_nsec = TURN_LOOKS_NS };
	struct directory *directory = d->directory;

	if (!directory || become(&directory->turn, 0, TURN_RECORDERS))
		return true;
	/* Whose turn it is gives it to who wants it. */
	if (!become(&directory->turn_wanted, 0, TURN_RECORDERS))
		return false;
	for (unsigned i = 0; i < TURN_LOOKS; i++) {
		if (load(&directory->turn) == TURN_RECORDERS || become(&directory->turn, 0, TURN_RECORDERS))
			break;
		(void) nanosleep(&pause, NULL);
	}
	if (!become(&directory->turn_wanted, TURN_RECORDERS, 0))
		(void) nanosleep(&pause, NULL);	/* it is being given */
	return load(&directory->turn) == TURN_RECORDERS;
}

bool domain_give_turn(struct domain *d)
{
	uint32_t *waiter;

	if (!d->directory)
		return true;
	if (!become(&d->directory->turn, TURN_RECORDERS, 0))
		return false;
	waiter = directory_offer_turn(d->directory, DIRECTORY_MEMBERS);
	if (waiter)
		wake_word(waiter);
	return true;
}
