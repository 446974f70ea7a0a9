# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tables, JSON and plot of the store's benchmark, of the lines that it has written."""
import argparse
import json
import os
import platform
import time
from xml.sax.saxutils import escape

from report import cpu_model, number, ranged, spread

MB = 1e6


def read(path):
    of = {}
    with open(path, encoding="utf-8") as f:
        for row in map(json.loads, f):
            of.setdefault(row["name"], []).append(row["of"])
    return of


def read_snapshots(path):
    """The rows of tests/bench/snapshots."""
    names = ("MB dirty method pages read written ms cpu-ms held pause fork most forked write child "
             "ring").split()
    with open(path, encoding="utf-8") as f:
        return [dict(zip(names, line.replace("%", "").split())) for line in f]


def rates(of):
    """Name, MB/s, and what a MB takes of the processor in ms where it is known."""
    for writer in "io_uring", "pwrite":
        rows = of["append " + writer]
        # Where there is no io_uring the store says so itself.
        yield (f"append, by {rows[0]['writer']}", "log", [row["raw_bytes"] / row["seconds"] / MB for row in rows],
               [1e3 * row["cpu_s"] / row["raw_bytes"] * MB for row in rows])
    for name, rows in of.items():
        if name.startswith("zstd "):
            block = name.split()[1]
            piece = "in one piece" if block == "all" else f"in pieces of {int(block) / 1000:.0f} kB"
            yield f"zstd -1 alone, {piece}", "log", [row["mb_s"] for row in rows], None
    yield ("append, by io_uring", "disk", [row["stored_bytes"] / row["seconds"] / MB for row in of["append io_uring"]],
           None)
    yield "the disk alone (fio)", "disk", [row["bytes_s"] / MB for row in of["disk"]], None
    for verb in "dump", "verify":
        yield (f"{verb} of an incident", "disk", [row["bytes"] / row[verb + "_s"] / MB for row in of["read"]],
               [1e3 * row[verb + "_cpu_s"] / row["bytes"] * MB for row in of["read"]])


def summary(of):
    freezes = of["freeze"][0]
    return {"rates": [{"name": name, "of": what, "mb_s": spread(values), **({"cpu_ms_mb": spread(cpu)} if cpu else {})}
                      for name, what, values, cpu in rates(of)],
            "ratio": [row["raw_bytes"] / row["stored_bytes"] for row in of["append io_uring"]][0],
            "freeze_ms": spread([1e3 * row["seconds"] for row in freezes])}


def text(report):
    yield f"{report['date']}, {report['cpu']}, {report['cpus']} processors, Linux {report['kernel']}"
    yield (f"medians (smallest..largest) of {report['times']}; the log of a redis under load, packed as it "
           f"comes to the store, where it shrinks to {100 / report['ratio']:.0f} %")
    yield ""
    yield f"{'ring store':<34}{'bytes':>6}{'MB/s':>22}{'CPU ms/MB':>12}"
    for row in report["rates"]:
        cpu = number(row["cpu_ms_mb"]["median"]) if "cpu_ms_mb" in row else ""
        yield f"{row['name']:<34}{row['of']:>6}{ranged(row['mb_s']):>22}{cpu:>12}".rstrip()
    yield ""
    yield (f"an incident of a full ring of {report['ring']} MB, while more comes: {ranged(report['freeze_ms'])} ms")
    yield ""
    yield f"{'':<71}{'longest, ms':>12}{'a plain fork, ms':>26}"
    yield (f"{'snapshot':<12}{'changed, %':>10}{'method':>8}{'pages':>9}{'read':>9}{'written':>9}{'ms':>7}{'CPU ms':>7}"
           f"{'held':>6}{'pause':>7}{'median':>9}{'longest':>9}{'pause':>7}")
    for row in report["snapshots"]:
        yield (f"{'of ' + row['MB'] + ' MB':<12}{row['dirty']:>10}{row['method']:>8}{row['pages']:>9}{row['read']:>9}"
               f"{row['written']:>9}{row['ms']:>7}{row['cpu-ms']:>7}{row['held']:>6}{row['pause']:>7}"
               f"{row['fork']:>9}{row['most']:>9}{row['forked']:>7}")


# -- the plot

LEFT, SCALE, ROW, TOP = 250, 440, 24, 60


def bars(y, title, rows):
    """Rows are of name, smallest, median and largest."""
    yield f'<text x="{LEFT}" y="{y}" font-weight="bold">{escape(title)}</text>'
    top = max(largest for *_, largest in rows) or 1
    x = lambda value: LEFT + SCALE * value / top
    for i, (name, least, median, largest) in enumerate(rows):
        middle = y + 10 + ROW * i + ROW / 2
        yield f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect x="{LEFT}" y="{middle - 8}" width="{x(median) - LEFT:.1f}" height="16" fill="#4878a8"/>'
        yield (f'<path d="M{x(least):.1f} {middle}H{x(largest):.1f}M{x(least):.1f} {middle - 4}v8'
               f'M{x(largest):.1f} {middle - 4}v8" stroke="#222"/>')
        yield f'<text x="{LEFT + SCALE + 10}" y="{middle + 4}">{number(median)}</text>'


def groups(report):
    for what, title in ("log", "MB/s, of log before it is compressed"), ("disk", "MB/s, of what is on the disk"):
        yield title, [(row["name"], row["mb_s"]["min"], row["mb_s"]["median"], row["mb_s"]["max"])
                      for row in report["rates"] if row["of"] == what]
    for key, title in ("cpu-ms", "processor time of a snapshot, ms"), ("pause", "longest pause of the service, ms"):
        rows = [(f"{row['MB']} MB, {row['dirty']} % changed", float(row[key])) for row in report["snapshots"]
                if row[key] != "-"]
        if rows:
            yield title, [(name, value, value, value) for name, value in rows]


def svg(report):
    lines, y = [], TOP
    for title, rows in groups(report):
        lines += bars(y, title, rows)
        y += ROW * len(rows) + 50
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + SCALE + 90}" height="{y + 10}" '
           f'font-family="sans-serif" font-size="13">')
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield f'<text x="{LEFT}" y="26" font-size="16">What the ring store costs</text>'
    yield from lines
    where = f"{report['date']}, {report['cpu']}, {report['cpus']} processors, Linux {report['kernel']}"
    yield f'<text x="20" y="{y - 4}" fill="#555" font-size="12">{escape(where)}</text>'
    yield "</svg>"


def main():
    parser = argparse.ArgumentParser()
    for option in "--size", "--snapshots", "--json", "--svg":
        parser.add_argument(option, required=True)
    parser.add_argument("--ring", type=int, required=True)
    parser.add_argument("results")
    args = parser.parse_args()
    of = read(args.results)
    report = {"date": time.strftime("%Y-%m-%d"), "cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)),
              "kernel": platform.release(), "size": args.size, "ring": args.ring, "times": len(of["disk"]),
              **summary(of), "snapshots": read_snapshots(args.snapshots), "measurements": of}
    print("\n".join(text(report)))
    with open(args.json, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    with open(args.svg, "w", encoding="utf-8") as f:
        f.write("\n".join(svg(report)) + "\n")
    print(f"\nall that was measured: {args.json}\nthe plot: {args.svg}")


if __name__ == "__main__":
    main()
