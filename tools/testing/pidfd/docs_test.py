# SPDX-License-Identifier: GPL-2.0
"""Tests of docs."""

import unittest

import docs


class Warnings(unittest.TestCase):
    """What counts as a warning."""

    def test_of_each_program(self):
        """A warning of Sphinx, kernel-doc and rustdoc counts."""
        for line in ("/t/Documentation/pidfd/api.rst:9: WARNING: Title underline too short.",
                     "WARNING: kernel/pidfd/provider.c:1 function parameter 'a' not described",
                     "warning: unresolved link to `nothing`",
                     "error: could not document `kernel`"):
            self.assertEqual(docs.warnings(f"a line\n{line}\n"), [line])

    def test_of_none(self):
        """Text about warnings does not count, nor does a remark about Sphinx itself."""
        self.assertEqual(docs.warnings("  RUSTDOC H rust/kernel/lib.rs\nno warnings\n"
                                       "/x.py: RemovedInSphinx10Warning: old\n"), [])


if __name__ == "__main__":
    unittest.main()
