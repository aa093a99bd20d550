# SPDX-License-Identifier: GPL-2.0
"""Unit tests of complaints.py."""

import unittest

import complaints

STAMP = "[    4.123456] "

BAD = """\
Kernel panic - not syncing: sysrq triggered crash
------------[ cut here ]------------
BUG: kernel NULL pointer dereference, address: 0000000000000000
BUG: KASAN: slab-use-after-free in pidfs_get_pid+0x1/0x2
WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 copy_process+0x1/0x2
WARNING: possible circular locking dependency detected
WARNING: suspicious RCU usage
watchdog: BUG: soft lockup - CPU#0 stuck for 22s!
watchdog: Watchdog detected hard LOCKUP on cpu 0
Oops: int3: 0000 [#1] SMP
Oops: general protection fault, probably for non-canonical address
general protection fault: 0000
kernel BUG at mm/slub.c:1!
invalid opcode: 0000 [#1]
rust_kernel: panicked at kernel/pidfd/file.rs:1:1:
INFO: task init:1 blocked for more than 120 seconds.
INFO: trying to register non-static key.
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: rcu_preempt kthread starved for 100 jiffies!
UBSAN: array-index-out-of-bounds in kernel/pidfd/x.c:1:1
refcount_t: addition on 0; use-after-free.
ODEBUG: free active
Unable to handle kernel paging request
scheduling while atomic: init/1/0x2
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
pagealloc: memory corruption
list_add corruption. prev->next should be next
kmem_cache_destroy pidfs_attr: Slab cache still has objects
VFS: Busy inodes after unmount of pidfs
BUG: KCSAN: data-race in do_exit / pidfd_poll
BUG: KCSAN: data-race in rust_pidfd_broken_count / rust_pidfd_broken_count
BUG: KCSAN: data-race in _RNvCs1_4file4poll / do_exit
"""

GOOD = """\
Linux version 7.3.0
BUG: KCSAN: data-race in do_exit / __x64_sys_wait4
rcu: Hierarchical SRCU implementation.
kmemleak: Kernel memory leak detector initialized
a line with WARNING: in it
BUGS: none
watchdog: NMI not fully supported
# pidfd_test: BUG: this is a test's own output
pidfd-guest: exit 0
"""


class Complaints(unittest.TestCase):
    def test_complaints(self):
        for text in BAD.splitlines():
            with self.subTest(text):
                self.assertTrue(complaints.is_complaint(STAMP + text))
                self.assertTrue(complaints.is_complaint("[   12.000001][  T123] " + text))

    def test_other_lines(self):
        for text in GOOD.splitlines():
            with self.subTest(text):
                self.assertFalse(complaints.is_complaint(STAMP + text))

    def test_no_stamp(self):
        self.assertFalse(complaints.is_complaint("BUG: in what firmware prints"))

    def test_first(self):
        lines = [STAMP + text for text in (GOOD + BAD).splitlines()]
        self.assertEqual(complaints.first(lines), len(GOOD.splitlines()))
        self.assertIsNone(complaints.first(lines[:3]))

    def test_text_of(self):
        self.assertEqual(complaints.text_of("[    1.000000][    T1] a [1] "), "a [1] ")


if __name__ == "__main__":
    unittest.main()
