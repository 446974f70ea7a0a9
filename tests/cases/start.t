#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the start of a recording does without: it costs each run.

. "$(dirname "$0")/lib.sh"

record() { timeout 60 "$BLACKBOXCTL" record --dir "$work/store" "$@"; }

# -- libarchive is for dumps

soname=$(sed -n 's/^#define ARCHIVE_SONAME "\(.*\)"/\1/p' "$top_builddir/config.h")
mkdir "$work/lib" && echo "no library" >"$work/lib/$soname"

without_libarchive() { LD_LIBRARY_PATH=$work/lib "$@"; }

check "a recording needs no libarchive" without_libarchive record -- /bin/true
without_libarchive record -o "$work/dump" -- /bin/true 2>"$work/err"
check "a dump does: that is said" grep -q "shared library" "$work/err"
check "and the incident is kept" grep -q "the incident is kept" "$work/err"
diag <"$work/err"
id=$(basename "$work"/store/incidents/*)
check "it can be dumped with it" "$BLACKBOXCTL" dump --dir "$work/store" "$id" -o "$work/dump"
without_libarchive "$BLACKBOXCTL" info "$work/dump" >"$work/out" 2>"$work/err"
is "a dump isn't read without it: status" $? 2
check "that is said, too" grep -q "shared library" "$work/err"
diag <"$work/err"
rm -rf "$work/store"

# -- files: what was before the first snapshot nothing can replay

record --window all --set triggers=exit -- sleep 0.2
is "a short life takes a snapshot, its pages and a log" \
	"$(cd "$work"/store/incidents/*/1 && find . -type f | sed 's/\.0[^.]*$//' | sort | xargs)" \
	"./final ./log ./pages ./snap"
rm -rf "$work/store"

# -- descriptors: the recorder and its injector have their own

not() { ! "$@"; }

# has_open PID FILE
has_open() { find "/proc/$1/fd" -lname "$2" | grep -q .; }

start_recorded "$work/store" -- sleep 60 7>"$work/mine"
within 10 pgrep -P "$recorded" sleep
service=$(pgrep -P "$recorded" sleep)
recorder=$(recorder_of "$recorded")
injector=$(pgrep -P "$recorder" blackbox-inject)
check "the command has what it was given" has_open "$service" "$work/mine"
check "not the recorder" not has_open "$recorder" "$work/mine"
check "nor its injector" not has_open "$injector" "$work/mine"
kill "$recorded"
wait "$recorded"

done_testing
