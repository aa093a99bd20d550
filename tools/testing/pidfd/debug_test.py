# SPDX-License-Identifier: GPL-2.0
"""Unit tests of debug.py."""

import pathlib
import unittest

import debug
from target import Target


class Mistakes(unittest.TestCase):
    def test_each_has_a_maker(self):
        target = Target(pathlib.Path("/b"))
        for variant in debug.VARIANTS.values():
            for mistake in debug.FIRST | variant.mistakes | debug.LAST:
                self.assertIn("insmod /b/kernel/", debug.command(target, mistake))

    def test_command(self):
        target = Target(pathlib.Path("/b"))
        self.assertEqual(debug.command(target, "lkdtm ARRAY_BOUNDS"),
                         "insmod /b/kernel/drivers/misc/lkdtm/lkdtm.ko; echo ARRAY_BOUNDS "
                         ">/sys/kernel/debug/provoke-crash/DIRECT; rmmod lkdtm")


if __name__ == "__main__":
    unittest.main()
