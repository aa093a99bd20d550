# SPDX-License-Identifier: GPL-2.0
"""Unit tests of system.py."""

import contextlib
import io
import os
import pathlib
import tempfile
import unittest

import system
from output import Fault, Tally
from target import Target


class Answers(unittest.TestCase):
    TEXT = "state: running\nno answer\nfailed: \nserved\nmodule: loaded\n"

    def test_parts(self):
        self.assertEqual(system.answers(self.TEXT),
                         ({"state": "running", "failed": ""}, {"module": "loaded"}))

    def test_differences(self):
        self.assertEqual(system.differences({"a": "1", "b": "2"}, {"a": "1", "b": "2"}), [])
        self.assertEqual(system.differences({"a": "1", "b": "2"}, {"b": "3", "c": "4"}),
                         [("a", "1", None), ("b", "2", "3"), ("c", None, "4")])

    def test_judge(self):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            tally = Tally()
            system.judge({"a": "1", "b": "2 (not 3)", "c": "4"}, {"a": "1", "b": "2 (not 3)"}, tally)
        self.assertEqual((tally.passed, tally.failed), (1, 2))
        self.assertIn("FAIL system: c: with C 4, with Rust None", out.getvalue())


class Image(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)
        self.deb = self.build / "x.deb"
        self.deb.touch()
        self.image = system.Image(Target(self.build), "trixie", [self.deb])

    def test_release(self):
        system.check_release("testing")
        with self.assertRaisesRegex(Fault, "RELEASE=x: there are trixie and testing"):
            system.check_release("x")

    def test_up_to_date(self):
        self.assertFalse(self.image.up_to_date())
        self.image.folder.mkdir(parents=True)
        recipe = self.image.folder / "recipe"
        recipe.write_text(self.image.recipe)
        self.assertTrue(self.image.up_to_date())
        self.assertFalse(system.Image(Target(self.build), "trixie", [self.deb],
                                      ["other"]).up_to_date())
        later = recipe.stat().st_mtime_ns + 10**9
        os.utime(self.deb, ns=(later, later))
        self.assertFalse(self.image.up_to_date())

    def test_one(self):
        boot = self.image.folder / "boot"
        boot.mkdir(parents=True)
        with self.assertRaisesRegex(Fault, "0 files vmlinuz-"):
            self.image.one("vmlinuz-*")
        (boot / "vmlinuz-1").touch()
        self.assertEqual(self.image.one("vmlinuz-*").name, "vmlinuz-1")
        (boot / "vmlinuz-2").touch()
        with self.assertRaisesRegex(Fault, "2 files vmlinuz-"):
            self.image.one("vmlinuz-*")


if __name__ == "__main__":
    unittest.main()
