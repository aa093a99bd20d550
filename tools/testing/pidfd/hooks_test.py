# SPDX-License-Identifier: GPL-2.0
"""Unit tests of hooks.py."""

import pathlib
import tempfile
import unittest

import hooks
from output import Fault


class Ours(unittest.TestCase):
    def test_what_goes_into_the_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            top = pathlib.Path(folder)
            yes = ["fs/a.c", "kernel/pidfd/Kconfig", "kernel/pidfd/b.rs", "kernel/configs/c.config",
                   "samples/rust/d.rs", "tools/testing/selftests/pidfd_rust/policies/e",
                   "tools/testing/selftests/pidfd_rust/tokio/Cargo.lock"]
            no = ["fs/a.o", "samples/pidfd/f.c", "tools/testing/pidfd/g.py", "scripts/h.c",
                  "tools/x/target/i.rs", "tools/x/__pycache__/j.py", "kernel/pidfd/README"]
            for name in yes + no:
                (top / name).parent.mkdir(parents=True, exist_ok=True)
                (top / name).touch()
            self.assertEqual(sorted(hooks.ours(top)), sorted(yes))

    def test_project(self):
        self.assertIn("kernel/pidfd/provider.c", set(hooks.ours()))


class Hooks(unittest.TestCase):
    def test_hooked(self):
        text = "// a\n// Hook: kernel/fork.c a (b) 2\n@@\n// Hook: fs/x.c c 1\n"
        self.assertEqual(list(hooks.hooked(text)), [("kernel/fork.c", "a (b)", 2), ("fs/x.c", "c", 1)])

    def test_every_rule_names_its_hooks(self):
        for rule in hooks.rules():
            with self.subTest(rule.name):
                self.assertTrue(list(hooks.hooked(rule.read_text(encoding="utf-8"))))

    def test_changed_files(self):
        files = hooks.changed_files()
        self.assertIn("rust/kernel/lib.rs", files)
        self.assertIn("kernel/fork.c", files)
        self.assertEqual(len(files), len(set(files)))

    def test_insert(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "index.rst"
            path.write_text("a\n  b\nc\n", encoding="utf-8")
            hooks.insert(path, "index.rst", "  new", "  b")
            self.assertEqual(path.read_text(encoding="utf-8"), "a\n  b\n  new\nc\n")

    def test_insert_needs_the_line_once(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "index.rst"
            for text, count in ("a\n", 0), ("b\nb\n", 2):
                path.write_text(text, encoding="utf-8")
                with self.assertRaisesRegex(Fault, f"index.rst has the line 'b' {count} times"):
                    hooks.insert(path, "index.rst", "new", "b")
                self.assertEqual(path.read_text(encoding="utf-8"), text)

    def test_missing_file(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(Fault, "has no fs/pidfs.c: this series is not supported"):
                hooks.check(folder)

    def test_no_source(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(Fault, "is not a kernel source tree with Rust"):
                hooks.apply(folder, folder + "/tree")


if __name__ == "__main__":
    unittest.main()
