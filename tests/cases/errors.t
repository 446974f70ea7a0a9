#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Bad input of every kind: status 2, one clear message, no crash, nothing left behind.

. "$(dirname "$0")/lib.sh"
need jq

# refuses NAME WORD COMMAND-LINE...: with a message that has WORD in it
refuses()
{
	name=$1 word=$2
	shift 2
	timeout 60 "$BLACKBOXCTL" "$@" >"$work/out" 2>"$work/err" </dev/null
	is "$name: status" $? 2
	check "$name: says what is wrong" grep -qi -- "$word" "$work/err"
	[ -s "$work/err" ] && head -n 2 "$work/err" | diag
}

"$BLACKBOXCTL" record --dir "$work/store" --window all -o "$work/good" -- /bin/echo hello >"$work/out"
check "a good dump" [ -s "$work/good" ]
size=$(stat -c %s "$work/good")

refuses "no such verb" frobnicate frobnicate
refuses "no such option" "--frob" replay --frob
refuses "no such option: whose" "blackboxctl replay --help" replay --frob
refuses "no file" "which file" replay --check
refuses "two files" "one file" replay --check a b
for verb in "replay" "replay --check" trace; do
	# shellcheck disable=SC2086
	refuses "$verb: a process of another window" "process 1 " $verb --pid 1 "$work/good"
	# shellcheck disable=SC2086
	refuses "$verb: no process id" 1x $verb --pid 1x "$work/good"
done
refuses "a file that isn't there" nowhere replay --check "$work/nowhere"
refuses "a directory" "$work" replay --check "$work"
: >"$work/empty"
refuses "an empty file" empty replay --check "$work/empty"
refuses "a text" passwd replay --check /etc/passwd
refuses "a program" "sh" replay --check /bin/sh
head -c 65536 /dev/urandom >"$work/noise"
refuses "noise" noise replay --check "$work/noise"
for part in 10 50 90 99; do
	head -c $((size * part / 100)) "$work/good" >"$work/cut$part"
	refuses "a dump cut at $part %" "cut$part" replay --check "$work/cut$part"
done
head -c $((size - 1)) "$work/good" >"$work/cut1"
refuses "a dump without its last byte" cut1 replay --check "$work/cut1"
for part in 1 5 25 50 75 95; do
	cp "$work/good" "$work/rotten$part"
	printf 'XXXXXXXX' | dd of="$work/rotten$part" bs=1 seek=$((size * part / 100)) conv=notrunc 2>/dev/null
	timeout 60 "$BLACKBOXCTL" replay --check "$work/rotten$part" >"$work/out" 2>"$work/err"
	status=$?
	head -n 2 "$work/err" | diag
	# A mapped file that is rotten is taken from its path, if that is the same still.
	check "a dump rotten at $part %: detected or harmless" [ $status -eq 2 -o $status -eq 0 ]
done

for verb in info "replay --check" verify; do
	# shellcheck disable=SC2086
	refuses "$verb: a newer version's dump" "newer version" $verb "$top_srcdir/tests/fuzz/corpus/dump/newer.tar"
done
mkdir -p "$work/newer"
echo '{ "format": 99 }' >"$work/newer/incident.json"
refuses "a newer version's incident" "newer version" info "$work/newer"
refuses "dump: a newer version's incident" "newer version" dump "$work/newer" -o "$work/dump"
refuses "repair: a newer version's incident" "newer version" repair "$work/newer"

refuses "no command" "which command" record
refuses "a bad window" window record --window soon -- /bin/true
refuses "a bad ring" ring record --ring -1 -- /bin/true
refuses "a tiny ring" ring record --ring 1K -- /bin/true
refuses "an unknown key" colour record --set colour=red -- /bin/true
refuses "half a key" KEY=VALUE record --set window -- /bin/true
refuses "a bad signal" NOSUCH record --freeze-signal NOSUCH -- /bin/true
refuses "a policy that isn't there" nowhere record --policy "$work/nowhere" -- /bin/true
echo 'window: [' >"$work/bad.yaml"
refuses "a bad policy" "bad.yaml:" record --policy "$work/bad.yaml" -- /bin/true

# A manifest is foreign, too, and its members may be anything.
whole=$(ls -d "$work"/store/incidents/*/ | head -n 1)
cp -r "$whole" "$work/foreign"
for member in command notes trigger host domains files; do
	jq ".$member = 5" "$whole/incident.json" >"$work/foreign/incident.json"
	"$BLACKBOXCTL" info "$work/foreign" >"$work/out" 2>&1
	status=$?
	check "a manifest whose $member is a number: harmless" [ $status -eq 0 -o $status -eq 2 ]
done

# A log that is written in another way isn't read as if it weren't.
jq '.domains[].abi = 1' "$whole/incident.json" >"$work/foreign/incident.json"
for verb in "replay --check" trace events; do
	# shellcheck disable=SC2086
	refuses "$verb: another version's log" "another version" $verb "$work/foreign"
done

# Half an output is none.
for verb in trace events info "info --json" "list --json --dir"; do
	what=$work/good
	[ "$verb" = "${verb#list}" ] || what=$work/store
	# shellcheck disable=SC2086
	"$BLACKBOXCTL" $verb "$what" >/dev/full 2>"$work/err"
	is "$verb to a full disk: status" $? 1
done

"$BLACKBOXCTL" record --dir "$work/store" -- "$work/nowhere" 2>"$work/err"
is "a command that isn't there: status" $? 127
is "a command that isn't there: one message" "$(wc -l <"$work/err")" 1
"$BLACKBOXCTL" record --dir "$work/deep/store" -- /bin/true
is "a store in no directory yet" $? 0

# What can't be kept doesn't keep the command from being right.
"$BLACKBOXCTL" record --dir "$work/good/store" -- /bin/true 2>"$work/err"
check "a store below a file: no success" [ $? -ne 0 ]
check "a store below a file: says so" [ -s "$work/err" ]
"$BLACKBOXCTL" record --dir "$work/store" -o "$work/nowhere/dump" -- /bin/echo hello >"$work/out" 2>"$work/err"
check "a dump into nowhere: says so" grep -q nowhere/dump "$work/err"
is "a dump into nowhere: the command ran" "$(cat "$work/out")" hello
done_testing
