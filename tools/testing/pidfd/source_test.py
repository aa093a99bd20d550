# SPDX-License-Identifier: GPL-2.0
"""Unit tests of source.py."""

import lzma
import pathlib
import subprocess
import tempfile
import unittest

import archive
import source
from output import Fault
from target import Target


class Source(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)

    def target(self, **settings):
        return Target(self.build, cache=self.build / "cache", **settings)

    def test_stamp(self):
        (self.build / "source").mkdir()
        (self.build / "source/Kbuild").touch()
        (self.build / "source.stamp").write_text("7.3 abc\n")
        self.assertEqual(source.stamped(self.target()), "abc")
        self.assertIsNone(source.stamped(self.target(series="6.12")))
        (self.build / "source/Kbuild").unlink()
        self.assertIsNone(source.stamped(self.target()))

    def config_package(self, *flavours):
        """Puts a package with configurations into the cache."""
        tree = self.build / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n")
        (tree / "usr/src").mkdir(parents=True)
        for flavour in flavours:
            with lzma.open(tree / f"usr/src/config.amd64_none_{flavour}.xz", "wt") as out:
                out.write(f"CONFIG_X={flavour}\n")
        package = archive.Package(self.target(), "linux-config")
        package.deb.parent.mkdir()
        subprocess.run(["dpkg-deb", "--build", tree, package.deb], check=True,
                       stdout=subprocess.DEVNULL)
        package.hash.write_text(archive.sha256(package.deb) + "\n")

    def test_configuration(self):
        self.config_package("amd64", "rt-amd64")
        self.assertEqual(source.configuration(self.target(flavour="amd64")).read_text(),
                         "CONFIG_X=amd64\n")
        self.assertEqual(source.configuration(self.target(flavour="rt-amd64")).read_text(),
                         "CONFIG_X=rt-amd64\n")

    def test_flavour(self):
        self.config_package("amd64", "rt-amd64")
        with self.assertRaisesRegex(Fault, "FLAVOUR=x is not a flavour .* it has: amd64 rt-amd64"):
            source.configuration(self.target(flavour="x"))


if __name__ == "__main__":
    unittest.main()
