#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# memcached with four threads under a client with eight, frozen by a signal twice while it
# goes on serving.

. "$(dirname "$0")/lib.sh"
need memcached jq

port=$(free_port 1) user=
[ "$(id -u)" != 0 ] || user="-u nobody"
# shellcheck disable=SC2086
start_recorded "$work/store" --window all --ring 1G --freeze-signal HUP -- \
	memcached $user -l 127.0.0.1 -t 4 -p "$port" -U 0
service() { service_of $recorded; }
check "it serves" within 10 "$PROGRAMS/mcload" "$port" 1 0.1

# A word is too much for the machine: HUP is ignored by memcached, and reaches it.
"$PROGRAMS/mcload" "$port" 8 5 >"$work/load.out" 2>&1 &
load=$!
remember $load
frozen() { [ "$(n_incidents "$work/store")" -ge "$1" ]; }
sleep 1
kill -HUP "$(service)"
check "the first incident" within 10 frozen 1
sleep 1
kill -HUP "$(service)"
check "the second" within 10 frozen 2
wait $load
is "every answer was right" $? 0
diag <"$work/load.out"
kill -TERM "$(service)"
wait $recorded
echo "status $?" | diag
for incident in "$work"/store/incidents/*/; do
	replay_checks "$(basename "$incident") replays" "$incident" || notes "$work/store"
	tail -n 1 "$work/replay.err" | diag
done
is "they are two" "$(n_incidents "$work/store")" 2
done_testing
