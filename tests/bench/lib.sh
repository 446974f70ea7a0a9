# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# What the loads share. A load is a function load_NAME, which runs in a subshell with set -e,
# with a directory $work of its own. It describes itself by `row' and measures by `alternate'.

# row KIND UNIT OPERATION TITLE: what the measurements that follow are. KIND is how they are
# compared: rate (operations a second), time (seconds of a run), added (UNITs that recording
# adds) or alone.
row() {
	kind=$1 unit=$2 operation=$3 title=$4
}

# keep JSON: a measurement, with what it is of
keep() {
	printf '{"load": "%s", "kind": "%s", "unit": "%s", "operation": "%s", "how": "%s", "pair": %s, %s\n' \
		"$title" "$kind" "$unit" "$operation" "$how" "$pair" "${1#\{}" >>"$results"
}

# both COMMAND...: with $how, which is `native' and then `recorded'
both() {
	for how in native recorded; do
		"$@"
	done
}

# alternate COMMAND...: both, in turn, for each of the pairs
alternate() {
	for pair in $(seq "$pairs"); do
		both "$@"
	done
}

# watched COMMAND...: once more, with $how `watched': as a service of blackboxd's, whose status says
# how long a thread that could run has waited, and a process for its turn
watched() {
	how=watched pair=1
	"$@"
}

# await COMMAND...: until it succeeds; what the servers said is shown if it doesn't
await() {
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	tail -n 20 "$work"/*.log >&2
	echo "not within 20 s: $*" >&2
	return 1
}

measure() { python3 "$here/measure.py" "$@"; }

# -- servers

# serve COMMAND...: in the background, as $as_user. The native one runs by $native_prefix, too.
# In a session of its own: Apache ends all of its process group.
serve() {
	prefix=$native_prefix
	[ "$how" = native ] || prefix="$ctl record --dir $work/store --"
	if [ "$how" = watched ]; then
		python3 -c 'import json, sys
print("services:\n  - name: watched\n    command:", json.dumps(sys.argv[1:]))' "$@" >"$work/watched.yaml"
		prefix=
		set -- "$daemon" --config "$work/watched.yaml" --socket "$work/socket" --state "$work/state"
	fi
	# shellcheck disable=SC2086
	setsid $as_user $prefix "$@" >"$work/$how.log" 2>&1 </dev/null &
	echo "$!" >"$work/$how.pid"
	servers="$servers $!"
}

# A port for the server, which its clients find by `port'.
new_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])' | tee "$work/$how.port"
}
port() { cat "$work/$how.port"; }

# watch [COMMAND...]: what the status says while COMMAND runs, or as long as the service does
watch() {
	json=$(measure watch --ctl "$ctl" --socket "$work/socket" -- "$@")
	keep "$json"
}

# measure_server CLIENT COMMAND...: as measure.py's `server'
measure_server() {
	client=$1 store=
	shift
	if [ "$how" = watched ]; then
		watch "$@"
		return
	fi
	[ "$how" = native ] || store="--store $work/store"
	# shellcheck disable=SC2086
	json=$(measure $store server --client "$client" "$(cat "$work/$how.pid")" "$@")
	keep "$json"
}

stop_servers() {
	# shellcheck disable=SC2086
	[ -z "$servers" ] || measure stop $servers
	servers=
}

# What the user would have been told by blackboxctl is told here as well.
tell_warnings() {
	grep -h '^blackboxctl: ' "$work"/*.log 2>/dev/null | sort | uniq -c | sed "s/^ */$load: warning: /" >&2
}

# -- programs

# measure_command KIND [OPTION...] -- COMMAND...: as measure.py's `program' or `value', after
# $prepare
measure_command() {
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	$prepare
	rm -rf "$work/store"
	if [ "$how" = watched ]; then
		serve "$@"
		await "$ctl" status --socket "$work/socket"
		watch
		return
	fi
	if [ "$how" = native ]; then
		# shellcheck disable=SC2086
		set -- $options $native_prefix "$@"
	else
		# shellcheck disable=SC2086
		set -- --store "$work/store" $options "$ctl" record --dir "$work/store" -- "$@"
	fi
	json=$(measure "$@" 2>"$work/errors") || fail_with "$work/errors"
	cat "$work/errors" >>"$work/program.log"
	keep "$json"
}

fail_with() {
	tail -n 20 "$1" >&2
	return 1
}

compile() {	# NAME: of tests/bench, to $work
	cc -O2 -pthread -o "$work/$1" "$here/$1.c"
}
