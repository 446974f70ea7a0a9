# SPDX-License-Identifier: LGPL-2.1-or-later
"""Samples what blackboxd, its recorder and its injector take, and says what grows."""
import argparse
import json
import os
import platform
import statistics
import sys
import time

from report import cpu_model, number

OURS = {"blackboxd": "daemon", "blackbox-record": "recorder", "blackbox-inject": "injector"}
MB = 1 << 20
# What a series may rise by and is flat nevertheless: this share of it, or so much.
SHARE = 0.1
LEAST = {"MB": 1.0, "": 1.0}
# A walk of the store isn't an instant: a file may go and another come meanwhile.
WALKS = 5


def disk_bytes(path):
    """As du has it: each inode once."""
    seen, total, todo = set(), 0, [path]
    while todo:
        here = todo.pop()
        try:
            st = os.lstat(here)
            if (st.st_dev, st.st_ino) in seen:
                continue
            seen.add((st.st_dev, st.st_ino))
            total += 512 * st.st_blocks
            if not os.path.isfile(here):
                todo += [os.path.join(here, name) for name in os.listdir(here)]
        except OSError:
            continue
    return total


def disk_use(path, bound):
    return min(disk_bytes(path) for _ in range(WALKS)) if (once := disk_bytes(path)) > bound else once


def stat_of(pid):
    """Its parent, name and state."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        head, tail = f.read().rsplit(")", 1)
    fields = tail.split()
    return int(fields[1]), head.split("(", 1)[1], fields[0]


def processes():
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found[int(pid)] = stat_of(pid)
        except OSError:
            pass
    return found


def tree(of, root):
    pids = [root]
    for pid in pids:
        pids += [p for p, (parent, _, _) in of.items() if parent == pid]
    return pids


def memory_mb(pid):
    with open(f"/proc/{pid}/statm", encoding="utf-8") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


def sample(daemon, store, bound):
    """A dictionary of what there is now. A process that has just been forked isn't ours yet."""
    of = processes()
    row = {"disk, MB": disk_use(store, bound) / MB, "zombies": 0}
    counts = dict.fromkeys(OURS.values(), 0)
    for pid in tree(of, daemon):
        _, name, state = of.get(pid, (0, "", ""))
        if state == "Z":
            row["zombies"] += 1
        elif name in OURS:
            kind = OURS[name]
            try:
                values = {"memory, MB": memory_mb(pid), "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
                          "threads": len(os.listdir(f"/proc/{pid}/task"))}
            except OSError:
                continue
            counts[kind] += 1
            for what, value in values.items():
                row[f"{kind} {what}"] = row.get(f"{kind} {what}", 0) + value
    row.update({f"{kind} processes": n for kind, n in counts.items()})
    return row


def follow(args, bound):
    rows, begin = [], time.monotonic()
    while (now := time.monotonic() - begin) < args.seconds:
        rows.append((round(now, 2), sample(args.pid, args.store, bound)))
        time.sleep(max(0, begin + len(rows) - time.monotonic()))
    return rows


def slope(points):
    """Of the line through them by least squares, per second."""
    if len(points) < 2:
        return 0.0
    return statistics.linear_regression(*zip(*points)).slope


def judge(name, points, cycle, seconds):
    values = [value for _, value in points]
    cycles = {}
    for t, v in points:
        if t >= seconds / 4:
            cycles.setdefault(int(t // cycle), []).append((t, v))
    floor = [(cycle * n, min(v for _, v in of)) for n, of in cycles.items() if len(of) > cycle / 2]
    per_second = slope(floor)
    rise = per_second * (floor[-1][0] - floor[0][0]) if floor else 0.0
    middle = statistics.median(v for _, v in floor) if floor else 0.0
    least = LEAST["MB" if name.endswith("MB") else ""]
    return {"first": values[0], "last": values[-1], "min": min(values), "max": max(values),
            "per_hour": 3600 * per_second, "rise": rise, "flat": rise < max(SHARE * middle, least)}


def series_of(rows):
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    return {name: [(t, row[name]) for t, row in rows if name in row] for name in sorted(names)}


def table(report):
    yield (f"{report['date']}, {report['cpu']}, {report['cpus']} processors, Linux {report['kernel']}")
    yield (f"{report['seconds'] / 60:.0f} minutes, a ring of {report['ring']}; cycles of {report['cycle']} s, half "
           "redis under load, half a shell that forks")
    yield ""
    yield f"{'':<24}{'first':>9}{'last':>9}{'smallest':>10}{'largest':>9}{'an hour':>10}"
    for name, of in report["series"].items():
        yield (f"{name:<24}{number(of['first']):>9}{number(of['last']):>9}{number(of['min']):>10}"
               f"{number(of['max']):>9}{of['per_hour']:>+10.2f}  {'flat' if of['flat'] else 'GROWS'}")


# -- the plot: a strip for each series

LEFT, WIDTH, STRIP, TOP = 190, 640, 56, 60


def strip(y, name, points, seconds, flat):
    top = max(value for _, value in points) or 1
    at = lambda t, v: f"{LEFT + WIDTH * t / seconds:.1f},{y + STRIP - 8 - (STRIP - 16) * v / top:.1f}"
    yield f'<text x="{LEFT - 8}" y="{y + STRIP / 2}" text-anchor="end">{name}</text>'
    yield f'<path d="M{LEFT} {y + STRIP - 8}H{LEFT + WIDTH}" stroke="#ccc"/>'
    yield (f'<polyline points="{" ".join(at(t, v) for t, v in points)}" fill="none" '
           f'stroke="{"#4878a8" if flat else "#c03028"}"/>')
    yield f'<text x="{LEFT + WIDTH + 8}" y="{y + 18}" fill="#555">{number(top)}</text>'


def svg(report, series):
    height = TOP + STRIP * len(series) + 40
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{height}" '
           f'font-family="sans-serif" font-size="13">')
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield f'<text x="{LEFT}" y="22" font-size="16">What recording holds on to</text>'
    yield (f'<text x="{LEFT}" y="42" fill="#555">each second of {report["seconds"] / 60:.0f} minutes; from 0 to the '
           'largest; red: grows</text>')
    for i, (name, points) in enumerate(series.items()):
        yield from strip(TOP + STRIP * i, name, points, report["seconds"], report["series"][name]["flat"])
    where = f"{report['date']}, {report['cpu']}, {report['cpus']} processors, Linux {report['kernel']}"
    yield f'<text x="20" y="{height - 14}" fill="#555" font-size="12">{where}</text>'
    yield "</svg>"


def size(text):
    return int(float(text.rstrip("KMG")) * {"K": 1 << 10, "M": MB, "G": 1 << 30}.get(text[-1], 1))


def main():
    parser = argparse.ArgumentParser()
    for option in "--pid", "--seconds", "--cycle":
        parser.add_argument(option, type=int, required=True)
    for option in "--store", "--ring", "--json", "--svg":
        parser.add_argument(option, required=True)
    args = parser.parse_args()
    bound = size(args.ring)
    rows = follow(args, bound)
    series = series_of(rows)
    report = {"date": time.strftime("%Y-%m-%d"), "cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)),
              "kernel": platform.release(), "seconds": args.seconds, "ring": args.ring, "cycle": args.cycle,
              "series": {name: judge(name, points, args.cycle, args.seconds) for name, points in series.items()},
              "samples": [{"s": t, **row} for t, row in rows]}
    print("\n".join(table(report)))
    with open(args.json, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    with open(args.svg, "w", encoding="utf-8") as f:
        f.write("\n".join(svg(report, series)) + "\n")
    wrong = [f"{name} grows" for name, of in report["series"].items() if not of["flat"]]
    if report["series"]["disk, MB"]["max"] * MB > bound:
        wrong.append("the store took more than its bound")
    if any(not row["recorder processes"] for _, row in rows[5:]):
        wrong.append("there was no recorder")
    print(f"\nall samples: {args.json}\nthe plot: {args.svg}")
    print("\n".join(wrong) or "nothing grows, and the bound holds")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
