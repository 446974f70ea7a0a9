#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What snapshots cost a service with 100 MB of which little changes: what is read and written,
# the child that is kept between two, the pauses; and what `status' says of it all.
# shellcheck disable=SC2317 # functions are called by name

. "$(dirname "$0")/lib.sh"
need jq redis-server redis-cli

BLACKBOXD=$top_builddir/blackboxd
socket=$work/run/control
port=$(free_port 1)

ctl() { verb=$1; shift; "$BLACKBOXCTL" "$verb" --socket "$socket" "$@"; }
redis() { redis-cli -p "$port" "$@"; }
answers() { [ "$(redis ping)" = PONG ]; }
field() { ctl status --json redis | jq -r ".[0].$1"; }
status_holds() { ctl status --json redis | jq -e ".[0] | ($1)"; }
children() { pgrep -P "$1" bb-snapshot; }
has_no_child() { ! children "$1"; }

# serve KEY-AND-VALUE...: redis, with these in its policy
serve()
{
	{
		printf '%s\n' "snapshot-interval: 300ms" "window: 3s" "ring: 512M" "$@"
		cat <<-END
			services:
			  - name: redis
			    command: [redis-server, --port, "$port", --save, "", --enable-debug-command, "yes"]
		END
	} >"$work/blackbox.yaml"
	rm -rf "$work/state"
	"$BLACKBOXD" --config "$work/blackbox.yaml" --socket "$socket" --state "$work/state" \
		2>>"$work/log" >/dev/null </dev/null &
	daemon=$!
	remember $daemon
	within 10 answers || return
	pid=$(field pid) recorder=$(field recorder_pid)
	remember "$pid"
	redis debug populate 100000 key 800 >/dev/null
	(while redis incr number >/dev/null; do sleep 0.02; done) &
	load=$!
	remember $load
}

stop()
{
	kill $load 2>/dev/null
	kill -KILL "$pid" 2>/dev/null
	within 5 is_gone "$recorder"
	kill $daemon
	wait $daemon 2>/dev/null
}

settled='.snapshot_pages > 20000 and .snapshot_pages_written < .snapshot_pages / 20'

# -- by page frames -----------------------------------------------------------------------------

check "redis answers" serve "stall: 1s" || { diag <"$work/log"; done_testing; exit; }
check "snapshots write little of it" within 30 status_holds "$settled"
if status_holds '.snapshot_method == "hashes"' >/dev/null; then
	skip "... and read little" "the kernel shows no page frames"
else
	check "... and read little" within 10 status_holds \
		"$settled and .snapshot_method == \"frames\" and .snapshot_pages_read < .snapshot_pages / 20"
	child=$(children "$pid" | tail -n 1)
	check "one child is kept, at most another is read" test "$(children "$pid" | wc -l)" -le 2
	check "it holds next to no memory" status_holds ".snapshot_child_bytes < 20000000"
	check "it maps no files" eval "within 2 eval '! grep -v memfd /proc/$child/maps | grep -q \" /\"'"
fi
check "status says what is remembered" status_holds ".snapshot_table_bytes > 20000 * 32"
check "the pauses are said, and are short" status_holds \
	".longest_stall_ms > 0 and .longest_stall_ms < 1000 and .snapshot_interval_seconds < 5"
ctl status redis >"$work/status.txt"
check "status for people says it, too" grep -q "pages, .* read, .* written" "$work/status.txt"
ctl freeze redis --json >"$work/freeze.json"
id=$(jq -r .id "$work/freeze.json")
check "it is dumped" ctl dump "$id" -o "$work/dump"
replay_checks "it replays from shared pages" "$work/dump" || notes "$work/state"
kill -KILL "$recorder"
check "the service outlives the recorder" within 2 answers
check "a child doesn't, by much" within 40 has_no_child "$pid"
stop

# -- by hashes, and a service that dies ---------------------------------------------------------------

check "redis answers again" serve "stall: 1s" "snapshot-memory: none"
check "snapshots write little of it" within 30 status_holds "$settled and .snapshot_method == \"hashes\""
check "all is read" status_holds ".snapshot_pages_read >= .snapshot_pages"
check "no child is kept" within 5 has_no_child "$pid"
ctl freeze redis --json >"$work/freeze.json"
check "it is dumped" ctl dump "$(jq -r .id "$work/freeze.json")" -o "$work/dump"
replay_checks "it replays from shared pages" "$work/dump" || notes "$work/state"
stop

# -- one that takes long to read: gigabytes do, or a slow disk ------------------------------------------

# holds_child: the recorder is stopped while it reads one
holds_child()
{
	kill -STOP "$recorder"
	sleep 0.3
	child=$(children "$pid" | head -n 1)
	[ -n "$child" ] || { kill -CONT "$recorder"; return 1; }
}
check "redis answers with more in it" serve "stall: 10s" "snapshot-memory: none"
redis debug populate 300000 more 800 >/dev/null
failed=$(field snapshots_failed)
check "the recorder is slow while it reads a child" within 20 holds_child
sleep 6
for _ in 1 2 3 4; do	# on a busy machine it gets its turn in one of them
	kill -CONT "$recorder"
	sleep 0.02
	kill -STOP "$recorder"
	sleep 0.1
done
sleep 6
check "the child lives as long as its recorder looks at it now and then" kill -0 "$child"
kill -CONT "$recorder"
taken=$(field snapshots_taken)
check "so the snapshot becomes whole" within 30 status_holds ".snapshots_taken > $taken"
is "... and none has failed" "$(field snapshots_failed)" "$failed" || field snapshot_error | diag

# They take a tenth of a processor, but not for longer than the window can wait.
check "redis gets 500 MB" redis debug populate 2500000 key 150
taken=$(field snapshots_taken)
check "the next ones don't wait for long" within 10 status_holds ".snapshots_taken > $taken + 2"
stop

check "redis answers once more" serve "stall: 1s"
check "a child is kept" within 30 children "$pid"
child=$(children "$pid" | head -n 1)
kill -KILL "$pid"
check "it ends with the service that is killed" within 5 is_gone "$child"
stop

# -- pauses that would be too long ------------------------------------------------------------------------

check "redis answers the last time" serve "stall: 2ms"
check "snapshots are left out, and status says so" within 30 status_holds ".snapshots_skipped > 0"
check "the service doesn't notice" answers
stop
done_testing
