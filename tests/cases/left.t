#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is left when the recorder is killed, or all of us, or the machine: the window is an
# incident, found by whoever looks next, and replays. And what verify and repair make of damage.

. "$(dirname "$0")/lib.sh"
need jq python3

# Makes calls, and says how far it is.
cat >"$work/count.py" <<'EOP'
import os, time
for i in range(200000):
    os.stat("/")
    if i % 100 == 0:
        print(i, flush=True)
        time.sleep(0.01)
EOP

# snapshots DIRECTORY: of the process with most of them, how many, and the directory's name
snapshots()
{
	find "$1" -name 'snap.*' | sed 's,/[^/]*$,,; s,.*/,,' | sort | uniq -c | sort -rn | head -n 1
}

# has_snapshots STORE: enough to share pages
has_snapshots()
{
	[ "$(snapshots "$1/live" | awk '{ print $1 }')" -ge 3 ]
}

# begin STORE: records that, with some snapshots
begin()
{
	start_recorded "$1" --set snapshot-interval=200ms --set stall=10s -- python3 "$work/count.py"
	within 20 [ -s "$1.out" ]
	sleep 1.5
	within 20 has_snapshots "$1"
	recorder=$(recorder_of $recorded)
	service=$(service_of $recorded)
}

# left_checks NAME STORE KIND: one incident, of that kind, sound, and it replays
left_checks()
{
	"$BLACKBOXCTL" list --json --dir "$2" >"$work/list.json"
	is "$1: list has one incident" "$(jq length "$work/list.json")" 1
	is "$1: its trigger" "$(jq -r '.[0].trigger.kind' "$work/list.json")" "$3"
	check "$1: verify finds nothing wrong" "$BLACKBOXCTL" verify "$2"
	incident=$(ls -d "$2"/incidents/*/)
	replay_checks "$1: it replays" "$incident"
	seconds=$(info "$incident" | jq .window_seconds)
	check "$1: it is a second long ($seconds)" jq -en "$seconds > 1"
	check "$1: a dump of it is whole" "$BLACKBOXCTL" dump "$incident" -o "$work/dump"
	check "$1: so verify says" "$BLACKBOXCTL" verify "$work/dump"
}

begin "$work/recorder"
kill -KILL "$recorder"
sleep 0.3
kill -TERM "$service"
wait $recorded
check "recorder killed: record says that the window is kept" grep -q "incident .*(recorder-death)" "$work/recorder.err"
left_checks "recorder killed" "$work/recorder" recorder-death

begin "$work/all"
kill -KILL "$recorder" $recorded "$service"
within 5 is_gone "$recorder"
left_checks "all killed" "$work/all" recorder-death

# Stopped in order, or over: nothing to keep.
begin "$work/stopped"
kill -TERM "$recorder"
within 5 is_gone "$recorder"
check "recorder stopped: its window is still there" [ -e "$work/stopped/live/about" ]
kill -TERM "$service"
wait $recorded
check "recorder stopped: that was no incident" eval '! "$BLACKBOXCTL" list --dir "$work/stopped" | grep -q Z-'
"$BLACKBOXCTL" record --dir "$work/over" -- /bin/true
is "service over: nothing live is left" "$(find "$work/over/live" -type f | wc -l)" 0

# Another boot has another id: in a mount namespace any has.
if [ "$(id -u)" = 0 ] && cat /proc/sys/kernel/random/uuid >"$work/boot_id" &&
   unshare -m mount --bind "$work/boot_id" /proc/sys/kernel/random/boot_id 2>/dev/null; then
	begin "$work/host"
	kill -KILL "$recorder" $recorded "$service"
	within 5 is_gone "$recorder"
	# Of the last write not all has reached the disk.
	last=$(ls "$work"/host/live/1/log.* | tail -n 1)
	truncate -s -7 "$last"
	unshare -m sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && "$2" record --dir "$3" -- /bin/true' \
		sh "$work/boot_id" "$BLACKBOXCTL" "$work/host" 2>"$work/host.next"
	check "host restarted: the next recording says it" grep -q "(host-restart)" "$work/host.next"
	left_checks "host restarted" "$work/host" host-restart

	begin "$work/shutdown"
	kill -TERM "$recorder"
	within 5 is_gone "$recorder"
	kill -KILL $recorded "$service"
	unshare -m sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && "$2" repair "$3"' \
		sh "$work/boot_id" "$BLACKBOXCTL" "$work/shutdown" >"$work/out"
	check "shut down: repair makes it an incident" grep -q "is now the incident" "$work/out"
	left_checks "shut down" "$work/shutdown" host-restart
else
	skip "host restarted" "a file can't be mounted over the boot's id"
fi

# Damage: named, cut out, and what remains replays.
store=$work/all
incident=$(ls -d "$store"/incidents/*/)
incident=${incident%/}
set -- $(snapshots "$incident")
domain=$2
middle=$(ls "$incident/$domain"/log.* | sed -n 2p)
printf X | dd of="$middle" bs=1 seek=300 conv=notrunc 2>/dev/null
"$BLACKBOXCTL" verify "$incident" >"$work/out" 2>"$work/err"
is "damaged: the status of verify" $? 2
check "damaged: the file and the offset are named" grep -q "^$domain/$(basename "$middle"), offset [0-9]*: " "$work/out"
"$BLACKBOXCTL" verify --json "$store" >"$work/json"
is "damaged: verify --json of the store names it, too" \
	"$(jq -r '.faults[0].path' "$work/json")" "incidents/$(basename "$incident")/$domain/$(basename "$middle")"
check "damaged: repair" "$BLACKBOXCTL" repair "$incident"
check "repaired: verify finds nothing wrong" "$BLACKBOXCTL" verify "$incident"
replay_checks "repaired: it replays" "$incident"
is "repair of what is well: nothing" "$("$BLACKBOXCTL" repair "$incident")" "nothing was cut: nothing is damaged"

# Pages: the newest are needed by the newest snapshot; those in front of it don't.
incident=$(ls -d "$work"/recorder/incidents/*/)
incident=${incident%/}
set -- $(snapshots "$incident")
n=$1 domain=$2
pages=$(ls "$incident/$domain"/pages.* | tail -n 1)
check "pages: a window of snapshots that share them" [ "$n" -ge 3 ]
printf X | dd of="$pages" bs=1 seek=100 conv=notrunc 2>/dev/null
"$BLACKBOXCTL" verify "$incident" >"$work/out"
is "a damaged page: the status of verify" $? 2
check "a damaged page: the file and the offset are named" \
	grep -qx "$domain/$(basename "$pages"), offset 0: .*" "$work/out"
"$BLACKBOXCTL" repair "$incident" >"$work/out"
is "a damaged page: repair" $? 0
check "a damaged page: the snapshot goes that needs it" grep -q "^$domain/snap\..*: removed: pages that it needs" "$work/out"
is "a damaged page: those in front of it stay" "$(ls "$incident/$domain"/snap.* | wc -l)" $((n - 1))
check "a damaged page: verify finds nothing wrong any more" "$BLACKBOXCTL" verify "$incident"
replay_checks "a damaged page: it replays from the others" "$incident"

head -c 20000 "$work/dump" >"$work/half"
"$BLACKBOXCTL" verify "$work/half" >"$work/out" 2>"$work/err"
is "half a dump: the status of verify" $? 2
"$BLACKBOXCTL" repair "$work/dump" 2>"$work/err"
is "a dump can't be repaired: status" $? 2
"$BLACKBOXCTL" verify /etc 2>"$work/err"
is "something else: the status of verify" $? 2

# At random moments: a few of the rounds that tests/suites/kill makes by the thousand.
KEPT=$work/kept "$top_srcdir/tests/suites/kill" "$top_builddir" 12 $$ >"$work/out" 2>&1
killed=$?
diag <"$work/out"
is "killed at random moments: rounds that went wrong" $killed 0
check "killed at random moments: most left an incident" eval \
	'[ "$(sed -n "s/.*; \([0-9]*\) incidents.*/\1/p" "$work/out")" -ge 6 ]'
done_testing
