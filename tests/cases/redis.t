#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# redis-server under load, crashed by DEBUG SEGFAULT: the dump of the whole run replays. The
# same while a child of it saves, and frozen while it does.

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

is_saving() { redis info persistence | grep -q 'rdb_bgsave_in_progress:1'; }
has_saved() { redis info persistence | grep -q 'rdb_bgsave_in_progress:0' && [ -s "$work/dump.rdb" ]; }
is_frozen() { [ "$(n_incidents "$work/store")" -eq 1 ]; }

# SIGHUP is ignored by redis.
save_redis()
{
	port=$(free_port 1)
	rm -rf "$work"/store* "$work/dump"
	# shellcheck disable=SC2046
	start_recorded "$work/store" --window all --ring 1G --freeze-signal HUP -o "$work/dump" -- \
		redis-server $(eval printf "'%s '" "$(redis_arguments)")
	check "saving: redis answers" within 10 redis_answers || return
	redis debug populate 20000 key 100 >"$work/out"
	redis config set rdb-key-save-delay 100 >>"$work/out"	# two seconds, all in all
	redis-benchmark -p "$port" -q -l -t set,get -c 20 -r 20000 >"$work/load.out" 2>&1 &
	remember $!
	redis bgsave >>"$work/out"
	sleep 0.5
	check "saving: it does" is_saving
	kill -HUP "$(service_of $recorded)"
	check "saving: it is frozen meanwhile" within 10 is_frozen
	check "saving: to the end" within 20 has_saved
	incident=$(ls -d "$work"/store/incidents/*/)
	is "saving: the child was there" "$(json "$work/store" '.domains | length')" 2
	replay_checks "saving: both replay" "$incident" || notes "$work/store"
	redis bgsave >>"$work/out"
	sleep 0.5
	check "saving: once more" is_saving
	redis debug segfault >>"$work/out" 2>&1
	wait $recorded
	is "saving: it dies of SIGSEGV" $? 139
	replay_checks "saving: both replay, and the first" "$work/dump" || notes "$work/store"
	is "saving: they are three" "$(info "$work/dump" | jq .processes)" 3
	tail -n 1 "$work/replay.err" | diag
}

ulimit -S -c 0
crash_redis plain -n 20000
crash_redis "-P 16" -n 100000 -P 16
save_redis
done_testing
