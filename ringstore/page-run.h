/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page-run - rows of CHUNK_SNAPSHOT_TABLE, as differences
 *
 * From one row to the next little changes: as differences they shrink to a third.
 */
#pragma once

#include "ringstore/format.h"

/* @run as it stands behind @before; all 0 in front of the first. */
static inline struct page_run page_run_behind(const struct page_run *before, const struct page_run *run)
{
	return (struct page_run){
		.key = le64_of(le64_get(run->key) - le64_get(before->key)),
		.file = le64_of(le64_get(run->file) - le64_get(before->file)),
		.offset = le32_of(le32_get(run->offset) - le32_get(before->offset)),
		.first = le16_of((uint16_t)(le16_get(run->first) - le16_get(before->first))),
		.n_pages = run->n_pages,
	};
}

/* The row that stands as @row behind @before. */
static inline struct page_run page_run_from(const struct page_run *before, const struct page_run *row)
{
	return (struct page_run){
		.key = le64_of(le64_get(before->key) + le64_get(row->key)),
		.file = le64_of(le64_get(before->file) + le64_get(row->file)),
		.offset = le32_of(le32_get(before->offset) + le32_get(row->offset)),
		.first = le16_of((uint16_t)(le16_get(before->first) + le16_get(row->first))),
		.n_pages = row->n_pages,
	};
}
