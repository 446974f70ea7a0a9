# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Programs that run to their end, `blackboxctl record' and all: what a user waits for.

python=/usr/bin/python3

# scaled FULL SMALL: what --size says
scaled() { [ "$size" = small ] && echo "$2" || echo "$1"; }

one_program() {	# OPERATIONS COMMAND...
	operations=$1
	shift
	measure_command program --ops "$operations" -- "$@"
}

# compare_program OPERATIONS COMMAND...: once unmeasured, so that its files are in memory
compare_program() {
	$prepare
	(shift && "$@" >/dev/null 2>&1)
	alternate one_program "$@"
}

load_sqlite() {
	n=$(scaled 200000 20000)
	row time s insert "sqlite3, $n inserts"
	seq "$n" | awk -v batch=1000 '
		BEGIN { print "PRAGMA synchronous = off; CREATE TABLE t (i INTEGER PRIMARY KEY, k TEXT, x REAL);" }
		NR % batch == 1 { print "BEGIN;" }
		{ printf "INSERT INTO t VALUES (%d, \"key %d\", %d.5);\n", $1, $1 * 7919 % 100003, $1 }
		NR % batch == 0 { print "COMMIT;" }' >"$work/script"
	remove_database() { rm -f "$work/db" "$work/db-journal"; }
	prepare=remove_database
	compare_program "$n" sqlite3 "$work/db" ".read $work/script"
}

load_python() {
	cat >"$work/loop.py" <<'END'
import json, sys
n, total = int(sys.argv[1]), 0
for i in range(n):
    total = (total * 31 + i) & 0xffffffff
things = [{"id": i, "name": f"thing {i}", "tags": ["a", "b", str(i)]} for i in range(n // 1000)]
for _ in range(40):
    things = json.loads(json.dumps(things))
print(total, len(things))
END
	row time s run "python3, a loop and json"
	compare_program 1 "$python" "$work/loop.py" "$(scaled 10000000 1000000)"
}

load_make() {
	n=$(scaled 200 20)
	row time s file "make, $n files of C"
	mkdir "$work/project"
	for i in $(seq "$n"); do
		cat >"$work/project/part$i.c" <<END
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
int part$i(char **words, size_t n)
{
	int sum = $i;

	qsort(words, n, sizeof(*words), compare);
	for (size_t i = 0; i < n; i++)
		sum = sum * 31 + (int)strlen(words[i]);
	return sum > 0 ? sum : printf("%d\\n", sum);
}
END
	done
	echo 'int main(void) { return 0; }' >"$work/project/main.c"
	printf 'program: $(patsubst %%.c,%%.o,$(wildcard *.c))\n\t$(CC) -o $@ $^\n' >"$work/project/Makefile"
	make_clean() { rm -f "$work/project/program" "$work/project/"*.o; }
	prepare=make_clean
	native_prefix=$on_one_cpu
	compare_program "$n" make -s -C "$work/project" -j "$(nproc)" CFLAGS=-O1
}

load_cp() {
	n=$(scaled 20000 1000)
	row time s file "cp -r, $n files of 50 kB"
	"$python" - "$work/tree" "$n" <<'END'
import os, sys
block = os.urandom(50_000)
for i in range(int(sys.argv[2])):
    folder = f"{sys.argv[1]}/{i // 100}"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{i}", "wb") as f:
        f.write(block)
END
	remove_copy() { rm -rf "$work/copy"; }
	prepare=remove_copy
	compare_program "$n" cp -r "$work/tree" "$work/copy"
}

true_runs() {	# TIMES
	measure_command program --times "$1" -- /bin/true
}

load_true() {
	row added ms run "/bin/true"
	alternate true_runs "$(scaled 20 5)"
}

load_threads() {
	row time s run "4 threads that compute"
	compile compute
	native_prefix=$on_one_cpu
	compare_program 1 "$work/compute" 4 "$(scaled 400 40)"
	watched one_program 1 "$work/compute" 4 "$(scaled 400 40)"
}

# -- what a call costs

one_call() {	# NAME
	measure_command value -- "$work/calls" "$1" "$work/file"
}

load_calls() {
	compile calls
	head -c 1000000 /dev/zero >"$work/file"
	row added ns call "getppid"
	alternate one_call getppid
	row added ns call "read of a byte of a file"
	alternate one_call read
	row added ns call "clock_gettime"
	alternate one_call clock_gettime
	row added ns call "rdtsc"
	alternate one_call rdtsc
	row added ns call "getppid in code made as it runs"
	alternate one_call made
}

# -- replay

n_='\([0-9.]*\)'
checked_="^checked: $n_ events, $n_ seconds" covered_='"events": \1, "covered_s": \2'
found_='"preemptions": \3, "found_ms": \4, "found_longest_ms": \5'

# replay_dump SED: checks $work/dump; SED makes JSON of the line that says so
replay_dump() {
	json=$(measure program "$ctl" replay --check "$work/dump" 2>"$work/errors") ||
		fail_with "$work/errors"
	found=$(sed -n "$1" "$work/errors")
	[ -n "$found" ] || fail_with "$work/errors"
	keep "$found ${json#\{}"
}

# Threads that compute are preempted at any instruction whatever, every few milliseconds: each
# place is looked for, and what was computed up to there is computed again.
load_preemptions() {
	row alone s run "replay --check of 4 threads that compute"
	compile compute
	how=recorded pair=1
	"$ctl" record --dir "$work/store" --window all --ring 1G -o "$work/dump" -- \
		"$work/compute" 4 "$(scaled 400 40)" >"$work/recorded.log" 2>&1
	replay_dump "s/$checked_.*; $n_ preemptions found, in $n_ ms each, $n_ ms at.*/$covered_, $found_, /p"
}

# A server of its own, whose window holds all of the last 30 seconds: the ring is large enough.
load_replay() {
	window=$(scaled 30 3)
	how=recorded pair=1
	row alone s window "replay --check of $window s of redis"
	new_port >/dev/null
	"$ctl" record --dir "$work/store" --window "${window}s" --ring 4G --set incidents-share=90 \
		-o "$work/dump" -- redis-server --port "$(port)" --save '' --dir "$work" \
		>"$work/recorded.log" 2>&1 </dev/null &
	recorded=$!
	servers=$recorded
	await redis-cli -p "$(port)" ping
	timeout $((window + 3)) redis-benchmark -p "$(port)" -q -l -c 50 -t set,get >/dev/null 2>&1 || :
	redis-cli -p "$(port)" shutdown nosave >/dev/null 2>&1
	wait "$recorded"
	servers=
	replay_dump "s/$checked_.*/$covered_, /p"
}
