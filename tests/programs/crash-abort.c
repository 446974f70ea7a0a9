/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What assert does. expect: 134 */
#include "check.h"

int main(void)
{
	(void) puts("assertion failed");
	(void) fflush(stdout);
	abort();
}
