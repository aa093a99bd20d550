# SPDX-License-Identifier: GPL-2.0
"""Unpacks Debian's linux-source of a kernel series into the build folder.

It comes from trixie-backports, out of the archive that apt on this machine uses.
apt checks signatures and hashes; its own lists and settings stay as they are. The
cache keeps the package next to the hash that apt vouched for. While both agree, the
network is not needed.
"""

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


def archive_of(targets, codename):
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


def archive():
    """That of this machine."""
    codename = text_of("sh", "-c", ". /etc/os-release && printf %s \"$VERSION_CODENAME\"")
    return archive_of(text_of(
        "apt-get", "indextargets", "--format",
        "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(RELEASE)", "Created-By: Packages"), codename)


class Fetch:
    """One fetch of a target's series."""

    def __init__(self, target):
        self.target = target
        self.package = f"linux-source-{target.series}"
        self.source = target.build / "source"
        self.new = target.build / "source.new"
        self.stamp = target.build / "source.stamp"
        self.log = target.log / "fetch.log"
        self.tmp = target.cache / "fetch.tmp"
        self.deb = target.cache / f"{self.package}.deb"
        self.hash = target.cache / f"{self.package}.deb.sha256"

    def up_to_date(self):
        """Whether the source is there. The stamp has the series, and the package's hash."""
        if not self.stamp.is_file() or not (self.source / "Kbuild").is_file():
            return False
        words = self.stamp.read_text(encoding="ascii").split()
        return words[:1] == [self.target.series]

    def step(self, what, folder, work):
        """A step whose progress is the size of a folder."""
        def megabytes():
            size = text_of("du", "-sm", str(folder)).split("\t")[0]
            return f", {size} MB"
        return output.step("fetch", what, work, megabytes)

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
        uri = archive()
        if not uri:
            die(f"apt's sources name no Debian archive: add one to them, {OWN}")
        env = self.apt(uri)
        if not self.step(f"index of {SUITE}", self.tmp / "lists",
                         lambda: self.command("apt-get", "-q", "update", env=env)):
            die(f"{self.package} is not in the cache and the archive cannot be read "
                f"({self.cause()}): see that the network works, {OWN}; log in {self.log}")
        shown = text_of("apt-cache", "show", "--no-all-versions", self.package, env=env)
        fields = dict(re.findall(r"^(SHA256|Size): (.*)$", shown, re.MULTILINE))
        if "SHA256" not in fields:
            found = text_of("apt-cache", "search", "--names-only", "^linux-source-[0-9.]*$",
                            env=env)
            have = sorted(re.findall(r"^linux-source-([0-9.]*) ", found, re.MULTILINE),
                          key=lambda series: [int(part) for part in series.split(".") if part])
            die(f"the archive has no {self.package} in {SUITE} (it has: "
                f"{' '.join(have) or 'none'}): say SERIES={have[-1] if have else ''}, {OWN}")
        megabytes = int(fields["Size"]) // 1000000
        if not self.step(f"download of {self.package}, {megabytes} MB", self.tmp,
                         lambda: self.command("apt-get", "-q", "download", self.package,
                                              env=env, cwd=self.tmp)):
            die(f"{self.package} cannot be downloaded ({self.cause()}): try again, {OWN}; "
                f"log in {self.log}")
        deb = next(self.tmp.glob(f"{self.package}_*.deb"))
        have = sha256(deb)
        if have != fields["SHA256"]:
            die(f"{self.package} is damaged: try again, {OWN}")
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

    def unpack(self):
        """The package holds an archive that holds the source."""
        with open(self.log, "ab") as log:
            stages = (
                ["dpkg-deb", "--fsys-tarfile", self.deb],
                ["tar", "-xO", "--wildcards", "./usr/src/linux-source-*.tar.xz"],
                ["tar", "-xJ", "-C", self.new, "--strip-components=1"],
            )
            running, before = [], subprocess.DEVNULL
            for i, stage in enumerate(stages):
                process = subprocess.Popen(     # pylint: disable=consider-using-with
                    stage, stdin=before, stderr=log,
                    stdout=subprocess.PIPE if i < len(stages) - 1 else log,
                    env={**os.environ, "XZ_DEFAULTS": "-T0"})
                if i:
                    before.close()
                before = process.stdout
                running.append(process)
            for process in running:
                if process.wait():
                    raise subprocess.CalledProcessError(process.returncode, process.args)

    def run(self):
        """Fetches and unpacks."""
        if self.up_to_date():
            return
        if not re.fullmatch(r"[0-9.]+", self.target.series):
            die(f"SERIES={self.target.series} is no kernel series: say SERIES=7.3, {OWN}")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.target.cache.mkdir(parents=True, exist_ok=True)
        # One at a time; a second make finds the work done.
        with open(self.target.cache / ".fetch.lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.up_to_date():
                return
            self.log.write_bytes(b"")
            for folder in (self.tmp, self.new):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            try:
                self.replace()
            finally:
                for folder in (self.tmp, self.new):
                    shutil.rmtree(folder, ignore_errors=True)

    def replace(self):
        """Puts the new source where the old one was."""
        have = self.cached() or self.download()
        if not self.step(f"unpacking {self.package}", self.new, self.unpack):
            die(f"{self.package} cannot be unpacked, is there room for 2 GB in "
                f"{self.target.build}? Log in {self.log}")
        old = self.target.build / "source.old"
        shutil.rmtree(old, ignore_errors=True)
        self.stamp.unlink(missing_ok=True)
        if self.source.exists():
            self.source.rename(old)
        self.new.rename(self.source)
        self.stamp.write_text(f"{self.target.series} {have}\n", encoding="ascii")
        if old.exists():
            # It takes long, and no step depends on it.
            subprocess.Popen(["rm", "-rf", old],    # pylint: disable=consider-using-with
                             start_new_session=True, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def fetch(target):
    """See that the source of the target's series is there."""
    Fetch(target).run()
