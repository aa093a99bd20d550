# SPDX-License-Identifier: GPL-2.0
"""Builds a target's kernel, modules and selftests, by the kernel's own make."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import hooks
import source
from output import Fault, say
from target import HERE, TOP

# Lines of output that a build from nothing makes, for the progress shown.
STEPS = {"small": 2000, "debian": 12000}
# Gigabytes that it fills, and its time on two processors.
NEEDS = {"small": (4, "10 to 20 minutes"), "debian": (30, "one to two hours")}
# What Debian's configuration has because gcc and GNU binutils made it.
COMPILERS_OWN = re.compile("CONFIG_(CC_(IS|NO)|AS_IS|LD_IS|.*_HAS_|FTRACE_MCOUNT_USE_CC"
                           "|USE_X86_SEG_SUPPORT|UBSAN_BOUNDS_STRICT)|CONFIG_GCC_VERSION")
STEP = re.compile(r"  [A-Z]+ ")
ERROR = re.compile(r"(^|: )(error|fatal error)(\[|:)|^make.*\*\*\*")

# Functions outside modules, for coverage by KCOV: provider.c, pidfs.c, pid.c, and Rust.
RUST_STEMS = ("kernel", "rust_pidfd")
COVERED_STEMS = (*RUST_STEMS, "provider", "pidfs", "pid")
# The kernel has no KCSAN for Rust, but LLVM has all that it takes.
KCSAN_FOR_RUST = ("-Cllvm-args=-force-attribute=sanitize_thread -Cpasses=tsan "
                  "-Cllvm-args=-tsan-distinguish-volatile=1 "
                  "-Cllvm-args=-tsan-compound-read-before-write=1")

# Upstream's collections that are about pidfds or use them, and single programs of
# others. (namespaces:siocgskns_test needs IPv6 and no pidfds;
# filesystems/empty_mntns:clone3_empty_mntns_test takes CLONE_NNP for a flag that
# clone3() refuses; net/af_unix:scm_rights has no pidfds either, and fails where the
# kernel takes more than a second to find unreachable sockets.)
UPSTREAM = ("pidfd", "clone3", "coredump", "pid_namespace")
PROGRAMS = (
    "filesystems:anon_inode_test",
    "filesystems/mount_cycle:mount_cover_test",
    "filesystems/mount_cycle:unmounted_tree_test",
    "namespaces:listns_efault_test",
    "namespaces:regression_pidfd_setns_test",
    "net/af_unix:scm_pidfd",
)


def die(message):
    """Stops with one line."""
    raise Fault("build", message)


def environment(target):
    """The environment of the kernel's make. The first clang in its PATH is ccache, if that is
    installed."""
    tools = target.tools
    links = target.build / "bin"
    links.mkdir(parents=True, exist_ok=True)
    if tools.CCACHE:
        link = links / "clang"
        if not link.is_symlink() or os.readlink(link) != tools.CCACHE:
            link.unlink(missing_ok=True)
            link.symlink_to(tools.CCACHE)
    env = {
        "HOME": os.environ.get("HOME", "/root"), "LANG": "C.UTF-8",
        "TERM": os.environ.get("TERM", "dumb"),
        "PATH": f"{links}:{tools.LLVM_BIN}:/usr/sbin:/usr/bin:/sbin:/bin",
        "LIBCLANG_PATH": tools.LIBCLANG_PATH,
        "CCACHE_DIR": str(target.cache / "ccache"),
        "CCACHE_BASEDIR": str(target.build), "CCACHE_NOHASHDIR": "1", "CCACHE_MAXSIZE": "3G",
        "CCACHE_COMPILERCHECK": "content", "CCACHE_DEPEND": "1",
        "KBUILD_BUILD_USER": "rust", "KBUILD_BUILD_HOST": "pidfd",
        "KBUILD_BUILD_TIMESTAMP": "",
    }
    makefile = target.tree / "Makefile"
    if makefile.exists():
        # As stat -c %y has it.
        nanoseconds = makefile.stat().st_mtime_ns
        when = time.localtime(nanoseconds // 10**9)
        env["KBUILD_BUILD_TIMESTAMP"] = (
            time.strftime("%Y-%m-%d %H:%M:%S", when) + f".{nanoseconds % 10**9:09} " +
            time.strftime("%z", when))
    return env


def command(target, *words):
    """The command line of the kernel's make."""
    tools = target.tools
    named = [f"{name}={getattr(tools, name)}" for name in
             ("RUSTC", "RUSTDOC", "RUSTFMT", "CLIPPY_DRIVER", "RUST_LIB_SRC", "BINDGEN")]
    return ["make", "LLVM=1", *named, f"-j{target.jobs}", *(str(word) for word in words)]


def make(target, *words, log, append=False):
    """Runs the kernel's make into a log. Returns whether it succeeded."""
    with open(log, "ab" if append else "wb") as out:
        return not subprocess.run(command(target, *words), env=environment(target), stdout=out,
                                  stderr=out, check=False).returncode


class Progress:
    """The progress of a build, by the steps that it prints."""

    def __init__(self, expected):
        self.steps, self.next, self.expected = 0, 20, expected
        self.terminal = sys.stderr.isatty()

    def line(self, text):
        """One line of output."""
        if not STEP.match(text):
            return
        self.steps += 1
        percent = 100 * self.steps // max(self.steps, self.expected)
        what = text.rsplit(" ", 1)[1]
        if self.terminal:
            print(f"\r\033[Kbuild: {percent} % {what}", end="", file=sys.stderr, flush=True)
        elif percent >= self.next:
            say("build", f"{percent} %, {what}")
            self.next = percent - percent % 20 + 20

    def end(self):
        """Clears the line."""
        if self.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def first_errors(path):
    """The lines of a failed build to show to the user."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    shown, until = [], -1
    for i, line in enumerate(lines):
        if ERROR.search(line):
            until = i + 12
        if i <= until:
            shown.append(line)
    return shown[:40]


def run(target, what, log, *words, env=None):
    """A step of the kernel's make, with progress. `env` adds to its environment."""
    start = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    say("build", f"{what}; log in {log}")
    progress = Progress(STEPS[target.config])
    # Unbuffered, for whoever follows it.
    with open(log, "wb", buffering=0) as out, \
         subprocess.Popen(command(target, *words),
                          env={**environment(target), **(env or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            for line in process.stdout:
                out.write(line)
                progress.line(line.decode(errors="replace").rstrip("\n"))
        except BaseException:
            # make stops what it has started.
            process.terminate()
            raise
    progress.end()
    if process.returncode:
        print("\n".join(first_errors(log)), file=sys.stderr)
        die(f"{what} failed; see {log}")
    say("build", f"{what} took {time.monotonic() - start:.0f} s")


def ours_newer_than(target, stamp):
    """Whether anything but the source that the tree is made of is newer than a stamp."""
    when = stamp.stat().st_mtime_ns
    folders = [TOP / name for name in (*hooks.FOLDERS, "scripts")
               if name not in ("Documentation", "samples")]
    for folder in (*folders, TOP / "samples/rust"):
        for path, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            if path == str(HERE):
                # Of the tool, only these decide what is built.
                files = ["build.py", "hooks.py", "target.py"]
            if any(os.lstat(os.path.join(path, name)).st_mtime_ns > when for name in files):
                return True
    tools = target.build / "tools.mk"
    return tools.exists() and tools.stat().st_mtime_ns > when


def options(paths):
    """The options of the fragments of a configuration; the last one counts."""
    found = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("CONFIG_"):
                name, _, value = line.partition("=")
                found[name] = value
    return found


def untaken(wanted, config):
    """(option, message) of each option that the configuration does not have as wanted. A message
    of None is a matter of speed."""
    lines = set(config.splitlines())
    set_ = {line.split("=", 1)[0] for line in lines}
    for name, value in wanted.items():
        line = f"{name}={value}"
        if line == "CONFIG_RUST_INLINE_HELPERS=y":
            if "CONFIG_RUSTC_CLANG_LLVM_COMPATIBLE=y" not in lines:
                yield name, None
        elif value == "n":
            if name in set_:
                yield name, f"{name} does not go off in"
        elif line not in lines:
            yield name, f"{line} does not take in"


def lost(before, after):
    """The options that are on in one configuration and off in another, less what the compiler
    decides by itself."""
    on = {line.split("=", 1)[0] for line in after.splitlines() if line.startswith("CONFIG_")}
    return [name for name in (line.split("=", 1)[0] for line in before.splitlines()
                              if line.startswith("CONFIG_"))
            if name not in on and not COMPILERS_OWN.match(name)]


def write(path, data):
    """Writes a file, unless it is the same already."""
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def local_fragment(target):
    """Options that depend on the user's settings. Returns the path."""
    lines = [f'CONFIG_LOCALVERSION="-rust-pidfd-{target.flavour}"\n']
    if target.module_key:
        try:
            key = target.module_key.read_bytes()
        except OSError as error:
            die(f"MODULE_KEY={target.module_key}: {error.strerror}")
        if b"PRIVATE KEY" not in key or b"BEGIN CERTIFICATE" not in key:
            die(f"MODULE_KEY={target.module_key} has no private key and certificate in PEM")
        write(target.objects / "certs/module_key.pem", key)
        lines.append('CONFIG_MODULE_SIG_KEY="certs/module_key.pem"\n')
    path = target.objects / "local.config"
    write(path, "".join(lines).encode())
    return path


def start(target, log):
    """Lays the configuration in the objects that the fragments change. Returns whether it
    succeeded."""
    if target.config == "debian":
        shutil.copyfile(source.configuration(target), target.objects / ".config")
        return True
    return make(target, "-C", target.tree, f"O={target.objects}", "tinyconfig", log=log)


def configure(target):
    """Configures the objects as the target's fragments have it."""
    config = target.objects / ".config"
    log = target.log / f"config-{target.folder}.log"
    target.objects.mkdir(parents=True, exist_ok=True)
    fragments, whole = target.configs, []
    if target.config == "debian":
        fragments = [*fragments, local_fragment(target)]
        whole = [source.configuration(target)]
    if config.exists() and all(config.stat().st_mtime_ns > path.stat().st_mtime_ns
                               for path in (*whole, *fragments)):
        return
    log.write_bytes(b"")
    where = ("-C", target.tree, f"O={target.objects}")
    good = start(target, log)
    if good:
        with open(log, "ab") as out:
            good = not subprocess.run(
                [target.tree / "scripts/kconfig/merge_config.sh", "-m", ".config", *fragments],
                cwd=target.objects, stdout=out, stderr=out, check=False).returncode
    if not good or not make(target, *where, "olddefconfig", log=log, append=True):
        die(f"the kernel cannot be configured; see {log}")

    # An option that did not take is a missing tool or a renamed option.
    wanted = options(target.configs)
    for name, message in untaken(wanted, config.read_text(encoding="utf-8")):
        if message is None:
            say("build", "clang and rustc are of different LLVMs: C helpers are not inlined, "
                "which costs speed")
            continue
        # Not to be taken for good the next time.
        os.utime(config, (0, 0))
        if name == "CONFIG_RUST":
            # The kernel looks for its minimum versions, scripts/min-tool-version.sh.
            make(target, *where, "rustavailable", log=log, append=True)
            die("the kernel does not accept this Rust; see what 'make rustavailable' prints "
                f"in {log}")
        die(f"{message} {config}")
    if target.config == "debian":
        off = lost(whole[0].read_text(encoding="utf-8"), config.read_text(encoding="utf-8"))
        if off:
            say("build", f"off, although on in Debian's configuration: {' '.join(off)}")


def apply(target):
    """The patched tree, out of the source and our files."""
    if target.kernel_src:
        if not target.kernel_src.is_dir():
            die(f"KERNEL_SRC={target.kernel_src} is no directory")
        if not (target.kernel_src / "Kbuild").is_file() or \
           not (target.kernel_src / "rust/kernel").is_dir():
            die(f"KERNEL_SRC={target.kernel_src} is not a kernel source tree with Rust")
    else:
        source.fetch(target)
    target.log.mkdir(parents=True, exist_ok=True)
    log = target.log / "apply.log"
    stamp = target.build / "patched"
    made_of = f"{target.source.resolve()} {target.series}"

    # Objects of another source are older or newer than this one's for no reason. Before they
    # go, see that the hooks fit this one.
    if not stamp.exists() or stamp.read_text(encoding="utf-8").strip() != made_of:
        hooks.check(target.source, target.tools.SPATCH, log)
        for config in target.build.glob("*/.config"):
            shutil.rmtree(config.parent)
        shutil.rmtree(target.tree, ignore_errors=True)
        stamp.write_text(made_of + "\n", encoding="utf-8")
    hooks.apply(target.source.resolve(), target.tree, target.tools.SPATCH, log)


def applied_source(target):
    """The source that the tree in the build folder is made of."""
    return pathlib.Path((target.build / "patched").read_text(encoding="utf-8").rsplit(" ", 1)[0])


def see_room(target):
    """Says what a long build takes, and finds a disk that is too small for it."""
    gigabytes, duration = NEEDS[target.config]
    if target.vmlinux.exists() or target.config == "small":
        return
    free = shutil.disk_usage(target.objects).free / 10**9
    if free < gigabytes:
        die(f"{target.objects} needs room for {gigabytes} GB, and the disk has {free:.0f}: make "
            "room, or say BUILD=DIR with a folder on another one")
    say("build", f"Debian's configuration takes {duration} on two processors and {gigabytes} GB; "
        "a build that was stopped goes on where it was")


def kernel(target):
    """The custom kernel's image and modules."""
    stamp = target.objects / "pidfd-stamp"
    if not target.kernel_src and not target.update and stamp.exists() and \
       stamp.read_text(encoding="utf-8").strip() == target.series and \
       not target.module_key and not ours_newer_than(target, stamp):
        return
    began = time.time_ns()
    apply(target)
    configure(target)
    see_room(target)
    run(target, "kernel and modules", target.log / "kernel.log", "-C", target.tree,
        f"O={target.objects}", target.arch.goal, "modules")
    stamp.write_text(f"{target.kernel_src or target.series}\n", encoding="utf-8")
    # As old as the beginning: what was changed meanwhile is not in this build.
    os.utime(stamp, ns=(began, began))


def modules(target, kdir):
    """The modules alone, for the custom kernel built in `kdir`."""
    if not kdir:
        die("say for which kernel: make LLVM=1 CONFIG_RUST=y modules KDIR=DIR")
    kdir = pathlib.Path(kdir)
    if not (kdir / "Module.symvers").is_file():
        die(f"KDIR={kdir} is no built kernel: it has no Module.symvers")
    if "pidfd_provider_register" not in (kdir / "Module.symvers").read_text(encoding="utf-8"):
        die(f"the kernel in {kdir.resolve()} has no pidfd hooks: apply them first, see "
            "Documentation/pidfd/usage.rst")
    out = target.build / "modules"
    run(target, "modules", target.log / "modules.log", "-C", kdir.resolve(), f"M={TOP}",
        f"MO={out}", "modules")
    for path in sorted(out.rglob("*.ko")):
        print(path)


def selftests(target, install, collections=(*UPSTREAM, "pidfd_rust"), programs=PROGRAMS):
    """User space tests, as the kernel builds and installs them. Each goal of make installs into
    a folder of its own, so that it does not change the list another one is running."""
    base = target.base
    # Some tests use offsetof() and count on a C library whose headers bring it along.
    includes = f"KHDR_INCLUDES=-isystem {base.objects}/usr/include -include stddef.h"
    built = target.build / "kselftest-build"
    top = target.tree / "tools/testing/selftests"
    run(base, "kernel headers", target.log / "headers.log", "-C", target.tree, f"O={base.objects}",
        "headers")
    run(base, f"selftests {' '.join(collections)}", target.log / "selftests.log", "-C", top,
        f"O={base.objects}", f"KBUILD_OUTPUT={built}", includes,
        f"TARGETS={' '.join(collections)}", "FORCE_TARGETS=1", f"INSTALL_PATH={install}", "install")
    # Programs of collections that as a whole need more than the guest has, next to those
    # that were installed.
    names = install / "kselftest-list.txt"
    for word in programs:
        collection, program = word.split(":")
        folder = built / collection
        folder.mkdir(parents=True, exist_ok=True)
        run(base, f"{collection}/{program}", target.log / f"selftests-{program}.log", "-C",
            top / collection, f"OUTPUT={folder}", includes, folder / program)
        (install / collection).mkdir(parents=True, exist_ok=True)
        (install / collection / program).unlink(missing_ok=True)
        shutil.copy(folder / program, install / collection)
        if word not in names.read_text(encoding="utf-8").splitlines():
            with open(names, "a", encoding="utf-8") as out:
                out.write(word + "\n")


def clippy(target):
    """Clippy over the kernel crate and the modules, in a folder of its own: clippy compiles the
    crates with other options, so modules could not be built against them."""
    one = target.variant(folder="clippy")
    configure(one)
    run(one, "clippy", target.log / "clippy.log", "-C", one.tree, f"O={one.objects}",
        "CLIPPY=1", "kernel/pidfd/rust_pidfd.o", "samples/rust/rust_pidfd_watch.o")


def variant(target):
    """The same tree in another configuration, with line tables, and instrumented as that has
    it."""
    configure(target)
    config = (target.objects / ".config").read_text(encoding="utf-8").splitlines()
    # Coverage is known by the line; and by KCOV, where it is on.
    rust = "-Cdebuginfo=line-tables-only"
    if "CONFIG_KCSAN=y" in config:
        rust += " " + KCSAN_FOR_RUST
    flags = [f"RUSTFLAGS_{stem}.o={rust}" for stem in RUST_STEMS]
    flags += [f"KCOV_INSTRUMENT_{stem}.o=y" for stem in COVERED_STEMS]
    run(target, f"a kernel with: {' '.join(target.fragments)}",
        target.log / f"kernel-{target.folder}.log", "-C", target.tree, f"O={target.objects}",
        *flags, target.arch.goal, "modules")


def builtin(target):
    """With rust_pidfd built in. From a copy of what is built, as configured now: little of it
    depends on that. Returns the target."""
    one = target.variant("builtin")
    config = one.objects / ".config"
    base = TOP / "kernel/configs/rust_pidfd.config"
    if not config.exists() or config.stat().st_mtime_ns <= base.stat().st_mtime_ns:
        new = one.objects.with_name("builtin.new")
        for folder in (one.objects, new):
            shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cp", "-a", target.objects, new], check=True)
        (new / ".config").unlink(missing_ok=True)
        new.rename(one.objects)
    variant(one)
    return one


def rustless(target):
    """The tree with the hooks, configured without Rust. Returns the target."""
    one = target.variant("rustless")
    configure(one)
    run(one, "a kernel without Rust", target.log / "rustless.log", "-C", one.tree,
        f"O={one.objects}", one.arch.goal)
    return one


def pristine(target):
    """The source as it is, without a line of ours, configured as the custom kernel. Returns the
    target."""
    one = target.variant(folder="pristine")
    made_of = applied_source(target)
    config, base = one.objects / ".config", target.objects / ".config"
    if not config.exists() or config.stat().st_mtime_ns <= base.stat().st_mtime_ns:
        one.objects.mkdir(parents=True, exist_ok=True)
        lines = base.read_text(encoding="utf-8").splitlines()
        config.write_text("".join(f"{line}\n" for line in lines if "PIDFD_RUST" not in line),
                          encoding="utf-8")
        log = target.log / "config-pristine.log"
        if not make(one, "-C", made_of, f"O={one.objects}", "olddefconfig", log=log):
            die(f"the kernel without hooks cannot be configured; see {log}")
    run(one, "a kernel without hooks", target.log / "pristine.log", "-C", made_of,
        f"O={one.objects}", one.arch.goal)
    return one


def misconfigured(target):
    """For the layout guard's test: a kernel crate whose layouts bindgen gets wrong. The log, with
    its errors."""
    one = target.variant(folder="misconfigured")
    one.objects.mkdir(parents=True, exist_ok=True)
    config = (target.objects / ".config").read_text(encoding="utf-8")
    (one.objects / ".config").write_text(
        re.sub("^CONFIG_SCHEDSTATS=y", "CONFIG_SCHEDSTATS=n", config, flags=re.MULTILINE),
        encoding="utf-8")
    log = target.log / "misconfigured.log"
    log.unlink(missing_ok=True)
    make(one, "-C", one.tree, f"O={one.objects}", "olddefconfig",
         log=target.log / "misconfigured-config.log")
    make(one, "-C", one.tree, f"O={one.objects}", "rust/kernel.o", log=log)
    return log
