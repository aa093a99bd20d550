# SPDX-License-Identifier: GPL-2.0
"""make test: every test, against a target's kernel."""

import dataclasses
import io
import re
import shlex
import shutil
import subprocess
import time

import build
import counterparts
import coverage
import frontdoor
import guest
import ktap
import models
import package
import system
from output import Fault, USAGE
from target import HERE, TOP

TESTS = TOP / "tools/testing/selftests/pidfd_rust"
CREATED = "/sys/kernel/debug/rust_pidfd/created"
# What C fails now and then, and what takes long.
NOT_RUSTLESS = ("pidfd:pidfd_autoreap_test", "pidfd:pidfd_test", "pidfd:pidfd_poll_test")
# The suites of KUnit and the examples that are about our abstractions.
OUR_SUITES = ("rust_(pid|pidfd|pid_record|namespace|pidfd_counts|pseudo_fs|seq_file_put|user_struct"
              "|cred_ids|wait_queue)")
OUR_EXAMPLES = re.compile(r" ok [0-9]+ rust_doctest_kernel_"
                          "(bug_once|cred_ids|fs_xattr|namespace|pid|pid_record|pid_watch|pidfd|"
                          "pidfd_uapi|seq_file_put|wait_queue)_rs")


@dataclasses.dataclass(frozen=True)
class Options:
    """Settings of the user, and of a variant of the kernel."""

    # None: a default that depends on the test.
    rounds: int | None = None
    race_seconds: str = ""
    # Have the C implementation do the same, to compare.
    by_c: bool = True
    # COLLECTION:PROGRAM
    leave_out: tuple[str, ...] = ()
    # Seconds a program may take; kselftest's own 45 are too few under emulation.
    limit: int = 400


def remove_module():
    """For a guest: unloads the module as soon as it is not in use."""
    return "for ((i = 0; i < 100; i++)); do rmmod rust_pidfd && break; sleep 0.1; done"


class Suite:
    """The tests of one kernel."""

    def __init__(self, machine, options, tally, log, kselftest):
        self.machine = machine
        self.target = machine.target
        self.options = options
        self.tally = tally
        self.log = log
        # Where the selftests are installed.
        self.installed = kselftest

    @classmethod
    def parts(cls):
        """{name: method} of all parts."""
        return {name.removeprefix("part_"): getattr(cls, name)
                for name in dir(cls) if name.startswith("part_")}

    def run(self, parts):
        """Runs parts by their names."""
        self.log.mkdir(parents=True, exist_ok=True)
        for part in parts:
            start = time.monotonic()
            print(f"test: {part}", flush=True)
            self.parts()[part](self)
            print(f"test: {part} took {time.monotonic() - start:.0f} s", flush=True)

    def results(self, path, expected=None, **options):
        """Prints the results in a log and adds them to the tally. Returns their counts."""
        lines = ktap.lines_of(path) if path.exists() else []
        lines, counts = ktap.report(ktap.read(lines, **options), path, expected)
        print("\n".join(lines), flush=True)
        self.tally.count(*counts)
        return counts

    def guest(self, name, command, **changes):
        """Runs a command in a guest. Its output goes to NAME.log, and what fails it is there. A
        guest that itself fails, or cannot be had, is a failure too."""
        log, dmesg = self.log / f"{name}.log", self.log / f"{name}.dmesg"
        messages = io.BytesIO()
        with open(log, "wb") as out:
            try:
                status = guest.run(self.machine.but(command=command, log=dmesg, **changes),
                                   out, messages)
            except Fault as fault:
                messages.write(f"{fault}\n".encode())
                status = fault.status
        if status in guest.FAILURES:
            print(messages.getvalue().decode(errors="replace"), end="")
            self.tally.fail(f"{name}: the guest failed with status {status}; see {dmesg} and {log}")
        return status

    def program(self, name, command, **changes):
        """Runs a single program, which prints TAP."""
        status = self.guest(name, command, **changes)
        self.results(self.log / f"{name}.log", name=name, status=status)

    def kselftest(self, *what, leave_out=()):
        """The command of a guest that runs tests. Each of `what` is an argument of kselftest.sh."""
        settings = {"PIDFD_MODULE": self.module, "BY_C": "" if self.options.by_c else "no",
                    "RACE_SECONDS": self.options.race_seconds}
        if self.options.rounds:
            settings["ROUNDS"] = str(self.options.rounds)
        assigned = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
        words = shlex.join([str(HERE / "kselftest.sh"), "--leave-out",
                            " ".join((*self.options.leave_out, *leave_out)),
                            str(self.options.limit), *what])
        return f"cd {shlex.quote(str(self.installed))} && {assigned} {words}"

    @property
    def module(self):
        """The module's path."""
        return str(self.target.module)

    def installed_program(self, name):
        """One of our own programs, for a shell."""
        return shlex.quote(str(self.installed / "pidfd_rust" / name))

    def expected_failures(self):
        """Those of upstream's programs."""
        return ktap.expectations(TESTS / "expected-failures")

    def part_models(self):
        """Models of orderings that no test can force."""
        models.run(self.target, self.tally)

    def part_kunit(self):
        """Unit tests and examples, when the kernel boots."""
        self.guest("kunit", "true", load=False,
                   append=f"kunit.enable=1 {self.machine.append}")
        log = self.log / "kunit.dmesg"
        self.results(log, suite="rust_.*")
        lines = ktap.lines_of(log) if log.exists() else []
        examples = sum(bool(OUR_EXAMPLES.search(line)) for line in lines)
        _, (cases, _, _) = ktap.report(ktap.read(lines, suite=OUR_SUITES), log)
        print(f"of these, of the abstractions here: {examples} examples and {cases} cases")

    def part_upstream(self):
        """The kernel's own selftests. Behind them: the module's count, whether functions with a
        counterpart were called, and whether that was counted."""
        by_c = self.options.by_c
        differ = self.installed_program("differ")
        compared = f"""
            {counterparts.report_command('rust')}
            {remove_module()}
            {differ} >/tmp/differ || tail -n 1 /tmp/differ
            {counterparts.report_command('c')}"""
        self.guest("upstream", f"""
            {counterparts.count_command() if by_c else ''}
            {self.kselftest(*build.UPSTREAM, *build.PROGRAMS)}
            echo made $(cat {CREATED})
            {compared if by_c else ''}""", timeout=3000)
        log = self.log / "upstream.log"
        self.results(log, expected=self.expected_failures())
        lines = ktap.lines_of(log)

        created = next((line[5:] for line in lines if line.startswith("made ")), "")
        if created.isdigit() and int(created) > 100:
            self.tally.ok(f"upstream: {created} pidfds were made by Rust")
        else:
            self.tally.fail(f"upstream: the module made '{created}' pidfds: "
                            "the C implementation served them")
        if by_c:
            self.counterparts(lines, log)
        else:
            self.tally.skip("counterparts: BY_C=no leaves nothing to compare with")

    def counterparts(self, lines, log):
        """No function with a counterpart was called while the module was loaded, though the count
        would have shown it."""
        rust, c = counterparts.calls(lines, "rust"), counterparts.calls(lines, "c")
        called = ", ".join(f"{name}(), {n} times" for name, n in rust if n)
        uncounted = ", ".join(f"{name}()" for name, n in c if not n)
        if called:
            self.tally.fail(f"counterparts: C was called with the module loaded: {called}")
        elif uncounted:
            self.tally.fail("counterparts: without the module these were not called either, so "
                            f"the count proves nothing: {uncounted}")
        elif not c:
            self.tally.fail(f"counterparts: nothing was counted; see {log}")
        else:
            self.tally.ok(f"counterparts: {len(rust)} C functions with a counterpart in Rust were "
                          "not called, and are called without the module")

    def in_a_row(self, name, what):
        """Runs tests many times. `what` is an argument of kselftest.sh."""
        rounds = self.options.rounds or 20
        self.guest(name, self.kselftest(*[what] * rounds), timeout=600 * rounds)
        self.results(self.log / f"{name}.log")

    def part_repeat(self):
        """Only when named: upstream's pidfd tests, many times."""
        self.in_a_row("repeat", "pidfd")

    def part_races(self):
        """Only when named: the races, many times."""
        self.in_a_row("races", "pidfd_rust:race_test")

    def part_fire(self):
        """Only when named: loads and unloads the module during the races."""
        rounds = self.options.rounds or 1000
        self.program("fire", f"cd {shlex.quote(str(self.installed / 'pidfd_rust'))} && "
                     f"ROUNDS={rounds} PIDFD_MODULE={shlex.quote(self.module)} ./fire_test",
                     patches=True, timeout=5 * rounds + 600)

    def part_ours(self):
        """Our own selftests."""
        self.guest("ours", self.kselftest("pidfd_rust"), patches=True, timeout=3000)
        log = self.log / "ours.log"
        self.results(log)
        faults = [re.search(r":([0-9]+) faults walked, ([0-9]+) ", line)
                  for line in ktap.lines_of(log)]
        walked, failed = (sum(int(found[i]) for found in faults if found) for i in (1, 2))
        print(f"of these: {walked} faults injected, one by one; {failed} made a call fail")

    def part_builtin(self):
        """Our own selftests and upstream's, with rust_pidfd built in. Code that is built in has one
        address. QEMU logs the code that it translates, which is the code that runs."""
        try:
            target = build.builtin(self.target)
        except (Fault, subprocess.SubprocessError) as fault:
            print(fault)
            self.tally.fail("builtin: the kernel with rust_pidfd built in cannot be built")
            return
        asm = self.log / "builtin.asm"
        self.guest("builtin", self.kselftest(*build.UPSTREAM, *build.PROGRAMS, "pidfd_rust"),
                   target=target, kernel=None, load=False, timeout=3000,
                   append="nokaslr kunit.enable=1",
                   qemu_options=("-d", "in_asm", "-dfilter", target.arch.code, "-D", str(asm)))
        self.results(self.log / "builtin.log", expected=self.expected_failures())
        self.coverage(asm, target)
        asm.unlink(missing_ok=True)

    def coverage(self, asm, target):
        """Reports how many lines ran. Lines of tests do not count."""
        missed = self.log / "missed"
        try:
            found = coverage.measure(target, asm, [target.vmlinux], coverage.sources())
        except (Fault, OSError, subprocess.SubprocessError) as fault:
            print(fault)
            found = None
        if found:
            found.write_missed(missed)
            found.write_lcov(self.log / "coverage.info")
            print("\n".join(f"coverage: {line}" for line in found.summary()))
        if found and found.percent("kernel/pidfd") >= 95:
            self.tally.ok("coverage: at least 95 % of kernel/pidfd; what was not run is in "
                          f"{missed}")
        else:
            self.tally.fail(f"coverage: less than 95 % of kernel/pidfd; see {missed}")

    def part_rustless(self):
        """The hooks without Rust: the kernel links, and C serves as before."""
        try:
            target = build.rustless(self.target)
        except Fault as fault:
            print(fault)
            self.tally.fail("rustless: a kernel with hooks and without Rust cannot be built")
            return
        differ = self.installed_program("differ")
        self.guest("rustless", f"""
            {self.kselftest('pidfd', leave_out=NOT_RUSTLESS)}
            grep -c ' pidfd_provider_register$\\| _R.*kernel' /proc/kallsyms |
                sed 's/^/rust symbols /'
            {differ} >/tmp/differ && echo differ ended""",
                   target=target, kernel=None, load=False, timeout=1800)
        log = self.log / "rustless.log"
        self.results(log)
        lines = ktap.lines_of(log)
        if "rust symbols 0" in lines and "differ ended" in lines:
            self.tally.ok("rustless: C serves, in a kernel without a function of Rust")
        else:
            self.tally.fail(f"rustless: see {log}")

    def part_programs(self):
        """Programs that do not know of this project."""
        tools, folder = self.target.tools, self.target.build / "tokio"
        log = self.log / "tokio-build.log"
        print(f"test: building the tokio program; log in {log}", flush=True)
        with open(log, "wb") as out:
            status = subprocess.run(
                [tools.CARGO, "build", "--locked", "--release", "--manifest-path",
                 TESTS / "tokio/Cargo.toml", "--target-dir", folder],
                stdout=out, stderr=out, check=False).returncode
        if status:
            self.tally.fail(f"tokio: cannot be built; see {log}")
        else:
            self.program("tokio", shlex.quote(str(folder / "release/tokio-pidfd")))
        self.program("python", shlex.join([tools.PYTHON, str(TESTS / "python_test.py")]))
        # Its exit status, and that Rust served it.
        sample = shlex.quote(str(self.target.build / "samples/pidfd-metadata"))
        if self.guest("sample", f"{sample} && [ $(cat {CREATED}) -gt 0 ]"):
            self.tally.fail(f"sample: pidfd-metadata failed; see {self.log / 'sample.log'}")
        else:
            self.tally.count(1, 0, 0)
        watch = shlex.quote(str(self.target.objects / "samples/rust/rust_pidfd_watch.ko"))
        self.guest("watch", f"sleep 1000 & p=$!; insmod {watch} pid=$p && kill $p; wait; "
                   "rmmod rust_pidfd_watch; dmesg | grep rust_pidfd_watch:")
        log = self.log / "watch.log"
        seen = sum(bool(re.search(r"process [0-9]+( has exited| has been reaped|$)", line))
                   for line in ktap.lines_of(log))
        if seen == 3:
            self.tally.ok("watch: the in-kernel sample saw the exit")
        else:
            self.tally.fail(f"watch: the in-kernel sample did not log the exit; see {log}")

    def part_soak(self):
        """Load, use and unload, many times; nothing may grow."""
        self.program("soak", f"PIDFD_MODULE={shlex.quote(self.module)} "
                     f"ROUNDS={self.options.rounds or 1000} {self.installed_program('soak')}",
                     patches=True, timeout=3000)
        print("\n".join(line for line in ktap.lines_of(self.log / "soak.log")
                        if line.startswith("#")), flush=True)

    def part_system(self):
        """A Debian with our packages, with C pidfds and with Rust pidfds."""
        if not shutil.which("mmdebstrap") or not shutil.which("dh"):
            self.tally.skip("system: needs mmdebstrap and debhelper, of Debian")
            return
        try:
            packages = system.packages_of(self.target)
            image = system.Image(self.target, "trixie", packages[1:])
            image.make()
            modules = package.modules(self.target, packages[0], self.target.build / "system/extmod")
        except (Fault, OSError, subprocess.SubprocessError) as fault:
            print(fault)
            self.tally.fail("system: packages, image or modules cannot be made")
            return
        module, watch = (shlex.quote(str(path)) for path in modules)
        status = self.guest("headers", f"""
            insmod {module} && python3 -c 'import os; os.pidfd_open(1)' &&
            [ $(cat {CREATED}) -gt 0 ] && insmod {watch} pid=$$ && rmmod rust_pidfd_watch""",
                            load=False)
        self.tally.check(not status, "system: modules built against the headers of the package "
                         f"load and work: {', '.join(path.name for path in modules)}")
        system.compare(self.machine, image, system.PART, self.tally)

    def part_frontdoor(self):
        """The commands of a user, and their output."""
        log = self.log / "frontdoor.log"
        with open(log, "w", encoding="utf-8") as out:
            frontdoor.run(self.target, out)
        self.results(log, name="frontdoor")


USUAL = ("models", "kunit", "upstream", "ours", "builtin", "rustless", "programs", "soak",
         "system", "frontdoor")


def chosen(who, words, usual):
    """The parts that TESTS names, or the usual ones."""
    parts = words.split() or usual
    for part in parts:
        if part not in Suite.parts():
            raise Fault(who, f"TESTS={' '.join(parts)}: {part} is not a part", USAGE)
    return parts


def test(machine, options, tally, tests=""):
    """make test. Returns the exit status."""
    target = machine.target
    parts = chosen("test", tests, USUAL)
    installed = target.build / "kselftest"
    target.log.mkdir(parents=True, exist_ok=True)
    build.selftests(target, installed)
    Suite(machine, options, tally, target.log, installed).run(parts)
    return tally.total()


# Security modules. The value of lsm=, what lsm_test.sh compares, and programs that run as
# well where the blob of an inode depends on the label of a task. They inject faults into its
# allocation, too.
LSM_PROGRAMS = ("clone", "open", "syscall", "fdinfo", "poll", "security", "fault", "swap",
                "handover", "bpf")
LSMS = {
    "selinux": ("landlock,selinux,bpf", "selinux", LSM_PROGRAMS),
    "smack": ("landlock,smack,bpf", "smack", LSM_PROGRAMS),
    "tomoyo": ("tomoyo", "tomoyo", ()),
    "ima": ("bpf", "ima", ()),
    # What is on without lsm=; AppArmor and Landlock confine there.
    "default": ("", "apparmor landlock", ()),
}
# Each record is printed, however many come at once. Red zones keep a cache from being merged
# with others, so that its objects can be counted. lsm_test.sh loads the policy of TOMOYO; the
# kernel wants a program that does.
LSM_PARAMETERS = ("audit=1 audit_backlog_limit=0 log_buf_len=16M slab_debug=Z,lsm_inode_cache "
                  "TOMOYO_loader=/bin/true TOMOYO_trigger=/run/pidfd-tomoyo")


def lsm_boots(names):
    """The boots that LSM=a,b names."""
    boots = names.replace(",", " ").split() or list(LSMS)
    for name in boots:
        if name not in LSMS:
            raise Fault("test-lsm", f"LSM={names}: {name} is none of selinux, smack, tomoyo, ima "
                        "and default", USAGE)
    return boots


class LsmSuite(Suite):
    """The decisions and audit records of one security module, on C pidfds and on Rust pidfds."""

    def boot(self, name):
        """Boots with it."""
        on, compared, programs = LSMS[name]
        folder = self.log / f"lsm-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        append = LSM_PARAMETERS + (f" lsm={on}" if on else "")
        build_, tools = self.target.build, self.target.tools
        tests = [f"pidfd_rust:{program}_test" for program in programs]
        words = {name_: shlex.quote(str(value)) for name_, value in {
            "folder": folder, "module": self.module, "policy": build_ / "selinux-policy",
            "parser": tools.APPARMOR_PARSER, "installed": self.installed,
            "kselftest": HERE / "kselftest.sh"}.items()}
        more = f"""
            insmod {words['module']}
            cd {words['installed']} && PIDFD_MODULE={words['module']} {words['kselftest']} 400 \
                {' '.join(tests)} >{words['folder']}/tests.log 2>&1""" if tests else ""
        status = self.guest(f"lsm-{name}", f"""cd {words['folder']}
            OUT=$PWD ROUNDS={self.options.rounds or ''} PIDFD_MODULE={words['module']} \
                SELINUX_POLICY={words['policy']} APPARMOR_PARSER={words['parser']} \
                {self.installed_program('lsm_test.sh')} {compared}
            status=$?
            {more}
            exit $status""", shared=str(folder), load=False, patches=True, timeout=1200,
                            append=f"{append} {self.machine.append}")
        log = self.log / f"lsm-{name}.log"
        self.results(log, name=f"lsm_test.sh {name}", status=status)
        for line in ktap.lines_of(log):
            if re.match(r"# (.*[0-9] calls,.*|.*new inodes)$", line):
                print(line[2:])
        if tests:
            self.results(folder / "tests.log")


def test_lsm(machine, options, tally, names=""):
    """make test-lsm: boots the kernel with one security module after the other, and compares what
    each allows, denies and audits on C pidfds and on Rust pidfds. Returns the exit status."""
    target = machine.target
    boots = lsm_boots(names)
    target.log.mkdir(parents=True, exist_ok=True)
    build.kernel(target)
    installed = target.build / "kselftest-lsm"
    build.selftests(target, installed, ("pidfd_rust",), ())
    # Classes and permissions that the policy does not declare are allowed.
    log = target.log / "checkpolicy.log"
    with open(log, "wb") as out:
        status = subprocess.run(
            [target.tools.CHECKPOLICY, "-U", "allow", "-o", target.build / "selinux-policy",
             TESTS / "policies/selinux.te"], stdout=out, stderr=out, check=False).returncode
    if status:
        raise Fault("test-lsm", f"checkpolicy failed: {log.read_text(encoding='utf-8')}")
    suite = LsmSuite(machine, options, tally, target.log, installed)
    for name in boots:
        start = time.monotonic()
        print(f"test-lsm: {name}", flush=True)
        suite.boot(name)
        print(f"test-lsm: {name} took {time.monotonic() - start:.0f} s", flush=True)
    return tally.total()


def read_text(path):
    """The text of a log; empty without one."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
