# SPDX-License-Identifier: GPL-2.0
"""Unit tests of counterparts.py."""

import pathlib
import subprocess
import tempfile
import unittest

import counterparts

C = """\
static int declared(struct pid *pid);
static int pidfs_one(struct pid *pid)
{
	call(x);
}

static struct file *
pidfs_two(struct pid *pid,
	  int flags)
{
}

struct x {
	int y;
};
"""


class Counterparts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "fs").mkdir()
        (self.folder / "fs/pidfs.c").write_text(C)
        self.table = self.folder / "table"
        self.table.write_text("Function,Side,Where\npidfs_one,Rust,x\npidfs_three,C,y\n")

    def test_defined(self):
        self.assertEqual(counterparts.defined(C), {"pidfs_one", "pidfs_two"})

    def test_missing(self):
        self.assertEqual(counterparts.missing(self.folder, self.table), ["pidfs_two"])

    def test_with_counterpart(self):
        self.assertEqual(counterparts.with_counterpart(self.table), ["pidfs_one"])

    def test_calls(self):
        lines = ["rust counterpart pidfs_one 0", "c counterpart pidfs_one 12", "x"]
        self.assertEqual(counterparts.calls(lines, "rust"), [("pidfs_one", 0)])
        self.assertEqual(counterparts.calls(lines, "c"), [("pidfs_one", 12)])

    def test_commands_are_shell(self):
        for command in (counterparts.count_command(), counterparts.report_command("c")):
            subprocess.run(["bash", "-n", "-c", command], check=True)


if __name__ == "__main__":
    unittest.main()
