/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dies with known registers, for who compares cores. expect: 139 */
#include "check.h"

int main(void)
{
	__asm__ volatile("mov $0x0101, %%rax; mov $0x0202, %%rbx; mov $0x0303, %%rcx\n"
			 "mov $0x0404, %%rdx; mov $0x0505, %%rsi; mov $0x0606, %%rdi\n"
			 "mov $0x0808, %%r8; mov $0x0909, %%r9; mov $0x1010, %%r10\n"
			 "mov $0x1111, %%r11; mov $0x1212, %%r12; mov $0x1313, %%r13\n"
			 "mov $0x1414, %%r14; mov $0x1515, %%r15\n"
			 "movq %%rax, %%xmm0; movq %%rbx, %%xmm15\n"
			 "movl $1, (%%rax)\n" ::
				 : "memory", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10",
				   "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm15");
	return 1;
}
