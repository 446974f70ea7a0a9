#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Processes that share memory: a window of the middle of their work, the service that
# outlives its recorder, and what isn't handed over.

. "$(dirname "$0")/lib.sh"
need jq

# -- the last second of several

"$BLACKBOXCTL" record --dir "$work/service" --window 1s --set snapshot-interval=300ms \
	-o "$work/service.bb" -- "$PROGRAMS/share-service" 4 >"$work/out" 2>"$work/err"
is "processes that share all that they do" $? 0
replay_checks "their last second replays" "$work/service.bb"
check "what one wrote went to the others" \
	[ "$("$BLACKBOXCTL" events "$work/service.bb" | grep -cE ' (page-in|turn) ')" -gt 50 ]
is "nothing is noted" "$("$BLACKBOXCTL" info --json "$work/service.bb" | jq -c '[.notes[] | select(test("memory"))]')" "[]"

# -- so much that they take turns

"$BLACKBOXCTL" record --dir "$work/busy" --window all -o "$work/busy.bb" -- "$PROGRAMS/share-busy" \
	>"$work/out" 2>"$work/err"
is "processes that share much" $? 0
replay_checks "it replays" "$work/busy.bb"
check "they took turns" [ "$("$BLACKBOXCTL" events "$work/busy.bb" | grep -c ' turn ')" -gt 5 ]

# -- on one processor

# workers PID: its processes, but for the copies that snapshots are read from: nobody hears of their ends
workers() { for pid in $(pgrep -P "$1"); do awk '$38 { print $1 }' "/proc/$pid/stat"; done; }
allowed() { awk '/^Cpus_allowed_list:/ { print $2 }' "/proc/$1/status"; }

# placed PID: its processes are on one processor, as far as they have begun to share; and on any
placed() { [ "$(for pid in $(workers "$1"); do allowed "$pid"; done | sort -u | grep -c .)" -eq 1 ] && all_on_one "$1"; }
all_on_one() { allowed "$(workers "$1" | head -n 1)" | grep -qx '[0-9]*'; }
everywhere() { [ "$(allowed "$(workers "$1" | head -n 1)")" = "$(allowed self)" ]; }

# share_service SECONDS OPTION...: in the background; $service is it
share_service()
{
	seconds=$1
	shift
	"$BLACKBOXCTL" record --dir "$work/placed" --window all "$@" -- "$PROGRAMS/share-service" "$seconds" \
		>"$work/out" 2>"$work/err" &
	record=$!
	within 5 service_of $record
	sleep 1
	service=$(service_of $record)
}

share_service 60 --set log-buffer=64K
check "those that run one at a time are put on one processor" within 5 placed "$service"
kill -KILL "$(recorder_of $record)"
check "... and may go anywhere again as they find that nobody records them" within 5 everywhere "$service"
# shellcheck disable=SC2046
kill -KILL $(workers "$service") "$service"
wait $record
share_service 8 --set placement=none
within 4 pgrep -P "$service" >/dev/null
sleep 2
check "... or stay where they are" everywhere "$service"
wait $record
is "they end well" $? 0

# Who ends doesn't wait for a recorder that has been killed, and holds up nobody.
(
	"$BLACKBOXCTL" record --dir "$work/orphans" --window all -o "$work/orphans.bb" -- "$PROGRAMS/share-late-fork" \
		>"$work/out" 2>"$work/err" &
	echo $! >"$work/orphans.pid"
	wait $!
	echo $? >"$work/orphans.status"
) &
within 5 test -s "$work/orphans.pid"
orphans=$(cat "$work/orphans.pid")
within 5 recorder_of "$orphans" >/dev/null
sleep 0.3
kill -KILL "$(recorder_of "$orphans")"
check "a recorder is killed, and they end soon" within 6 test -s "$work/orphans.status"
wait
is "... and well" "$(cat "$work/orphans.status")" 0

# One that stands still in its turn doesn't keep the others for long: they go on unrecorded.
"$BLACKBOXCTL" record --dir "$work/stopped" --window all -- "$PROGRAMS/share-service" 3 \
	>"$work/out" 2>"$work/err" &
record=$!
sleep 1
stopped=$(workers "$(service_of $record)" | head -n 1)
kill -STOP "$stopped"
sleep 2.5
kill -CONT "$stopped"
wait $record
is "one of them stands still, the others go on" $? 0

# -- a child that nobody records, since the recorder isn't there for its fork

"$BLACKBOXCTL" record --dir "$work/late" --window all --set stall=100ms -o "$work/late.bb" -- \
	"$PROGRAMS/share-late-fork" >"$work/out" 2>"$work/err" &
record=$!
sleep 0.8
recorder=$(recorder_of $record)
kill -STOP "$recorder"
sleep 0.7
kill -CONT "$recorder"
wait $record
is "a child isn't recorded" $? 0
check "... as is noted" [ "$("$BLACKBOXCTL" info --json "$work/late.bb" | jq '[.notes[] | select(test("forked processes ran unrecorded"))] | length')" -eq 1 ]
replay_checks "... and those that share memory with it replay, as far as they were recorded" "$work/late.bb"

# -- the recorder is killed

"$BLACKBOXCTL" record --dir "$work/killed" --window all -- \
	"$PROGRAMS/share-service" 4 >"$work/out" 2>"$work/err" &
record=$!
sleep 2
kill -KILL "$(recorder_of $record)"
wait $record
is "a service outlives its recorder, whoever has which page" $? 0

# -- what isn't handed over

"$BLACKBOXCTL" record --dir "$work/exec" --window all -o "$work/exec.bb" -- \
	"$PROGRAMS/share-exec" >"$work/out" 2>"$work/err"
is "memory is shared beyond an exec" $? 0
check "an incident notes it" \
	[ "$("$BLACKBOXCTL" info --json "$work/exec.bb" | jq '[.notes[] | select(test("mapped the same memory"))] | length')" -eq 1 ]
done_testing
