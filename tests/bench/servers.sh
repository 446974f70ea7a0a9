# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Servers: a native one and a recorded one are alive all the while, and loaded in turn. The
# clients run natively and unpinned, on the same processors.

# -- redis

serve_redis() {	# PIPELINE
	serve redis-server --port "$(new_port)" --save '' --dir "$work"
	await redis-cli -p "$(port)" ping
	redis-benchmark -p "$(port)" -q -n 20000 -P "$1" -t set,get >/dev/null
}

redis_client() {	# PIPELINE REQUESTS
	measure_server redis redis-benchmark -p "$(port)" -c 50 -P "$1" -n "$2" -t set,get --csv
}

# As many requests as the native server answers in the time, half of them SET and half GET: the
# recorded one gets as many.
redis_requests() {	# PIPELINE
	how=native
	redis-benchmark -p "$(port)" -c 50 -P "$1" -n 20000 -t set --csv |
		awk -F'"' -v seconds="$seconds" '/^"SET"/ { printf "%d\n", $4 * seconds / 2 + 1000 }'
}

compare_redis() {	# PIPELINE
	both serve_redis "$1"
	alternate redis_client "$1" "$(redis_requests "$1")"
}

load_redis() {
	row rate op/s request "redis -c 50"
	compare_redis 1
}

load_redis_pipeline() {
	row rate op/s request "redis -c 50 -P 16"
	compare_redis 16
}

# -- memcached

serve_memcached() {
	user=
	[ "$(id -u)" != 0 ] || user="-u nobody"
	# shellcheck disable=SC2086
	serve memcached $user -l 127.0.0.1 -p "$(new_port)" -U 0 -t 4
	await "$build/tests/programs/mcload" "$(port)" 8 1
}

memcached_client() {
	measure_server mcload "$build/tests/programs/mcload" "$(port)" 8 "$seconds"
}

load_memcached() {
	row rate op/s request "memcached -t 4"
	make -s -C "$build" tests/programs/mcload
	both serve_memcached
	alternate memcached_client
	watched serve_memcached
	watched memcached_client
}

# -- HTTP

nginx_config() {	# PORT WORKERS DIRECTORY
	cat <<END
daemon off; worker_processes $2; pid $3/pid; error_log $3/errors;
events { worker_connections 256; }
http { access_log off; client_body_temp_path $3/1; proxy_temp_path $3/2;
	fastcgi_temp_path $3/3; uwsgi_temp_path $3/4; scgi_temp_path $3/5;
	server { listen 127.0.0.1:$1; root $work/html; } }
END
}

apache_config() {	# PORT - DIRECTORY
	apache_prefork "$3" "$1" "$work/html" 4
	echo KeepAlive Off
}

serve_http() {	# CONFIGURATION WORKERS COMMAND...: with a configuration's name behind it
	mkdir "$work/$how"
	"$1" "$(new_port)" "$2" "$work/$how" >"$work/$how.conf"
	shift 2
	serve "$@" "$work/$how.conf"
	await wrk -t 1 -c 10 -d 1s "http://127.0.0.1:$(port)/"
}

http_client() {
	measure_server wrk wrk -t 1 -c 50 -d "${seconds}s" "http://127.0.0.1:$(port)/"
}

compare_http() {	# as serve_http
	mkdir "$work/html"
	head -c 612 /dev/zero | tr '\0' x >"$work/html/index.html"
	both serve_http "$@"
	alternate http_client
	[ "$2" != 1 ] || return 0	# it runs alone
	watched serve_http "$@"
	watched http_client
}

load_nginx() {
	row rate op/s request "nginx, 1 worker"
	compare_http nginx_config 1 nginx -c
}

load_nginx_workers() {
	row rate op/s request "nginx, 2 workers"
	compare_http nginx_config 2 nginx -c
}

load_apache() {
	row rate op/s request "Apache, 4 processes"
	compare_http apache_config - apache2 -DFOREGROUND -f
}

# -- PostgreSQL: the native one has one processor, as the recorded one's memory is shared

serve_postgres() {
	at=$work/$how
	$as_user mkdir "$at"
	$as_user "$bin/initdb" -D "$at/data" -A trust -N >"$work/initdb.log" 2>&1
	cat >>"$at/data/postgresql.conf" <<END
fsync = off
shared_buffers = 32MB
max_connections = 30
listen_addresses = ''
unix_socket_directories = '$at'
END
	serve "$bin/postgres" -D "$at/data"
	await $as_user "$bin/pg_isready" -h "$at"
	$as_user "$bin/createdb" -h "$at" bench
	$as_user "$bin/pgbench" -h "$at" -i -s 2 -q bench >"$work/pgbench.log" 2>&1
	$as_user "$bin/pgbench" -n -S -T 1 -h "$at" bench >"$work/pgbench.log" 2>&1
}

pgbench_client() {	# OPTION CLIENTS
	# shellcheck disable=SC2086
	measure_server pgbench $as_user "$bin/pgbench" -n $1 -c "$2" -T "$seconds" -h "$work/$how" bench
}

compare_postgres() {	# OPTION CLIENTS
	bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
	native_prefix=$on_one_cpu
	if [ "$(id -u)" = 0 ]; then	# as which PostgreSQL doesn't run
		as_user="setpriv --reuid=postgres --regid=postgres --clear-groups"
		chown postgres "$work"
	fi
	cd "$work"
	both serve_postgres
	alternate pgbench_client "$1" "$2"
	watched serve_postgres
	watched pgbench_client "$1" "$2"
}

load_postgresql() {
	row rate op/s transaction "PostgreSQL -S -c 8"
	compare_postgres -S 8
}

load_postgresql_write() {
	row rate op/s transaction "PostgreSQL -c 4"
	compare_postgres "" 4
}
