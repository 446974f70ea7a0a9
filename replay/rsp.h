/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * rsp - packets of gdb's remote serial protocol
 *
 * `$data#cs`, where cs is the sum of the bytes in between, in two hex digits; `}` escapes
 * the byte behind it. A lone 0x03 is the user's interrupt, `+` and `-` acknowledge until
 * gdb says that it can do without. The reader takes bytes as they come and trusts none of
 * them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What gdb is told that a packet may have; longer ones are refused. */
#define RSP_MAX_PACKET 0x10000

enum rsp_item {
	RSP_NEED_MORE = 0,	/* nothing whole has come yet */
	RSP_PACKET,		/* data and len say what */
	RSP_BAD,		/* a packet whose checksum is wrong, or that is too long */
	RSP_INTERRUPT,
	RSP_ACK,
	RSP_NAK,
};

struct rsp_reader {
	uint8_t bytes[RSP_MAX_PACKET + 16];
	size_t begin, end;		/* what of it has come and wasn't looked at */
	uint8_t data[RSP_MAX_PACKET + 1];	/* of the newest packet, unescaped, with a NUL behind */
	size_t len;
	bool skipping;			/* the rest of a packet that was too long */
};

void rsp_reader_init(struct rsp_reader *reader);

/* Takes up to @len bytes; returns how many it had room for (0 only if an item is whole). */
size_t rsp_reader_add(struct rsp_reader *reader, const void *bytes, size_t len);

/* The next item. */
enum rsp_item rsp_reader_next(struct rsp_reader *reader);

/* -- text of packets ------------------------------------------------------------------------- */

/* A buffer that grows up to a packet's length; what doesn't fit sets `full`. */
struct rsp_text {
	char bytes[RSP_MAX_PACKET];
	size_t len;
	bool full;
};

void rsp_clear(struct rsp_text *text);
void rsp_add(struct rsp_text *text, const void *bytes, size_t len);
void rsp_addf(struct rsp_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rsp_add_hex(struct rsp_text *text, const void *bytes, size_t len);
/* With `}` in front of what must be escaped. Returns how many of @bytes found room. */
size_t rsp_add_binary(struct rsp_text *text, const void *bytes, size_t len);

/* Reads a hexadecimal number and steps behind it. False if there is none, or it is too large. */
bool rsp_hex(const char **at, uint64_t *ret_value);
/* Reads pairs of hex digits; returns how many bytes they are, at most @max. */
size_t rsp_bytes(const char **at, void *to, size_t max);

/* The frame around @text: returns its length. @to has room for RSP_MAX_PACKET + 4. */
size_t rsp_frame(const struct rsp_text *text, char *to);
