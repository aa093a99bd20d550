# SPDX-License-Identifier: GPL-2.0
"""Counts the calls of functions of fs/pidfs.c that have a counterpart in Rust.

Documentation/pidfd/functions.csv is the table.
"""

import re
import shlex

from target import TOP

TABLE = TOP / "Documentation/pidfd/functions.csv"
TRACING = "/sys/kernel/tracing"


def with_counterpart(table=TABLE):
    """The functions that Rust replaces."""
    return re.findall(r"^([a-z0-9_]+),Rust,", table.read_text(encoding="utf-8"), re.MULTILINE)


def defined(text):
    """The functions that a C file defines."""
    found, head = set(), ""
    for line in text.splitlines():
        if re.match(r"[a-zA-Z_].*\(", line) and not line.endswith(";"):
            head = line
        elif line.startswith("{"):
            name = re.search(r"([a-zA-Z0-9_]+)\(", head)
            if name:
                found.add(name[1])
            head = ""
    return found


def missing(source, table=TABLE):
    """The functions of fs/pidfs.c that the table lacks."""
    lines = table.read_text(encoding="utf-8").splitlines()
    text = (source / "fs/pidfs.c").read_text(encoding="utf-8")
    return sorted(defined(text) - {line.split(",", 1)[0] for line in lines})


def count_command(table=TABLE):
    """For a guest: counts calls of these functions from now on, by kprobes. One that the compiler
    has put into its callers is counted there."""
    return f"""
        mountpoint -q {TRACING} || mount -t tracefs none {TRACING}
        awk 'NR == FNR {{ wanted[$1]; next }}
            $3 in wanted && !seen[$3]++ {{ print "p:counterparts/" $3, $3 }}' \
            <(printf '%s\\n' {shlex.join(with_counterpart(table))}) /proc/kallsyms |
            while read -r probe; do
                echo "$probe" >>{TRACING}/kprobe_events
            done
        echo 1 >{TRACING}/events/counterparts/enable
        """


def report_command(who):
    """For a guest: prints "WHO counterpart FUNCTION CALLS" for each."""
    return f"awk '{{ print \"{who} counterpart\", $1, $2 + $3 }}' {TRACING}/kprobe_profile"


def calls(lines, who):
    """[(function, calls)] out of the output of report_command()."""
    found = (re.match(rf"{who} counterpart (\S+) (\d+)", line) for line in lines)
    return [(match[1], int(match[2])) for match in found if match]
