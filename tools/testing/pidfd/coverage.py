# SPDX-License-Identifier: GPL-2.0
"""Which lines of Rust a guest has run.

QEMU logs with -d in_asm what it translates. It translates what it is about to run, and
nothing else, so an address in there was reached. The line tables of the kernel show which
lines these are. Tests in a file, from its #[kunit_tests] on, do not count.

A function that is inlined everywhere has a copy without a caller. What has code of its
own only there does not count if the function was run elsewhere: the head and the end of
it, and what went into one instruction with its neighbours.
"""

import collections
import itertools
import pathlib
import re
import subprocess

from output import Fault
from target import TOP

NO_CODE = re.compile(r"\s*((pub(\(\w+\))? )?(const )?(unsafe )?(extern \"C\" )?fn |[])}]+[;,]?$)")
ROW = re.compile(r"^(0x[0-9a-f]{16}) ", re.MULTILINE)


def rows(target, elf, files):
    """(file, line, address, function, copy) of each place in the line tables, and of each
    call by which it came to be inlined there. The copy is the function it is inlined in."""
    text = subprocess.run([target.tools.llvm("llvm-dwarfdump"), "--debug-line", elf],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    addresses = sorted(set(ROW.findall(text)))
    text = subprocess.run([target.tools.llvm("llvm-symbolizer"), "--inlines",
                           "--functions=linkage", "--obj", elf], input="\n".join(addresses) + "\n",
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    known = {}
    for address, frames in zip(addresses, text.strip("\n").split("\n\n"), strict=True):
        frames = frames.split("\n")
        for function, place in zip(frames[::2], frames[1::2], strict=True):
            path, line, _ = place.rsplit(":", 2)
            if path not in known:
                known[path] = next((f for f in files if path.endswith("/" + f)), None)
            if known[path] and line != "0":
                yield known[path], int(line), int(address, 16), function, frames[-2]


def reached(log):
    """Addresses of the instructions that were translated."""
    found = set()
    with open(log, encoding="ascii", errors="replace") as lines:
        for text in lines:
            if text.startswith("0x"):
                found.add(int(text[2:18], 16))
    return found


def ends(texts):
    """The line at which the code of a file ends and its tests begin."""
    for number, text in enumerate(texts, 1):
        if "kunit_tests(" in text:
            return number
    return len(texts) + 1


def sources(top=TOP, leave_out=()):
    """The files that count."""
    files = [*(top / "kernel/pidfd").glob("*.rs"), *(top / "rust/kernel").rglob("*.rs")]
    return sorted(str(path.relative_to(top)) for path in files
                  if path.name not in ("test_support.rs", *leave_out))


class Coverage:
    """{(file, line): whether it was run}, of the lines that have code."""

    def __init__(self, lines, texts):
        self.lines, self.texts = lines, texts

    def folders(self):
        """{folder: [lines, of these run]}"""
        found = collections.defaultdict(lambda: [0, 0])
        for (file, _), run in self.lines.items():
            one = found[str(pathlib.PurePath(*pathlib.PurePath(file).parts[:2]))]
            one[0] += 1
            one[1] += run
        return found

    def percent(self, folder):
        """How much of a folder was run, rounded down."""
        total, run = self.folders().get(folder, (1, 0))
        return int(100 * run / total)

    def summary(self):
        """A line for each folder."""
        return [f"{folder} {run} of {total} lines {100 * run / total:.1f} %"
                for folder, (total, run) in sorted(self.folders().items())]

    def missed(self):
        """The lines that were not run, with their text."""
        return [f"{file}:{line}:{self.texts[file][line - 1]}"
                for (file, line), run in sorted(self.lines.items()) if not run]

    def write_missed(self, path):
        """Writes these."""
        path.write_text("".join(f"{line}\n" for line in self.missed()), encoding="utf-8")

    def write_lcov(self, path, top=TOP):
        """Writes a tracefile of lcov, which genhtml draws."""
        with open(path, "w", encoding="utf-8") as out:
            out.write("TN:\n")
            for file, lines in itertools.groupby(sorted(self.lines.items()), lambda one: one[0][0]):
                lines = list(lines)
                out.write(f"SF:{top / file}\n")
                out.writelines(f"DA:{line},{int(run)}\n" for (_, line), run in lines)
                out.write(f"LF:{len(lines)}\nLH:{sum(run for _, run in lines)}\nend_of_record\n")


def measure(target, asm, elves, files):
    """The Coverage of `files`, named as in the tree, by QEMU's log. Each ELF, at the addresses of
    the guest, has line tables of the files."""
    texts = {file: (TOP / file).read_text(encoding="utf-8").split("\n") for file in files}
    end = {file: ends(text) for file, text in texts.items()}
    run = reached(asm)
    lines = collections.defaultdict(bool)
    within, copies = collections.defaultdict(set), collections.defaultdict(set)
    functions_run, copies_run = set(), set()
    places = itertools.chain(*(rows(target, elf, files) for elf in elves))
    for file, line, address, function, copy in places:
        if address in run:
            functions_run.add(function)
            copies_run.add(copy)
        if line < end[file] and not NO_CODE.match(texts[file][line - 1]):
            lines[file, line] |= address in run
            within[file, line].add(function)
            copies[file, line].add(copy)
    found = {place: was_run for place, was_run in lines.items()
             if was_run or copies[place] & copies_run or not within[place] & functions_run}
    if not found:
        raise Fault("coverage", "there are no line tables of these files")
    return Coverage(found, texts)
