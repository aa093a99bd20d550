# SPDX-License-Identifier: GPL-2.0
"""Unit tests of archive.py."""

import pathlib
import tempfile
import unittest

import archive
from output import Fault
from target import Target

TARGETS = """\
cdrom:/x|Debian|Debian|main|trixie
http://security|Debian|Debian-Security|main|trixie-security
http://contrib|Debian|Debian|contrib|trixie
{}http://other|Other|Other|main|trixie
"""


class Address(unittest.TestCase):
    def test_by_origin(self):
        self.assertEqual(archive.address_of(TARGETS.format("http://deb|Debian|Debian|main|trixie\n"),
                                           "trixie"), "http://deb")

    def test_by_suite_without_lists(self):
        for release in ("trixie", "stable", "oldstable", "sid"):
            self.assertEqual(archive.address_of(TARGETS.format(f"http://deb|||main|{release}\n"),
                                               "trixie"), "http://deb")

    def test_none(self):
        self.assertEqual(archive.address_of(TARGETS.format(""), "trixie"), "")


class Package(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)

    def package(self, series="7.3"):
        return archive.Package(Target(self.build, series=series, cache=self.build / "cache"),
                               "linux-source")

    def test_series(self):
        with self.assertRaisesRegex(Fault, "SERIES=7.x is no kernel series"):
            self.package("7.x").get()

    def test_cached(self):
        one = self.package()
        one.deb.parent.mkdir()
        self.assertIsNone(one.cached())
        one.deb.write_bytes(b"x")
        one.hash.write_text(archive.sha256(one.deb) + "\n")
        self.assertEqual(one.cached(), archive.sha256(one.deb))

    def test_foreign_settings(self):
        for line in ('APT::Update::Post-Invoke "x";', 'Dir::State "/";', 'Dir::Etc::sourcelist "x";'):
            self.assertTrue(archive.FOREIGN.match(line))
        self.assertFalse(archive.FOREIGN.match('Acquire::http::Proxy "x";'))


if __name__ == "__main__":
    unittest.main()
