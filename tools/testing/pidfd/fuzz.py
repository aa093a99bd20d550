# SPDX-License-Identifier: GPL-2.0
"""make fuzz: a fuzzer over all that takes a pidfd, on a kernel with KASAN and KCOV.

What it finds is in the build folder, in fuzz, and the lines of Rust that were never reached
are in fuzz/missed. Fails if the kernel complains, or if a call has a result that it
cannot have. The last line has the figures.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys

import build
import coverage
import guest
from output import Fault, USAGE, say
from target import TOP

SOURCE = TOP / "tools/pidfd/fuzz"
# KASAN and kmemleak are what counts here; with the rest an input takes seconds under emulation.
PARAMETERS = "nokaslr slub_debug=- no_debug_objects page_poison=0 lockdep.prove_locking=0"


def duration(text):
    """Seconds of 600, 10m or 1h."""
    found = re.fullmatch(r"([0-9]+)([hms]?)", text)
    if not found:
        raise Fault("fuzz", f"TIME={text} is no time", USAGE)
    return int(found[1]) * {"h": 3600, "m": 60}.get(found[2], 1)


def build_fuzzer(target, folder):
    """Builds the fuzzer, by cargo's own compiler: the kernel's may be older. Its path."""
    log = target.log / "fuzz-build.log"
    say("fuzz", f"building the fuzzer; log in {log}")
    env = {name: value for name, value in os.environ.items() if name not in ("RUSTC", "RUSTDOC")}
    with open(log, "wb") as out:
        status = subprocess.run(
            [target.tools.CARGO, "build", "--locked", "--release", "--manifest-path",
             SOURCE / "Cargo.toml", "--target-dir", folder / "target"],
            stdout=out, stderr=out, env=env, check=False).returncode
    if status:
        print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]),
              file=sys.stderr)
        raise Fault("fuzz", "the fuzzer cannot be built")
    return folder / "target/release/pidfd-fuzz"


class Tee:
    """Shows output, and keeps it."""

    def __init__(self, *sinks):
        self.sinks = sinks

    def write(self, data):
        """Writes to both."""
        for sink in self.sinks:
            sink.write(data)


def report_coverage(target, folder, asm):
    """What QEMU has translated, in the kernel and in the module, which is linked to where it was.
    What it calls elsewhere does not matter."""
    elf = folder / "module.elf"
    sections = (folder / "sections").read_text(encoding="utf-8").splitlines()
    with open(target.log / "fuzz-link.log", "wb") as log:
        subprocess.run([target.tools.llvm("ld.lld"), "--noinhibit-exec", *sections, "-o", elf,
                        target.module], stdout=log, stderr=log, check=False)
    found = coverage.measure(target, asm, [target.vmlinux, elf],
                             coverage.sources(leave_out=("pidfd_broken.rs",)))
    found.write_missed(folder / "missed")
    found.write_lcov(folder / "coverage.info")
    print("\n".join(f"coverage: {line}" for line in found.summary()))
    print("coverage: these lines were not reached; "
          "Documentation/pidfd/testing.rst gives the reasons")
    print("\n".join(found.missed()))


def replay(files):
    """How to run inputs again, as one would type it."""
    print("fuzz: to run that again: make LLVM=1 CONFIG_RUST=y fuzz "
          f"REPLAY='{' '.join(map(str, files))}'")


def fuzz(machine, time, seed="", inputs=()):
    """Fuzzes for some time; or runs inputs and prints their calls and results. Returns the exit
    status."""
    seconds = duration(time)
    build.apply(machine.target)
    target = machine.target.variant("debug", "kasan")
    build.variant(target)
    folder = target.build / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    target.log.mkdir(parents=True, exist_ok=True)
    fuzzer = build_fuzzer(target, folder)
    machine = machine.but(target=target, shared=str(folder),
                          append=machine.append or f"{target.arch.for_kasan} {PARAMETERS}")
    if inputs:
        files = [os.path.realpath(name) for name in inputs]
        return guest.run(machine.but(command=shlex.join([str(fuzzer), "--replay", *files])))
    return run(machine, folder, fuzzer, seconds, seed)


def run(machine, folder, fuzzer, seconds, seed):
    """One run of the fuzzer."""
    target = machine.target
    for path in (folder / "corpus", folder / "recent"):
        shutil.rmtree(path, ignore_errors=True)
    for path in (*folder.glob("wrong-*"), folder / "missed", folder / "sections"):
        path.unlink(missing_ok=True)
    asm, log = target.log / "fuzz.asm", target.log / "fuzz.log"
    words = shlex.join([str(fuzzer), "--dir", str(folder), "--corpus", str(SOURCE / "corpus"),
                        "--time", str(seconds), *(["--seed", seed] if seed else [])])
    command = f"""cd /sys/module/rust_pidfd/sections
grep . .*text | sed 's/^/--section-start=/;s/:/=/' >{shlex.quote(str(folder / 'sections'))}
{words} &&
{{ [ $(cat /sys/kernel/debug/rust_pidfd/created) -gt 0 ] ||
   {{ echo 'pidfd-fuzz: Rust made no pidfd'; false; }}; }} &&
rmmod rust_pidfd"""
    with open(log, "wb") as out:
        status = guest.run(machine.but(
            command=command, timeout=seconds + 600,
            qemu_options=("-d", "in_asm", "-dfilter", target.arch.code_and_modules,
                          "-D", str(asm))),
            Tee(guest.Descriptor(1), out))
    if status >= 128:
        return status   # Ctrl-C
    sections = folder / "sections"
    if sections.exists() and sections.stat().st_size:
        try:
            report_coverage(target, folder, asm)
        except (Fault, OSError, subprocess.SubprocessError) as fault:
            say("fuzz", f"no coverage: {fault}")
    asm.unlink(missing_ok=True)
    wrong = sorted(folder.glob("wrong-*"))
    if wrong:
        replay(wrong)
    elif status and (folder / "recent").is_dir():
        last = folder / "last"
        shutil.rmtree(last, ignore_errors=True)
        shutil.copytree(folder / "recent", last)
        print(f"fuzz: the guest failed with status {status}; what ran last comes last:")
        replay(sorted(last.iterdir(), key=lambda path: path.stat().st_mtime_ns))
    figures = re.findall(r"^pidfd-fuzz: (.* places covered)$",
                         log.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    print(f"fuzz: {figures[-1] if figures else 'nothing ran'}; "
          f"{'FAILED' if status else 'nothing wrong'}", flush=True)
    return 1 if status else 0
