/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load - filling the account of a store that is being opened
 */
#pragma once

#include "ringstore/store-internal.h"

struct load {			/* state of a walk over one incident, or over what isn't ours */
	struct store *store;
	struct pinned *pinned;
	void **inodes;		/* tsearch(3) of struct blob: hard links met before */
};

/* store.c: charges all below and including @name to load->pinned. */
int load_tree(struct load *load, int dir_fd, const char *name);

/* The blob of the file @fd, charged once however many links it has; nobody may hold it yet. */
int load_blob(struct load *load, int fd, struct blob **ret_blob);

/* left.c: the domains in live/, as an earlier writer left them. Useless files go. */
int load_live(struct load *load);

/* Behind that, when load->inodes isn't looked at any more: gives up pages that no snapshot needs. */
void load_live_end(struct store *store);
