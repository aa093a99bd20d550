# SPDX-License-Identifier: GPL-2.0
"""Unit tests of source.py."""

import pathlib
import tempfile
import unittest

import source
from output import Fault
from target import Target

TARGETS = """\
cdrom:/x|Debian|Debian|main|trixie
http://security|Debian|Debian-Security|main|trixie-security
http://contrib|Debian|Debian|contrib|trixie
{}http://other|Other|Other|main|trixie
"""


class Archive(unittest.TestCase):
    def test_by_origin(self):
        self.assertEqual(source.archive_of(TARGETS.format("http://deb|Debian|Debian|main|trixie\n"),
                                           "trixie"), "http://deb")

    def test_by_suite_without_lists(self):
        for release in ("trixie", "stable", "oldstable", "sid"):
            self.assertEqual(source.archive_of(TARGETS.format(f"http://deb|||main|{release}\n"),
                                               "trixie"), "http://deb")

    def test_none(self):
        self.assertEqual(source.archive_of(TARGETS.format(""), "trixie"), "")


class Fetch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)

    def fetch(self, series="7.3"):
        return source.Fetch(Target(self.build, series=series, cache=self.build / "cache"))

    def test_stamp(self):
        (self.build / "source").mkdir()
        (self.build / "source/Kbuild").touch()
        (self.build / "source.stamp").write_text("7.3 abc\n")
        self.assertTrue(self.fetch().up_to_date())
        self.assertFalse(self.fetch("6.12").up_to_date())
        (self.build / "source/Kbuild").unlink()
        self.assertFalse(self.fetch().up_to_date())

    def test_series(self):
        with self.assertRaisesRegex(Fault, "SERIES=7.x is no kernel series"):
            self.fetch("7.x").run()

    def test_cached(self):
        one = self.fetch()
        one.deb.parent.mkdir()
        self.assertIsNone(one.cached())
        one.deb.write_bytes(b"x")
        one.hash.write_text(source.sha256(one.deb) + "\n")
        self.assertEqual(one.cached(), source.sha256(one.deb))

    def test_foreign_settings(self):
        for line in ('APT::Update::Post-Invoke "x";', 'Dir::State "/";', 'Dir::Etc::sourcelist "x";'):
            self.assertTrue(source.FOREIGN.match(line))
        self.assertFalse(source.FOREIGN.match('Acquire::http::Proxy "x";'))


if __name__ == "__main__":
    unittest.main()
