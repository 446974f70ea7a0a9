/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * le - little-endian integers in structures that are written to disk
 *
 * Each is a struct, so that arithmetic on one doesn't compile: the bytes are
 * read with le32_get() and made with le32_of().
 */
#pragma once

#include <endian.h>
#include <stdint.h>

typedef struct { uint16_t raw; } le16;
typedef struct { uint32_t raw; } le32;
typedef struct { uint64_t raw; } le64;

static inline le16 le16_of(uint16_t v) { return (le16){ htole16(v) }; }
static inline le32 le32_of(uint32_t v) { return (le32){ htole32(v) }; }
static inline le64 le64_of(uint64_t v) { return (le64){ htole64(v) }; }

static inline uint16_t le16_get(le16 v) { return le16toh(v.raw); }
static inline uint32_t le32_get(le32 v) { return le32toh(v.raw); }
static inline uint64_t le64_get(le64 v) { return le64toh(v.raw); }
