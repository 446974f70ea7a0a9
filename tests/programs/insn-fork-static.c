/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same, linked statically. */
#include "insn-fork.c"
