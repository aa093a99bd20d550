# SPDX-License-Identifier: GPL-2.0
"""Reads the KTAP of test programs, of run_kselftest.sh and of KUnit.

The innermost results count: a program that exits with 0 after a failed case has
failed, and so has a program that prints no result.

The kernel's kunit_parser.py does not serve: it takes the lines in which
run_kselftest.sh wraps a program's results, "# ok 1 name", for comments.
"""

import collections
import re

RESULT = re.compile(r"(not )?ok\s+(\d+)\s*-?\s*([^#]*?)\s*(?:#\s*(.*))?$")
TOTALS = re.compile(r"Totals: (.*)")
COMMENT = re.compile(r"#(?!\s+(RUN|OK|FAIL)\b|.*\.speed: )")
STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[[^]]*\])? ")


class Program:
    """The results of one program, or of one suite of KUnit."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []
        self.comments = collections.deque(maxlen=16)
        self.plan = None
        self.totals = {}

    def result(self, bad, name, directive):
        """One case."""
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
        """One line of the program's output."""
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
        """The runner's result for the program as a whole."""
        directive = directive or ""
        ran = self.passed + len(self.failed) + len(self.skipped)
        bad_totals = self.totals.get("fail", 0) + self.totals.get("error", 0)
        if directive.upper().startswith("SKIP"):
            if not ran:
                reason = directive[4:].strip(" :") or "the program skips itself"
                self.skipped.append(("all", reason))
        elif bad and not self.failed:
            self.failed.append(f"the program failed ({directive or 'no reason given'})")
        elif bad_totals and not self.failed:
            self.failed.append(f"{bad_totals} cases by its totals")
        elif not ran:
            self.failed.append("the program printed no result")
        elif self.plan and ran < self.plan:
            self.failed.append(f"{self.plan - ran} of {self.plan} cases did not run")


def kselftest(lines):
    """{name: Program} of the output of run_kselftest.sh."""
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
    for program in programs.values():
        if program is now:
            program.failed.append("the run ended in it")
    return programs


def kunit(lines, only):
    """{name: Program} of the suites in a kernel log whose name is like `only`."""
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


def program(lines, name, status):
    """{name: Program} of the output of a single program and its exit status."""
    one = Program()
    for line in lines:
        one.line(line)
    if not one.plan and not one.failed:
        one.failed.append("it printed no plan")
    else:
        one.end(status, f"exit={status}")
    return {name: one}


def read(lines, suite=None, name="program", status=0):
    """{name: Program} of all programs in `lines`."""
    if suite:
        return kunit(lines, suite)
    if any(line.startswith("# selftests: ") for line in lines):
        return kselftest(lines)
    return program(lines, name, status)


def lines_of(path):
    """The lines of a log."""
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line.rstrip("\r") for line in text.split("\n")]


def expectations(path):
    """{program: reason} of a file that names programs which are expected to fail, one a
    line, as COLLECTION:PROGRAM and a reason."""
    expected = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, reason = line.split(None, 1)
            expected[name] = reason.strip()
    return expected


def report(programs, where, expected=None):
    """The lines to print about `programs`, and (passed, failed, skipped).

    Failed cases of an expected failure count as skipped. An expected failure that
    passes is a failure.
    """
    expected = expected or {}
    passed = failed = skipped = 0
    lines = []
    if not programs:
        lines.append(f"FAIL {where}: no test ran")
        failed += 1
    for name, one in programs.items():
        passed += one.passed
        skipped += len(one.skipped)
        if name in expected and one.failed:
            skipped += len(one.failed)
            lines.append(f"xfail {name}: {len(one.failed)} cases: {expected[name]}")
        elif name in expected:
            failed += 1
            lines.append(f"FAIL {name} passes, though it is expected to fail: {expected[name]}")
        elif one.failed:
            failed += len(one.failed)
            lines += [f"FAIL {name}: {case}" for case in one.failed]
        elif one.passed:
            lines.append(f"ok {name}: {one.passed} cases")
        lines += [f"skip {name}: {case}: {reason}" for case, reason in one.skipped]
    for name in sorted(set(expected) - set(programs)):
        failed += 1
        lines.append(f"FAIL {name} is expected to fail, but did not run")
    return lines, (passed, failed, skipped)
