/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an earlier writer left live, and what it said about it.
 *
 * When a store is opened the domains of the writer before are still there, and have ended:
 * they can be frozen like any others. Nothing is read of them here but the begin of each
 * file, what each snapshot says that it needs of pages files, and the last log of each domain
 * as far as it is sound: whoever keeps them reads all (verify.h), and has the time for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/autoclean.h"
#include "ringstore/incident-internal.h"
#include "ringstore/load.h"
#include "ringstore/store-internal.h"

/* -- what is said about it ----------------------------------------------------------------------- */

int about_write(struct store *store, struct chunk_writer *writer, const char *text)
{
	struct chunk_info info = { .kind = CHUNK_ABOUT };

	return chunk_writer_add(writer, store_live_limit(store), &info, text, strlen(text));
}

int store_set_about(struct store *store, uint32_t domain_id, const char *text)
{
	autoclean(freep) char *copy = strdup(text);
	struct domain *domain;
	int r;

	if (!copy)
		return -ENOMEM;
	if (strlen(text) > CHUNK_MAX_RAW)
		return -EINVAL;
	r = store_get_domain(store, domain_id, &domain);
	if (r < 0)
		return r;
	free(domain->about);
	domain->about = MOVE(copy);
	return 0;
}

static int create_about(struct store *store)
{
	int r;

	r = store_make_room(store, TREE_BLOCK + TREE_DIR_GROWTH, store_live_limit(store));
	if (r)
		return r;
	r = chunk_writer_new(store, store->live_fd, NAME_ABOUT, 0, OWNER_LIVE, &store->about);
	store_charge_dir_at(store, store->dir_fd, NAME_LIVE, &store->live_dir_bytes);
	if (r < 0)
		return r == -EEXIST ? r : store_disk_error(store, r);
	store->about_blob = store->about->blob;
	blob_hold(store, store->about_blob, OWNER_LIVE);
	sync_note_dir(store, store->dir_fd, NAME_LIVE);
	return 0;
}

int store_add_about(struct store *store, const char *text)
{
	int r = 0;

	if (strlen(text) > CHUNK_MAX_RAW)
		return -EINVAL;
	if (!store->about)
		r = create_about(store);
	return r ? r : about_write(store, store->about, text);
}

/* The text of an about chunk, the next of @source. CHUNK_EOF: no more that is sound. */
static int read_about(struct chunk_decoder *decoder, struct chunk_source *source, uint32_t domain,
		      uint32_t seq, char **ret_text)
{
	struct chunk_info info;
	const void *data;
	char *text;
	size_t len;
	int r;

	r = chunk_decode(decoder, source, &info, &data, &len);
	if (r == -ENOMEM)
		return r;
	if (r || info.kind != CHUNK_ABOUT || info.domain != domain || info.seq != seq ||
	    memchr(data, '\0', len))
		return CHUNK_EOF;
	text = strndup(data, len);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

/* The texts at the begin of a file, at most @most. */
static int read_abouts(int dir_fd, const char *name, uint32_t domain, uint32_t most,
		       struct tree_names *texts)
{
	struct chunk_source source = { .fd = -1 };
	struct chunk_decoder *decoder;
	int r;

	r = tree_open_file(dir_fd, name, &source.fd, &source.size);
	if (r < 0)
		return r;
	r = chunk_decoder_new(&decoder);
	for (uint32_t seq = 0; r == 0 && seq < most; seq++) {
		char *text;

		r = read_about(decoder, &source, domain, seq, &text);
		if (r)
			break;
		r = tree_names_add(texts, text);
		free(text);
	}
	(void) close(source.fd);
	(void) chunk_decoder_free(decoder);
	return r < 0 ? r : 0;
}

int store_read_about(const char *dir, char ***ret_texts, size_t *ret_n)
{
	autoclean(tree_names_deinit) struct tree_names texts = { 0 };
	autoclean(closep) int dir_fd = -1, live_fd = -1;
	int r;

	r = tree_open_dir(AT_FDCWD, dir, &dir_fd);
	if (r == 0)
		r = tree_open_dir(dir_fd, NAME_LIVE, &live_fd);
	if (r == 0)
		r = read_abouts(live_fd, NAME_ABOUT, 0, UINT32_MAX, &texts);
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	*ret_texts = MOVE(texts.names);
	*ret_n = texts.n;
	texts.n = 0;
	return 0;
}

/* -- of what is frozen -------------------------------------------------------------------------- */

int freeze_domains(const struct freeze *freeze, uint32_t **ret_domains, size_t *ret_n)
{
	return domains_in(freeze_dir(freeze), ret_domains, ret_n);
}

static int domain_names(const struct freeze *freeze, uint32_t domain, int *ret_fd,
			struct tree_names *ret_names)
{
	char name[NAME_DOMAIN_SIZE];
	int r;

	r = tree_open_dir(freeze_dir(freeze), name_domain(name, domain), ret_fd);
	return r < 0 ? r : tree_names(*ret_fd, ret_names);
}

int freeze_read_about(const struct freeze *freeze, uint32_t domain, char **ret_text)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 }, texts = { 0 };
	autoclean(closep) int fd = -1;
	int r;

	r = domain_names(freeze, domain, &fd, &names);
	for (size_t i = 0; r == 0 && i < names.n && texts.n == 0; i++) {
		uint64_t event;

		if (name_to_event(names.names[i], NAME_LOG, &event) ||
		    name_to_event(names.names[i], NAME_SNAPSHOT, &event))
			r = read_abouts(fd, names.names[i], domain, 1, &texts);
	}
	if (r < 0)
		return r;
	if (texts.n == 0)
		return -ENOENT;
	*ret_text = MOVE(texts.names[0]);
	return 0;
}

bool freeze_has_snapshot(const struct freeze *freeze, uint32_t domain)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	autoclean(closep) int fd = -1;
	bool found = false;
	uint64_t event;

	if (domain_names(freeze, domain, &fd, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n && !found; i++)
		found = name_to_event(names.names[i], NAME_SNAPSHOT, &event);
	return found;
}

/* -- what is there ---------------------------------------------------------------------------------- */

/* The first chunk of a file: when it begins. CHUNK_...: it has none that is sound. */
static int read_first(int fd, uint64_t size, struct chunk_info *ret_info)
{
	struct chunk_source source = { .fd = fd, .size = size };
	struct chunk_decoder *decoder;
	const void *data;
	size_t len;
	int r;

	r = chunk_decoder_new(&decoder);
	if (r < 0)
		return r;
	r = chunk_decode(decoder, &source, ret_info, &data, &len);
	(void) chunk_decoder_free(decoder);
	return r;
}

/* Of a newer version's or an unreadable disk's making it is as good as none, here. */
static bool is_useless(int r)
{
	return r > 0 || (r < 0 && r != -ENOMEM && r != -EMFILE && r != -ENFILE);
}

static int add_log(struct domain *domain, uint64_t event, const struct chunk_info *first,
		   struct blob *blob)
{
	struct live_log *grown = array_grow(domain->logs, domain->n_logs, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	domain->logs = grown;
	/* They are sorted by name, and each goes on where the one in front of it ends. */
	if (domain->n_logs)
		grown[domain->n_logs - 1].end_event = event;
	grown[domain->n_logs++] = (struct live_log){
		.first_event = event,
		.end_event = event,
		.first_ns = first->first_ns,
		.blob = blob,
	};
	return 0;
}

/* With what it needs of the pages files, which stand in front of it. */
static int add_snapshot(struct domain *domain, uint64_t event, const struct chunk_info *first,
			const struct page_need *needs, size_t n_needs, struct blob *blob)
{
	struct live_snapshot *grown = array_grow(domain->snapshots, domain->n_snapshots, sizeof(*grown));
	struct page_set *pages;
	int r;

	if (!grown)
		return -ENOMEM;
	domain->snapshots = grown;
	r = pages_load_set(domain, event, needs, n_needs, &pages);
	if (r < 0)
		return r;
	grown[domain->n_snapshots++] = (struct live_snapshot){
		.event = event,
		.mono_ns = first->first_ns,
		.blob = blob,
		.pages = pages,
	};
	if (first->first_ns > domain->last_ns)
		domain->last_ns = first->first_ns;
	return 0;
}

/* What the file @name is: NAME_LOG, NAME_SNAPSHOT, NAME_PAGES; NULL: none of these. */
static const char *kind_of(const char *name, uint64_t *ret_number)
{
	static const char *const kinds[] = { NAME_LOG, NAME_SNAPSHOT, NAME_PAGES };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (name_to_event(name, kinds[i], ret_number))
			return kinds[i];
	return NULL;
}

/* A file of the domain's. 1: it is useless. */
static int load_file(struct load *load, struct domain *domain, int dir_fd, const char *name)
{
	autoclean(freep) struct page_need *needs = NULL;
	autoclean(closep) int fd = -1;
	struct chunk_info first;
	uint64_t number, size;
	size_t n_needs = 0;
	struct blob *blob;
	const char *kind;
	int r;

	kind = kind_of(name, &number);
	if (!kind)
		return 1;
	r = tree_open_file(dir_fd, name, &fd, &size);
	/* Of pages, what is needed may stand anywhere. */
	if (r == 0 && strcmp(kind, NAME_PAGES) != 0)
		r = read_first(fd, size, &first);
	if (r == 0 && strcmp(kind, NAME_SNAPSHOT) == 0)
		r = snapshot_is_whole(fd, size, dir_fd, domain->id, number) - 1;
	if (r == 0 && strcmp(kind, NAME_SNAPSHOT) == 0)
		r = snapshot_needs(fd, size, &needs, &n_needs);
	if (r)
		return is_useless(r) ? 1 : r;
	r = load_blob(load, fd, &blob);
	if (r < 0)
		return r;
	blob_hold(load->store, blob, OWNER_LIVE);
	if (strcmp(kind, NAME_LOG) == 0)
		r = add_log(domain, number, &first, blob);
	else if (strcmp(kind, NAME_PAGES) == 0)
		r = pages_load_file(domain, number, size, blob);
	else
		r = add_snapshot(domain, number, &first, needs, n_needs, blob);
	if (r < 0)
		(void) blob_release(load->store, blob, OWNER_LIVE);
	return r;
}

/* How far the last log is sound. */
static int find_end(struct domain *domain, int dir_fd)
{
	autoclean(chunk_reader_closep) struct chunk_reader *reader = NULL;
	struct live_log *last = &domain->logs[domain->n_logs - 1];
	char name[NAME_EVENT_SIZE];
	struct chunk_view view;
	uint64_t size;
	int fd, r;

	r = tree_open_file(dir_fd, name_event(name, NAME_LOG, last->first_event), &fd, &size);
	if (r == 0)
		r = chunk_reader_new(STREAM_LOG, fd, -1, domain->id, last->first_event, &reader);
	if (r < 0)
		return is_useless(r) ? 0 : r;
	while ((r = chunk_reader_next(reader, &view)) == 0) {
		last->end_event = view.first_event + view.n_events;
		if (view.last_ns > domain->last_ns)
			domain->last_ns = view.last_ns;
	}
	return is_useless(r) ? 0 : r;
}

static int load_domain(struct load *load, const char *name, uint32_t id)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	struct store *store = load->store;
	autoclean(closep) int fd = -1;
	struct domain *domain;
	int r;

	r = store_get_domain(store, id, &domain);
	if (r == 0)
		r = tree_open_dir(store->live_fd, name, &fd);
	if (r == 0)
		r = tree_names(fd, &names);
	if (r < 0)
		return r;
	domain->ended = domain->is_left = true;
	/* By name: pages files come in front of the snapshots. */
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		r = load_file(load, domain, fd, names.names[i]);
		/* Nothing that can't be from a writer goes: this may be something else's. */
		if (r > 0)
			r = name_is_in_domain(names.names[i]) ? tree_remove(fd, names.names[i]) :
								load_tree(load, fd, names.names[i]);
	}
	if (r == 0 && domain->n_logs)
		r = find_end(domain, fd);
	if (r < 0)
		return r;
	store_charge_dir_at(store, store->live_fd, name, &domain->dir_bytes);
	return 0;
}

static int load_about(struct load *load)
{
	autoclean(closep) int fd = -1;
	uint64_t size;
	int r;

	r = tree_open_file(load->store->live_fd, NAME_ABOUT, &fd, &size);
	if (r == -EBADMSG)
		return load_tree(load, load->store->live_fd, NAME_ABOUT);
	if (r == 0)
		r = load_blob(load, fd, &load->store->about_blob);
	if (r == 0)
		blob_hold(load->store, load->store->about_blob, OWNER_LIVE);
	return r;
}

int load_live(struct load *load)
{
	autoclean(tree_names_deinit) struct tree_names names = { 0 };
	struct store *store = load->store;
	uint32_t id;
	int r;

	r = tree_names(store->live_fd, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (name_to_domain(names.names[i], &id))
			r = load_domain(load, names.names[i], id);
		else if (strcmp(names.names[i], NAME_ABOUT) == 0)
			r = load_about(load);
		else
			r = load_tree(load, store->live_fd, names.names[i]);
	}
	return r;
}

void load_live_end(struct store *store)
{
	for (size_t i = store->n_domains; i > 0; i--) {	/* backwards: one may go */
		pages_load_end(store, store->domains[i - 1]);
		store_forget_if_empty(store, store->domains[i - 1]);
	}
}

/* -- and goes ------------------------------------------------------------------------------------------ */

bool store_has_live(const struct store *store)
{
	return store->n_domains > 0 || store->about_blob;
}

int store_clear(struct store *store)
{
	int r = 0;

	/* First what would make a window of the rest. */
	if (store->about)
		chunk_writer_abort(MOVE(store->about));
	if (store->about_blob)
		store_discard(store, store->live_fd, NAME_ABOUT, MOVE(store->about_blob), OWNER_LIVE);
	for (size_t i = store->n_domains; i > 0; i--) {
		struct domain *domain = store->domains[i - 1];
		int error;

		(void) store_seal_log(store, domain);
		domain->ended = true;
		error = store_drop_before(store, domain, UINT64_MAX);
		if (!r)
			r = error;
		store_forget_if_empty(store, domain);
	}
	return r;
}
