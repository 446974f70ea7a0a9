#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every way to die: each makes an incident without being asked, and each replays up to its
# last event.

. "$(dirname "$0")/lib.sh"
need jq

# dies PROGRAM STATUS KIND SIGNAL
dies()
{
	name=$1
	rm -rf "$work/store"
	"$BLACKBOXCTL" record --dir "$work/store" --window all -- "$PROGRAMS/$name" \
		>"$work/out" 2>"$work/err"
	is "$name: its status" $? "$2"
	is "$name: its trigger" "$(json "$work/store" '.trigger | "\(.kind) \(.signal_name)"')" "$3 $4"
	replay_checks "$name: replays" "$(ls -d "$work"/store/incidents/*/)" || notes "$work/store"
	check "$name: to its death" grep -q 'end: death$' "$work/replay.err"
	check "$name: the same output" cmp "$work/out" "$work/replay.out"
}

ulimit -S -c 0
dies crash-in-handler 139 crash SIGSEGV
dies crash-on-altstack 134 crash SIGABRT
dies crash-stack-overflow 139 crash SIGSEGV
dies crash-second-thread 136 crash SIGFPE
dies crash-abort 134 crash SIGABRT

start_recorded "$work/killed" --window all -- "$PROGRAMS/process-until-killed" forever
ready() { grep -q ready "$work/killed.out"; }
check "killed from outside: it runs" within 10 ready
sleep 0.5
kill -KILL "$(service_of $recorded)"
wait $recorded
is "killed from outside: its status" $? 137
is "killed from outside: its trigger" \
	"$(json "$work/killed" '.trigger | "\(.kind) \(.signal_name)"')" "killed SIGKILL"
replay_checks "killed from outside: replays" "$(ls -d "$work"/killed/incidents/*/)" ||
	notes "$work/killed"
check "killed from outside: more than its start" \
	[ "$(sed -n 's/^checked: \([0-9]*\) events.*/\1/p' "$work/replay.err")" -gt 1000 ]
# -- a freeze is asked for by one who is gone before his memory has been read

for n in 1 2 3 4 5; do
	rm -rf "$work/gone"
	"$BLACKBOXCTL" record --dir "$work/gone" --freeze-signal USR1 -- "$PROGRAMS/sig-freeze-exits" 2>"$work/err"
	is "it ends well" $? 0
	is "its window is frozen ($n)" "$(ls "$work/gone/incidents" | wc -l)" 1
done
replay_checks "it replays" "$work/gone/incidents/$(ls "$work/gone/incidents")"

done_testing
