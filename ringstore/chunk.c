/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ringstore/chunk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zstd.h>

#include "common/autoclean.h"
#include "ringstore/tree.h"

/* The recorder shares the machine with the service: fast beats small. */
enum { ZSTD_LEVEL = 1, SMALL_PART = 256 };

struct chunk_encoder {
	ZSTD_CCtx *zstd;
};

struct buffer {
	void *data;
	size_t size;
};

struct chunk_decoder {
	ZSTD_DCtx *zstd;	/* made with the first chunk that needs it: it is large */
	struct buffer stored;	/* header, payload and padding, as in the file */
	struct buffer raw;
	const char *why;	/* the last chunk was called damaged */
};

static int buffer_grow(struct buffer *buffer, size_t size)
{
	void *grown;

	if (size <= buffer->size)
		return 0;
	grown = realloc(buffer->data, size);
	if (!grown)
		return -ENOMEM;
	buffer->data = grown;
	buffer->size = size;
	return 0;
}

int chunk_encoder_new(struct chunk_encoder **ret_encoder)
{
	struct chunk_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return -ENOMEM;
	encoder->zstd = ZSTD_createCCtx();
	if (!encoder->zstd || ZSTD_isError(ZSTD_CCtx_setParameter(
				      encoder->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL))) {
		(void) chunk_encoder_free(encoder);
		return -ENOMEM;
	}
	*ret_encoder = encoder;
	return 0;
}

struct chunk_encoder *chunk_encoder_free(struct chunk_encoder *encoder)
{
	if (encoder) {
		ZSTD_freeCCtx(encoder->zstd);
		free(encoder);
	}
	return NULL;
}

/* Up to the end of @in. False: @out has no room, or zstd fails. */
static bool compress_part(struct chunk_encoder *encoder, ZSTD_outBuffer *out, ZSTD_inBuffer *in,
			  ZSTD_EndDirective end)
{
	return ZSTD_compressStream2(encoder->zstd, out, in, end) == 0 && in->pos == in->size;
}

/* A block of its own has statistics of its own, which cost more than a small part gains. */
static size_t compress_parts(struct chunk_encoder *encoder, const struct chunk_info *info,
			     const void *data, size_t len, void *payload)
{
	ZSTD_outBuffer out = { payload, len, 0 };
	ZSTD_inBuffer in = { data, 0, 0 };

	(void) ZSTD_CCtx_reset(encoder->zstd, ZSTD_reset_session_only);
	(void) ZSTD_CCtx_setPledgedSrcSize(encoder->zstd, len);
	for (size_t i = 0; i < info->n_ends; i++) {
		if (info->ends[i] < in.pos + SMALL_PART || info->ends[i] + SMALL_PART > len)
			continue;
		in.size = info->ends[i];
		if (!compress_part(encoder, &out, &in, ZSTD_e_flush))
			return 0;
	}
	in.size = len;
	return compress_part(encoder, &out, &in, ZSTD_e_end) ? out.pos : 0;
}

/*
 * Returns 0 if the bytes don't shrink; or if zstd fails, for lack of memory say:
 * then they are kept as they are.
 */
static size_t compress(struct chunk_encoder *encoder, const struct chunk_info *info,
		       const void *data, size_t len, void *payload)
{
	size_t stored;

	if (len == 0 || !encoder)
		return 0;
	stored = info->ends ? compress_parts(encoder, info, data, len, payload) :
			      ZSTD_compress2(encoder->zstd, payload, len, data, len);
	return ZSTD_isError(stored) || stored >= len ? 0 : stored;
}

size_t chunk_encode(struct chunk_encoder *encoder, const struct chunk_info *info, const void *data,
		    size_t len, void *buffer)
{
	uint8_t *payload = (uint8_t *)buffer + sizeof(struct chunk);
	size_t stored = compress(encoder, info, data, len, payload);
	struct chunk *chunk = buffer;
	size_t total;

	*chunk = (struct chunk){
		.magic = le32_of(CHUNK_MAGIC),
		.version = le16_of(STORE_FORMAT_VERSION),
		.kind = le16_of((uint16_t)info->kind),
		.stored_len = le32_of((uint32_t)(stored ? stored : len)),
		.raw_len = le32_of((uint32_t)len),
		.domain = le32_of(info->domain),
		.flags = le16_of(stored ? CHUNK_ZSTD : 0),
		.first_event = le64_of(info->first_event),
		.n_events = le32_of(info->n_events),
		.seq = le32_of(info->seq),
		.first_ns = le64_of(info->first_ns),
		.last_ns = le64_of(info->last_ns),
	};
	if (!stored && len > 0) {
		memcpy(payload, data, len);
		stored = len;
	}
	total = chunk_max_stored(stored);
	memset(payload + stored, 0, total - sizeof(*chunk) - stored);
	chunk->xxh3 = le64_of(XXH3_64bits(buffer, total));
	return total;
}

int chunk_decoder_new(struct chunk_decoder **ret_decoder)
{
	struct chunk_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return -ENOMEM;
	if (buffer_grow(&decoder->stored, sizeof(struct chunk)) < 0) {
		(void) chunk_decoder_free(decoder);
		return -ENOMEM;
	}
	*ret_decoder = decoder;
	return 0;
}

struct chunk_decoder *chunk_decoder_free(struct chunk_decoder *decoder)
{
	if (decoder) {
		free(decoder->raw.data);
		free(decoder->stored.data);
		ZSTD_freeDCtx(decoder->zstd);
		free(decoder);
	}
	return NULL;
}

static int damaged(struct chunk_decoder *decoder, const char *why)
{
	decoder->why = why;
	return CHUNK_DAMAGED;
}

const char *chunk_decoder_why(const struct chunk_decoder *decoder)
{
	return decoder->why ? decoder->why : "";
}

/* Exactly @len bytes, or the file isn't what it was when its size was asked for. */
static int read_exactly(struct chunk_decoder *decoder, const struct chunk_source *source,
			void *buffer, size_t len, uint64_t offset)
{
	ssize_t n = tree_pread(source->fd, buffer, len, offset);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : damaged(decoder, "the file was cut while it was read");
}

/* Brings header, payload and padding into decoder->stored, and checks the sum. */
static int read_stored(struct chunk_decoder *decoder, const struct chunk_source *source,
		       size_t *ret_total)
{
	uint64_t left = source->size - source->offset;
	struct chunk *chunk = decoder->stored.data;
	size_t stored, total;
	uint64_t xxh3;
	int r;

	if (left == 0)
		return CHUNK_EOF;
	if (left < sizeof(*chunk))
		return damaged(decoder, "the file ends within a chunk's header");
	r = read_exactly(decoder, source, chunk, sizeof(*chunk), source->offset);
	if (r)
		return r;

	stored = le32_get(chunk->stored_len);
	total = chunk_max_stored(stored);
	if (le32_get(chunk->magic) != CHUNK_MAGIC)
		return damaged(decoder, "no chunk begins here");
	if (stored > CHUNK_MAX_RAW)
		return damaged(decoder, "a chunk's header gives it an impossible length");
	if (total > left)
		return damaged(decoder, "the file ends within a chunk");
	r = buffer_grow(&decoder->stored, total);
	if (r < 0)
		return r;
	chunk = decoder->stored.data;
	r = read_exactly(decoder, source, chunk + 1, total - sizeof(*chunk),
			 source->offset + sizeof(*chunk));
	if (r)
		return r;

	xxh3 = le64_get(chunk->xxh3);
	chunk->xxh3 = le64_of(0);
	if (XXH3_64bits(chunk, total) != xxh3)
		return damaged(decoder, "a chunk's checksum is wrong");
	*ret_total = total;
	return 0;
}

static int decompress(struct chunk_decoder *decoder, const void *payload, size_t stored,
		      size_t raw_len)
{
	size_t n;
	int r;

	if (raw_len == 0 || ZSTD_getFrameContentSize(payload, stored) != raw_len ||
	    ZSTD_findFrameCompressedSize(payload, stored) != stored)
		return damaged(decoder, "a chunk's payload isn't of the length that its header says");
	r = buffer_grow(&decoder->raw, raw_len);
	if (r < 0)
		return r;
	if (!decoder->zstd)
		decoder->zstd = ZSTD_createDCtx();
	if (!decoder->zstd)
		return -ENOMEM;
	n = ZSTD_decompressDCtx(decoder->zstd, decoder->raw.data, raw_len, payload, stored);
	return n == raw_len ? 0 : damaged(decoder, "a chunk's payload can't be decompressed");
}

/* The checksum only says that the chunk is as it was written; someone may have written this. */
static int check_header(struct chunk_decoder *decoder, const struct chunk *chunk)
{
	unsigned version = le16_get(chunk->version), flags = le16_get(chunk->flags);

	if (version > STORE_FORMAT_VERSION)
		return -EPROTONOSUPPORT;
	if (version == 0)
		return damaged(decoder, "a chunk's header has no version");
	if (flags & ~(unsigned)CHUNK_ZSTD)
		return -EPROTONOSUPPORT;
	if (le32_get(chunk->raw_len) > CHUNK_MAX_RAW ||
	    (!(flags & CHUNK_ZSTD) && le32_get(chunk->raw_len) != le32_get(chunk->stored_len)))
		return damaged(decoder, "a chunk's header gives its payload an impossible length");
	return 0;
}

int chunk_decode(struct chunk_decoder *decoder, struct chunk_source *source,
		 struct chunk_info *ret_info, const void **ret_data, size_t *ret_len)
{
	const struct chunk *chunk;
	const void *data;
	size_t total, len;
	int r;

	r = read_stored(decoder, source, &total);
	if (r)
		return r;
	chunk = decoder->stored.data;
	r = check_header(decoder, chunk);
	if (r)
		return r;

	data = chunk + 1;
	len = le32_get(chunk->raw_len);
	if (le16_get(chunk->flags) & CHUNK_ZSTD) {
		r = decompress(decoder, data, le32_get(chunk->stored_len), len);
		if (r)
			return r;
		data = decoder->raw.data;
	}

	source->offset += total;
	*ret_info = (struct chunk_info){
		.kind = le16_get(chunk->kind),
		.domain = le32_get(chunk->domain),
		.first_event = le64_get(chunk->first_event),
		.n_events = le32_get(chunk->n_events),
		.seq = le32_get(chunk->seq),
		.first_ns = le64_get(chunk->first_ns),
		.last_ns = le64_get(chunk->last_ns),
	};
	*ret_data = data;
	*ret_len = len;
	return 0;
}
