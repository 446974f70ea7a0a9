#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Services of several processes: an incident has them all, a crash of any freezes the window,
# and each is replayed, listed, traced and debugged.

. "$(dirname "$0")/lib.sh"
need jq gdb

dump=$work/shell.bb
script='echo first; (echo second); ls /etc/passwd | cat; exit 3'

# -- a shell and what it executes

"$BLACKBOXCTL" record --dir "$work/shell" --window all -o "$dump" -- sh -c "$script" \
	>"$work/shell.out" 2>"$work/shell.err"
is "a shell's status" $? 3
is "all of its processes are there" \
	"$("$BLACKBOXCTL" info --json "$dump" | jq -c '[.process_list[].command[0]] | unique')" \
	'["cat","ls","sh"]'
is "each has a parent that is there, too" \
	"$("$BLACKBOXCTL" info --json "$dump" |
		jq '[.process_list[].pid] as $all | [.process_list[] | select(.parent as $p | $all | index($p) | not)] |
		    map(.pid) | unique | length')" 1
replay_checks "a replay checks them all" "$dump"
check "and says so" grep -q '; 6 processes$' "$work/replay.err"
cat_pid=$("$BLACKBOXCTL" info --json "$dump" | jq '[.process_list[] | select(.command[0] == "cat")][0].pid')
"$BLACKBOXCTL" replay --check --pid "$cat_pid" "$dump" >"$work/cat.out" 2>"$work/cat.err"
is "one of them" $? 0
is "that repeats its output" "$(cat "$work/cat.out")" /etc/passwd
"$BLACKBOXCTL" replay --check --pid 1 "$dump" 2>/dev/null
is "one that isn't there" $? 2

"$BLACKBOXCTL" trace "$dump" >"$work/trace"
is "a trace is in the order of time" "$(awk '{ print $2 }' "$work/trace" | sort -c 2>&1)" ""
check "of all processes" [ "$(awk '{ print $1 }' "$work/trace" | sort -u | wc -l)" -ge 4 ]
check "with what the last of them wrote" grep -q "^$cat_pid .*write(1, \"/etc/passwd" "$work/trace"
is "the last line of it" "$("$BLACKBOXCTL" trace -n 1 "$dump")" "$(tail -n 1 "$work/trace")"

# -- a child crashes, the service goes on

ulimit -S -c 0
"$BLACKBOXCTL" record --dir "$work/crash" --window all -- "$PROGRAMS/crash-in-child" \
	>"$work/crash.out" 2>"$work/crash.err"
is "the service outlives its child" $? 0
incident=$(ls -d "$work"/crash/incidents/*/)
is "the window is frozen" "$(json "$work/crash" '.trigger | "\(.kind) \(.signal_name)"')" "crash SIGSEGV"
is "for the child" "$(json "$work/crash" '.trigger.pid')" \
	"$("$BLACKBOXCTL" info --json "$incident" | jq '.process_list[1].pid')"
replay_checks "it replays" "$incident"
timeout 60 "$BLACKBOXCTL" replay "$incident" -- -batch -ex bt >"$work/gdb" 2>&1
check "gdb stands in the child, where it crashed" grep -q '#0 .*die_in_child' "$work/gdb"
timeout 60 "$BLACKBOXCTL" replay --from start "$incident" -- -batch -ex 'break die_in_child' -ex c \
	-ex c >"$work/gdb" 2>&1
check "from its start it is stopped on the way" grep -q 'Breakpoint 1, die_in_child' "$work/gdb"
check "and reaches the crash" grep -q 'SIGSEGV' "$work/gdb"
timeout 60 "$BLACKBOXCTL" replay --pid "$("$BLACKBOXCTL" info --json "$incident" | jq '.process_list[0].pid')" \
	"$incident" -- -batch -ex bt >"$work/gdb" 2>&1
check "and in its parent, if that is asked for" grep -q 'waitpid\|wait4\|main' "$work/gdb"

# -- a worker has waited for longer than the window, and crashes before it makes a call

"$BLACKBOXCTL" record --dir "$work/sleeper" --window 100ms --set snapshot-interval=50ms -- \
	"$PROGRAMS/crash-in-sleeper" >"$work/sleeper.out" 2>"$work/sleeper.err"
is "the service outlives a worker that slept" $? 0
replay_checks "its crash replays, though its beginning is out of the window" "$(ls -d "$work"/sleeper/incidents/*/)"
is "from where it slept" "$("$BLACKBOXCTL" info --json "$(ls -d "$work"/sleeper/incidents/*/)" |
	jq '[.process_list[] | select(.end == "death")][0].events <= 8')" true

# -- what children of vfork call often gets a stub, by their parent: it is their memory, too

"$BLACKBOXCTL" record --dir "$work/vfork" --window all --set stubs=16 -o "$work/vfork.bb" -- "$PROGRAMS/process-vfork-calls" \
	>/dev/null 2>"$work/vfork.err"
is "children that make many calls" $? 0
check "make them by a stub" [ "$("$BLACKBOXCTL" events "$work/vfork.bb" | grep -c ' stub ')" -ge 2 ]
replay_checks "they replay" "$work/vfork.bb"

# -- nor does it matter that the parent waits for a child with memory of its own, in the kernel

"$BLACKBOXCTL" record --window all -o "$work/waits.bb" -- "$PROGRAMS/process-vfork-exec" >/dev/null 2>"$work/waits.err"
is "children that their parent waits for" $? 0
replay_checks "they replay, and what they execute" "$work/waits.bb"
check "all of them" grep -q '; 11 processes$' "$work/replay.err"
is "nothing is to be noted" "$("$BLACKBOXCTL" info --json "$work/waits.bb" | jq '.notes | length')" 0

# -- many short-lived ones, in a window

cat >"$work/many" <<'EOF'
i=0
while [ $i -lt 150 ]; do (:); /bin/true; i=$((i + 1)); done
kill -SEGV $$
EOF
"$BLACKBOXCTL" record --dir "$work/many.d" --window 1s --ring 32M --set snapshot-interval=100ms -- \
	sh "$work/many" >/dev/null 2>"$work/many.err"
is "300 short-lived processes" $? 139
replay_checks "the last of them replay" "$(ls -d "$work"/many.d/incidents/*/)"
check "several" grep -q '; [0-9][0-9]* processes$' "$work/replay.err"

# -- with few descriptors, which each of them needs some of

(ulimit -n 128 && exec "$BLACKBOXCTL" record --window all -o "$work/few.bb" -- \
	sh -c 'i=0; while [ $i -lt 200 ]; do (:); i=$((i + 1)); done') >/dev/null 2>"$work/few.err"
is "200 processes, and a recorder that may have 128 descriptors" $? 0
replay_checks "they replay" "$work/few.bb"
check "all of them" grep -q '; 201 processes$' "$work/replay.err"
is "nothing is to be noted" "$("$BLACKBOXCTL" info --json "$work/few.bb" | jq '.notes | length')" 0
done_testing
