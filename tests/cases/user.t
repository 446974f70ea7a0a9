#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# All of it without privileges.

. "$(dirname "$0")/lib.sh"
need setpriv

as_user=
if [ "$(id -u)" = 0 ]; then
	as_user="setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all"
	# Where the build is, the user may not look.
	mkdir "$work/bin" && cp "$top_builddir/blackboxctl" "$top_builddir/blackbox-recorder" \
		"$top_builddir/blackbox-inject" "$work/bin"
	cp "$PROGRAMS/thread-lost-updates" "$PROGRAMS/process-exec-chain" "$PROGRAMS/crash-abort" "$work"
	chmod 755 "$work"
	BLACKBOXCTL="$as_user $work/bin/blackboxctl"
	PROGRAMS=$work
	mkdir "$work/home" && chown 65534:65534 "$work/home"
else
	mkdir "$work/home"
fi
HOME=$work/home
export HOME
unset XDG_STATE_HOME

# run_as_user PROGRAM STATUS
run_as_user()
{
	$BLACKBOXCTL record --dir "$HOME/store" --window all -o "$HOME/dump" -- "$PROGRAMS/$1" \
		>"$work/out" 2>"$work/err"
	is "$1: status" $? "$2"
	is "$1: not unrecorded" "$(grep unrecorded "$work/err")" ""
	$BLACKBOXCTL replay --check "$HOME/dump" >"$work/replay.out" 2>"$work/replay.err"
	is "$1: replays" $? 0
	tail -n 2 "$work/replay.err" | diag
	check "$1: the same output" cmp "$work/out" "$work/replay.out"
}

ulimit -S -c 0
run_as_user thread-lost-updates 0
run_as_user process-exec-chain 0
run_as_user crash-abort 134
is "the store is the user's alone" "$(stat -c '%a %U' "$HOME/store")" \
	"700 $(stat -c %U "$HOME")"
is "the dump too" "$(stat -c %a "$HOME/dump")" 600
check "without --dir it has a place" $BLACKBOXCTL record -- /bin/true
done_testing
