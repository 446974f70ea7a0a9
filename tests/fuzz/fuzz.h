/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz - targets for parsers of foreign bytes
 *
 * Each fuzz-NAME.c has one entry in libFuzzer's form. `make check` links it with
 * driver.c, which replays the saved inputs; to search for new ones, build with
 * clang -fsanitize=fuzzer,address,undefined, the library's sources likewise.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
