# SPDX-License-Identifier: GPL-2.0
"""Unit tests of package.py."""

import pathlib
import tempfile
import unittest

import package
from target import Target

CONTROL = """\
Source: linux-rust-pidfd
Section: kernel

Package: linux-image-7.3.4
Architecture: amd64
Description: Linux kernel

Package: linux-libc-dev
Architecture: amd64
Description: Headers

Package: linux-headers-7.3.4
Architecture: amd64
Description: Linux kernel headers
 More.
"""


class Amended(unittest.TestCase):
    def test_headers_name_the_compilers(self):
        text = package.amended(CONTROL, ["rustc (= 1)", "clang (= 2)"], "rustc 1.2.3")
        self.assertNotIn("linux-libc-dev", text)
        self.assertIn("Recommends: rustc (= 1), clang (= 2)\nDescription: Linux kernel headers\n"
                      " More.\n .\n Modules in Rust need exactly this compiler: rustc 1.2.3.\n",
                      text)
        self.assertEqual(text.count("Recommends:"), 1)

    def test_compilers_of_no_package(self):
        text = package.amended(CONTROL, [], "rustc 1.2.3")
        self.assertNotIn("Recommends:", text)
        self.assertIn("rustc 1.2.3", text)


class Version(unittest.TestCase):
    def test_of_the_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            target = Target(pathlib.Path(folder))
            target.tree.mkdir()
            makefile = target.tree / "Makefile"
            makefile.write_text("VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n")
            self.assertEqual(package.kernel_version(target), "7.3.4")
            makefile.write_text("VERSION = 7\nPATCHLEVEL = 4\nSUBLEVEL = 0\nEXTRAVERSION = -rc2\n")
            self.assertEqual(package.kernel_version(target), "7.4.0~rc2")


if __name__ == "__main__":
    unittest.main()
