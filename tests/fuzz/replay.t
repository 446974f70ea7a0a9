#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each fuzz target takes its saved corpus, as it took it when that was found.
#
# tests/fuzz/fuzz-NAME.c is replayed on tests/fuzz/corpus/NAME/.
: "${top_srcdir:=.}" "${top_builddir:=.}"

n=0
status=0
for source in "$top_srcdir"/tests/fuzz/fuzz-*.c; do
	target=$(basename "$source" .c)
	n=$((n + 1))
	set -- "$top_srcdir/tests/fuzz/corpus/${target#fuzz-}"/*
	if [ ! -f "$1" ]; then
		echo "not ok $n - $target has no corpus"
		status=1
	elif "$top_builddir/tests/fuzz/$target" "$@"; then
		echo "ok $n - $target on $# files"
	else
		echo "not ok $n - $target on $# files"
		status=1
	fi
done
echo "1..$n"
exit "$status"
