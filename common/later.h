/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * later - shared libraries that are loaded when they are first called
 *
 * What is linked is loaded at each start, and takes more of it than all that a short command
 * does. A program that mostly does without names a library's functions here instead: they stand
 * in the program by their names, and load the library at the first call. The one that is missing
 * in a list is missed by the linker. Where there is no such library, the program ends, as it
 * would have when it began; or the functions return NULL, and ELIBACC, where that is an answer.
 */
#pragma once

#include <stdbool.h>

struct later {
	const char *soname, *name;
	void *to;		/* where the function's calls go */
	bool or_null;
};

/* By the first call. Returns where to go on. */
void *later_load(struct later *function);

/* Arguments and results pass through untouched. */
#define LATER(library, function) LATER_(library, function, false)
#define LATER_OR_NULL(library, function) LATER_(library, function, true)
#define LATER_(library, function, or_null)                                                        \
	extern char later_first_##function[] __attribute__((visibility("hidden")));               \
	__attribute__((used)) static struct later later_##function = {                            \
		library, #function, later_first_##function, or_null };                            \
	__asm__(".pushsection .text\n"                                                            \
		".globl " #function "\n"                                                          \
		".type " #function ", @function\n"                                                \
		#function ": jmp *later_" #function "+16(%rip)\n"                                 \
		".globl later_first_" #function "\n"                                              \
		".hidden later_first_" #function "\n"                                             \
		"later_first_" #function ": lea later_" #function "(%rip), %r11\n"                \
		"	jmp later_enter\n"                                                        \
		".popsection\n");
