# SPDX-License-Identifier: GPL-2.0
"""make system: a whole Debian on Rust pidfds. mmdebstrap makes a disk image with our packages, and
QEMU boots it, with systemd as process 1.

The image is only read: changes are kept in a temporary file and vanish with the guest. The guest
sees the host's files, read-only, in /run/host.
"""

import io
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

import archive
import build
import complaints
import guest
import package
from output import Fault, USAGE, say
from target import HERE

# The releases of Debian that RELEASE= takes.
RELEASES = ("trixie", "testing")
# What a Debian has that boots, for the tests that are part of make test.
BASE = ("dbus", "init", "initramfs-tools", "kmod", "libpam-systemd", "login", "passwd", "podman",
        "crun", "procps", "systemd", "udev", "util-linux")
# The file system of the image, which the kernel has to have, and the size of the image.
FILE_SYSTEM = {"small": "ext2", "debian": "ext4"}
SIZE = "8G"

# For the kernel: leave the module out.
LEFT_OUT = "module_blacklist=rust_pidfd"
# Scripts of questions.
PART = "system-test.sh"


def die(message, status=1):
    """Stops with one line."""
    raise Fault("system", message, status)


def apt_options():
    """The settings of this machine's apt that say how it reaches the network."""
    return [f"--aptopt={line}" for line in archive.text_of("apt-config", "dump").splitlines()
            if re.match("Acquire::(http|https|Retries)", line)]


def check_release(release):
    """Finds a release that does not exist."""
    if release not in RELEASES:
        die(f"RELEASE={release}: there are {' and '.join(RELEASES)}", USAGE)


class Image:
    """A disk image of a release, with packages of ours."""

    def __init__(self, target, release, packages, include=BASE):
        self.target, self.release = target, release
        self.packages, self.include = packages, include
        self.folder = target.build / "system" / f"{release}-{target.folder}"
        self.disk = self.folder / "disk.img"
        self.log = target.log / f"system-{release}.log"

    @property
    def recipe(self):
        """What the image is made of, as text."""
        made_of = (self.release, *self.include, *(path.name for path in self.packages))
        return " ".join(made_of) + "\n"

    def up_to_date(self):
        """Whether the image is there, and made of the packages as they are."""
        recipe = self.folder / "recipe"
        if not recipe.is_file() or recipe.read_text(encoding="utf-8") != self.recipe:
            return False
        when = recipe.stat().st_mtime_ns
        return all(path.stat().st_mtime_ns < when
                   for path in (*self.packages, HERE / "pidfd-guest.service", HERE / "system.py"))

    def hooks(self):
        """What mmdebstrap does in the new root, $1, when Debian's packages are installed."""
        debs = " ".join(shlex.quote(str(path)) for path in self.packages)
        disk, folder = shlex.quote(str(self.disk)), shlex.quote(str(self.folder))
        make = f"mke2fs -q -F -t {FILE_SYSTEM[self.target.config]} -d \"$0\" {disk} {SIZE}"
        return (
            "mkdir \"$1/var/tmp/packages\"",
            f"copy-in {debs} /var/tmp/packages",
            "chroot \"$1\" sh -c 'DEBIAN_FRONTEND=noninteractive apt-get install -y "
            "--no-install-recommends /var/tmp/packages/*.deb'",
            "rm -r \"$1/var/tmp/packages\"",
            f"copy-in {shlex.quote(str(HERE / 'pidfd-guest.service'))} /etc/systemd/system",
            "chroot \"$1\" passwd -q -d root",
            "echo debian >\"$1/etc/hostname\"",
            "echo 127.0.1.1 debian >>\"$1/etc/hosts\"",
            f"copy-out /boot {folder}",
            "rm -rf \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/archives/*.deb",
            # What is mounted for the packages is no part of the image.
            "unshare --mount sh -c 'for name in dev proc sys; do umount -R \"$0/$name\" || :; done "
            f"2>/dev/null; exec {make}' \"$1\"",
        )

    def make(self):
        """Makes the image, unless it is up to date."""
        if self.up_to_date():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.target.log.mkdir(parents=True, exist_ok=True)
        uri = archive.address()
        if not uri:
            die("apt's sources name no Debian archive: add one to them")
        command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(self.include)}",
                   "--format=null", *apt_options(),
                   *(f"--customize-hook={hook}" for hook in self.hooks()),
                   self.release, "/dev/null", f"deb {uri} {self.release} main"]
        start = time.monotonic()
        say("system", f"Debian {self.release} in {self.disk}; log in {self.log}")
        with open(self.log, "wb") as out:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    check=False).returncode
        if status:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            cause = next((line for line in lines if line.startswith("E:")), "")
            die(f"the image cannot be made ({cause}); see {self.log}")
        (self.folder / "recipe").write_text(self.recipe, encoding="utf-8")
        say("system", f"the image took {time.monotonic() - start:.0f} s")

    def one(self, pattern):
        """The only file of a name in the image's /boot."""
        found = sorted((self.folder / "boot").glob(pattern))
        if len(found) != 1:
            die(f"{self.folder}/boot has {len(found)} files {pattern}, not one")
        return found[0]


def packages_of(target):
    """The packages for an image, without compression."""
    return package.packages(target, target.build / "system" / f"packages-{target.folder}", "none")


class System(guest.Guest):
    """A Debian that runs."""

    HINT = "log in as root, without a password; 'poweroff' or Ctrl-A X ends it"

    def __init__(self, machine, image, out=None, err=None):
        self.image = image
        super().__init__(machine.but(kernel=image.one("vmlinuz-*"), load=False),
                         out or guest.Descriptor(1), err or guest.Descriptor(2))

    def check_program(self):
        """QEMU boots the image without virtme-ng."""

    def settings(self):
        """Leaves the command where the guest finds it."""
        (self.folder / "cmd").write_text(self.machine.command or "", encoding="utf-8",
                                         errors="surrogateescape")

    def command(self, start):
        """The command line of QEMU."""
        machine = self.machine
        parameters = ["root=/dev/vda", "rw", "console=ttyS0", "oops=panic", "panic=-1"]
        words = [self.emulator, "-machine", "q35", "-cpu", "max", "-smp", machine.cpus,
                 "-m", machine.memory, "-display", "none", "-no-reboot",
                 "-pidfile", self.folder / "qemu.pid",
                 "-drive", f"file={str(self.image.disk).replace(',', ',,')},if=virtio,format=raw,"
                 "snapshot=on",
                 "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,"
                 "multidevs=remap",
                 "-device", "virtio-rng-pci"]
        if guest.has_kvm(self.target.arch):
            words += ["-accel", "kvm"]
        elif machine.patches or self.emulator_version() < (8, 1):
            words += ["-accel", "tcg,thread=single"]
        if machine.command is None:
            words += ["-chardev", "stdio,mux=on,signal=off,id=console,logfile=/proc/self/fd/2,"
                      "logappend=on", "-serial", "chardev:console", "-monitor", "none"]
        else:
            # The console is the kernel's alone.
            parameters += ["ignore_loglevel", "systemd.show_status=no",
                           "systemd.mask=serial-getty@ttyS0.service",
                           "systemd.wants=pidfd-guest.service",
                           f"systemd.setenv=PIDFD_TOP={HERE}",
                           f"systemd.setenv=PIDFD_RUN={self.folder}"]
            words += ["-chardev", "file,id=console,path=/proc/self/fd/2,append=on",
                      "-serial", "chardev:console", *self.ports()]
        parameters += machine.append.split()
        words += ["-kernel", self.kernel, "-initrd", self.image.one("initrd.img-*"),
                  "-append", " ".join(parameters), *machine.qemu_options]
        return [str(word) for word in words]

    def login(self):
        """A login on the terminal. Returns the exit status."""
        with self.open_log() as log:
            self.boot(log)
            lines = pathlib.Path(log.name).read_text(encoding="utf-8", errors="replace")
        found = complaints.first(lines.replace("\r", "").split("\n"))
        if found is not None:
            self.say(f"the kernel complained; see line {found + 1} of {log.name}")
            return guest.COMPLAINT
        return 0


def answers(text):
    """({question: answer}, {question: answer of what served}) of system-test.sh."""
    found = ({}, {})
    which = 0
    for line in text.splitlines():
        if line == "served":
            which = 1
        elif ": " in line:
            question, _, answer = line.partition(": ")
            found[which][question] = answer
    return found


def differences(c, rust):
    """(question, answer with C, answer with Rust) of each that is not the same."""
    return [(question, c.get(question), rust.get(question))
            for question in (*c, *(name for name in rust if name not in c))
            if c.get(question) != rust.get(question)]


def judge(c, rust, tally):
    """Counts the answers, by question: the same on both, and what was wanted."""
    different = differences(c, rust)
    for question, answer in c.items():
        if question not in [name for name, *_ in different]:
            tally.check("(not " not in answer, f"system: {question}: {answer}")
    for question, before, after in different:
        tally.fail(f"system: {question}: with C {before}, with Rust {after}")


def ask(machine, image, script, name, append):
    """Boots once and runs a script. Returns its answers, or a Fault."""
    log = image.target.log
    messages, output = io.BytesIO(), log / f"system-{name}.log"
    with open(output, "wb") as out:
        one = machine.but(command=f"exec /run/host{HERE}/{script}", load=False,
                          log=log / f"system-{name}.dmesg", append=f"{append} {machine.append}")
        status = System(one, image, out, messages).run()
    if status:
        text = messages.getvalue().decode(errors="replace")
        raise Fault("system", f"a Debian on {name} pidfds ended with status {status}; see {output} "
                    f"and {one.log}\n{text}")
    return answers(output.read_text(encoding="utf-8", errors="replace"))


def compare(machine, image, script, tally):
    """Asks the same of a Debian on C pidfds and of one on Rust pidfds. Every difference fails."""
    try:
        c, by_c = ask(machine, image, script, "C", LEFT_OUT)
        rust, by_rust = ask(machine, image, script, "Rust", "")
    except Fault as fault:
        print(fault)
        tally.fail("system: a Debian did not answer")
        return
    judge(c, rust, tally)
    made, held = by_rust.get("created", ""), by_rust.get("pidfds of process 1", "")
    switched = by_rust.get("created while C was on")
    tally.check(by_c.get("module") == "not loaded" and "module_blacklist=" in by_c.get("log", ""),
                f"system: the kernel's command line leaves the module out: {by_c.get('log')}")
    tally.check(made.isdigit() and int(made) > 100 and held.isdigit() and int(held) > 0,
                f"system: Rust made {made} pidfds, and process 1 holds {held}")
    tally.check(switched == "0", f"system: Rust made {switched} pidfds while C was on")


def run(machine, release):
    """make system. Returns the exit status."""
    target = machine.target
    check_release(release)
    if machine.command is None and not sys.stdin.isatty():
        die("a login needs a terminal; use CMD='...' without one", USAGE)
    build.kernel(target)
    image = Image(target, release, packages_of(target)[1:])
    image.make()
    one = System(machine, image)
    return one.login() if machine.command is None else one.run()
