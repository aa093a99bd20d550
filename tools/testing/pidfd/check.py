# SPDX-License-Identifier: GPL-2.0
"""make check: the kernel's own checkers on our files: rustfmt, clippy, checkpatch; the
semantic patches, and what the documentation names, against the source; what policy may
not use; and our tool: its unit tests, and its decoder of instructions."""

import html
import os
import re
import subprocess

import atomics
import build
import citations
import counterparts
import frontdoor
import hooks
from output import Fault
from target import TOP

# User space has no BIT() and no __aligned(), ENOSYS is what it gets from an old kernel,
# and a test harness is made of macros, some of which look like functions.
USER = ("SPACING,ENOSYS,BRACES,BIT_MACRO,PREFER_DEFINED_ATTRIBUTE_MACRO,NAKED_SSCANF,COMPLEX_MACRO,"
        "MACRO_WITH_FLOW_CONTROL,MULTISTATEMENT_MACRO_USE_DO_WHILE,SINGLE_STATEMENT_DO_WHILE_MACRO,"
        "TRAILING_SEMICOLON")
CLEAN = re.compile(r"total: 0 errors, 0 warnings,( 0 checks,)? [0-9]* lines")
# The word bindings may stand in a string or a comment.
NO_CODE = re.compile(r'"(?:[^"\\]|\\.)*"|//.*')


def files(*folders, suffixes=(".c", ".h", ".rs"), kconfig=True):
    """Our files below some folders."""
    found = []
    for folder in folders:
        for path, below, names in os.walk(TOP / folder):
            below[:] = [name for name in below if name not in ("target", "__pycache__")]
            found += [os.path.join(os.path.relpath(path, TOP), name) for name in names
                      if name.endswith(suffixes) or (kconfig and name.startswith("Kconfig"))]
    return sorted(found)


def forbidden(text):
    """(line, text) of each `unsafe` and each use of kernel::bindings. Policy has neither."""
    for number, line in enumerate(text.splitlines(), 1):
        if "unsafe" in line or re.search(r"\bbindings\b", NO_CODE.sub("", line)):
            yield number, line.strip()


def lacking(dot, svg):
    """The lines of labels in a source of Graphviz that an SVG does not have."""
    shown = {html.unescape(text).replace("\xa0", " ").strip()
             for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg)}
    labels = re.findall(r'label="([^"]*)"', dot)
    lines = [line.strip() for label in labels for line in re.split(r"\\[nlr]", label)]
    return [line for line in lines if line and line not in shown]


class Check:
    """The checks of one target."""

    def __init__(self, target):
        self.target = target
        self.failed = 0

    def verdict(self, good, what):
        """One line for each check."""
        print(f"{'ok' if good else 'FAIL'} {what}", flush=True)
        self.failed |= not good

    def checkpatch(self, *words):
        """Whether checkpatch has no remark."""
        said = subprocess.run(
            ["perl", self.target.tree / "scripts/checkpatch.pl", "--no-tree", "--quiet", "--terse",
             "--show-types", *words],
            cwd=TOP, stdout=subprocess.PIPE, check=False, encoding="utf-8")
        lines = [line for line in said.stdout.splitlines() if not CLEAN.match(line)]
        print("".join(f"{line}\n" for line in lines), end="")
        # Its exit status is 1 after a remark, as ours is; it is something else if it does not run.
        return said.returncode in (0, 1) and not lines and not (said.returncode and not said.stdout)

    def style(self):
        """rustfmt and checkpatch."""
        rust = files("kernel", "rust", "samples/rust", suffixes=(".rs",), kconfig=False)
        good = not subprocess.run([self.target.tools.RUSTFMT, "--config-path",
                                   self.target.tree / ".rustfmt.toml", "--check", *rust],
                                  cwd=TOP, check=False).returncode
        self.verdict(good, f"rustfmt: {len(rust)} files")
        sources = files("fs", "include", "kernel", "rust", "samples", "security")
        tests = files("tools")
        # exports.c exports what others define.
        good = self.checkpatch("--strict", "--ignore", "EXPORT_SYMBOL", "--file", *sources)
        good &= self.checkpatch("--ignore", USER, "--file", *tests)
        self.verdict(good, f"checkpatch: {len(sources) + len(tests)} files")

    def policy(self):
        """Policy has no unsafe code, and uses abstractions only."""
        found = [f"{path.relative_to(TOP)}:{number}: {line}"
                 for path in sorted((TOP / "kernel/pidfd").rglob("*.rs"))
                 for number, line in forbidden(path.read_text(encoding="utf-8"))]
        print("".join(f"{line}\n" for line in found), end="")
        self.verdict(not found, "no unsafe and no bindings in kernel/pidfd")

    def hooks(self, source):
        """The semantic patches fit the source."""
        try:
            hooks.check(source, self.target.tools.SPATCH, self.target.log / "apply.log")
            self.verdict(True, "semantic patches")
        except Fault as fault:
            print(fault)
            self.verdict(False, "semantic patches")

    def documents(self, source):
        """What the documentation names exists."""
        missing = counterparts.missing(source)
        if missing:
            print("Documentation/pidfd/functions.csv lacks these functions of fs/pidfs.c: "
                  + " ".join(missing))
        self.verdict(not missing, "every function of fs/pidfs.c is in the table of counterparts")
        found = [f"{file}:{line}: there is no test {citation}" for file, line, citation
                 in citations.check(source / "tools/testing/selftests")]
        print("".join(f"{line}\n" for line in found), end="")
        self.verdict(not found, "every test that the documentation names exists")

    def pictures(self):
        """A picture that is kept as SVG has the labels of its source."""
        pairs = [(path, path.with_suffix(".svg"))
                 for path in sorted((TOP / "Documentation").rglob("*.dot"))]
        found = [f"{svg.relative_to(TOP)} lacks '{label}': dot -Tsvg {dot.name} -o {svg.name}"
                 for dot, svg in pairs if svg.exists()
                 for label in lacking(dot.read_text(encoding="utf-8"),
                                      svg.read_text(encoding="utf-8"))]
        print("".join(f"{line}\n" for line in found), end="")
        self.verdict(not found, "pictures have the labels of their sources")

    def tool(self):
        """The tool's own tests."""
        self.verdict(frontdoor.unit_tests() == 0, "unit tests of tools/testing/pidfd")
        wrong = []
        for path in (self.target.vmlinux, self.target.module):
            wrong += atomics.check_file(self.target.tools.llvm("llvm-objdump"), path)
        print("".join(f"{line}\n" for line in wrong[:20]), end="")
        self.verdict(not wrong, "atomics.py finds the atomic instructions that objdump finds")

    def clippy(self):
        """What clippy warns about is an error. It compiles only what is out of date, so what it
        has to look at must be."""
        for name in ("rust/kernel/lib.rs", "kernel/pidfd/rust_pidfd.rs",
                     "samples/rust/rust_pidfd_watch.rs"):
            os.utime(self.target.tree / name)
        try:
            build.clippy(self.target)
            log = (self.target.log / "clippy.log").read_text(encoding="utf-8", errors="replace")
            lines = log.splitlines()
            at = [i for i, line in enumerate(lines) if line.startswith("warning")]
            for i in at:
                print("\n".join(lines[i:i + 13]))
            self.verdict(not at, "clippy")
        except Fault as fault:
            print(fault)
            self.verdict(False, "clippy")


def check(target):
    """All checks. Returns the exit status."""
    one = Check(target)
    source = build.applied_source(target)
    one.style()
    one.policy()
    one.hooks(source)
    one.documents(source)
    one.pictures()
    one.tool()
    one.clippy()
    return int(one.failed)
