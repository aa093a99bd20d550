#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Builds kernels whose pidfds Rust serves, boots them, and tests them.

The Makefile is the front door and has help: make help. This program takes what the user
set as options. Run by hand, `pidfd.py apply SOURCE TREE` makes a patched tree.
"""

import argparse
import os
import pathlib
import signal
import sys

import bench
import build
import check
import debug
import docs
import frontdoor
import fuzz
import guest
import hooks
import package
import suites
import system
from output import CLOSED, Fault, Tally, USAGE, say
from target import ARCHITECTURES, CONFIGURATIONS, Target, Tools, X86_64, default_cache


def target_of(args):
    """The Target that the options describe."""
    folder = pathlib.Path(os.path.abspath(args.build))
    source = pathlib.Path(os.path.abspath(args.kernel_src)) if args.kernel_src else None
    cache = pathlib.Path(os.path.abspath(args.cache)) if args.cache else default_cache()
    if args.config not in CONFIGURATIONS:
        raise Fault("build", f"CONFIG={args.config}: there are {' and '.join(CONFIGURATIONS)}",
                    USAGE)
    return Target(folder, series=args.series, update=args.update == "yes", kernel_src=source,
                  arch=ARCHITECTURES[args.arch], config=args.config, flavour=args.flavour,
                  module_key=pathlib.Path(os.path.abspath(args.module_key))
                  if args.module_key else None,
                  cache=cache, tools=Tools.read(folder, args.tool), jobs=args.jobs)


def machine_of(args):
    """The Machine that the options describe."""
    return guest.Machine(
        target_of(args),
        kernel=pathlib.Path(args.kernel) if args.kernel else None,
        module=pathlib.Path(args.module) if args.module else None,
        load=args.load != "no", cpus=args.cpus, memory=args.mem, timeout=args.timeout,
        quiet=args.quiet, shared=args.dir, append=args.append,
        qemu_options=tuple(args.qemu_opts.split()))


def options_of(args):
    """The Options of tests that the options describe."""
    if args.rounds and not args.rounds.isdigit():
        raise Fault("test", f"ROUNDS={args.rounds} is not a number", USAGE)
    return suites.Options(rounds=int(args.rounds) if args.rounds else None,
                          race_seconds=args.race_seconds, by_c=args.by_c != "no",
                          leave_out=tuple(args.leave_out.split()), limit=args.limit)


def run_kernel(args):
    """The custom kernel's image and modules."""
    build.kernel(target_of(args))


def run_modules(args):
    """The modules alone."""
    build.modules(target_of(args), args.kdir)


def run_apply(args):
    """A patched tree."""
    if args.check:
        hooks.check(args.source, args.spatch)
    elif args.tree:
        hooks.apply(args.source, args.tree, args.spatch)
    else:
        raise Fault("apply", "name a tree to make, or --check", USAGE)


def run_guest(args):
    """A command in a guest."""
    return guest.run(machine_of(args).but(command=args.cmd))


def run_shell(args):
    """A shell in a guest."""
    return guest.run(machine_of(args))


def run_test(args):
    """Every test."""
    return suites.test(machine_of(args), options_of(args), Tally(), args.tests)


def run_test_debug(args):
    """The tests on kernels that detect mistakes."""
    return debug.test_debug(machine_of(args), options_of(args), Tally(), args.tests, args.variants)


def run_test_lsm(args):
    """The decisions of security modules."""
    return suites.test_lsm(machine_of(args), options_of(args), Tally(), args.lsm)


def run_bench(args):
    """The cost of operations."""
    return bench.bench(machine_of(args), bench.Options.read(args.icount, args.pristine, args.lsm))


def run_fuzz(args):
    """The fuzzer."""
    return fuzz.fuzz(machine_of(args), args.time, args.seed, args.inputs)


def run_models(args):
    """The models."""
    tally = Tally()
    suites.models.run(target_of(args), tally)
    return tally.total()


def run_check(args):
    """The checkers."""
    return check.check(target_of(args))


def run_docs(args):
    """HTML of the documentation."""
    docs.docs(target_of(args))


def run_deb(args):
    """Packages for Debian."""
    package.deb(target_of(args))


def run_system(args):
    """A whole Debian."""
    return system.run(machine_of(args).but(command=args.cmd or None), args.release)


def run_unit_tests(_):
    """The tests of this program."""
    return frontdoor.unit_tests()


def parser():
    """The parser of the command line."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--build", default="build", help="build folder")
    where.add_argument("--series", default="7.3", help="of Debian's linux-source to fetch")
    where.add_argument("--update", default="no", help='"yes": fetch the newest source')
    where.add_argument("--kernel-src", help="the user's own kernel tree, in place of that")
    where.add_argument("--arch", default=X86_64.name, choices=sorted(ARCHITECTURES))
    where.add_argument("--config", default="small", help=" or ".join(CONFIGURATIONS))
    where.add_argument("--flavour", default="cloud-amd64", help="of Debian's configurations")
    where.add_argument("--module-key", help="file with a key and certificate to sign modules")
    where.add_argument("--cache", help="where downloads and compiler output are kept")
    where.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    where.add_argument("--tool", action="append", default=[], metavar="NAME=PATH",
                       help="in place of one that setup.sh has found")

    booted = argparse.ArgumentParser(add_help=False, parents=[where])
    booted.add_argument("--kernel", help="image to boot")
    booted.add_argument("--module", help="rust_pidfd.ko to load")
    booted.add_argument("--load", default="yes", help='"no": do not load it')
    booted.add_argument("--cpus", default="2")
    booted.add_argument("--mem", default="2G")
    booted.add_argument("--timeout", default="600", help="seconds; 0: none")
    booted.add_argument("--quiet", default="120", help="seconds in which a boot may print nothing")
    booted.add_argument("--dir", default="", help="folder that the guest may write to")
    booted.add_argument("--append", default="", help="more kernel parameters")
    booted.add_argument("--qemu-opts", default="", help="more options for QEMU")

    tested = argparse.ArgumentParser(add_help=False, parents=[booted])
    tested.add_argument("--rounds", default="")
    tested.add_argument("--race-seconds", default="")
    tested.add_argument("--by-c", default="yes", help='"no": do not have C do the same')
    tested.add_argument("--leave-out", default="", help="selftests, COLLECTION:PROGRAM")
    tested.add_argument("--limit", type=int, default=400, help="seconds a program may take")

    named = argparse.ArgumentParser(add_help=False, parents=[tested])
    named.add_argument("--tests", default="", help="parts to run")

    whole = argparse.ArgumentParser(description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(name, function, parent):
        one = commands.add_parser(name, help=function.__doc__, parents=[parent])
        one.set_defaults(function=function)
        return one

    command("kernel", run_kernel, where)
    command("modules", run_modules, where).add_argument("--kdir", default="")
    apply = commands.add_parser("apply", help=run_apply.__doc__)
    apply.set_defaults(function=run_apply)
    apply.add_argument("--check", action="store_true", help="try it, and write nothing")
    apply.add_argument("--spatch", default="spatch", help="Coccinelle's program")
    apply.add_argument("source")
    apply.add_argument("tree", nargs="?")
    command("guest", run_guest, booted).add_argument("--cmd", default="")
    command("shell", run_shell, booted)
    command("test", run_test, named)
    command("test-debug", run_test_debug, named).add_argument("--variants", default="")
    command("test-lsm", run_test_lsm, tested).add_argument("--lsm", default="")
    one = command("bench", run_bench, booted)
    one.add_argument("--icount", default="yes")
    one.add_argument("--pristine", default="no")
    one.add_argument("--lsm", default="")
    one = command("fuzz", run_fuzz, booted)
    one.add_argument("--time", default="600", help="600, 10m, 1h")
    one.add_argument("--seed", default="")
    one.add_argument("inputs", nargs="*")
    command("models", run_models, where)
    command("check", run_check, where)
    command("docs", run_docs, where)
    command("deb", run_deb, where)
    one = command("system", run_system, booted)
    one.add_argument("--cmd", default="")
    one.add_argument("--release", default="trixie", help=" or ".join(system.RELEASES))
    commands.add_parser("unit-tests", help=run_unit_tests.__doc__).set_defaults(
        function=run_unit_tests)
    return whole


SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def stop(number, _):
    """Ends the program in an orderly way, which a second signal does not disturb."""
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    """Runs a subcommand. Returns the exit status."""
    for one in SIGNALS:
        signal.signal(one, stop)
    sys.stdout.reconfigure(line_buffering=True, errors="surrogateescape")
    args = parser().parse_args()
    try:
        return args.function(args) or 0
    except Fault as fault:
        print(fault, file=sys.stderr)
        return fault.status
    except BrokenPipeError:
        # The reader of the output has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return CLOSED
    except OSError as error:
        say("pidfd", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
