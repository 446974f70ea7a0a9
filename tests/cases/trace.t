#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What `events' and `trace' print of a recording.

. "$(dirname "$0")/lib.sh"
need jq

dump=$work/dump
"$BLACKBOXCTL" record --dir "$work/store" --window all -o "$dump" -- \
	"$PROGRAMS/debuggee" handler >"$work/out" 2>&1 </dev/null
is "the program dies" $? 139
check "its system calls are printed" sh -c '"$0" trace "$1" >"$2"' "$BLACKBOXCTL" "$dump" "$work/trace"

# prints NAME PATTERN
prints()
{
	if grep -q -- "$2" "$work/trace"; then
		ok "$1"
	else
		not_ok "$1"
		tail -n 20 "$work/trace" | diag
	fi
}

prints "a path, flags, a descriptor" ' openat(AT_FDCWD, "[^"]*/libc.so.6", O_RDONLY|O_CLOEXEC) = [0-9]'
prints "what a read has got" ' read([0-9]*, "\\177ELF.*"\.\.\., [0-9]*) = '
prints "what a write says" ' write(1, "crashes in handler\\n", 19) = 19'
prints "protections and flags of a mapping" \
	' mmap(NULL, [0-9]*, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7[ef]'
prints "the name of an error" ' access("/etc/ld.so.preload", .*) = -1 ENOENT (No such file or directory)'
prints "a signal's name, sent" ' tgkill([0-9]*, [0-9]*, SIGUSR1) = 0'
prints "a signal with its siginfo" ' --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_TKILL, si_pid='
prints "the crash" ' --- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0'
prints "the end" ' +++ killed by SIGSEGV +++'
check "no argument is unknown" test "$(grep -c '(?\|, ?' "$work/trace")" -eq 0
check "each line has a thread and a time" \
	test "$(grep -vc '^[0-9]* *[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9]\{6\} ' "$work/trace")" -eq 0

"$BLACKBOXCTL" trace -n 5 "$dump" >"$work/last"
tail -n 5 "$work/trace" >"$work/wanted"
check "-n prints the last ones" cmp "$work/wanted" "$work/last"
"$BLACKBOXCTL" trace --json "$dump" >"$work/json"
is "--json says the same calls" "$(jq -r 'select(.call == "write") | .args[1]' "$work/json")" \
	'"crashes in handler\n"'
is "and errors" "$(jq -r 'select(.call == "access") | .error' "$work/json")" ENOENT

"$BLACKBOXCTL" events "$dump" >"$work/events"
check "events have a line for each call" test "$(grep -c ' syscall ' "$work/events")" -eq \
	"$(grep -c ' = ' "$work/trace")"
check "and one for the death" grep -q ' fatal *SIGSEGV .* at-fault ' "$work/events"
is "events --json counts them alike" "$("$BLACKBOXCTL" events --json "$dump" | jq -s length)" \
	"$(wc -l <"$work/events")"

# Threads: all of them, one of them, and what one never finished.
dump=$work/threads.dump
"$BLACKBOXCTL" record --dir "$work/store" --window all -o "$dump" -- \
	"$PROGRAMS/debuggee" thread >/dev/null 2>&1 </dev/null
"$BLACKBOXCTL" trace "$dump" >"$work/trace"
prints "a thread is made" ' clone3({flags=CLONE_VM|CLONE_FS|'
prints "a time" ' clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=1000000}, '
prints "a call that never returned" ' futex(0x[0-9a-f]*, FUTEX_WAIT.* <unfinished \.\.\.>'
tid=$(sed -n 's/^\([0-9]*\) .*killed by.*/\1/p' "$work/trace")
is "--tid prints one thread" "$("$BLACKBOXCTL" trace --tid "$tid" "$dump" | cut -d' ' -f1 | sort -u)" "$tid"

# A program that ends, and a window that begins in the middle.
dump=$work/exit.dump
"$BLACKBOXCTL" record --dir "$work/store" --window all -o "$dump" -- sh -c 'exit 3' >/dev/null 2>&1
"$BLACKBOXCTL" trace "$dump" >"$work/trace"
prints "an exit" ' exit_group(3 <unfinished'
prints "its status" ' +++ exited with 3 +++'
dump=$work/late.dump
"$BLACKBOXCTL" record --dir "$work/store" --window 2s -o "$dump" -- \
	"$PROGRAMS/debuggee" late >/dev/null 2>&1 </dev/null
"$BLACKBOXCTL" trace "$dump" >"$work/trace"
prints "a window's middle" ' clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=2000000}, '
check "whose arguments are all known" test "$(grep -c '(?\|, ?' "$work/trace")" -eq 0

echo nonsense >"$work/nonsense"
for verb in trace events replay; do
	"$BLACKBOXCTL" $verb "$work/nonsense" >/dev/null 2>&1
	is "$verb refuses what isn't an incident" $? 2
done
done_testing
