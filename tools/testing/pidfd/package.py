# SPDX-License-Identifier: GPL-2.0
"""make deb: packages for Debian. The kernel's image and headers come from the kernel's own
bindeb-pkg; tools/pidfd/package becomes rust-pidfd, which loads the module from the initramfs.

Their version and changelog are those of tools/pidfd/package/debian/changelog.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import build
from output import Fault, say
from target import HERE, TOP

PACKAGE = TOP / "tools/pidfd/package"
SOURCE = "linux-rust-pidfd"


def die(message):
    """Stops with one line."""
    raise Fault("deb", message)


def changelog():
    """{field: value} of the newest entry of our changelog."""
    text = subprocess.run(["dpkg-parsechangelog", "-l", PACKAGE / "debian/changelog"], check=True,
                          stdout=subprocess.PIPE, encoding="utf-8").stdout
    return dict(re.findall(r"^([A-Za-z]+): *(\S.*)$", text, re.MULTILINE))


def owner(path):
    """"PACKAGE (= VERSION)" of the package that a program is in; nothing without one."""
    found = subprocess.run(["dpkg-query", "-S", os.path.realpath(path)], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, check=False, encoding="utf-8").stdout
    name = found.partition(":")[0]
    if not name:
        return ""
    version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], check=True,
                             stdout=subprocess.PIPE, encoding="utf-8").stdout
    return f"{name} (= {version})"


def amended(control, compilers, rustc):
    """debian/control as bindeb-pkg makes it, without linux-libc-dev, which would replace Debian's
    own. The headers name the compilers for modules in Rust."""
    kept = []
    for stanza in control.rstrip("\n").split("\n\n"):
        name = re.search("^Package: (.*)$", stanza, re.MULTILINE)
        if name and name[1] == "linux-libc-dev":
            continue
        if name and name[1].startswith("linux-headers-"):
            if compilers:
                stanza = stanza.replace("\nDescription:",
                                        f"\nRecommends: {', '.join(compilers)}\nDescription:")
            stanza += (f"\n .\n Modules in Rust need exactly this compiler: {rustc}.\n They build "
                       "with make LLVM=1.")
        kept.append(stanza)
    return "\n\n".join(kept) + "\n"


def amend(folder, rustc, clang):
    """Changes what bindeb-pkg has put into debian/. bindeb-pkg calls this as a hook of
    dpkg-buildpackage."""
    control = folder / "control"
    version = subprocess.run([rustc, "--version"], check=True, stdout=subprocess.PIPE,
                             encoding="utf-8").stdout.strip()
    compilers = [found for found in map(owner, (rustc, clang)) if found]
    control.write_text(amended(control.read_text(encoding="utf-8"), compilers, version),
                       encoding="utf-8")
    # Ours has the source's name and version of the package that it describes.
    first = (folder / "changelog").read_text(encoding="utf-8").splitlines()[0]
    ours = (PACKAGE / "debian/changelog").read_text(encoding="utf-8").splitlines()
    (folder / "changelog").write_text("\n".join([first, *ours[1:]]) + "\n", encoding="utf-8")


def move(target, out):
    """Moves packages to their folder, from where dpkg-buildpackage leaves them."""
    for path in (*target.build.glob("*.deb"), *target.build.glob("*.buildinfo"),
                 *target.build.glob("*.changes")):
        path.replace(out / path.name)


def kernel_version(target):
    """The version of the source, such as 7.3.4."""
    makefile = (target.tree / "Makefile").read_text(encoding="utf-8")
    parts = [re.search(rf"^{name} = ?(.*)$", makefile, re.MULTILINE)[1]
             for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    extra = re.search("^EXTRAVERSION = ?(.*)$", makefile, re.MULTILINE)[1]
    return ".".join(parts) + extra.replace("-rc", "~rc")


def linux(target, ours, env):
    """The kernel's image and headers."""
    hook = (f"{sys.executable} -B {HERE / 'package.py'} debian {target.tools.RUSTC} "
            f"{target.tools.llvm('clang')}")
    if "%" in hook or "'" in hook or " " in str(HERE):
        die(f"{HERE}: the name has characters that dpkg-buildpackage cannot pass on")
    env = {
        **env, "KDEB_SOURCENAME": SOURCE, "KDEB_CHANGELOG_DIST": ours["Distribution"],
        "KDEB_PKGVERSION": f"{kernel_version(target)}+rustpidfd{ours['Version']}-1",
        "DEB_BUILD_PROFILES": f"pkg.{SOURCE}.nokerneldbg", "DEB_BUILD_OPTIONS": "terse",
        "DPKG_FLAGS": f"--hook-build='{hook}'",
    }
    build.run(target, "packages of the kernel", target.log / "deb-linux.log", "-C", target.tree,
              f"O={target.objects}", "bindeb-pkg", env=env)


def rust_pidfd(target, env):
    """The package that loads the module."""
    folder, log = target.build / "package", target.log / "deb-rust-pidfd.log"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PACKAGE, folder)
    with open(log, "wb") as out:
        status = subprocess.run(["dpkg-buildpackage", "--build=binary", "--unsigned-changes",
                                 "--no-check-builddeps"], cwd=folder, check=False, stdout=out,
                                stderr=out, env={**build.environment(target), **env}).returncode
    shutil.rmtree(folder, ignore_errors=True)
    if status:
        die(f"rust-pidfd cannot be built; see {log}")


def up_to_date(target, out):
    """Whether the packages in a folder are of the kernel as it is built."""
    found = list(out.glob("*.deb"))
    if len(found) != 3:
        return False
    made_of = [target.objects / "pidfd-stamp", HERE / "package.py",
               *(path for path in PACKAGE.rglob("*") if path.is_file())]
    return (min(path.stat().st_mtime_ns for path in found) >
            max(path.stat().st_mtime_ns for path in made_of))


def packages(target, out, compression="xz"):
    """Builds the packages in a folder, unless they are up to date. Returns their paths: the
    headers, the image, and rust-pidfd."""
    if up_to_date(target, out):
        return sorted(out.glob("*.deb"))
    ours = changelog()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    name, address = re.fullmatch("(.*) <(.*)>", ours["Maintainer"]).groups()
    # Time stamps in the packages are that of the changelog.
    env = {"DEBFULLNAME": name, "DEBEMAIL": address, "SOURCE_DATE_EPOCH": ours["Timestamp"],
           "KDEB_COMPRESS": compression}
    rust_pidfd(target, env)
    linux(target, ours, env)
    move(target, out)
    return sorted(out.glob("*.deb"))


def modules(target, headers, folder):
    """Builds the modules against a package of headers alone. Returns their paths."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = target.log / "headers-modules.log"
    with open(log, "wb") as out:
        subprocess.run(["dpkg-deb", "-x", headers, folder / "root"], check=True, stdout=out,
                       stderr=out)
    for name in ("Kbuild", "kernel/pidfd", "samples/rust"):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (TOP / name).is_dir() else shutil.copy)(TOP / name,
                                                                    folder / "source" / name)
    installed = next((folder / "root/usr/src").iterdir())
    build.run(target, "modules, against the headers of the package", log, "-C", installed,
              f"M={folder}/source", "modules")
    return sorted((folder / "source").rglob("*.ko"))


def deb(target):
    """make deb."""
    build.kernel(target)
    out = target.build / "deb" / target.folder
    for path in packages(target, out):
        print(path)
    say("deb", f"install them with: apt install {out}/*.deb")


if __name__ == "__main__":
    amend(pathlib.Path(sys.argv[1]), *sys.argv[2:])
