#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""CPython knows nothing of this project, and gets its pidfds from Rust.

Runs with CPython 3.9 and later. What a version lacks is skipped and said so.
"""

import asyncio
import ctypes
import os
import select
import signal
import subprocess
import sys
import warnings

COUNTERS = "/sys/kernel/debug/rust_pidfd/"

# Seconds for what must come; emulated machines are slow.
PATIENCE = 60


class Failure(Exception):
    """A test found something that is not so."""


class Skip(Exception):
    """A test cannot be done here."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def counter(name):
    with open(COUNTERS + name, encoding="ascii") as file:
        return int(file.read())


def sleeper():
    """A child that lives until its standard input is closed."""
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL)


def os_pidfd_open_gives_a_pidfd():
    child = sleeper()
    created, opened = counter("created"), counter("open")
    fd = os.pidfd_open(child.pid)
    expect(counter("created") == created + 1, "created did not rise by one")
    expect(counter("open") == opened + 1, "open did not rise by one")
    expect(os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:[pidfd]",
           "the descriptor is no pidfd")
    expect(not os.get_inheritable(fd), "the descriptor is inheritable")
    os.close(fd)
    expect(counter("open") == opened, "open did not fall by one")
    child.stdin.close()
    expect(child.wait(PATIENCE) == 0, "the child failed")


def os_pidfd_open_of_nobody_is_process_lookup_error():
    child = sleeper()
    child.stdin.close()
    child.wait(PATIENCE)
    created = counter("created")
    try:
        os.close(os.pidfd_open(child.pid))
    except ProcessLookupError:
        expect(counter("created") == created, "a pidfd was created")
        return
    raise Failure("it was opened")


def signal_pidfd_send_signal_ends_the_child():
    child = sleeper()
    fd = os.pidfd_open(child.pid)
    signal.pidfd_send_signal(fd, signal.SIGTERM)
    expect(child.wait(PATIENCE) == -signal.SIGTERM, "it ended otherwise")
    try:
        signal.pidfd_send_signal(fd, 0)
        raise Failure("the reaped child could be signalled")
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)
        child.stdin.close()


def select_poll_and_waitid_see_the_exit():
    child = sleeper()
    fd = os.pidfd_open(child.pid)
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    expect(not poll.poll(0), "readable while the child lives")
    child.stdin.close()
    expect(poll.poll(PATIENCE * 1000) == [(fd, select.POLLIN)],
           "not readable once it ended")
    result = os.waitid(os.P_PIDFD, fd, os.WEXITED)
    expect(result.si_pid == child.pid and result.si_status == 0,
           "waitid() says something else")
    expect(poll.poll(0) == [(fd, select.POLLIN | select.POLLHUP)],
           "not hung up once it was reaped")
    child.returncode = 0
    os.close(fd)


async def await_many(number):
    """Children that end in all ways, at the same time."""

    async def run(i):
        # Every third one would last for ever.
        command = "exec cat" if i % 3 == 0 else f"exit {i}"
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", command, stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL)
        if i % 3 == 0:
            process.kill()
        status = await process.wait()
        process.stdin.close()
        return status == (-signal.SIGKILL if i % 3 == 0 else i)

    done = await asyncio.wait_for(
        asyncio.gather(*(run(i) for i in range(number))), PATIENCE)
    return all(done)


def asyncio_awaits(number, watcher=None):
    created, opened = counter("created"), counter("open")
    with warnings.catch_warnings():
        # Child watchers are deprecated since 3.12 and gone in 3.14.
        warnings.simplefilter("ignore", DeprecationWarning)
        policy = asyncio.get_event_loop_policy()
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            if watcher:
                old = policy.get_child_watcher()
                policy.set_child_watcher(watcher)
                watcher.attach_loop(loop)
            expect(loop.run_until_complete(await_many(number)),
                   "a child has another exit status")
        finally:
            if watcher:
                policy.set_child_watcher(old)
            asyncio.set_event_loop(None)
            loop.close()
    return counter("created") - created, counter("open") - opened


def asyncio_pidfd_child_watcher_awaits_children():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if not hasattr(asyncio, "PidfdChildWatcher"):
            raise Skip("no PidfdChildWatcher in this version")
        watcher = asyncio.PidfdChildWatcher()
    created, opened = asyncio_awaits(20, watcher)
    expect(created >= 20, f"{created} pidfds created for 20 children")
    expect(opened == 0, f"{opened} pidfds left open")


def asyncio_awaits_children_by_default():
    created, opened = asyncio_awaits(20)
    # Before 3.12 a thread for each child was the default.
    if sys.version_info >= (3, 12):
        expect(created >= 20, f"{created} pidfds created for 20 children")
    expect(opened == 0, f"{opened} pidfds left open")


def libsystemd_has_the_inode_number_as_id():
    try:
        get_id = ctypes.CDLL("libsystemd.so.0").sd_pidfd_get_inode_id
    except (OSError, AttributeError):
        raise Skip("no libsystemd here that has sd_pidfd_get_inode_id()") from None
    pidfd = os.pidfd_open(os.getpid())
    number = ctypes.c_uint64()
    try:
        result = get_id(pidfd, ctypes.byref(number))
        expect(result >= 0, f"sd_pidfd_get_inode_id() says {result}")
        expect(number.value == os.fstat(pidfd).st_ino,
               f"it is {number.value}, the inode number {os.fstat(pidfd).st_ino}")
    finally:
        os.close(pidfd)


TESTS = [
    os_pidfd_open_gives_a_pidfd,
    os_pidfd_open_of_nobody_is_process_lookup_error,
    signal_pidfd_send_signal_ends_the_child,
    select_poll_and_waitid_see_the_exit,
    asyncio_pidfd_child_watcher_awaits_children,
    asyncio_awaits_children_by_default,
    libsystemd_has_the_inode_number_as_id,
]


def too_late(_signal, _frame):
    raise Failure("it took too long")


def main():
    print("TAP version 13", flush=True)

    if not os.path.ismount("/sys/kernel/debug"):
        subprocess.run(["mount", "-t", "debugfs", "debugfs",
                        "/sys/kernel/debug"], check=False)
    try:
        start = counter("open")
    except OSError:
        print(f"Bail out! rust_pidfd is not loaded: no {COUNTERS}created")
        return 1

    print(f"1..{len(TESTS)}")
    print(f"# CPython {sys.version.split()[0]}", flush=True)
    signal.signal(signal.SIGALRM, too_late)
    passed = failed = skipped = 0
    for number, test in enumerate(TESTS, 1):
        name = test.__name__
        signal.alarm(2 * PATIENCE)
        try:
            test()
            expect(counter("open") == start, "pidfds are left open")
            print(f"ok {number} {name}", flush=True)
            passed += 1
        except Skip as reason:
            print(f"ok {number} {name} # SKIP {reason}", flush=True)
            skipped += 1
        except Exception as error:  # pylint: disable=broad-except
            print(f"# {name}: {type(error).__name__}: {error}")
            print(f"not ok {number} {name}", flush=True)
            failed += 1
        finally:
            signal.alarm(0)

    print(f"# Totals: pass:{passed} fail:{failed} xfail:0 xpass:0 "
          f"skip:{skipped} error:0")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
