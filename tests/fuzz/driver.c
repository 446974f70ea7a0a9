/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* main() of a fuzz target without a fuzzer: runs it once on each file that is named. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/autoclean.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The copy has the file's length exactly, so that a sanitizer sees a read behind it. */
static int replay(const char *path)
{
	autoclean(fclosep) FILE *file = fopen(path, "re");
	autoclean(freep) uint8_t *data = NULL;
	long size;

	if (!file || fseek(file, 0, SEEK_END) < 0)
		return -errno;
	size = ftell(file);
	if (size < 0)
		return -errno;
	rewind(file);
	data = malloc((size_t)size);
	if (size > 0 && !data)
		return -ENOMEM;
	if (fread(data, 1, (size_t)size, file) != (size_t)size)
		return -EIO;
	return LLVMFuzzerTestOneInput(data, (size_t)size);
}

int main(int argc, char **argv)
{
	int r;

	for (int i = 1; i < argc; i++) {
		r = replay(argv[i]);
		if (r < 0) {
			(void) fprintf(stderr, "%s: %s\n", argv[i], strerror(-r));
			return 1;
		}
	}
	return 0;
}
