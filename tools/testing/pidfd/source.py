# SPDX-License-Identifier: GPL-2.0
"""Unpacks Debian's source of a kernel series, and Debian's configurations of it, into the build
folder."""

import re
import shutil
import subprocess

import archive
from archive import OWN, Package, die


def stamped(target):
    """The hash of the package whose source is there, if that is of the target's series."""
    stamp = target.build / "source.stamp"
    if not stamp.is_file() or not (target.build / "source/Kbuild").is_file():
        return None
    words = stamp.read_text(encoding="ascii").split()
    return words[-1] if words[:1] == [target.series] else None


def replace(target):
    """Puts the new source where the old one was."""
    package = Package(target, "linux-source")
    have = package.get(target.update)
    if have == stamped(target):
        return
    source, new = target.build / "source", target.build / "source.new"
    old, stamp = target.build / "source.old", target.build / "source.stamp"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        # The package holds an archive that holds the source.
        if not archive.step(f"unpacking {package.name}", new, lambda: package.unpack(
                ["tar", "-xO", "--wildcards", "./usr/src/linux-source-*.tar.xz"],
                ["tar", "-xJ", "-C", new, "--strip-components=1"])):
            die(f"{package.name} cannot be unpacked, is there room for 2 GB in "
                f"{target.build}? Log in {package.log}")
        shutil.rmtree(old, ignore_errors=True)
        stamp.unlink(missing_ok=True)
        # Its time stamps say nothing about objects of the old one, so build.py starts anew.
        (target.build / "patched").unlink(missing_ok=True)
        if source.exists():
            source.rename(old)
        new.rename(source)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    stamp.write_text(f"{target.series} {have}\n", encoding="ascii")
    if old.exists():
        # It takes long, and no step depends on it.
        subprocess.Popen(["rm", "-rf", old],    # pylint: disable=consider-using-with
                         start_new_session=True, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def fetch(target):
    """Sees that the source of the target's series is there."""
    if stamped(target) and not target.update:
        return
    with archive.locked(target):
        if not stamped(target) or target.update:
            replace(target)


def configuration(target):
    """The path of Debian's configuration of the target's flavour."""
    path = target.build / f"config-{target.series}-{target.flavour}"
    if path.is_file() and not target.update:
        return path
    with archive.locked(target):
        package = Package(target, "linux-config")
        package.get(target.update)
        listed = archive.text_of("dpkg-deb", "--contents", str(package.deb))
        start = f"config.{target.arch.debian}_none_"
        flavours = re.findall(rf"/{re.escape(start)}([^/]*)\.xz$", listed, re.MULTILINE)
        if target.flavour not in flavours:
            die(f"FLAVOUR={target.flavour} is not a flavour of Debian's kernel {target.series}; "
                f"it has: {' '.join(sorted(flavours)) or 'none'}, {OWN}")
        new = path.with_name(f"{path.name}.new")
        with open(new, "wb") as out:
            package.unpack(["tar", "-xO", "--wildcards",
                            f"*/{start}{target.flavour}.xz"],
                           ["xz", "-dc"], out=out)
        # A file that stays the same does not configure the kernel again.
        if path.is_file() and path.read_bytes() == new.read_bytes():
            new.unlink()
        else:
            new.rename(path)
    return path
