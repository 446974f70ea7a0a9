#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# blackboxd's limits over all services, and what a service that dies in a loop leaves.
# shellcheck disable=SC2317 # functions are called by name

. "$(dirname "$0")/lib.sh"
need jq perl awk
[ "$(id -u)" -eq 0 ] || skip_all "only root starts what is no unit as one, and mounts"

BLACKBOXD=$top_builddir/blackboxd
socket=$work/run/control
state=$work/state
mounted=

ctl() { verb=$1; shift; "$BLACKBOXCTL" "$verb" --socket "$socket" "$@"; }
# of SERVICE FILTER: what status says
of() { ctl status --json "$1" | jq -r ".[0] | $2"; }
in_state() { [ "$(of "$1" .state)" = "$2" ]; }

start_daemon()
{
	"$BLACKBOXD" --config "$work/blackbox.yaml" --socket "$socket" --state "$state" \
		2>>"$work/log" >/dev/null </dev/null &
	daemon=$!
	remember $daemon
	within 10 ctl status
}

no_recorders() { ! pgrep -f "blackbox-recorder $state/"; }

stop_all()
{
	kill -TERM "$daemon" 2>/dev/null
	for file in "$work"/run/*.pid; do
		[ -e "$file" ] && kill -KILL "$(cut -d' ' -f1 "$file")" 2>/dev/null
	done
	within 10 no_recorders
	rm -f "$work"/run/*.pid
}
trap 'stop_all; [ -n "$mounted" ] && umount "$state"; cleanup' EXIT

# launch UNIT COMMAND...: as systemd would
launch()
{
	launched_unit=$1
	shift
	"$top_builddir/blackbox-launch" --unit "$launched_unit" --socket "$work/run/launch" -- "$@" \
		>/dev/null 2>>"$work/launch.log"
}

# -- max-use -------------------------------------------------------------------------------

cat >"$work/blackbox.yaml" <<END
max-use: 9M
services:
  - { name: small, command: [/bin/sleep, 1000], ring: 6M }
  - { name: large, command: [/bin/sleep, 1000], ring: 12M }
END
start_daemon
within 10 in_state large recording
is "two rings share max-use as they would without it: a third" "$(of small .bytes_limit)" $((3 << 20))
is "... and two" "$(of large .bytes_limit)" $((6 << 20))
check "status says why" sh -c "'$BLACKBOXCTL' status --socket '$socket' small | grep -q '^ring: less than the 6.*9.*max-use'"
launch other.service /bin/true
check "a unit that isn't in the policy gets what is left: nothing" in_state other ended
check "... and runs unrecorded, which is said" grep -q 'other runs unrecorded: max-use' "$work/log"
stop_all

sed -i 's/^max-use: .*/max-use: 20M/' "$work/blackbox.yaml"
start_daemon
within 10 in_state large recording
is "rings that fit are whole" "$(of large .bytes_limit) $(of large .bytes_limit_why)" "$((12 << 20)) null"
launch other.service /bin/sh -c "sleep 2" &
within 10 in_state other recording
is "the unit gets what is left" "$(of other .bytes_limit)" $((2 << 20))
wait $!
stop_all

# A part of the file system.
set -- $(stat -f -c '%b %S' "$work")
cat >"$work/blackbox.yaml" <<END
max-use: 2%
services:
  - { name: large, command: [/bin/sleep, 1000], ring: 1000T, keep-free: 1% }
END
start_daemon
within 10 in_state large recording
part=$(of large .bytes_limit)
check "max-use as a part of the file system ($part of $1 blocks of $2)" \
	awk "BEGIN { exit !($part <= $1 * $2 / 50 && $part > $1 * $2 / 60) }"
stop_all

cat >"$work/blackbox.yaml" <<END
max-use: 20M
services:
  - { name: small, command: [/bin/sleep, 1000], ring: 6M }
  - { name: large, command: [/bin/sleep, 1000], ring: 12M }
END

# What is nobody's is counted.
rm -rf "$state/other"
mkdir "$state/nobody"
head -c $((11 << 20)) /dev/zero >"$state/nobody/something"
start_daemon
within 10 in_state large recording
check "what is nobody's takes its part first" [ "$(of large .bytes_limit)" -lt $((6 << 20)) ]
check "... and no more" [ "$(of large .bytes_limit)" -ge $((59 * (1 << 20) / 10)) ]
stop_all
rm -rf "$state"

# -- keep-free -----------------------------------------------------------------------------

free_bytes() { stat -f -c '%a %S' "$state" | awk '{ print $1 * $2 }'; }
is_free() { [ "$(free_bytes)" -ge $((47 << 20)) ]; }
is_used() { [ "$(free_bytes)" -le $((51 << 20)) ]; }

mkdir "$state"
if mount -t tmpfs -o size=64m tmpfs "$state"; then
	mounted=1
	cat >"$work/blackbox.yaml" <<END
keep-free: 75%
ring: 64M
window: 10min
snapshot-interval: 500ms
services:
  - name: reader
    command:
      - perl
      - -e
      - 'open F, "<:raw", "/dev/urandom"; for (;;) { sysread F, \$b, 20000; select undef, undef, undef, 0.01 }'
END
	start_daemon
	check "a service takes what there is" within 60 is_used
	sleep 1
	check "... but for what is kept free" is_free
	head -c 6000000 /dev/zero >"$state/others"
	check "when others take more, its window gives way" within 20 is_free
	check "it is recorded still" in_state reader recording
	# Where the room went faster than it could be given up, the window begins anew.
	has_snapshot() { [ "$(of reader .snapshots)" -gt 0 ]; }
	within 20 has_snapshot
	id=$(ctl freeze reader --json | jq -r .id)
	ctl dump "$id" -o "$work/dump"
	replay_checks "what is left replays" "$work/dump"
	rm "$state/others"
	stop_all
	umount "$state"
	mounted=
else
	skip "keep-free" "nothing can be mounted here"
fi

# -- a service that dies in a loop --------------------------------------------------------------

cat >"$work/blackbox.yaml" <<END
keep-incidents: 4
ring: 16M
services:
  - { name: loop, unit: loop.service }
  - { name: rated, unit: rated.service, incidents-rate: 2 }
END
start_daemon
incidents() { ctl list --json | jq -r --arg s "$1" '[.[] | select(.service == $s)] | sort_by(.real_ns) | map(.id) | join(" ")'; }
# crash SERVICE: once, and until it is an incident, or not
crash()
{
	within 20 no_recorders	# a launcher doesn't wait for long
	before=$(grep -c "of $1 (crash\|of $1 could not be frozen" "$work/log")
	launch "$1.service" "$PROGRAMS/crash-registers"
	within 20 eval "[ \"\$(grep -c 'of $1 (crash\|of $1 could not be frozen' '$work/log')\" -gt $before ]"
}

crash loop
first=$(incidents loop)
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
	crash loop
done
last=$(grep -o '[^ ]* of loop (crash' "$work/log" | tail -n 1 | cut -d' ' -f1)
is "after 20 crashes, as many are kept as the policy says" "$(incidents loop | wc -w)" 4
is "... the first of them" "$(incidents loop | cut -d' ' -f1)" "$first"
is "... and the last" "$(incidents loop | cut -d' ' -f4)" "$last"
replay_checks "the first replays" "$(ctl list --json | jq -r --arg id "$first" '.[] | select(.id == $id).path')"

for _ in 1 2 3 4 5; do
	crash rated
done
is "no more in an hour than incidents-rate says" "$(grep -c 'of rated (crash' "$work/log")" 2
is "... which is said" "$(grep -c 'of rated could not be frozen: .*incidents-rate' "$work/log")" 3
is "... they are kept" "$(incidents rated | wc -w)" 2
rated=$(incidents rated | cut -d' ' -f1)
touch -d '2 hours ago' "$state/rated/incidents/$rated/incident.json"
crash rated
is "an hour later there may be others" "$(grep -c 'of rated (crash' "$work/log")" 3
done_testing
