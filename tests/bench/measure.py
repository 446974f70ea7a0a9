# SPDX-License-Identifier: LGPL-2.1-or-later
"""One measurement of the benchmark: a line of JSON on standard output.

  measure.py [--store DIR] server --client NAME PID COMMAND...
        COMMAND loads the server PID (or the blackboxctl PID that records it); its output says
        how many operations there were.
  measure.py [--store DIR] program [--ops N] [--times N] COMMAND...
        COMMAND, N times, is what is measured; each time it does so many operations.
  measure.py [--store DIR] value COMMAND...
        COMMAND measures by itself and prints a number.
  measure.py watch --ctl CTL --socket SOCKET -- [COMMAND...]
        What the status of blackboxd's one service says while COMMAND runs, or without one until
        the service has ended: the longest waits.
  measure.py stop PID...
        Ends servers and all of their processes.

With --store the command, or the server, is recorded there, and what its recorder took is
measured as well. Processor time is user and system time: of a server's processes, and of the
children that they waited for, while the load lasted; of a program with its children, and
blackboxctl, from start to end. The recorder's is its own and its injector's, and is part of
the program's where that is too short for the recorder to be looked at. The log is what was
added to the files live/*/log.* of the store, compressed as they are; snapshots are the files
live/*/snap.*.
"""
import argparse
import collections
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")
# The last chunk of a log is written after half a second at the latest, and who served a
# client that is gone has been waited for.
SETTLE_S = 0.8
# A recorder that ends with its program is looked at so often until then.
POLL_S = 0.03
# Seldom, as it takes longer: for other processes, and for the files of the store.
LONG_POLLS = 20
# A program that takes less isn't there for long enough.
SHORT_S = 0.5

Task = collections.namedtuple("Task", "parent name state own reaped")


def task(pid):
    """None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            head, tail = f.read().rsplit(")", 1)
    except OSError:
        return None
    field = tail.split()
    own, reaped = ((int(field[i]) + int(field[i + 1])) / TICK for i in (11, 13))
    return Task(int(field[1]), head.split("(", 1)[1], field[0], own, reaped)


def tasks():
    found = {int(pid): task(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    return {pid: t for pid, t in found.items() if t}


def tree(of, root):
    """The process and all below it."""
    pids = [root]
    for pid in pids:
        pids += [p for p, task in of.items() if task.parent == pid]
    return [p for p in pids if p in of]


def recorder_of(of, ctl):
    return next((p for p, t in of.items() if t.parent == ctl and t.name == "blackbox-record"), None)


def cpu_of(of, pids):
    """Seconds, of those that are there."""
    return sum(own_cpu(p, of[p]) + of[p].reaped for p in pids if of.get(p))


def own_cpu(pid, known):
    try:
        return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) has it; finer than ticks
    except OSError:
        return known.own


class Store:
    """Adds up the store's files, those too that the ring has dropped meanwhile."""

    def __init__(self, path):
        self.live = os.path.join(path, "live")
        self.sizes = {}
        self.gone = collections.Counter()
        self.lock = threading.Lock()

    def poll(self):
        with self.lock:
            for domain, _, names in os.walk(self.live):
                for name in names:
                    self.note(os.path.join(domain, name), name.split(".")[0])

    def note(self, path, kind):
        try:
            st = os.stat(path)
        except OSError:
            return
        inode, size = self.sizes.get(path, (st.st_ino, 0))
        if inode != st.st_ino or st.st_size < size:  # its name is used again
            self.gone[kind] += size
        self.sizes[path] = (st.st_ino, st.st_size)

    def bytes(self, kind):
        return self.gone[kind] + sum(size for path, (_, size) in self.sizes.items()
                                     if os.path.basename(path).startswith(kind + "."))


class Recorder:
    """What the recorder below blackboxctl takes."""

    def __init__(self, store, ctl=None):
        self.store = Store(store)
        self.done = threading.Event()
        self.pids = []
        self.cpu = self.ended_cpu = 0.0
        self.peak_kb = self.n_polls = 0
        self.store.poll()
        self.log, self.snapshots = self.store.bytes("log"), self.store.bytes("snap")
        self.ctl = ctl
        if ctl:
            self.poll()
            if not self.pids:
                raise SystemExit("the server isn't recorded")
        self.cpu_before = self.cpu

    def follow(self, ctl):
        self.ended_cpu += self.cpu
        self.ctl, self.pids, self.cpu = ctl, [], 0.0

    def poll(self):
        self.n_polls += 1
        if not self.pids or self.n_polls % LONG_POLLS == 0:
            of = tasks()
            found = recorder_of(of, self.ctl)
            self.pids = tree(of, found) if found else self.pids
            self.store.poll()
        of = {pid: task(pid) for pid in self.pids}
        self.cpu = max(self.cpu, cpu_of(of, self.pids))
        if self.pids:
            self.poll_memory(self.pids[0])

    def poll_memory(self, pid):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                found = re.search(r"VmHWM:\s*(\d+)", f.read())
        except OSError:
            return
        if found:
            self.peak_kb = max(self.peak_kb, int(found[1]))

    def watch(self):
        while not self.done.wait(POLL_S):
            if self.ctl:
                self.poll()

    def start(self):
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def end(self, short=False):
        """Of what is over at once the log may be, too, before anybody has looked at it."""
        self.done.set()
        self.thread.join()
        self.store.poll()
        log = self.store.bytes("log") - self.log
        if log <= 0 and not short:
            raise SystemExit("nothing was recorded")
        return {"recorder_cpu_s": self.ended_cpu + self.cpu - self.cpu_before,
                "recorder_peak_kb": self.peak_kb, "log_bytes": log,
                "snapshot_bytes": self.store.bytes("snap") - self.snapshots}


def output_of(command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         stdin=subprocess.DEVNULL, check=False)
    if run.returncode:
        raise SystemExit(f"{run.stdout[-2000:]}\n{command[0]}: exit status {run.returncode}")
    return run.stdout


# Of each client's output: operations, and the seconds that they took.

def count_redis(text, args):
    n = int(args.command[args.command.index("-n") + 1])
    rates = [float(rate) for rate in re.findall(r'^"(?:SET|GET)","([\d.]+)"', text, re.M)]
    return n * len(rates), sum(n / rate for rate in rates)


def count_wrk(text, _args):
    found = re.search(r"(\d+) requests in ([\d.]+)s", text)
    if "Non-2xx" in text or re.search("Socket errors: (?!connect 0, read 0, write 0)", text):
        raise SystemExit(text)
    return int(found[1]), float(found[2])


def count_pgbench(text, _args):
    n = int(re.search(r"transactions actually processed: (\d+)", text)[1])
    return n, n / float(re.search(r"^tps = ([\d.]+)", text, re.M)[1])


def count_mcload(text, args):
    return int(re.match(r"(\d+) operations$", text)[1]), float(args.command[-1])


def measure_server(args):
    def cpu():
        of = tasks()
        skip = set(tree(of, recorder_of(of, args.pid)) + [args.pid]) if args.store else set()
        return cpu_of(of, [p for p in tree(of, args.pid) if p not in skip])

    recorder = Recorder(args.store, args.pid) if args.store else None
    if recorder:
        recorder.start()
    before = cpu()
    text = output_of(args.command)
    time.sleep(SETTLE_S)
    after = cpu()
    try:
        ops, seconds = globals()["count_" + args.client](text, args)
    except (TypeError, ZeroDivisionError):
        raise SystemExit(f"{args.client} said what isn't understood:\n{text}") from None
    row = {"ops": ops, "seconds": seconds, "cpu_s": after - before}
    if recorder:
        row.update(recorder.end())
    return row


def adopt_orphans():
    """A recorder and its injector may end after their blackboxctl."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1)


def cpu_of_orphans():
    """Waits for all that is left."""
    seconds = 0.0
    while True:
        try:
            usage = os.wait4(-1, 0)[2]
        except ChildProcessError:
            return seconds
        seconds += usage.ru_utime + usage.ru_stime


def run_once(command, recorder):
    """Returns seconds, and processor time of it and all that it waited for, or has left."""
    begin = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        if recorder:
            recorder.follow(run.pid)
        _, status, usage = os.wait4(run.pid, 0)
        seconds = time.monotonic() - begin
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise SystemExit(f"{command[0]}: exit status {run.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime + cpu_of_orphans()


def measure_program(args):
    adopt_orphans()
    recorder = Recorder(args.store) if args.store else None
    row = {"ops": args.ops * args.times, "seconds": 0.0, "cpu_s": 0.0}
    if recorder:
        recorder.start()
    for _ in range(args.times):
        seconds, cpu = run_once(args.command, recorder)
        row["seconds"] += seconds
        row["cpu_s"] += cpu
        if recorder:
            recorder.store.poll()
    if recorder:
        row.update(recorder.end(row["seconds"] < SHORT_S * args.times))
        if row["seconds"] < SHORT_S * args.times:
            # So short a one isn't seen: its time is in that of all processes, its log perhaps nowhere.
            del row["recorder_cpu_s"], row["recorder_peak_kb"]
            if not row["log_bytes"]:
                del row["log_bytes"]
        else:
            row["cpu_s"] -= row["recorder_cpu_s"]
    return row


def measure_value(args):
    recorder = Recorder(args.store) if args.store else None
    if recorder:
        recorder.start()
    value = float(output_of(args.command))
    if recorder:
        recorder.end(short=True)
    return {"value": value}


WAITS = ("longest_wait_ms", "longest_turn_wait_ms")
# A service that has ended has waited for nothing, says its status.
WATCH_S = 0.1


def measure_watch(args):
    longest = dict.fromkeys(WAITS, 0.0)

    def ends():
        row = json.loads(output_of([args.ctl, "status", "--socket", args.socket, "--json"]))[0]
        if row["state"] == "native":
            raise SystemExit(f"it runs unrecorded: {row['why']}")
        for key in WAITS:
            longest[key] = max(longest[key], row.get(key, 0.0))
        return row["state"] == "ended"

    command = [word for word in args.command if word != "--"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL) if command else None
    while not (ends() or (run and run.poll() is not None)):
        time.sleep(WATCH_S)
    if run and run.wait():
        raise SystemExit(f"{command[0]}: exit status {run.returncode}")
    ends()
    return longest


def stop(args):
    of = tasks()
    pids = {p for root in args.command for p in tree(of, int(root))}
    for root in args.command:
        kill(int(root), signal.SIGTERM)
    for _ in range(100):
        of = tasks()
        if not any(p in of and of[p].state != "Z" for p in pids):
            return
        time.sleep(0.1)
    for pid in pids:
        kill(pid, signal.SIGKILL)


def kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--store")
    kinds = parser.add_subparsers(dest="kind", required=True)
    server = kinds.add_parser("server")
    server.add_argument("--client", required=True)
    server.add_argument("pid", type=int)
    program = kinds.add_parser("program")
    program.add_argument("--ops", type=int, default=1)
    program.add_argument("--times", type=int, default=1)
    watch = kinds.add_parser("watch")
    for option in "--ctl", "--socket":
        watch.add_argument(option, required=True)
    for sub in server, program, watch, kinds.add_parser("value"), kinds.add_parser("stop"):
        sub.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    if args.kind == "stop":
        stop(args)
    else:
        json.dump(globals()["measure_" + args.kind](args), sys.stdout)
        print()


main()
