/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "common/autoclean.h"
#include "ringstore/chunk.h"
#include "tests/unit/test-store-util.h"

static int memfd_of(const void *data, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	return fd;
}

struct decoded {		/* the sound chunks at the begin of a file */
	struct chunk_info info[4];
	size_t lens[4];
	uint8_t data[4][512];
	unsigned n;
};

/* Returns what came behind them. */
static int decode_all(const void *bytes, size_t len, struct decoded *ret)
{
	autoclean(closep) int fd = memfd_of(bytes, len);
	struct chunk_source source = { .fd = fd, .size = len };
	struct chunk_decoder *decoder;
	const void *data;
	int r;

	*ret = (struct decoded){ 0 };
	assert_int_equal(chunk_decoder_new(&decoder), 0);
	for (;; ret->n++) {
		struct chunk_info info;
		size_t data_len;

		r = chunk_decode(decoder, &source, &info, &data, &data_len);
		if (r)
			break;
		assert_in_range(ret->n, 0, N(ret->info) - 1);
		assert_in_range(data_len, 0, sizeof(ret->data[0]));
		ret->info[ret->n] = info;
		ret->lens[ret->n] = data_len;
		memcpy(ret->data[ret->n], data, data_len);
	}
	assert_null(chunk_decoder_free(decoder));
	return r;
}

static void round_trips(void **state)
{
	static const size_t lens[] = { 0, 1, 7, 8, 9, 63, 64, 4095, 4096, 70001, CHUNK_MAX_RAW };
	struct chunk_info info = {
		.kind = CHUNK_LOG,
		.domain = 0xfffefdfc,
		.first_event = 0x123456789abcdef0,
		.n_events = 77,
		.seq = 3,
		.first_ns = 1,
		.last_ns = UINT64_MAX,
	};
	struct chunk_encoder *encoder;
	struct chunk_decoder *decoder;
	(void) state;

	assert_int_equal(chunk_encoder_new(&encoder), 0);
	assert_int_equal(chunk_decoder_new(&decoder), 0);
	for (size_t i = 0; i < 2 * N(lens); i++) {
		size_t len = lens[i / 2], size = chunk_max_stored(len), stored, got_len;
		void *data = guarded_alloc(len), *buffer = guarded_alloc(size);
		struct chunk_source source;
		struct chunk_info got;
		const void *got_data;

		fill(data, len, i, i % 2 ? 100 : 1);
		stored = chunk_encode(encoder, &info, data, len, buffer);
		assert_in_range(stored, sizeof(struct chunk), size);
		assert_int_equal(stored % 8, 0);
		if (i % 2 && len > 4000)
			assert_in_range(stored, 0, len / 20);

		source = (struct chunk_source){ .fd = memfd_of(buffer, stored), .size = stored };
		assert_int_equal(chunk_decode(decoder, &source, &got, &got_data, &got_len), 0);
		assert_memory_equal(&got, &info, sizeof(info));
		assert_int_equal(got_len, len);
		assert_memory_equal(got_data, data, len);
		assert_int_equal(chunk_decode(decoder, &source, &got, &got_data, &got_len),
				 CHUNK_EOF);
		assert_int_equal(close(source.fd), 0);
		guarded_free(data, len);
		guarded_free(buffer, size);
	}
	assert_null(chunk_encoder_free(encoder));
	assert_null(chunk_decoder_free(decoder));
}

static void decodes_to(struct chunk_decoder *decoder, const void *chunk, size_t chunk_len,
		       const void *data, size_t len)
{
	autoclean(closep) int fd = memfd_of(chunk, chunk_len);
	struct chunk_source source = { .fd = fd, .size = chunk_len };
	struct chunk_info info;
	const void *got;
	size_t got_len;

	assert_int_equal(chunk_decode(decoder, &source, &info, &got, &got_len), 0);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, data, len);
}

/* Parts change nothing but how it is compressed: those that differ take less than in one. */
static void parts(void **state)
{
	enum { PART = 20000, LEN = 3 * PART };
	const size_t ends[] = { 0, PART, PART + 1, 2 * PART, LEN - 1, LEN, LEN };
	struct chunk_info info = { .kind = CHUNK_LOG, .n_events = 1 };
	uint8_t *data = guarded_alloc(LEN), *buffer = guarded_alloc(chunk_max_stored(LEN));
	struct chunk_encoder *encoder;
	struct chunk_decoder *decoder;
	size_t whole, stored;
	(void) state;

	/* Of 8 values, of 8 others, of all. */
	for (size_t i = 0; i < LEN; i++)
		data[i] = (uint8_t)(i < PART ? random() % 8 : i < 2 * PART ? 100 + random() % 8 : random());
	assert_int_equal(chunk_encoder_new(&encoder), 0);
	assert_int_equal(chunk_decoder_new(&decoder), 0);
	whole = chunk_encode(encoder, &info, data, LEN, buffer);
	info.ends = ends;
	info.n_ends = N(ends);
	stored = chunk_encode(encoder, &info, data, LEN, buffer);
	assert_in_range(stored, 0, whole - 1000);
	decodes_to(decoder, buffer, stored, data, LEN);
	/* What doesn't shrink, and what is too short for any of them. */
	for (size_t len = 0; len < 3000; len += 7) {
		const size_t thirds[] = { len / 3, 2 * (len / 3), len };

		info.ends = thirds;
		info.n_ends = N(thirds);
		stored = chunk_encode(encoder, &info, data + LEN - len, len, buffer);
		assert_in_range(stored, 0, chunk_max_stored(len));
		decodes_to(decoder, buffer, stored, data + LEN - len, len);
	}
	guarded_free(data, LEN);
	guarded_free(buffer, chunk_max_stored(LEN));
	assert_null(chunk_encoder_free(encoder));
	assert_null(chunk_decoder_free(decoder));
}

/* Three chunks, of which one is compressed, one isn't, one is empty. */
static size_t small_file(uint8_t *file, size_t ends[3])
{
	struct chunk_encoder *encoder;
	uint8_t data[300];
	size_t len = 0;

	assert_int_equal(chunk_encoder_new(&encoder), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct chunk_info info = { .kind = CHUNK_LOG, .first_event = i, .n_events = 1 };

		fill(data, sizeof(data), i, i == 0 ? 30 : 1);
		len += chunk_encode(encoder, &info, data, i == 2 ? 0 : 61 * (i + 1), file + len);
		ends[i] = len;
	}
	assert_null(chunk_encoder_free(encoder));
	return len;
}

/* Of two decodings, the second must be the begin of the first. */
static void check_prefix(const struct decoded *whole, const struct decoded *part)
{
	assert_in_range(part->n, 0, whole->n);
	assert_memory_equal(part->info, whole->info, part->n * sizeof(part->info[0]));
	assert_memory_equal(part->lens, whole->lens, part->n * sizeof(part->lens[0]));
	assert_memory_equal(part->data, whole->data, part->n * sizeof(part->data[0]));
}

static void flipped_bits(void **state)
{
	_Alignas(8) uint8_t file[1024];
	struct decoded whole, flipped;
	size_t ends[3], len = small_file(file, ends);
	(void) state;

	assert_int_equal(decode_all(file, len, &whole), CHUNK_EOF);
	assert_int_equal(whole.n, 3);
	for (size_t bit = 0; bit < len * 8; bit++) {
		unsigned before = 0;

		while (ends[before] <= bit / 8)
			before++;
		file[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(decode_all(file, len, &flipped), CHUNK_DAMAGED);
		assert_int_equal(flipped.n, before);
		check_prefix(&whole, &flipped);
		file[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void torn_tails(void **state)
{
	_Alignas(8) uint8_t file[1024];
	struct decoded whole, torn;
	size_t ends[3], len = small_file(file, ends);
	(void) state;

	assert_int_equal(decode_all(file, len, &whole), CHUNK_EOF);
	for (size_t cut = 0; cut < len; cut++) {
		bool between = cut == 0 || cut == ends[0] || cut == ends[1];

		assert_int_equal(decode_all(file, cut, &torn), between ? CHUNK_EOF : CHUNK_DAMAGED);
		check_prefix(&whole, &torn);
		assert_int_equal(torn.n, (cut >= ends[0]) + (cut >= ends[1]));
	}
}

/* Chunks with a sound checksum that lie. */

static void seal(struct chunk *chunk, size_t total)
{
	chunk->xxh3 = le64_of(0);
	chunk->xxh3 = le64_of(XXH3_64bits(chunk, total));
}

static int decode_lie(struct chunk *chunk, size_t total)
{
	struct decoded decoded;
	int r;

	seal(chunk, total);
	r = decode_all(chunk, total, &decoded);
	assert_int_equal(decoded.n, r == CHUNK_EOF);
	return r;
}

/* A chunk with @stored bytes of payload, as yet unsealed. */
static size_t make_chunk(void *buffer, unsigned flags, const void *payload, size_t stored,
			 size_t raw_len)
{
	struct chunk *chunk = buffer;

	memset(buffer, 0, chunk_max_stored(stored));
	chunk->magic = le32_of(CHUNK_MAGIC);
	chunk->version = le16_of(STORE_FORMAT_VERSION);
	chunk->kind = le16_of(CHUNK_LOG);
	chunk->flags = le16_of((uint16_t)flags);
	chunk->stored_len = le32_of((uint32_t)stored);
	chunk->raw_len = le32_of((uint32_t)raw_len);
	memcpy(chunk + 1, payload, stored);
	return chunk_max_stored(stored);
}

static void lies(void **state)
{
	_Alignas(8) uint8_t buffer[1024];
	struct chunk *chunk = (struct chunk *)buffer;
	uint8_t raw[400] = { 0 }, frames[256];
	size_t frame, total;
	(void) state;

	frame = ZSTD_compress(frames, sizeof(frames), raw, sizeof(raw), 1);
	assert_false(ZSTD_isError(frame));
	memcpy(frames + frame, frames, frame);

	total = make_chunk(buffer, 0, raw, 16, 16);
	assert_int_equal(decode_lie(chunk, total), CHUNK_EOF);	/* the truth, for once */
	chunk->raw_len = le32_of(17);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	chunk->raw_len = le32_of(16);
	chunk->version = le16_of(STORE_FORMAT_VERSION + 1);
	assert_int_equal(decode_lie(chunk, total), -EPROTONOSUPPORT);
	chunk->version = le16_of(0);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	chunk->version = le16_of(STORE_FORMAT_VERSION);
	chunk->flags = le16_of(2);
	assert_int_equal(decode_lie(chunk, total), -EPROTONOSUPPORT);
	chunk->flags = le16_of(CHUNK_ZSTD);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);	/* not a frame */

	total = make_chunk(buffer, CHUNK_ZSTD, frames, frame, sizeof(raw));
	assert_int_equal(decode_lie(chunk, total), CHUNK_EOF);
	chunk->raw_len = le32_of(sizeof(raw) - 1);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	chunk->raw_len = le32_of(sizeof(raw) + 1);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	chunk->raw_len = le32_of(CHUNK_MAX_RAW + 1);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	chunk->raw_len = le32_of(UINT32_MAX);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	chunk->raw_len = le32_of(0);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);

	total = make_chunk(buffer, CHUNK_ZSTD, frames, 2 * frame, sizeof(raw));
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);	/* two frames */

	total = make_chunk(buffer, 0, raw, 16, 16);
	for (uint32_t len = 17; len; len *= 2) {	/* past the end of the file, and of all */
		chunk->stored_len = chunk->raw_len = le32_of(len);
		assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	}
	chunk->stored_len = le32_of(UINT32_MAX);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
}

/* The frame says 1 GB: it is a bomb, whatever the header says. */
static void bombs(void **state)
{
	_Alignas(8) uint8_t buffer[1024];
	static const uint8_t frame[] = {
		0x28, 0xb5, 0x2f, 0xfd, 0xa4,		/* magic, content size in 4 bytes */
		0x00, 0x00, 0x00, 0x40,			/* 1 GB */
		0x01, 0x00, 0x00,			/* last block, empty */
	};
	struct chunk *chunk = (struct chunk *)buffer;
	size_t total = make_chunk(buffer, CHUNK_ZSTD, frame, sizeof(frame), CHUNK_MAX_RAW);
	(void) state;

	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
	chunk->raw_len = le32_of(1u << 30);
	assert_int_equal(decode_lie(chunk, total), CHUNK_DAMAGED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trips),
		cmocka_unit_test(parts),
		cmocka_unit_test(flipped_bits),
		cmocka_unit_test(torn_tails),
		cmocka_unit_test(lies),
		cmocka_unit_test(bombs),
	};

	return cmocka_run_group_tests_name("chunk", tests, NULL, NULL);
}
