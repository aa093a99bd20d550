# SPDX-License-Identifier: GPL-2.0
"""Unit tests of guest.py."""

import os
import pathlib
import tempfile
import unittest

import guest
from output import Fault
from target import Target, Tools

UP = "[    3.000000] pidfd-guest: up 1\n"
RACE = "[    4.000000] BUG: KCSAN: data-race in do_exit / __x64_sys_wait4\n"


def verdict(text, ended=0, interactive=False):
    return guest.verdict(guest.Log(text), ended, interactive, 600)


class Verdict(unittest.TestCase):
    def test_status_of_the_command(self):
        self.assertEqual(verdict(UP + "[    4.000000] pidfd-guest: exit 42\n"), (42, None))

    def test_complaint_comes_before_the_status(self):
        text = UP + "[    4.0] WARNING: CPU: 0 at x\n[    5.000000] pidfd-guest: exit 0\n"
        self.assertEqual(verdict(text), (120, "the kernel complained: WARNING: CPU: 0 at x"))

    def test_races_of_c_do_not_count(self):
        self.assertEqual(verdict(UP + RACE + "[    5.000000] pidfd-guest: exit 0\n"), (0, None))

    def test_panic(self):
        self.assertEqual(verdict(UP + "[    4.0] Kernel panic - not syncing: x\n")[0], 120)

    def test_module(self):
        text = UP + "[    4.0] pidfd-guest: failed cannot load x.ko: Invalid module format\n"
        self.assertEqual(verdict(text), (126, "cannot load x.ko: Invalid module format"))

    def test_other_failures_in_the_guest(self):
        self.assertEqual(verdict(UP + "[    4.0] pidfd-guest: failed kmemleak does not scan\n"),
                         (125, "kmemleak does not scan"))

    def test_timeout(self):
        self.assertEqual(verdict(UP, None), (124, "no end within TIMEOUT=600 seconds"))

    def test_goes_down(self):
        self.assertEqual(verdict(UP)[0], 125)
        self.assertEqual(verdict(UP, interactive=True), (0, None))

    def test_silent_boot_is_tried_again(self):
        self.assertIsNone(verdict("")[0])
        self.assertEqual(verdict("", interactive=True)[0], 125)

    def test_boot_with_a_complaint_is_not(self):
        self.assertEqual(verdict("[    1.0] Kernel panic - no init\n"),
                         (125, "the guest did not boot"))

    def test_end_of_a_long_log(self):
        lines = [f"[    1.0] {i}" for i in range(1000)]
        first, parts = guest.Log("\n".join(lines)).end()
        self.assertEqual((first, [len(part) for part in parts]), (960, [41]))
        lines[100] = "[    1.0] BUG: x"
        first, parts = guest.Log("\n".join(lines)).end()
        self.assertEqual((first, [len(part) for part in parts]), (91, [101, 101]))


class Settings(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        for name in ("kernel/arch/x86/boot/bzImage", "vng", "virtme-run", "module.ko"):
            path = self.build / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o755)
        tools = Tools(VNG=str(self.build / "vng"), QEMU="/bin/true")
        self.machine = guest.Machine(Target(self.build, tools=tools), command="true", load=False)

    def fault(self, **changes):
        with self.assertRaises(Fault) as caught:
            guest.Guest(self.machine.but(**changes), None, None)
        self.assertEqual(caught.exception.status, 2)
        return str(caught.exception)

    def test_faults(self):
        self.assertIn("CMD is empty", self.fault(command=""))
        self.assertIn("TIMEOUT=x is not a number", self.fault(timeout="x"))
        self.assertIn("TIMEOUT= is not a number", self.fault(timeout=""))
        self.assertIn("QUIET=-1 is not a number", self.fault(quiet="-1"))
        self.assertIn("no kernel at /none", self.fault(kernel=pathlib.Path("/none")))
        self.assertIn("no module at", self.fault(load=True))
        self.assertIn("DIR=/none is not a folder", self.fault(shared="/none"))
        spaced = self.build / "a b"
        spaced.mkdir()
        self.assertIn("characters virtme-ng cannot", self.fault(shared=str(spaced)))

    def command(self, **changes):
        one = guest.Guest(self.machine.but(**changes), None, None)
        one.folder = self.build
        one.emulator_version = lambda: (10, 0)
        return one.command(self.build / "start")

    def test_command(self):
        words = self.command(cpus="3", append="a=b c", qemu_options=("-S",))
        self.assertEqual(words[words.index("--cpus") + 1], "3")
        self.assertLess(words.index("a=b"), words.index("c"))
        self.assertLess(words.index("--qemu-opts"), words.index("-S"))
        self.assertIn("--script-sh", words)

    def test_patches_take_one_thread(self):
        if guest.has_kvm(self.machine.target.arch):
            self.skipTest("KVM")
        self.assertNotIn("tcg,thread=single", self.command())
        self.assertIn("tcg,thread=single", self.command(patches=True))

    def test_lock(self):
        path = self.build / "log"
        with guest.lock(path, 0):
            self.assertIsNone(guest.lock(path, 0))
        with guest.lock(path, 0):
            pass

    def test_settings_survive_a_shell(self):
        one = guest.Guest(self.machine.but(command="v=$HOME; echo 'q'"), None, None)
        one.folder = self.build
        one.settings()
        self.assertEqual((self.build / "cmd").read_text(), "v=$HOME; echo 'q'")
        self.assertIn(f"cwd={os.getcwd()}\n", (self.build / "settings").read_text())


if __name__ == "__main__":
    unittest.main()
