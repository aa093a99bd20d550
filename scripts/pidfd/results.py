#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Read the TAP of a test run, say what failed, and count.

results.py [--expected FILE] [--suite NAME] [--name NAME --status N] TAP

TAP is the output of run_kselftest.sh, of KUnit in a kernel log (--suite NAME
counts the suites below it only), or of one program, NAME, that ended with status
N. What counts is what is printed innermost: a program that exits with 0 after a
failed case has failed, and so has one that says nothing.

FILE names programs that are expected to fail, one a line, as COLLECTION:PROGRAM
and a reason. Their failed cases count as skipped. One that passes is a failure.

The last line is: passed failed skipped
"""

import argparse
import collections
import re
import sys

RESULT = re.compile(r"(not )?ok\s+(\d+)\s*-?\s*([^#]*?)\s*(?:#\s*(.*))?$")
TOTALS = re.compile(r"Totals: (.*)")
COMMENT = re.compile(r"#(?!\s+(RUN|OK|FAIL)\b|.*\.speed: )")
STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[[^]]*\])? ")


class Program:
    """A program of run_kselftest.sh, or a suite of KUnit."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []
        self.comments = collections.deque(maxlen=16)
        self.plan = None
        self.totals = {}

    def result(self, bad, name, directive):
        directive = directive or ""
        if directive.upper().startswith("SKIP"):
            self.skipped.append((name, directive[4:].strip(" :") or "no reason given"))
        elif bad and not directive.upper().startswith("XFAIL"):
            reason = f" ({directive})" if directive else ""
            self.failed.append("\n    ".join([name + reason, *self.comments]))
        else:
            self.passed += 1
        self.comments.clear()

    def line(self, text):
        """One line of the program's own output."""
        match = RESULT.match(text)
        if match:
            self.result(match[1], match[3] or f"case {match[2]}", match[4])
            return
        if COMMENT.match(text):
            self.comments.append(text)
        if text.startswith("Bail out!"):
            self.failed.append(text)
        match = re.match(r"1\.\.(\d+)", text)
        if match:
            self.plan = int(match[1])
        match = TOTALS.search(text)
        if match:
            self.totals = {k: int(v) for k, v in re.findall(r"(\w+):(\d+)", match[1])}

    def end(self, bad, directive):
        """The runner's own word on the program."""
        directive = directive or ""
        ran = self.passed + len(self.failed) + len(self.skipped)
        bad_totals = self.totals.get("fail", 0) + self.totals.get("error", 0)
        if directive.upper().startswith("SKIP"):
            if not ran:
                self.skipped.append(("all", directive[4:].strip(" :") or "the program skips itself"))
        elif bad and not self.failed:
            self.failed.append(f"the program failed ({directive or 'no reason given'})")
        elif bad_totals and not self.failed:
            self.failed.append(f"{bad_totals} cases by its totals")
        elif not ran:
            self.failed.append("the program printed no result")
        elif self.plan and ran < self.plan:
            self.failed.append(f"{self.plan - ran} of {self.plan} cases did not run")


def kselftest(lines):
    """Programs in the output of run_kselftest.sh."""
    programs, runs, now = {}, collections.Counter(), None
    for line in lines:
        match = re.match(r"# selftests: (\S+): (\S+)", line)
        if match:
            name = f"{match[1]}:{match[2]}"
            runs[name] += 1
            if runs[name] > 1:
                name += f" run {runs[name]}"
            now = programs[name] = Program()
        elif line.startswith("# ") and now:
            now.line(line[2:].lstrip("# ") if TOTALS.search(line) else line[2:])
        else:
            match = re.match(r"(not )?ok \d+ selftests: \S+: \S+(?: # (.*))?", line)
            if match and now:
                now.end(match[1], match[2])
                now = None
    for name, program in programs.items():
        if program is now:
            program.failed.append("the run ended in it")
    return programs


def kunit(lines, only):
    """Suites of KUnit in a kernel log."""
    programs, suite = {}, Program()
    for line in lines:
        line = STAMP.sub("", line)
        match = RESULT.match(line)
        if line.startswith("    ") and not line.startswith("     "):
            suite.line(line[4:])
        elif match:
            if re.fullmatch(only, match[3]):
                programs[f"kunit:{match[3]}"] = suite
                suite.end(match[1], match[4])
            suite = Program()
    return programs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expected")
    parser.add_argument("--suite")
    parser.add_argument("--name", default="program")
    parser.add_argument("--status", type=int, default=0)
    parser.add_argument("tap")
    args = parser.parse_args()

    expected = {}
    if args.expected:
        with open(args.expected, encoding="utf-8") as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    name, reason = line.split(None, 1)
                    expected[name] = reason.strip()

    with open(args.tap, encoding="utf-8", errors="replace") as file:
        lines = [line.rstrip("\r\n") for line in file]
    if args.suite:
        programs = kunit(lines, args.suite)
    elif any(line.startswith("# selftests: ") for line in lines):
        programs = kselftest(lines)
    else:
        programs = {args.name: Program()}
        for line in lines:
            programs[args.name].line(line)
        if not programs[args.name].plan and not programs[args.name].failed:
            programs[args.name].failed.append("it printed no plan")
        else:
            programs[args.name].end(args.status, f"exit={args.status}")

    passed = failed = skipped = 0
    if not programs:
        print(f"FAIL {args.tap}: no test ran")
        failed += 1
    for name, program in programs.items():
        passed += program.passed
        skipped += len(program.skipped)
        if name in expected and program.failed:
            skipped += len(program.failed)
            print(f"xfail {name}: {len(program.failed)} cases: {expected[name]}")
        elif name in expected:
            failed += 1
            print(f"FAIL {name} passes, though it is expected to fail: {expected[name]}")
        elif program.failed:
            failed += len(program.failed)
            for case in program.failed:
                print(f"FAIL {name}: {case}")
        elif program.passed:
            print(f"ok {name}: {program.passed} cases")
        for case, reason in program.skipped:
            print(f"skip {name}: {case}: {reason}")
    for name in set(expected) - set(programs):
        failed += 1
        print(f"FAIL {name} is expected to fail, but did not run")
    print(passed, failed, skipped)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
