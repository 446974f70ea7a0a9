#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Large reads of files that can't change are logged by reference: of which file systems, that they
# replay, here and elsewhere, and what is said when the file isn't what it was.

. "$(dirname "$0")/lib.sh"
need jq mkfs.erofs mksquashfs mountpoint
[ "$(id -u)" -eq 0 ] || skip_all "only root mounts"

fixed=$work/fixed
program=$PROGRAMS/file-fixed

unmount_all()
{
	for each in "$work"/over "$work"/bound "$work"/plain "$fixed"; do
		mountpoint -q "$each" && umount "$each"
	done
}
trap 'cleanup_children; unmount_all; cleanup' EXIT
cleanup_children() { for pid in $children; do kill -KILL "$pid" 2>/dev/null; done; sleep 0.2; }

mkdir "$fixed" "$work/content" "$work/plain" "$work/bound" "$work/over"
"$program" make >"$work/content/data"
"$program" make | tr '\000-\377' '\001-\377\000' >"$work/content/other"
cp "$PROGRAMS/debuggee" "$work/content/program"
truncate -s 20M "$work/content/large"
touch -d @1000000000 "$work"/content/*
mkfs.erofs "$work/erofs" "$work/content" >/dev/null 2>&1 && mksquashfs "$work/content" "$work/squashfs" -quiet \
	-no-progress >/dev/null || skip_all "images can't be made"
mount -o loop -t erofs "$work/erofs" "$fixed" 2>/dev/null || skip_all "erofs can't be mounted"
umount "$fixed"

# by_reference STORE: of how many files there are reads by reference
by_reference() { json "$1" '[.files[] | select(.read)] | length'; }
log_bytes() { cat "$1"/incidents/*/*/log.* | wc -c; }

record()
{
	store=$1
	shift
	timeout 60 "$BLACKBOXCTL" record --dir "$store" --set triggers=exit "$@" >"$store.out" 2>"$store.err" </dev/null
}

# What is by reference replays, however it was recorded.
for type in erofs squashfs; do
	check "$type: mounted" mount -o loop -t $type "$work/$type" "$fixed"
	record "$work/$type.store" --window all -- "$program" "$fixed/data"
	is "$type: recorded" $? 0
	is "$type: of its file there are references" "$(by_reference "$work/$type.store")" 1
	is "$type: an older reader won't try" "$(json "$work/$type.store" '.needs[]')" reads
	replay_checks "$type: it replays" "$work/$type.store"/incidents/*
	umount "$fixed"
	replay_checks "$type: ... without the file, too" "$work/$type.store"/incidents/*
done
mount -o loop -t erofs "$work/erofs" "$fixed"
record "$work/value" --window all -- "$program"
bytes=$(log_bytes "$work/value") fewer=$(log_bytes "$work/erofs.store")
check "its log is less than a third ($fewer bytes of $bytes)" [ "$fewer" -lt $((bytes / 3)) ]

n=0
while read -r options; do
	n=$((n + 1))
	# shellcheck disable=SC2086
	record "$work/options$n" $options -- "$program" "$fixed/data"
	is "$options: recorded" $? 0
	is "$options: by reference" "$(by_reference "$work/options$n")" 1
	replay_checks "$options: it replays" "$work/options$n"/incidents/*
done <<END
--window all --set snapshot-interval=10ms --set snapshot-memory=2M
--window 10ms --set snapshot-interval=10ms
--window 300ms --set snapshot-interval=100ms
--window all --chaos 1
--window all --chaos 2 --set stubs=1
--window all --chaos 3 --set stubs=none
END

# In a dump, and without the files that it would hold.
id=$("$BLACKBOXCTL" list --json --dir "$work/erofs.store" | jq -r '.[-1].id')
check "a dump" "$BLACKBOXCTL" dump --dir "$work/erofs.store" "$id" -o "$work/whole"
check "one that is stripped" "$BLACKBOXCTL" dump --dir "$work/erofs.store" "$id" --strip -o "$work/stripped"
check "one without files" "$BLACKBOXCTL" dump --dir "$work/erofs.store" "$id" --exclude-files -o "$work/small"
replay_checks "without files it replays" "$work/small"
umount "$fixed"
check "the dump is whole" "$BLACKBOXCTL" verify "$work/whole"
replay_checks "elsewhere: the dump replays" "$work/whole"
replay_checks "elsewhere: the one that is stripped does" "$work/stripped"

# fails NAME WORDS FILE: the replay says what it lacks, and which file
fails()
{
	"$BLACKBOXCTL" replay --check "$3" >"$work/out" 2>"$work/err" </dev/null
	is "$1: status" $? 1
	check "$1: says so" grep -q "$2" "$work/err"
	check "$1: of which" grep -q "$fixed/data" "$work/err"
	diag <"$work/err"
}
fails "elsewhere, without files" "not here either" "$work/small"
cp "$work/content/other" "$fixed/data"
fails "elsewhere, with another file" "differs from what was recorded" "$work/small"
rm "$fixed/data"

# A program that reads its own debug information: that isn't left out.
mount -o loop -t erofs "$work/erofs" "$fixed"
record "$work/elf" --window all -- sh -c 'for i in 1 2 3 4 5; do cat "$1" | cksum; sleep 0.2; done' sh \
	"$fixed/program"
is "a program's file: by reference" "$(by_reference "$work/elf")" 1
check "... stripped" "$BLACKBOXCTL" dump "$work/elf"/incidents/* --strip -o "$work/elf.dump"
check "... it stays as it is" \
	sh -c "! '$BLACKBOXCTL' dump '$work/elf'/incidents/* --strip -o '$work/elf.dump' 2>&1 | grep -q 'is written with it'"
replay_checks "... and replays" "$work/elf.dump"

# The wrong bytes under the right name.
record "$work/two" --window all -- sh -c 'for i in 1 2 3 4 5; do cksum "$1/data" "$1/other"; sleep 0.05; done' sh "$fixed"
is "two files: by reference" "$(by_reference "$work/two")" 2
replay_checks "two files: replays" "$work/two"/incidents/*
cp -r "$work/two"/incidents/* "$work/swapped"
jq 'del(.xxh3) | (.files | map(select(.read) | .hash)) as $h |
	.files |= map(if .read then .hash = ($h - [.hash])[0] else . end)' "$work"/two/incidents/*/incident.json \
	>"$work/swapped/incident.json"
"$BLACKBOXCTL" replay --check "$work/swapped" >"$work/out" 2>"$work/err" </dev/null
is "another file's content: status" $? 1
check "another file's content: which, and where" grep -q "the file $fixed/.* isn't what it was at event [0-9].* at offset" \
	"$work/err"
diag <"$work/err"

# A copy that has rotted is found, and the file itself takes its place.
hash=$(json "$work/two" '.files[] | select(.read and (.path | endswith("data"))) | .hash')
cp -r "$work/two"/incidents/* "$work/rotten"
printf XXXX | dd of="$work/rotten/files/$hash" bs=1 seek=200000 conv=notrunc 2>/dev/null
check "verify finds a rotten file" sh -c "! '$BLACKBOXCTL' verify '$work/rotten' >'$work/out' 2>&1"
check "... and says which" grep -q "files/$hash" "$work/out"
check "... repaired" "$BLACKBOXCTL" repair "$work/rotten"
replay_checks "... it replays where the file is" "$work/rotten"
umount "$fixed"
"$BLACKBOXCTL" replay --check "$work/rotten" >"$work/out" 2>"$work/err" </dev/null
check "... and elsewhere says which is missing" grep -q "the file $fixed/data" "$work/err"

# What may change is logged as it is read, though nobody may write to it now.
mount -t tmpfs none "$work/plain" && cp "$work/content/data" "$work/plain/data" && mount -o remount,ro "$work/plain"
record "$work/tmpfs" --window all -- "$program" "$work/plain/data"
is "a file system that is read-only: by value" "$(by_reference "$work/tmpfs")" 0
replay_checks "... it replays" "$work/tmpfs"/incidents/*
mount --bind "$work/content" "$work/bound" && mount -o remount,bind,ro "$work/bound"
record "$work/bind" --window all -- "$program" "$work/bound/data"
is "a read-only mount: by value" "$(by_reference "$work/bind")" 0
mount -o loop -t erofs "$work/erofs" "$fixed"
if mount -t overlay -o "lowerdir=$fixed:$work/content" none "$work/over" 2>/dev/null; then
	record "$work/overlay" --window all -- "$program" "$work/over/data"
	is "an overlay: by value" "$(by_reference "$work/overlay")" 0
	umount "$work/over"
else
	skip "an overlay: by value" "none can be mounted"
fi
mount -o remount,rw "$fixed" 2>/dev/null
check "a file system that can't be written to stays so" sh -c "! touch '$fixed/data' 2>/dev/null"

# More than the incidents' share has room for isn't kept.
record "$work/tight" --window all --ring 64M -- sh -c 'for i in 1 2 3; do cksum "$1"; done' sh "$fixed/large"
is "too large for the ring: by value" "$(by_reference "$work/tight")" 0
record "$work/large" --window all --ring 128M -- sh -c 'for i in 1 2 3; do cksum "$1"; done' sh "$fixed/large"
is "not too large for a larger one" "$(by_reference "$work/large")" 1

# It is kept while the window refers to it, not longer; and may be kept again.
start_recorded "$work/evicted" --window 500ms --set snapshot-interval=100ms --set triggers=exit -- \
	"$program" "$fixed/data" "$work/go"
within 60 pgrep -P $recorded file-fixed
recorder=$(recorder_of $recorded)
holds() { readlink "/proc/$recorder"/fd/* | grep -q "^$fixed/data$"; }
lets_go() { ! holds; }
check "the recorder holds the file" within 60 holds
within 60 grep -q "it waits" "$work/evicted.err"
check "... until the window is past it" within 60 lets_go
check "... so that it can be unmounted" within 5 umount "$fixed"
mount -o loop -t erofs "$work/erofs" "$fixed"
touch "$work/go"
wait $recorded
is "read again: recorded" $? 0
is "read again: by reference" "$(by_reference "$work/evicted")" 1
replay_checks "read again: replays" "$work/evicted"/incidents/*

# Left by a recorder that was killed.
rm "$work/go"
start_recorded "$work/left" --window all --set snapshot-interval=100ms -- "$program" "$fixed/data" "$work/go"
within 60 pgrep -P $recorded file-fixed
recorder=$(recorder_of $recorded)
within 60 grep -q "it waits" "$work/left.err"
within 20 holds
kill -KILL "$recorder"
touch "$work/go"
wait $recorded
is "recorder killed: references are in what is left" "$(by_reference "$work/left")" 1
is "recorder killed: they are needed" "$(json "$work/left" '.needs[]')" reads
replay_checks "recorder killed: it replays" "$work/left"/incidents/*

done_testing
