# SPDX-License-Identifier: GPL-2.0
"""make docs: HTML of Documentation/pidfd and the rustdoc of the abstractions, by the kernel's
own rules."""

import re
import shutil
import subprocess

import build
from output import Fault, say

WARNING = re.compile(r"(^|: )(warning|WARNING|error|ERROR)\b")
# A release of Sphinx is not what a page can be wrong about.
HARMLESS = re.compile(r"RemovedInSphinx|DeprecationWarning")


def warnings(text):
    """The lines of a log in which Sphinx, kernel-doc or rustdoc complain."""
    return [line for line in text.splitlines()
            if WARNING.search(line) and not HARMLESS.search(line)]


def check(log):
    """Fails if a log has a warning."""
    found = warnings(log.read_text(encoding="utf-8", errors="replace"))
    if found:
        print("\n".join(found[:20]))
        raise Fault("docs", f"{len(found)} warnings; see {log}")


def htmldocs(target, out, log):
    """Builds the pages. The rules for them take RUSTDOC for an option of their own, so they do
    not get the tools' names."""
    say("build", f"HTML; log in {log}")
    with open(log, "wb") as output:
        status = subprocess.run(
            ["make", "-C", target.tree, f"O={out}", "htmldocs", "SPHINXDIRS=pidfd"],
            env=build.environment(target), stdout=output, stderr=output, check=False).returncode
    check(log)
    if status:
        raise Fault("docs", f"Sphinx failed; see {log}")


def docs(target):
    """Builds both, and prints the pages to open."""
    build.kernel(target)
    # Pages that are newer than the kernel.
    build.apply(target)
    # Sphinx does not read pages again that have not changed, nor repeat what it said of them.
    out = target.build / "docs"
    shutil.rmtree(out, ignore_errors=True)
    htmldocs(target, out, target.log / "docs.log")
    rustdoc = target.log / "rustdoc.log"
    build.run(target, "rustdoc", rustdoc, "-C", target.tree, f"O={target.objects}", "rustdoc")
    check(rustdoc)
    print(f"docs: open {out / 'Documentation/output/pidfd/index.html'}")
    print("docs: rustdoc is "
          f"{target.objects / 'Documentation/output/rust/rustdoc/kernel/index.html'}")
