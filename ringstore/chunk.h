/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunk - one chunk of format.h, made and read
 *
 * An encoder and a decoder each belong to one thread; they keep zstd's working
 * memory from chunk to chunk. The encoder writes zstd at level 1, or the bytes as
 * they are where that is no gain. The decoder believes nothing before the
 * checksum holds, and no length ever: each is measured against the file and
 * against CHUNK_MAX_RAW.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ringstore/format.h"

struct chunk_encoder;
struct chunk_decoder;

struct chunk_info {		/* the header's fields that aren't about the encoding */
	unsigned kind;
	uint32_t domain;
	uint64_t first_event;
	uint32_t n_events;
	uint32_t seq;
	uint64_t first_ns, last_ns;
	/*
	 * For the encoder: where in the payload parts of different kinds end, which it compresses
	 * each in its own way. NULL: it is one part.
	 */
	const size_t *ends;
	size_t n_ends;
};

int chunk_encoder_new(struct chunk_encoder **ret_encoder);
struct chunk_encoder *chunk_encoder_free(struct chunk_encoder *encoder);

/* What a chunk with @len bytes of payload takes at most, header and padding included. */
static inline size_t chunk_max_stored(size_t len)
{
	return sizeof(struct chunk) + (len + 7) / 8 * 8;
}

/*
 * Writes a chunk with the @len bytes (at most CHUNK_MAX_RAW) of @data into
 * @buffer, which is aligned to 8 and takes chunk_max_stored(len). Returns its
 * length, a multiple of 8. Without an @encoder (NULL) the bytes stay as they are.
 */
size_t chunk_encode(struct chunk_encoder *encoder, const struct chunk_info *info, const void *data,
		    size_t len, void *buffer);

enum chunk_outcome {		/* > 0: expected, the caller must handle it */
	CHUNK_EOF = 1,		/* the file ends here, between two chunks */
	CHUNK_DAMAGED,
};

struct chunk_source {
	int fd;
	uint64_t size;		/* of the file; nothing behind it is read */
	uint64_t offset;	/* of the next chunk */
};

int chunk_decoder_new(struct chunk_decoder **ret_decoder);
struct chunk_decoder *chunk_decoder_free(struct chunk_decoder *decoder);

/*
 * Reads the next chunk of @source and moves behind it. @ret_data belongs to the
 * decoder and lives until its next call. Returns 0, an outcome, -EPROTONOSUPPORT
 * if the chunk is sound but a newer version's, or another negative errno.
 */
int chunk_decode(struct chunk_decoder *decoder, struct chunk_source *source,
		 struct chunk_info *ret_info, const void **ret_data, size_t *ret_len);

/* What is wrong with the chunk for which CHUNK_DAMAGED was returned last: words for people. */
const char *chunk_decoder_why(const struct chunk_decoder *decoder);
