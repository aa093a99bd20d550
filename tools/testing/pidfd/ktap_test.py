# SPDX-License-Identifier: GPL-2.0
"""Unit tests of ktap.py."""

import pathlib
import tempfile
import unittest

import ktap


def report(text, expected=None, **options):
    return ktap.report(ktap.read(text.splitlines(), **options), "log", expected)


class OneProgram(unittest.TestCase):
    def test_failure_is_shown_with_its_comments_only(self):
        lines, counts = report("# it was well\nok 1 a\n#  RUN b\n# it was late\nnot ok 2 b\n"
                               "# it is gone\nok 3 c\n1..3", status=1)
        self.assertEqual(lines, ["FAIL program: b\n    # it was late"])
        self.assertEqual(counts, (2, 1, 0))

    def test_all_pass(self):
        self.assertEqual(report("1..2\nok 1 - a\nok 2 b", name="x"),
                         (["ok x: 2 cases"], (2, 0, 0)))

    def test_status_without_a_failed_case(self):
        self.assertEqual(report("1..1\nok 1 a", status=3),
                         (["FAIL program: the program failed (exit=3)"], (1, 1, 0)))

    def test_no_plan(self):
        self.assertEqual(report("ok 1 a")[1], (1, 1, 0))

    def test_plan_is_not_fulfilled(self):
        self.assertEqual(report("1..3\nok 1 a")[0], ["FAIL program: 2 of 3 cases did not run"])

    def test_no_output(self):
        self.assertEqual(report(""), (["FAIL program: it printed no plan"], (0, 1, 0)))

    def test_plan_alone(self):
        self.assertEqual(report("1..1")[0], ["FAIL program: the program printed no result"])

    def test_skip_and_xfail(self):
        lines, counts = report("1..3\nok 1 a # SKIP no IPv6\nnot ok 2 b # XFAIL known\nok 3 # SKIP")
        self.assertEqual(lines, ["ok program: 1 cases", "skip program: a: no IPv6",
                                 "skip program: case 3: no reason given"])
        self.assertEqual(counts, (1, 0, 2))

    def test_bail_out(self):
        self.assertEqual(report("Bail out! no memory")[0], ["FAIL program: Bail out! no memory"])

    def test_totals(self):
        self.assertEqual(report("1..1\nok 1 a\n# Totals: pass:1 fail:2 xfail:0 error:1")[0],
                         ["FAIL program: 3 cases by its totals"])


KSELFTEST = """\
TAP version 13
# selftests: pidfd: pidfd_test
# TAP version 13
# 1..2
# ok 1 first
# # said before
# not ok 2 second
# # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0
not ok 1 selftests: pidfd: pidfd_test # exit=1
# selftests: pidfd: pidfd_wait
# 1..1
# ok 1 waits
ok 1 selftests: pidfd: pidfd_wait
# pidfd:pidfd_wait took 1 s
"""


class Kselftest(unittest.TestCase):
    def test_programs(self):
        lines, counts = report(KSELFTEST)
        self.assertEqual(lines, ["FAIL pidfd:pidfd_test: second\n    # said before",
                                 "ok pidfd:pidfd_wait: 1 cases"])
        self.assertEqual(counts, (2, 1, 0))

    def test_expected_failure(self):
        lines, counts = report(KSELFTEST, {"pidfd:pidfd_test": "is slow"})
        self.assertEqual(lines[0], "xfail pidfd:pidfd_test: 1 cases: is slow")
        self.assertEqual(counts, (2, 0, 1))

    def test_expected_failure_passes(self):
        lines, counts = report(KSELFTEST, {"pidfd:pidfd_wait": "is slow"})
        self.assertIn("FAIL pidfd:pidfd_wait passes, though it is expected to fail: is slow", lines)
        self.assertEqual(counts, (2, 2, 0))

    def test_expected_failure_does_not_run(self):
        lines, _ = report(KSELFTEST, {"clone3:clone3": "x"})
        self.assertIn("FAIL clone3:clone3 is expected to fail, but did not run", lines)

    def test_program_runs_twice(self):
        lines, counts = report(KSELFTEST * 2)
        self.assertIn("ok pidfd:pidfd_wait run 2: 1 cases", lines)
        self.assertEqual(counts, (4, 2, 0))

    def test_run_breaks_off(self):
        text = KSELFTEST[:KSELFTEST.rindex("ok 1 selftests")]
        self.assertIn("FAIL pidfd:pidfd_wait: the run ended in it", report(text)[0])

    def test_program_skips_itself(self):
        text = "# selftests: a: b\nok 1 selftests: a: b # SKIP left out\n"
        self.assertEqual(report(text), (["skip a:b: all: left out"], (0, 0, 1)))

    def test_timeout(self):
        text = "# selftests: a: b\n# 1..2\n# ok 1 x\nnot ok 1 selftests: a: b # TIMEOUT 400 seconds\n"
        self.assertEqual(report(text)[0], ["FAIL a:b: the program failed (TIMEOUT 400 seconds)"])


KUNIT = """\
[    1.000000]     KTAP version 1
[    1.000000]     # Subtest: rust_pid
[    1.000000]     1..2
[    1.000000]     ok 1 finds
[    1.000000]         # deeper
[    1.000000][    T1]     not ok 2 counts
[    1.000000] not ok 1 rust_pid
[    1.000000]     1..1
[    1.000000]     ok 1 other
[    1.000000] ok 2 list_sort
"""


class KUnit(unittest.TestCase):
    def test_only_the_named_suites_count(self):
        lines, counts = report(KUNIT, suite="rust_.*")
        self.assertEqual(lines, ["FAIL kunit:rust_pid: counts"])
        self.assertEqual(counts, (1, 1, 0))

    def test_no_suite(self):
        self.assertEqual(report(KUNIT, suite="none"), (["FAIL log: no test ran"], (0, 1, 0)))


class Files(unittest.TestCase):
    def test_expectations(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "expected"
            path.write_text("# comment\n\npidfd:a  fails in C\n", encoding="utf-8")
            self.assertEqual(ktap.expectations(path), {"pidfd:a": "fails in C"})

    def test_carriage_returns(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "log"
            path.write_bytes(b"ok 1 a\r\n\xff\r\n")
            self.assertEqual(ktap.lines_of(path), ["ok 1 a", "\ufffd", ""])


if __name__ == "__main__":
    unittest.main()
