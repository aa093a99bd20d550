# SPDX-License-Identifier: GPL-2.0
"""Counts the atomic read-modify-writes of operations on C pidfds and on Rust pidfds.

A guest runs "bench trace" of tools/testing/selftests/pidfd_rust, first in C, then in
Rust. A debugger, QEMU's gdbstub, stops at the marks of that program. Between two marks
QEMU logs the registers before each instruction. A lock prefix, or an xchg with memory,
makes an instruction atomic. The registers have the address of its operand.

Two processes make each operation several times in turn, on a CPU and with objects of
their own. An operand is shared by all CPUs if it is a variable of the kernel or of the
module, or if both processes reach it. The trace with the fewest atomics counts: the others
met an interrupt, or an allocator that had to refill.
"""

import bisect
import collections
import json
import mmap
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import guest as guests
from output import Fault, say

# The first argument of a mark, as in bench.c.
MARK = 0x6d61726b
MARK_FUNCTION = "__x64_sys_ni_syscall"
# An operation lies between two calls of this. The operations do not call it.
EDGE_FUNCTION = "__x64_sys_getpgid"

USER_END = 1 << 47
IMAGE = 0xffffffff80000000
STACK = 16384

REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
             "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
# The gdbstub counts registers as above, an instruction as here.
NUMBER = [REGISTERS.index(name) for name in
          ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi")] + list(range(8, 16))
RSP = REGISTERS.index("rsp")
RDI = REGISTERS.index("rdi")
PC = len(REGISTERS)
# Offsets in struct pt_regs.
ARGUMENTS = {"di": 112, "si": 104, "dx": 96, "r10": 56}

# QEMU's log of one instruction: first the general registers, later these.
REGISTER = re.compile(rb"(R[0-9A-Z]{1,2}) ?=([0-9a-f]{16})")
REGISTER_NAMES = [name.upper().encode() for name in REGISTERS]
RUN = re.compile(rb"\nRIP=([0-9a-f]{16}) .*\n(?:[ECSDF]S =.*\n){5}GS =.{4} ([0-9a-f]{16}) ")

LOCK = 0xf0
PREFIXES = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf2, 0xf3, LOCK}
ARITHMETIC = ("add", "or", "adc", "sbb", "and", "sub", "xor")
BITS = {0x0fab: "bts", 0x0fb3: "btr", 0x0fbb: "btc"}
OTHERS = {0x0fc0: "xadd", 0x0fc1: "xadd", 0x0fb0: "cmpxchg", 0x0fb1: "cmpxchg",
          0x86: "xchg", 0x87: "xchg", **BITS,
          **{op << 3 | size: name for op, name in enumerate(ARITHMETIC) for size in (0, 1)}}
# Those whose ModRM byte holds a part of the opcode.
GROUPS = {0xf6: {2: "not", 3: "neg"}, 0xf7: {2: "not", 3: "neg"},
          0xfe: {0: "inc", 1: "dec"}, 0xff: {0: "inc", 1: "dec"},
          0x0fba: {5: "bts", 6: "btr", 7: "btc"}, 0x0fc7: {1: "cmpxchg"},
          **{op: dict(enumerate(ARITHMETIC)) for op in (0x80, 0x81, 0x83)}}
IMMEDIATES = {0x80: 1, 0x81: 4, 0x83: 1, 0x0fba: 1}


class Atomic:
    """An atomic instruction. The address of its operand is the sum of the register base, the
    register index times scale, and displacement; a base of PC is the next instruction's."""

    # pylint: disable=too-many-instance-attributes

    def __init__(self, code):
        at = 0
        wide = False
        self.per_cpu = False
        while code[at] in PREFIXES:
            self.per_cpu |= code[at] == 0x65
            wide |= code[at] == 0x66
            at += 1
        rex = 0
        if code[at] & 0xf0 == 0x40:
            rex = code[at]
            at += 1
        op = code[at]
        if op == 0x0f:
            at += 1
            op = 0x0f00 | code[at]
        at += 1
        mod, reg, rm = code[at] >> 6, code[at] >> 3 & 7, code[at] & 7
        at += 1
        self.name = OTHERS.get(op) or GROUPS.get(op, {}).get(reg)
        if not self.name or mod == 3:
            raise ValueError(f"not an atomic instruction: {code.hex(' ')}")

        self.base, self.index, self.scale = NUMBER[rm | (rex & 1) << 3], None, 1
        if rm == 4:
            sib = code[at]
            at += 1
            self.base = NUMBER[sib & 7 | (rex & 1) << 3]
            index = sib >> 3 & 7 | (rex & 2) << 2
            if index != 4:
                self.index, self.scale = NUMBER[index], 1 << (sib >> 6)
            if mod == 0 and sib & 7 == 5:
                self.base = None
        elif mod == 0 and rm == 5:
            self.base = PC
        size = 1 if mod == 1 else 4 if mod == 2 or self.base in (None, PC) else 0
        self.displacement = int.from_bytes(code[at:at + size], "little", signed=True)
        at += size

        size = IMMEDIATES.get(op, 0)
        size = 2 if size == 4 and wide else size
        immediate = int.from_bytes(code[at:at + size], "little", signed=True)
        self.length = at + size
        # A bit number in a register also selects the word.
        self.bit = NUMBER[reg | (rex & 4) << 1] if op in BITS else None
        self.bit_size = 64 if rex & 8 else 16 if wide else 32
        # smp_mb() adds zero to what lies below the stack pointer.
        self.barrier = (self.name in ("add", "or") and bool(size) and immediate == 0 and
                        self.base == RSP and self.index is None)

    def address(self, registers):
        """The address of the operand, without the base of a segment."""
        address = self.displacement
        if self.base is not None:
            address += registers[self.base]
        if self.base == PC:
            address += self.length
        if self.index is not None:
            address += registers[self.index] * self.scale
        if self.bit is not None:
            bit = registers[self.bit] & ((1 << self.bit_size) - 1)
            bit -= (bit >> self.bit_size - 1) << self.bit_size
            address += bit // self.bit_size * (self.bit_size // 8)
        return address & ((1 << 64) - 1)


def decode(code):
    """The Atomic at the start of code, or None. The longest instruction has 15 bytes."""
    lock = False
    at = 0
    while code[at] in PREFIXES:
        lock |= code[at] == LOCK
        at += 1
    if not lock:
        at += code[at] & 0xf0 == 0x40
        # An xchg with memory needs no prefix.
        if code[at] & 0xfe != 0x86 or code[at + 1] >= 0xc0:
            return None
    return Atomic(code)


class Gone(Exception):
    """The guest has ended."""


class Guest:
    """A CPU that QEMU's gdbstub holds, and its memory."""

    def __init__(self, path):
        self.received = b""
        self.chunks = {}
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(path)
        except ConnectionError:
            raise Gone from None

    def answer(self):
        """The next packet."""
        while True:
            start = self.received.find(b"$")
            end = self.received.find(b"#", start)
            if 0 <= start < end <= len(self.received) - 3:
                text = self.received[start + 1:end].decode()
                self.received = self.received[end + 3:]
                if text[:1] in ("W", "X"):
                    raise Gone
                return text
            more = self.socket.recv(65536)
            if not more:
                raise Gone
            self.received += more

    def ask(self, text):
        """Send a packet, and wait for its answer."""
        try:
            self.socket.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 0xff))
            return self.answer()
        except ConnectionError:
            raise Gone from None

    def monitor(self, command):
        """Give a command to QEMU's monitor; its output."""
        said = ""
        text = self.ask("qRcmd," + command.encode().hex())
        while text.startswith("O") and text != "OK":
            said += bytes.fromhex(text[1:]).decode()
            text = self.answer()
        return said

    def one_by_one(self, on):
        """"on": QEMU enters each instruction by itself, and so logs it."""
        # QEMU before 8.1 has another name for it.
        if self.monitor(f"one-insn-per-tb {on}"):
            self.monitor(f"singlestep {on}")

    def go(self):
        """Leave a breakpoint, and run to the next one."""
        self.ask("s")
        self.ask("c")

    def memory(self, address, size):
        """The bytes at an address; None if nothing is mapped there."""
        text = self.ask(f"m{address:x},{size:x}")
        return bytes.fromhex(text) if len(text) == 2 * size else None

    def word(self, address):
        """The number at an address."""
        return int.from_bytes(self.memory(address, 8) or b"", "little")

    def registers(self):
        """The REGISTERS and PC."""
        text = bytes.fromhex(self.ask("g")[:16 * (PC + 1)])
        return [int.from_bytes(text[at:at + 8], "little") for at in range(0, len(text), 8)]

    def code(self, pc):
        """The bytes of an instruction. The kernel may patch itself, but not while an operation
        is traced."""
        code = b""
        for chunk in (pc >> 8, (pc + 15) >> 8):
            if chunk not in self.chunks:
                self.chunks[chunk] = self.memory(chunk << 8, 256) or bytes(256)
            code += self.chunks[chunk]
        return code[pc & 0xff:][:16]


class Symbols:
    """Functions and variables of the kernel and of the module."""

    def __init__(self, nm, vmlinux, module):
        self.nm = nm
        self.module = module
        self.kernel = self.read(vmlinux)
        self.in_module = []
        self.end = self.of_kernel("_end")

    def read(self, path, sections=None):
        """Sorted (address, name) of an object file. A file that is not linked takes the
        addresses of its sections. The best of several names comes first."""
        text = subprocess.run([self.nm, "-C", "-f", "sysv", path], check=True,
                              stdout=subprocess.PIPE, encoding="utf-8").stdout
        found = []
        for line in text.splitlines():
            fields = [field.strip() for field in line.rsplit("|", 6)]
            if len(fields) != 7 or not fields[1] or fields[3] == "FILE":
                continue
            name, address, kind, section = fields[0], int(fields[1], 16), fields[3], fields[6]
            if name.startswith(("__pfx_", "__cfi_", ".L", "$")):
                continue
            if sections is not None:
                if section not in sections:
                    continue
                address += sections[section]
            # Without the hashes of crates.
            found.append((address, kind == "NOTYPE", re.sub(r"\[[0-9a-f]{1,16}\]", "", name)))
        return [(address, name) for address, _, name in sorted(found)]

    def load(self, sections):
        """Take the module's addresses: a list of a section's name, its address, and so on."""
        addresses = (int(address, 16) for address in sections[1::2])
        self.in_module = self.read(self.module, dict(zip(sections[::2], addresses)))

    def of_kernel(self, name):
        """The address of a function or variable."""
        return next(address for address, found in self.kernel if found == name)

    def has(self, address):
        """Whether an address belongs to the module."""
        return address >= self.end

    def find(self, address):
        """(address, name) of the function or variable that an address lies in."""
        found = self.in_module if self.has(address) else self.kernel
        at = bisect.bisect_right(found, (address, "\U0010ffff"))
        if not at:
            return address, "?"
        return found[bisect.bisect_left(found, (found[at - 1][0], ""))]

    def start(self, address):
        """The first address of that function or variable."""
        return self.find(address)[0]

    def name(self, address):
        """The name of that function or variable."""
        return self.find(address)[1]


class Trace:
    """The instructions of the kernel that one process took for an operation."""

    def __init__(self, run, operation, worker):
        self.run = run
        self.operation = operation
        self.worker = worker
        self.instructions = 0
        self.in_module = 0
        # (address of the instruction, address its function was called from, kind of memory,
        # address of the operand)
        self.atomics = []

    def cost(self):
        """What min() compares."""
        return len(self.atomics), self.instructions


def place(atomic, address, stack):
    """The kind of memory that the operand is."""
    if atomic.barrier:
        return "barrier"
    if atomic.per_cpu:
        return "per CPU"
    if address < USER_END:
        return "user memory"
    if address // STACK == stack // STACK:
        return "stack"
    return "variable" if address >= IMAGE else "object"


class Debugger:
    """Traces a guest from its first instruction to its end."""

    def __init__(self, symbols, log):
        self.symbols = symbols
        self.mark = symbols.of_kernel(MARK_FUNCTION)
        self.edge = symbols.of_kernel(EDGE_FUNCTION)
        self.log = log

    def marked(self, guest):
        """The text and the number of the mark that the guest stands at; None if it stands at
        another system call."""
        regs = guest.registers()[RDI]
        argument = {name: guest.word(regs + offset) for name, offset in ARGUMENTS.items()}
        if argument["di"] != MARK:
            return None
        text = guest.memory(argument["si"], argument["dx"]) if argument["dx"] else b""
        return (text or b"").decode(), argument["r10"]

    def trace(self, guest, trace):
        """Run to the next mark. Whether the trace is of use."""
        # Each time QEMU opens a new file.
        guest.monitor(f"logfile {self.log}")
        guest.monitor("log cpu,nochain")
        guest.one_by_one("on")
        guest.go()
        while not self.marked(guest):
            guest.go()
        guest.one_by_one("off")
        guest.monitor("log none")
        with open(self.log, "rb") as log, \
             mmap.mmap(log.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return self.read(guest, trace, data)

    def read(self, guest, trace, data):
        """Fill a trace from QEMU's log. Whether the log holds the edges of the operation."""
        found = [(int(run[1], 16), run[2], run.start()) for run in RUN.finditer(data)]
        edges = [i for i, (pc, _, _) in enumerate(found) if pc == self.edge]
        if len(edges) != 2:
            return False
        # In the kernel, the base of gs identifies the CPU.
        cpu = found[edges[0]][1]
        found = [(pc, at) for pc, gs, at in found[edges[0]:edges[1]]
                 if pc >= USER_END and gs == cpu]
        trace.instructions = len(found)
        trace.in_module = sum(self.symbols.has(pc) for pc, _ in found)

        guest.chunks.clear()
        pcs = {pc for pc, _ in found}
        atomics = {pc: decode(guest.code(pc)) for pc in pcs}
        functions = {pc: self.symbols.start(pc) for pc, atomic in atomics.items() if atomic}
        # By function, the address of the last call.
        callers = dict.fromkeys(functions.values(), 0)
        before = 0
        for pc, at in found:
            if pc in callers:
                callers[pc] = before
            before = pc
            atomic = atomics[pc]
            if atomic:
                named = dict(REGISTER.findall(data, data.rfind(b"RAX=", 0, at), at))
                registers = [int(named[name], 16) for name in REGISTER_NAMES] + [pc]
                address = atomic.address(registers)
                trace.atomics.append((pc, callers[functions[pc]],
                                      place(atomic, address, registers[RSP]), address))
        return True

    def session(self, path):
        """All Traces of the guest whose gdbstub is at path."""
        traces, run = [], ""
        try:
            guest = Guest(path)
            guest.ask(f"Z0,{self.mark:x},1")
            guest.ask("c")
            while True:
                text, number = self.marked(guest) or ("", 0)
                if text.startswith("run "):
                    run, *sections = text.split()[1:]
                    self.symbols.load(sections)
                elif text:
                    trace = Trace(run, text, number)
                    if self.trace(guest, trace):
                        traces.append(trace)
                guest.go()
        except Gone:
            return traces


def trace_guest(symbols, machine, folder):
    """Run a guest and trace it. Its Traces, and its exit status."""
    # The name of a socket has to be short, and the build folder's may be long.
    short = tempfile.mkdtemp(prefix="pidfd-atomics.")
    path = os.path.join(short, "gdb")
    debugger = Debugger(symbols, folder / "atomics.log")
    machine = machine.but(qemu_options=(*machine.qemu_options, "-S", "-gdb",
                                        f"unix:{path},server=on,wait=off"))

    def boot():
        try:
            with open(folder / "atomics.raw", "wb") as raw:
                sys.exit(guests.run(machine, raw))
        except Fault as fault:
            say("bench", fault)
            sys.exit(fault.status)

    traces = []
    process = multiprocessing.get_context("fork").Process(target=boot)
    process.start()
    try:
        # A guest boots once more if the first boot fails.
        while process.is_alive():
            time.sleep(0.1)
            if os.path.exists(path):
                traces = debugger.session(path) or traces
        process.join()
        return traces, process.exitcode
    finally:
        if process.is_alive():
            os.kill(process.pid, signal.SIGTERM)
            process.join()
        shutil.rmtree(short)
        debugger.log.unlink(missing_ok=True)


def summary(traces, symbols):
    """The least of an operation's Traces, as a dictionary."""
    least = min(traces, key=Trace.cost)
    others = {address for trace in traces if trace.worker != least.worker
              for _, _, _, address in trace.atomics}
    by = collections.Counter()
    for pc, caller, where, address in least.atomics:
        shared = where == "variable" or where == "object" and address in others
        if where == "variable":
            where = symbols.name(address)
        by[symbols.name(pc), symbols.name(caller), where, shared] += 1
    return {
        "instructions": least.instructions,
        "atomics": len(least.atomics),
        "shared": sum(count for key, count in by.items() if key[-1]),
        "by": [{"symbol": symbol, "caller": caller, "operand": where, "shared": shared,
                "atomics": count}
               for (symbol, caller, where, shared), count in sorted(by.items())],
    }


def table(rows):
    """The table for a terminal."""
    lines = [f"{'operation, in atomic instructions':44} {'C':>6} {'shared':>7}"
             f" {'Rust':>6} {'shared':>7}"]
    for row in rows:
        c, rust = row["c"], row["rust"]
        lines.append(f"{row['operation']:44} {c['atomics']:6} {c['shared']:7}"
                     f" {rust['atomics']:6} {rust['shared']:7}")
    return "\n".join(lines) + "\n"


def details(rows):
    """The atomics of each operation by symbol, caller and operand."""
    lines = []
    for row in rows:
        both = collections.defaultdict(lambda: [0, 0])
        for i, run in enumerate(("c", "rust")):
            for by in row[run]["by"]:
                key = not by["shared"], by["symbol"], by["caller"], by["operand"]
                both[key][i] += by["atomics"]
        lines += ["", row["operation"],
                  f"  {'C':>4} {'Rust':>4}        function < caller: operand"]
        for (own, symbol, caller, operand), (c, rust) in sorted(both.items()):
            lines.append(f"  {c:4} {rust:4} {'      ' if own else 'shared'}"
                         f" {symbol} < {caller}: {operand}")
    return "\n".join(lines) + "\n"


def machine_to_trace(machine, program):
    """The machine that runs the operations."""
    target = machine.target
    # The kernel has to be where vmlinux has it. The clock counts instructions, so that timers do
    # not depend on the speed of the debugger. At each stop a device with an ioeventfd would
    # rebuild the memory map, which takes milliseconds.
    options = ["-icount", "shift=0,sleep=off"]
    for device in ("9p", "serial"):
        options += ["-global", f"virtio-{device}-pci.ioeventfd=off"]
    # Symbols of the module follow from the addresses of its sections.
    return machine.but(
        cpus="2", load=False, timeout=3000, qemu_options=tuple(options),
        append=f"{machine.append} nokaslr norandmaps {target.arch.for_counting}",
        command=f"""
            set -e
            {program} trace 'run c'
            insmod {shlex.quote(str(target.module))}
            cd /sys/module/rust_pidfd/sections
            {program} trace "run rust $(grep . .[a-z]* | tr ':\n' '  ')"
            cd /
            for ((i = 0; i < 50; i++)); do rmmod rust_pidfd 2>/dev/null && break; sleep 0.1; done
            [ ! -e /sys/module/rust_pidfd ]""")


def measure(machine, folder, program):
    """Trace a guest, print the table, and write atomics.txt and atomics.json, of which the table
    begins the former."""
    target = machine.target
    say("bench", "counting atomic instructions")
    symbols = Symbols(target.tools.llvm("llvm-nm"), target.vmlinux, target.module)
    traces, status = trace_guest(symbols, machine_to_trace(machine, program), folder)
    if status:
        print("\n".join((folder / "atomics.raw").read_text(encoding="utf-8").splitlines()[-3:]),
              file=sys.stderr)
        raise Fault("atomics", f"the guest failed with status {status}")

    found = collections.defaultdict(lambda: {"c": [], "rust": []})
    in_module = collections.Counter()
    for trace in traces:
        found[trace.operation][trace.run].append(trace)
        in_module[trace.run] += trace.in_module
    if in_module["c"] or not in_module["rust"]:
        raise Fault("atomics", "the traces are not of C, and then of Rust")
    for operation, runs in found.items():
        if any({trace.worker for trace in of} != {0, 1} for of in runs.values()):
            raise Fault("atomics", f"a trace of {operation} is missing")
    rows = [{"operation": operation, **{run: summary(of, symbols) for run, of in runs.items()}}
            for operation, runs in found.items()]
    if not any(row["c"]["atomics"] for row in rows):
        raise Fault("atomics", "this kernel has no lock prefixes")

    text = table(rows)
    print(text, end="", flush=True)
    (folder / "atomics.txt").write_text(text + details(rows), encoding="utf-8")
    (folder / "atomics.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    say("bench", f"details by function are in {folder}: atomics.txt, atomics.json")


# Registers, each with a value of its own, for tests.
VALUES = [0x1000 * (i + 1) for i in range(len(REGISTERS))] + [0x400000]

INSTRUCTION = re.compile(r"\s*([0-9a-f]+): ((?:[0-9a-f]{2}\s)+)\s*(.*)")
OPERAND = re.compile(r"(-?0x[0-9a-f]+)?\((%\w+)?(?:,(%\w+)(?:,(\d))?)?\)"
                     r"|(?<![-$\w])(-?0x[0-9a-f]+)")


def operand_address(text, following):
    """The address of an operand as objdump writes it, with VALUES in all registers."""
    match = OPERAND.search(text)
    value = dict(zip(REGISTERS, VALUES), rip=following)
    offset, base, index, scale, absolute = match.groups()
    address = int(offset or absolute or "0", 16)
    address += value[base[1:]] if base else 0
    address += value[index[1:]] * int(scale or 1) if index else 0
    return address & ((1 << 64) - 1)


def check_file(objdump, path):
    """Messages about instructions of a file that decode() takes for other than objdump."""
    text = subprocess.run([objdump, "-d", path], check=True, stdout=subprocess.PIPE,
                          encoding="utf-8").stdout
    prefix, found = None, 0
    for match in INSTRUCTION.finditer(text):
        pc, code, words = int(match[1], 16), bytes.fromhex(match[2]), match[3]
        # objdump gives a prefix a line of its own.
        if words in ("lock", "rep", "repne", "data16", "cs", "ds", "es", "fs", "gs", "ss"):
            prefix = (pc, b"", "") if prefix is None else prefix
            prefix = prefix[0], prefix[1] + code, prefix[2] + words + " "
            continue
        if prefix:
            pc, code, words = prefix[0], prefix[1] + code, prefix[2] + words
            prefix = None
        words = words.split("#")[0]
        expected = "lock" in words.split() or (words.startswith("xchg") and
                                               OPERAND.search(words) is not None)
        atomic = decode(code.ljust(16, b"\xcc"))
        if bool(atomic) != expected:
            yield f"{path}: {pc:x}: {code.hex(' ')}: objdump has {words}"
        elif atomic:
            found += 1
            registers = VALUES[:PC] + [pc]
            # objdump does not add a bit number.
            atomic.bit = None
            if (f" {atomic.name}" not in f" {words.replace('lock ', '')}" or
                    atomic.length != len(code) or
                    atomic.address(registers) != operand_address(words, pc + len(code))):
                yield f"{path}: {pc:x}: {code.hex(' ')}: {atomic.name} is {words} to objdump"
    if not found:
        yield f"{path}: objdump finds no atomic instruction"
