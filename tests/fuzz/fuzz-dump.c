/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A dump: unpacked, and then read as a replayer would. Inputs without the zstd
 * around the tar are taken as well, and are what mutates best.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "tests/fuzz/fuzz.h"

static void read_to_end(struct chunk_reader *reader)
{
	struct chunk_view view;

	while (chunk_reader_next(reader, &view) == 0)
		;
	(void) chunk_reader_close(reader);
}

static void read_domain(struct incident *incident, uint32_t domain)
{
	autoclean(freep) uint64_t *events = NULL;
	struct chunk_reader *reader;
	size_t n = 0;

	if (incident_snapshots(incident, domain, &events, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (incident_read_snapshot(incident, domain, events[i], &reader) == 0)
			read_to_end(reader);
		if (incident_read_log(incident, domain, events[i], &reader) == 0)
			read_to_end(reader);
	}
	if (incident_read_log(incident, domain, 0, &reader) == 0)
		read_to_end(reader);
	if (incident_read_final(incident, domain, &reader) == 0)
		read_to_end(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	autoclean(incident_closep) struct incident *incident = NULL;
	autoclean(closep) int fd = memfd_create("fuzz", MFD_CLOEXEC);
	autoclean(freep) uint32_t *domains = NULL;
	size_t n;

	if (fd < 0 || tree_pwrite(fd, data, len, 0) < 0)
		abort();
	if (dump_unpack(fd, NULL, &incident) < 0)
		return 0;
	if (incident_domains(incident, &domains, &n) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		read_domain(incident, domains[i]);
	return 0;
}
