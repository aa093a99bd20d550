# SPDX-License-Identifier: GPL-2.0
"""make bench: the cost of operations on pidfds in one boot of the kernel: in C, in Rust with the
module loaded, and in C again.

Counts instructions of the guest, which then has one CPU, or measures time, several times
over. A kernel without hooks may be measured as well, in a boot of its own. Makes a
table, JSON and a picture. The runs in C before and after the run in Rust have to agree, or
the comparison is worth nothing.
"""

import dataclasses
import json
import shlex
import statistics
import sys

import atomics
import build
import guest
from output import Fault, GOOD, FAILED, USAGE, say

LSMS = ("apparmor", "bpf", "capability", "ipe", "landlock", "selinux", "smack", "tomoyo")
CREATED = "/sys/kernel/debug/rust_pidfd/created"

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
        f'{unit}, in C (1.00) and in Rust</text>',
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


@dataclasses.dataclass(frozen=True)
class Options:
    """What to measure."""

    # Instructions, or else time.
    icount: bool
    # A kernel without hooks as well.
    pristine: bool
    # The security modules that are on, in place of those of the configuration.
    lsm: str

    @classmethod
    def read(cls, icount, pristine, lsm):
        """Reads the options of the user."""
        for name, value in (("ICOUNT", icount), ("PRISTINE", pristine)):
            if value not in ("yes", "no"):
                raise Fault("bench", f"{name}={value} is neither yes nor no", USAGE)
        lsm = ",".join(lsm.replace(",", " ").split())
        for module in lsm.split(",") if lsm else ():
            if module not in LSMS:
                raise Fault("bench", f"LSM={lsm}: {module} is not a security module; the kernel "
                            f"has: {' '.join(LSMS)}", USAGE)
        return cls(icount == "yes", pristine == "yes", lsm)


def unload():
    """For a guest: unloads the module as soon as it is not in use, or fails."""
    return """for ((j = 0; j < 50; j++)); do rmmod rust_pidfd 2>/dev/null && break; sleep 0.1; done
                [ ! -e /sys/module/rust_pidfd ]"""


def measured(machine, options, program):
    """The machine that measures: C, Rust, and C again."""
    runs, also = (1, "scale") if options.icount else (5, "cpus")
    module = shlex.quote(str(machine.target.module))
    return machine.but(load=False, timeout=3000, command=f"""
            set -e
            mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security
            echo lsm $(cat /sys/kernel/security/lsm)
            for ((i = 0; i < {runs}; i++)); do
                echo 'run c'; {program}; {program} {also}
                insmod {module}
                echo 'run rust'; {program}; {program} {also}
                [ $(cat {CREATED}) -gt 1000 ]
                {unload()}
                echo 'run again'; {program}; {program} {also}
            done"""), f"""
            for ((i = 0; i < {runs}; i++)); do
                echo 'run pristine'; {program}; {program} {also}
            done"""


def write(folder, icount):
    """Prints the table of the results in the file raw, and writes the files. Returns the exit
    status."""
    unit = "instructions" if icount else "ns"
    costs, lsm = read(folder / "raw")
    rows = table(costs, unit)

    written = f"security modules: {lsm}\n" + text(rows, unit)
    print(written, end="", flush=True)
    (folder / "bench.txt").write_text(written, encoding="utf-8")
    (folder / "bench.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    (folder / "bench.svg").write_text(svg(rows, unit), encoding="utf-8")
    say("bench", f"also in {folder}: bench.json, bench.svg")

    bad = [f"{row['operation']} by {row['c_drift']:.1%}" for row in rows
           if row["c_drift"] > (ROUGH_DRIFT if any(word in row["operation"] for word in ROUGH)
                                else ONE_DRIFT)]
    drift = statistics.median(row["c_drift"] for row in rows)
    if icount and (bad or drift > DRIFT):
        say("bench", f"C differs from itself, by {drift:.1%} in the median"
            + "".join(f"; {what}" for what in bad))
        return FAILED
    return GOOD


def bench(machine, options):
    """Measures, and counts atomic instructions in the end. Returns the exit status."""
    target = machine.target
    # What a fork costs depends on where things are.
    append = "norandmaps"
    if options.icount:
        # One instruction is one nanosecond of the clock, and the guest never idles.
        append += f" {target.arch.for_counting}"
        machine = machine.but(cpus="1", qemu_options=("-icount", "shift=0,sleep=off"))
    if options.lsm:
        append += f" lsm={options.lsm}"
    machine = machine.but(append=append)

    folder = target.build / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    installed = target.build / "kselftest-bench"
    build.selftests(target, installed, ("pidfd_rust",), ())
    pristine = build.pristine(target) if options.pristine else None
    program = shlex.quote(str(installed / "pidfd_rust/bench"))
    first, second = measured(machine, options, program)
    say("bench", f"measuring, by {machine.cpus} CPU(s)")
    with open(folder / "raw", "wb") as out:
        status = guest.run(first, out)
        if not status and pristine:
            say("bench", "measuring, without hooks")
            out.flush()
            status = guest.run(first.but(target=pristine, command=second), out)
    if status:
        lines = (folder / "raw").read_text(encoding="utf-8", errors="replace").splitlines()
        print("\n".join(lines[-3:]), file=sys.stderr)
        raise Fault("bench", f"the guest failed with status {status}")
    status = write(folder, options.icount)
    if options.icount:
        print(flush=True)
        atomics.measure(machine, folder, program)
    return status
