#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Dumps without the files that were mapped, or without their debug information: small, and exact where the same files are.

. "$(dirname "$0")/lib.sh"
need jq zstd tar

# fails WORD FILE: the replay says what it lacks, and which file
fails()
{
	"$BLACKBOXCTL" replay --check "$2" >"$work/out" 2>"$work/err" </dev/null
	is "$1: status" $? 1
	check "$1: says so" grep -q "$1" "$work/err"
	check "$1: of which" grep -q "$work/program" "$work/err"
}

cp "$PROGRAMS/debuggee" "$work/program"
"$BLACKBOXCTL" record --dir "$work/store" --window all -- "$work/program" crash >/dev/null 2>&1
id=$("$BLACKBOXCTL" list --json --dir "$work/store" | jq -r '.[-1].id')
check "a dump" "$BLACKBOXCTL" dump --dir "$work/store" "$id" -o "$work/whole"
check "one without files" "$BLACKBOXCTL" dump --dir "$work/store" "$id" --exclude-files -o "$work/small"
diag <<END
$(stat -c %s "$work/whole") bytes, without files $(stat -c %s "$work/small")
END
check "it is less than half" [ "$(stat -c %s "$work/small")" -lt $(($(stat -c %s "$work/whole") / 2)) ]
check "it is whole" "$BLACKBOXCTL" verify "$work/small"
check "its notes say so" sh -c "'$BLACKBOXCTL' info '$work/small' | grep -q 'left out of this dump'"
replay_checks "it replays" "$work/small"
is "as much as with files" "$(checked events)" \
	"$("$BLACKBOXCTL" replay --check "$work/whole" 2>&1 >/dev/null | sed -n 's/^checked: \([0-9]*\) events.*/\1/p')"

# Debug information that is left out: no byte moves.
stripped=$work/stripped
check "one that is stripped" "$BLACKBOXCTL" dump --dir "$work/store" "$id" --strip -o "$stripped"
check "it is less" [ "$(stat -c %s "$stripped")" -lt "$(stat -c %s "$work/whole")" ]
echo "stripped $(stat -c %s "$stripped") bytes" | diag
check "it is whole" "$BLACKBOXCTL" verify "$stripped"
mkdir "$work/unpacked"
zstd -dcq "$stripped" | tar -x -C "$work/unpacked"
check "the program is in it in another form" \
	jq -e --arg p "$work/program" 'any(.files[]; .path == $p and .stripped)' "$work/unpacked/incident.json"
mv "$work/program" "$work/aside"
replay_checks "it replays without the original" "$stripped"
if command -v gdb >/dev/null; then
	"$BLACKBOXCTL" replay "$stripped" -- -batch -nx -ex bt >"$work/gdb.out" 2>&1 </dev/null
	check "gdb has its functions" grep -q ' in second\| in crash\| in [a-z_]* ()' "$work/gdb.out"
	check "gdb has nothing against it" sh -c "! grep -qi 'dwarf error\|warning: .*section' '$work/gdb.out'"
fi
mv "$work/aside" "$work/program"
"$BLACKBOXCTL" record --dir "$work/self" --window all --set triggers=exit -- "$BLACKBOXCTL" --help >/dev/null 2>&1
self=$("$BLACKBOXCTL" list --json --dir "$work/self" | jq -r '.[-1].id')
for option in "" --exclude-files --strip; do
	# shellcheck disable=SC2086
	check "of a larger one ${option:-as it is}" "$BLACKBOXCTL" dump --dir "$work/self" "$self" $option -o "$work/self.dump"
	replay_checks "... it replays" "$work/self.dump"
	echo "$(stat -c %s "$work/self.dump") bytes" | diag
done

# `record -o' writes what `dump' would.
for option in --exclude-files --strip; do
	"$BLACKBOXCTL" record --dir "$work/direct" --window all -o "$work/direct.dump" $option -- "$work/program" crash >/dev/null 2>&1
	check "record $option: it is whole" "$BLACKBOXCTL" verify "$work/direct.dump"
	check "record $option: it is less" [ "$(stat -c %s "$work/direct.dump")" -lt "$(stat -c %s "$work/whole")" ]
	replay_checks "record $option: it replays" "$work/direct.dump"
done
"$BLACKBOXCTL" record --dir "$work/direct" --strip -- /bin/true 2>"$work/err"
is "record --strip without -o: status" $? 2
check "record --strip without -o: says what is wanted" grep -q -- '-o FILE is wanted' "$work/err"

# What a program reads of debug information isn't left out.
"$BLACKBOXCTL" record --dir "$work/self" --window all --set triggers=exit -- \
	"$PROGRAMS/mem-own-file" "$BLACKBOXCTL" >/dev/null 2>&1
self=$("$BLACKBOXCTL" list --json --dir "$work/self" | jq -r '.[-1].id')
"$BLACKBOXCTL" dump --dir "$work/self" "$self" --strip -o "$work/self.dump" 2>"$work/err"
is "of a program that reads it: status" $? 0
check "... it is said that it is whole" grep -q "is written with it" "$work/err"
replay_checks "... and replays" "$work/self.dump"

# Another machine's files have other inodes and times.
cp "$work/program" "$work/copy"
mv "$work/copy" "$work/program"
replay_checks "with files of the same content, it replays" "$work/small"

printf X | dd of="$work/program" bs=1 seek=64 conv=notrunc 2>/dev/null
fails "differs from what was recorded" "$work/small"
replay_checks "the dump with files doesn't need them" "$work/whole"
truncate -s -1 "$work/program"
fails "the one here differs" "$work/small"
rm "$work/program"
fails "not here either" "$work/small"
mkfifo "$work/program"
fails "the one here differs from" "$work/small"

# The same for what is mapped within the window only.
libc=$(jq -r '[.files[].path | select(test("/libc\\.so"))][0]' "$work/store/incidents/$id/incident.json")
rm "$work/program"
cp "$libc" "$work/program"
LD_PRELOAD=$work/program "$BLACKBOXCTL" record --dir "$work/late" --window all --set triggers=exit -- /bin/true 2>/dev/null
id=$("$BLACKBOXCTL" list --json --dir "$work/late" | jq -r '.[-1].id')
check "of a library" "$BLACKBOXCTL" dump --dir "$work/late" "$id" --exclude-files -o "$work/small"
replay_checks "of a library: it replays" "$work/small"
rm "$work/program"
fails "not here either" "$work/small"
done_testing
