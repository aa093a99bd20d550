# SPDX-License-Identifier: GPL-2.0
"""make test-debug: runs the tests on a kernel with KASAN and on one with KCSAN. Both have
lockdep, kmemleak and the other checks of rust_pidfd_debug.config. A complaint of a check fails
the guest.

First the checks have to detect deliberate mistakes.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import re
import shlex
import signal
import sys
import threading
import time

import build
import guest
from output import Fault, Tally, USAGE
from suites import Suite, chosen

USUAL = ("kunit", "upstream", "ours", "programs", "soak")
# These make tens of thousands of processes, or hundreds within a fixed time.
LEAVE_OUT = ("pidfd:pidfd_test", "pidfd:pidfd_poll_test", "pid_namespace:pid_max")

# Mistakes, and the complaint that each has to cause. The order matters: lockdep stops after
# its first complaint and after one of KASAN, and the check of RCU depends on lockdep.
FIRST = {
    "pidfd_broken rcu_without_lock": "WARNING: suspicious RCU usage",
    "pidfd_broken sleep_in_atomic": "BUG: sleeping function called from invalid context",
    "pidfd_broken lock_inversion": "WARNING: possible circular locking dependency",
    "lkdtm ARRAY_BOUNDS": "UBSAN: array-index-out-of-bounds",
    "lkdtm CORRUPT_LIST_ADD": "list_add corruption",
    "lkdtm REFCOUNT_INC_ZERO": "refcount_t: addition on 0",
}
LAST = {"kmemleak-test": "kmemleak: .*suspected memory leak"}

# Modules that make mistakes, and the commands to do so.
MAKERS = {
    "pidfd_broken": ("kernel/pidfd/pidfd_broken.ko",
                     "insmod {module} mistake={name}; rmmod pidfd_broken"),
    "lkdtm": ("drivers/misc/lkdtm/lkdtm.ko",
              "insmod {module}; echo {name} >/sys/kernel/debug/provoke-crash/DIRECT; rmmod lkdtm"),
    "kmemleak-test": ("samples/kmemleak/kmemleak-test.ko", "insmod {module}; rmmod kmemleak_test"),
}


@dataclasses.dataclass(frozen=True)
class Variant:
    """A kernel that detects mistakes."""

    mistakes: dict[str, str]
    # kmemleak nearly doubles the time of all parts, so each kernel has it in some parts only.
    leaks: tuple[str, ...]


VARIANTS = {
    "kasan": Variant({"lkdtm READ_AFTER_FREE": "BUG: KASAN: .*use-after-free"},
                     ("kunit", "ours", "programs", "soak")),
    "kcsan": Variant({
        "lkdtm WRITE_AFTER_FREE": r"\[Poison overwritten\]",
        "lkdtm WRITE_BUDDY_AFTER_FREE": "pagealloc: memory corruption",
        "pidfd_broken rust_data_race": "BUG: KCSAN: data-race in rust_pidfd_broken_count",
    }, ("kunit", "upstream")),
}


def command(target, mistake):
    """The command of a guest that makes a mistake."""
    maker, _, name = mistake.partition(" ")
    module, text = MAKERS[maker]
    return text.format(module=shlex.quote(str(target.objects / module)), name=name)


def make_mistakes(suite, mistakes):
    """Makes mistakes in one guest. The guest has to fail, and its kernel has to complain of each
    mistake."""
    target, log = suite.target, suite.log / "mistakes.dmesg"
    log.unlink(missing_ok=True)
    with open(os.devnull, "wb") as null:
        status = guest.run(suite.machine.but(
            log=log, load=False, timeout=1200, append=f"{suite.machine.append} kasan_multi_shot",
            command="\n".join(command(target, mistake) for mistake in mistakes)), null, null)
    if status != guest.COMPLAINT:
        suite.tally.fail(f"a guest with mistakes ended with status {status}")
    found = log.read_text(encoding="utf-8", errors="replace")
    for name, words in mistakes.items():
        if re.search(words, found):
            suite.tally.ok(f"finds {name}")
        else:
            suite.tally.fail(f"{name} is not found; see {log}")


def test_variant(machine, options, parts, installed):
    """Makes the mistakes and runs the tests on one kernel."""
    target, tally = machine.target, Tally()
    variant = VARIANTS[target.fragments[-1]]
    # With a thread for each processor, QEMU spends its time on locks between the threads.
    machine = machine.but(memory="4G", patches=True,
                          append=f"{target.arch.for_kasan} page_poison=1".strip())
    options = dataclasses.replace(options, by_c=False, leave_out=LEAVE_OUT, limit=1200,
                                  rounds=options.rounds or 50)
    log = target.log / target.folder
    log.mkdir(parents=True, exist_ok=True)

    start = time.monotonic()
    make_mistakes(Suite(machine, options, tally, log, installed), FIRST | variant.mistakes | LAST)
    print(f"test: finding mistakes took {time.monotonic() - start:.0f} s", flush=True)
    for part in parts:
        # slub_debug reports more with U, stacks, which take a fifth of the time.
        less = "slub_debug=FZP" + ("" if part in variant.leaks else " kmemleak=off")
        one = machine.but(append=f"{machine.append} {less}")
        Suite(one, options, tally, log, installed).run([part])
    return tally.total()


def fork(function, output):
    """Calls a function in a process, which leads a group and writes to a pipe."""
    def work():
        os.setpgid(0, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            status = function()
        except Fault as fault:
            print(fault, flush=True)
            status = fault.status
        sys.exit(status)
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    os.close(output)
    return process


def prefix(name, source, log):
    """Passes lines on with a name before them, and writes them to a log. Returns the last one in
    a list."""
    last = [""]

    def work():
        with open(source, encoding="utf-8", errors="replace") as lines, \
             open(log, "w", encoding="utf-8") as out:
            for line in lines:
                out.write(line)
                print(f"{name}: {line}", end="", flush=True)
                last[0] = line
    thread = threading.Thread(target=work)
    thread.start()
    return thread, last


def test_debug(machine, options, tally, tests="", variants=""):
    """Tests all variants in parallel. Returns the exit status."""
    target = machine.target
    names = variants.split() or list(VARIANTS)
    if not set(names) <= set(VARIANTS):
        raise Fault("test-debug", f"VARIANTS={variants}: there are kasan and kcsan", USAGE)
    parts = chosen("test-debug", tests, USUAL)
    build.apply(target)
    targets = [target.variant("debug", name) for name in names]
    for one in targets:
        build.variant(one)
    installed = target.build / "kselftest-debug"
    build.selftests(target, installed)

    processes, readers = [], []
    pipes = [os.pipe() for _ in targets]
    for i, one in enumerate(targets):
        (target.log / one.folder).mkdir(parents=True, exist_ok=True)
        processes.append(fork(
            lambda one=one: test_variant(machine.but(target=one), options, parts, installed),
            pipes[i][1]))
    for name, (source, _) in zip(names, pipes):
        readers.append(prefix(name, source, target.log / name / "results"))
    try:
        for process in processes:
            process.join()
    finally:
        for process in processes:
            if process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.join()
        for thread, _ in readers:
            thread.join()
    for _, last in readers:
        found = re.match(r"(\d+) passed, (\d+) failed, (\d+) skipped$", last[0])
        tally.count(*(map(int, found.groups()) if found else (0, 1, 0)))
    return tally.total()
