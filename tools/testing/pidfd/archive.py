# SPDX-License-Identifier: GPL-2.0
"""Fetches packages of Debian's kernel from trixie-backports, out of the archive that apt on this
machine uses.

apt checks signatures and hashes; its own lists and settings stay as they are. The
cache keeps a package next to the hash that apt vouched for. While both agree, the
network is not needed.
"""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import output
from output import Fault

SUITE = "trixie-backports"
KEYRING = pathlib.Path("/usr/share/keyrings/debian-archive-keyring.gpg")
OWN = "or use your own source with KERNEL_SRC=DIR"

# Hooks of the machine's apt do not run, and nothing is written outside our folder.
FOREIGN = re.compile(r"(APT::Update::(Pre|Post)-Invoke|DPkg::(Pre|Post)-)"
                     r"|Dir::Etc::(main|parts|source)|Dir::(State|Cache)")
OUR_APT = """\
Dir::Etc::Main "/dev/null";
Dir::Etc::Parts "/dev/null";
Dir::Etc::SourceList "{0}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State "{0}";
Dir::State::Lists "{0}/lists";
Dir::State::status "{0}/status";
Dir::Cache "{0}/cache";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Retries "2";
"""


def die(message):
    """Stops with one line."""
    raise Fault("fetch", message)


def sha256(path):
    """The hash of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_of(*command, env=None):
    """The output of a command; nothing if it cannot be run."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=False, encoding="utf-8", env=env).stdout
    except OSError:
        return ""


def address_of(targets, codename):
    """The address of the Debian archive, by the origin in apt's lists, or by the suite's name
    if apt has no lists yet. `targets` are lines of URI|origin|label|component|release."""
    guess = ""
    for line in targets.splitlines():
        uri, origin, label, component, release = line.split("|")
        if uri.startswith(("cdrom:", "copy:")) or component != "main":
            continue
        if (origin, label) == ("Debian", "Debian"):
            return uri
        if not origin and (release == codename or
                           re.match(r"((old)?stable|testing|sid|unstable)$", release)):
            guess = guess or uri
    return guess


def address():
    """That of this machine."""
    codename = text_of("sh", "-c", ". /etc/os-release && printf %s \"$VERSION_CODENAME\"")
    return address_of(text_of(
        "apt-get", "indextargets", "--format",
        "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(RELEASE)", "Created-By: Packages"), codename)


def step(what, folder, work):
    """A step whose progress is the size of a folder."""
    def megabytes():
        size = text_of("du", "-sm", str(folder)).split("\t")[0]
        return f", {size} MB"
    return output.step("fetch", what, work, megabytes)


@contextlib.contextmanager
def locked(target):
    """One fetch at a time; a second one finds the work done."""
    target.log.mkdir(parents=True, exist_ok=True)
    target.cache.mkdir(parents=True, exist_ok=True)
    with open(target.cache / ".fetch.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Package:
    """A package of Debian's kernel whose name ends with the target's series: linux-source, or
    linux-config. The methods need the lock."""

    def __init__(self, target, name):
        self.series = target.series
        self.name = f"{name}-{target.series}"
        self.log = target.log / "fetch.log"
        self.tmp = target.cache / "fetch.tmp"
        self.deb = target.cache / f"{self.name}.deb"
        self.hash = target.cache / f"{self.name}.deb.sha256"

    def check(self):
        """Finds a series that cannot be the name of a package."""
        if not re.fullmatch(r"[0-9.]+", self.series):
            die(f"SERIES={self.series} is no kernel series: say SERIES=7.3, {OWN}")

    def command(self, *words, env=None, cwd=None):
        """Runs a command; its output goes to the log."""
        with open(self.log, "ab") as log:
            subprocess.run(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
                           env=env, cwd=cwd)

    def cause(self):
        """The first error of apt."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return next((line for line in lines if line.startswith("E:")), "")

    def apt(self, uri):
        """The environment in which apt has the machine's settings (its proxies, for one) without
        its hooks, and writes to our folder only."""
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.tmp / folder).mkdir(parents=True)
        (self.tmp / "status").touch()
        (self.tmp / "sources.list").write_text(
            f"deb [target=Packages signed-by={KEYRING}] {uri} {SUITE} main\n", encoding="utf-8")
        settings = [line for line in text_of("apt-config", "dump").splitlines()
                    if not FOREIGN.match(line)]
        (self.tmp / "apt.conf").write_text(
            "\n".join(settings) + "\n" + OUR_APT.format(self.tmp), encoding="utf-8")
        return {**os.environ, "APT_CONFIG": str(self.tmp / "apt.conf")}

    def download(self):
        """Brings the package into the cache. Returns its hash."""
        if not shutil.which("apt-get") or not os.access(KEYRING, os.R_OK):
            die("no Debian with apt and the debian-archive-keyring here: use KERNEL_SRC=DIR")
        uri = address()
        if not uri:
            die(f"apt's sources name no Debian archive: add one to them, {OWN}")
        env = self.apt(uri)
        if not step(f"index of {SUITE}", self.tmp / "lists",
                    lambda: self.command("apt-get", "-q", "update", env=env)):
            die(f"{self.name} is not in the cache and the archive cannot be read "
                f"({self.cause()}): see that the network works, {OWN}; log in {self.log}")
        shown = text_of("apt-cache", "show", "--no-all-versions", self.name, env=env)
        fields = dict(re.findall(r"^(SHA256|Size): (.*)$", shown, re.MULTILINE))
        if "SHA256" not in fields:
            found = text_of("apt-cache", "search", "--names-only", "^linux-source-[0-9.]*$",
                            env=env)
            have = sorted(re.findall(r"^linux-source-([0-9.]*) ", found, re.MULTILINE),
                          key=lambda series: [int(part) for part in series.split(".") if part])
            die(f"the archive has no {self.name} in {SUITE} (it has: "
                f"{' '.join(have) or 'none'}): say SERIES={have[-1] if have else ''}, {OWN}")
        megabytes = max(1, int(fields["Size"]) // 1000000)
        if not step(f"download of {self.name}, {megabytes} MB", self.tmp,
                    lambda: self.command("apt-get", "-q", "download", self.name,
                                         env=env, cwd=self.tmp)):
            die(f"{self.name} cannot be downloaded ({self.cause()}): try again, {OWN}; "
                f"log in {self.log}")
        deb = next(self.tmp.glob(f"{self.name}_*.deb"))
        have = sha256(deb)
        if have != fields["SHA256"]:
            die(f"{self.name} is damaged: try again, {OWN}")
        self.hash.unlink(missing_ok=True)
        # The cache and its temporary folder are on one file system.
        deb.rename(self.deb)
        (self.tmp / "sha256").write_text(have + "\n", encoding="ascii")
        (self.tmp / "sha256").rename(self.hash)
        return have

    def cached(self):
        """The hash of the cached package, if apt vouched for it."""
        if not self.deb.is_file() or not self.hash.is_file():
            return None
        want = self.hash.read_text(encoding="ascii").strip()
        if sha256(self.deb) != want:
            output.say("fetch", f"{self.deb} is damaged, will fetch it again")
            return None
        return want

    def get(self, newest=False):
        """Sees that the package is in the cache, and the newest one if that is wanted. Returns its
        hash."""
        self.check()
        self.log.write_bytes(b"")
        shutil.rmtree(self.tmp, ignore_errors=True)
        self.tmp.mkdir()
        try:
            return (None if newest else self.cached()) or self.download()
        finally:
            shutil.rmtree(self.tmp, ignore_errors=True)

    def unpack(self, *stages, out=None):
        """Pipes the package's archive of files through commands. The last one writes to `out`, a
        file, or to the log."""
        with open(self.log, "ab") as log:
            running, before = [], subprocess.DEVNULL
            stages = (["dpkg-deb", "--fsys-tarfile", self.deb], *stages)
            for i, stage in enumerate(stages):
                process = subprocess.Popen(     # pylint: disable=consider-using-with
                    stage, stdin=before, stderr=log,
                    stdout=subprocess.PIPE if i < len(stages) - 1 else out or log,
                    env={**os.environ, "XZ_DEFAULTS": "-T0"})
                if i:
                    before.close()
                before = process.stdout
                running.append(process)
            for process in running:
                if process.wait():
                    raise subprocess.CalledProcessError(process.returncode, process.args)
