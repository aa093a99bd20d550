# SPDX-License-Identifier: GPL-2.0
"""Checks the models in tools/pidfd/models with spin: everything that can happen in them,
and that spin finds each mistake, a MISTAKE_... that a model names."""

import re
import shutil
import subprocess

from output import Fault
from target import TOP

MODELS = TOP / "tools/pidfd/models"
SECONDS = 300


def properties(model):
    """What to check in a model: a word, and options for spin. "ends" is about something that has
    to happen some time, if all processes get to run."""
    yield "safety", []
    if model == "provider":
        yield "switch", ["-DSWITCH"]
        yield "ends", ["-DFOREVER"]


def by_name(found, mistake):
    """The properties, first the one that the name of a mistake begins with: it takes minutes to
    check one that a mistake does not break."""
    return sorted(found, key=lambda one: not mistake.startswith(one[0]))


def check(folder, compiler, path, property_, options):
    """What spin's verifier prints."""
    compile_, verify = "-DSAFETY", []
    if property_ == "ends":
        compile_, verify = "-DNFAIR=3", ["-a", "-f"]
    # A mistake is found soon.
    optimize = "-O0" if any("MISTAKE" in word for word in options) else "-O1"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(path, folder)
    said = ""
    for words in (["spin", "-a", *options, path.name],
                  [compiler, "-w", optimize, "-DCOLLAPSE", "-DVECTORSZ=2048", compile_, "pan.c",
                   "-o", "pan"],
                  ["./pan", "-m100000", "-w22", *verify]):
        try:
            done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, check=False,
                                  stderr=subprocess.STDOUT, encoding="utf-8", errors="replace",
                                  timeout=SECONDS)
        except subprocess.TimeoutExpired:
            return said + f"no end within {SECONDS} seconds\n"
        said += done.stdout
        if done.returncode:
            break
    return said


def verified(property_, said):
    """Nothing is wrong, nothing was left out, and every process that has an end can come to it."""
    return (re.search("errors: 0$", said, re.MULTILINE) is not None and
            not re.search("max search depth too small|Search not completed", said) and
            (property_ == "ends" or '"-end-"' not in said))


def run(target, tally):
    """Checks all models."""
    if not shutil.which("spin"):
        raise Fault("models", "spin is missing; Debian has it: apt-get install spin")
    folder = target.build / "models"
    compiler = shutil.which(target.tools.llvm("clang")) or "cc"

    def bad(what, said):
        print("".join(f"# {line}\n" for line in said.splitlines()), end="")
        tally.fail(what)

    for path in sorted(MODELS.glob("*.pml")):
        model = path.stem
        for property_, options in properties(model):
            said = check(folder, compiler, path, property_, options)
            states = re.search(r"^ *(\S+) states, stored", said, re.MULTILINE)
            if verified(property_, said):
                tally.ok(f"{model} {property_}: {states[1] if states else 'no'} states")
            else:
                bad(f"{model} {property_}", said)
        for mistake in sorted(set(re.findall("MISTAKE_[A-Z_]*", path.read_text(encoding="utf-8")))):
            name, found, said = mistake.removeprefix("MISTAKE_").lower(), None, ""
            for property_, options in by_name(properties(model), name):
                said = check(folder, compiler, path, property_, [*options, f"-D{mistake}"])
                found = re.search(r"^pan:1: (.*) \(at depth", said, re.MULTILINE)
                if found:
                    break
            if found:
                tally.ok(f"{model}: finds {name}: {found[1]}")
            else:
                bad(f"{model}: finds {name}", said)
