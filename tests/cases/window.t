#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A minute of load with a window of 5 s and a ring of 128 MiB: never more than that on disk,
# never less than the window, and the replay starts from a snapshot.

. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark jq

seconds=${LOAD_SECONDS:-60} limit=$((128 << 20)) port=$(free_port 1) largest=0
# shellcheck disable=SC2046
start_recorded "$work/store" --window 5s --ring 128M -o "$work/dump" -- \
	redis-server $(eval printf "'%s '" "$(redis_arguments)")
check "redis answers" within 10 redis_answers || { done_testing; exit; }

redis-benchmark -p "$port" -q -l -t set,get -n 100000 -c 20 -r 10000 >/dev/null 2>&1 &
load=$!
remember $load
# What doesn't compress fills the ring.
(while :; do
	head -c 30000 /dev/urandom | base64 -w0 | redis -x set noise
	sleep 0.01
done >/dev/null 2>&1) &
remember $!
until=$(($(date +%s) + seconds)) n=0
while [ "$(date +%s)" -lt $until ]; do
	used=$(du -s -B1 "$work/store" | cut -f1)
	[ "$used" -gt $largest ] && largest=$used
	n=$((n + 1))
	sleep 0.1
done
echo "looked $n times, at most $largest bytes" | diag
check "at most 128 MiB on disk" [ $largest -le $limit ]
check "the load still runs" kill -0 $load
redis debug segfault >/dev/null 2>&1
wait $recorded
is "it dies of SIGSEGV" $? 139
kill $load 2>/dev/null
check "at most 128 MiB with the incident" [ "$(du -s -B1 "$work/store" | cut -f1)" -le $limit ]

replay_seconds=200
replay_checks "the replay is what was recorded" "$work/dump" || notes "$work/store"
tail -n 1 "$work/replay.err" | diag
covered=$(sed -n 's/^checked: .* events, \([0-9]*\)\.[0-9]* seconds.*/\1/p' "$work/replay.err")
check "at least 5 s are covered" [ "${covered:-0}" -ge 5 ]
check "but far from all of the run" [ "${covered:-999}" -lt $((seconds / 2)) ]
check "it began at a snapshot" [ "$(sed -n 's/.*, \([0-9]*\) snapshots;.*/\1/p' "$work/replay.err")" -ge 2 ]
done_testing
