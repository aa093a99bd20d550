# SPDX-License-Identifier: GPL-2.0
"""Unit tests of check.py."""

import unittest

import check


class Forbidden(unittest.TestCase):
    def test_found(self):
        for text in ("use kernel::bindings;", "    bindings,", "let x = bindings::S_IFMT;",
                     "unsafe { x() }", "// unsafe", "kernel::{bindings, prelude::*};"):
            self.assertTrue(list(check.forbidden(text)), text)

    def test_not_found(self):
        for text in ("// kernel::bindings", "//! no bindings here", 'pr_info!("a\\" bindings");',
                     "let bindings_of = 1;"):
            self.assertEqual(list(check.forbidden(text)), [], text)

    def test_line(self):
        self.assertEqual(list(check.forbidden("a\n  bindings::b // c")), [(2, "bindings::b // c")])


class Pictures(unittest.TestCase):
    DOT = 'a [label="one()\\ltwo  three\\l"]\nb [label="x & y"] c [label=""]'

    def test_labels(self):
        svg = "<text x='1'>one()</text><text>two&#160;&#160;three</text><text>x &amp; y</text>"
        self.assertEqual(check.lacking(self.DOT, svg), [])
        self.assertEqual(check.lacking(self.DOT, "<text>one()</text>"), ["two  three", "x & y"])


if __name__ == "__main__":
    unittest.main()
