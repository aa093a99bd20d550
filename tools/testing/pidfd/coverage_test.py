# SPDX-License-Identifier: GPL-2.0
"""Unit tests of coverage.py."""

import pathlib
import tempfile
import unittest
from unittest import mock

import coverage


class CoverageTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def measure(self, run, rows, text="fn a() {\n    b();\n    c();\n}\n#[kunit_tests(x)]\nmod t;\n"):
        (self.folder / "kernel/pidfd").mkdir(parents=True, exist_ok=True)
        (self.folder / "kernel/pidfd/a.rs").write_text(text)
        asm = self.folder / "asm"
        asm.write_text("".join(f"0x{address:016x}:  90\n" for address in run) + "IN: x\n")
        with mock.patch.object(coverage, "TOP", self.folder), \
             mock.patch.object(coverage, "rows", lambda *_: rows):
            return coverage.measure(None, asm, ["vmlinux"], ["kernel/pidfd/a.rs"])

    def row(self, line, address, function="a", copy="a"):
        return "kernel/pidfd/a.rs", line, address, function, copy

    def test_lines(self):
        # Heads, ends and tests of a file do not count.
        one = self.measure([1, 2], [self.row(1, 1), self.row(2, 2), self.row(3, 3), self.row(4, 4),
                                    self.row(6, 5)])
        self.assertEqual(one.missed(), ["kernel/pidfd/a.rs:3:    c();"])
        self.assertEqual(one.summary(), ["kernel/pidfd 1 of 2 lines 50.0 %"])
        self.assertEqual(one.percent("kernel/pidfd"), 50)
        self.assertEqual(one.percent("rust/kernel"), 0)

    def test_copy_that_nobody_calls(self):
        one = self.measure([2], [self.row(2, 2), self.row(3, 3, copy="other")])
        self.assertEqual(one.missed(), [])

    def test_lcov(self):
        one = self.measure([2], [self.row(2, 2), self.row(3, 3)])
        one.write_lcov(self.folder / "info", pathlib.Path("/top"))
        self.assertEqual((self.folder / "info").read_text(),
                         "TN:\nSF:/top/kernel/pidfd/a.rs\nDA:2,1\nDA:3,0\nLF:2\nLH:1\nend_of_record\n")

    def test_no_line_tables(self):
        with self.assertRaises(coverage.Fault):
            self.measure([2], [])


if __name__ == "__main__":
    unittest.main()
