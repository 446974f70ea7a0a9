/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "replay/rsp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { INTERRUPT = 0x03, ESCAPE = '}', ESCAPED = 0x20 };

static const char digits[] = "0123456789abcdef";

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* -- reading ------------------------------------------------------------------------------------ */

void rsp_reader_init(struct rsp_reader *reader)
{
	reader->begin = reader->end = reader->len = 0;
	reader->skipping = false;
}

size_t rsp_reader_add(struct rsp_reader *reader, const void *bytes, size_t len)
{
	size_t room;

	if (reader->begin) {
		memmove(reader->bytes, reader->bytes + reader->begin, reader->end - reader->begin);
		reader->end -= reader->begin;
		reader->begin = 0;
	}
	room = sizeof(reader->bytes) - reader->end;
	if (len > room)
		len = room;
	memcpy(reader->bytes + reader->end, bytes, len);
	reader->end += len;
	return len;
}

static enum rsp_item unescape(struct rsp_reader *reader, const uint8_t *from, size_t len)
{
	reader->len = 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = from[i];

		if (byte == ESCAPE) {
			if (++i == len)
				return RSP_BAD;
			byte = from[i] ^ ESCAPED;
		}
		if (reader->len == RSP_MAX_PACKET)
			return RSP_BAD;
		reader->data[reader->len++] = byte;
	}
	reader->data[reader->len] = '\0';
	return RSP_PACKET;
}

/* At a `$`. */
static enum rsp_item packet(struct rsp_reader *reader)
{
	const uint8_t *from = reader->bytes + reader->begin + 1;
	size_t have = reader->end - reader->begin - 1, len;
	const uint8_t *hash = memchr(from, '#', have);
	uint8_t sum = 0;
	int high, low;

	if (!hash) {
		if (reader->end - reader->begin < sizeof(reader->bytes))
			return RSP_NEED_MORE;
		reader->begin = reader->end;
		reader->skipping = true;
		return RSP_BAD;
	}
	len = (size_t)(hash - from);
	if (have - len < 3) {
		if (len + 4 <= sizeof(reader->bytes))
			return RSP_NEED_MORE;
		reader->begin = reader->end;
		return RSP_BAD;
	}
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + from[i]);
	high = digit((char)hash[1]);
	low = digit((char)hash[2]);
	reader->begin += len + 4;
	if (high < 0 || low < 0 || (high << 4 | low) != sum)
		return RSP_BAD;
	return unescape(reader, from, len);
}

enum rsp_item rsp_reader_next(struct rsp_reader *reader)
{
	while (reader->begin < reader->end) {
		uint8_t byte = reader->bytes[reader->begin];

		if (reader->skipping) {
			reader->skipping = byte != '#';
			reader->begin++;
			continue;
		}
		if (byte == '$')
			return packet(reader);
		reader->begin++;
		switch (byte) {
		case INTERRUPT:
			return RSP_INTERRUPT;
		case '+':
			return RSP_ACK;
		case '-':
			return RSP_NAK;
		}
		/* Anything else between packets is noise: the checksum behind a skipped one. */
	}
	return RSP_NEED_MORE;
}

/* -- writing ------------------------------------------------------------------------------------ */

void rsp_clear(struct rsp_text *text)
{
	text->len = 0;
	text->full = false;
}

void rsp_add(struct rsp_text *text, const void *bytes, size_t len)
{
	if (len > sizeof(text->bytes) - text->len) {
		text->full = true;
		return;
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
}

void rsp_addf(struct rsp_text *text, const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(line))
		text->full = true;
	else
		rsp_add(text, line, (size_t)n);
}

void rsp_add_hex(struct rsp_text *text, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < len; i++) {
		const char pair[2] = { digits[from[i] >> 4], digits[from[i] & 15] };

		rsp_add(text, pair, sizeof(pair));
	}
}

size_t rsp_add_binary(struct rsp_text *text, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	for (size_t i = 0; i < len; i++) {
		bool escape = from[i] == '$' || from[i] == '#' || from[i] == ESCAPE || from[i] == '*';
		const uint8_t pair[2] = { ESCAPE, from[i] ^ ESCAPED };

		if (sizeof(text->bytes) - text->len < 2)
			return i;
		rsp_add(text, escape ? pair : &from[i], escape ? 2 : 1);
	}
	return len;
}

bool rsp_hex(const char **at, uint64_t *ret_value)
{
	uint64_t value = 0;
	int n = 0, d;

	for (; (d = digit(**at)) >= 0; (*at)++, n++) {
		if (value >> 60)
			return false;
		value = value << 4 | (uint64_t)d;
	}
	if (n)
		*ret_value = value;
	return n > 0;
}

size_t rsp_bytes(const char **at, void *to, size_t max)
{
	uint8_t *bytes = to;
	size_t n = 0;

	for (; n < max && digit((*at)[0]) >= 0 && digit((*at)[1]) >= 0; *at += 2)
		bytes[n++] = (uint8_t)(digit((*at)[0]) << 4 | digit((*at)[1]));
	return n;
}

size_t rsp_frame(const struct rsp_text *text, char *to)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < text->len; i++)
		sum = (uint8_t)(sum + (uint8_t)text->bytes[i]);
	to[0] = '$';
	memcpy(to + 1, text->bytes, text->len);
	to[1 + text->len] = '#';
	to[2 + text->len] = digits[sum >> 4];
	to[3 + text->len] = digits[sum & 15];
	return text->len + 4;
}
