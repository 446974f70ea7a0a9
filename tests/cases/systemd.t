#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Real systemd, in a container: redis-server.service, hardened as Debian ships it, goes
# from `enable' over a crash to `replay --check'. The container's tree is made once, below
# the build directory, and used again; what a run changes in it is thrown away.
# shellcheck disable=SC2317 # functions are called by name

. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "only root can run systemd in a container"
need jq debootstrap systemd-nspawn nsenter

packages=systemd,systemd-sysv,dbus,redis-server,redis-tools,libsystemd0,libyaml-0-2,liburing2
packages=$packages,libxxhash0,libjson-c5,libarchive13,libseccomp2,libzydis4.0,libzstd1
tree=$top_builddir/tests/cache/systemd-tree
message_id=a147d2fd66f0470fbbbfa180ebc7d394

# -- a container ----------------------------------------------------------------------------

make_tree()
{
	[ -e "$tree.made" ] && [ "$(cat "$tree.made")" = "$packages" ] && return
	rm -rf "$tree" "$tree.made"
	mkdir -p "$tree" || return
	# From where this machine has its own packages; else debootstrap knows a place.
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' \
		'Created-By: Packages' 'Component: main' 2>/dev/null | head -n 1)
	debootstrap --variant=minbase --include="$packages" bookworm "$tree" ${mirror:+"$mirror"} \
		>"$work/debootstrap.log" 2>&1 || {
		tail -n 5 "$work/debootstrap.log" | diag
		return 1
	}
	echo "$packages" >"$tree.made"
}

install_blackbox()
{
	make -s -C "$top_builddir" install DESTDIR="$tree" >"$work/install.log" 2>&1
}

# Its own network, so that its redis has the usual port.
boot()
{
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_SECCOMP=0 systemd-nspawn -q -D "$tree" --ephemeral \
		--machine="blackbox-$$" --register=no --keep-unit --private-network -b \
		--console=pipe --capability=all >"$work/console" 2>&1 </dev/null &
	nspawn=$!
	within 20 pgrep -P $nspawn || return
	init=$(pgrep -P $nspawn)
	within 60 sh -c "nsenter -t $init -a systemctl is-system-running | grep -qE 'running|degraded'"
}

# nspawn ends with its init, and removes the copy of the tree.
stop()
{
	[ -n "$init" ] && kill -KILL "$init" 2>/dev/null
	[ -n "$nspawn" ] && wait "$nspawn" 2>/dev/null
	cleanup
}
init='' nspawn=''
trap stop EXIT

inside() { nsenter -t "$init" -a env PATH="$(dirname "$ctl_path"):$PATH" "$@"; }
ctl() { inside "$ctl_path" "$@"; }
journal() { inside journalctl --no-pager -q "$@"; }
main_pid() { inside systemctl show -p MainPID --value redis-server; }
command_of_unit() { inside systemctl show -p ExecStart --value redis-server | sed 's/ ; start_time.*//'; }
answers() { [ "$(inside redis-cli ping)" = PONG ]; }
# json FILTER [OPTION...] <JSON: it holds; nothing is null, for which nothing holds
json() { filter=$1; shift; jq -e -s "$@" ".[0] | ($filter)"; }
state() { ctl status --json redis-server | json '.[0].state == $s' --arg s "$1"; }
said() { inside journalctl --no-pager -q -u redis-server -o cat | grep -q "$1"; }

check "the container's tree is made" make_tree || { done_testing; exit; }
check "blackbox is installed in it" install_blackbox
ctl_path=$(cd "$tree" && find usr -name blackboxctl -path '*/bin/*' | head -n 1)
ctl_path=/$ctl_path
check "it boots" boot || { diag <"$work/console"; done_testing; exit; }

# -- enable, with nobody to record --------------------------------------------------------------

inside sh -c 'echo "enable-debug-command yes" >>/etc/redis/redis.conf'
# Not the first processor, which a replay would begin on by itself.
inside mkdir -p /etc/systemd/system/redis-server.service.d
inside sh -c 'cat >/etc/systemd/system/redis-server.service.d/10-cpu.conf' <<END
[Service]
CPUAffinity=$(($(nproc --all) - 1))
END
inside systemd-sysusers
inside journalctl --update-catalog
inside systemctl daemon-reload
plain=$(command_of_unit)
check "enable" ctl enable redis-server
check "... by an alias, once more" ctl enable redis.service
check "the group is there" inside getent group blackbox
check "without blackboxd the unit starts" inside systemctl restart redis-server
check "... and serves" within 10 answers
check "... and says so in the journal" \
	within 5 said "redis-server.service starts unrecorded: blackboxd isn.t running"
named() { journal -o cat SYSLOG_IDENTIFIER=redis-server | grep -q 'starts unrecorded'; }
check "... under the service's own name" named

# -- recorded ---------------------------------------------------------------------------------------

check "blackboxd starts" inside systemctl start blackboxd
check "the unit starts under recording" inside systemctl restart redis-server
check "... and serves" within 10 answers
check "it is recorded" within 10 state recording
pid=$(main_pid)
ctl status --json redis-server >"$work/status.json"
is_main() { json '.[0].pid == $pid' --argjson pid "$pid" <"$work/status.json"; }
check "systemd's main process is the one that is recorded" is_main
is_redis() { inside cat "/proc/$pid/cmdline" | tr '\0' ' ' | grep -q '^/usr/bin/redis-server '; }
check "... and it is redis, not the launcher" is_redis
check "nobody traces it" inside grep -q '^TracerPid:[[:space:]]*0$' "/proc/$pid/status"
check "its filters are in force" inside grep -q '^Seccomp:[[:space:]]*2$' "/proc/$pid/status"
check "load" inside redis-benchmark -q -n 30000 -t set,get -P 4

# -- the daemon comes and goes --------------------------------------------------------------------------

inside systemctl kill --kill-whom=main -s KILL blackboxd
check "kill -9 of blackboxd: the service serves" within 5 answers
check "... as the same process" test "$(main_pid)" = "$pid"
within 10 inside systemctl is-active blackboxd
check "the next blackboxd hears its recorder" within 10 state recording

# -- the crash -----------------------------------------------------------------------------------------------

check "load goes on" inside redis-benchmark -q -n 20000 -t set,get
inside redis-cli debug segfault >/dev/null 2>&1
incident() { journal -o json MESSAGE_ID=$message_id >"$work/entry" && [ -s "$work/entry" ]; }
check "the crash is in the journal" within 20 incident
is_entry()
{
	[ "$(wc -l <"$work/entry")" -eq 1 ] && json '.UNIT == "redis-server.service" and
		.SERVICE == "redis-server" and .TRIGGER == "crash" and .SIGNAL == "SIGSEGV" and
		.PID == $pid and (.INCIDENT | test("redis-server"))' --arg pid "$pid" <"$work/entry"
}
check "... as one entry, with what it is about" is_entry
check "... which is shown with the unit's" said '^Incident .*SIGSEGV'
explained() { journal -x MESSAGE_ID=$message_id | grep -q 'blackboxctl replay'; }
check "... and explained" explained
check "systemd saw the death as it was" said 'code=\(killed\|dumped\), status=11/SEGV'
check "systemd starts it again" within 20 answers
check "... recorded" within 10 state recording
id=$(jq -r .INCIDENT "$work/entry")
ctl info --json "$id" >"$work/info.json"
is_info()
{
	json '.service == "redis-server" and .trigger.signal == 11 and .events > 10000' <"$work/info.json"
}
check "info" is_info
check "replay --check" inside timeout 120 "$ctl_path" replay --check "$id"
check "dump" ctl dump "$id" -o /root/crash.dump
inside cat /root/crash.dump >"$work/crash.dump"
replay_checks "the dump replays outside" "$work/crash.dump"

# -- commands that are hard to write ----------------------------------------------------------

# What a command gets: each argument and a variable of its environment, a line each.
inside sh -c 'cat >/usr/local/bin/tell && chmod +x /usr/local/bin/tell' <<'END'
#!/bin/sh
echo "$0" >/run/told
printf '<%s>\n' "$@" "$OF_ITS_OWN" >>/run/told
END
# told COMMAND-LINE: what it tells, natively and enabled
told()
{
	inside sh -c 'cat >/etc/systemd/system/odd.service' <<END
[Service]
Type=oneshot
Environment="OF_ITS_OWN=a b" WORD=w
ExecStart=$1
END
	inside systemctl daemon-reload
	inside rm -f /run/told
	inside systemctl start odd
	inside cat /run/told >"$work/native"
	inside rm -f /run/told
	ctl enable odd && inside systemctl start odd || return
	inside cat /run/told >"$work/enabled"
	ctl disable odd
	[ -s "$work/native" ] && diff "$work/native" "$work/enabled"
}
check "words, quotes and escapes" told '/usr/local/bin/tell one "two  words" '"'"'it"s'"'"' \x41 "a\tb\\c" "" ; '
check "specifiers and signs of percent" told '/usr/local/bin/tell %n %% 100%% "%%n"'
check "variables" told '/usr/local/bin/tell $WORD ${OF_ITS_OWN} $OF_ITS_OWN $$WORD "$OF_ITS_OWN" $NONE x${WORD}y'
check "no variables" told ':/usr/local/bin/tell $WORD ${OF_ITS_OWN} $$WORD'
check "another name" told '@/bin/bash other-name /usr/local/bin/tell x'
check "prefixes" told '-+/usr/local/bin/tell x "-y" --'

# -- units' filters --------------------------------------------------------------------------------

# filtered NAME SETTING...: starts under those, makes children, crashes; the crash replays
filtered()
{
	name=$1
	shift
	{
		echo '[Service]'
		echo 'ExecStart=/bin/sh -c "for i in 1 2 3; do cat /proc/self/status | grep -c Seccomp; done; kill -SEGV $$$$"'
		printf '%s\n' "$@"
	} >"$work/unit"
	inside sh -c "cat >/etc/systemd/system/$name.service" <"$work/unit"
	inside systemctl daemon-reload
	ctl enable "$name" && inside systemctl start "$name" || return
	crashed() { id=$(journal -o json MESSAGE_ID=$message_id SERVICE="$name" | jq -r .INCIDENT) && [ -n "$id" ]; }
	within 20 crashed && inside timeout 120 "$ctl_path" replay --check "$id" >"$work/out" 2>&1
	r=$?
	[ $r -eq 0 ] || cat "$work/out"
	ctl disable "$name"
	return $r
}
check "SystemCallFilter= of what services do, the rest kills" \
	filtered kills SystemCallFilter=@system-service
check "SystemCallFilter= without privileges and resources, with an error" \
	filtered fails SystemCallFilter=@system-service 'SystemCallFilter=~@privileged @resources' \
	SystemCallErrorNumber=EPERM
check "all that hardens by filters" \
	filtered hard 'SystemCallFilter=~@mount @swap @reboot @raw-io @module @debug @cpu-emulation @obsolete @clock' \
	SystemCallArchitectures=native MemoryDenyWriteExecute=yes RestrictRealtime=yes \
	RestrictSUIDSGID=yes RestrictNamespaces=yes LockPersonality=yes ProtectClock=yes \
	ProtectHostname=yes ProtectKernelLogs=yes ProtectKernelModules=yes NoNewPrivileges=yes

inside sh -c 'cat >/etc/systemd/system/odd.service' <<'END'
[Service]
ExecStart=/bin/sleep 1000
RestrictAddressFamilies=AF_INET
END
inside systemctl daemon-reload
forbidden() { ! ctl enable odd 2>"$work/err" && grep -q 'RestrictAddressFamilies= lacks AF_UNIX' "$work/err"; }
check "a unit whose filters the launcher can't pass is refused" forbidden
unknown() { ctl enable no-such-unit 2>"$work/err"; [ $? -eq 2 ] && grep -q no-such-unit "$work/err"; }
check "a unit that isn't there is bad input" unknown

# -- disable -----------------------------------------------------------------------------------------------------

check "disable" ctl disable redis-server
check "the unit's command is as it was" test "$(command_of_unit)" = "$plain"
inside systemctl restart redis-server
check "it serves, unrecorded" within 10 answers
check "... as blackboxd knows" within 10 state ended

done_testing
