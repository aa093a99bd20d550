# SPDX-License-Identifier: GPL-2.0
"""Unit tests of citations.py."""

import unittest

import citations


class Citations(unittest.TestCase):
    def setUp(self):
        self.tests = citations.Tests()
        self.tests.add_c("open_test", "TEST_F(scope, of_a_thread)\n{\n}\nTEST_F_TIMEOUT(scope,\n"
                         "\t\tlater, 3)\nTEST(alone)\n")
        self.tests.add_c("poll_test", "TEST_F(waits, long)\n")
        self.tests.add_rust("#[macros::kunit_tests(rust_pid)]\nmod tests {\n    #[test]\n    fn finds() {}\n"
                            "    fn helper() {}\n}\n")

    def unknown(self, text):
        return list(citations.unknown(text, self.tests))

    def test_known(self):
        for text in ("``scope.of_a_thread``", "``scope.*``", "``open_test`` ``scope.later``, ``alone``",
                     "``open_test`` ``of_*``, ``poll_test`` ``waits``", "``rust_pid.finds``",
                     "``open_test``\n  ``scope.of_a_thread``", "``open_test``, ``differ_test.sh``"):
            self.assertEqual(self.unknown(text), [], text)

    def test_unknown(self):
        for text, found in (("``scope.gone``", "scope.gone"), ("``scopes.*``", "scopes.*"),
                            ("``open_test`` ``gone``", "open_test gone"),
                            ("``open_test`` ``waits.long``", "open_test waits.long"),
                            ("``gone_test`` ``waits.long``", "gone_test"),
                            ("``open_test`` ``alone``,\n``gone``", "open_test gone"),
                            ("``rust_pid.helper``", "rust_pid.helper")):
            self.assertEqual(self.unknown(text), [found], text)

    def test_others(self):
        for text in ("``file.rs``", "``wait_pidfd.lock``", "``Pid::get()``", "``open_test`` and ``x``",
                     "``setns()``, ``gone``"):
            self.assertEqual(self.unknown(text), [], text)


if __name__ == "__main__":
    unittest.main()
