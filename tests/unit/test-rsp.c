/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "replay/rsp.h"

static struct rsp_reader *new_reader(const char *bytes, size_t len)
{
	struct rsp_reader *reader = malloc(sizeof(*reader));

	assert_non_null(reader);
	rsp_reader_init(reader);
	assert_int_equal(rsp_reader_add(reader, bytes, len), len);
	return reader;
}

static void items_in_order(void **state)
{
	static const char bytes[] = "+$g#67\003-noise$}\003}]#5a$m1,2#ff+";
	struct rsp_reader *reader = new_reader(bytes, sizeof(bytes) - 1);

	(void) state;
	assert_int_equal(rsp_reader_next(reader), RSP_ACK);
	assert_int_equal(rsp_reader_next(reader), RSP_PACKET);
	assert_string_equal((const char *)reader->data, "g");
	assert_int_equal(rsp_reader_next(reader), RSP_INTERRUPT);
	assert_int_equal(rsp_reader_next(reader), RSP_NAK);
	assert_int_equal(rsp_reader_next(reader), RSP_PACKET);
	assert_string_equal((const char *)reader->data, "#}");	/* both were escaped */
	assert_int_equal(rsp_reader_next(reader), RSP_BAD);	/* the checksum */
	assert_int_equal(rsp_reader_next(reader), RSP_ACK);
	assert_int_equal(rsp_reader_next(reader), RSP_NEED_MORE);
	free(reader);
}

/* What is framed is read as it was, whatever the pieces it comes in. */
static void there_and_back(void **state)
{
	struct rsp_text *text = malloc(sizeof(*text));
	char *frame = malloc(RSP_MAX_PACKET + 4);
	struct rsp_reader *reader = new_reader("", 0);
	uint8_t bytes[256];
	size_t len;

	(void) state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	rsp_clear(text);
	assert_int_equal(rsp_add_binary(text, bytes, sizeof(bytes)), sizeof(bytes));
	len = rsp_frame(text, frame);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(rsp_reader_next(reader), RSP_NEED_MORE);
		assert_int_equal(rsp_reader_add(reader, frame + i, 1), 1);
	}
	assert_int_equal(rsp_reader_next(reader), RSP_PACKET);
	assert_int_equal(reader->len, sizeof(bytes));
	assert_memory_equal(reader->data, bytes, sizeof(bytes));
	free(reader);
	free(frame);
	free(text);
}

static void too_long(void **state)
{
	struct rsp_reader *reader = new_reader("$", 1);
	char piece[4096];
	unsigned n_bad = 0;

	(void) state;
	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 64; i++) {
		size_t n = rsp_reader_add(reader, piece, sizeof(piece));

		n_bad += rsp_reader_next(reader) == RSP_BAD;
		assert_true(n > 0);
	}
	assert_int_equal(n_bad, 1);
	/* Behind its end the next one is sound. */
	assert_int_equal(rsp_reader_add(reader, "#00$g#67", 8), 8);
	assert_int_equal(rsp_reader_next(reader), RSP_PACKET);
	free(reader);
}

static void numbers(void **state)
{
	const char *at = "1F,ffffffffffffffff;10000000000000000", *text = "00ffz";
	uint64_t value = 7;
	uint8_t bytes[4];

	(void) state;
	assert_true(rsp_hex(&at, &value));
	assert_int_equal(value, 0x1f);
	assert_false(rsp_hex(&at, &value));	/* a comma is no number */
	at++;
	assert_true(rsp_hex(&at, &value));
	assert_true(value == UINT64_MAX);
	at++;
	assert_false(rsp_hex(&at, &value));	/* larger than 64 bits */
	assert_int_equal(rsp_bytes(&text, bytes, sizeof(bytes)), 2);
	assert_int_equal(bytes[1], 0xff);
}

static void full(void **state)
{
	struct rsp_text *text = malloc(sizeof(*text));
	static const char hashes[RSP_MAX_PACKET] = { '#' };

	(void) state;
	rsp_clear(text);
	rsp_addf(text, "%s", "m");
	assert_true(rsp_add_binary(text, hashes, sizeof(hashes)) < sizeof(hashes));
	assert_false(text->full);
	rsp_add(text, hashes, 2);
	assert_true(text->full);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_in_order), cmocka_unit_test(there_and_back),
		cmocka_unit_test(too_long), cmocka_unit_test(numbers), cmocka_unit_test(full),
	};

	return cmocka_run_group_tests_name("rsp", tests, NULL, NULL);
}
