#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# HTTP servers of runtimes that collect garbage, make code and have threads of their own, under
# load: frozen while they serve, and crashed while they do.

. "$(dirname "$0")/lib.sh"
need ab jq

answers() { ab -q -n 1 "http://127.0.0.1:$port/"; }
load() { ab -q -l -t "$1" -n 1000000 -c 8 "http://127.0.0.1:$port/" >"$work/load.out" 2>&1; }
frozen() { [ "$(n_incidents "$work/store")" -ge "$1" ]; }

# server NAME FREEZE-SIGNAL CRASH-SIGNAL COMMAND...: that is what it dies of if it gets a SIGSEGV
server()
{
	name=$1 freeze=$2 crash=$3
	shift 3
	rm -rf "$work"/store* "$work/dump"
	start_recorded "$work/store" --window all --ring 1G --freeze-signal "$freeze" -o "$work/dump" -- "$@"
	check "$name: it answers" within 30 answers || return
	load 2 &
	loading=$!
	remember $loading
	sleep 0.5
	kill -"$freeze" "$(service_of $recorded)"
	check "$name: it was frozen" within 10 frozen 1
	wait $loading
	is "$name: every request was answered" $? 0
	load 60 &
	remember $!
	sleep 0.5
	kill -SEGV "$(service_of $recorded)"
	wait $recorded
	is "$name: it dies" "$(kill -l $?)" "$crash"
	is "$name: the incidents are of both" \
		"$(cat "$work"/store/incidents/*/incident.json | jq -r '.trigger | "\(.kind) \(.signal_name)"' | tr '\n' ' ')" \
		"freeze-signal SIG$freeze crash SIG$crash "
	for incident in "$work"/store/incidents/*/; do
		replay_checks "$name: it replays ($(jq -r .trigger.kind "$incident/incident.json"))" "$incident" ||
			notes "$work/store"
		tail -n 1 "$work/replay.err" | diag
	done
	check "$name: its dump does" [ -s "$work/dump" ]
}

ulimit -S -c 0
cd "$work" || exit 99

# -- Go

cat >server.go <<'END'
package main

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

var count int64

func main() {
	signal.Ignore(syscall.SIGHUP)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n := atomic.AddInt64(&count, 1)
		fmt.Fprintf(w, "%d %x\n", n, sha256.Sum256(make([]byte, 1000+n)))
	})
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
END
if command -v go >/dev/null; then
	check "Go: its compiler" env HOME="$work" GOCACHE="$work/cache" go build -o server-go server.go
	port=$(free_port 1)
	server Go HUP ABRT env GOTRACEBACK=crash ./server-go "$port"
else
	skip Go "go is not installed"
fi

# -- Node

cat >server.js <<'END'
const http = require("http"), crypto = require("crypto");
let count = 0;

process.on("SIGHUP", () => {});
http.createServer((request, response) => {
	count++;
	response.end(count + " " + crypto.createHash("sha256").update(Buffer.alloc(1000 + count)).digest("hex") + "\n");
}).listen(Number(process.argv[2]), "127.0.0.1");
END
if command -v node >/dev/null; then
	port=$(free_port 2)
	server Node HUP SEGV node server.js "$port"
else
	skip Node "node is not installed"
fi

# -- Java

cat >Server.java <<'END'
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

class Server {
	static byte[] answer(int n) {
		try {
			byte[] hash = MessageDigest.getInstance("SHA-256").digest(new byte[1000 + n]);

			return (n + " " + HexFormat.of().formatHex(hash) + "\n").getBytes();
		} catch (Exception e) {
			throw new RuntimeException(e);
		}
	}

	public static void main(String[] arguments) throws Exception {
		HttpServer server = HttpServer.create(
			new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
		AtomicInteger count = new AtomicInteger();

		server.setExecutor(Executors.newFixedThreadPool(4));
		server.createContext("/", exchange -> {
			byte[] answer = answer(count.incrementAndGet());

			exchange.sendResponseHeaders(200, answer.length);
			exchange.getResponseBody().write(answer);
			exchange.close();
		});
		server.start();
	}
}
END
if command -v javac >/dev/null; then
	check "Java: its compiler" javac -d . Server.java
	port=$(free_port 3)
	# SIGQUIT: it shows its threads, and goes on.
	server Java QUIT ABRT java -XX:ErrorFile="$work/hs_err" -cp . Server "$port"
else
	skip Java "javac is not installed"
fi
done_testing
