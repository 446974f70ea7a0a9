#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Whatever becomes of us, the service answers every request: the recorder is killed, also
# in the middle of an exec, is stopped, and has no room on its disk.

. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark

# serve STORE OPTION...: a recorded redis
serve()
{
	port=$(free_port 1)
	store=$1
	shift
	# shellcheck disable=SC2046
	start_recorded "$store" "$@" -- redis-server $(eval printf "'%s '" "$(redis_arguments)")
	within 10 redis_answers
}

# load N NAME: increments by 50 clients in the background, to be counted afterwards
load()
{
	redis-benchmark -p "$port" -n "$1" -c 50 --csv -t incr >"$work/load.csv" 2>"$work/load.err" &
	load=$!
	remember $load
	sleep 1
}

# all_answered NAME N: and the service ends as it should
all_answered()
{
	wait $load
	is "$1: the load ends well" $? 0
	is "$1: every request was done" "$(redis get counter:__rand_int__)" "$2"
	check "$1: it answers still" redis_answers
	redis shutdown nosave >/dev/null 2>&1
	wait $recorded
	is "$1: its exit status" $? 0
}

check "killed: redis answers" serve "$work/killed" --set stall=100ms
load 300000
kill -KILL "$(recorder_of $recorded)"
all_answered killed 300000

# The eighth column is the longest answer, in ms.
check "stopped: redis answers" serve "$work/stopped" --set stall=100ms
load 1000000
recorder=$(recorder_of $recorded)
kill -STOP "$recorder"
sleep 10
check "stopped: it has answered meanwhile" redis_answers
kill -CONT "$recorder"
all_answered stopped 1000000
longest=$(sed -n 's/^"INCR".*,"\([0-9.]*\)"$/\1/p' "$work/load.csv")
echo "the longest answer took $longest ms" | diag
# The bound is 100 ms in 10 s; the rest is for a machine that has other things to do.
check "stopped: no answer took longer than the bound" [ "${longest%.*}" -lt 350 ]

# It goes on unrecorded, but as fast as it would: its recorder sees to that as soon as it can.
start_recorded "$work/late" --set stall=50ms -- "$PROGRAMS/call-late" late
within 20 grep -q begins "$work/late.out"
recorder=$(recorder_of $recorded)
kill -STOP "$recorder"
check "stopped early: it goes on" within 20 grep -q full "$work/late.out"
kill -CONT "$recorder"
wait $recorded
is "stopped early: calls don't trap in the end" "$(tail -n 1 "$work/late.out")" jumps

if [ "$(id -u)" = 0 ] && mkdir "$work/small" && mount -t tmpfs -o size=3M none "$work/small" 2>/dev/null; then
	check "full disk: redis answers" serve "$work/small/store" --ring 64M --set snapshot-interval=200ms
	load 300000
	dd if=/dev/zero of="$work/small/rest" bs=1M 2>/dev/null
	all_answered "full disk" 300000
	umount "$work/small"
else
	skip "full disk" "a tmpfs can't be mounted"
fi

# Without the baton threads are made and joined at the same time.
start_recorded "$work/makers" --set stall=50ms -- "$PROGRAMS/thread-makers" 4000
sleep 1
kill -KILL "$(recorder_of $recorded)"
sleep 10
service=$(service_of $recorded)
[ -z "$service" ] || kill -KILL "$service" 2>/dev/null
wait $recorded
is "killed while threads are made: none is lost" $? 0

# A program that executes itself all the time, and is asked to end.
cat >"$work/again.c" <<EOF
#include <unistd.h>
int main(void) { return execl("/proc/self/exe", "again", (char *)0); }
EOF
if ${CC:-cc} -o "$work/again" "$work/again.c" 2>/dev/null; then
	lost=0 n=0
	while [ $n -lt 10 ]; do
		rm -rf "$work/execs"
		start_recorded "$work/execs" -- "$work/again"
		sleep "0.$((3 + n % 5))"
		service=$(service_of $recorded)
		[ -z "$service" ] || kill -TERM "$service"
		within 3 eval "! kill -0 $recorded 2>/dev/null" || lost=$((lost + 1))
		[ -z "$service" ] || kill -KILL "$service" 2>/dev/null
		wait $recorded
		n=$((n + 1))
	done
	is "a signal in the middle of an exec isn't lost" $lost 0
else
	skip "a signal in the middle of an exec isn't lost" "there is no compiler"
fi

# Killed a little later each time, from before the first exec on. 200 execs take half a second.
chain="$PROGRAMS/process-exec-chain"
for who in recorder injector; do
	failed=0 n=0
	while [ $n -lt 25 ]; do
		rm -rf "$work/chain"
		start_recorded "$work/chain" -- "$chain" 100
		sleep "0.0$((10 + n * 3))"
		victim=$(recorder_of $recorded)
		[ $who = recorder ] || victim=$(pgrep -P "${victim:-0}" blackbox-inject)
		[ -z "$victim" ] || kill -KILL "$victim" 2>/dev/null
		wait $recorded
		status=$?
		if [ $status -ne 0 ] || [ "$(cat "$work/chain.out")" != "done" ]; then
			failed=$((failed + 1))
			echo "$who killed after $((10 + n * 3)) ms: status $status" | diag
			diag <"$work/chain.err"
		fi
		n=$((n + 1))
	done
	is "$who killed while programs are executed: none fails" $failed 0
done
done_testing
