# SPDX-License-Identifier: GPL-2.0
"""A target is a kernel to build and boot. Every step takes one as an argument.

All differences between architectures are in here.
"""

import dataclasses
import os
import pathlib

# The project.
TOP = pathlib.Path(__file__).resolve().parents[3]
HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The names and addresses that the kernel's build and QEMU use."""

    name: str
    # Debian's name of it.
    debian: str
    # Below the folder of objects, and the goal of make that builds it.
    image: str
    goal: str
    emulator: str
    # One of these in /proc/cpuinfo: the processor runs virtual machines.
    kvm_flags: tuple[str, ...]
    # Start and size of the kernel's code, and of code including that of modules.
    code: str
    code_and_modules: str
    # Kernel parameters. For KASAN: identify_cpu() forgets the features of the CPU
    # for a moment. If page tables have five levels, an interrupt in which KASAN
    # checks an address takes the address for wild.
    for_kasan: str
    # The clock of a guest that counts instructions.
    for_counting: str


X86_64 = Architecture(
    name="x86_64",
    debian="amd64",
    image="arch/x86/boot/bzImage",
    goal="bzImage",
    emulator="qemu-system-x86_64",
    kvm_flags=("vmx", "svm"),
    code="0xffffffff80000000+0x20000000",
    code_and_modules="0xffffffff80000000+0x60000000",
    for_kasan="no5lvl",
    for_counting="tsc=reliable",
)
ARCHITECTURES = {X86_64.name: X86_64}

# Configurations, and the fragment in kernel/configs over each: "small" is over tinyconfig,
# "debian" over Debian's configuration of a flavour.
CONFIGURATIONS = {"small": "rust_pidfd.config", "debian": "rust_pidfd_debian.config"}


def default_cache():
    """Where downloads and compiler output are kept."""
    home = os.environ.get("HOME", "/root")
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return pathlib.Path(base) / "rust_pidfd"


@dataclasses.dataclass(frozen=True)
class Tools:
    """Programs that setup.sh found. The names are those in tools.mk."""

    RUSTC: str = "rustc"
    RUSTDOC: str = "rustdoc"
    RUSTFMT: str = "rustfmt"
    CLIPPY_DRIVER: str = "clippy-driver"
    RUST_LIB_SRC: str = ""
    CARGO: str = "cargo"
    BINDGEN: str = "bindgen"
    # With a slash at the end, or empty.
    LLVM_BIN: str = ""
    LIBCLANG_PATH: str = ""
    SPATCH: str = "spatch"
    CCACHE: str = ""
    QEMU: str = ""
    PYTHON: str = "python3"
    VNG: str = "vng"
    APPARMOR_PARSER: str = ""
    CHECKPOLICY: str = ""

    @classmethod
    def read(cls, build, given=()):
        """Those of the build folder's tools*.mk; NAME=VALUE in `given` come first."""
        known = {field.name for field in dataclasses.fields(cls)}
        found = {}
        for file in sorted(build.glob("tools*.mk")):
            for line in file.read_text(encoding="utf-8").splitlines():
                name, is_, value = line.partition(" := ")
                if is_ and name in known:
                    found[name] = value.strip()
        found.update(word.split("=", 1) for word in given if word.split("=", 1)[0] in known)
        return cls(**found)

    def llvm(self, name):
        """A program of LLVM."""
        return self.LLVM_BIN + name


@dataclasses.dataclass(frozen=True)
class Target:
    """A source, an architecture, a configuration and a build folder."""

    build: pathlib.Path
    series: str = "7.3"
    # Fetch the archive's newest source and configuration of the series.
    update: bool = False
    # A tree of the user's; None: that of the series, which is fetched.
    kernel_src: pathlib.Path | None = None
    arch: Architecture = X86_64
    # A key of CONFIGURATIONS, and of Debian's configurations one.
    config: str = "small"
    flavour: str = "cloud-amd64"
    # A file with the key and certificate that sign modules, in place of a new key.
    module_key: pathlib.Path | None = None
    # Fragments in kernel/configs, over that of the configuration: rust_pidfd_NAME.config.
    fragments: tuple[str, ...] = ()
    # Of the objects, below the build folder, in place of what follows from the above.
    own_folder: str = ""
    cache: pathlib.Path = dataclasses.field(default_factory=default_cache)
    tools: Tools = Tools()
    jobs: int = 1

    def variant(self, *fragments, folder=""):
        """The same source, with other fragments."""
        return dataclasses.replace(self, fragments=fragments, own_folder=folder)

    @property
    def base(self):
        """The same without fragments."""
        return self.variant()

    @property
    def folder(self):
        """The folder of objects, below the build folder."""
        name = self.own_folder or (self.fragments[-1] if self.fragments else "")
        if self.config == "small":
            return name or "kernel"
        return f"{self.config}-{self.flavour}{name and '-'}{name}"

    @property
    def source(self):
        """The kernel's source, which is only read."""
        return self.kernel_src or self.build / "source"

    @property
    def tree(self):
        """The patched tree."""
        return self.build / "linux"

    @property
    def objects(self):
        """Where the kernel is built."""
        return self.build / self.folder

    @property
    def image(self):
        """What a guest boots."""
        return self.objects / self.arch.image

    @property
    def vmlinux(self):
        """The same with symbols."""
        return self.objects / "vmlinux"

    @property
    def module(self):
        """The module that serves pidfds."""
        return self.objects / "kernel/pidfd/rust_pidfd.ko"

    @property
    def log(self):
        """Where full output goes."""
        return self.build / "log"

    @property
    def configs(self):
        """The fragments of the configuration, from the first to the last."""
        folder = TOP / "kernel/configs"
        return [folder / CONFIGURATIONS[self.config],
                *(folder / f"rust_pidfd_{name}.config" for name in self.fragments)]
