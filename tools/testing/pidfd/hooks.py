# SPDX-License-Identifier: GPL-2.0
"""Applies the hooks: makes a patched tree out of a pristine source.

The source is only read. The tree gets the source's files, ours at the same paths,
lines appended to a few lists and inserted into others, and the hooks that the
semantic patches put into C functions. Files whose content does not change keep their time stamps, so that a
build in the tree remakes only what a change touches.
"""

import fnmatch
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from output import Fault
from target import TOP

RULES = TOP / "scripts/coccinelle/pidfd"

# Ours, in directories that go into the kernel tree as they are.
FOLDERS = ("Documentation", "fs", "include", "kernel", "rust", "samples", "security", "tools")
PATTERNS = ("*.[chS]", "*.rs", "Makefile", "Kconfig*", "config", "settings", "*.config",
            "*.py", "*.sh", "Cargo.*", "*.rst", "*.csv", "*.dot", "*.svg")
NOT_OURS = ("samples/pidfd", "tools/testing/pidfd")

# FILE LINE: lines that make the tree's own lists name our files.
APPENDED = """\
fs/pidfs.c #include "pidfs_provider.c"
init/Kconfig source "kernel/pidfd/Kconfig"
kernel/Makefile obj-y += pidfd/
rust/bindings/bindings_helper.h #include "pidfd_bindings_helper.h"
rust/helpers/helpers.c #include "namespace.c"
rust/helpers/helpers.c #include "pid.c"
rust/helpers/helpers.c #include "pidfd.c"
rust/helpers/helpers.c #include "pseudo_fs.c"
rust/helpers/helpers.c #include "put_user.c"
rust/helpers/helpers.c #include "seq_file.c"
rust/helpers/helpers.c #include "wait_queue.c"
rust/kernel/bug.rs mod once;
rust/kernel/cred.rs mod ids; pub use self::ids::Ids;
rust/kernel/fs.rs pub mod dentry;
rust/kernel/fs.rs pub mod export;
rust/kernel/fs.rs pub mod file_operations;
rust/kernel/fs.rs pub mod inode;
rust/kernel/fs.rs pub mod inode_operations;
rust/kernel/fs.rs pub mod pseudo;
rust/kernel/fs.rs pub mod super_block;
rust/kernel/fs.rs pub mod xattr;
rust/kernel/fs/file.rs mod raw;
rust/kernel/lib.rs mod layout_guard;
rust/kernel/lib.rs pub mod namespace;
rust/kernel/lib.rs pub mod pid;
rust/kernel/lib.rs pub mod pidfd;
rust/kernel/lib.rs #[cfg(CONFIG_PIDFD_BROKEN)] pub mod pidfd_broken;
rust/kernel/lib.rs pub mod wait_queue;
rust/kernel/seq_file.rs mod put; pub use self::put::{Decimal, Text};
rust/kernel/sync/poll.rs mod wait_queue;
rust/kernel/uaccess.rs mod put_user;
samples/rust/Kconfig source "samples/rust/Kconfig.pidfd"
security/Makefile obj-$(CONFIG_SECURITY) += inode_reuse.o
samples/rust/Makefile obj-$(CONFIG_SAMPLE_RUST_PIDFD_WATCH) += rust_pidfd_watch.o
tools/testing/selftests/Makefile TARGETS += pidfd_rust
"""

# FILE|LINE|AFTER: lines to insert into lists that cannot be appended to. AFTER is a line that
# the file has once.
INSERTED = """\
Documentation/subsystem-apis.rst|   pidfd/index|   locking/index
scripts/package/install-extmod-build|	is_enabled CONFIG_RUST && find rust -name '*.rmeta' \
-o -name '*.so' -o -name 'generated_arch_*_asm.rs' -o -name helpers_module.bc|	echo Module.symvers
"""

# What rsync leaves where it is: what a build has left in the source. The kernel would
# refuse to be built elsewhere.
BUILT = ("/.config", "/include/config", "/include/generated", "/arch/*/include/generated",
         "*.o", "*.a", ".*.cmd")


def die(message):
    """Stops with one line."""
    raise Fault("apply", message)


def ours(top=TOP):
    """The paths of our files that go into the tree."""
    for folder in FOLDERS:
        for path, folders, files in os.walk(top / folder):
            here = os.path.relpath(path, top)
            folders[:] = sorted(name for name in folders if name not in ("target", "__pycache__")
                                and f"{here}/{name}" not in NOT_OURS)
            for name in sorted(files):
                if any(fnmatch.fnmatchcase(name, pattern) for pattern in PATTERNS) or \
                   "/pidfd_rust/policies/" in f"/{here}/":
                    yield f"{here}/{name}"


def appended():
    """(file, line) of each line to append."""
    return [tuple(line.split(" ", 1)) for line in APPENDED.splitlines()]


def inserted():
    """(file, line, after) of each line to insert."""
    return [tuple(line.split("|")) for line in INSERTED.splitlines()]


def insert(path, file, line, after):
    """Inserts a line after another one."""
    lines = path.read_text(encoding="utf-8").split("\n")
    found = lines.count(after)
    if found != 1:
        die(f"{file} has the line '{after.strip()}' {found} times, not once: insert "
            f"'{line.strip()}' by hand")
    lines.insert(lines.index(after) + 1, line)
    path.write_text("\n".join(lines), encoding="utf-8")


def rules():
    """The semantic patches."""
    return sorted(RULES.glob("*.cocci"))


def hooked(text):
    """(file, words, count): a semantic patch has to put the words into the file so many times."""
    for line in re.findall(r"^// Hook: (.*)$", text, re.MULTILINE):
        file, rest = line.split(" ", 1)
        words, count = rest.rsplit(" ", 1)
        yield file, words, int(count)


def changed_files():
    """The files of a source that change."""
    files = {file for file, _ in appended()} | {file for file, _, _ in inserted()}
    for rule in rules():
        files |= {file for file, _, _ in hooked(rule.read_text(encoding="utf-8"))}
    return sorted(files)


def occurrences(path, words):
    """How many lines of a file have the words."""
    lines = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    return sum(words in line for line in lines)


class Change:
    """The changed files of a source, as they will be, below a folder."""

    def __init__(self, source, folder, spatch, log):
        self.source, self.folder = source, folder
        self.spatch, self.log = spatch, log

    def take(self, file):
        """Copies a file of the source, unless it is there."""
        if not (self.source / file).is_file():
            die(f"{self.source} has no {file}: this series is not supported")
        path = self.folder / file
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.source / file, path)
        return path

    def make(self):
        """Appends and inserts the lines, and applies the semantic patches."""
        for file, line in appended():
            with open(self.take(file), "a", encoding="utf-8") as out:
                out.write(line + "\n")
        for file, line, after in inserted():
            insert(self.take(file), file, line, after)
        for rule in rules():
            hooks = list(hooked(rule.read_text(encoding="utf-8")))
            for file in sorted({file for file, _, _ in hooks}):
                self.apply(rule, self.take(file), file)
            for file, words, count in hooks:
                found = occurrences(self.folder / file, words)
                if found != count:
                    die(f"{rule.name} puts '{words}' into {file} {found} times, not {count}: "
                        "hook it in by hand or mend the rule")

    def apply(self, rule, path, file):
        """One semantic patch, one file."""
        with open(self.log, "ab") as log:
            status = subprocess.run(
                [self.spatch, "--very-quiet", "--in-place", "--sp-file", rule, path],
                stdout=log, stderr=log, check=False).returncode
        if status:
            die(f"{rule.name} failed on {file}; see {self.log}")


def check(source, spatch="spatch", log="/dev/null"):
    """Tries the hooks against a source and changes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        Change(pathlib.Path(source), pathlib.Path(folder), spatch, log).make()


def apply(source, tree, spatch="spatch", log="/dev/null"):
    """Makes `tree` out of `source`."""
    source, tree = pathlib.Path(source), pathlib.Path(tree)
    if not (source / "Kbuild").is_file() or not (source / "rust/kernel").is_dir():
        die(f"{source} is not a kernel source tree with Rust")
    new = tree.with_name(tree.name + ".new")
    names = tree.with_name(tree.name + ".new.files")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    tree.mkdir(parents=True, exist_ok=True)
    try:
        Change(source, new, spatch, log).make()
        for file in ours():
            (new / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / file, new / file)
        replace(source, new, tree, names)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        names.unlink(missing_ok=True)


def replace(source, new, tree, names):
    """Copies first the unchanged files, then the changed ones. Neither step touches files of the
    other."""
    with open(names, "w", encoding="utf-8") as out:
        for path, _, files in os.walk(new):
            out.writelines(f"/{os.path.relpath(os.path.join(path, name), new)}\n" for name in files)
    excluded = [f"--exclude={pattern}" for pattern in (".git", *BUILT)]
    done = subprocess.run(["rsync", "-a", "--delete", f"--exclude-from={names}", *excluded,
                           f"{source}/", f"{tree}/"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, encoding="utf-8")
    for line in done.stdout.splitlines():
        if "cannot delete non-empty directory" not in line:
            print(line, file=sys.stderr)
    if done.returncode:
        die(f"rsync could not copy {source} to {tree}")
    if subprocess.run(["rsync", "-rlpc", f"{new}/", f"{tree}/"], check=False).returncode:
        die(f"rsync could not put the changed files into {tree}")
