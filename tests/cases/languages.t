#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# sqlite3 with a table of 100,000 rows, and python3 with threads, json, hashlib, time and
# random, from exec to the end.

. "$(dirname "$0")/lib.sh"

# whole_run NAME COMMAND...: with $work/in as its input
whole_run()
{
	name=$1
	shift
	rm -rf "$work/store"
	"$BLACKBOXCTL" record --dir "$work/store" --window all --ring 1G -o "$work/dump" -- "$@" \
		<"$work/in" >"$work/out" 2>"$work/err"
	is "$name: runs" $? 0
	tail -n 3 "$work/err" | diag
	replay_checks "$name: replays" "$work/dump" || notes "$work/store"
	check "$name: the same output" cmp "$work/out" "$work/replay.out"
	tail -n 1 "$work/replay.err" | diag
}

cat >"$work/in" <<'END'
CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER, word TEXT);
BEGIN;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100000)
INSERT INTO t SELECT i, abs(random()) % 1000, 'word' || (i * 7919 % 100003) FROM c;
COMMIT;
CREATE INDEX by_n ON t(n);
SELECT count(*), count(DISTINCT n) FROM t;
SELECT n, count(*), min(word) FROM t GROUP BY n ORDER BY 2 DESC LIMIT 5;
UPDATE t SET word = word || n WHERE n < 100;
SELECT sum(length(word)) FROM t;
END
if command -v sqlite3 >/dev/null; then
	whole_run sqlite3 sqlite3 "$work/table.db"
	is "sqlite3: the table is there" \
		"$(sqlite3 "$work/table.db" 'SELECT count(*) FROM t; PRAGMA integrity_check')" "100000
ok"
else
	skip sqlite3 "not installed"
fi

cat >"$work/program.py" <<'END'
import hashlib, json, random, threading, time

results, lock = {}, threading.Lock()

def work(name):
    digest = hashlib.sha256()
    for i in range(2000):
        row = {"name": name, "i": i, "random": random.random(), "time": time.time()}
        digest.update(json.dumps(row, sort_keys=True).encode())
        assert json.loads(json.dumps(row)) == row
        if i % 500 == 0:
            time.sleep(0.001)
    with lock:
        results[name] = digest.hexdigest()

threads = [threading.Thread(target=work, args=(f"thread {i}",)) for i in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(results, sort_keys=True), time.strftime("%c"), time.perf_counter())
END
: >"$work/in"
if [ -x /usr/bin/python3 ]; then
	whole_run python3 /usr/bin/python3 "$work/program.py"
else
	skip python3 "not installed"
fi
done_testing
