# SPDX-License-Identifier: GPL-2.0
"""What the user sees: messages, progress, and the count of results."""

import subprocess
import sys
import threading
import time

# Exit statuses. Those of a guest are in guest.py.
GOOD, FAILED, USAGE = 0, 1, 2
# The reader of the output has gone.
CLOSED = 141


class Fault(Exception):
    """Stops the tool. The message is one line; `status` is the exit status."""

    def __init__(self, who, message, status=FAILED):
        super().__init__(f"{who}: {message}")
        self.status = status


def say(who, text):
    """Prints one line of progress."""
    print(f"{who}: {text}", file=sys.stderr, flush=True)


def step(who, what, work, state=lambda: ""):
    """Calls `work` and prints one line with its name and duration.

    On a terminal the line shows the seconds so far and `state()`. Returns False
    if a command of `work` failed.
    """
    start = time.monotonic()
    done = threading.Event()
    terminal = sys.stderr.isatty()

    def tick():
        while not done.wait(1):
            seconds = time.monotonic() - start
            sys.stderr.write(f"\r\033[K{who}: {what} ... {seconds:.0f} s {state()}")
            sys.stderr.flush()

    print(f"{who}: {what} ... ", end="", file=sys.stderr, flush=True)
    ticker = threading.Thread(target=tick, daemon=True)
    if terminal:
        ticker.start()
    word = "failed"
    try:
        work()
        word = f"{time.monotonic() - start:.0f} s"
        return True
    except (OSError, subprocess.SubprocessError):
        return False
    finally:
        done.set()
        if terminal:
            ticker.join()
            sys.stderr.write(f"\r\033[K{who}: {what} ... ")
        print(word, file=sys.stderr, flush=True)


class Tally:
    """Counts results. Prints each as a line."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def count(self, passed, failed, skipped):
        """Adds results whose lines are printed already."""
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def ok(self, text):
        """One passed."""
        print(f"ok {text}", flush=True)
        self.passed += 1

    def fail(self, text):
        """One failed."""
        print(f"FAIL {text}", flush=True)
        self.failed += 1

    def skip(self, text):
        """One skipped."""
        print(f"skip {text}", flush=True)
        self.skipped += 1

    def check(self, good, text):
        """One passed or failed."""
        (self.ok if good else self.fail)(text)

    def total(self):
        """Prints the last line. Returns the exit status."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return FAILED if self.failed else GOOD
