#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Dumps without the files that were mapped: small, and exact where the same files are.

. "$(dirname "$0")/lib.sh"
need jq

# fails WORD FILE: the replay says what it lacks, and which file
fails()
{
	"$BLACKBOXCTL" replay --check "$2" >"$work/out" 2>"$work/err" </dev/null
	is "$1: status" $? 1
	check "$1: says so" grep -q "$1" "$work/err"
	check "$1: of which" grep -q "$work/program" "$work/err"
}

cp "$PROGRAMS/crash-second-thread" "$work/program"
"$BLACKBOXCTL" record --dir "$work/store" --window all -- "$work/program" >/dev/null 2>&1
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
