#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Servers of several processes, as Debian has them, under load: frozen at their end, nginx also
# while it serves, and PostgreSQL when one of its backends crashes. What they share is handed
# from process to process.

. "$(dirname "$0")/lib.sh"
. "$top_srcdir/tests/apache.sh"
need nginx apache2 ab jq setpriv ssh ssh-keygen
postgres=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
[ -n "$postgres" ] || skip_all "postgresql is not installed"
[ "$(id -u)" = 0 ] || skip_all "they want to be started by root"

# ends_well NAME SIGNAL PROCESSES: the recorded service is stopped; all of it is checked.
ends_well()
{
	kill -"$2" "$(service_of $recorded)"
	wait $recorded
	is "$1: its exit status" $? 0
	replay_checks "$1: every process replays" "$work/dump" || notes "$store"
	check "$1: they are all there" [ "$(info "$work/dump" | jq .processes)" -ge "$3" ]
	check "$1: none went on unrecorded" [ "$(info "$work/dump" | jq '[.notes[] | select(test("unrecorded|interrupted"))] | length')" -eq 0 ]
	tail -n 1 "$work/replay.err" | diag
	rm -rf "$store" "$work/dump"
}

answers() { ab -q -n 1 "http://127.0.0.1:$port/"; }

# http_load NAME
http_load()
{
	check "$1: it answers" within 20 answers || return
	check "$1: the load runs" ab -q -n 3000 -c 8 "http://127.0.0.1:$port/"
}

chmod 755 "$work"
mkdir "$work/html" && echo "a page" >"$work/html/index.html"

# -- nginx: a master and two workers, one page between them

port=$(free_port 1)
mkdir "$work/nginx"
cat >"$work/nginx.conf" <<END
daemon off; worker_processes 2; pid $work/nginx/pid; error_log $work/nginx/errors;
events { worker_connections 256; accept_mutex on; }
http { access_log off; client_body_temp_path $work/nginx/1; proxy_temp_path $work/nginx/2;
	fastcgi_temp_path $work/nginx/3; uwsgi_temp_path $work/nginx/4; scgi_temp_path $work/nginx/5;
	server { listen 127.0.0.1:$port; root $work/html; } }
END
# SIGUSR1: the master has the logs opened anew.
start_recorded "$work/store" --window all --ring 1G --freeze-signal USR1 -o "$work/dump" -- \
	nginx -c "$work/nginx.conf"
http_load nginx
ab -q -n 3000 -c 8 "http://127.0.0.1:$port/" >"$work/load.out" 2>&1 &
load=$!
remember $load
sleep 0.2
kill -USR1 "$(service_of $recorded)"
frozen() { [ "$(n_incidents "$store")" -eq 1 ]; }
check "nginx: it is frozen while it serves" within 10 frozen
wait $load
is "nginx: and serves on" $? 0
replay_checks "nginx: every process of then replays" "$store"/incidents/*/ || notes "$store"
is "nginx: they were all there" "$(json "$store" '.domains | length')" 3
tail -n 1 "$work/replay.err" | diag
ends_well nginx TERM 3

# -- Apache, prefork: a scoreboard; to end it signals its process group

port=$(free_port 2)
mkdir "$work/apache"
apache_prefork "$work/apache" "$port" "$work/html" 2 >"$work/apache.conf"
start_recorded "$work/store" --window all --ring 1G -o "$work/dump" -- \
	setsid apache2 -DFOREGROUND -f "$work/apache.conf"
http_load Apache
ends_well Apache TERM 3

# -- sshd: each login is several processes, with other rights each

port=$(free_port 3)
mkdir -p "$work/ssh" /run/sshd
for key in host user; do
	ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/$key"
done
cp "$work/ssh/user.pub" "$work/ssh/authorized"
cat >"$work/ssh/config" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $work/ssh/host
PidFile $work/ssh/pid
AuthorizedKeysFile $work/ssh/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
END
login()
{
	ssh -F none -q -i "$work/ssh/user" -p "$port" -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o BatchMode=yes 127.0.0.1 "$@"
}
start_recorded "$work/store" --window all --ring 1G -o "$work/dump" -- \
	/usr/sbin/sshd -D -e -f "$work/ssh/config"
check "sshd: a login" within 20 login true
is "sshd: what a login executes" "$(for i in 1 2 3; do login "echo $i; exit $i"; echo $?; done | tr '\n' ' ')" \
	"1 1 2 2 3 3 "
kill -TERM "$(service_of $recorded)"
wait $recorded
is "sshd: its exit status" $? 0
replay_checks "sshd: every process replays" "$work/dump" || notes "$store"
check "sshd: they are all there" [ "$(info "$work/dump" | jq .processes)" -ge 12 ]
tail -n 1 "$work/replay.err" | diag
rm -rf "$store" "$work/dump"

# -- PostgreSQL: all that it does is in memory that its processes share

as_postgres="setpriv --reuid=postgres --regid=postgres --clear-groups"
mkdir "$work/bin" "$work/pg"
cp "$top_builddir/blackboxctl" "$top_builddir/blackbox-recorder" "$top_builddir/blackbox-inject" "$work/bin"
chown postgres "$work/pg"
psql() { $as_postgres "$postgres/psql" -XAtq -h "$work/pg" "$@"; }
pgbench() { $as_postgres "$postgres/pgbench" -h "$work/pg" "$@" bench; }
pg_answers() { $as_postgres "$postgres/pg_isready" -q -h "$work/pg"; }
cd "$work/pg" || exit 99
$as_postgres "$postgres/initdb" -D data -A trust >"$work/initdb" 2>&1
cat >>data/postgresql.conf <<END
fsync = off
shared_buffers = 16MB
max_connections = 20
listen_addresses = ''
unix_socket_directories = '$work/pg'
END
BLACKBOXCTL="$as_postgres $work/bin/blackboxctl"
store=$work/pg/store
$BLACKBOXCTL record --dir "$store" --window all --set ring=1G -o "$work/pg/dump" -- \
	"$postgres/postgres" -D "$work/pg/data" >"$work/out" 2>"$work/err" </dev/null &
recorded=$!
remember $recorded
check "PostgreSQL: it answers" within 30 pg_answers
psql -c 'create database bench' postgres
check "PostgreSQL: a database is made" pgbench -i -s 1 -q
check "PostgreSQL: the load runs" pgbench -n -c 3 -t 100
check "PostgreSQL: a load that only reads runs" pgbench -n -S -c 6 -t 300
total=$(psql -c 'select sum(abalance) from pgbench_accounts' bench)
psql -c 'select pg_sleep(60)' bench >/dev/null 2>&1 &
sleeper=$!
backend_sleeps() { pid=$(psql -c "select pid from pg_stat_activity where query like '%pg_sleep%' and state = 'active' and pid <> pg_backend_pid()" bench) && [ -n "$pid" ]; }
check "PostgreSQL: a backend sleeps" within 10 backend_sleeps
kill -SEGV "$pid"
wait $sleeper
is "PostgreSQL: its client hears of it" $? 2
check "PostgreSQL: the others begin again" within 30 psql -c 'select 1' bench
is "PostgreSQL: nothing is lost" "$(psql -c 'select sum(abalance) from pgbench_accounts' bench)" "$total"
is "PostgreSQL: the window was frozen" "$(json "$store" '.trigger | "\(.kind) \(.signal_name)"')" "crash SIGSEGV"
is "PostgreSQL: for that backend" "$(json "$store" .trigger.pid)" "$pid"
crash=$(ls -d "$store"/incidents/*/)
kill -INT "$(head -n 1 data/postmaster.pid)"
wait $recorded
is "PostgreSQL: its exit status" $? 0
replay_checks() {
	# shellcheck disable=SC2086
	timeout 120 $BLACKBOXCTL replay --check "$2" >"$work/replay.out" 2>"$work/replay.err" </dev/null
	is "$1" $? 0 || tail -n 5 "$work/replay.err" | diag
	tail -n 1 "$work/replay.err" | diag
}
replay_checks "PostgreSQL: the crash replays, in every process" "$crash"
replay_checks "PostgreSQL: the whole run does" "$work/pg/dump"
cd /
done_testing
