/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that a forked child doesn't get, or gets wiped, after it was moved and cut. */
#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

enum { PAGE = 4096 };

static bool is_mapped(char *page)
{
	unsigned char resident;

	return mincore(page, PAGE, &resident) == 0;
}

static char *new_memory(int pages)
{
	char *memory = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	memset(memory, 'x', (size_t)pages * PAGE);
	return memory;
}

int main(void)
{
	char *hidden = new_memory(4), *wiped = new_memory(4), *moved = new_memory(2);
	char *place = new_memory(8);
	int status;

	CHECK(madvise(hidden, 4 * PAGE, MADV_DONTFORK) == 0);
	CHECK(madvise(hidden + PAGE, PAGE, MADV_DOFORK) == 0);
	CHECK(munmap(hidden + 3 * PAGE, PAGE) == 0);
	CHECK(mmap(hidden + 3 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      hidden + 3 * PAGE);
	CHECK(madvise(wiped, 2 * PAGE, MADV_WIPEONFORK) == 0);
	CHECK(madvise(wiped + PAGE, PAGE, MADV_KEEPONFORK) == 0);
	CHECK(madvise(moved, 2 * PAGE, MADV_DONTFORK) == 0);
	moved = mremap(moved, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	CHECK(moved == place);
	FAILS(madvise(hidden + 1, PAGE, MADV_DONTFORK), EINVAL);
	for (int i = 0; i < 20; i++)	/* a snapshot has it all */
		(void) usleep(1000);
	if (fork() == 0) {
		CHECK(!is_mapped(hidden) && is_mapped(hidden + PAGE));
		CHECK(!is_mapped(hidden + 2 * PAGE) && is_mapped(hidden + 3 * PAGE));
		CHECK(hidden[PAGE] == 'x');
		CHECK(wiped[0] == 0 && wiped[PAGE] == 'x' && wiped[2 * PAGE] == 'x');
		CHECK(!is_mapped(place) && !is_mapped(place + 3 * PAGE) && is_mapped(place + 4 * PAGE));
		wiped[0] = 'y';
		if (fork() == 0)
			_exit(wiped[0]);	/* wiped again */
		CHECK(wait(&status) > 0 && status == 0);
		_exit(0);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(hidden[0] == 'x' && wiped[0] == 'x' && moved[PAGE] == 'x');
	return 0;
}
