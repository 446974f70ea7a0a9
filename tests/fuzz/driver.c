/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Replays saved inputs, one TAP line for each: those in the files and directories
 * that are named as arguments, or in CORPUS below $top_srcdir.
 */
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/autoclean.h"
#include "tests/fuzz/fuzz.h"

/* At its exact size on the heap: reading past its end is then seen. */
static bool replay(const char *path)
{
	autoclean(fclosep) FILE *file = fopen(path, "re");
	autoclean(freep) uint8_t *data = NULL;
	long len;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0)
		return false;
	rewind(file);
	data = malloc((size_t)len + !len);
	if (!data || fread(data, 1, (size_t)len, file) != (size_t)len)
		return false;
	(void) LLVMFuzzerTestOneInput(data, (size_t)len);
	return true;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	const char *x = (*a)->fts_name, *y = (*b)->fts_name;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return *x - *y;
}

int main(int argc, char **argv)
{
	const char *top_srcdir = getenv("top_srcdir");
	autoclean(freep) char *corpus = NULL;
	char *default_argv[] = { NULL, NULL };
	unsigned n = 0, n_failed = 0;
	FTSENT *entry;
	FTS *fts;

	if (asprintf(&corpus, "%s/" CORPUS, top_srcdir ? top_srcdir : ".") < 0)
		return 99;	/* TAP: hard error */
	default_argv[0] = corpus;
	fts = fts_open(argc > 1 ? argv + 1 : default_argv, FTS_LOGICAL | FTS_NOCHDIR, by_name);
	if (!fts)
		return 99;
	while ((entry = fts_read(fts))) {
		bool ok;

		if (entry->fts_info == FTS_D || entry->fts_info == FTS_DP)
			continue;
		ok = entry->fts_info == FTS_F && replay(entry->fts_accpath);
		printf("%s %u - %s\n", ok ? "ok" : "not ok", ++n, entry->fts_name);
		(void) fflush(stdout);	/* the next one may crash */
		n_failed += !ok;
	}
	(void) fts_close(fts);
	printf("1..%u\n", n);
	return n == 0 || n_failed ? 1 : 0;
}
