#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make a table, JSON and a picture of what bench.sh measured.

bench.py DIR ICOUNT

Reads DIR/raw: a line "lsm ..." with the active security modules, and after each line
"run c", "run rust", "run again", or "run pristine" for C in a kernel without hooks, a
line for each operation with its name and what it cost. Writes DIR/bench.txt, bench.json and
bench.svg, and prints the first. The runs by C before and after those by Rust have
to agree, or the comparison is worth nothing: exit status 1.
"""

import json
import pathlib
import statistics
import sys

# How far C may be from itself: by the median of all operations, by one, and by one
# that is the small difference of two large numbers, or has to do with the scheduler.
DRIFT = 0.02
ONE_DRIFT = 0.05
ROUGH_DRIFT = 0.25
ROUGH = ("extra", "exit", "bytes", "CPUs")

# What the picture leaves out: what neither C nor Rust makes anything of, and how costs
# grow.
FLOOR = ("getppid", "dup + close")
GROWTH = (" open", " CPUs")


def read(path):
    """{operation: {run: [costs]}}, in the order they were measured; security modules."""
    costs, run, lsm = {}, None, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("run "):
            run = line[4:]
        elif line.startswith("lsm "):
            lsm = line[4:]
        elif run and line:
            name, cost = line.rsplit(" ", 1)
            costs.setdefault(name, {}).setdefault(run, []).append(float(cost))
    return costs, lsm


def table(costs, unit):
    """One dictionary for each operation."""
    rows = []
    for name, runs in costs.items():
        c = statistics.median(runs["c"] + runs["again"])
        rust = statistics.median(runs["rust"])
        ratios = [r / ((a + b) / 2) for a, r, b in
                  zip(runs["c"], runs["rust"], runs["again"])]
        rows.append({
            **({"pristine": statistics.median(runs["pristine"])} if "pristine" in runs else {}),
            "operation": name, "unit": unit, "c": c, "rust": rust,
            "ratio": statistics.median(ratios),
            "spread": max(ratios) - min(ratios),
            "c_drift": abs(statistics.median(runs["again"])
                           / statistics.median(runs["c"]) - 1),
        })
    return rows


def text(rows, unit):
    """The table, for a terminal."""
    lines = [f"{'operation, in ' + unit:44} {'C':>10} {'Rust':>10} {'ratio':>7}"]
    spread = any(row["spread"] for row in rows)
    if spread:
        lines[0] += f" {'spread':>7}"
    if "pristine" in rows[0]:
        lines[0] += f" {'pristine':>10} {'ratio':>7}"
    for row in rows:
        line = (f"{row['operation']:44} {row['c']:10,.0f} {row['rust']:10,.0f}"
                f" {row['ratio']:7.3f}")
        if spread:
            line += f" {row['spread']:7.3f}"
        if "pristine" in row:
            line += f" {row['pristine']:10,.0f} {row['rust'] / row['pristine']:7.3f}"
        lines.append(line)
    return "\n".join(lines) + "\n"


def svg(rows, unit):
    """Bars, C above Rust, each pair as long as C's cost is 1."""
    rows = [row for row in rows if row["operation"] not in FLOOR
            and not row["operation"].endswith(GROWTH)]
    left, width, step = 250, 360, 34
    height = 60 + step * len(rows)
    scale = width / max(1.25, max(row["ratio"] for row in rows))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 120}" '
        f'height="{height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="10" y="22" font-size="14">What an operation costs in '
        f'{unit}, by C (1.00) and by Rust</text>',
        f'<rect x="{left}" y="32" width="10" height="10" fill="#9aa5b1"/>'
        f'<text x="{left + 15}" y="41">C</text>'
        f'<rect x="{left + 45}" y="32" width="10" height="10" fill="#c2570c"/>'
        f'<text x="{left + 60}" y="41">Rust</text>',
    ]
    for i, row in enumerate(rows):
        y = 54 + i * step
        bars = (("#9aa5b1", 1, f"{row['c']:,.0f}"),
                ("#c2570c", row["ratio"],
                 f"{row['rust']:,.0f} ({row['ratio']:.2f})"))
        name = row["operation"].replace("&", "&amp;").replace("<", "&lt;")
        out.append(f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{name}</text>')
        for j, (colour, ratio, label) in enumerate(bars):
            length = ratio * scale
            out.append(f'<rect x="{left}" y="{y + j * 13}" width="{length:.1f}" '
                       f'height="11" fill="{colour}"/>'
                       f'<text x="{left + length + 5:.1f}" y="{y + j * 13 + 10}" '
                       f'font-size="10">{label}</text>')
    out.append("</svg>\n")
    return "\n".join(out)


def main():
    folder, icount = pathlib.Path(sys.argv[1]), sys.argv[2] == "yes"
    unit = "instructions" if icount else "ns"
    costs, lsm = read(folder / "raw")
    rows = table(costs, unit)

    written = f"security modules: {lsm}\n" + text(rows, unit)
    print(written, end="")
    (folder / "bench.txt").write_text(written, encoding="utf-8")
    (folder / "bench.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (folder / "bench.svg").write_text(svg(rows, unit), encoding="utf-8")
    print(f"bench: also in {folder}: bench.json, bench.svg", file=sys.stderr)

    bad = [f"{row['operation']} by {row['c_drift']:.1%}" for row in rows
           if row["c_drift"] > (ROUGH_DRIFT if any(word in row["operation"] for word in ROUGH)
                                else ONE_DRIFT)]
    drift = statistics.median(row["c_drift"] for row in rows)
    if icount and (bad or drift > DRIFT):
        print(f"bench: C differs from itself, by {drift:.1%} in the median"
              + "".join(f"; {what}" for what in bad), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
