#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each of tests/programs, natively, recorded and replayed: the same exit status, the same
# output. Once from exec to the end, once with a stub for each call and snapshots every few
# milliseconds, which stop the program at arbitrary instructions, and with chaos, each time
# from another seed. What works on memory is also replayed from a late one of these snapshots
# on.
#
# A program ends with 0, or says `expect: STATUS' in a comment, as it may say `record: OPTIONS'
# of blackboxctl's. Arguments: only these
# programs. Several run at a time, each under a copy of this script; $CHAOS_SEEDS are other
# seeds.

. "$(dirname "$0")/lib.sh"

seconds=60

# A replay from a late snapshot says only what was said from there on.
same_output()
{
	if [ "$1" = ", from a snapshot on" ]; then
		tail -c "$(wc -c <"$work/replay.out")" "$work/recorded.out" | cmp -s - "$work/replay.out"
	else
		cmp -s "$work/recorded.out" "$work/replay.out"
	fi
}

# record_and_check NAME HOW OPTION...
record_and_check()
{
	name=$1 how=$2
	shift 2
	rm -rf "$work/store" "$work/dump"
	# shellcheck disable=SC2086
	timeout $seconds "$BLACKBOXCTL" record --dir "$work/store" --window all $options "$@" \
		-o "$work/dump" -- "$PROGRAMS/$name" \
		>"$work/recorded.out" 2>"$work/recorded.err" </dev/null
	status=$?
	if [ $status -ne "$expected" ]; then
		not_ok "$name: recorded$how"
		echo "exit status $status, not $expected" | diag
		tail -n 3 "$work/recorded.err" | diag
	elif ! cmp -s "$work/native.out" "$work/recorded.out"; then
		not_ok "$name: recorded$how"
		diff "$work/native.out" "$work/recorded.out" | head -n 5 | diag
	else
		ok "$name: recorded$how"
	fi
	if ! replay_checks "$name: replayed$how" "$work/dump"; then
		notes "$work/store"
	elif ! same_output "$how"; then
		not_ok "$name: output in replay$how"
		tail -n 3 "$work/recorded.err" | diag
		diff "$work/recorded.out" "$work/replay.out" | head -n 5 | diag
	fi
}

one_program()
{
	name=$1
	expected=$(sed -n 's/.*expect: \([0-9]*\).*/\1/p' "$top_srcdir/tests/programs/$name.c")
	: "${expected:=0}"
	options=$(sed -n 's/.*record: \(--.*\)/\1/p' "$top_srcdir/tests/programs/$name.c")
	timeout $seconds "$PROGRAMS/$name" >"$work/native.out" 2>"$work/native.err" </dev/null
	status=$?
	if [ $status -ne "$expected" ]; then
		not_ok "$name: natively"
		echo "exit status $status, not $expected" | diag
		tail -n 3 "$work/native.err" | diag
		return
	fi
	record_and_check "$name" ""
	# Each is compared with the one before: by page frames, or in the next run by hashes.
	record_and_check "$name" ", with snapshots and all stubs" --set stubs=1 \
		--set snapshot-interval=10ms --set snapshot-memory=2M
	case $name in
	mem-* | share-*) record_and_check "$name" ", from a snapshot on" --set snapshot-interval=10ms --window 10ms ;;
	esac
	# Most are given up then, but none that is kept holds two moments.
	case $name in
	mem-file-many) record_and_check "$name" ", with little time for snapshots" --set snapshot-interval=10ms --set stall=5ms ;;
	esac
	# With stubs for the calls as usual; for each, as soon as it can be; for none.
	for seed in ${CHAOS_SEEDS:-1 2 3}; do
		case $((seed % 3)) in
		2) record_and_check "$name" ", with chaos $seed and all stubs" --chaos "$seed" --set stubs=1 ;;
		0) record_and_check "$name" ", with chaos $seed and no stubs" --chaos "$seed" --set stubs=none ;;
		*) record_and_check "$name" ", with chaos $seed" --chaos "$seed" ;;
		esac
	done
}

# all_programs NAME...: as many at a time as there are processors
all_programs()
{
	printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' \
		sh -c '"$1" "$2" >"$3/$2.tap"' sh "$script" '{}' "$work"
	for name in "$@"; do
		cat "$work/$name.tap"
		tail -n 1 "$work/$name.tap" | grep -q '^1\.\.[1-9]' || echo "not ok 0 - $name: to its end"
	done | awk -v done="$work/n" '
		/^1\.\./ { next }
		/^(not )?ok [0-9]+ / { n++; sub(/ok [0-9]+ /, "ok " n " ") }
		{ print }
		END { print n >done }'
	n_tests=$(cat "$work/n")
}

replay_seconds=$seconds
export top_srcdir top_builddir
script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
cd "$work" || exit 99
if [ $# -eq 0 ]; then
	for source in "$top_srcdir"/tests/programs/*.c; do
		# Tools of memcached.t and of the debugger's cases.
		case $source in
		*/mcload.c | */debuggee.c) ;;
		*) set -- "$@" "$(basename "$source" .c)" ;;
		esac
	done
fi
if [ $# -eq 1 ]; then
	one_program "$1"
else
	all_programs "$@"
fi
done_testing
