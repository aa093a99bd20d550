# SPDX-License-Identifier: GPL-2.0
"""What a healthy kernel never prints."""

import re

# The time stamp, and the caller with CONFIG_PRINTK_CALLER.
STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[[^]]*\])? ")

# At the start of a line's text.
COMPLAINTS = re.compile("|".join((
    r"Kernel panic",
    r"------------\[ cut here \]",
    r"(watchdog: |rcu: )?(BUG|WARNING|Oops|PANIC)[ :]",
    r"(Oops: )?general protection fault",
    r"kernel BUG at ", r"invalid opcode: ", r"rust_kernel: panicked at ",
    r"(rcu: )?INFO: (rcu|task .* blocked for more than|possible recursive"
    r"|inconsistent lock|suspicious RCU|trying to register non-static key"
    r"|lockdep is turned off|HARDIRQ|SOFTIRQ)",
    r"rcu: .*(detected (expedited )?stalls|self-detected stall|kthread starved)",
    r"watchdog: .*(LOCKUP|lockup)",
    r"(UBSAN|KASAN|KCSAN|KMSAN|KFENCE|refcount_t|ODEBUG): ",
    r"Unable to handle ", r"unable to handle ", r"scheduling while atomic",
    r"kmemleak: .*suspected memory leak",
    r"pagealloc: (single bit error|memory corruption)",
    r"list_(add|del) corruption", r"Slab cache still has objects",
    r"kmem_cache_destroy .*still has objects",
    r"VFS: (Busy inodes|Close: file count)",
)))

# The C implementation has data races of its own. Ours are those in which one side is
# Rust, or a function about pidfds.
RACE = "BUG: KCSAN: data-race in "
OUR_RACE = re.compile(RACE + r".*(pidf[ds]|rust_|(?<= )_R)")


def text_of(line):
    """A line of the kernel log without its stamp."""
    return STAMP.sub("", line)


def is_complaint(line):
    """Whether a line of the kernel log is a complaint that fails a guest."""
    stamp = STAMP.match(line)
    if RACE in line:
        return bool(OUR_RACE.search(line))
    return bool(stamp and COMPLAINTS.match(line, stamp.end()))


def first(lines):
    """Index of the first complaint, or None."""
    return next((i for i, line in enumerate(lines) if is_complaint(line)), None)
