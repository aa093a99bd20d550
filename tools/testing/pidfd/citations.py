# SPDX-License-Identifier: GPL-2.0
"""Finds tests that the documentation names and that do not exist.

A citation is ``suite.test``, or ``suite_test`` and literals behind it, as in
``open_test`` ``scope.of_a_thread``, ``*_shows_in_the_flags``. A star stands for any text.
"""

import fnmatch
import re

from target import TOP

TEST = re.compile(r"^TEST(?:_F)?(?:_TIMEOUT|_SIGNAL)?\(\s*(\w+)(?:\s*,\s*([a-z]\w*))?",
                  re.MULTILINE)
# A row of a table of attempts, each of which is a test.
ATTEMPT = re.compile(r"^\s*ATTEMPT\((\w+)", re.MULTILINE)
KUNIT = re.compile(r"#\[(?:macros::)?kunit_tests\((\w+)\)\]")
FUNCTION = re.compile(r"#\[test\]\s*(?:#\[[^]]*\]\s*)*fn (\w+)")
LITERAL = r"``([^`]+)``"
DOTTED = re.compile(r"[a-z]\w*\.[\w*]+")
PROGRAM = re.compile(r"(?:[a-z_0-9]+/)?[a-z_0-9]+_test")
LISTED = re.compile(rf"{LITERAL}((?:,?\s+{LITERAL})*)")
# A dot that stands before the type of a file, and others.
FILE = re.compile(r".*\.(rs|c|h|rst|sh|ko|csv|py|svg|txt|json|config|cocci|pml|o|md|info|mk|log|dmesg)")
NO_TESTS = ("wait_pidfd.lock", "security.*")


class Tests:
    """{program or suite: {(fixture, test)}}"""

    def __init__(self):
        self.known = {}

    def add_c(self, name, text):
        """The tests of a C program."""
        found = self.known.setdefault(name, set())
        found.update(("", test) for test in ATTEMPT.findall(text))
        for fixture, test in TEST.findall(text):
            found.add((fixture, test) if test else ("", fixture))

    def add_rust(self, text):
        """The suites of KUnit in a Rust file."""
        parts = KUNIT.split(text)
        for suite, body in zip(parts[1::2], parts[2::2]):
            for test in FUNCTION.findall(body):
                self.known.setdefault(suite, set()).add((suite, test))

    def has(self, words, program=None):
        """Whether a test is there: of a program, or of any."""
        known = self.known.get(program, set()) if program else set().union(*self.known.values())
        if "." in words:
            fixture, test = words.split(".", 1)
            return any(fixture == one and fnmatch.fnmatchcase(name, test) for one, name in known)
        return any(fnmatch.fnmatchcase(name, words) or one == words for one, name in known)


def project(upstream, top=TOP):
    """The tests of the project, and of upstream's selftests in `upstream`."""
    tests = Tests()
    for path in sorted((top / "tools/testing/selftests/pidfd_rust").glob("*.c")):
        tests.add_c(path.stem, path.read_text(encoding="utf-8"))
    for folder in ("kernel/pidfd", "rust/kernel"):
        for path in (top / folder).rglob("*.rs"):
            tests.add_rust(path.read_text(encoding="utf-8"))
    for path in sorted(upstream.glob("*/*_test.c")):
        tests.add_c(f"{path.parent.name}/{path.stem}",
                    path.read_text(encoding="utf-8", errors="replace"))
    return tests


def unknown(text, tests):
    """The citations in a text that name no test."""
    for run in LISTED.finditer(text):
        program = None
        for literal in re.findall(LITERAL, run[0]):
            literal = " ".join(literal.split())
            if FILE.fullmatch(literal) or literal in NO_TESTS:
                program = None
            elif PROGRAM.fullmatch(literal) or literal in tests.known:
                program = literal
                if program not in tests.known:
                    yield literal
                    program = None
            elif DOTTED.fullmatch(literal) or (program and re.fullmatch(r"[a-z\d_*]+", literal)):
                if not tests.has(literal, program):
                    yield f"{program} {literal}" if program else literal
            else:
                program = None


def check(upstream, top=TOP):
    """(file, line, citation) of each that names no test."""
    tests = project(upstream, top)
    for path in sorted((top / "Documentation/pidfd").glob("*.rst")):
        text = path.read_text(encoding="utf-8")
        for citation in unknown(text, tests):
            last = citation.split(" ")[-1]
            number = text[:text.find(f"``{last}``")].count("\n") + 1
            yield str(path.relative_to(top)), number, citation
