#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# redis-server under load, crashed by DEBUG SEGFAULT: the dump of the whole run replays.

. "$(dirname "$0")/lib.sh"
need redis-server redis-cli redis-benchmark jq

# crash_redis NAME REDIS-BENCHMARK-OPTION...
crash_redis()
{
	name=$1 port=$(free_port 1) dump=$work/dump
	shift
	rm -rf "$work"/store*
	# shellcheck disable=SC2046
	start_recorded "$work/store" --window all --ring 1G -o "$dump" -- \
		redis-server $(eval printf "'%s '" "$(redis_arguments)")
	check "$name: redis answers" within 10 redis_answers || return
	is "$name: nobody traces it" \
		"$(grep TracerPid "/proc/$(service_of $recorded)/status" | tr -d '\t')" TracerPid:0
	check "$name: the load runs" redis-benchmark -p "$port" -q -t set,get,incr,lpush -c 50 "$@"
	redis debug segfault >/dev/null 2>&1
	wait $recorded
	is "$name: it dies of SIGSEGV" $? 139
	is "$name: the incident says so" "$(json "$work/store" '.trigger | "\(.kind) \(.signal_name)"')" \
		"crash SIGSEGV"
	replay_checks "$name: the replay is what was recorded" "$dump" || notes "$work/store"
	check "$name: all memory was compared" grep -q 'full comparisons, end: death$' "$work/replay.err"
	check "$name: what it printed is printed again" cmp "$work/store.out" "$work/replay.out"
}

ulimit -S -c 0
crash_redis plain -n 20000
crash_redis "-P 16" -n 100000 -P 16
done_testing
