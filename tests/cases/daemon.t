#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# blackboxd in the foreground, with a socket and a state directory of its own: its
# configuration, its answers, and that services outlive it.
# shellcheck disable=SC2317 # functions are called by name

. "$(dirname "$0")/lib.sh"
need jq redis-server redis-cli redis-benchmark

BLACKBOXD=$top_builddir/blackboxd
socket=$work/run/control
port=$(free_port 1)

ctl() { verb=$1; shift; "$BLACKBOXCTL" "$verb" --socket "$socket" "$@"; }
redis() { redis-cli -p "$port" "$@"; }
answers() { [ "$(redis ping)" = PONG ]; }
# state WORD: the service is in that state
state() { ctl status --json redis | json '.[0].state == $s' --arg s "$1"; }
# json FILTER [OPTION...] <JSON: it holds; nothing is null, for which nothing holds
json() { filter=$1; shift; jq -e -s "$@" ".[0] | ($filter)"; }
# holds FILE FILTER [OPTION...]: the same of a file
holds() { file=$1; shift; json "$@" <"$file"; }
pid_of_service() { ctl status --json redis | jq '.[0].pid'; }
n_incidents() { ctl list --json | jq length; }
no_recorder() { ! pgrep -f "blackbox-recorder $work/state/$1" >"$work/pids"; }	# of SERVICE

start_daemon()
{
	"$BLACKBOXD" --config "$work/blackbox.yaml" --socket "$socket" --state "$work/state" \
		2>>"$work/log" >/dev/null </dev/null &
	daemon=$!
	remember $daemon
	within 10 ctl status
}

# The services don't end with blackboxd: they are ended by name of the process.
stop_services()
{
	for file in "$work"/run/*.pid; do
		[ -e "$file" ] && kill -KILL "$(cut -d' ' -f1 "$file")" 2>/dev/null
	done
	cleanup
}
trap stop_services EXIT

# -- configurations that are wrong ---------------------------------------------------------

# refused NAME WHERE: blackboxd exits with 2 and names the place, as for standard input
refused()
{
	cat >"$work/bad.yaml"
	timeout 10 "$BLACKBOXD" --config "$work/bad.yaml" --socket "$socket" --state "$work/state" \
		2>"$work/bad.err"
	refused_status=$?
	if [ $refused_status -eq 2 ] && grep -qF "bad.yaml:$2: " "$work/bad.err"; then
		ok "refused: $1"
	else
		not_ok "refused: $1"
		echo "status $refused_status, wanted 2 and $2" | diag
		diag <"$work/bad.err"
	fi
}

refused "an unknown key" 2:1 <<'END'
window: 30s
windoow: 30s
END
refused "a bad size" 3:11 <<'END'
services:
  - name: redis
    ring: 64Q
    command: [redis-server]
END
refused "a bad duration" 1:9 <<'END'
window: soon
END
refused "a duplicate name" 4:11 <<'END'
services:
  - name: redis
    command: [redis-server]
  - name: redis
    command: [redis-server]
END

timeout 10 "$BLACKBOXD" --config "$work/none.yaml" --socket "$socket" 2>"$work/bad.err"
check "a configuration that isn't there is bad input" test $? -eq 2
check "... and is named" grep -q "none.yaml: No such file" "$work/bad.err"

# -- nobody there ---------------------------------------------------------------------------

ctl status 2>"$work/err" >&2
check "without a daemon, status fails" test $? -eq 1
check "... and says where it looked" grep -qF "$socket" "$work/err"

# -- a service ---------------------------------------------------------------------------------

cat >"$work/blackbox.yaml" <<END
snapshot-interval: 500ms
services:
  - name: redis
    keep-incidents: 3
    command: [redis-server, --port, "$port", --save, "", --enable-debug-command, "yes"]
  - name: nothing
    command: [$work/no-such-program]
  - name: maker
    stubs: 1
    command: [$PROGRAMS/call-code-made, stay]
  - name: counter
    stubs: 1
    command: [$PROGRAMS/insn-tsc-hot, stay]
  - name: sharers
    command: [$PROGRAMS/share-service, "12"]
  - name: computers
    command: [$PROGRAMS/thread-fair, "12"]
END
start_daemon
check "the service answers" within 10 answers
check "it is recorded" within 10 state recording
pid=$(pid_of_service)
check "nobody traces it" grep -q '^TracerPid:[[:space:]]*0$' "/proc/$pid/status"
ctl status --json >"$work/status.json"
check "status has all services" holds "$work/status.json" 'map(.service) == ["redis", "nothing", "maker", "counter", "sharers", "computers"]'
check "... and the reason of one that can't be started" \
	holds "$work/status.json" '.[1].state == "ended" and (.[1].why | test("no-such-program"))'
ctl status >"$work/status.txt"
check "status for people has a line each" test "$(wc -l <"$work/status.txt")" -eq 7
one_at_a_time() { ctl status sharers | grep -q '^shared memory: [3-9] processes .* run one at a time'; }
check "status says which processes share so much that they take turns" within 5 one_at_a_time
# names SERVICE WHAT: of a service by name, status tells what takes signals still
names() { ctl status "$1" | grep -q "^  $2"; }
made="getpid at code that the program made+0x[0-9a-f]*"
check "status names calls in code that may change at any time" within 10 names maker "$made: its memory can be written"
check "... and in code that isn't certain" within 10 names maker "$made: no instruction before it loads its number"
check "... and time stamps" within 10 names counter "rdtsc at .*/insn-tsc-hot+0x[0-9a-f]*: nothing before it"
# waits SERVICE KEY: the longest wait is one, and not much more than the slice of each other
waits()
{
	ctl status "$1" --json >"$work/waits.json"
	holds "$work/waits.json" ".[0].$2 > 0 and .[0].$2 < 5000"
}
check "status says how long a process has waited for its turn" within 5 waits sharers longest_turn_wait_ms
check "... and threads that compute, to run" within 5 waits computers longest_wait_ms
says_waits() { ctl status computers | grep -q '^threads: .* the longest wait of one that could run [0-9.]* ms'; }
check "... in words, too" says_waits
"$BLACKBOXD" --config "$work/blackbox.yaml" --socket "$socket" --state "$work/state" 2>"$work/err"
check "a second daemon at the same socket is refused" test $? -eq 1

# -- freezing -----------------------------------------------------------------------------------

redis-benchmark -p "$port" -n 20000 -t set,get -P 4 -q >/dev/null
ctl freeze redis --json >"$work/freeze.json"
check "freeze makes an incident" holds "$work/freeze.json" '.trigger.kind == "request"'
id=$(jq -r .id "$work/freeze.json")
check "the service goes on" answers
check "... recorded" state recording
ctl list --json >"$work/list.json"
check "list has it" holds "$work/list.json" 'map(.id) == [$id]' --arg id "$id"
ctl info --json "$id" >"$work/info.json"
check "info has what it should" holds "$work/info.json" '
	.service == "redis" and .command[0] == "redis-server" and
	.trigger.kind == "request" and (.trigger | has("signal")) and .trigger.pid == $pid and
	.trigger.tid >= $pid and .window_seconds > 0 and .events > 1000 and .snapshots >= 1 and
	.processes == 1 and .threads >= 1 and .bytes > 0 and
	.async_events >= 0 and .process_list[0].pid == $pid and .process_list[0].events == .events and (.notes | type) == "array"' \
	--argjson pid "$pid"
check "dump" ctl dump "$id" -o "$work/frozen.dump"
check "the dump is for its owner alone" test "$(stat -c %a "$work/frozen.dump")" = 600
replay_checks "what was frozen replays" "$work/frozen.dump"
check "replay and info count the same events" \
	test "$(checked events)" = "$("$BLACKBOXCTL" info --json "$work/frozen.dump" | jq .events)"
list_files() { "$BLACKBOXCTL" list --json --dir "$work/state/redis" | json 'length == 1'; }
info_files() { "$BLACKBOXCTL" info --json --dir "$work/state/redis" "$id" | json '.events > 0'; }
check "list works on the files alone" list_files
check "... and info" info_files

# -- wrong questions -------------------------------------------------------------------------------

for question in "status nobody" "freeze nobody" "info nothing" "rm nothing" "dump nothing -o $work/x"; do
	# shellcheck disable=SC2086 # words
	ctl $question 2>"$work/err" >&2
	check "bad input: ${question%% -o*}" test $? -eq 2
	name=${question#* }
	check "... is named" grep -q "${name%% *}" "$work/err"
done

# -- retention ----------------------------------------------------------------------------------------

for _ in 1 2 3 4; do
	ctl freeze redis >/dev/null
done
check "no more incidents are kept than the policy says" test "$(n_incidents)" -eq 3
first_stays() { ctl list --json | json '.[0].id == $id' --arg id "$id"; }
check "the first of a series stays" first_stays
check "rm" ctl rm "$id"
check "... has removed it" test "$(n_incidents)" -eq 2

# -- the daemon dies under load ---------------------------------------------------------------------------

# load: in the background; its status says whether each request was answered
load()
{
	redis-benchmark -p "$port" -n 60000 -t set -q >"$work/load.out" 2>&1 &
	load=$!
	sleep 0.3
}
load_succeeds()
{
	wait $load && ! grep -qi error "$work/load.out"
}

load
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
check "kill -9 of blackboxd under load: every request is answered" load_succeeds
check "the same process serves" test "$(redis info server | tr -d '\r' | sed -n 's/^process_id://p')" = "$pid"
check "its recorder goes on" pgrep -f "blackbox-recorder $work/state/redis"
start_daemon
check "the next blackboxd doesn't start it again" test "$(pid_of_service)" = "$pid"
check "... and says how it is" state native
kill -TERM "$daemon"
check "SIGTERM ends blackboxd" within 5 is_gone "$daemon"
check "... not the service" answers
redis shutdown nosave 2>/dev/null
check "the service ends" within 10 is_gone "$pid"

# -- the recorder dies under load, then the service ----------------------------------------------------------

within 10 no_recorder redis
start_daemon
within 10 state recording
within 10 answers
load
kill -KILL "$(ctl status --json redis | jq '.[0].recorder_pid')"
check "kill -9 of the recorder under load: every request is answered" load_succeeds
check "status says that nobody records it" state native
death() { ctl list --json | json 'any(.[]; .trigger.kind == "recorder-death")'; }
check "what the recorder had written is an incident" within 20 death
check "... and nobody records it still" state native
redis shutdown nosave 2>/dev/null
check "an end is noticed" within 10 state ended
check "a service isn't started again" state ended
kill -TERM "$daemon"
within 5 is_gone "$daemon"

start_daemon
within 10 state recording
within 10 answers
redis debug segfault >/dev/null 2>&1
seen() { ctl status --json redis | json '.[0].signal == 11'; }
check "a crash is seen" within 20 seen
crash() { ctl list --json | json '.[-1].trigger | .kind == "crash" and .signal == 11'; }
check "... and is an incident" within 20 crash
check "... which is announced" grep -q 'incident .* of redis (crash, SIGSEGV' "$work/log"
replay_checks "it replays" "$(ctl list --json | jq -r '.[-1].path')"
kill -TERM "$daemon"
within 5 is_gone "$daemon"

# -- a ring that the mapped files alone half fill ---------------------------------------------------------------

cp "$work/blackbox.yaml" "$work/whole.yaml"
sed -i 's/^  - name: redis$/&\n    ring: 16M/; s/keep-incidents: 3/keep-incidents: 4/' "$work/blackbox.yaml"
"$BLACKBOXCTL" list --json --dir "$work/state/redis" | jq -r '.[].id' |
	xargs "$BLACKBOXCTL" rm --dir "$work/state/redis"
start_daemon
within 10 state recording
within 10 answers
for _ in 1 2 3 4; do
	redis-benchmark -p "$port" -n 50000 -t set,get -q >/dev/null
	ctl freeze redis >/dev/null
done
# How much each takes depends on the machine.
check "a ring of 16M has room for some incidents of redis" [ "$(n_incidents)" -ge 3 ]
for path in $(ctl list --json | jq -r '.[].path'); do
	check "... each has what came before it" eval 'info "$path" | json ".window_seconds > 0 and .events > 100"'
	replay_checks "... and replays" "$path"
done
redis shutdown nosave 2>/dev/null
within 10 no_recorder redis
kill -TERM "$daemon"
within 5 is_gone "$daemon"
mv "$work/whole.yaml" "$work/blackbox.yaml"

# -- all of us die, and nothing of that service starts again ---------------------------------------------------

start_daemon
within 10 state recording
within 10 answers
redis set key value >/dev/null
sleep 1
recorder=$(ctl status --json redis | jq '.[0].recorder_pid')
kill -KILL "$daemon" "$recorder" "$(pid_of_service)"
within 5 is_gone "$recorder"
sed -i 's/^  - name: redis$/  - name: other/' "$work/blackbox.yaml"
before=$(find "$work/state/redis/incidents" -name incident.json | wc -l)
start_daemon
left() { [ "$(find "$work/state/redis/incidents" -name incident.json | wc -l)" -gt "$before" ]; }
check "what was left when all were killed is an incident" within 30 left
check "... which is announced" grep -q 'incident .* of redis (recorder-death' "$work/log"
redis shutdown nosave 2>/dev/null
within 10 no_recorder other
kill -TERM "$daemon"
within 5 is_gone "$daemon"

done_testing
