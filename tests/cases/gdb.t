#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A replay under gdb: at the end it is the core file of the death; from the start
# breakpoints, watchpoints and steps find what they should, and `continue' finds the death.

. "$(dirname "$0")/lib.sh"
need gdb

DEBUGGEE=$PROGRAMS/debuggee
spin_line=$(sed -n '/(\*mine)++/=' "$top_srcdir/tests/programs/debuggee.c")

# Where the kernel puts a core file for us to find, it is compared with.
ulimit -c unlimited
case $(cat /proc/sys/kernel/core_pattern) in core | core.%p) has_cores=1 ;; *) has_cores= ;; esac

# crash NAME WINDOW COMMAND...: records it to its death, in a directory of its own
crash()
{
	dump=$work/$1.dump
	mkdir "$work/$1.cwd"
	crash_window=$2
	crash_name=$1
	shift 2
	(cd "$work/$crash_name.cwd" && exec "$BLACKBOXCTL" record --dir "$work/store" \
		--window "$crash_window" -o "$dump" -- "$@" >/dev/null 2>"$work/record.err" </dev/null)
	is "$crash_name: it dies" $? 139
	core=$(find "$work/$crash_name.cwd" -name 'core*')
}

# replay_in_gdb OPTION... -- GDB-COMMAND...: what gdb says is in $work/gdb.out
replay_in_gdb()
{
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	printf '%s\n' 'set pagination off' 'set width 0' 'set debuginfod enabled off' "$@" \
		>"$work/commands"
	# shellcheck disable=SC2086
	timeout 120 "$BLACKBOXCTL" replay $options "$dump" -- -batch -nx -x "$work/commands" \
		>"$work/gdb.out" 2>"$work/gdb.err" </dev/null
}

# says NAME PATTERN: gdb said it
says()
{
	if grep -q -- "$2" "$work/gdb.out"; then
		ok "$1"
	else
		not_ok "$1"
		diag <"$work/gdb.out" | tail -n 30
		diag <"$work/gdb.err" | tail -n 5
	fi
}

# %gs_base is the agent's in the core file of a recorded program, 0 under the debugger.
looks='registers rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags cs ss ds es fs gs fs_base'

# same_as_core NAME EXECUTABLE: backtrace, registers and signal at the end
same_as_core()
{
	if [ -z "$has_cores" ] || [ -z "$core" ]; then
		skip "$1: the core file's backtrace" "core_pattern doesn't put core files here"
		skip "$1: the core file's registers" "core_pattern doesn't put core files here"
		return
	fi
	for what in 'bt' "info $looks
print \$xmm0.v2_int64
print \$xmm1.v2_int64
print \$mxcsr
info registers float
print \$_siginfo.si_signo
print \$_siginfo._sifields._sigfault.si_addr"; do
		replay_in_gdb -- 'echo ==\n' "$what"
		sed '1,/^==/d; /^\[Inferior 1/d' "$work/gdb.out" >"$work/replayed"
		gdb -q -batch -nx -x "$work/commands" "$2" "$core" 2>/dev/null |
			sed '1,/^==/d' >"$work/in-core"
		case $what in bt) name="backtrace" ;; *) name="registers" ;; esac
		if [ -s "$work/in-core" ] && cmp -s "$work/in-core" "$work/replayed"; then
			ok "$1: the core file's $name"
		else
			not_ok "$1: the core file's $name"
			diff "$work/in-core" "$work/replayed" | diag | head -n 30
			diag <"$work/gdb.err" | tail -n 5
		fi
	done
}

# -- at the end ---------------------------------------------------------------------------------

for how in main thread handler compute; do
	crash $how all "$DEBUGGEE" $how
	replay_checks "$how: it replays" "$dump"
	same_as_core $how "$DEBUGGEE"
done

dump=$work/thread.dump
replay_in_gdb -- 'info threads' 'continue' 'info threads'
says "the thread that crashed is selected" '^\* 2 .* in crash (depth=0)'
says "the other one waits in its call" '^  1 .*(in futex)'
says "going on from the death is being told of it" 'terminated with signal SIGSEGV'
says "and then there is no program" '^No threads'

# -- from the start --------------------------------------------------------------------------------

replay_in_gdb --from start -- 'break work' 'continue' 'info threads' 'next' 'next' 'next' 'watch counter' \
	'continue' 'continue' 'delete' 'break add if a == 9' 'continue' 'finish' 'delete' 'stepi 50' \
	'continue' 'bt' 'continue'
says "a breakpoint in the second thread is hit" '^Thread 2 hit Breakpoint 1, work'
says "there are two threads then" '^  1 .*Thread'
says "next goes line by line" 'counter = add(counter, 1)'
says "a watchpoint sees a variable change" '^Old value = 0'
says "a watchpoint sees it change again" '^Old value = 1'
says "a conditional breakpoint is hit" 'add (a=9, b=1)'
says "finish says what a function returned" '^Value returned is .* = 10'
says "continue reaches the crash" 'received signal SIGSEGV'
says "the backtrace is the crash's" '^#3 .* crash (depth=3)'
says "continue behind the crash is its end" 'terminated with signal SIGSEGV'

dump=$work/handler.dump
replay_in_gdb --from start -- 'continue' 'stepi' 'bt 1' 'continue' 'bt'
says "a signal with a handler stops gdb" 'received signal SIGUSR1'
says "a step goes into the handler" '^#0  on_signal'
says "through the signal frame into the program" 'signal handler called'

# Two threads spin, a third computes: they are preempted at any instruction.
dump=$work/compute.dump
replay_checks "what was preempted replays" "$dump"
check "and says how long it took to find where that was" [ "$(checked 'preemptions found')" -gt 0 ]
replay_in_gdb -- 'print spins' 'print rounds' 'print values'
grep '^\$' "$work/gdb.out" >"$work/at-end"
replay_in_gdb --from start -- 'break spin' 'continue' 'delete' "break $spin_line if *mine == 40" 'continue' \
	'print *mine' 'delete' 'watch spins[0] if spins[0] == 300' 'continue' 'delete' 'stepi 500' \
	'awatch values[3]' 'continue' 'continue' 'delete' 'watch rounds if rounds > 50' 'continue' 'delete' \
	'break crash' 'continue' 'echo ==\n' 'print spins' 'print rounds' 'print values'
says "a breakpoint in a loop counts its rounds" '= 40$'
says "a watchpoint in a loop, too" '^New value = 300'
says "an access watchpoint is hit" 'hit Hardware access (read/write) watchpoint'
sed '1,/^==/d' "$work/gdb.out" | sed -n 's/^\$[0-9]* = //p' >"$work/replayed"
sed 's/^\$[0-9]* = //' "$work/at-end" >"$work/wanted"
check "debugging hasn't changed what was computed" cmp "$work/wanted" "$work/replayed"

# -- memory -------------------------------------------------------------------------------------------

replay_in_gdb -- 'print counter = 5'
check "memory can't be written" grep -q 'annot access memory' "$work/gdb.err"
replay_in_gdb -- 'print $rax = 5'
check "nor registers" grep -q 'ould not write' "$work/gdb.err"
replay_in_gdb -- 'x/4x 0x300000000000'
check "the agent's memory isn't there" grep -q 'annot access memory' "$work/gdb.err"
replay_in_gdb -- 'print counter' 'info sharedlibrary' 'info proc mappings' 'monitor where' 'monitor when'
says "the libraries' symbols are there" 'Yes .*libc.so.6'
says "the mappings have the recorded names" 'libc.so.6'
check "but not the agent" test "$(grep -c '0x3[0-9a-f]\{11\} ' "$work/gdb.out")" -eq 0
check "it says where it is" grep -q 'before event' "$work/gdb.err" "$work/gdb.out"
check "it says what it can't say" grep -q 'only .monitor where' "$work/gdb.err" "$work/gdb.out"

# The executable of the recording has gone: the dump has it.
cp "$DEBUGGEE" "$work/gone"
crash gone all "$work/gone" thread
rm "$work/gone"
replay_in_gdb -- bt 'info sharedlibrary'
says "an executable that has gone is in the dump" 'crash (depth=3) at '
says "its libraries are found" 'Yes .*libc.so.6'

# A window that begins in the middle of the run.
crash late 2s "$DEBUGGEE" late
replay_checks "late: it replays" "$dump"
same_as_core late "$DEBUGGEE"
replay_in_gdb --from start -- 'bt' 'print counter > 100' 'break add if a == 2990' 'continue' 'finish' \
	'delete' 'continue'
says "its start is in the middle of the run" ' late ()'
says "much has happened before" '= 1$'
says "a breakpoint is hit from there" 'add (a=2990, b=1)'
says "the crash is reached from there" 'received signal SIGSEGV'

# -- ends -----------------------------------------------------------------------------------------------

dump=$work/exits.dump
"$BLACKBOXCTL" record --dir "$work/store" --window all -o "$dump" -- sh -c 'exit 3' >/dev/null 2>&1
replay_in_gdb -- 'bt' 'continue'
says "an exit is reported with its status" 'exited with code 03'

# Nothing of ours outlives gdb, however it ends.
dump=$work/compute.dump
printf '%s\n' 'break spin' 'continue' "break $spin_line if *mine == 100000000" 'continue' >"$work/commands"
"$BLACKBOXCTL" replay --from start "$dump" -- -batch -nx -x "$work/commands" >/dev/null 2>&1 </dev/null &
replaying=$!
remember $replaying
within 10 pgrep -P $replaying gdb && within 10 pgrep -P $replaying bb-replay
replayed=$(pgrep -P $replaying bb-replay)
kill -KILL "$(pgrep -P $replaying gdb)"
wait $replaying
is "gdb's death is the replay's status" $? 137
check "and its process has gone" within 5 is_gone "$replayed"

TMPDIR=$work PATH=/nonexistent "$BLACKBOXCTL" replay "$dump" >/dev/null 2>"$work/gdb.err"
is "without gdb it fails" $? 1
check "and says so" grep -q "gdb isn't installed" "$work/gdb.err"

# -- stubs ---------------------------------------------------------------------------------------------

# Where calls are made often a jump stands in the code (agent/stubs.c). The debugger doesn't see it.
dump=$work/stubs.dump
"$BLACKBOXCTL" record --dir "$work/store" --window all --set stubs=1 -o "$dump" -- \
	"$PROGRAMS/call-stub-shapes" >/dev/null 2>&1 </dev/null
is "calls by stubs: recorded" $? 0
n_stubs=$("$BLACKBOXCTL" events "$dump" | grep -c ' stub ')
check "with stubs" [ "$n_stubs" -gt 10 ]
replay_in_gdb --from=start -- 'break *entered' 'ignore 1 1000' 'break *entered_call' 'ignore 2 1000' \
	'break *(char *)short_moves+3' 'ignore 3 399' 'continue' 'x/4i short_moves' 'info breakpoints' \
	'stepi' 'info symbol $pc' 'stepi' 'info symbol $pc' 'stepi' 'info symbol $pc' 'continue'
says "a breakpoint at what a jump displaces is hit" 'breakpoint already hit 100 time'
says "one at the call is, from wherever one comes there" 'breakpoint already hit 500 time'
says "one in the middle of what is displaced is" 'Breakpoint 3, '
says "the code looks as it was" 'short_moves.*:.*mov *%rdi,%rdx'
says "a step through what is displaced" '^short_moves + 6 in section'
says "another one" '^short_moves + 9 in section'
says "and one over the call" '^short_moves + 11 in section'

# Where the program writes its code the jump goes; a breakpoint there doesn't keep it.
dump=$work/rewritten.dump
"$BLACKBOXCTL" record --dir "$work/store" --window all --set stubs=1 -o "$dump" -- \
	"$PROGRAMS/call-stub-rewritten" >/dev/null 2>&1 </dev/null
is "code that is rewritten: recorded" $? 0
replay_in_gdb --from=start -- 'break *call' 'ignore 1 100000' 'continue' 'info breakpoints'
says "it goes to its end" 'exited normally'
says "the breakpoint is hit by each call" 'breakpoint already hit 600 time'

# The jump stands at rdtsc itself, whose byte the agent has changed before.
dump=$work/tsc.dump
"$BLACKBOXCTL" record --dir "$work/store" --window all --set stubs=1 -o "$dump" -- \
	"$PROGRAMS/insn-tsc-hot" >/dev/null 2>&1 </dev/null
is "rdtsc by stubs: recorded" $? 0
replay_in_gdb --from=start -- 'break *tsc_site' 'ignore 1 1000' 'break *tsc_behind' 'ignore 2 149' 'continue' \
	'x/3i tsc_site' 'info breakpoints' 'info symbol $pc' 'stepi' 'info symbol $pc' 'delete 2' 'ignore 1 0' \
	'continue' 'stepi' 'info symbol $pc' 'stepi' 'info symbol $pc' 'continue' 'info breakpoints'
says "a breakpoint behind rdtsc is hit" 'Breakpoint 2, '
says "and that at it, each time" 'breakpoint already hit 150 time'
says "rdtsc looks as it was" '+88>:.*rdtsc'
says "and what is behind it" '+90>:.*mov *%rdx,%r10'
says "a step through that" '^counter_put_together + 93 in section'
says "a step over rdtsc" '^counter_put_together + 90 in section'
says "its breakpoint is hit once each time" 'breakpoint already hit 152 time'

# -- redis -----------------------------------------------------------------------------------------------

if command -v redis-server >/dev/null && command -v redis-benchmark >/dev/null; then
	port=$(free_port 1) dump=$work/redis.dump
	mkdir "$work/redis.cwd"
	# shellcheck disable=SC2046
	(cd "$work/redis.cwd" && exec "$BLACKBOXCTL" record --dir "$work/redis" --window all -o "$dump" -- \
		redis-server $(eval printf "'%s '" "$(redis_arguments)") >/dev/null 2>&1 </dev/null) &
	recorded=$!
	remember $recorded
	check "redis answers" within 10 redis_answers
	check "the load runs" redis-benchmark -p "$port" -q -t set,get -n 5000
	redis debug segfault >/dev/null 2>&1
	wait $recorded
	core=$(find "$work" -path "$work/redis.cwd/core*" -o -path "$work/core*")
	same_as_core redis "$(command -v redis-server)"
	replay_in_gdb --from start -- 'break debugCommand' 'continue' 'info threads' 'delete' 'continue'
	says "a breakpoint is hit before redis dies" 'hit Breakpoint 1, .* debugCommand'
	says "then it dies" 'received signal SIGSEGV'
else
	skip "redis" "redis-server is not installed"
fi
done_testing
