# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmark's tables, JSON and plot, of the lines that the loads have written."""
import argparse
import json
import os
import platform
import statistics
import time
from xml.sax.saxutils import escape

WAITS = ("longest_wait_ms", "longest_turn_wait_ms")
ALONE = ("covered_s", "events", "preemptions", "found_ms", "found_longest_ms")
COSTS = ("cpu_s", "log_bytes", "snapshot_bytes", "recorder_cpu_s")


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def speed(kind, row):
    """What is compared: operations a second, seconds a run, or what a call takes."""
    if kind == "rate":
        return row["ops"] / row["seconds"]
    if "value" in row:
        return row["value"]
    if kind == "added":
        return 1000 * row["seconds"] / row["ops"]
    return row["seconds"]


def per_operation(rows):
    """Medians of what an operation took: microseconds and bytes; and the recorder's peak."""
    costs = {}
    for name in COSTS:
        values = [row[name] / row["ops"] for row in rows if name in row]
        if values:
            scale, new = (1e6, name.replace("_s", "_us")) if name.endswith("_s") else (1, name)
            costs[new] = scale * statistics.median(values)
    peaks = [row["recorder_peak_kb"] for row in rows if row.get("recorder_peak_kb")]
    if peaks:
        costs["recorder_peak_mb"] = max(peaks) / 1024
    return costs


def compare(rows):
    """One load, of all its measurements."""
    kind = rows[0]["kind"]
    load = {key: rows[0][key] for key in ("kind", "unit", "operation")}
    how = {name: [row for row in rows if row["how"] == name] for name in ("native", "recorded")}
    watched = [row for row in rows if row["how"] == "watched"]
    if watched:
        load.update({key: max(row[key] for row in watched) for key in WAITS})
    for name, of in how.items():
        if of:
            load[name] = spread([speed(kind, row) for row in of])
            if "ops" in of[0]:
                load[name]["per_operation"] = per_operation(of)
    if kind == "alone":
        load.update({key: rows[0][key] for key in ALONE if key in rows[0]})
        return load
    pairs = [(speed(kind, n), speed(kind, r)) for n, r in zip(how["native"], how["recorded"])]
    if not pairs:
        return None
    if kind == "added":
        load["added"] = spread([r - n for n, r in pairs])
    else:
        load["ratio"] = spread([r / n if kind == "rate" else n / r for n, r in pairs])
    load["measurements"] = [{k: v for k, v in row.items() if k not in ("load", "kind", "unit", "operation")}
                            for row in rows]
    return load


def read(path):
    loads = {}
    with open(path, encoding="utf-8") as f:
        for row in map(json.loads, f):
            loads.setdefault(row["load"], []).append(row)
    compared = {name: compare(rows) for name, rows in loads.items()}
    return {name: load for name, load in compared.items() if load}


def read_targets(path):
    with open(path, encoding="utf-8") as f:
        lines = [line.split(None, 1) for line in f if line.strip() and not line.startswith("#")]
    return {name.strip(): float(fraction) for fraction, name in lines}


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


# -- text

def number(x):
    """Three digits; thousands and millions as k and M."""
    if x is None:
        return "-"
    for size, letter in (1e6, "M"), (1e3, "k"):
        if abs(x) >= 0.9995 * size:
            return number(x / size) + letter
    return f"{x:.0f}" if abs(x) >= 99.95 else f"{x:.3f}" if abs(x) < 1 else f"{x:.3g}"


def ranged(of, write=number):
    return f"{write(of['median'])} ({write(of['min'])}..{write(of['max'])})"


def percent(fraction):
    return f"{100 * fraction:.0f}"


def speed_table(loads, targets):
    yield f"{'speed':<28}{'unit':>5}{'native':>22}{'recorded':>22}{'ratio, %':>15}{'target':>8}"
    for name, load in loads.items():
        if "ratio" in load:
            target = percent(targets[name]) if name in targets else ""
            yield (f"{name:<28}{load['unit']:>5}{ranged(load['native']):>22}{ranged(load['recorded']):>22}"
                   f"{ranged(load['ratio'], percent):>15}{target:>8}").rstrip()


def cost_table(loads):
    yield (f"{'cost of an operation':<28}{'operation':>12}{'CPU us':>9}{'recorded':>9}{'ratio':>7}"
           f"{'log B':>8}{'recorder us':>13}{'peak MB':>9}{'wait ms':>9}")
    for name, load in loads.items():
        native = load.get("native", {}).get("per_operation", {})
        recorded = load["recorded"].get("per_operation", {})
        if "cpu_us" not in native or "cpu_us" not in recorded:
            continue
        cpus = native.get("cpu_us"), recorded.get("cpu_us")
        wait = max(load[key] for key in WAITS) if WAITS[0] in load else None
        ratio = f"{cpus[1] / cpus[0]:.2f}" if cpus[0] else "-"
        yield (f"{name:<28}{load['operation']:>12}{number(cpus[0]):>9}{number(cpus[1]):>9}{ratio:>7}"
               f"{number(recorded.get('log_bytes')):>8}{number(recorded.get('recorder_cpu_us')):>13}"
               f"{number(recorded.get('recorder_peak_mb')):>9}{number(wait) if wait is not None else '':>9}".rstrip())


def added_table(loads):
    yield f"{'time added':<28}{'unit':>5}{'native':>22}{'recorded':>22}{'added':>22}"
    for name, load in loads.items():
        if "added" in load:
            yield (f"{name:<28}{load['unit']:>5}{ranged(load['native']):>22}{ranged(load['recorded']):>22}"
                   f"{ranged(load['added']):>22}")


def alone_lines(loads):
    for name, load in loads.items():
        if load["kind"] == "alone":
            found = (f"; {load['preemptions']} preemptions found, in {load['found_ms']} ms each, "
                     f"{load['found_longest_ms']} ms at most" if "preemptions" in load else "")
            yield (f"{name}: {number(load['recorded']['median'])} s, for {load['covered_s']} s covered "
                   f"and {load['events']} events{found}")


def text(report, targets):
    yield f"{report['date']}, {report['cpu']}, {report['cpus']} processors, Linux {report['kernel']}"
    yield (f"native and recorded in turn, medians (smallest..largest) of {report['pairs']}; servers loaded "
           f"for {report['seconds']} s")
    loads = report["loads"]
    for table in speed_table(loads, targets), cost_table(loads), added_table(loads):
        lines = list(table)
        if len(lines) > 1:
            yield ""
            yield from lines
    alone = list(alone_lines(loads))
    if alone:
        yield ""
        yield from alone
    if report["failed"]:
        yield ""
        yield "failed: " + " ".join(report["failed"])


# -- the plot

LEFT, WIDTH, ROW, TOP, SCALE = 210, 820, 26, 58, 480


def bar(y, name, ratio, target):
    x = lambda fraction: LEFT + SCALE * min(fraction, 1.2)
    middle = y + ROW / 2
    yield f'<text x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>'
    yield (f'<rect x="{LEFT}" y="{y + 5}" width="{x(ratio["median"]) - LEFT:.1f}" height="{ROW - 10}" '
           f'fill="#4878a8"/>')
    yield (f'<path d="M{x(ratio["min"]):.1f} {middle}H{x(ratio["max"]):.1f}'
           f'M{x(ratio["min"]):.1f} {middle - 4}v8M{x(ratio["max"]):.1f} {middle - 4}v8" stroke="#222"/>')
    if target:
        yield f'<path d="M{x(target):.1f} {y + 1}v{ROW - 2}" stroke="#c03028" stroke-width="3"/>'
    label = f"{100 * ratio['median']:.0f} %"
    yield f'<text x="{LEFT + 1.2 * SCALE + 10}" y="{middle + 4}">{label}</text>'


def svg(report, targets):
    bars = [(name, load["ratio"]) for name, load in report["loads"].items() if "ratio" in load]
    bottom = TOP + ROW * len(bars)
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 30}" height="{bottom + 62}" '
           f'font-family="sans-serif" font-size="13">')
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield f'<text x="{LEFT}" y="22" font-size="16">Speed when recorded, of native speed</text>'
    yield (f'<text x="{LEFT}" y="42" fill="#555">medians, of so many pairs: {report["pairs"]}; thin line: smallest to '
           f'largest; red: target</text>')
    for percent in range(0, 121, 20):
        x = LEFT + SCALE * percent / 100
        colour = "#888" if percent in (0, 100) else "#ddd"
        yield f'<path d="M{x} {TOP}V{bottom}" stroke="{colour}"/>'
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle" fill="#555">{percent} %</text>'
    for i, (name, ratio) in enumerate(bars):
        yield from bar(TOP + ROW * i, name, ratio, targets.get(name))
    where = f"{report['date']}, {report['cpu']}, {report['cpus']} processors, Linux {report['kernel']}"
    yield f'<text x="{LEFT - 190}" y="{bottom + 46}" fill="#555" font-size="12">{escape(where)}</text>'
    yield "</svg>"


def main():
    parser = argparse.ArgumentParser()
    for option in "--pairs", "--seconds":
        parser.add_argument(option, type=int)
    for option in "--size", "--failed", "--targets", "--json", "--svg":
        parser.add_argument(option)
    parser.add_argument("results")
    args = parser.parse_args()
    targets = read_targets(args.targets)
    report = {"date": time.strftime("%Y-%m-%d"), "cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)),
              "kernel": platform.release(), "pairs": args.pairs, "seconds": args.seconds,
              "size": args.size, "failed": args.failed.split(), "targets": targets,
              "loads": read(args.results)}
    print("\n".join(text(report, targets)))
    with open(args.json, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    with open(args.svg, "w", encoding="utf-8") as f:
        f.write("\n".join(svg(report, targets)) + "\n")
    print(f"\nall that was measured: {args.json}\nthe plot: {args.svg}")


if __name__ == "__main__":
    main()
