# SPDX-License-Identifier: GPL-2.0
"""Unit tests of build.py."""

import io
import os
import pathlib
import tempfile
import unittest
from unittest import mock

import build
from output import Fault
from target import Target, Tools


class Configuration(unittest.TestCase):
    def test_the_last_fragment_counts(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / name for name in "ab"]
            paths[0].write_text("# CONFIG_X=y\nCONFIG_A=y\nCONFIG_B=\"x=y\"\n")
            paths[1].write_text("CONFIG_A=n\n")
            self.assertEqual(build.options(paths), {"CONFIG_A": "n", "CONFIG_B": '"x=y"'})

    def test_untaken(self):
        wanted = {"CONFIG_RUST": "y", "CONFIG_A": "n", "CONFIG_B": "m", "CONFIG_C": "n",
                  "CONFIG_RUST_INLINE_HELPERS": "y"}
        config = "CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n"
        self.assertEqual(list(build.untaken(wanted, config)), [
            ("CONFIG_RUST", "CONFIG_RUST=y does not take in"),
            ("CONFIG_A", "CONFIG_A does not go off in"),
            ("CONFIG_B", "CONFIG_B=m does not take in"),
            ("CONFIG_RUST_INLINE_HELPERS", None)])

    def test_all_taken(self):
        wanted = {"CONFIG_RUST": "y", "CONFIG_C": "n", "CONFIG_RUST_INLINE_HELPERS": "y"}
        config = "CONFIG_RUST=y\nCONFIG_RUSTC_CLANG_LLVM_COMPATIBLE=y\n# CONFIG_C is not set\n"
        self.assertEqual(list(build.untaken(wanted, config)), [])

    def test_lost(self):
        before = "CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=\"\"\nCONFIG_CC_IS_GCC=y\nCONFIG_CC_HAS_X=y\n"
        self.assertEqual(build.lost(before, "CONFIG_A=m\n# CONFIG_B is not set\n"),
                         ["CONFIG_B", "CONFIG_C"])

    def test_folders(self):
        target = Target(pathlib.Path("/b"))
        self.assertEqual(target.folder, "kernel")
        self.assertEqual(target.variant("debug", "kasan").folder, "kasan")
        self.assertEqual(target.variant(folder="clippy").folder, "clippy")
        debian = Target(pathlib.Path("/b"), config="debian")
        self.assertEqual(debian.folder, "debian-cloud-amd64")
        self.assertEqual(debian.variant(folder="pristine").folder, "debian-cloud-amd64-pristine")
        self.assertEqual(debian.variant("debug", "kasan").base, debian)


class LocalFragment(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)

    def target(self, key=None):
        return Target(self.build, config="debian", flavour="f", module_key=key)

    def test_release(self):
        path = build.local_fragment(self.target())
        self.assertEqual(path.read_text(), 'CONFIG_LOCALVERSION="-rust-pidfd-f"\n')
        before = path.stat().st_mtime_ns
        build.local_fragment(self.target())
        self.assertEqual(path.stat().st_mtime_ns, before)

    def test_key(self):
        key = self.build / "key"
        with self.assertRaisesRegex(Fault, "MODULE_KEY=.*: No such file"):
            build.local_fragment(self.target(key))
        key.write_text("BEGIN PRIVATE KEY")
        with self.assertRaisesRegex(Fault, "has no private key and certificate"):
            build.local_fragment(self.target(key))
        key.write_text("BEGIN PRIVATE KEY, BEGIN CERTIFICATE")
        target = self.target(key)
        self.assertIn("certs/module_key.pem", build.local_fragment(target).read_text())
        self.assertEqual((target.objects / "certs/module_key.pem").read_text(), key.read_text())


class Make(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.target = Target(self.build, jobs=3, tools=Tools(RUSTC="/r", LLVM_BIN="/l/", CCACHE="/c"))

    def test_command(self):
        words = build.command(self.target, "-C", self.build, "all")
        self.assertEqual(words[:3], ["make", "LLVM=1", "RUSTC=/r"])
        self.assertEqual(words[-4:], ["-j3", "-C", str(self.build), "all"])

    def test_environment_has_nothing_of_the_user(self):
        with mock.patch.dict(os.environ, {"MAKEFLAGS": "k", "KERNEL_SRC": "x", "LLVM": "1"}):
            env = build.environment(self.target)
        self.assertFalse({"MAKEFLAGS", "KERNEL_SRC", "LLVM"} & set(env))
        self.assertEqual(os.readlink(self.build / "bin/clang"), "/c")
        self.assertTrue(env["PATH"].startswith(f"{self.build}/bin:/l/:"))

    def test_time_stamp(self):
        (self.build / "linux").mkdir()
        makefile = self.build / "linux/Makefile"
        makefile.touch()
        os.utime(makefile, ns=(0, 1_700_000_000_000_000_005))
        with mock.patch.dict(os.environ, {"TZ": "UTC"}):
            build.time.tzset()
            stamp = build.environment(self.target)["KBUILD_BUILD_TIMESTAMP"]
        build.time.tzset()
        self.assertEqual(stamp, "2023-11-14 22:13:20.000000005 +0000")

    def test_modules(self):
        for kdir, message in ((None, "say for which kernel.*KDIR=DIR"), ("/none", "no Module.symvers")):
            with self.assertRaisesRegex(Fault, message):
                build.modules(self.target, kdir)
        (self.build / "Module.symvers").touch()
        with self.assertRaisesRegex(Fault, "no pidfd hooks"):
            build.modules(self.target, str(self.build))

    def test_kernel_src(self):
        for path, message in ((self.build / "none", "is no directory"),
                              (self.build, "is not a kernel source tree")):
            with self.assertRaisesRegex(Fault, message):
                build.apply(Target(self.build, kernel_src=path))

    def test_first_errors(self):
        log = self.build / "log"
        log.write_text("\n".join(["  CC a.o", "a.c:1: error: x", *map(str, range(20)),
                                  "make[1]: *** [a.o] Error 1"]))
        self.assertEqual(build.first_errors(log),
                         ["a.c:1: error: x", *map(str, range(12)), "make[1]: *** [a.o] Error 1"])

    def test_progress(self):
        with mock.patch("sys.stderr", io.StringIO()) as err:
            progress = build.Progress(2000)
            for i in range(500):
                progress.line(f"  CC      a{i}.o")
                progress.line("warning: nothing")
        self.assertEqual(err.getvalue(), "build: 20 %, a399.o\n")


class TargetTest(unittest.TestCase):
    def test_variant(self):
        one = Target(pathlib.Path("/b")).variant("debug", "kasan")
        self.assertEqual(str(one.image), "/b/kasan/arch/x86/boot/bzImage")
        self.assertEqual([path.name for path in one.configs],
                         ["rust_pidfd.config", "rust_pidfd_debug.config", "rust_pidfd_kasan.config"])

    def test_tools(self):
        with tempfile.TemporaryDirectory() as folder:
            build_ = pathlib.Path(folder)
            (build_ / "tools.mk").write_text("# x\nRUSTC := /a/rustc\nCARGO := /c\nTOOLS_SEEN := /x\n")
            (build_ / "tools-lsm.mk").write_text("CHECKPOLICY := /p\n")
            tools = Tools.read(build_, ["CARGO=/d=e", "NONE=x"])
            self.assertEqual((tools.RUSTC, tools.CARGO, tools.CHECKPOLICY), ("/a/rustc", "/d=e", "/p"))


if __name__ == "__main__":
    unittest.main()
