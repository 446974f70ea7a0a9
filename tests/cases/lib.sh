# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# lib - what the cases share: TAP, a directory of their own, recording and checking
#
# A case is a POSIX shell script that sources this, and says done_testing at its end.
# It runs by itself, too: tests/cases/NAME.t, with top_builddir set if the build isn't
# in the working directory. What it started is killed when it ends.

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$(pwd)}"
BLACKBOXCTL=$top_builddir/blackboxctl
PROGRAMS=$top_builddir/tests/programs
work=$(mktemp -d "${TMPDIR:-/tmp}/blackbox-case-XXXXXX") || exit 99
n_tests=0
children=

cleanup()
{
	for pid in $children; do
		kill -KILL "$pid" 2>/dev/null
	done
	[ -n "$keep_work" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 99' HUP INT TERM

# Killed when the case ends, if it still runs then.
remember() { children="$children $1"; }

ok()
{
	n_tests=$((n_tests + 1))
	echo "ok $n_tests - $1"
}

not_ok()
{
	n_tests=$((n_tests + 1))
	echo "not ok $n_tests - $1"
}

# skip NAME WHY
skip()
{
	n_tests=$((n_tests + 1))
	echo "ok $n_tests - $1 # SKIP $2"
}

diag() { sed 's/^/# /'; }

# check NAME COMMAND...: it succeeds
check()
{
	check_name=$1
	shift
	if "$@" >"$work/check.out" 2>&1; then
		ok "$check_name"
	else
		check_status=$?
		not_ok "$check_name"
		echo "status $check_status of: $*" | diag
		tail -n 20 "$work/check.out" | diag
		return 1
	fi
}

done_testing() { echo "1..$n_tests"; }

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

# The whole case needs these commands.
need()
{
	for command in "$@"; do
		command -v "$command" >/dev/null || skip_all "$command is not installed"
	done
}

# within SECONDS COMMAND...: it succeeds before that
within()
{
	tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# A TCP port that nobody listens at, the same for a given case and its Nth server.
free_port()
{
	port=$((20000 + ($$ * 7 + ${1:-0} * 131) % 10000))
	while grep -qi ":$(printf %04X "$port") [0-9A-F]*:0000 0A" /proc/net/tcp; do
		port=$((port + 1))
	done
	echo "$port"
}

# The recorder that the blackboxctl of process $1 has started.
recorder_of() { pgrep -P "$1" blackbox-record; }

# replay_checks NAME FILE: it replays as recorded; what it wrote is in $work/replay.out
replay_checks()
{
	timeout "${replay_seconds:-120}" "$BLACKBOXCTL" replay --check "$2" \
		>"$work/replay.out" 2>"$work/replay.err" </dev/null
	replay_status=$?
	if [ $replay_status -eq 0 ]; then
		ok "$1"
	else
		not_ok "$1"
		echo "replay --check: status $replay_status" | diag
		tail -n 5 "$work/replay.err" | diag
		return 1
	fi
}

# What the incidents in store $1 say of themselves.
notes() { sed -n '/"notes"/,/\]/p' "$1"/incidents/*/incident.json 2>/dev/null | diag; }

# The number after "N NAME" in the last line of replay --check, and of info --json.
checked() { sed -n "s/^checked:.* \([0-9.]*\) $1.*/\1/p" "$work/replay.err"; }
info() { "$BLACKBOXCTL" info --json "$1"; }

# json STORE FILTER: of the newest incident in the store
json() { jq -r "$2" "$(ls -d "$1"/incidents/*/ | tail -n 1)/incident.json"; }
n_incidents() { find "$1/incidents" -name incident.json 2>/dev/null | wc -l; }

# is NAME GOT WANTED
is()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		printf 'got:    %s\nwanted: %s\n' "$2" "$3" | diag
		return 1
	fi
}

# start_recorded STORE ARGUMENT... [-- COMMAND...]: blackboxctl record in the background,
# its pid is $recorded, its words are in STORE.err, the output in STORE.out
start_recorded()
{
	store=$1
	shift
	"$BLACKBOXCTL" record --dir "$store" "$@" >"$store.out" 2>"$store.err" </dev/null &
	recorded=$!
	remember $recorded
}

# The process that runs under the blackboxctl of process $1.
service_of() { pgrep -P "$1" | while read -r pid; do
	case $(cat "/proc/$pid/comm") in blackbox-*) ;; *) echo "$pid" ;; esac
done; }

# redis on $port, with a directory and a log of its own; its arguments besides are $*
redis_arguments() { echo "--port $port --save '' --appendonly no --dir $work --enable-debug-command yes"; }
redis() { redis-cli -p "$port" "$@"; }
redis_answers() { [ "$(redis ping 2>/dev/null)" = PONG ]; }
