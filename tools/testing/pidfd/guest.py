# SPDX-License-Identifier: GPL-2.0
"""Boots a target's kernel in a virtual machine and runs a command there.

The guest sees the host's files. It may change every one of them: the changes are
kept in the guest's memory and vanish with it. Only one folder is shared for writing.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import complaints
from output import CLOSED, Fault, USAGE
from target import HERE, Target

# The exit status is that of the command or of the shell, 128+N if signal N ended it, or:
COMPLAINT = 120     # the guest's kernel complained: panic, oops, BUG, WARN, stall, ...
TIMED_OUT = 124     # no end within the time
BROKEN = 125        # the guest did not boot, or went down before the command ended
NO_MODULE = 126     # the module could not be loaded
FAILURES = (USAGE, *range(COMPLAINT, NO_MODULE + 1))

REPORT = re.compile(r"pidfd-guest: (\w+) ?(.*)")


@dataclasses.dataclass(frozen=True)
class Machine:
    """A guest: a kernel, a machine, and a command to run in it."""

    target: Target
    # Given to bash -c as it is, with an empty standard input. None: a shell.
    command: str | None = None
    # These follow from the target, unless given.
    kernel: pathlib.Path | None = None
    module: pathlib.Path | None = None
    load: bool = True
    cpus: str = "2"
    memory: str = "2G"
    # Seconds; 0: none.
    timeout: str | int = 600
    # Seconds in which a boot may print nothing.
    quiet: str | int = 120
    # The command loads and unloads modules while their code is called.
    patches: bool = False
    # A folder of the host, shared writable at the same path.
    shared: str = ""
    # More kernel parameters, and more options for QEMU.
    append: str = ""
    qemu_options: tuple[str, ...] = ()
    # Where the kernel log goes.
    log: pathlib.Path | None = None

    def but(self, **changes):
        """The same with other settings."""
        return dataclasses.replace(self, **changes)

    def appending(self, words):
        """The same with these kernel parameters before the others."""
        return self.but(append=f"{words} {self.append}")


class Descriptor:
    """A file descriptor as a sink for bytes."""

    def __init__(self, number):
        self.number = number

    def write(self, data):
        """Writes all of it."""
        while data:
            data = data[os.write(self.number, data):]


def seconds(name, text):
    """The number that a setting has to be."""
    if not re.fullmatch(r"[0-9]+", str(text)):
        raise Fault("guest", f"{name}={text} is not a number of seconds", USAGE)
    return int(text)


def has_kvm(arch):
    """Whether the processor runs virtual machines. Some machines have a /dev/kvm that hangs."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    words = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return any(flag in words for flag in arch.kvm_flags)


def lock(path, wait):
    """Opens a log and locks it; None if another guest has it. The guest inherits the lock."""
    file = open(path, "ab")     # pylint: disable=consider-using-with
    for _ in range(wait * 10 + 1):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        time.sleep(0.1 if wait else 0)
    file.close()
    return None


class Log:
    """A kernel log with the reports of guest-init.sh."""

    def __init__(self, text):
        self.lines = text.split("\n")
        if not self.lines[-1]:
            self.lines.pop()
        self.reports = {}
        for line in self.lines:
            stamp = complaints.STAMP.match(line)
            found = stamp and REPORT.match(line, stamp.end())
            if found:
                self.reports[found[1]] = found[2]
        self.complaint = complaints.first(self.lines)

    def end(self):
        """The messages to show where a guest failed: from the first complaint on, or the last
        lines."""
        last = len(self.lines)
        first = self.complaint + 1 if self.complaint is not None else last - 30
        first = first - 10 if first > 10 else 1
        if last - first <= 200:
            return first, [self.lines[first - 1:]]
        return first, [self.lines[first - 1:first + 100], self.lines[last - 101:]]


def verdict(log, ended, interactive, timeout):
    """(exit status, message) of a guest by its log. A message of None: all is well. `ended` is
    None where time was up. A status of None: it went down during boot without a word."""
    up, failed, status = (log.reports.get(word) for word in ("up", "failed", "exit"))
    if log.complaint is not None and up:
        text = complaints.text_of(log.lines[log.complaint])
        return COMPLAINT, f"the kernel complained: {text}"
    if failed:
        return NO_MODULE if failed.startswith("cannot load") else BROKEN, failed
    if status:
        return int(status), None
    if ended is None:
        return TIMED_OUT, f"no end within TIMEOUT={timeout} seconds"
    if up:
        if interactive:
            return 0, None      # Ctrl-A X
        return BROKEN, "the guest went down before the command ended"
    if log.complaint is None and not interactive:
        return None, "the guest went down while it booted, and nothing says why; once more"
    return BROKEN, "the guest did not boot"


class Guest:
    """A guest that runs."""

    HINT = "leave with 'exit' or Ctrl-D; Ctrl-A X stops the guest at once"

    def __init__(self, machine, out, err):
        self.machine = machine
        self.target = machine.target
        self.out, self.err = out, err
        self.timeout = seconds("TIMEOUT", machine.timeout)
        self.quiet = seconds("QUIET", machine.quiet)
        self.kernel = machine.kernel or self.target.image
        self.module = (machine.module or self.target.module) if machine.load else None
        self.shared = ""
        self.check()
        self.folder = None      # temporary
        self.process = None

    def say(self, text):
        """One line for the user."""
        self.err.write(f"guest: {text}\n".encode())

    def check(self):
        """Finds settings that make no sense."""
        machine, fault = self.machine, lambda text: Fault("guest", text, USAGE)
        if machine.command is None:
            if not sys.stdin.isatty():
                raise fault("a shell needs a terminal; use CMD='...' without one")
        elif not machine.command:
            raise fault("CMD is empty: say what to run, CMD='uname -r'")
        if not os.access(self.kernel, os.R_OK):
            raise fault(f"no kernel at {self.kernel}: build it first")
        self.check_program()
        self.emulator = shutil.which(self.target.tools.QEMU or self.target.arch.emulator)
        if not self.emulator:
            raise fault("no QEMU: install it, or set QEMU")
        if self.module:
            if not os.access(self.module, os.R_OK):
                raise fault(f"no module at {self.module}: build it first, or MODULE=no")
            self.module = os.path.realpath(self.module)
        (self.target.build / "log").mkdir(parents=True, exist_ok=True)
        self.build = self.target.build.resolve()
        if re.match(r"/(dev|proc|run|sys)/", f"{self.build}/"):
            raise fault(f"the guest cannot see {self.build}: build elsewhere")
        if machine.shared:
            if not os.path.isdir(machine.shared):
                raise fault(f"DIR={machine.shared} is not a folder")
            self.shared = os.path.realpath(machine.shared)
            if re.search(r"[^a-zA-Z0-9_+/.-]", self.shared):
                raise fault(f"DIR={self.shared}: the name has characters virtme-ng cannot pass on")

    def check_program(self):
        """Finds the program that boots the guest."""
        vng = shutil.which(self.target.tools.VNG) or self.target.tools.VNG
        # vng would make a shell command of its options, in which a name with a space or a
        # comma falls apart, and has no option for a log of the console alone.
        self.virtme = pathlib.Path(vng).with_name("virtme-run")
        if not os.access(self.virtme, os.X_OK):
            raise Fault("guest", f"no virtme-run next to {vng}: install virtme-ng", USAGE)

    def open_log(self):
        """One log for each guest that runs at the same time."""
        if self.machine.log:
            # A guest that was stopped a moment ago may still have it.
            log = lock(self.machine.log, 10)
            if not log:
                raise Fault("guest", f"another guest writes to {self.machine.log}: stop it first",
                            USAGE)
        else:
            log, number = lock(self.build / "log/guest.log", 0), 2
            while not log:
                log = lock(self.build / f"log/guest.{number}.log", 0)
                number += 1
        log.truncate(0)
        return log

    def settings(self):
        """Writes the settings of guest-init.sh. Returns the program to start in the guest."""
        machine = self.machine
        (self.folder / "cmd").write_text(machine.command or "", encoding="utf-8",
                                         errors="surrogateescape")
        known = {
            "mode": "shell" if machine.command is None else "run",
            "module": self.module or "", "dir": self.shared, "cwd": os.getcwd(),
            "path": os.environ.get("PATH", ""), "home": os.environ.get("HOME", "/root"),
            "lang": os.environ.get("LC_ALL") or os.environ.get("LANG") or "C.UTF-8",
        }
        (self.folder / "settings").write_text(
            "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in known.items()),
            encoding="utf-8", errors="surrogateescape")
        start = self.folder / "start"
        init = shlex.join([str(HERE / "guest-init.sh"), str(self.folder)])
        start.write_text(f"#!/bin/bash\nexec bash {init}\n", encoding="utf-8")
        start.chmod(0o755)
        # What virtme-ng would have these do takes seconds under TCG, and no test needs it.
        (self.folder / "bin").mkdir()
        for name in ("systemd-tmpfiles", "udevadm"):
            (self.folder / "bin" / name).symlink_to("/bin/true")
        return start

    def command(self, start):
        """The command line of virtme-run."""
        machine = self.machine
        args = [self.virtme, "--mods", "none", "--kimg", self.kernel, "--cpus", machine.cpus,
                "--memory", machine.memory, "--force-9p", "--qemu-bin", self.emulator]
        if self.shared:
            args += ["--rwdir", self.shared]
        qemu = [*machine.qemu_options, "-no-reboot", "-pidfile", self.folder / "qemu.pid"]
        if not has_kvm(self.target.arch):
            args.append("--disable-kvm")
            # One emulated CPU may go on running code that another one has patched, such as
            # jump labels and static calls: "Oops: int3". Before QEMU 8.1 that is common; with
            # 10.0 it was seen once in some 800 loads of the module while pidfds were made.
            if machine.patches or self.emulator_version() < (8, 1):
                qemu += ["-accel", "tcg,thread=single"]
        # Without block devices the kernel takes no root for granted. No test changes the root
        # under the guest's feet, so it may cache what it read.
        parameters = [
            "root=/dev/root",
            "rootflags=version=9p2000.L,trans=virtio,access=any,msize=500000,cache=loose",
            "ignore_loglevel", "oops=panic", "panic=-1", f"PATH={self.folder / 'bin'}",
            *machine.append.split(),
        ]
        for word in parameters:
            args += ["--kopt", word]
        # virtme-ng writes the kernel's console to its standard error, so that is the log. Its
        # own ports for a script's output need udev in the guest, and truncate or overwrite an
        # output that is a file; these two do not.
        if machine.command is None:
            args += ["--shell", start]
        else:
            args += ["--show-boot-console", "--script-sh", f"exec {shlex.quote(str(start))}"]
            qemu += self.ports()
        return [str(word) for word in (*args, "--qemu-opts", *qemu)]

    def ports(self):
        """Options of QEMU: the ports through which the command's output comes."""
        folder = str(self.folder).replace(",", ",,")
        words = ["-device", "virtio-serial-pci,id=pidfd"]
        for port in ("out", "err"):
            words += ["-chardev", f"file,id=pidfd-{port},path={folder}/{port}", "-device",
                      f"virtserialport,bus=pidfd.0,name=pidfd.{port},chardev=pidfd-{port}"]
        return words

    def emulator_version(self):
        """(major, minor) of QEMU."""
        text = subprocess.run([self.emulator, "--version"], stdout=subprocess.PIPE, check=False,
                              encoding="utf-8").stdout
        found = re.search(r"([0-9]+)\.([0-9]+)", text)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def kill_emulator(self):
        """Stops QEMU at once."""
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.folder / "qemu.pid").read_text(encoding="ascii")), signal.SIGTERM)

    def stop(self):
        """Stops all processes of the guest that still run."""
        if self.process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
                return

    def watch(self, log):
        """Passes the command's output on until the guest ends. False: time was up."""
        start = time.monotonic()
        # In steps of the loop, so that it does not count while the machine sleeps.
        silent, size, up = 0, 0, False
        with open(self.folder / "out", "rb") as out, open(self.folder / "err", "rb") as err, \
             open(log, "rb") as kernel:
            while True:
                ended = self.process.poll() is not None
                for source, sink in ((out, self.out), (err, self.err)):
                    data = source.read()
                    if data:
                        sink.write(data)
                if ended:
                    return True
                if self.timeout and time.monotonic() - start > self.timeout:
                    self.stop()
                    return False
                # A boot that hangs, which an emulator may bring about.
                if not up:
                    now = os.fstat(kernel.fileno()).st_size
                    if now != size:
                        kernel.seek(0)
                        up = b"pidfd-guest: up" in kernel.read()
                        silent, size = 0, now
                    silent += 1
                    if silent > self.quiet * 10 and not up:
                        self.kill_emulator()
                        silent = 0
                time.sleep(0.1)

    def boot(self, log):
        """Runs the guest once. False: time was up."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="guest.", dir=self.build))
        try:
            command = self.command(self.settings())
            env = {**os.environ, "TMPDIR": str(self.folder)}
            if self.machine.command is None:
                self.say(self.HINT)
                with signal_ignored(signal.SIGINT):
                    with subprocess.Popen(command, stderr=log, env=env) as self.process:
                        self.process.wait()
                return True
            for port in ("out", "err"):
                (self.folder / port).touch()
            with open(self.folder / "virtme", "wb") as virtme, \
                 subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=virtme, stderr=log,
                                  env=env, process_group=0) as self.process:
                try:
                    return self.watch(log.name)
                finally:
                    self.stop()
        finally:
            self.kill_emulator()
            shutil.rmtree(self.folder, ignore_errors=True)

    def run(self):
        """Runs the guest, a second time if it went down during boot without a word. Returns
        the exit status."""
        for again in (False, True):
            with self.open_log() as log:
                ended = 0 if self.boot(log) else None
                data = pathlib.Path(log.name).read_bytes().replace(b"\r", b"")
                log.truncate(0)
                log.write(data)
            found = Log(data.decode(errors="replace"))
            status, message = verdict(found, ended, self.machine.command is None, self.timeout)
            if status is None and again:
                status, message = BROKEN, "the guest did not boot"
            if message:
                self.say(message)
            if status is None:
                continue
            if message:
                self.show(found, log.name)
            return status
        return BROKEN

    def show(self, log, name):
        """Shows the end of a kernel log."""
        last = len(log.lines)
        first, parts = log.end()
        self.say(f"kernel log, lines {first} to {last} of {last} in {name}:")
        for i, part in enumerate(parts):
            if i:
                self.say("[...]")
            self.err.write(("\n".join(part) + "\n").encode())


@contextlib.contextmanager
def signal_ignored(number):
    """Ignores a signal, in this process and in those that it starts meanwhile."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


def run(machine, out=None, err=None):
    """Boots a guest, and returns its exit status. `out` and `err` take the command's output,
    by default ours; `err` takes messages as well."""
    try:
        return Guest(machine, out or Descriptor(1), err or Descriptor(2)).run()
    except BrokenPipeError:
        return CLOSED
