/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page-reader - a snapshot's pages, brought together from the pages files
 *
 * They come file by file, so that each chunk is unpacked once, as chunks of the kind
 * CHUNK_SNAPSHOT_PAGES.
 */
#pragma once

#include "ringstore/format.h"
#include "ringstore/incident.h"

struct page_reader;

/* Reads the pages files in @dir_fd, which must stay open until page_reader_free(). */
int page_reader_new(int dir_fd, uint32_t domain, struct page_reader **ret_reader);
struct page_reader *page_reader_free(struct page_reader *reader);

/* A CHUNK_SNAPSHOT_TABLE. 0, INCIDENT_DAMAGED, -ENOMEM. All come before the first page. */
int page_reader_add(struct page_reader *reader, const void *rows, size_t len);

/* As chunk_reader_next(), but for the numbers and times in @ret_view. */
int page_reader_next(struct page_reader *reader, struct chunk_view *ret_view);

/* 0 if the files are there with all that is needed of them; INCIDENT_DAMAGED. */
int page_needs_check(int dir_fd, const struct page_need *needs, size_t n);
