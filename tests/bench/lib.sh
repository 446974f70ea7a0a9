# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the benchmarks share: two servers, one native, one recorded, are loaded in turn.
# shellcheck shell=sh

ctl=${BLACKBOXCTL:-./blackboxctl}
port=${PORT:-7300}
dir=$(mktemp -d)
servers=
trap 'kill $servers 2>/dev/null || :; wait; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

median() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2 }'
}

# await COMMAND...: until it succeeds; $dir/log is shown if it doesn't
await() {
	for _ in $(seq 100); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	cat "$dir"/*log >&2
	exit 1
}

head_line() {	# UNIT
	printf '%-24s %10s %10s %7s   (%s, median of %d rounds)\n' load native recorded ratio "$1" "$rounds"
}

# compare NAME NATIVE RECORDED COMMAND...: COMMAND with NATIVE, or RECORDED, behind it prints a rate
compare() {
	name=$1 native=$2 recorded=$3
	shift 3
	"$@" "$native" >/dev/null
	"$@" "$recorded" >/dev/null
	: >"$dir/native"
	: >"$dir/recorded"
	for _ in $(seq "$rounds"); do
		"$@" "$native" >>"$dir/native"
		"$@" "$recorded" >>"$dir/recorded"
	done
	awk -v load="$name" -v native="$(median "$dir/native")" -v recorded="$(median "$dir/recorded")" \
		'BEGIN { printf "%-24s %10.0f %10.0f %6.0f%%\n", load, native, recorded, 100 * recorded / native }'
}
