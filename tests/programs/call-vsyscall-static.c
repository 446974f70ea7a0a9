/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same, linked statically. */
#include "call-vsyscall.c"
