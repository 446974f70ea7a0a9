/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys: read and described into buffers of all sizes. */
#include <linux/keyctl.h>
#include <sys/syscall.h>

#include "check.h"

static long keyctl(int operation, long a, const void *b, long c, long d)
{
	return syscall(SYS_keyctl, operation, a, b, c, d);
}

int main(void)
{
	char text[64];
	long key = syscall(SYS_add_key, "user", "blackbox-test", "payload", 7,
			   KEY_SPEC_PROCESS_KEYRING);

	if (key < 0) {
		puts("no keys here");
		return 0;
	}
	puts("keys");
	memset(text, '.', sizeof(text));
	CHECK(keyctl(KEYCTL_READ, key, text, sizeof(text), 0) == 7 && memcmp(text, "payload.", 8) == 0);
	/* Too short: only how much there would be. */
	memset(text, '.', sizeof(text));
	CHECK(keyctl(KEYCTL_READ, key, text, 3, 0) == 7 && text[3] == '.');
	CHECK(keyctl(KEYCTL_READ, key, NULL, 0, 0) == 7);
	CHECK(keyctl(KEYCTL_DESCRIBE, key, text, sizeof(text), 0) > 20 && memcmp(text, "user;", 5) == 0);
	memset(text, '.', sizeof(text));
	CHECK(keyctl(KEYCTL_DESCRIBE, key, text, 4, 0) > 20 && text[0] == '.');
	CHECK(keyctl(KEYCTL_UPDATE, key, "changed", 7, 0) == 0);
	CHECK(keyctl(KEYCTL_READ, key, text, sizeof(text), 0) == 7 && memcmp(text, "changed", 7) == 0);
	CHECK(keyctl(KEYCTL_CAPABILITIES, (long)text, (void *)1, 0, 0) >= 1 || errno == EOPNOTSUPP);
	CHECK(keyctl(KEYCTL_REVOKE, key, NULL, 0, 0) == 0);
	FAILS(keyctl(KEYCTL_READ, key, text, sizeof(text), 0), EKEYREVOKED);
	FAILS(keyctl(4711, key, NULL, 0, 0), EOPNOTSUPP);
	return 0;
}
