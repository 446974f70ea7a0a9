/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * max-use: what all stores may take together.
 *
 * Each store keeps a bound of its own, its ring, so rings that fit together are all that it
 * takes. What stands in the state directory and is no service's takes its part first.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/autoclean.h"
#include "common/log.h"
#include "common/parse.h"
#include "daemon/blackboxd.h"
#include "ringstore/tree.h"

static uint64_t bytes_below(const char *path)
{
	autoclean(closep) int fd = -1;
	uint64_t bytes;

	return tree_open_dir(AT_FDCWD, path, &fd) == 0 && tree_bytes(fd, &bytes) == 0 ? bytes : 0;
}

static uint64_t bytes_of_nobody(struct daemon *daemon)
{
	autoclean(closedirp) DIR *dir = opendir(daemon->state_dir);
	struct dirent *entry;
	char path[PATH_MAX];
	uint64_t bytes = 0;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !service_by_name(daemon, entry->d_name) &&
		    snprintf(path, sizeof(path), "%s/%s", daemon->state_dir, entry->d_name) <
			    (int)sizeof(path))
			bytes += bytes_below(path);
	return bytes;
}

static uint64_t max_use(const struct daemon *daemon)
{
	return policy_bytes(daemon->policies.max_use, daemon->state_dir);
}

static void cut(struct service *s, uint64_t bytes)
{
	char wanted[16], use[16];

	if (s->policy.ring_bytes <= bytes)
		return;
	(void) snprintf(s->ring_why, sizeof(s->ring_why), "less than the %s of its policy: all stores may "
			"take %s together (max-use)", format_size(s->policy.ring_bytes, wanted),
			format_size(max_use(s->daemon), use));
	s->policy.ring_bytes = bytes;
	log_notice("the ring of %s is %s, %s", s->policy.name, format_size(bytes, wanted), s->ring_why);
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void shares_set(struct daemon *daemon)
{
	uint64_t left = max_use(daemon);
	double wanted = 0;

	if (!left)
		return;
	left = less(left, bytes_of_nobody(daemon));
	for (struct service *s = daemon->services; s; s = s->next)
		wanted += (double)s->policy.ring_bytes;
	/* Whole blocks, rounded down: what is lost of a double's last digits is less. */
	for (struct service *s = daemon->services; s && wanted > (double)left; s = s->next)
		cut(s, (uint64_t)((double)s->policy.ring_bytes / wanted * (double)left) / TREE_BLOCK * TREE_BLOCK);
}

void share_set_rest(struct service *service)
{
	struct daemon *daemon = service->daemon;
	uint64_t left = max_use(daemon);

	if (!left)
		return;
	left = less(left, bytes_of_nobody(daemon));
	for (struct service *s = daemon->services; s; s = s->next)
		if (s != service)
			left = less(left, s->policy.ring_bytes);
	cut(service, left / TREE_BLOCK * TREE_BLOCK);
}
