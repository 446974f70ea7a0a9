/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where memory is: policies of nodes, and which node each page is on. */
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "check.h"

int main(void)
{
	enum { PAGE = 4096 };
	char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[3] = { memory, memory + PAGE, memory + 3 * PAGE };
	unsigned long nodes[20];
	int status[4] = { 77, 77, 77, 77 }, mode = -1;

	CHECK(memory != MAP_FAILED);
	memory[0] = memory[PAGE] = 1;
	memset(nodes, 0xee, sizeof(nodes));
	if (syscall(SYS_get_mempolicy, &mode, nodes, 1025, NULL, 0) < 0) {
		CHECK(errno == ENOSYS || errno == EPERM);
		puts("no policies here");
		return 0;
	}
	puts("policies");
	CHECK(mode == MPOL_DEFAULT && nodes[0] == 0 && nodes[15] == 0 && nodes[16] == 0xeeeeeeeeeeeeeeee);
	nodes[0] = 1;
	CHECK(syscall(SYS_mbind, memory, 4 * PAGE, MPOL_BIND, nodes, 64, 0) == 0);
	CHECK(syscall(SYS_get_mempolicy, &mode, nodes, 1025, memory, MPOL_F_ADDR) == 0);
	CHECK(mode == MPOL_BIND && nodes[0] == 1);
	CHECK(syscall(SYS_move_pages, 0, 3, pages, NULL, status, 0) == 0);
	/* Not there; or the page of zeroes, if somebody has looked at it meanwhile. */
	CHECK(status[0] == 0 && status[1] == 0 && (status[2] == -ENOENT || status[2] == -EFAULT) &&
	      status[3] == 77);
	return 0;
}
