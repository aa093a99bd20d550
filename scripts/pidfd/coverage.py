#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Which lines of Rust a guest has run.

coverage.py --elf ELF [--elf ELF]... --tools DIR --asm LOG [--missed FILE] FILE...

LOG is what QEMU writes with -d in_asm: it translates what it is about to run, and
nothing else, so an address in there was reached. Each ELF, at the addresses of the
guest, has line tables of the FILEs, named as in the tree; in DIR/, with the slash, are
llvm-dwarfdump and llvm-symbolizer. Tests in a FILE, from its #[kunit_tests] on, do not
count.

A function that is inlined everywhere has a copy that nobody calls. What has code of
its own only there does not count if the function was run elsewhere: the head and the
end of it, and what went into one instruction with its neighbours.

Prints for each directory how many of the lines that have code were run, and puts
those that were not, with their text, into the other FILE.
"""

import argparse
import collections
import itertools
import pathlib
import re
import subprocess
import sys

NO_CODE = re.compile(r"\s*((pub(\(\w+\))? )?(const )?(unsafe )?(extern \"C\" )?fn |[])}]+[;,]?$)")
ROW = re.compile(r"^(0x[0-9a-f]{16}) ", re.MULTILINE)


def rows(tools, elf, files):
    """(file, line, address, function, copy) of each place in the line tables, and of each
    call by which it came to be inlined there. The copy is the function it is inlined in."""
    text = subprocess.run([f"{tools}llvm-dwarfdump", "--debug-line", elf],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    addresses = sorted(set(ROW.findall(text)))
    text = subprocess.run([f"{tools}llvm-symbolizer", "--inlines", "--functions=linkage",
                           "--obj", elf], input="\n".join(addresses) + "\n",
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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--elf", required=True, action="append")
    parser.add_argument("--tools", default="")
    parser.add_argument("--asm", required=True)
    parser.add_argument("--missed")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()

    texts = {f: pathlib.Path(f).read_text(encoding="utf-8").split("\n") for f in args.files}
    end = {f: ends(t) for f, t in texts.items()}
    run = reached(args.asm)
    lines = collections.defaultdict(bool)
    within, copies = collections.defaultdict(set), collections.defaultdict(set)
    functions_run, copies_run = set(), set()
    places = itertools.chain(*(rows(args.tools, elf, args.files) for elf in args.elf))
    for file, line, address, function, copy in places:
        if address in run:
            functions_run.add(function)
            copies_run.add(copy)
        if line < end[file] and not NO_CODE.match(texts[file][line - 1]):
            lines[file, line] |= address in run
            within[file, line].add(function)
            copies[file, line].add(copy)
    lines = {place: was_run for place, was_run in lines.items()
             if was_run or copies[place] & copies_run or not within[place] & functions_run}
    if not lines:
        sys.exit("coverage: there are no line tables of these files")

    total, hit = collections.Counter(), collections.Counter()
    for (file, _), was_run in lines.items():
        where = str(pathlib.PurePath(*pathlib.PurePath(file).parts[:2]))
        total[where] += 1
        hit[where] += was_run
    if args.missed:
        with open(args.missed, "w", encoding="utf-8") as out:
            for (file, line), was_run in sorted(lines.items()):
                if not was_run:
                    out.write(f"{file}:{line}:{texts[file][line - 1]}\n")
    for where, n in sorted(total.items()):
        print(f"{where} {hit[where]} of {n} lines {100 * hit[where] / n:.1f}")


if __name__ == "__main__":
    main()
