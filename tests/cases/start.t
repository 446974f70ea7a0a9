#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the start of a recording does without: it costs each run.

. "$(dirname "$0")/lib.sh"

record() { timeout 60 "$BLACKBOXCTL" record --dir "$work/store" "$@"; }

# -- libraries that are for other things

break_library() {	# LIBRARY FOLDER
	mkdir -p "$work/$2"
	echo "no library" >"$work/$2/$(sed -n "s/^#define $1_SONAME \"\(.*\)\"/\1/p" "$top_builddir/config.h")"
}

for library in ARCHIVE SECCOMP SYSTEMD YAML ZYDIS; do
	break_library $library libs
done
check "a recording does without five libraries" env LD_LIBRARY_PATH="$work/libs" \
	timeout 60 "$BLACKBOXCTL" record --dir "$work/store" -- /bin/true
LD_LIBRARY_PATH=$work/libs "$BLACKBOXCTL" record --policy "$top_srcdir/policies/blackbox.yaml" -- /bin/true \
	2>"$work/err"
is "a policy is read with one of them: status" $? 127
check "that is said" grep -q libyaml "$work/err"

# -- libarchive is for dumps

break_library ARCHIVE lib

without_libarchive() { LD_LIBRARY_PATH=$work/lib "$@"; }

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
