# SPDX-License-Identifier: GPL-2.0
"""Unit tests of models.py."""

import unittest

import models


class Verified(unittest.TestCase):
    def test_verdict(self):
        good = "State-vector 1 byte, depth reached 2, errors: 0\n  12 states, stored\n"
        self.assertTrue(models.verified("safety", good))
        for bad in ("errors: 1\n", "", good + "error: max search depth too small\n",
                    good + "Warning: Search not completed\n", good + 'state 1, "-end-"\n'):
            self.assertFalse(models.verified("safety", bad))
        self.assertTrue(models.verified("ends", good + 'state 1, "-end-"\n'))

    def test_properties(self):
        self.assertEqual([name for name, _ in models.properties("provider")],
                         ["safety", "switch", "ends"])
        self.assertEqual([name for name, _ in models.properties("stash")], ["safety"])

    def test_a_mistake_names_its_property(self):
        found = list(models.properties("provider"))
        self.assertEqual([name for name, _ in models.by_name(found, "switch_clears_fops")],
                         ["switch", "safety", "ends"])
        self.assertEqual([name for name, _ in models.by_name(found, "no_srcu")],
                         ["safety", "switch", "ends"])


if __name__ == "__main__":
    unittest.main()
