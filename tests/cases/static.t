#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Four threads that increment a counter without locks, linked dynamically and statically:
# the updates that are lost are lost again in the replay.

. "$(dirname "$0")/lib.sh"

for program in thread-lost-updates thread-lost-updates-static; do
	for run in 1 2 3; do
		rm -rf "$work/store"
		"$BLACKBOXCTL" record --dir "$work/store" --window all -o "$work/dump" -- \
			"$PROGRAMS/$program" >"$work/out" 2>"$work/err"
		is "$program: runs ($run)" $? 0
		# What varies goes to its standard error, which a replay repeats as well.
		replay_checks "$program: replays ($run)" "$work/dump" || notes "$work/store"
		check "$program: the same output ($run)" cmp "$work/out" "$work/replay.out"
		is "$program: the same updates are lost ($run)" "$(grep counted "$work/replay.err")" \
			"$(grep counted "$work/err")"
		grep counted "$work/err" | diag
	done
done
done_testing
