# SPDX-License-Identifier: GPL-2.0
"""What a user types and sees, in TAP. Needs a built kernel."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import build
import hooks
from output import Fault
from target import HERE, TOP

# Nothing of this run's settings.
OURS = ("LLVM", "CONFIG_RUST", "CMD", "MODULE", "DIR", "TIMEOUT", "APPEND", "KERNEL", "MODULE_KO",
        "MAKEFLAGS", "MAKELEVEL", "TESTS", "ROUNDS", "LSM")
MAKE = re.compile(r"make(\[[0-9]+\])?: ")


class Door:
    """Makes goals as a user does, and compares the output."""

    def __init__(self, target, tmp, log):
        self.target, self.tmp, self.log = target, tmp, log
        self.cases = 0
        self.out = self.err = ""
        self.status = 0

    def door(self, *words, **env):
        """Calls make."""
        source = [f"KERNEL_SRC={self.target.kernel_src}"] if self.target.kernel_src else []
        clean = {name: value for name, value in os.environ.items() if name not in OURS}
        done = subprocess.run(
            ["make", "-s", "-C", TOP, f"BUILD={self.target.build}", *source, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**clean, **env}, check=False)
        self.out = done.stdout.decode(errors="replace")
        self.err = done.stderr.decode(errors="replace")
        self.status = done.returncode

    def make(self, *words, **env):
        """Calls make as the README has it."""
        self.door("LLVM=1", "CONFIG_RUST=y", *words, **env)

    def catch(self, function, *args):
        """Calls a function of this program. `err` gets the line that it would print."""
        self.out = self.err = ""
        try:
            function(*args)
        except Fault as fault:
            self.err = f"{fault}\n"

    def is_(self, name, good):
        """One case."""
        self.cases += 1
        if not good:
            for stream, text in (("out", self.out), ("err", self.err)):
                self.log.writelines(f"# {stream}: {line}\n" for line in text.splitlines())
        self.log.write(f"{'' if good else 'not '}ok {self.cases} {name}\n")
        self.log.flush()

    def one_line(self, words):
        """Whether it failed with one line, which has the words."""
        lines = [line for line in self.err.splitlines() if not MAKE.match(line)]
        return len(lines) == 1 and words in lines[0] and not self.out

    def make_line(self, words):
        """The same, from make itself."""
        return self.err.count("\n") == 1 and words in self.err


def messages(door):
    """What is wrong is one line."""
    tmp, build_ = door.tmp, door.target.build
    door.door("CONFIG_RUST=y")
    door.is_("without LLVM=1 it says what to type", door.make_line("make LLVM=1 CONFIG_RUST=y"))
    door.door("LLVM=1", "CONFIG_RUST=n")
    door.is_("with CONFIG_RUST=n it says what to type", door.make_line("make LLVM=1 CONFIG_RUST=y"))
    door.door("help")
    door.is_("help needs nothing", "KERNEL_SRC=DIR" in door.out)

    door.make("SETUP=no", f"BUILD={tmp}/build", "modules")
    door.is_("SETUP=no lists what is missing in a new build folder, and installs nothing",
             door.err.startswith("setup: SETUP=no; this is missing:\n") and
             not (tmp / "build/venv").exists())
    door.make(f"KERNEL_SRC={tmp}/none")
    door.is_("KERNEL_SRC that does not exist is one line", door.one_line("is no directory"))
    door.make(f"KERNEL_SRC={tmp}")
    door.is_("KERNEL_SRC that is no kernel is one line",
             door.one_line("is not a kernel source tree"))
    door.is_("and the kernel built before is still there",
             (build_ / "kernel/Module.symvers").is_file())
    done = subprocess.run([sys.executable, HERE / "pidfd.py", "unit-tests"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", check=False)
    door.out, door.err = done.stdout, ""
    door.is_("the tool passes its unit tests", done.returncode == 0)
    door.make("bench", "ICOUNT=maybe")
    door.is_("bench with ICOUNT that makes no sense is one line",
             door.one_line("ICOUNT=maybe is neither yes nor no"))
    door.make("bench", "LSM=landlock,selinus")
    door.is_("bench with a security module that does not exist is one line",
             door.one_line("selinus is not a security module"))
    door.make("CONFIG=debain")
    door.is_("a configuration that does not exist is one line",
             door.one_line("CONFIG=debain: there are small and debian"))
    door.make("system", "CONFIG=small", "RELEASE=trixy", "CMD=true")
    door.is_("a release that does not exist is one line",
             door.one_line("RELEASE=trixy: there are trixie and testing"))
    door.make("system", "CONFIG=small")
    door.is_("a login without a terminal is one line", door.one_line("a login needs a terminal"))
    door.make("test", "TESTS=kunit upstrem")
    door.is_("test with a part that does not exist is one line",
             door.one_line("upstrem is not a part"))
    door.make("test-debug", "TESTS=kunit upstrem")
    door.is_("so it is for test-debug, before anything is built",
             door.one_line("upstrem is not a part"))
    door.make("modules")
    door.is_("modules without KDIR is one line", door.one_line("KDIR=DIR"))
    door.make("modules", f"KDIR={tmp}")
    door.is_("modules with KDIR that is no kernel is one line", door.one_line("no Module.symvers"))
    (tmp / "Module.symvers").touch()
    door.make("modules", f"KDIR={tmp}")
    door.is_("modules with KDIR that has no hooks is one line", door.one_line("no pidfd hooks"))

    # A tree in which a hook does not match.
    source, tree = build.applied_source(door.target), tmp / "tree"
    for file in hooks.changed_files():
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / file, tree / file)
    fork = tree / "kernel/fork.c"
    fork.write_text(fork.read_text(encoding="utf-8").replace(
        "put_user(pidfd, args->pidfd)", "put_user(args->pidfd, pidfd)"), encoding="utf-8")
    door.catch(hooks.check, tree, door.target.tools.SPATCH)
    door.is_("a hook that does not match is one line with rule and file", door.one_line(
        "clone.cocci puts 'pidfd_provider_clone(' into kernel/fork.c 0 times"))


def guests(door):
    """What make guest does."""
    tmp = door.tmp

    def guest(command, *words, **env):
        door.make("guest", *words, f"CMD={command}", **env)

    guest("uname -r")
    door.is_("uname -r prints its one line and nothing else",
             door.out.count("\n") == 1 and not door.err)
    guest("echo out; echo err >&2; exit 42")
    door.is_("output is passed through, apart",
             door.out == "out\n" and door.err.startswith("err\n"))
    door.is_("the exit status comes back", "Error 42" in door.err)
    guest("v=$HOME; echo \"a  $v 'q'\"; echo `echo b`")
    home = os.environ.get("HOME", "/root")
    door.is_("a command is taken as it is", door.out == f"a  {home} 'q'\nb\n")
    guest("touch pidfd-was-here && ls pidfd-was-here")
    door.is_("the working directory can be written to, and the host's is not",
             door.out == "pidfd-was-here\n" and not (TOP / "pidfd-was-here").exists())
    guest(f"echo hello >{tmp}/shared", f"DIR={tmp}")
    shared = tmp / "shared"
    door.is_("DIR can be written to", shared.exists() and shared.read_text() == "hello\n")
    guest("lsmod | grep -c ^rust_pidfd")
    door.is_("the module is loaded", door.out == "1\n")
    guest("lsmod | grep -c ^rust_pidfd", "MODULE=no")
    door.is_("MODULE=no leaves it out", door.out == "0\n")
    guest("nproc", "CPUS=3", "MEM=1G")
    door.is_("CPUS is the number of processors", door.out == "3\n")
    guest('echo "<4>WARNING: test at test" >/dev/kmsg')
    door.is_("a complaint of the kernel fails, and is shown",
             door.status and "WARNING: test at test" in door.err)
    guest('echo "<4>BUG: KCSAN: data-race in do_exit / __x64_sys_wait4" >/dev/kmsg')
    door.is_("but not a data race that C has with itself", door.status == 0)
    guest('echo "<4>BUG: KCSAN: data-race in do_exit / pidfd_poll" >/dev/kmsg')
    door.is_("one with a pidfd does", "KCSAN: data-race in" in door.err)
    guest("echo c >/proc/sysrq-trigger; sleep 60")
    door.is_("a panic fails, and is shown", "Kernel panic" in door.err)
    guest("sleep 1000", "TIMEOUT=20")
    door.is_("a hang fails", "TIMEOUT=20" in door.err)
    # QEMU does not start the processor.
    guest("true", QEMU_OPTS="-S", QUIET="3")
    door.is_("so does a boot that hangs, after a second try", "the guest did not boot" in door.err)


def modules(door):
    """The modules alone, and the layout guard."""
    build_ = door.target.build
    door.make("modules", f"KDIR={door.target.objects}", f"BUILD={os.path.relpath(build_, TOP)}")
    module = build_ / "modules/kernel/pidfd/rust_pidfd.ko"
    door.is_("the modules build against a built kernel, into a relative build folder",
             str(module) in door.out.splitlines())
    door.make("guest", "MODULE=no", f"CMD=insmod {module} && lsmod | grep -c ^rust_pidfd")
    door.is_("and the result loads", door.out == "1\n")

    # The configuration in which bindgen loses an alignment.
    log = build.misconfigured(door.target)
    door.out = door.err = ""
    door.is_("the layout guard stops the build and names what differs", log.exists() and re.search(
        r"C and Rust disagree on .* struct task_struct",
        log.read_text(encoding="utf-8", errors="replace")))


def run(target, log):
    """All of it, as TAP into a log."""
    with tempfile.TemporaryDirectory(prefix="frontdoor.", dir=target.build) as tmp:
        door = Door(target, pathlib.Path(tmp), log)
        log.write("TAP version 13\n")
        messages(door)
        guests(door)
        modules(door)
        log.write(f"1..{door.cases}\n")


def unit_tests():
    """Runs the tool's unit tests. Returns the exit status."""
    suite = unittest.defaultTestLoader.discover(str(HERE), "*_test.py")
    return 0 if unittest.TextTestRunner(verbosity=0).run(suite).wasSuccessful() else 1
