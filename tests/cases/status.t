#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Exit status, signal and core file are those of an unrecorded run.

. "$(dirname "$0")/lib.sh"

# same_end NAME COMMAND...: recorded as natively
same_end()
{
	name=$1
	shift
	"$@" >"$work/native.out" 2>/dev/null
	native=$?
	"$BLACKBOXCTL" record --dir "$work/store" -- "$@" >"$work/recorded.out" 2>"$work/err"
	is "$name: status" $? $native
	check "$name: output" cmp "$work/native.out" "$work/recorded.out"
	grep 'runs unrecorded' "$work/err" | diag
}

ulimit -S -c 0
for status in 0 1 42 255; do
	same_end "exit $status" /bin/sh -c "exit $status"
done
for signal in HUP INT QUIT KILL USR1 PIPE ALRM TERM SEGV ABRT SYS TRAP XCPU RTMIN; do
	same_end "SIG$signal" /bin/sh -c "echo before; kill -$signal \$\$; echo after"
done
for program in crash-stack-overflow crash-second-thread sig-sigpipe; do
	same_end $program "$PROGRAMS/$program"
done
"$BLACKBOXCTL" record --dir "$work/store" -- "$work/nothing" 2>"$work/err"
is "a command that isn't there" $? 127
check "is named" grep -q "$work/nothing" "$work/err"
"$BLACKBOXCTL" record --dir "$work/store" -- /etc/passwd 2>"$work/err"
is "a command that can't be run" $? 126

# core_of NAME COMMAND...: what gdb says of the core, in $work/NAME.core
core_of()
{
	name=$1
	shift
	mkdir "$work/$name"
	(cd "$work/$name" && ulimit -S -c unlimited && "$@" >/dev/null 2>&1)
	core=$(find "$work/$name" -type f -name 'core*')
	[ -n "$core" ] || return 1
	gdb -batch -ex 'info registers rax rbx rcx rdx rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 eflags' \
		-ex 'print $xmm0.uint128' -ex 'print $xmm15.uint128' -ex 'x/i $rip' -ex backtrace \
		-ex 'print $_siginfo.si_signo' -ex 'print $_siginfo.si_code' \
		-ex 'print $_siginfo._sifields._sigfault.si_addr' -ex 'print environ[0]' \
		"$PROGRAMS/crash-registers" "$core" 2>/dev/null |
		sed 's/0x[0-9a-f]* \(<main\|in main\)/\1/; s/= 0x[0-9a-f]* \"/= \"/' >"$work/$name.core"
	grep -q 'main ()' "$work/$name.core"
}

case $(cat /proc/sys/kernel/core_pattern) in
core | core.*)
	if command -v gdb >/dev/null; then
		check "a core natively" core_of native "$PROGRAMS/crash-registers"
		check "a core recorded" core_of recorded \
			"$BLACKBOXCTL" record --dir "$work/store" -- "$PROGRAMS/crash-registers"
		sed -i '/^\[New LWP\|^Core was/d' "$work/native.core" "$work/recorded.core"
		check "gdb sees the same" diff "$work/native.core" "$work/recorded.core"
	else
		skip "core files" "gdb is not installed"
	fi
	;;
*) skip "core files" "this machine's core_pattern pipes them away" ;;
esac
done_testing
